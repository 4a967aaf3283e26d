/**
 * Notices: neighbours learn by unicast that an address of ours is served by another NIC than
 * before.
 *
 * Some stations ignore announcements of every form, but every station that is asked takes
 * the asker's MAC into its table (RFC 826: the sender is merged first). So the new NIC asks each
 * neighbour that was used lately one ordinary question from the address that moved, to the
 * neighbour's own MAC: gateways first, since they carry most, then those confirmed last. The answer
 * is of no interest.
 *
 * Addresses that move together are handled together, one turn later; a failover of thousands of
 * addresses must not wait for it. Only a neighbour of the address's own subnet is asked: no other
 * would have it. Of IPv6 that is any neighbour if one of the two addresses is link-local, as those
 * of routers are.
 *
 * Limits: NOTICES_MAX that wait, and the pace of pace.ts. What is beyond is left to the
 * series of announcements, which repeats.
 */

import {
  type IpAddress,
  ipFamily,
  ipIsLinkLocal,
  ipSameSubnet,
  type Mac,
} from '../../wire/addr.ts';
import { Pace } from '../claim/pace.ts';
import { PacedQueue } from '../claim/paced-queue.ts';
import type { LanCounters } from '../lan-counters.ts';
import type { LanOutput } from '../lan-port.ts';
import type { Ipif } from '../object/ipif.ts';
import type { ProtocolOf } from '../protocol.ts';
import type { NeighborCache } from './cache.ts';
import type { Nce } from './nce.ts';

// Ours
/** Neighbours that get a notice beside the gateways, of one address: those confirmed last. */
export const NOTICE_NEIGHBORS = 64;
/** Questions that wait. */
export const NOTICES_MAX = 1024;
/** Addresses that move within this time are handled together. */
const TURN_MS = 1;

interface Notice {
  readonly ipif: Ipif;
  readonly address: IpAddress;
  readonly mac: Mac;
}

export interface NoticesOptions {
  readonly output: LanOutput;
  readonly protocolOf: ProtocolOf;
  readonly counters: LanCounters;
  readonly cache: NeighborCache;
  readonly isGateway: (address: IpAddress) => boolean;
}

/** The notices of one LAN. */
export class Notices {
  readonly #options: NoticesOptions;
  /** Addresses that moved since the last turn. */
  readonly #moved = new Set<Ipif>();
  #movedMs = Number.POSITIVE_INFINITY;
  /** Each goes to one station, so the number of our NICs does not matter. */
  readonly #queue = new PacedQueue<Notice>(NOTICES_MAX, new Pace(() => 1), (notice) => {
    this.#send(notice);
  });

  constructor(options: NoticesOptions) {
    this.#options = options;
  }

  /** `ipif` is announced from its NIC. */
  handleAnnounced(ipif: Ipif, nowMs: number): void {
    if (ipif.kind !== 'data') return;
    this.#moved.add(ipif);
    this.#movedMs = Math.min(this.#movedMs, nowMs + TURN_MS);
  }

  handleTime(nowMs: number): void {
    if (nowMs >= this.#movedMs) this.#collect(nowMs);
    this.#queue.handleTime(nowMs);
  }

  pollAt(): number {
    return Math.min(this.#movedMs, this.#queue.pollAt());
  }

  #collect(nowMs: number): void {
    const { gateways, others } = this.#neighbors();
    for (const neighbors of [gateways, others]) {
      for (const ipif of this.#moved) this.#add(ipif, neighbors, nowMs);
    }
    this.#moved.clear();
    this.#movedMs = Number.POSITIVE_INFINITY;
  }

  #add(ipif: Ipif, neighbors: readonly Nce[], nowMs: number): void {
    for (const { address, mac } of neighbors) {
      if (!isNear(ipif, address)) continue;
      if (!this.#queue.add({ ipif, address, mac }, nowMs)) return;
    }
  }

  #neighbors(): { gateways: Nce[]; others: Nce[] } {
    const { cache, isGateway } = this.#options;
    const known = [...cache.entries()].filter(({ mac, isProxy }) => mac !== 0 && !isProxy);
    const gateways = known.filter(({ address }) => isGateway(address));
    const others = known.filter(({ everConfirmed, address }) => {
      return everConfirmed && !isGateway(address);
    });
    others.sort((left, right) => right.confirmedMs - left.confirmedMs);
    return { gateways, others: others.slice(0, NOTICE_NEIGHBORS) };
  }

  /** By the NIC that has the address at this moment; none if it has been lost again. */
  #send({ ipif, address, mac }: Notice): void {
    const ill = ipif.boundIll;
    if (ill === undefined || ill.physAddr === 0 || ipif.state !== 'up') return;
    const { counters, output, protocolOf } = this.#options;
    counters.verificationsSent++;
    output.toWire(ill, protocolOf(address).question(ill, ipif.address, address, mac));
  }
}

/** The neighbour `address` may have `ipif` in its table. */
function isNear(ipif: Ipif, address: IpAddress): boolean {
  if (ipSameSubnet(ipif.address, address, ipif.prefixLength)) return true;
  if (ipif.family !== 6 || ipFamily(address) !== 6) return false;
  return ipIsLinkLocal(ipif.address) || ipIsLinkLocal(address);
}
