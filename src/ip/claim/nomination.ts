/**
 * Announcements of proxy entries (static neighbours that we answer for), by the nominated NIC.
 * Until peers have learnt its MAC they send to the NIC that was nominated before. The series is
 * that of an address of our own (dad.ts).
 */

import { type Family, type IpAddress, ipFamily } from '../../wire/addr.ts';
import type { LanCounters } from '../lan-counters.ts';
import type { LanMembership, LanOutput } from '../lan-port.ts';
import type { NeighborCache } from '../neighbor/cache.ts';
import type { ProtocolOf } from '../protocol.ts';
import { announceAtMs } from './dad.ts';
import type { Pace } from './pace.ts';
import { PacedQueue } from './paced-queue.ts';

// Ours
/** Announcements that wait; static entries are as many as an operator writes. */
const WAITING_MAX = 4096;

interface Announcement {
  readonly address: IpAddress;
  /** Its number in the series. */
  readonly number: number;
}

export interface NominationOptions {
  readonly membership: LanMembership;
  readonly output: LanOutput;
  readonly protocolOf: ProtocolOf;
  readonly counters: LanCounters;
  readonly cache: NeighborCache;
  readonly pace: Pace;
  /** Entries of this family are announced, at its times. */
  readonly family: Family;
}

/** The nomination in one LAN. */
export class Nomination {
  readonly #options: NominationOptions;
  readonly #queue: PacedQueue<Announcement>;
  #beganMs = 0;
  /** Next of the series, and when it is sent; Infinity after the last. */
  #number = 0;
  #nextMs = Number.POSITIVE_INFINITY;

  constructor(options: NominationOptions) {
    this.#options = options;
    this.#queue = new PacedQueue(WAITING_MAX, options.pace, (one) => this.#announce(one));
  }

  /** Another NIC is nominated: the series begins anew. */
  begin(nowMs: number): void {
    this.#beganMs = nowMs;
    this.#number = 0;
    this.#step(nowMs);
    this.#queue.handleTime(nowMs);
  }

  /** A proxy entry is new: it is announced at once, and in the series that follows with all. */
  handleProxy(address: IpAddress, nowMs: number): void {
    if (ipFamily(address) !== this.#options.family) return;
    this.#beganMs = nowMs;
    this.#number = 0;
    this.#queue.add({ address, number: 0 }, nowMs);
    this.#scheduleNext(nowMs);
    this.#queue.handleTime(nowMs);
  }

  handleTime(nowMs: number): void {
    if (nowMs >= this.#nextMs) this.#step(nowMs);
    this.#queue.handleTime(nowMs);
  }

  pollAt(): number {
    return Math.min(this.#nextMs, this.#queue.pollAt());
  }

  #step(nowMs: number): void {
    const number = this.#number;
    const { cache, family } = this.#options;
    for (const { address, isProxy } of cache.entries()) {
      if (isProxy && ipFamily(address) === family) this.#queue.add({ address, number }, nowMs);
    }
    this.#scheduleNext(nowMs);
  }

  #scheduleNext(nowMs: number): void {
    this.#number++;
    const atMs = announceAtMs(this.#options.family, this.#number, this.#beganMs, nowMs);
    this.#nextMs = atMs ?? Number.POSITIVE_INFINITY;
  }

  #announce({ address, number }: Announcement): void {
    const { membership, output, counters, cache, protocolOf } = this.#options;
    const ill = membership.castIll();
    if (ill === undefined || ill.physAddr === 0 || !membership.isHostUp()) return;
    if (cache.get(address)?.isProxy !== true) return;
    counters.announcements++;
    output.toWire(ill, protocolOf(address).announce(ill, address, number));
  }
}
