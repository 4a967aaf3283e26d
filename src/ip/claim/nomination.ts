/**
 * Announcements of a newly nominated NIC: it receives for all from now on, and until switches and
 * peers have learnt so, they send to the one before.
 *
 * - Proxy entries, which the nominated NIC answers for, are announced in a series like an address
 *   of our own (dad.ts).
 * - Multicast memberships belong to the host's kernel, which reports them again only when a querier
 *   asks; a switch that snoops would keep the groups on the old port for minutes. So the kernel is
 *   asked in the querier's place (wire/igmp.ts), twice, and its reports leave by the new NIC.
 */

import type { IpAddress } from '../../wire/addr.ts';
import { igmpQueryFrame } from '../../wire/igmp.ts';
import type { LanCounters } from '../lan-counters.ts';
import type { LanMembership, LanOutput } from '../lan-port.ts';
import type { NeighborCache } from '../neighbor/cache.ts';
import type { ProtocolOf } from '../protocol.ts';
import { announceAtMs } from './dad.ts';
import type { Pace } from './pace.ts';
import { PacedQueue } from './paced-queue.ts';

// Ours
/** With these of the series, by number, the kernel is asked for its memberships. */
const QUERY_WITH: readonly number[] = [0, 3];
/** It is to answer within this time; no tenth is the least that the query can ask for. */
const QUERY_TENTHS = 1;
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
}

/** The nomination in one LAN. */
export class Nomination {
  readonly #options: NominationOptions;
  readonly #queue: PacedQueue<Announcement>;
  #beganMs = 0;
  /** Next of the series, and when it is sent; Infinity after the last. */
  #number = 0;
  #nextMs = Number.POSITIVE_INFINITY;
  /** The kernel is asked with the present series. */
  #hasQueries = false;

  constructor(options: NominationOptions) {
    this.#options = options;
    this.#queue = new PacedQueue(WAITING_MAX, options.pace, (one) => this.#announce(one));
  }

  /** Another NIC is nominated: the series begins anew. */
  begin(nowMs: number): void {
    this.#hasQueries = true;
    this.#beganMs = nowMs;
    this.#number = 0;
    this.#step(nowMs);
    this.#queue.handleTime(nowMs);
  }

  /** A proxy entry is new: it is announced at once, and in the series that follows with all. */
  handleProxy(address: IpAddress, nowMs: number): void {
    if (this.#nextMs === Number.POSITIVE_INFINITY) this.#hasQueries = false;
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
    if (this.#hasQueries && QUERY_WITH.includes(this.#number)) this.#query();
    for (const { address, isProxy } of this.#options.cache.entries()) {
      if (isProxy) this.#queue.add({ address, number }, nowMs);
    }
    this.#scheduleNext(nowMs);
  }

  #scheduleNext(nowMs: number): void {
    this.#number++;
    this.#nextMs = announceAtMs(4, this.#number, this.#beganMs, nowMs) ?? Number.POSITIVE_INFINITY;
  }

  #query(): void {
    const { membership, output, counters } = this.#options;
    const mac = membership.castIll()?.physAddr ?? 0;
    if (mac === 0) return;
    counters.membershipQueries++;
    output.toHost(igmpQueryFrame(mac, QUERY_TENTHS));
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
