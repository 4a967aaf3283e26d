/**
 * Frames that cross the border of the control plane, counted where they cross it; what became of
 * each is counted by the Lans (ip/lan-counters.ts) and by the drops of the context.
 */

import { LanCounters, lanCountersAdd } from '../ip/lan-counters.ts';

/** Frames of the control plane since the start, over all groups, present and past. */
export interface ControlCounters {
  /** Frames taken: answered, consumed (both in `lan`) or dropped (`System.dropCounters`). */
  readonly taken: number;
  /** Frames sent, each counted in `lan` by its cause. */
  readonly sent: number;
  readonly lan: LanCounters;
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
  total(lans: Iterable<{ readonly counters: LanCounters }>): ControlCounters {
    const lan = new LanCounters();
    lanCountersAdd(lan, this.#formerLans);
    for (const { counters } of lans) lanCountersAdd(lan, counters);
    return { taken: this.taken, sent: this.sent, lan };
  }
}
