/** What a frame of ARP or of neighbour discovery claims: that a MAC has an address. */

import { type NdMessage, ndIsMessage, ndRead } from '../../../src/sim/lan/nd-message.ts';
import { IPV6_UNSPECIFIED, type IpAddress, type Mac } from '../../../src/wire/addr.ts';
import { arpIsAnnouncement, arpIsValid, arpParse } from '../../../src/wire/arp.ts';
import { checksumAdd, checksumFold } from '../../../src/wire/checksum.ts';
import {
  ETHERTYPE_ARP,
  ETHERTYPE_IPV6,
  ethernetType,
  ETHERNET_HEADER_LENGTH as START,
} from '../../../src/wire/ethernet.ts';
import {
  IPV6_HEADER_LENGTH,
  IPV6_PROTOCOL_ICMP,
  ipv6HopLimit,
  ipv6IsValid,
  ipv6PayloadLength,
  ipv6Source,
  ipv6Walk,
  ipv6WalkCreate,
} from '../../../src/wire/ipv6.ts';

/** A claim. */
export interface Claim {
  readonly protocol: 'ARP' | 'ND';
  /** The sender's address, or the one that it answers for; undefined: it names none. */
  readonly address: IpAddress | undefined;
  /** Every MAC in the message that is not in the Ethernet header. */
  readonly macs: readonly Mac[];
  /** Sent to all, in answer to no question. */
  readonly isAnnouncement: boolean;
}

/** Only what was sent on the link has it (RFC 4861 7.1). */
const HOP_LIMIT = 255;
const NONE: Claim = { protocol: 'ND', address: undefined, macs: [], isAnnouncement: false };

/** The claim of a frame; undefined without one, a sentence if no station may send the frame. */
export function claimOf(frame: Uint8Array): Claim | string | undefined {
  const length = frame.length - START;
  switch (ethernetType(frame, 0)) {
    case ETHERTYPE_ARP:
      return arpIsValid(frame, START, length) ? arpClaim(frame) : undefined;
    case ETHERTYPE_IPV6:
      return ipv6IsValid(frame, START, length) ? ndClaim(frame) : undefined;
    default:
      return undefined;
  }
}

function arpClaim(frame: Uint8Array): Claim {
  const packet = arpParse(frame, START);
  const { senderAddress, senderMac } = packet;
  return {
    protocol: 'ARP',
    address: senderAddress === 0 ? undefined : senderAddress,
    macs: [senderMac],
    isAnnouncement: arpIsAnnouncement(packet),
  };
}

function ndClaim(frame: Uint8Array): Claim | string | undefined {
  const walk = ipv6WalkCreate();
  if (!ipv6Walk(frame, START, walk) || walk.protocol !== IPV6_PROTOCOL_ICMP) return undefined;
  const end = START + IPV6_HEADER_LENGTH + ipv6PayloadLength(frame, START);
  const bytes = frame.subarray(walk.offset, end);
  if (walk.isLaterFragment || !ndIsMessage(bytes[0] ?? 0)) return undefined;
  if (ipv6HopLimit(frame, START) !== HOP_LIMIT) return 'discovery from beyond the link';
  if (checksumFold(sumOf(frame, bytes)) !== 0xffff) return 'discovery with a wrong checksum';
  const message = ndRead(bytes);
  return message === undefined ? 'malformed discovery' : claimIn(message, frame);
}

/** A router solicitation teaches routers, by its option alone: the nominee sends it for all. */
function claimIn(message: NdMessage, frame: Uint8Array): Claim {
  if (message.kind === 'advertisement') {
    const { target, targetMac, isSolicited, isOverride } = message;
    const macs = targetMac === undefined ? [] : [targetMac];
    return { ...NONE, address: target, macs, isAnnouncement: !isSolicited && isOverride };
  }
  const macs = message.sourceMac === undefined ? [] : [message.sourceMac];
  const source = ipv6Source(frame, START);
  const isNamed = message.kind === 'solicitation' && source !== IPV6_UNSPECIFIED;
  return { ...NONE, address: isNamed ? source : undefined, macs };
}

/** RFC 8200 8.1. */
function sumOf(frame: Uint8Array, message: Uint8Array): number {
  const addresses = checksumAdd(0, frame, START + IPV6_HEADER_LENGTH - 32, 32);
  return checksumAdd(addresses + message.length + IPV6_PROTOCOL_ICMP, message, 0, message.length);
}
