/**
 * The IPv6 header and the headers that may follow it (RFC 8200).
 *
 *    0       1       2       3       4
 *   +-------+-------+-------+-------+
 *   |ver|traffic|     flow label    |
 *   +-------+-------+-------+-------+
 *   | payload length| next  |hop lim|
 *   +-------+-------+-------+-------+
 *   |   source address, 16 bytes    |
 *   +-------------------------------+
 *   | destination address, 16 bytes |
 *   +-------------------------------+
 *   |  extension headers, payload   |
 *
 * `ipv6IsValid` is the gate: every accessor is safe behind it. `ipv6Walk` finds the payload behind
 * the extension headers, with a bound on their number, and without an allocation.
 */

import { readI32, readU16, writeU16, writeU32 } from '../base/bytes.ts';
import { IPV6_ADDRESS_LENGTH, type Ipv6, ipv6Read, ipv6Write } from './addr.ts';

// From RFC 8200 3.

const PAYLOAD_LENGTH = 4;
const NEXT_HEADER = PAYLOAD_LENGTH + 2;
const HOP_LIMIT = NEXT_HEADER + 1;
const SOURCE = HOP_LIMIT + 1;
const DESTINATION = SOURCE + IPV6_ADDRESS_LENGTH;

/** Bytes of the fixed header. */
export const IPV6_HEADER_LENGTH = DESTINATION + IPV6_ADDRESS_LENGTH;

/** Extension headers (RFC 8200 4; the registry of protocol numbers). */
export const IPV6_HOP_BY_HOP = 0;
export const IPV6_ROUTING = 43;
export const IPV6_FRAGMENT = 44;
const IPV6_AUTHENTICATION = 51;
export const IPV6_DESTINATION_OPTIONS = 60;
/** Nothing follows (RFC 8200 4.7). */
export const IPV6_NO_NEXT_HEADER = 59;
export const IPV6_PROTOCOL_ICMP = 58;

/** Bytes of a fragment header (RFC 8200 4.5). */
export const IPV6_FRAGMENT_HEADER_LENGTH = 8;
const FRAGMENT_OFFSET_MASK = 0xfff8;
const MORE_FRAGMENTS = 0x0001;

/** The routing header that every node must refuse while segments are left (RFC 5095 3). */
const ROUTING_TYPE_SOURCE = 0;
/** In a routing header: its type, and then how many segments are left. */
const ROUTING_TYPE = 2;
const SEGMENTS_LEFT = ROUTING_TYPE + 1;

// Ours
/** Extension headers of one packet: one of each kind, with the second destination options. */
export const EXTENSION_HEADERS_MAX = 8;

/** The header in values. */
export interface Ipv6Header {
  /** 8 bits: differentiated services and congestion (RFC 2474, RFC 3168). */
  trafficClass: number;
  /** 20 bits (RFC 6437). */
  flowLabel: number;
  /** What follows the header, extension headers included, in bytes. */
  payloadLength: number;
  nextHeader: number;
  hopLimit: number;
  source: Ipv6;
  destination: Ipv6;
}

/** What a walk finds; the caller owns one and gives it to each walk. */
export interface Ipv6Walk {
  /** The first header that is no extension header, or the one in the last that was read. */
  protocol: number;
  /** Where that header begins; in a later fragment: its piece of the payload. */
  offset: number;
  isFragment: boolean;
  /** A piece of a fragmented packet but the first: no header is at `offset`. */
  isLaterFragment: boolean;
  /** At least one extension header other than a fragment header is there. */
  hasExtensions: boolean;
  /** A routing header asks for source routing; one that is used up does not (RFC 5095). */
  hasSourceRoute: boolean;
}

/** An empty walk. */
export function ipv6WalkCreate(): Ipv6Walk {
  return {
    protocol: IPV6_NO_NEXT_HEADER,
    offset: 0,
    isFragment: false,
    isLaterFragment: false,
    hasExtensions: false,
    hasSourceRoute: false,
  };
}

/** True if a whole packet lies within `length` bytes from `offset`; padding may follow. */
export function ipv6IsValid(bytes: Uint8Array, offset: number, length: number): boolean {
  if (length < IPV6_HEADER_LENGTH || offset + length > bytes.length) return false;
  if (bytes[offset]! >> 4 !== 6) return false;
  return IPV6_HEADER_LENGTH + ipv6PayloadLength(bytes, offset) <= length;
}

export function ipv6TrafficClass(bytes: Uint8Array, offset: number): number {
  return (readU16(bytes, offset) >> 4) & 0xff;
}

/** 20 bits; 0 if the source gave the flow none (RFC 6437 2). */
export function ipv6FlowLabel(bytes: Uint8Array, offset: number): number {
  return readI32(bytes, offset) & 0xfffff;
}

/** Bytes after the fixed header. */
export function ipv6PayloadLength(bytes: Uint8Array, offset: number): number {
  return readU16(bytes, offset + PAYLOAD_LENGTH);
}

/** Bytes of the packet: header and payload. */
export function ipv6TotalLength(bytes: Uint8Array, offset: number): number {
  return IPV6_HEADER_LENGTH + ipv6PayloadLength(bytes, offset);
}

export function ipv6SetPayloadLength(bytes: Uint8Array, offset: number, length: number): void {
  writeU16(bytes, offset + PAYLOAD_LENGTH, length);
}

export function ipv6NextHeader(bytes: Uint8Array, offset: number): number {
  return bytes[offset + NEXT_HEADER]!;
}

export function ipv6HopLimit(bytes: Uint8Array, offset: number): number {
  return bytes[offset + HOP_LIMIT]!;
}

export function ipv6Source(bytes: Uint8Array, offset: number): Ipv6 {
  return ipv6Read(bytes, offset + SOURCE);
}

export function ipv6Destination(bytes: Uint8Array, offset: number): Ipv6 {
  return ipv6Read(bytes, offset + DESTINATION);
}

/** Word 0 to 3 of the source address as a signed number, for code that runs per frame. */
export function ipv6SourceWord(bytes: Uint8Array, offset: number, word: number): number {
  return readI32(bytes, offset + SOURCE + 4 * word);
}

/** Word 0 to 3 of the destination address as a signed number. */
export function ipv6DestinationWord(bytes: Uint8Array, offset: number, word: number): number {
  return readI32(bytes, offset + DESTINATION + 4 * word);
}

/**
 * Walks the extension headers of a valid packet into `walk`. False if they cannot be walked to
 * their end: one is cut off, they are too many, the hop-by-hop options are not the first, or a
 * first fragment does not have all of them (RFC 8200 4.1, RFC 7112).
 */
export function ipv6Walk(bytes: Uint8Array, offset: number, walk: Ipv6Walk): boolean {
  const end = offset + ipv6TotalLength(bytes, offset);
  walk.protocol = ipv6NextHeader(bytes, offset);
  walk.offset = offset + IPV6_HEADER_LENGTH;
  walk.isFragment = false;
  walk.isLaterFragment = false;
  walk.hasExtensions = false;
  walk.hasSourceRoute = false;
  for (let count = 0; count <= EXTENSION_HEADERS_MAX; count++) {
    if (walk.isLaterFragment || !isExtension(walk.protocol)) return true;
    if (!extensionStep(bytes, end, count, walk)) return false;
  }
  return false;
}

/** Steps over the extension header at `walk.offset`, the one of number `count`. */
function extensionStep(bytes: Uint8Array, end: number, count: number, walk: Ipv6Walk): boolean {
  const { protocol, offset } = walk;
  if (offset + 8 > end) return false;
  if (protocol === IPV6_HOP_BY_HOP && count > 0) return false;
  if (protocol === IPV6_FRAGMENT) {
    const fragment = readU16(bytes, offset + 2);
    walk.isFragment ||= (fragment & (FRAGMENT_OFFSET_MASK | MORE_FRAGMENTS)) !== 0;
    walk.isLaterFragment = (fragment & FRAGMENT_OFFSET_MASK) !== 0;
  } else {
    walk.hasExtensions = true;
  }
  if (protocol === IPV6_ROUTING && bytes[offset + ROUTING_TYPE] === ROUTING_TYPE_SOURCE) {
    walk.hasSourceRoute ||= bytes[offset + SEGMENTS_LEFT] !== 0;
  }
  walk.protocol = bytes[offset]!;
  walk.offset = offset + extensionLength(bytes, offset, protocol);
  return walk.offset <= end;
}

function isExtension(protocol: number): boolean {
  return (
    protocol === IPV6_HOP_BY_HOP ||
    protocol === IPV6_ROUTING ||
    protocol === IPV6_FRAGMENT ||
    protocol === IPV6_AUTHENTICATION ||
    protocol === IPV6_DESTINATION_OPTIONS
  );
}

/** RFC 8200 4.3 to 4.6; RFC 4302 2.2: an authentication header counts in words of 32 bits. */
function extensionLength(bytes: Uint8Array, offset: number, protocol: number): number {
  if (protocol === IPV6_FRAGMENT) return IPV6_FRAGMENT_HEADER_LENGTH;
  const units = bytes[offset + 1]!;
  return protocol === IPV6_AUTHENTICATION ? (units + 2) * 4 : (units + 1) * 8;
}

/** The header as a record. The packet must be valid. */
export function ipv6HeaderParse(bytes: Uint8Array, offset: number): Ipv6Header {
  return {
    trafficClass: ipv6TrafficClass(bytes, offset),
    flowLabel: ipv6FlowLabel(bytes, offset),
    payloadLength: ipv6PayloadLength(bytes, offset),
    nextHeader: ipv6NextHeader(bytes, offset),
    hopLimit: ipv6HopLimit(bytes, offset),
    source: ipv6Source(bytes, offset),
    destination: ipv6Destination(bytes, offset),
  };
}

/** Writes the whole fixed header at `offset`. */
export function ipv6HeaderEmit(bytes: Uint8Array, offset: number, header: Ipv6Header): void {
  writeU32(bytes, offset, (6 << 28) | (header.trafficClass << 20) | header.flowLabel);
  writeU16(bytes, offset + PAYLOAD_LENGTH, header.payloadLength);
  bytes[offset + NEXT_HEADER] = header.nextHeader;
  bytes[offset + HOP_LIMIT] = header.hopLimit;
  ipv6Write(bytes, offset + SOURCE, header.source);
  ipv6Write(bytes, offset + DESTINATION, header.destination);
}
