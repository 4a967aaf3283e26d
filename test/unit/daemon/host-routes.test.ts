/** Routes of the host on their way to the IP layer: in turns; of lists that wait, the newest. */

import { deepEqual, equal, ok } from 'node:assert/strict';
import { test } from 'node:test';
import { nextTurn, ROWS_A_TURN } from '../../../src/base/turns.ts';
import { RouteFeed } from '../../../src/daemon/host-routes.ts';
import type { HostRoute } from '../../../src/host/kernel/records.ts';
import type { OrderedRoutes, System } from '../../../src/system.ts';
import { ipParse } from '../../../src/wire/addr.ts';
import { turnsOf } from '../base/turns-of.ts';
import { defaultRoute } from '../host/port/link-record.ts';

const ROUTES = 5000;
/** A gateway that routes of either family may have. */
const LINK_LOCAL = ipParse('fe80::1');

function routeTo(at: number, changes: Partial<HostRoute> = {}): HostRoute {
  const destination = `10.${at >> 8}.${at & 255}.0`;
  return { ...defaultRoute(7), destination, prefixLength: 24, metric: 20, ...changes };
}

/** A feed, and the lists that the system got. */
function feedOf() {
  const told: { device: string; routes: OrderedRoutes }[] = [];
  const system = {
    handleHostRoutes: (device: string, routes: OrderedRoutes) => told.push({ device, routes }),
  } as unknown as System;
  const fail = (error: unknown): never => {
    throw error;
  };
  return { told, feed: new RouteFeed({ input: (what) => what(system, 0) }, fail) };
}

test('routes are handed on in turns, whole, and of lists that wait the newest', async () => {
  const list = Array.from({ length: ROUTES }, (_, at) => routeTo(at));
  const { told, feed } = feedOf();
  const turns = await turnsOf(async () => {
    for (const length of [ROUTES, 1, 2]) feed.handleRoutes('ipmp0', list.slice(0, length));
    feed.handleRoutes('ipmp1', list.slice(0, 3));
    equal(told.length, 0);
    while (told.length < 3) await nextTurn();
  });
  const lengths = (name: string) =>
    told.flatMap(({ device, routes }) => (device === name ? [routes.all.length] : []));
  deepEqual([lengths('ipmp0'), lengths('ipmp1')], [[ROUTES, 2], [3]]);
  ok(turns >= (2 * ROUTES) / ROWS_A_TURN, `${turns} turns: records, then their order`);
  feed.handleRoutes('ipmp0', []);
  while (told.length < 4) await nextTurn();
  deepEqual(lengths('ipmp0'), [ROUTES, 2, 0]);
});

test('what the IP layer mirrors are unicast routes of both families, by each way out', async () => {
  const { told, feed } = feedOf();
  const hop = { ifindex: 7, weight: 1, flags: 0 };
  const hops = [undefined, '192.0.2.2', 'fe80::1'].map((via) => ({ ...hop, via }));
  const blackhole = routeTo(1, { type: 6 });
  const ofIpv6 = routeTo(2, { family: 6, destination: '2001:db8::', hops: hops.slice(2) });
  feed.handleRoutes('ipmp0', [blackhole, ofIpv6, routeTo(3, { hops })]);
  while (told.length === 0) await nextTurn();
  const { all, gateways } = told[0]!.routes;
  deepEqual(
    all.map(({ destination, gateway }) => [destination, gateway]),
    [
      [ipParse('2001:db8::'), LINK_LOCAL],
      [0x0a_00_03_00, null],
      [0x0a_00_03_00, 0xc0_00_02_02],
      [0x0a_00_03_00, LINK_LOCAL],
    ],
  );
  deepEqual([...gateways], [LINK_LOCAL, 0xc0_00_02_02]);
});
