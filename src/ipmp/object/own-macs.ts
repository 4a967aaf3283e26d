/**
 * The MACs that are ours: those of the devices that there are and, for a while, of those that were.
 * What a NIC has sent may still be under way when the NIC is gone or has another MAC; another NIC
 * of ours that hears it must know our own voice, or it finds our addresses in use by a stranger.
 */

import type { Mac } from '../../wire/addr.ts';

/** Ours: no switch holds a frame back for longer. */
export const FORMER_KEPT_MS = 1000;

/** Present and former MACs. */
export class OwnMacs {
  #present = new Set<Mac>();
  readonly #formerUntilMs = new Map<Mac, number>();

  /** True for a MAC of ours, present or of late. */
  has(mac: Mac, nowMs: number): boolean {
    return this.#present.has(mac) || nowMs < (this.#formerUntilMs.get(mac) ?? 0);
  }

  /** These are ours from now on; 0 stands for none. */
  replace(macs: readonly Mac[], nowMs: number): void {
    const before = this.#present;
    this.#present = new Set(macs.filter((mac) => mac !== 0));
    for (const [mac, untilMs] of this.#formerUntilMs) {
      if (untilMs <= nowMs) this.#formerUntilMs.delete(mac);
    }
    for (const mac of before) {
      if (!this.#present.has(mac)) this.#formerUntilMs.set(mac, nowMs + FORMER_KEPT_MS);
    }
  }
}
