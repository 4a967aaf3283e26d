/**
 * Many readers of kstats against interfaces and groups that are plumbed and unplumbed without
 * pause, while some drivers hang, fail or take their time.
 *
 *   readers    pick a kstat by name and read it, wait a little, again
 *   plumbers   each with an interface of its own: plumb, join, unplumb; now and then the group that
 *              they all join goes and comes back
 *
 * Every read must end in data or in ENOENT, and every operation must end in time.
 */

import { deepEqual, ok } from 'node:assert/strict';
import { InvariantError } from '../../../src/base/assert.ts';
import { OperatorError } from '../../../src/base/errors.ts';
import { type Operation, sleepFor } from '../../../src/base/operation.ts';
import { referenceCounts } from '../../../src/base/reference.ts';
import { Rng } from '../../../src/base/rng.ts';
import { describeViolation, setViolationHandler } from '../../../src/base/witness.ts';
import { DRIVER_MOODS, type DriverMood } from '../../../src/sim/drivers.ts';
import { readKstat } from '../../../src/sim/read-kstat.ts';
import { GROUP, GROUP_DEFAULTS, SimWorld } from '../../../src/sim/world.ts';
import { leftovers } from '../check/leftovers.ts';

export const READERS = 64;
const PLUMBERS = ['net0', 'net1', 'net2', 'net3'] as const;
/** Longest pause of a reader. */
const PAUSE_MS = 200;
/** Of so many cycles one takes the group down. */
const GROUP_EVERY = 5;
/** Every driver call ends after 200 ms, and four operations may queue for a group (ours). */
const ENDS_WITHIN_MS = 3000;

/** What came of it. */
export interface Tally {
  cycles: number;
  groupCycles: number;
  /** Reads that ended with data, and those that found nothing. */
  data: number;
  /** Of these, readings in which some driver's last known value stood in. */
  stale: number;
  gone: number;
  /** Questions to drivers to which no answer ever came. */
  unanswered: number;
  longestReadMs: number;
  longestOperationMs: number;
  virtualMs: number;
}

/** One run; its operations share the tally. */
class Contest {
  readonly world: SimWorld;
  readonly tally: Tally = {
    cycles: 0,
    groupCycles: 0,
    data: 0,
    stale: 0,
    gone: 0,
    unanswered: 0,
    longestReadMs: 0,
    longestOperationMs: 0,
    virtualMs: 0,
  };
  readonly #rng: Rng;
  readonly #cycles: number;
  readonly #heldBefore = referenceCounts();

  constructor(cycles: number, seed: number) {
    this.#cycles = cycles;
    this.#rng = new Rng(seed);
    const order = this.#rng.fork();
    this.world = SimWorld.create({
      seed,
      nics: [],
      addresses: ['192.0.2.10/24'],
      choose: (readyCount) => order.below(readyCount),
    });
  }

  get #isOver(): boolean {
    return this.tally.cycles >= this.#cycles;
  }

  run(): Tally {
    const { world, tally } = this;
    const tasks = Array.from({ length: READERS }, (_, index) => {
      return world.spawn(`reader ${index}`, () => this.#reader());
    });
    for (const name of PLUMBERS) tasks.push(world.spawn(name, () => this.#plumber(name)));
    const areOver = (): boolean => tasks.every(({ state }) => state !== 'running');
    while (!world.runUntil(areOver, ENDS_WITHIN_MS)) {
      const cycles = tally.cycles;
      world.runUntil(areOver, ENDS_WITHIN_MS);
      const late = tasks.filter(({ state }) => state === 'running').map(({ label }) => label);
      ok(tally.cycles > cycles || areOver(), `nothing moves any more: ${late}`);
    }
    for (const task of tasks) ok(task.state === 'done', `${task.label}: ${task.error}`);
    if (world.system.groupPortOf(GROUP) !== undefined) {
      world.operate('delete', () => world.system.deleteGroup(GROUP));
    }
    deepEqual(leftovers(world, this.#heldBefore), []);
    tally.virtualMs = world.nowMs;
    tally.unanswered = world.drivers.unanswered;
    return tally;
  }

  *#reader(): Operation<void> {
    const { kstats, scheduler } = this.world.system;
    while (!this.#isOver) {
      yield* sleepFor(this.#rng.uniform(0, PAUSE_MS));
      const at = this.#rng.below(PLUMBERS.length + 1);
      const name = PLUMBERS[at];
      const beganMs = scheduler.nowMs;
      try {
        const reading = yield* name === undefined
          ? readKstat(kstats, 'ipmp', GROUP)
          : readKstat(kstats, 'link', name);
        this.tally.data++;
        if (reading.stale) this.tally.stale++;
      } catch (error) {
        if (!(error instanceof OperatorError) || error.code !== 'ENOENT') throw error;
        this.tally.gone++;
      }
      this.tally.longestReadMs = Math.max(this.tally.longestReadMs, scheduler.nowMs - beganMs);
    }
  }

  *#plumber(name: string): Operation<void> {
    const { system, drivers } = this.world;
    const spec = { name, kind: 'tap', uplink: null, bridge: null } as const;
    while (!this.#isOver) {
      drivers.setMood(name, this.#mood());
      yield* this.#within(system.createInterface({ ...spec, standby: false, testAddresses: [] }));
      this.world.devices.addNic(name, this.#rng.below(2) === 0 ? 'A' : 'B');
      yield* sleepFor(this.#rng.uniform(0, 2));
      yield* this.#refusable(system.joinGroup(GROUP, name));
      if (this.tally.cycles % GROUP_EVERY === 0) yield* this.#groupCycle(name);
      if (this.#rng.below(3) === 0) drivers.setMood(name, this.#mood());
      yield* sleepFor(this.#rng.uniform(0, 20));
      yield* this.#within(system.deleteInterface(name));
      this.world.devices.forgetNic(name);
      this.tally.cycles++;
      yield* sleepFor(this.#rng.uniform(0, 10));
    }
  }

  /** All leave; the group goes and comes back, unless a NIC has joined it meanwhile. */
  *#groupCycle(name: string): Operation<void> {
    const { system } = this.world;
    for (const member of PLUMBERS) yield* this.#refusable(system.leaveGroup(GROUP, member));
    yield* this.#refusable(system.deleteGroup(GROUP));
    if (system.groupPortOf(GROUP) !== undefined) return;
    yield* sleepFor(this.#rng.uniform(0, 10));
    const spec = { name: GROUP, interfaces: [name], ...GROUP_DEFAULTS };
    yield* this.#refusable(system.createGroup(spec));
    this.world.devices.attachGroup();
    this.tally.groupCycles++;
  }

  /** An operation that may be refused: what it needs may be on its way out. */
  *#refusable(operation: Operation<void>): Operation<void> {
    try {
      yield* this.#within(operation);
    } catch (error) {
      if (!(error instanceof OperatorError)) throw error;
    }
  }

  *#within(operation: Operation<void>): Operation<void> {
    const { scheduler } = this.world.system;
    const beganMs = scheduler.nowMs;
    try {
      yield* operation;
    } finally {
      const tookMs = scheduler.nowMs - beganMs;
      ok(tookMs <= ENDS_WITHIN_MS, `an operation took ${tookMs} ms`);
      this.tally.longestOperationMs = Math.max(this.tally.longestOperationMs, tookMs);
    }
  }

  #mood(): DriverMood {
    const isBad = this.#rng.below(8) === 0;
    return isBad ? DRIVER_MOODS[this.#rng.below(DRIVER_MOODS.length)]! : 'prompt';
  }
}

/** Runs `cycles` of plumbing against READERS readers. @throws if anything hangs or goes wrong */
export function contest(cycles: number, seed: number): Tally {
  // A report stays fatal; stacks of all locks and references would take a quarter of the time.
  const restore = setViolationHandler((violation) => {
    throw new InvariantError(describeViolation(violation));
  });
  try {
    return new Contest(cycles, seed).run();
  } finally {
    restore();
  }
}
