/**
 * Reading counters that live in drivers: snapshot, leave the region, ask, check.
 *
 * A driver call may be late, fail or never answer, so nothing that others need may be held across
 * it. One read is:
 *
 *   own the kstat ──> region: members, each with a reference, and the generation
 *                 ──> no region: ask all drivers at once, one deadline for the whole read
 *                 ──> region: has membership moved? then again.
 *                     Else note, sum, publish, in one turn
 *
 * Why one turn: a leave between noting and publishing would commit a value that the reader has
 * not noted yet, and the next total would be smaller (see group-counters.ts).
 *
 * The budget of 200 ms counts from the reader's arrival, waiting for the owner included. So
 * the remover of the kstat waits at most 200 ms, however many readers are queued before it; a
 * reader that runs out of time gives the last published reading, marked stale.
 *
 * Invariants: (1) no published counter ever falls. (2) While a driver is asked, no region is
 * open. (3) Every reference taken by a read is released by it, on every path.
 *
 * Checked in all their runs: test/model/new-order.pml, test/model/group-counters.pml.
 */
import { OperatorError } from '../base/errors.ts';
import { acquire, type Region, WaitLock } from '../base/lock.ts';
import {
  allOf,
  type Operation,
  type Outcome,
  type Scheduler,
  suspend,
  type Task,
} from '../base/operation.ts';
import type { Reference } from '../base/reference.ts';
import { reportViolation } from '../base/witness.ts';
import type { GroupCounters, MemberCounters } from './group-counters.ts';
import type { Kstat, KstatReading } from './kstat.ts';
import {
  interfaceStatistics,
  LINK_COUNTER_NAMES,
  LINK_COUNTERS_ZERO,
  type LinkCounters,
  linkCountersMax,
} from './schema.ts';

/**
 * Time for one whole read (locks-and-lifetimes 2): a scrape waits for it, an unplumb waits behind
 * it.
 */
export const READ_BUDGET_MS = 200;

/**
 * Reads that lose against membership changes before the last reading is given
 * (locks-and-lifetimes 2).
 */
const ROUNDS_MAX = 3;

/** Asks the driver of a NIC; fails or never returns where the driver does. */
export type LinkStatistics = (nic: number, ifname: string) => Operation<LinkCounters>;

/** One member of a snapshot; the collector releases `reference`. */
export interface KstatMember {
  readonly nic: number;
  readonly ifname: string;
  readonly counters: MemberCounters;
  readonly reference: Reference;
}

/** What the collector needs of a group. All but `region` is asked inside the region. */
export interface KstatSource {
  readonly region: Region;
  readonly counters: GroupCounters;
  isRunning(): boolean;
  /** All present members, each with a fresh reference. */
  holdMembers(): readonly KstatMember[];
}

/** What the collector needs of a lone link. */
export interface LinkSource {
  readonly region: Region;
  readonly nic: number;
  /** Asked inside the region. */
  isUp(): boolean;
  /** A fresh reference, undefined once the link is condemned; asked inside the region. */
  hold(): Reference | undefined;
}

/** Runs `body` as a task of its own; at `deadlineMs` cancels it and fails with ETIMEDOUT. */
export function* within<T>(
  label: string,
  deadlineMs: number,
  body: () => Operation<T>,
): Operation<T> {
  return yield* suspend<T>({
    label,
    begin: (waker) => {
      const task = waker.spawnPart(label, body);
      waker.blockers = { relation: 'waits for its part', tasks: () => [task as Task<unknown>] };
      waker.onCancel(() => task.cancel());
      waker.expireAt(deadlineMs, () => {
        waker.refuse(new OperatorError('ETIMEDOUT', `${label}: no answer in time`));
      });
      task.onSettled((settled) => {
        if (settled.state === 'done') waker.resolve(settled.value);
        else waker.reject(settled.error);
      });
    },
  });
}

/** Options of both kinds of driver-backed kstat. */
export interface CollectorOptions<Source> {
  readonly name: string;
  readonly crtimeMs: number;
  readonly scheduler: Scheduler;
  readonly source: Source;
  readonly linkStatistics: LinkStatistics;
}

/** What both kinds share: identity, owner, the last reading, and that it never falls. */
abstract class DriverKstat<Source> implements Kstat {
  abstract readonly module: string;
  readonly instance = 0;
  readonly class = 'net';
  readonly name: string;
  readonly crtimeMs: number;
  readonly owner: WaitLock;
  protected readonly source: Source;
  protected readonly scheduler: Scheduler;
  protected readonly linkStatistics: LinkStatistics;
  #dead = false;
  #counters: LinkCounters = LINK_COUNTERS_ZERO;
  #last: KstatReading;

  constructor(options: CollectorOptions<Source>) {
    this.name = options.name;
    this.crtimeMs = options.crtimeMs;
    this.owner = new WaitLock('kstat', `kstat ${options.name}`);
    this.source = options.source;
    this.scheduler = options.scheduler;
    this.linkStatistics = options.linkStatistics;
    const data = interfaceStatistics(LINK_COUNTERS_ZERO, false);
    this.#last = { data, snaptimeMs: options.crtimeMs, stale: true };
  }

  *read(): Operation<KstatReading> {
    const deadlineMs = this.scheduler.nowMs + READ_BUDGET_MS;
    let owned: Disposable;
    try {
      owned = yield* acquire(this.owner, deadlineMs);
    } catch (error) {
      if (error instanceof OperatorError && error.code === 'ETIMEDOUT') return this.#stale();
      throw error;
    }
    using _release = owned;
    if (this.#dead) return this.#last;
    return (yield* this.collect(deadlineMs)) ?? this.#stale();
  }

  retire(): void {
    this.#dead = true;
  }

  /** One read as the owner, or undefined if no consistent one was to be had. */
  protected abstract collect(deadlineMs: number): Operation<KstatReading | undefined>;

  /** The one place that publishes; called in the region in which the value was found consistent. */
  protected publish(counters: LinkCounters, linkUp: boolean, stale: boolean): KstatReading {
    const fallen = LINK_COUNTER_NAMES.filter((name) => counters[name] < this.#counters[name]);
    if (fallen.length > 0) reportViolation('fall', `${this.name}: ${fallen} would fall`);
    this.#counters = linkCountersMax(this.#counters, counters);
    const data = interfaceStatistics(this.#counters, linkUp);
    this.#last = { data, snaptimeMs: this.scheduler.nowMs, stale };
    return this.#last;
  }

  #stale(): KstatReading {
    return { ...this.#last, stale: true };
  }
}

/** `ipmp:0:<group>`: the sum over a group's members, past and present. */
export class GroupKstat extends DriverKstat<KstatSource> {
  override readonly module = 'ipmp';

  protected override *collect(deadlineMs: number): Operation<KstatReading | undefined> {
    const { region, counters } = this.source;
    for (let round = 0; round < ROUNDS_MAX; round++) {
      const snapshot = region.read(() => ({
        generation: counters.generation,
        members: this.source.holdMembers(),
      }));
      try {
        const answers = yield* allOf(
          snapshot.members.map((member) => this.#ask(member, deadlineMs)),
        );
        const reading = region.write(() => {
          if (counters.generation !== snapshot.generation) return undefined;
          return this.#note(snapshot.members, answers);
        });
        if (reading !== undefined) return reading;
      } finally {
        for (const member of snapshot.members) member.reference.release();
      }
    }
    return undefined;
  }

  #ask(member: KstatMember, deadlineMs: number): Operation<LinkCounters> {
    return within(`statistics of ${member.ifname}`, deadlineMs, () =>
      this.linkStatistics(member.nic, member.ifname),
    );
  }

  /** Notes what the drivers answered and publishes the sum; in the region. */
  #note(members: readonly KstatMember[], answers: readonly Outcome<LinkCounters>[]): KstatReading {
    let stale = false;
    members.forEach((member, index) => {
      const answer = answers[index];
      if (answer?.ok) member.counters.noteSeen(answer.value);
      else stale = true;
    });
    return this.publish(this.source.counters.total(), this.source.isRunning(), stale);
  }
}

/**
 * `link:0:<ifname>`: what one NIC has counted. A reset of the device's own counters is not shown.
 */
export class LinkKstat extends DriverKstat<LinkSource> {
  override readonly module = 'link';
  #seen: LinkCounters = LINK_COUNTERS_ZERO;

  protected override *collect(deadlineMs: number): Operation<KstatReading | undefined> {
    const { region, nic } = this.source;
    const reference = region.read(() => this.source.hold());
    if (reference === undefined) return undefined;
    try {
      const [answer] = yield* allOf([
        within(`statistics of ${this.name}`, deadlineMs, () => this.linkStatistics(nic, this.name)),
      ]);
      return region.write(() => {
        if (answer?.ok) this.#seen = linkCountersMax(this.#seen, answer.value);
        return this.publish(this.#seen, this.source.isUp(), !answer?.ok);
      });
    } finally {
      reference.release();
    }
  }
}
