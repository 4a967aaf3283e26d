/**
 * Frames that cross the border of the control plane, counted where they cross it; what became of
 * each is counted by the Lans (ip/lan-counters.ts) and by the drops of the context.
 */

import { LanCounters, lanCountersAdd, type NeighborCounts } from '../../ip/lan-counters.ts';

/** Frames of the control plane since the start, over all groups, present and past. */
export interface ControlCounters {
  /** Frames taken: answered, consumed (both in `lan`) or dropped (`System.dropCounters`). */
  readonly taken: number;
  /** Frames sent, each counted in `lan` by its cause. */
  readonly sent: number;
  readonly lan: LanCounters;
  /** Neighbours of all groups as they are now. */
  readonly neighbors: NeighborCounts;
}

/** A Lan as far as it is counted. */
interface CountedLan {
  readonly counters: LanCounters;
  readonly neighborCounts: NeighborCounts;
}

/** The counting side; its owner is the context of the group layer. */
export class FrameCounts {
  /** Frames taken from the forwarding path. */
  taken = 0;
  /** Frames that Lans sent. */
  sent = 0;
  readonly #formerLans = new LanCounters();

  /** The Lan of these counters is gone; what it counted stays. */
  keep(counters: LanCounters): void {
    lanCountersAdd(this.#formerLans, counters);
  }

  /** A flat copy, together with what the present `lans` have counted. */
  total(lans: Iterable<CountedLan>): ControlCounters {
    const lan = new LanCounters();
    lanCountersAdd(lan, this.#formerLans);
    const neighbors = { entries: 0, incomplete: 0, limit: 0 };
    for (const { counters, neighborCounts } of lans) {
      lanCountersAdd(lan, counters);
      neighbors.entries += neighborCounts.entries;
      neighbors.incomplete += neighborCounts.incomplete;
      neighbors.limit += neighborCounts.limit;
    }
    return { taken: this.taken, sent: this.sent, lan, neighbors };
  }
}
