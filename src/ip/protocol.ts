/**
 * The port between the engines of a LAN and an address family: what resolution, detection,
 * announcements, notices and nomination send, as frames. ARP (arp/protocol.ts) and neighbour
 * discovery (nd/protocol.ts) implement it.
 *
 * A protocol builds frames and has no state of its own: when a frame leaves, by which NIC, how often
 * and to whom is decided by the engines, for both families by the same code. An engine finds the
 * protocol of an address by its family, and gives it addresses of that family only.
 */

import type { IpAddress, Mac } from '../wire/addr.ts';
import type { Ill } from './object/ill.ts';

/** A pending question of the host about a neighbour. */
export interface Waiter {
  /** Address the host asked from. */
  readonly spa: IpAddress;
  /** MAC the host asked from (its group device, as a rule). */
  readonly sha: Mac;
}

/** What the host is given about a neighbour. */
export interface NeighborFacts {
  readonly address: IpAddress;
  readonly mac: Mac;
}

/** The frames of one address family; each begins at the Ethernet header. */
export interface NeighborProtocol {
  /**
   * The question of `ill` for the MAC of `target`, to all that may have it or to the station `to`.
   * `sender` is the address that it is asked from, undefined for none.
   */
  question(ill: Ill, sender: IpAddress | undefined, target: IpAddress, to?: Mac): Uint8Array;
  /** Detection: the question whether any station has `address`. */
  probe(ill: Ill, address: IpAddress): Uint8Array;
  /** The question to `holder`, which has the address of ours, whether it has it still. */
  watch(ill: Ill, address: IpAddress, holder: Mac): Uint8Array;
  /** `address` is served by `ill`: announcement `number` (from 0) of a series, or a defence (0). */
  announce(ill: Ill, address: IpAddress, number: number): Uint8Array;
  /** The answer to the host's question about a neighbour. */
  answerHost(waiter: Waiter, neighbor: NeighborFacts): Uint8Array;
  /** For the host's device with `groupMac`, unasked: a neighbour has another MAC than before. */
  tellHost(groupMac: Mac, neighbor: NeighborFacts): Uint8Array;
}

/** Finds the protocol of the family of an address. */
export type ProtocolOf = (address: IpAddress) => NeighborProtocol;
