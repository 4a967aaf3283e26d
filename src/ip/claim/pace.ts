/**
 * How many broadcasts of one LAN leave in a millisecond.
 *
 * Each NIC of ours on the LAN receives them, and drops each as one of its own MACs. With
 * dozens of NICs the copies are most of the work, on both sides of the wire, and what the NICs
 * receive beside them suffers. So the more NICs receive a broadcast, the fewer leave together. What
 * is urgent is limited by its number alone: of the addresses of a group each NIC has its part, so
 * what the death of one makes of copies grows with the addresses and not with the NICs.
 *
 * A millisecond begins with the first broadcast after the one before is over. A late timer sends at
 * most the missed budget of MADE_UP_MS; the rest of it is dropped, so bursts stay bounded.
 */

/** Broadcasts that leave in a millisecond at most (ours): a full NIC of a large group, at once. */
export const BROADCASTS_A_MS = 64;
/** Copies of what is not urgent for NICs of ours: two processors read and drop these (ours). */
export const COPIES_A_MS = 512;
/** Missed milliseconds whose budget a late timer may still use (ours). */
export const MADE_UP_MS = 4;

/** How many that are not urgent may leave in a millisecond, with so many NICs of ours. */
export function broadcastsAMs(nics: number): number {
  return Math.max(1, Math.min(BROADCASTS_A_MS, Math.floor(COPIES_A_MS / Math.max(1, nics))));
}

/** The pace of one LAN. */
export class Pace {
  readonly #countNics: () => number;
  #beganMs = Number.NEGATIVE_INFINITY;
  /** How many that are not urgent may leave in this millisecond. */
  #most = BROADCASTS_A_MS;
  #sent = 0;

  /** `countNics` gives the NICs of ours that receive a broadcast now. */
  constructor(countNics: () => number) {
    this.#countNics = countNics;
  }

  /** Whether another one may leave now. */
  hasRoom(isUrgent: boolean, nowMs: number): boolean {
    if (nowMs >= this.#beganMs + 1) {
      const sinceMs = Math.min(MADE_UP_MS, Math.floor(nowMs - this.#beganMs));
      this.#beganMs = nowMs;
      this.#most = Math.min(BROADCASTS_A_MS, sinceMs * broadcastsAMs(this.#countNics()));
      this.#sent = 0;
    }
    return this.#hasRoom(isUrgent);
  }

  /** One has left; also one that could not wait for room. */
  noteSent(): void {
    this.#sent++;
  }

  /** When there may be room again; -Infinity if there is. */
  roomAtMs(isUrgent: boolean): number {
    return this.#hasRoom(isUrgent) ? Number.NEGATIVE_INFINITY : this.#beganMs + 1;
  }

  #hasRoom(isUrgent: boolean): boolean {
    return this.#sent < (isUrgent ? BROADCASTS_A_MS : this.#most);
  }
}
