/**
 * One LAN as the stack sees it: ARP on both sides, neighbours, duplicate address detection.
 */

import type { Rng } from '../base/rng.ts';
import type { Ipv4, Mac } from '../wire/addr.ts';
import type { Ill } from './ill.ts';
import type { Ipif } from './ipif.ts';
import type { LanMembership, LanOutput } from './lan-port.ts';

export interface LanOptions {
  readonly membership: LanMembership;
  readonly output: LanOutput;
  readonly rng: Rng;
  /** Entries of the neighbour cache, 64 .. 65536; default 1024. */
  readonly neighborLimit?: number;
}

/** One row of `neighbor show`, a flat copy. */
export interface NeighborRow {
  readonly address: Ipv4;
  /** 0 while unknown. */
  readonly mac: Mac;
  readonly state: string;
}

/** `initial`: detection, then announcements; `rebind`: announcements when already up. */
export type BindHow = 'initial' | 'rebind';

/** One LAN. */
export class Lan {
  readonly options: LanOptions;

  constructor(options: LanOptions) {
    this.options = options;
  }

  handleWireFrame(_ill: Ill, _frame: Uint8Array, _nowMs: number): void {}
  handleHostFrame(_frame: Uint8Array, _nowMs: number): void {}
  addressBound(_ipif: Ipif, _how: BindHow, _nowMs: number): void {}
  addressUnbound(_ipif: Ipif): void {}
  addressRemoved(_ipif: Ipif): void {}
  handleLinkUp(_ill: Ill, _nowMs: number): void {}
  handleRedirectHit(_mac: Mac, _nowMs: number): void {}
  /** Confirmed entries become stale, so that everybody verifies again (a member went away). */
  doubtNeighbors(_nowMs: number): void {}
  neighbors(): NeighborRow[] {
    return [];
  }
  addStatic(_address: Ipv4, _mac: Mac, _proxy: boolean, _nowMs: number): void {}
  deleteNeighbor(_address: Ipv4): boolean {
    return false;
  }
  handleTime(_nowMs: number): void {}
  pollAt(): number {
    return Number.POSITIVE_INFINITY;
  }
}
