/** What is put on a device, while other programs delete and add. */

import { deepEqual, equal, rejects } from 'node:assert/strict';
import { test } from 'node:test';
import { OperatorError } from '../../../../src/base/errors.ts';
import { GroupAddresses } from '../../../../src/host/group/addresses.ts';
import { GroupRoutes } from '../../../../src/host/group/routes.ts';
import { type DeviceContext, Wanted } from '../../../../src/host/group/wanted.ts';
import type {
  HostAddress,
  LinkRecord,
  RouteSettings,
} from '../../../../src/host/kernel/records.ts';
import { defaultRoute } from '../port/link-record.ts';

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

test('what we delete is not wanted again', () => {
  const wanted = wantedAb();
  wanted.handleSeen(set('a', 'b'), set('a'));
  wanted.delete('a');
  wanted.delete('b');
  wanted.handleSeen(set('a'), set('a', 'b'));
  deepEqual(wanted.keys(), []);
});

test('what we add is wanted although it was taken', () => {
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
const SEEN = defaultRoute(IFINDEX);

test('a route that was deleted and added is put back after down and up', async () => {
  const put: string[] = [];
  const changes = {
    route: async (_holder: string, _link: LinkRecord, { to }: RouteSettings) => {
      put.push(to);
      return 'made';
    },
  };
  const options = { name: 'ipmp0', ifindex: IFINDEX, holder: 'group:ipmp0', changes };
  const routes = new GroupRoutes(options as unknown as DeviceContext);
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

const ONE = '192.0.2.1/24';

/** Addresses on a device that carries `there`, ours and those of other programs. */
class AddressWorld {
  readonly there = new Set<string>();
  isRefusing = false;
  readonly addresses: GroupAddresses;

  constructor() {
    const remove = async (_link: LinkRecord, prefix: string): Promise<boolean> => {
      if (this.isRefusing) throw new OperatorError('EPERM', 'no');
      return this.there.delete(prefix);
    };
    const add = async (_holder: string, _link: LinkRecord, prefix: string): Promise<boolean> => {
      if (this.isRefusing) throw new OperatorError('EPERM', 'no');
      const isNew = !this.there.has(prefix);
      this.there.add(prefix);
      return isNew;
    };
    this.addresses = new GroupAddresses({
      rtnl: { deleteAddress: remove },
      changes: { address: add },
      log: { info: () => undefined, warn: () => undefined },
      name: 'ipmp0',
      holder: 'group:ipmp0',
    } as unknown as DeviceContext);
  }

  /** The mirror has looked. */
  look(): void {
    this.addresses.handleSeen(
      [...this.there].map((prefix) => {
        const [address = '', length] = prefix.split('/');
        return { address, prefixLength: Number(length) } as HostAddress;
      }),
    );
  }

  /** Whether the address is lacking, and whether it is put on a device that has lost it. */
  async fate(): Promise<{ isLacking: boolean; isPutBack: boolean }> {
    const isLacking = this.addresses.lacking([ONE]).length > 0;
    this.addresses.forgetSeen();
    this.there.clear();
    await this.addresses.putAll(LINK);
    return { isLacking, isPutBack: this.there.has(ONE) };
  }
}

const KEPT = { isLacking: false, isPutBack: true };
const TAKEN = { isLacking: true, isPutBack: false };

/** A device that was opened with the address. */
async function openedWorld(): Promise<AddressWorld> {
  const world = new AddressWorld();
  world.addresses.want(ONE);
  await world.addresses.putAll(LINK);
  world.look();
  return world;
}

test('an address that others delete and add is lacking only while it is seen missing', async () => {
  const remove = (world: AddressWorld): void => void world.there.delete(ONE);
  const add = (world: AddressWorld): void => void world.there.add(ONE);
  const look = (world: AddressWorld): void => world.look();
  const orders = [
    { steps: [], fate: KEPT },
    { steps: [remove, look], fate: TAKEN },
    { steps: [remove, look, add, look], fate: KEPT },
    { steps: [remove, add, look], fate: KEPT },
    { steps: [remove, look, add, remove, look], fate: TAKEN },
    { steps: [remove, look, add, look, remove, look], fate: TAKEN },
  ];
  for (const [at, { steps, fate }] of orders.entries()) {
    const world = await openedWorld();
    for (const step of steps) step(world);
    deepEqual(await world.fate(), fate, `order ${at}`);
  }
});

test('an address that we are to add and find there is wanted', async () => {
  const world = new AddressWorld();
  world.there.add(ONE);
  world.look();
  await rejects(world.addresses.add(LINK, ONE), { code: 'EEXIST' });
  world.look();
  deepEqual(await world.fate(), KEPT, 'another program had put it there');

  const restored = await openedWorld();
  restored.there.delete(ONE);
  restored.look();
  restored.there.add(ONE);
  await rejects(restored.addresses.add(LINK, ONE), { code: 'EEXIST' });
  deepEqual(await restored.fate(), KEPT, 'it came back before we looked');
});

test('what the kernel refuses changes nothing of what is wanted', async () => {
  const world = await openedWorld();
  world.isRefusing = true;
  await rejects(world.addresses.delete(LINK, ONE), { code: 'EPERM' });
  await rejects(world.addresses.add(LINK, '192.0.2.2/24'), { code: 'EPERM' });
  deepEqual(world.addresses.lacking([ONE, '192.0.2.2/24']), ['192.0.2.2/24']);
  world.isRefusing = false;
  await world.addresses.delete(LINK, ONE);
  await rejects(world.addresses.delete(LINK, ONE), { code: 'EADDRNOTAVAIL' });
  deepEqual(await world.fate(), TAKEN);
});
