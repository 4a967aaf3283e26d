/**
 * Neighbour discovery as a LAN reads and sends it (RFC 4861 7, RFC 4862 5.4, RFC 7527).
 *
 * The MAC in an option is always that of the NIC that the frame leaves by, as its source is, so
 * that switches and peers learn the same. A question of ours has an address that the NIC serves,
 * since the sender address goes into the tables of peers together with the MAC; only probes have
 * none.
 *
 * A station that gives no MAC in an advertisement (it may leave it out of the answer to a unicast
 * question, and Linux does) is taken to have that of its frame. Nothing is then to be overridden.
 */

import type { DropReason } from '../../stats/drop-reasons.ts';
import {
  IPV6_ALL_NODES,
  IPV6_UNSPECIFIED,
  type Ipv6,
  ipMulticastMac,
  ipv6SolicitedNode,
  type Mac,
  macIsGroup,
} from '../../wire/addr.ts';
import {
  ETHERNET_HEADER_LENGTH,
  ethernetIsGroup,
  ethernetSetDestination,
  ethernetSource,
} from '../../wire/ethernet.ts';
import { ICMPV6_NEIGHBOR_SOLICITATION } from '../../wire/icmpv6.ts';
import { ndAdvertisementParse, ndRefusal, ndSolicitationParse, ndType } from '../../wire/nd.ts';
import { ndAdvertisementFrame, ndSolicitationFrame } from '../../wire/nd-frames.ts';
import type { Ill } from '../object/ill.ts';
import {
  isProbe,
  type NeighborMessage,
  type NeighborProtocol,
  type NeighborReasons,
} from '../protocol.ts';

const HEADER = ETHERNET_HEADER_LENGTH;

/** A station of IPv6. */
interface NdStation {
  readonly address: Ipv6;
  readonly mac: Mac;
  readonly isRouter?: boolean;
}

interface NdAsker {
  readonly spa: Ipv6 | undefined;
  readonly sha: Mac;
}

const REASONS: NeighborReasons = {
  reflection: 'nd_reflection',
  otherTarget: 'nd_other_target',
  otherInterface: 'nd_other_interface',
  unsolicited: 'nd_unsolicited',
  staticNeighbor: 'nd_static_neighbor',
  changeLocked: 'nd_change_locked',
  conflict: 'nd_conflict',
  hostReply: 'host_advertisement',
};

/** The gate for all five messages; undefined for one that may be read. */
export function ndGate(frame: Uint8Array): DropReason | undefined {
  const refusal = ndRefusal(frame, HEADER, frame.length - HEADER);
  if (refusal !== undefined) return refusal;
  const source = ethernetSource(frame, 0);
  return source === 0 || macIsGroup(source) ? 'nd_bad_sender' : undefined;
}

/** The messages of IPv6 about neighbours. */
export class NdProtocol implements NeighborProtocol {
  readonly reasons = REASONS;
  readonly needsSender = true;
  readonly #isRouter: () => boolean;

  /** `isRouter`: this host forwards, so peers may have it as their router. */
  constructor(isRouter: () => boolean) {
    this.#isRouter = isRouter;
  }

  read(frame: Uint8Array): NeighborMessage | DropReason {
    const refusal = ndGate(frame);
    if (refusal !== undefined) return refusal;
    const isQuestion = ndType(frame, HEADER) === ICMPV6_NEIGHBOR_SOLICITATION;
    return isQuestion ? readQuestion(frame) : readStatement(frame);
  }

  question(ill: Ill, sender: Ipv6 | undefined, target: Ipv6, to?: Mac): Uint8Array {
    if (sender === undefined) return this.probe(ill, target, undefined);
    const group = ipv6SolicitedNode(target);
    const destination = to === undefined ? group : target;
    return ndSolicitationFrame(to ?? ipMulticastMac(group), ill.physAddr, {
      source: sender,
      destination,
      target,
      sourceMac: ill.physAddr,
      nonce: undefined,
    });
  }

  probe(ill: Ill, address: Ipv6, nonce: bigint | undefined): Uint8Array {
    return probeFrame(ill, ipMulticastMac(ipv6SolicitedNode(address)), address, nonce);
  }

  /** To the holder's MAC alone, though without a sender address its destination is the group. */
  watch(ill: Ill, address: Ipv6, holder: Mac): Uint8Array {
    return probeFrame(ill, holder, address, undefined);
  }

  /** Overrides what peers have: also of a proxy, whose MAC was that of another NIC of ours. */
  announce(ill: Ill, address: Ipv6, _number: number): Uint8Array {
    return this.#statement(ill, address, undefined, true);
  }

  /** RFC 4861 7.2.4, 7.2.8: a proxy does not override the station that it answers for. */
  answer(ill: Ill, address: Ipv6, asker: NdAsker, isProxy: boolean): Uint8Array {
    return this.#statement(ill, address, asker, !isProxy);
  }

  answerHost(asker: NdAsker, neighbor: NdStation): Uint8Array {
    return advertisement(neighbor, asker, true);
  }

  /** Linux takes the MAC at once, also of a confirmed entry, and adds none. */
  tellHost(_groupMac: Mac, neighbor: NdStation): Uint8Array {
    return advertisement(neighbor, undefined, true);
  }

  /** Linux takes it for the answer to its own detection, and has the address `dadfailed`. */
  refuseHost(address: Ipv6, holder: Mac): Uint8Array {
    return advertisement({ address, mac: holder }, undefined, true);
  }

  /** A rival's probe as it was; else that the station has the address. */
  handUp(frame: Uint8Array, message: NeighborMessage, asker: Mac): Uint8Array {
    if (message.isQuestion && !isProbe(message) && typeof message.sender === 'bigint') {
      return advertisement({ address: message.sender, mac: message.mac }, undefined, true);
    }
    const copy = frame.slice();
    if (!ethernetIsGroup(frame, 0)) ethernetSetDestination(copy, 0, asker);
    return copy;
  }

  #statement(ill: Ill, address: Ipv6, asker: NdAsker | undefined, isOverride: boolean): Uint8Array {
    const station = { address, mac: ill.physAddr, isRouter: this.#isRouter() };
    return advertisement(station, asker, isOverride);
  }
}

function readQuestion(frame: Uint8Array): NeighborMessage {
  const { source, target, sourceMac, nonce } = ndSolicitationParse(frame, HEADER);
  return {
    isQuestion: true,
    isReply: false,
    isAnnouncement: false,
    sender: source === IPV6_UNSPECIFIED ? undefined : source,
    mac: sourceMac ?? ethernetSource(frame, 0),
    isMacStated: sourceMac !== undefined,
    isOverride: true,
    isRouter: false,
    target,
    nonce,
  };
}

function readStatement(frame: Uint8Array): NeighborMessage {
  const message = ndAdvertisementParse(frame, HEADER);
  const { isSolicited, targetMac } = message;
  return {
    isQuestion: false,
    isReply: isSolicited,
    isAnnouncement: !isSolicited,
    sender: message.target,
    mac: targetMac ?? ethernetSource(frame, 0),
    isMacStated: targetMac !== undefined,
    isOverride: message.isOverride || targetMac === undefined,
    isRouter: message.isRouter,
    target: isSolicited ? message.destination : undefined,
    nonce: undefined,
  };
}

function probeFrame(ill: Ill, to: Mac, target: Ipv6, nonce: bigint | undefined): Uint8Array {
  return ndSolicitationFrame(to, ill.physAddr, {
    source: IPV6_UNSPECIFIED,
    destination: ipv6SolicitedNode(target),
    target,
    sourceMac: undefined,
    nonce,
  });
}

/** What `station` states of itself: to the asker, or to all if a probe or nothing asked for it. */
function advertisement(
  { address, mac, isRouter = false }: NdStation,
  asker: NdAsker | undefined,
  isOverride: boolean,
): Uint8Array {
  const spa = asker?.spa;
  const isSolicited = spa !== undefined;
  const to = isSolicited && asker !== undefined ? asker.sha : ipMulticastMac(IPV6_ALL_NODES);
  return ndAdvertisementFrame(to, mac, {
    source: address,
    destination: spa ?? IPV6_ALL_NODES,
    target: address,
    targetMac: mac,
    isRouter,
    isSolicited,
    isOverride,
  });
}
