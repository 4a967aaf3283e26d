/**
 * Operations that wait, in any order of going on: readers of kstats, members that leave and join,
 * a group that is deleted and made again. Every operation ends with a definite result, nothing
 * published ever falls, and at the end nothing is held.
 */

import { equal, ok } from 'node:assert/strict';
import { test } from 'node:test';
import { OperatorError } from '../../../src/base/errors.ts';
import type { Operation, Task } from '../../../src/base/operation.ts';
import { Rng } from '../../../src/base/rng.ts';
import { address, GROUP, GROUP_DEFAULTS, type SimWorld } from '../../../src/sim/world.ts';
import { collectKstats } from '../../../src/stats/kstat.ts';
import { Checkers } from '../check/checkers.ts';
import { twoNics } from '../scene.ts';

const WORLDS = 60;
const OPERATIONS = 24;
/** Each driver call has a deadline of 200 ms, and operations queue behind one another. */
const ALL_END_WITHIN_MS = 30_000;

type Body = (world: SimWorld) => Operation<unknown>;

const GROUP_SPEC = { name: GROUP, interfaces: ['net0'], ...GROUP_DEFAULTS };

const BODIES: readonly Body[] = [
  ({ system }) => collectKstats(system.kstats),
  ({ system }) => collectKstats(system.kstats),
  ({ system }) => system.leaveGroup(GROUP, 'net0'),
  ({ system }) => system.leaveGroup(GROUP, 'net1'),
  ({ system }) => system.joinGroup(GROUP, 'net0'),
  ({ system }) => system.joinGroup(GROUP, 'net1'),
  ({ system }) => system.deleteGroup(GROUP),
  ({ system }) => system.createGroup(GROUP_SPEC),
  ({ system }) => system.setGroup(GROUP, { failback: false }),
  ({ system }) => system.offlineInterface('net0'),
  ({ system }) => system.onlineInterface('net0'),
  ({ system }) => system.renameGroup(GROUP, 'blue'),
];

function worldWithOrder(seed: number): { world: SimWorld; checkers: Checkers; rng: Rng } {
  const rng = new Rng(seed);
  const world = twoNics({ seed, choose: (readyCount) => rng.below(readyCount) });
  return { world, checkers: new Checkers(world), rng };
}

function runMany(seed: number): Task<unknown>[] {
  const { world, checkers, rng } = worldWithOrder(seed);
  world.host.station.ping(address('192.0.2.1'), 5);
  const tasks: Task<unknown>[] = [];
  for (let count = 0; count < OPERATIONS; count++) {
    const body = BODIES[rng.below(BODIES.length)]!;
    tasks.push(world.spawn(`operation ${count}`, () => body(world)));
    checkers.sampleKstats();
    if (rng.below(3) === 0) world.runFor(rng.uniform(0, 1));
    if (rng.below(6) === 0) world.drivers.setMood(rng.below(2) === 0 ? 'net0' : 'net1', 'hung');
    if (rng.below(4) === 0) world.drivers.soothe();
  }
  const isOver = (): boolean => tasks.every(({ state }) => state !== 'running');
  ok(world.runUntil(isOver, ALL_END_WITHIN_MS), 'some operation never ends');
  world.drivers.soothe();
  finallyEmpty(world);
  return tasks;
}

/** The group can be taken apart: so no lock and no reference is held any more. */
function finallyEmpty(world: SimWorld): void {
  const { system } = world;
  for (const { ifname, group } of system.describeInterfaces()) {
    if (group !== null) world.operate('leave', () => system.leaveGroup(group, ifname));
  }
  if (system.describeGroups().length > 0) {
    world.operate('delete', () => system.deleteGroup(GROUP));
  }
  for (const { ifname } of system.describeInterfaces()) {
    world.operate('forget', () => system.deleteInterface(ifname));
  }
  equal(system.describeInterfaces().length + system.describeGroups().length, 0);
}

test(`${WORLDS} worlds, ${OPERATIONS} operations each, in an order decided by the seed`, () => {
  for (let seed = 1; seed <= WORLDS; seed++) {
    try {
      for (const task of runMany(seed)) {
        equal(task.state === 'done' || task.error instanceof OperatorError, true, task.label);
      }
    } catch (error) {
      throw new Error(`seed ${seed}: ${error}`, { cause: error });
    }
  }
});

test('a NIC fails while it leaves and while the counters are read: it moves at once', () => {
  for (let seed = 1; seed <= 20; seed++) {
    const { world, checkers } = worldWithOrder(seed);
    world.runFor(2000);
    world.drivers.setMood('net0', 'hung');
    checkers.sampleKstats();
    const leaving = world.spawn('leave', () => world.system.leaveGroup(GROUP, 'net0'));
    world.cut('net0');
    world.runFor(5);
    equal(world.boundNic('192.0.2.10'), 'net1');
    equal(world.boundNic('192.0.2.11'), 'net1');
    world.runFor(500);
    equal(leaving.state, 'done');
    checkers.finish();
  }
});
