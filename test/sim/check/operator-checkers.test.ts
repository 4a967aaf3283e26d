/** The checkers of the operator's wishes themselves: each notices what it is there for. */

import { doesNotThrow, throws } from 'node:assert/strict';
import { test } from 'node:test';
import type { SimWorld } from '../../../src/sim/world.ts';
import { MAC_BROADCAST } from '../../../src/wire/addr.ts';
import { ethernetEmit } from '../../../src/wire/ethernet.ts';
import { twoNics } from '../scene.ts';
import { OperatorCheckers } from './operator-checkers.ts';

function quietWorld(): SimWorld {
  const world = twoNics();
  new OperatorCheckers(world);
  world.runFor(1000);
  return world;
}

/** The same after net0 was taken offline. */
function withoutNet0(): SimWorld {
  const world = quietWorld();
  world.operate('offline', () => world.system.offlineInterface('net0'));
  world.runFor(100);
  return world;
}

test('a world in which the operator does all that is allowed gives no complaint', () => {
  const world = withoutNet0();
  const { system } = world;
  doesNotThrow(() => {
    world.operate('online', () => system.onlineInterface('net0'));
    world.operate('standby', () => system.setInterface('net1', { standby: true }));
    world.operate('activate', () => system.activateInterface('net1'));
    world.operate('rename', () => system.renameGroup('ipmp0', 'blue'));
    world.runFor(1000);
  });
});

test('offlineIsSilent: a frame that leaves', () => {
  const world = withoutNet0();
  const frame = new Uint8Array(60);
  ethernetEmit(frame, 0, { destination: MAC_BROADCAST, source: 1, type: 0x88b5 });
  throws(() => world.network.cables.get('net0')?.transmit('a', frame), /offlineIsSilent/);
});

test('offlineIsDeaf: a frame that is forwarded', () => {
  const world = withoutNet0();
  const { datapath } = world;
  const real = datapath.portCounters.bind(datapath);
  datapath.portCounters = (port) => {
    const counters = real(port);
    return { ...counters, forwarded: counters.forwarded + (port === 0 ? 1n : 0n) };
  };
  throws(() => world.runFor(10_000), /offlineIsDeaf/);
});

test('offlineIsSpared: the last one goes', () => {
  const world = withoutNet0();
  const group = 'ipmp0';
  const rows = world.system.describeGroups();
  world.system.describeGroups = () => rows.map((row) => ({ ...row, active: [], signature: '' }));
  const nothing = { detail: null, type: null, signature: null };
  const what = { group, ifname: 'net1', from: 'ok', to: 'offline', ...nothing };
  const event = { atMs: world.nowMs, event: 'interface-state', cause: 'taken-offline' } as const;
  world.events.push({ ...event, ...what });
  throws(() => world.spawn('nothing', function* () {}), /offlineIsSpared/);
});

test('namesAreOne: a group called as a NIC', () => {
  const world = quietWorld();
  const rows = world.system.describeGroups();
  world.system.describeGroups = () => rows.map((row) => ({ ...row, group: 'net1', signature: '' }));
  throws(() => world.cut('net0') ?? world.runFor(100), /namesAreOne/);
});

test('changesAreCounted: a setting that changes with no other signature', () => {
  const world = quietWorld();
  const rows = world.system.describeGroups();
  world.system.describeGroups = () => rows.map((row) => ({ ...row, fdt_ms: row.fdt_ms + 1 }));
  throws(() => world.runFor(10_000), /changesAreCounted/);
});

test('chainIsTold: a kstat that comes without a word', () => {
  const world = quietWorld();
  const { kstats } = world.system;
  const list = kstats.list().slice(1);
  kstats.list = () => list;
  throws(() => world.cut('net0') ?? world.runFor(100), /chainIsTold/);
});
