/**
 * Doubts all neighbours when a member of the group is gone. Questions under way are asked again
 * at once; confirmed ones, of which there may be tens of thousands, are doubted in several turns,
 * and each of them before its next use.
 *
 * Invariant: an entry with `isDoubted` is among those that are left, and was confirmed before the
 * last `begin`.
 */

import type { IpAddress } from '../../wire/addr.ts';
import type { NeighborCache } from './cache.ts';
import type { Nce } from './nce.ts';

/** Confirmed neighbours that are doubted in one turn: together about a millisecond (ours). */
export const DOUBTS_A_TURN = 1000;

/** The doubts of one LAN. */
export class Doubts {
  readonly #cache: NeighborCache;
  readonly #doubt: (nce: Nce, nowMs: number) => void;
  /** Those that are left, from `#done` on. */
  #left: Nce[] = [];
  #done = 0;
  #begunMs = 0;

  /** `doubt` carries one out. */
  constructor(cache: NeighborCache, doubt: (nce: Nce, nowMs: number) => void) {
    this.#cache = cache;
    this.#doubt = doubt;
  }

  /** All entries are to be doubted, also those of an earlier time that are left. */
  begin(nowMs: number): void {
    this.#left = [];
    this.#done = 0;
    this.#begunMs = nowMs;
    for (const nce of this.#cache.entries()) {
      nce.isDoubted = nce.state === 'REACHABLE';
      if (nce.isDoubted) this.#left.push(nce);
      else this.#doubt(nce, nowMs);
    }
    this.handleTime(nowMs);
  }

  /**
   * The entry of `address`, doubted first if it is still to be. The doubt may remove it: a table
   * over its limit keeps an entry only while it is in use.
   */
  settled(address: IpAddress, nowMs: number): Nce | undefined {
    const nce = this.#cache.get(address);
    if (!nce?.isDoubted) return nce;
    this.#settle(nce, nowMs);
    return this.#cache.get(address);
  }

  /** Doubts some more of them. */
  handleTime(nowMs: number): void {
    const end = this.#done + DOUBTS_A_TURN;
    for (; this.#done < end && this.#left.length > 0; this.#done++) {
      const nce = this.#left[this.#done];
      if (nce === undefined) this.#left = [];
      else if (this.#cache.get(nce.address) === nce) this.#settle(nce, nowMs);
    }
  }

  #settle(nce: Nce, nowMs: number): void {
    if (!nce.isDoubted) return;
    nce.isDoubted = false;
    this.#doubt(nce, nowMs);
  }

  /** Now while some are left, else Infinity. */
  pollAt(): number {
    return this.#left.length > 0 ? this.#begunMs : Number.POSITIVE_INFINITY;
  }
}
