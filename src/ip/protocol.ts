/**
 * The port between a LAN and an address family, which ARP (arp/protocol.ts) and neighbour discovery
 * (nd/protocol.ts) implement. A protocol reads and builds frames, and has no state of its own.
 *
 * When a frame leaves, by which NIC, how often and to whom, and what a received one means, is
 * decided for both families by the same code: the rules of wire and host (neighbor/wire.ts,
 * neighbor/host.ts) and the engines behind them. They find the protocol of an address by its
 * family, and give it addresses of that family only.
 */

import type { DropReason } from '../stats/drop-reasons.ts';
import type { IpAddress, Mac } from '../wire/addr.ts';
import type { Ill } from './object/ill.ts';

/** A received message about neighbours, behind the gate of its protocol. */
export interface NeighborMessage {
  /** A question for the MAC of `target`; else a statement of the sender's own MAC. */
  readonly isQuestion: boolean;
  /** A statement that may answer a question. */
  readonly isReply: boolean;
  /** The sender states its own MAC without having been asked. */
  readonly isAnnouncement: boolean;
  /** The address whose MAC is stated; undefined in a probe, the question of detection. */
  readonly sender: IpAddress | undefined;
  /** The MAC of the sender; that of its frame if the message has none. */
  readonly mac: Mac;
  readonly isMacStated: boolean;
  /** The MAC replaces another one that is known; else it only says that that may be wrong. */
  readonly isOverride: boolean;
  /** The sender of a reply is a router. */
  readonly isRouter: boolean;
  /** Of a question the address asked for, of a reply the one that it is sent to, if any. */
  readonly target: IpAddress | undefined;
  /** The number by which the sender of a probe knows its own (RFC 7527). */
  readonly nonce: bigint | undefined;
}

/** Where an answer to a question goes. */
export interface Asker {
  /** Undefined: a probe is answered. */
  readonly spa: IpAddress | undefined;
  readonly sha: Mac;
}

/** A pending question of the host about a neighbour. */
export interface Waiter extends Asker {
  /** Address the host asked from. */
  readonly spa: IpAddress;
}

/** What the host is given about a neighbour. */
export interface NeighborFacts {
  readonly address: IpAddress;
  readonly mac: Mac;
  /** Of IPv6; the host gives its default routes up when a router no longer is one. */
  readonly isRouter?: boolean;
}

/** Why a message of a family is of no use. */
export interface NeighborReasons {
  readonly reflection: DropReason;
  readonly otherTarget: DropReason;
  readonly otherInterface: DropReason;
  readonly unsolicited: DropReason;
  readonly staticNeighbor: DropReason;
  readonly changeLocked: DropReason;
  readonly conflict: DropReason;
  readonly hostReply: DropReason;
}

/** One address family; each frame begins at the Ethernet header. */
export interface NeighborProtocol {
  readonly reasons: NeighborReasons;
  /** A question must have an address that the asking NIC serves. */
  readonly needsSender: boolean;
  /** The message in `frame`, or the reason why it is not taken. */
  read(frame: Uint8Array): NeighborMessage | DropReason;
  /**
   * The question of `ill` for the MAC of `target`, to all that may have it or to the station `to`.
   * `sender` is the address that it is asked from, undefined for none.
   */
  question(ill: Ill, sender: IpAddress | undefined, target: IpAddress, to?: Mac): Uint8Array;
  /** Detection: the question whether any station has `address`. */
  probe(ill: Ill, address: IpAddress, nonce: bigint | undefined): Uint8Array;
  /** The question to `holder`, which has the address of ours, whether it has it still. */
  watch(ill: Ill, address: IpAddress, holder: Mac): Uint8Array;
  /** `address` is served by `ill`: announcement `number` (from 0) of a series, or a defence (0). */
  announce(ill: Ill, address: IpAddress, number: number): Uint8Array;
  /** The answer of `ill` to a question of the wire for `address`, ours or that of a proxy entry. */
  answer(ill: Ill, address: IpAddress, asker: Asker, isProxy: boolean): Uint8Array;
  /** The answer to the host's question about a neighbour or a test address. */
  answerHost(asker: Asker, neighbor: NeighborFacts): Uint8Array;
  /** For the host's device with `groupMac`, unasked: a neighbour has another MAC than before. */
  tellHost(groupMac: Mac, neighbor: NeighborFacts): Uint8Array;
  /**
   * For the host, unasked: `holder` has its `address`, so it must not use it; undefined where the
   * family has no such message.
   */
  refuseHost(address: IpAddress, holder: Mac): Uint8Array | undefined;
  /**
   * What `message` in `frame` means for the program with the MAC `asker`, which detects whether an
   * address is in use: a probe of a rival, or a station that has it.
   */
  handUp(frame: Uint8Array, message: NeighborMessage, asker: Mac): Uint8Array;
}

/** Finds the protocol of the family of an address. */
export type ProtocolOf = (address: IpAddress) => NeighborProtocol;

/** The question whether a station has an address already. */
export function isProbe(message: NeighborMessage): boolean {
  return message.isQuestion && message.sender === undefined;
}
