/** What is put on a device, while other programs delete and add. */

import { deepEqual, equal } from 'node:assert/strict';
import { test } from 'node:test';
import { GroupRoutes, type GroupRoutesOptions } from '../../src/host/group-routes.ts';
import type { HostRoute, LinkRecord, RouteSettings } from '../../src/host/records.ts';
import { Wanted } from '../../src/host/wanted.ts';

const set = (...keys: string[]): ReadonlySet<string> => new Set(keys);

function wantedAb(): Wanted<number> {
  const wanted = new Wanted<number>();
  wanted.add('a', 1);
  wanted.add('b', 2);
  wanted.handleSeen(set(), set('a', 'b'));
  return wanted;
}

test('what disappears is not wanted, and is again when another program adds it', () => {
  const wanted = wantedAb();
  wanted.handleSeen(set('a', 'b', 'c'), set('a'));
  deepEqual(wanted.entries(), [['a', 1]]);
  equal(wanted.has('b'), false);
  deepEqual(wanted.keys(), ['a', 'b']);
  wanted.handleSeen(set('a'), set('a', 'c'));
  deepEqual(wanted.entries(), [['a', 1]]);
  wanted.handleSeen(set('a'), set('a', 'b', 'c'));
  deepEqual(wanted.entries().sort(), [
    ['a', 1],
    ['b', 2],
  ]);
});

test('what was not there yet has not disappeared', () => {
  const wanted = wantedAb();
  wanted.handleSeen(set(), set());
  deepEqual(wanted.keys(), ['a', 'b']);
  equal(wanted.has('a') && wanted.has('b'), true);
});

test('what we are told to delete is not wanted again', () => {
  const wanted = wantedAb();
  wanted.handleSeen(set('a', 'b'), set('a'));
  wanted.delete('a');
  wanted.delete('b');
  wanted.handleSeen(set('a'), set('a', 'b'));
  deepEqual(wanted.keys(), []);
});

test('what we are told to add is wanted although it was taken', () => {
  const wanted = wantedAb();
  wanted.handleSeen(set('a', 'b'), set('a'));
  wanted.add('b', 3);
  deepEqual(wanted.entries(), [
    ['a', 1],
    ['b', 3],
  ]);
  deepEqual(wanted.keys(), ['a', 'b']);
});

const IFINDEX = 5;
const LINK = { name: 'ipmp0', ifindex: IFINDEX } as LinkRecord;
const DEFAULT: RouteSettings = { to: 'default', via: '192.0.2.1' };
const SEEN: HostRoute = {
  family: 4,
  destination: '0.0.0.0',
  prefixLength: 0,
  table: 254,
  type: 1,
  protocol: 4,
  scope: 0,
  tos: 0,
  metric: 0,
  source: undefined,
  nexthopId: 0,
  hops: [{ ifindex: IFINDEX, via: '192.0.2.1', weight: 1, flags: 0 }],
};

test('a route that was deleted and added is put back after down and up', async () => {
  const put: string[] = [];
  const changes = {
    route: async (_holder: string, _link: LinkRecord, { to }: RouteSettings) => {
      put.push(to);
      return 'made';
    },
  };
  const options = { name: 'ipmp0', ifindex: IFINDEX, holder: 'group:ipmp0', changes };
  const routes = new GroupRoutes(options as unknown as GroupRoutesOptions);
  routes.want(DEFAULT);
  routes.handleSeen([SEEN]);
  routes.handleSeen([]);
  deepEqual(routes.lacking([DEFAULT]), [{ route: DEFAULT, reason: undefined }]);
  await routes.putAll(LINK);
  deepEqual(put, []);
  routes.handleSeen([SEEN]);
  deepEqual(routes.lacking([DEFAULT]), []);
  routes.forgetSeen();
  await routes.putAll(LINK);
  deepEqual(put, ['default']);
});
