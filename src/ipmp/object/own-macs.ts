/**
 * The MACs that are ours: those of the present devices and, for a while, of former ones. A frame
 * may still be in flight when its NIC is gone or has another MAC. Another NIC of ours that receives
 * it must recognise it; otherwise conflict detection reports our own addresses as conflicts.
 */

import type { Mac } from '../../wire/addr.ts';
import type { IpmpContext } from './context.ts';

/** Ours: no switch holds a frame back for longer. */
export const FORMER_KEPT_MS = 1000;

/** Present and former MACs. */
export class OwnMacs {
  #present = new Set<Mac>();
  readonly #formerUntilMs = new Map<Mac, number>();

  /** True for a MAC of ours, present or former. */
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

/** Recomputes the set of MACs that are ours; after any of them changed. */
export function refreshOwnMacs(ctx: IpmpContext): void {
  const nics = [...ctx.interfaces.values()].map(({ phyint }) => phyint.physAddr);
  const groups = [...ctx.groups.values()].map(({ device }) => device.mac);
  ctx.ownMacs.replace([...nics, ...groups], ctx.nowMs);
}
