/**
 * Small scenarios over the real code, in every order in which they can go. What is chosen: when
 * each operation begins, which ready task goes on, when a driver and the host answer, and whether
 * they do at all. In every order each operation ends with a result that its scenario allows, no
 * published counter falls, no NIC goes while its driver is being asked, and afterwards everything
 * can be taken apart without anything left.
 */

import { deepEqual, equal, ok } from 'node:assert/strict';
import { test } from 'node:test';
import { OperatorError } from '../../../src/base/errors.ts';
import type { Operation, Task } from '../../../src/base/operation.ts';
import { referenceCounts } from '../../../src/base/reference.ts';
import { readKstat } from '../../../src/sim/read-kstat.ts';
import { address, GROUP, GROUP_DEFAULTS, SimWorld } from '../../../src/sim/world.ts';
import type { KstatReading } from '../../../src/stats/kstat.ts';
import { leftovers } from '../check/leftovers.ts';
import { type Choose, exploreAll } from './explore.ts';

const LIMIT = 20_000;
/** When operations begin: together, in a driver call, in a grace, near the end of a budget. */
const BEGIN_MS = [0, 0.1, 20, 55, 205];
/** A prompt answer, one in the middle of everything, none. */
const DRIVER_MS = [0.3, 60, Number.POSITIVE_INFINITY];
const HOST_MS = [0, 30];
const ENDS_WITHIN_MS = 5000;
/** Duplicate detection is over. */
const SETTLED_MS = 600;

/** One of the operations of a scenario, and how it may end beside `done`. */
interface Actor {
  readonly name: string;
  readonly body: (world: SimWorld) => Operation<unknown>;
  readonly refusals: readonly string[];
}

interface Scenario {
  readonly title: string;
  /** Interfaces that are members at the beginning; there is always one more in no group. */
  readonly members: readonly string[];
  readonly actors: readonly Actor[];
  /** A NIC carries at the end. */
  readonly isCarried?: boolean;
}

const actor = (name: string, refusals: Actor['refusals'], body: Actor['body']): Actor => ({
  name,
  refusals,
  body,
});

const readGroup = actor('read group', ['ENOENT'], ({ system }) =>
  readKstat(system.kstats, 'ipmp', GROUP),
);
const readLink = actor('read link', ['ENOENT'], ({ system }) =>
  readKstat(system.kstats, 'link', 'net0'),
);
const unplumb = actor('unplumb', ['EBUSY', 'ENXIO'], ({ system }) =>
  system.deleteInterface('net0'),
);
const leave = actor('leave', ['ENXIO', 'ENOENT'], ({ system }) => system.leaveGroup(GROUP, 'net0'));
const join = actor('join', ['ENOENT', 'ETIMEDOUT', 'EALREADY'], ({ system }) =>
  system.joinGroup(GROUP, 'spare'),
);
/** Another group, made with a member. */
const plumbOther = (nic: string, refusals: Actor['refusals']): Actor =>
  actor('plumb other', refusals, ({ system }) =>
    system.createGroup({ name: 'ipmp1', interfaces: [nic], ...GROUP_DEFAULTS }),
  );
const deleteGroup = actor('delete group', ['EBUSY', 'ENOENT'], ({ system }) =>
  system.deleteGroup(GROUP),
);
const unplumbGroup = actor('unplumb group', ['ENOENT'], function* ({ system }) {
  yield* system.leaveGroup(GROUP, 'net0');
  yield* system.deleteGroup(GROUP);
});
const setNeighbor = actor('set neighbour', ['ENOENT'], function* ({ system }) {
  system.setNeighbor(GROUP, { dst: '192.0.2.200', lladdr: '02:00:00:00:03:01', proxy: false });
  ok(system.describeNeighbors().some(({ state }) => state === 'PERMANENT'));
});
const setForwarding = actor('forwarding', ['ENOENT'], ({ system }) =>
  system.setGroup(GROUP, { forwarding: false }),
);
const offline = (nic: string, refusals: Actor['refusals']): Actor =>
  actor(`offline ${nic}`, refusals, ({ system }) => system.offlineInterface(nic));
const rename = actor('rename', ['ENOENT'], ({ system }) => system.renameGroup(GROUP, 'blue'));

const SCENARIOS: readonly Scenario[] = [
  { title: 'kstat read, unplumb', members: ['net0'], actors: [readGroup, unplumb] },
  { title: 'link kstat read, unplumb', members: [], actors: [readLink, unplumb] },
  { title: 'kstat read, leave', members: ['net0'], actors: [readGroup, leave] },
  { title: 'kstat read, group delete', members: [], actors: [readGroup, deleteGroup] },
  { title: 'join, group delete', members: [], actors: [join, deleteGroup] },
  { title: 'join, leave', members: ['net0'], actors: [join, leave] },
  { title: 'unplumb, leave', members: ['net0'], actors: [unplumb, leave] },
  { title: 'neighbour set, unplumb', members: ['net0'], actors: [unplumbGroup, setNeighbor] },
  { title: 'forwarding, unplumb', members: ['net0'], actors: [unplumbGroup, setForwarding] },
  { title: 'two readers, unplumb', members: [], actors: [readLink, readLink, unplumb] },
  { title: 'kstat read, group unplumb', members: ['net0'], actors: [readGroup, unplumbGroup] },
  { title: 'rename, group unplumb', members: ['net0'], actors: [rename, unplumbGroup] },
  {
    title: 'offline, offline of the other',
    members: ['net0', 'net1'],
    actors: [offline('net0', ['EBUSY']), offline('net1', ['EBUSY'])],
    isCarried: true,
  },
  {
    title: 'offline, leave',
    members: ['net0', 'net1'],
    actors: [offline('net0', ['EINVAL']), leave],
    isCarried: true,
  },
  {
    title: 'offline, unplumb',
    members: ['net0', 'net1'],
    actors: [offline('net0', ['EINVAL', 'ENXIO']), unplumb],
    isCarried: true,
  },
  {
    title: 'offline, leave of the other',
    members: ['net0', 'net1'],
    actors: [offline('net1', ['EBUSY']), leave],
  },
  {
    title: 'group plumb, unplumb',
    members: [],
    actors: [plumbOther('net0', ['ENXIO', 'ETIMEDOUT', 'EALREADY']), unplumb],
  },
  {
    title: 'join, join elsewhere',
    members: [],
    actors: [join, plumbOther('spare', ['EALREADY', 'ETIMEDOUT'])],
  },
];

/** One run of a scenario. */
class Play {
  readonly world: SimWorld;
  readonly #scenario: Scenario;
  readonly #choose: Choose;
  readonly #heldBefore = referenceCounts();
  readonly #tasks: Task<unknown>[] = [];
  /** Packets that readings of the group have shown, in the order of their ends. */
  readonly #shown: bigint[] = [];
  readonly #wrong: string[] = [];
  /** Before and after the scenario itself there is one way only. */
  #isChoosing = false;

  constructor(scenario: Scenario, choose: Choose) {
    this.#scenario = scenario;
    this.#choose = choose;
    const { members } = scenario;
    this.world = SimWorld.create({
      seed: 1,
      nics: members.map((name) => ({ name, side: 'A' as const })),
      addresses: ['192.0.2.10/24'],
      choose: (readyCount) => (this.#isChoosing ? choose(readyCount) : 0),
    });
    const { drivers, devices } = this.world;
    drivers.delayMs = () => this.#one(DRIVER_MS);
    devices.delayMs = () => this.#one(HOST_MS);
    for (const name of ['net0', 'spare'].filter((each) => !members.includes(each))) {
      this.world.plumbInterface({ name, side: 'B' });
    }
    this.world.host.station.ping(address('192.0.2.1'), 25);
    this.world.runFor(SETTLED_MS);
  }

  run(): void {
    const { world } = this;
    this.#isChoosing = true;
    for (const actor of this.#scenario.actors) {
      const delayMs = this.#one(BEGIN_MS);
      world.agenda.after(delayMs, () => this.#start(actor));
    }
    const areOver = (): boolean =>
      this.#tasks.length === this.#scenario.actors.length &&
      this.#tasks.every(({ state }) => state !== 'running');
    ok(world.runUntil(areOver, ENDS_WITHIN_MS), `never ends: ${this.#late()}`);
    this.#isChoosing = false;
    this.#judge();
    this.#takeApart();
  }

  /** How each of the operations has ended. */
  ends(): string {
    const ends = this.#tasks.map(({ label, state, error }) => {
      return `${label} ${error instanceof OperatorError ? error.code : state}`;
    });
    return ends.sort().join(', ');
  }

  /** One of `list`; outside of the scenario the first. */
  #one(list: readonly number[]): number {
    return list[this.#isChoosing ? this.#choose(list.length) : 0]!;
  }

  #start({ name, body }: Actor): void {
    const task = this.world.spawn(name, () => body(this.world));
    this.#tasks.push(task);
    if (name === unplumb.name) {
      task.onSettled(({ state }) => {
        const isAsked = state === 'done' && this.world.drivers.isAsked('net0');
        if (isAsked) this.#wrong.push('net0 is gone while its driver is being asked');
      });
    }
    if (name !== readGroup.name) return;
    task.onSettled((settled) => {
      if (settled.state !== 'done') return;
      this.#shown.push(BigInt((settled.value as KstatReading).data.opackets64 ?? 0));
    });
  }

  #late(): string {
    return this.#tasks.flatMap(({ label, state }) => (state === 'running' ? [label] : [])).join();
  }

  #judge(): void {
    deepEqual(this.#wrong, []);
    for (const task of this.#tasks) {
      if (task.state === 'done') continue;
      const { refusals } = this.#scenario.actors.find(({ name }) => name === task.label)!;
      const code = task.error instanceof OperatorError ? task.error.code : `${task.error}`;
      ok(refusals.includes(code), `${task.label} ends with ${code}`);
    }
    if (this.#scenario.isCarried) {
      const active = this.world.system.describeGroups().map((row) => row.active.length);
      ok(active[0]! > 0, 'no NIC carries');
    }
    const fell = this.#shown.findIndex((value, at) => at > 0 && value < this.#shown[at - 1]!);
    equal(fell, -1, `a published counter falls: ${this.#shown}`);
  }

  #takeApart(): void {
    const { world } = this;
    const { system } = world;
    for (const { ifname, group } of system.describeInterfaces()) {
      if (group !== null) world.operate('leave', () => system.leaveGroup(group, ifname));
    }
    for (const { group } of system.describeGroups()) {
      world.operate('delete', () => system.deleteGroup(group));
    }
    for (const { ifname } of system.describeInterfaces()) {
      world.operate('forget', () => system.deleteInterface(ifname));
      world.devices.forgetNic(ifname);
    }
    world.devices.forgetNic('net0');
    deepEqual(leftovers(world, this.#heldBefore), []);
  }
}

for (const scenario of SCENARIOS) {
  test(`every order of: ${scenario.title}`, (t) => {
    const ends = new Map<string, number>();
    const runs = exploreAll((choose) => {
      const play = new Play(scenario, choose);
      play.run();
      const end = play.ends();
      ends.set(end, (ends.get(end) ?? 0) + 1);
    }, LIMIT);
    t.diagnostic(`${runs} interleavings`);
    for (const [end, count] of [...ends].sort()) t.diagnostic(`${count}: ${end}`);
    ok(runs > 1, 'there is but one way');
  });
}
