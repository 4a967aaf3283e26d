/**
 * What a group has counted over all of its members, past and present (docs/law.md row 111):
 *
 *     group = baseline + sum over present members (value now - kstats0)
 *
 * `kstats0` is a member's value when it joined, so nothing counted before its membership shows.
 * When a member leaves, its difference moves into `baseline`, so nothing counted during its
 * membership is lost.
 *
 * Why that alone would go backwards: a reader asks the drivers outside every region, so a member
 * can leave between the reader's answer and the leave's own. What prevents it is three rules
 * (locks-and-lifetimes 2):
 *
 * 1. *High-water mark*: whatever a reader publishes is noted in the member first (`noteSeen`), and
 *    a leave commits the larger of its own value and that mark.
 * 2. *One turn*: noting and summing happen in one region, and the sum is over the members of that
 *    moment, not over those of the reader's snapshot.
 * 3. *Generation*: every join and leave raises it; a reader whose snapshot has another one starts
 *    anew, so that a member that has joined meanwhile is asked too.
 *
 * Every method is called inside the region that guards membership; none of them waits or calls out.
 *
 * Invariants: (1) `total()` never falls, in any counter, over joins, leaves and notes. (2) A
 * member's contribution counts exactly once: in the sum while it is a member, in the baseline
 * afterwards.
 *
 * Checked in all its runs: test/model/group-counters.pml.
 */
import { assert } from '../base/assert.ts';
import {
  LINK_COUNTERS_ZERO,
  type LinkCounters,
  linkCountersAdd,
  linkCountersMax,
  linkCountersSubtract,
} from './schema.ts';

/** The counters of one member, from its join to its leave. Made by `GroupCounters.join`. */
export class MemberCounters {
  /** The link's value at the join. */
  readonly kstats0: LinkCounters;
  #seen: LinkCounters;

  constructor(kstats0: LinkCounters) {
    this.kstats0 = kstats0;
    this.#seen = kstats0;
  }

  /** The highest value that a reader or the join has noted. */
  get seen(): LinkCounters {
    return this.#seen;
  }

  /**
   * Notes a value that is about to be published. A value that has fallen (a reset device) is
   * ignored per counter.
   */
  noteSeen(value: LinkCounters): void {
    this.#seen = linkCountersMax(this.#seen, value);
  }
}

/** The counters of one group. */
export class GroupCounters {
  #baseline: LinkCounters = LINK_COUNTERS_ZERO;
  #generation = 0;
  readonly #members = new Set<MemberCounters>();

  /** Raised by each join and leave; equal generations mean equal membership. */
  get generation(): number {
    return this.#generation;
  }

  /** A member joins whose link has counted `value` so far. */
  join(value: LinkCounters): MemberCounters {
    const member = new MemberCounters(value);
    this.#members.add(member);
    this.#generation++;
    return member;
  }

  /**
   * A member leaves. `value` is what its driver said last, or undefined if the driver did not
   * answer in time.
   */
  leave(member: MemberCounters, value: LinkCounters | undefined): void {
    assert(this.#members.delete(member), 'group counters: a member leaves once');
    if (value !== undefined) member.noteSeen(value);
    const contribution = linkCountersSubtract(member.seen, member.kstats0);
    this.#baseline = linkCountersAdd(this.#baseline, contribution);
    this.#generation++;
  }

  /** Baseline plus the contributions of all members as far as they have been noted. */
  total(): LinkCounters {
    let sum = this.#baseline;
    for (const member of this.#members) {
      sum = linkCountersAdd(sum, linkCountersSubtract(member.seen, member.kstats0));
    }
    return sum;
  }
}
