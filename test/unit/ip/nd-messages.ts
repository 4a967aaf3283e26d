/** Neighbour discovery with the fields of ARP, so that one test can be of both families. */

import {
  IPV6_ALL_NODES,
  IPV6_UNSPECIFIED,
  type IpAddress,
  type Ipv6,
  ipMulticastMac,
  ipv6SolicitedNode,
  MAC_BROADCAST,
  type Mac,
} from '../../../src/wire/addr.ts';
import { ARP_REPLY, ARP_REQUEST } from '../../../src/wire/arp.ts';
import { ethernetSource } from '../../../src/wire/ethernet.ts';
import { ICMPV6_NEIGHBOR_SOLICITATION } from '../../../src/wire/icmpv6.ts';
import {
  ndAdvertisementParse,
  ndRefusal,
  ndSolicitationParse,
  ndType,
} from '../../../src/wire/nd.ts';
import { ndAdvertisementFrame, ndSolicitationFrame } from '../../../src/wire/nd-frames.ts';

const IP = 14;

/** A message about neighbours of either family, in the words of ARP. */
export interface Packet {
  readonly operation: number;
  readonly senderMac: Mac;
  readonly senderAddress: IpAddress;
  readonly targetMac: Mac;
  readonly targetAddress: IpAddress;
}

/**
 * A question of the station `sha`; from the unspecified address that of detection, and about its
 * own address an announcement.
 */
export function ndRequest(sha: Mac, spa: Ipv6, tpa: Ipv6, to: Mac): Uint8Array {
  if (spa === tpa) return advertisement(sha, spa, undefined, to);
  const isToAll = to === MAC_BROADCAST || spa === IPV6_UNSPECIFIED;
  const group = ipv6SolicitedNode(tpa);
  return ndSolicitationFrame(to === MAC_BROADCAST ? ipMulticastMac(group) : to, sha, {
    source: spa,
    destination: isToAll ? group : tpa,
    target: tpa,
    sourceMac: spa === IPV6_UNSPECIFIED ? undefined : sha,
    nonce: undefined,
  });
}

/** An answer of the station `sha` for `spa`, to the station `tha`; to all if it has no address. */
export function ndReply(sha: Mac, spa: Ipv6, tha: Mac, tpa: Ipv6): Uint8Array {
  const isToAll = tpa === IPV6_UNSPECIFIED || tpa === spa;
  return advertisement(sha, spa, isToAll ? undefined : tpa, isToAll ? MAC_BROADCAST : tha);
}

function advertisement(sha: Mac, address: Ipv6, asker: Ipv6 | undefined, to: Mac): Uint8Array {
  const destination = to === MAC_BROADCAST ? ipMulticastMac(IPV6_ALL_NODES) : to;
  return ndAdvertisementFrame(destination, sha, {
    source: address,
    destination: asker ?? IPV6_ALL_NODES,
    target: address,
    isRouter: false,
    isSolicited: asker !== undefined,
    isOverride: true,
    targetMac: sha,
  });
}

/** The question or statement in a frame of IPv6; undefined if it has none that is right. */
export function ndPacket(frame: Uint8Array): Packet | undefined {
  if (ndRefusal(frame, IP, frame.length - IP) !== undefined) return undefined;
  const source = ethernetSource(frame, 0);
  const type = ndType(frame, IP);
  if (type === ICMPV6_NEIGHBOR_SOLICITATION) {
    const { source: senderAddress, target, sourceMac } = ndSolicitationParse(frame, IP);
    const sender = { senderMac: sourceMac ?? source, senderAddress };
    return { operation: ARP_REQUEST, ...sender, targetMac: 0, targetAddress: target };
  }
  if (type !== ICMPV6_NEIGHBOR_SOLICITATION + 1) return undefined;
  const { target, targetMac, isSolicited, destination } = ndAdvertisementParse(frame, IP);
  const sender = { senderMac: targetMac ?? source, senderAddress: target };
  const targetAddress = isSolicited ? destination : target;
  return { operation: ARP_REPLY, ...sender, targetMac: 0, targetAddress };
}
