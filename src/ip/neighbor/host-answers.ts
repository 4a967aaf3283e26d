/**
 * The answers to the host about its neighbours, with the last MAC given for each.
 *
 * The host keeps a MAC far longer than the neighbour cache keeps an entry, and does not learn that
 * an entry was given up. So the last MAC given is remembered apart from the cache; a neighbour that
 * comes back under another one has moved, from the host's point of view.
 *
 * Invariant: at most `limit` neighbours are remembered; the one answered longest ago gives way.
 */

import type { IpAddress, Mac } from '../../wire/addr.ts';
import type { LanCounters } from '../lan-counters.ts';
import type { LanMembership, LanOutput } from '../lan-port.ts';
import type { NeighborFacts, ProtocolOf } from '../protocol.ts';
import type { Nce } from './nce.ts';

export interface HostAnswersOptions {
  readonly membership: LanMembership;
  readonly output: LanOutput;
  readonly protocolOf: ProtocolOf;
  readonly counters: LanCounters;
  readonly isGateway: (address: IpAddress) => boolean;
  /** Neighbours remembered, as many as the cache may hold. */
  readonly limit: number;
}

/** Answers to the host for the neighbours of one LAN. */
export class HostAnswers {
  readonly #membership: LanMembership;
  readonly #output: LanOutput;
  readonly #protocolOf: ProtocolOf;
  readonly #counters: LanCounters;
  readonly #isGateway: (address: IpAddress) => boolean;
  #limit: number;
  /** Oldest first. */
  readonly #told = new Map<IpAddress, Mac>();

  constructor(options: HostAnswersOptions) {
    this.#membership = options.membership;
    this.#output = options.output;
    this.#protocolOf = options.protocolOf;
    this.#counters = options.counters;
    this.#isGateway = options.isGateway;
    this.#limit = options.limit;
  }

  /** Another limit; of those beyond it the oldest are forgotten. */
  setLimit(limit: number): void {
    this.#limit = limit;
    this.#forgetBeyond(limit);
  }

  /** The MAC that the host was given last for `address`, 0 for none that is remembered. */
  lastTold(address: IpAddress): Mac {
    return this.#told.get(address) ?? 0;
  }

  /** The host's own table has no entry of `address` any more. */
  forget(address: IpAddress): void {
    this.#told.delete(address);
  }

  /** Answers every request that waits for `nce`. */
  answer(nce: Nce): void {
    for (const waiter of nce.waiters.splice(0)) {
      this.#counters.hostAnswers++;
      this.#remember(nce.address, nce.mac);
      this.#output.toHost(this.#protocolOf(nce.address).answerHost(waiter, this.#factsOf(nce)));
    }
  }

  /** Sends the host an unsolicited reply: `address` is at `mac` (see redirect.ts). */
  tell(address: IpAddress, mac: Mac, isRouter: boolean): void {
    const groupMac = this.#membership.groupMac();
    if (groupMac === 0) return;
    this.#counters.hostTold++;
    this.#remember(address, mac);
    this.#output.toHost(this.#protocolOf(address).tellHost(groupMac, { address, mac, isRouter }));
  }

  /** A static entry has never said whether it is a router, so the host's routes tell. */
  #factsOf({ address, mac, isRouter, state }: Nce): NeighborFacts {
    const isRouteVia = state === 'PERMANENT' && this.#isGateway(address);
    return { address, mac, isRouter: isRouter || isRouteVia };
  }

  #remember(address: IpAddress, mac: Mac): void {
    this.#told.delete(address);
    this.#forgetBeyond(this.#limit - 1);
    this.#told.set(address, mac);
  }

  #forgetBeyond(limit: number): void {
    for (const oldest of this.#told.keys()) {
      if (this.#told.size <= limit) return;
      this.#told.delete(oldest);
    }
  }
}
