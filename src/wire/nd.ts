/**
 * Neighbour discovery (RFC 4861; detection of duplicates: RFC 4862, RFC 7527), the messages that
 * ICMPv6 carries in place of ARP.
 *
 *    0       1       2       3       4
 *   +-------+-------+-------+-------+
 *   | type  |   0   |   checksum    |
 *   +-------+-------+-------+-------+
 *   | flags, lifetimes, or reserved |
 *   +-------------------------------+
 *   |  target address (16)          |   neighbour messages and redirect alone
 *   +-------------------------------+
 *   |  options: type, length in units of 8 bytes, value ...
 *
 * `ndRefusal` is the one gate for all five messages: every rule that RFC 4861 gives a receiver for
 * the bytes of the message (6.1.1, 6.1.2, 7.1.1, 7.1.2, 8.1). The parsers are safe behind it. A
 * rule that depends on state is the caller's: whether a redirect comes from the router in use.
 *
 * Everywhere `header` is the place of the IPv6 header; the message follows it at once, because
 * extension headers are refused. Options that are unknown are skipped (RFC 4861 4.6).
 */

import { readU16, readU32 } from '../base/bytes.ts';
import {
  IPV6_UNSPECIFIED,
  type Ipv6,
  ipIsLinkLocal,
  ipv6IsMulticast,
  ipv6IsUnicast,
  ipv6Read,
  ipv6SolicitedNode,
  type Mac,
  macIsGroup,
  macRead,
} from './addr.ts';
import { ICMP_HEADER_LENGTH } from './icmp.ts';
import {
  ICMPV6_NEIGHBOR_ADVERTISEMENT,
  ICMPV6_NEIGHBOR_SOLICITATION,
  ICMPV6_REDIRECT,
  ICMPV6_ROUTER_ADVERTISEMENT,
  ICMPV6_ROUTER_SOLICITATION,
  icmpv6Code,
  icmpv6Type,
  icmpv6VerifyChecksum,
} from './icmpv6.ts';
import {
  IPV6_HEADER_LENGTH,
  IPV6_PROTOCOL_ICMP,
  ipv6Destination,
  ipv6HopLimit,
  ipv6IsValid,
  ipv6NextHeader,
  ipv6PayloadLength,
  ipv6Source,
} from './ipv6.ts';

// From RFC 4861 4.

/** A router on the path would have lowered it, so the sender is on the link. */
export const ND_HOP_LIMIT = 255;

export const ND_MESSAGE = IPV6_HEADER_LENGTH;
/** Flags and the reserved word of the neighbour messages. */
export const ND_FLAGS = ND_MESSAGE + 4;
export const ND_TARGET = ND_MESSAGE + ICMP_HEADER_LENGTH;
const REDIRECTED = ND_TARGET + 16;

export const ND_FLAG_ROUTER = 0x80;
export const ND_FLAG_SOLICITED = 0x40;
export const ND_FLAG_OVERRIDE = 0x20;

/** Bytes of each message before its options. */
const HEAD_LENGTHS: Readonly<Record<number, number>> = {
  [ICMPV6_ROUTER_SOLICITATION]: 8,
  [ICMPV6_ROUTER_ADVERTISEMENT]: 16,
  [ICMPV6_NEIGHBOR_SOLICITATION]: 24,
  [ICMPV6_NEIGHBOR_ADVERTISEMENT]: 24,
  [ICMPV6_REDIRECT]: 40,
};

// From RFC 4861 4.2.

const ROUTER_HOP_LIMIT = ND_MESSAGE + 4;
const ROUTER_FLAGS = ROUTER_HOP_LIMIT + 1;
const ROUTER_LIFETIME = ROUTER_FLAGS + 1;
const ROUTER_REACHABLE = ROUTER_LIFETIME + 2;
const ROUTER_RETRANSMIT = ROUTER_REACHABLE + 4;
const FLAG_MANAGED = 0x80;
const FLAG_OTHER = 0x40;

// From RFC 4861 4.6; the nonce from RFC 3971 5.3.2.

export const ND_OPTION_UNIT = 8;
export const ND_OPTION_SOURCE_MAC = 1;
export const ND_OPTION_TARGET_MAC = 2;
const OPTION_PREFIX = 3;
const OPTION_MTU = 5;
export const ND_OPTION_NONCE = 14;

const PREFIX_LENGTH = 2;
const PREFIX_FLAGS = 3;
const PREFIX_VALID = 4;
const PREFIX_PREFERRED = 8;
const PREFIX_ADDRESS = 16;
const PREFIX_UNITS = 4;
const FLAG_ON_LINK = 0x80;
const FLAG_AUTONOMOUS = 0x40;

/** Why a packet is no neighbour discovery that may be acted on; each is a drop reason. */
export type NdFault =
  | 'nd_malformed' /* lengths, type, code or options */
  | 'nd_extension_header' /* fragmented, or another header in front (RFC 6980) */
  | 'nd_bad_hop_limit' /* not 255: it comes from another link */
  | 'nd_checksum'
  | 'nd_martian' /* an address that may not be where it is */
  | 'nd_bad_sender'; /* a MAC that no station has */

/** What all messages have. */
export interface NdEnds {
  /** The IPv6 addresses of the packet. */
  source: Ipv6;
  destination: Ipv6;
}

/** The question for the MAC of `target`; with an unspecified source, whether anyone has it. */
export interface NdSolicitation extends NdEnds {
  target: Ipv6;
  sourceMac: Mac | undefined;
  /** 48 bits, by which a sender knows its own question (RFC 7527 4.1). */
  nonce: bigint | undefined;
}

export interface NdAdvertisement extends NdEnds {
  target: Ipv6;
  isRouter: boolean;
  /** An answer to a solicitation of the one that receives it. */
  isSolicited: boolean;
  /** `targetMac` replaces what is known. */
  isOverride: boolean;
  targetMac: Mac | undefined;
}

export interface NdRouterSolicitation extends NdEnds {
  sourceMac: Mac | undefined;
}

export interface NdRouterAdvertisement extends NdEnds {
  /** For the packets of hosts; 0: not given, as in the two times below. */
  hopLimit: number;
  /** Addresses, or other settings, are to be had by DHCPv6. */
  isManaged: boolean;
  isOther: boolean;
  /** Of the router as a default router; 0: it is none. */
  lifetimeS: number;
  reachableMs: number;
  retransmitMs: number;
  sourceMac: Mac | undefined;
  mtu: number | undefined;
  prefixes: NdPrefix[];
}

/** RFC 4861 4.6.2; lifetimes of 0xffffffff seconds are infinite. */
export interface NdPrefix {
  prefix: Ipv6;
  prefixLength: number;
  isOnLink: boolean;
  isAutonomous: boolean;
  validS: number;
  preferredS: number;
}

/** Packets for `redirected` are to be sent to `target`. */
export interface NdRedirect extends NdEnds {
  target: Ipv6;
  redirected: Ipv6;
  targetMac: Mac | undefined;
}

/** Which of the five messages it is: ICMPV6_ROUTER_SOLICITATION to ICMPV6_REDIRECT. */
export function ndType(bytes: Uint8Array, header: number): number {
  return icmpv6Type(bytes, header + ND_MESSAGE);
}

/**
 * The first rule that the packet of `length` bytes at `header` breaks; undefined if it is neighbour
 * discovery that a node may act on. Any bytes may be given. The packet is bounded, and each option
 * is read twice at most, so the time is bounded too.
 */
export function ndRefusal(bytes: Uint8Array, header: number, length: number): NdFault | undefined {
  if (!ipv6IsValid(bytes, header, length)) return 'nd_malformed';
  if (ipv6NextHeader(bytes, header) !== IPV6_PROTOCOL_ICMP) return 'nd_extension_header';
  const messageLength = ipv6PayloadLength(bytes, header);
  const message = header + ND_MESSAGE;
  if (messageLength < ICMP_HEADER_LENGTH) return 'nd_malformed';
  const headLength = HEAD_LENGTHS[icmpv6Type(bytes, message)];
  if (headLength === undefined || messageLength < headLength) return 'nd_malformed';
  if (icmpv6Code(bytes, message) !== 0) return 'nd_malformed';
  if (ipv6HopLimit(bytes, header) !== ND_HOP_LIMIT) return 'nd_bad_hop_limit';
  if (!icmpv6VerifyChecksum(bytes, message, messageLength, header)) return 'nd_checksum';
  return optionsFault(bytes, header) ?? addressesFault(bytes, header);
}

/** Options are whole, of non-zero length, and the MAC in one is that of a station. */
function optionsFault(bytes: Uint8Array, header: number): NdFault | undefined {
  const end = packetEnd(bytes, header);
  let place = firstOption(bytes, header);
  while (place < end) {
    if (place + ND_OPTION_UNIT > end) return 'nd_malformed';
    const length = optionLength(bytes, place);
    if (length === 0 || place + length > end) return 'nd_malformed';
    const type = bytes[place]!;
    if (type === ND_OPTION_SOURCE_MAC || type === ND_OPTION_TARGET_MAC) {
      if (length !== ND_OPTION_UNIT) return 'nd_malformed'; // RFC 2464 6
      const mac = macRead(bytes, place + 2);
      if (mac === 0 || macIsGroup(mac)) return 'nd_bad_sender';
    }
    place += length;
  }
  return undefined;
}

/** The rules of each message about addresses, and that one station sent it. */
function addressesFault(bytes: Uint8Array, header: number): NdFault | undefined {
  const source = ipv6Source(bytes, header);
  const isUnicast = ipv6IsUnicast(source);
  switch (ndType(bytes, header)) {
    case ICMPV6_ROUTER_SOLICITATION:
      return isUnicast || isUnspecified(bytes, header, source) ? undefined : 'nd_martian';
    case ICMPV6_NEIGHBOR_SOLICITATION: {
      const isQuestion = isUnicast || isDetection(bytes, header, source);
      return isQuestion && hasUnicastTarget(bytes, header) ? undefined : 'nd_martian';
    }
    case ICMPV6_NEIGHBOR_ADVERTISEMENT: {
      const isAnswer = (bytes[header + ND_FLAGS]! & ND_FLAG_SOLICITED) !== 0;
      const isToAll = ipv6IsMulticast(ipv6Destination(bytes, header));
      const isRight = isUnicast && !(isAnswer && isToAll);
      return isRight && hasUnicastTarget(bytes, header) ? undefined : 'nd_martian';
    }
    case ICMPV6_REDIRECT:
      return ipIsLinkLocal(source) && isRedirection(bytes, header) ? undefined : 'nd_martian';
    default: // ICMPV6_ROUTER_ADVERTISEMENT
      return ipIsLinkLocal(source) ? undefined : 'nd_martian';
  }
}

/** A sender without an address gives no MAC either: an answer to it would have no address. */
function isUnspecified(bytes: Uint8Array, header: number, source: Ipv6): boolean {
  return (
    source === IPV6_UNSPECIFIED && ndOptionMac(bytes, header, ND_OPTION_SOURCE_MAC) === undefined
  );
}

/** The question whether a station has an address already, which goes to the address's group. */
function isDetection(bytes: Uint8Array, header: number, source: Ipv6): boolean {
  const destination = ipv6Destination(bytes, header);
  return isUnspecified(bytes, header, source) && ipv6SolicitedNode(destination) === destination;
}

function hasUnicastTarget(bytes: Uint8Array, header: number): boolean {
  return ipv6IsUnicast(ipv6Read(bytes, header + ND_TARGET));
}

/** To a router of the link, or to the destination itself, which is on the link (RFC 4861 8.1). */
function isRedirection(bytes: Uint8Array, header: number): boolean {
  const target = ipv6Read(bytes, header + ND_TARGET);
  const redirected = ipv6Read(bytes, header + REDIRECTED);
  return ipv6IsUnicast(redirected) && (ipIsLinkLocal(target) || target === redirected);
}

/** The solicitation behind a gate that took it. */
export function ndSolicitationParse(bytes: Uint8Array, header: number): NdSolicitation {
  const nonce = findOption(bytes, header, ND_OPTION_NONCE, 1);
  return {
    ...endsParse(bytes, header),
    target: ipv6Read(bytes, header + ND_TARGET),
    sourceMac: ndOptionMac(bytes, header, ND_OPTION_SOURCE_MAC),
    nonce: nonce === 0 ? undefined : BigInt(macRead(bytes, nonce + 2)),
  };
}

export function ndAdvertisementParse(bytes: Uint8Array, header: number): NdAdvertisement {
  const flags = bytes[header + ND_FLAGS]!;
  return {
    ...endsParse(bytes, header),
    target: ipv6Read(bytes, header + ND_TARGET),
    isRouter: (flags & ND_FLAG_ROUTER) !== 0,
    isSolicited: (flags & ND_FLAG_SOLICITED) !== 0,
    isOverride: (flags & ND_FLAG_OVERRIDE) !== 0,
    targetMac: ndOptionMac(bytes, header, ND_OPTION_TARGET_MAC),
  };
}

export function ndRouterSolicitationParse(bytes: Uint8Array, header: number): NdRouterSolicitation {
  const sourceMac = ndOptionMac(bytes, header, ND_OPTION_SOURCE_MAC);
  return { ...endsParse(bytes, header), sourceMac };
}

export function ndRedirectParse(bytes: Uint8Array, header: number): NdRedirect {
  return {
    ...endsParse(bytes, header),
    target: ipv6Read(bytes, header + ND_TARGET),
    redirected: ipv6Read(bytes, header + REDIRECTED),
    targetMac: ndOptionMac(bytes, header, ND_OPTION_TARGET_MAC),
  };
}

export function ndRouterAdvertisementParse(
  bytes: Uint8Array,
  header: number,
): NdRouterAdvertisement {
  const flags = bytes[header + ROUTER_FLAGS]!;
  const mtu = findOption(bytes, header, OPTION_MTU, 1);
  return {
    ...endsParse(bytes, header),
    hopLimit: bytes[header + ROUTER_HOP_LIMIT]!,
    isManaged: (flags & FLAG_MANAGED) !== 0,
    isOther: (flags & FLAG_OTHER) !== 0,
    lifetimeS: readU16(bytes, header + ROUTER_LIFETIME),
    reachableMs: readU32(bytes, header + ROUTER_REACHABLE),
    retransmitMs: readU32(bytes, header + ROUTER_RETRANSMIT),
    sourceMac: ndOptionMac(bytes, header, ND_OPTION_SOURCE_MAC),
    mtu: mtu === 0 ? undefined : readU32(bytes, mtu + 4),
    prefixes: prefixesParse(bytes, header),
  };
}

function endsParse(bytes: Uint8Array, header: number): NdEnds {
  return { source: ipv6Source(bytes, header), destination: ipv6Destination(bytes, header) };
}

function prefixesParse(bytes: Uint8Array, header: number): NdPrefix[] {
  const prefixes: NdPrefix[] = [];
  let place = findOption(bytes, header, OPTION_PREFIX, PREFIX_UNITS);
  while (place !== 0) {
    const flags = bytes[place + PREFIX_FLAGS]!;
    prefixes.push({
      prefix: ipv6Read(bytes, place + PREFIX_ADDRESS),
      prefixLength: bytes[place + PREFIX_LENGTH]!,
      isOnLink: (flags & FLAG_ON_LINK) !== 0,
      isAutonomous: (flags & FLAG_AUTONOMOUS) !== 0,
      validS: readU32(bytes, place + PREFIX_VALID),
      preferredS: readU32(bytes, place + PREFIX_PREFERRED),
    });
    const next = place + optionLength(bytes, place);
    place = findOption(bytes, header, OPTION_PREFIX, PREFIX_UNITS, next);
  }
  return prefixes;
}

/** The MAC in the first option of `type`; undefined without one. */
export function ndOptionMac(bytes: Uint8Array, header: number, type: number): Mac | undefined {
  const place = findOption(bytes, header, type, 1);
  return place === 0 ? undefined : macRead(bytes, place + 2);
}

/** Place and length in bytes of each option. */
export function* ndOptionPlaces(
  bytes: Uint8Array,
  header: number,
): Iterable<readonly [place: number, length: number]> {
  const end = packetEnd(bytes, header);
  for (let place = firstOption(bytes, header); place < end; place += optionLength(bytes, place)) {
    yield [place, optionLength(bytes, place)];
  }
}

/** The place of the first option of `type` with `units` of length, from `from`; 0 without one. */
function findOption(
  bytes: Uint8Array,
  header: number,
  type: number,
  units: number,
  from = firstOption(bytes, header),
): number {
  const end = packetEnd(bytes, header);
  for (let place = from; place < end; place += optionLength(bytes, place)) {
    if (bytes[place] === type && bytes[place + 1] === units) return place;
  }
  return 0;
}

function firstOption(bytes: Uint8Array, header: number): number {
  return header + ND_MESSAGE + HEAD_LENGTHS[ndType(bytes, header)]!;
}

function packetEnd(bytes: Uint8Array, header: number): number {
  return header + IPV6_HEADER_LENGTH + ipv6PayloadLength(bytes, header);
}

/** In bytes. */
function optionLength(bytes: Uint8Array, place: number): number {
  return bytes[place + 1]! * ND_OPTION_UNIT;
}
