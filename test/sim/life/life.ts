/**
 * The life of one world under a schedule, in phases:
 *
 *   safety      the schedule happens; after every step the checkers look at everything
 *   end         every operation that was begun ends, whatever the drivers do
 *   liveness    all faults end; within a bounded time the group must be well
 *   accounting  the kstats count what the cables carried, and every frame has one end
 *   taking      everything is unplumbed, and nothing of it is left
 *
 * Invariants, beside those of checkers.ts:
 * 1. operationsEnd: each ends within ENDS_WITHIN_MS of virtual time, done or refused.
 * 2. dataOrGone: a read of a kstat ends in data, or in ENOENT.
 * 3. wellAgain: QUIET_MS after the last fault the group is ok, addresses are up and level, and no
 *    echo is lost.
 * 4. accountsAgree: kstats grow by what the cables carried; every frame read has exactly one end.
 * 5. nothingLeft: no reference, timer, kstat, port, or word of a forwarding table outlives what
 *    it was for.
 */

import { OperatorError } from '../../../src/base/errors.ts';
import { referenceCounts } from '../../../src/base/reference.ts';
import { Rng } from '../../../src/base/rng.ts';
import { type Act, HOST, perform } from '../../../src/sim/act.ts';
import type { Station } from '../../../src/sim/lan/station.ts';
import { GROUP, SimWorld } from '../../../src/sim/world.ts';
import { type Account, accountBreaches, openAccount } from '../check/accounts.ts';
import { Checkers } from '../check/checkers.ts';
import { leftovers } from '../check/leftovers.ts';
import { OperatorCheckers } from '../check/operator-checkers.ts';
import { unwell } from '../check/wellness.ts';
import {
  addDaemonKstats,
  addGateway,
  announceGateway,
  FAMILIES,
  GATEWAY_NAME,
  ping,
} from '../scene.ts';
import { BEGINNING, OTHER_GROUP, POOL, POOL6, type Schedule } from './schedule.ts';

/** Order of tasks; differs from the streams of the world and of the schedule. */
const ORDER = 0x0de5;
/** A driver call ends after 200 ms, closing a device after 300; operations queue (ours). */
const ENDS_WITHIN_MS = 30_000;
/** Announcements, resolution and duplicate detection are over by then. */
const QUIET_MS = 8000;
/** Of so many steps one is followed by a reading of all kstats. */
const SAMPLE_EVERY = 3;

/** A task of the schedule, and what it was. */
interface Begun {
  readonly act: Act;
  readonly task: NonNullable<ReturnType<typeof perform>>;
}

/** How a life is recorded. */
export interface LifeOptions {
  /** Called with each line of the transcript. */
  readonly onLine?: (line: string) => void;
  /** Every frame is a line as well. */
  readonly showsFrames?: boolean;
}

/** One life. */
export class Life {
  readonly world: SimWorld;
  readonly checkers: Checkers;
  readonly gateway: Station;
  readonly #schedule: Schedule;
  readonly #begun: Begun[] = [];
  readonly #heldBefore = referenceCounts();

  constructor(schedule: Schedule, { onLine, showsFrames = false }: LifeOptions = {}) {
    const { seed, settings, nics } = schedule;
    const order = new Rng(seed ^ ORDER);
    this.#schedule = schedule;
    this.world = SimWorld.create({
      seed,
      nics,
      choose: (readyCount) => order.below(readyCount),
      addresses: BEGINNING,
      settings,
      showsFrames,
    });
    this.world.transcript.onLine = onLine;
    this.checkers = new Checkers(this.world);
    new OperatorCheckers(this.world);
    addDaemonKstats(this.world);
    this.gateway = addGateway(this.world);
  }

  /** All phases. @throws Error naming the invariant that does not hold */
  live(): void {
    this.#safety();
    this.#end();
    this.#liveness();
    this.#take();
  }

  /** Kind of act and how it ended -> how often: what the schedule amounted to. */
  ends(): Map<string, number> {
    const ends = new Map<string, number>();
    const count = (end: string): void => void ends.set(end, (ends.get(end) ?? 0) + 1);
    for (const { act, task } of this.#begun) {
      const code = task.error instanceof OperatorError ? task.error.code : task.state;
      count(`${act.kind} ${code}`);
    }
    const begun = new Set(this.#begun.map(({ act }) => act));
    for (const { act } of this.#schedule.steps) if (!begun.has(act)) count(act.kind);
    return ends;
  }

  #safety(): void {
    const { world } = this;
    const streams = FAMILIES.flatMap(({ gateway, data }) => [
      ping(world, HOST, gateway, 40),
      ping(world, GATEWAY_NAME, data[0], 40),
    ]);
    for (const [index, { atMs, act }] of this.#schedule.steps.entries()) {
      world.runFor(Math.max(0, atMs - world.nowMs));
      const task = perform(world, act);
      if (task !== undefined) this.#begun.push({ act, task });
      if (index % SAMPLE_EVERY === 0) this.checkers.sampleKstats();
    }
    for (const stream of streams) stream.stop();
  }

  #end(): void {
    const areOver = (): boolean => this.#begun.every(({ task }) => task.state !== 'running');
    if (!this.world.runUntil(areOver, ENDS_WITHIN_MS)) {
      const late = this.#begun.filter(({ task }) => task.state === 'running');
      this.#fail('operationsEnd', late.map(({ task }) => task.label).join(', '));
    }
    for (const { act, task } of this.#begun) {
      if (act.kind !== 'read' || task.state === 'done') continue;
      const isGone = task.error instanceof OperatorError && task.error.code === 'ENOENT';
      if (!isGone) this.#fail('dataOrGone', `${task.label}: ${task.error}`);
    }
  }

  #liveness(): void {
    const { world } = this;
    this.#heal();
    world.runFor(QUIET_MS);
    // A MAC that changed unseen is verified half a minute later (docs/limits.md): announce it.
    announceGateway(world);
    world.runFor(QUIET_MS);
    const account = openAccount(world);
    const complaints = unwell(world, this.#schedule.nics);
    if (complaints.length > 0) this.#fail('wellAgain', complaints.join('; '));
    this.checkers.finish();
    this.#settleAccount(account);
  }

  /** Every fault ends, and whatever is missing is made. */
  #heal(): void {
    const { world } = this;
    const { system, network } = world;
    world.transcript.write('life', 'all faults end');
    world.drivers.soothe();
    for (const cable of network.cables.values()) {
      cable.heal();
      cable.repair();
    }
    for (const side of ['A', 'B'] as const) network.switches[side].turnOn();
    this.#all({ kind: 'host', answerMs: 0, refuses: false });
    this.#withdrawWishes();
    this.#restoreAddresses();
    for (const spec of this.#schedule.nics) {
      const { name: nic, side } = spec;
      if (system.nicOf(nic) === undefined) this.#all({ kind: 'plumb', spec });
      else if (!world.nics.has(nic)) this.#all({ kind: 'add', nic, side });
      this.#all({ kind: 'leave', group: OTHER_GROUP, nic });
    }
    this.#all({ kind: 'unplumb-group', group: OTHER_GROUP });
    if (system.groupPortOf(GROUP) === undefined) {
      this.#all({ kind: 'plumb-group', group: GROUP, nics: [] });
    }
    for (const { name: nic, standby = false, testAddresses = [] } of this.#schedule.nics) {
      this.#all({ kind: 'set-interface', nic, changes: { standby, testAddresses } });
    }
    this.#all({
      kind: 'set',
      group: GROUP,
      settings: { flapDamping: null, failback: true, forwarding: true },
    });
    world.runFor(1000);
    for (const { name: nic } of this.#schedule.nics) this.#all({ kind: 'join', group: GROUP, nic });
  }

  /** The host has an address of each kind again: those that the streams of the end begin at. */
  #restoreAddresses(): void {
    for (const address of [POOL[0]!, ...POOL6.slice(0, 2)]) {
      const prefixLength = address.includes(':') ? 64 : 24;
      this.#all({ kind: 'add-address', address: `${address}/${prefixLength}` });
    }
  }

  /** What the operator wanted is over, activations with it. */
  #withdrawWishes(): void {
    // A group may have the name that an interface or the other group is to have.
    for (const group of [OTHER_GROUP, GROUP]) this.#all({ kind: 'rename', group, to: group });
    for (const { name: nic } of this.#schedule.nics) {
      this.#all({ kind: 'online', nic });
      const changes = { standby: false, testAddresses: [] };
      this.#all({ kind: 'set-interface', nic, changes });
    }
  }

  #settleAccount(account: Account): void {
    const hadResets = this.#schedule.steps.some(({ act }) => act.kind === 'reset');
    const breaches = accountBreaches(this.world, account, hadResets);
    if (breaches.length > 0) this.#fail('accountsAgree', breaches.join('; '));
  }

  /** Takes everything apart. */
  #take(): void {
    const { world } = this;
    world.transcript.write('life', 'everything is unplumbed');
    for (const { name: nic } of this.#schedule.nics)
      this.#all({ kind: 'leave', group: GROUP, nic });
    this.#all({ kind: 'unplumb-group', group: GROUP });
    for (const { name: nic } of this.#schedule.nics) this.#all({ kind: 'unplumb', nic });
    const left = leftovers(world, this.#heldBefore);
    if (left.length > 0) this.#fail('nothingLeft', left.join('; '));
  }

  /** Does an act of healing and waits for its end; that it is refused is no failure. */
  #all(act: Act): void {
    const task = perform(this.world, act);
    if (task === undefined) return;
    const isOver = (): boolean => task.state !== 'running';
    if (!this.world.runUntil(isOver, ENDS_WITHIN_MS)) this.#fail('operationsEnd', task.label);
  }

  #fail(invariant: string, what: string): never {
    throw new Error(`${invariant} at ${this.world.nowMs.toFixed(3)} ms: ${what}`);
  }
}
