/**
 * The IPv4 header (RFC 791; the second byte as RFC 2474 and RFC 3168 use it).
 *
 *    0       1       2       3       4
 *   +-------+-------+-------+-------+
 *   |ver|ihl|  tos  |  total length |
 *   +-------+-------+-------+-------+
 *   | identification|flg| fragment  |
 *   +-------+-------+-------+-------+
 *   |  ttl  | proto |   checksum    |
 *   +-------+-------+-------+-------+
 *   |       source address          |
 *   +-------------------------------+
 *   |     destination address       |
 *   +-------------------------------+
 *   |  options, 0 .. 40 bytes       |
 *
 * `ipv4IsValid` is the gate: every accessor is safe behind it. The checksum is a separate
 * question, because a device may have answered it already.
 */

import { readI32, readU16, writeU16 } from '../base/bytes.ts';
import { IPV4_ADDRESS_LENGTH, type Ipv4, ipv4Read, ipv4Write } from './addr.ts';
import { checksumAdd, checksumComplement, checksumFold } from './checksum.ts';

// From RFC 791.

const VERSION_AND_LENGTH = 0;
const TYPE_OF_SERVICE = VERSION_AND_LENGTH + 1;
const TOTAL_LENGTH = TYPE_OF_SERVICE + 1;
const IDENTIFICATION = TOTAL_LENGTH + 2;
const FLAGS_AND_FRAGMENT = IDENTIFICATION + 2;
const TIME_TO_LIVE = FLAGS_AND_FRAGMENT + 2;
const PROTOCOL = TIME_TO_LIVE + 1;
const CHECKSUM = PROTOCOL + 1;
const SOURCE = CHECKSUM + 2;
const DESTINATION = SOURCE + IPV4_ADDRESS_LENGTH;
const OPTIONS = DESTINATION + IPV4_ADDRESS_LENGTH;

/** Bytes of a header without options. */
export const IPV4_HEADER_LENGTH_MIN = OPTIONS;

export const IPV4_PROTOCOL_ICMP = 1;
export const IPV4_PROTOCOL_IGMP = 2;
export const IPV4_PROTOCOL_TCP = 6;
export const IPV4_PROTOCOL_UDP = 17;

/** Flag in the fragment word: routers must not cut the datagram. */
export const IPV4_DONT_FRAGMENT = 0x4000;

const MORE_FRAGMENTS = 0x2000;
const FRAGMENT_OFFSET_MASK = 0x1fff;

const OPTION_END = 0;
const OPTION_NO_OPERATION = 1;
const OPTION_LOOSE_SOURCE_ROUTE = 131;
const OPTION_STRICT_SOURCE_ROUTE = 137;

/** The header in values. */
export interface Ipv4Header {
  typeOfService: number;
  /** Header, options and payload, in bytes. */
  totalLength: number;
  identification: number;
  /** Flags (three bits) and fragment offset as in the header. */
  fragment: number;
  timeToLive: number;
  protocol: number;
  source: Ipv4;
  destination: Ipv4;
  /** Options as they are, a multiple of four bytes, at most 40. */
  options: Uint8Array;
}

/** True if a whole datagram lies within `length` bytes from `offset`; padding may follow. */
export function ipv4IsValid(bytes: Uint8Array, offset: number, length: number): boolean {
  if (length < IPV4_HEADER_LENGTH_MIN || offset + length > bytes.length) return false;
  if (bytes[offset]! >> 4 !== 4) return false;
  const headerLength = ipv4HeaderLength(bytes, offset);
  const totalLength = ipv4TotalLength(bytes, offset);
  return (
    headerLength >= IPV4_HEADER_LENGTH_MIN && totalLength >= headerLength && totalLength <= length
  );
}

/** Bytes before the payload. */
export function ipv4HeaderLength(bytes: Uint8Array, offset: number): number {
  return (bytes[offset + VERSION_AND_LENGTH]! & 0x0f) * 4;
}

export function ipv4TypeOfService(bytes: Uint8Array, offset: number): number {
  return bytes[offset + TYPE_OF_SERVICE]!;
}

/** Bytes of the datagram: header and payload. */
export function ipv4TotalLength(bytes: Uint8Array, offset: number): number {
  return readU16(bytes, offset + TOTAL_LENGTH);
}

export function ipv4Identification(bytes: Uint8Array, offset: number): number {
  return readU16(bytes, offset + IDENTIFICATION);
}

/** Flags and fragment offset as in the header. */
export function ipv4Fragment(bytes: Uint8Array, offset: number): number {
  return readU16(bytes, offset + FLAGS_AND_FRAGMENT);
}

/** True for every piece of a fragmented datagram, the first one too. */
export function ipv4IsFragment(bytes: Uint8Array, offset: number): boolean {
  return (ipv4Fragment(bytes, offset) & (MORE_FRAGMENTS | FRAGMENT_OFFSET_MASK)) !== 0;
}

/** True for every piece of a fragmented datagram but the first: no header follows the IPv4 one. */
export function ipv4IsLaterFragment(bytes: Uint8Array, offset: number): boolean {
  return (ipv4Fragment(bytes, offset) & FRAGMENT_OFFSET_MASK) !== 0;
}

export function ipv4TimeToLive(bytes: Uint8Array, offset: number): number {
  return bytes[offset + TIME_TO_LIVE]!;
}

export function ipv4Protocol(bytes: Uint8Array, offset: number): number {
  return bytes[offset + PROTOCOL]!;
}

export function ipv4Source(bytes: Uint8Array, offset: number): Ipv4 {
  return ipv4Read(bytes, offset + SOURCE);
}

export function ipv4Destination(bytes: Uint8Array, offset: number): Ipv4 {
  return ipv4Read(bytes, offset + DESTINATION);
}

/** The source address as a signed word, for code that runs per frame (see readI32). */
export function ipv4SourceWord(bytes: Uint8Array, offset: number): number {
  return readI32(bytes, offset + SOURCE);
}

/** The destination address as a signed word. */
export function ipv4DestinationWord(bytes: Uint8Array, offset: number): number {
  return readI32(bytes, offset + DESTINATION);
}

/** True if the header's checksum is right. */
export function ipv4VerifyChecksum(bytes: Uint8Array, offset: number): boolean {
  return checksumFold(checksumAdd(0, bytes, offset, ipv4HeaderLength(bytes, offset))) === 0xffff;
}

/** Computes and writes the header's checksum. */
export function ipv4FillChecksum(bytes: Uint8Array, offset: number): void {
  writeU16(bytes, offset + CHECKSUM, 0);
  const sum = checksumAdd(0, bytes, offset, ipv4HeaderLength(bytes, offset));
  writeU16(bytes, offset + CHECKSUM, checksumComplement(sum));
}

/** What the options of a header amount to. */
export type Ipv4Options =
  | 'plain' /* none, or nothing that steers the datagram */
  | 'source-route' /* one asks for source routing, loose or strict */
  | 'malformed'; /* they cannot be walked to their end; every host refuses such a header */

/** Walks the options of a valid header (RFC 791 3.1), as far as the first that steers or fails. */
export function ipv4Options(bytes: Uint8Array, offset: number): Ipv4Options {
  const end = offset + ipv4HeaderLength(bytes, offset);
  let place = offset + OPTIONS;
  while (place < end) {
    const option = bytes[place]!;
    if (option === OPTION_END) return 'plain';
    if (option === OPTION_NO_OPERATION) {
      place++;
      continue;
    }
    const length = place + 1 < end ? bytes[place + 1]! : 0;
    if (length < 2 || place + length > end) return 'malformed';
    if (option === OPTION_LOOSE_SOURCE_ROUTE || option === OPTION_STRICT_SOURCE_ROUTE) {
      return 'source-route';
    }
    place += length;
  }
  return 'plain';
}

/** The header as a record; the options are copied. The datagram must be valid. */
export function ipv4HeaderParse(bytes: Uint8Array, offset: number): Ipv4Header {
  return {
    typeOfService: ipv4TypeOfService(bytes, offset),
    totalLength: ipv4TotalLength(bytes, offset),
    identification: ipv4Identification(bytes, offset),
    fragment: ipv4Fragment(bytes, offset),
    timeToLive: ipv4TimeToLive(bytes, offset),
    protocol: ipv4Protocol(bytes, offset),
    source: ipv4Source(bytes, offset),
    destination: ipv4Destination(bytes, offset),
    options: bytes.slice(offset + OPTIONS, offset + ipv4HeaderLength(bytes, offset)),
  };
}

/** Writes the whole header at `offset`, with its checksum. */
export function ipv4HeaderEmit(bytes: Uint8Array, offset: number, header: Ipv4Header): void {
  const headerLength = OPTIONS + header.options.length;
  bytes[offset + VERSION_AND_LENGTH] = (4 << 4) | (headerLength >> 2);
  bytes[offset + TYPE_OF_SERVICE] = header.typeOfService;
  writeU16(bytes, offset + TOTAL_LENGTH, header.totalLength);
  writeU16(bytes, offset + IDENTIFICATION, header.identification);
  writeU16(bytes, offset + FLAGS_AND_FRAGMENT, header.fragment);
  bytes[offset + TIME_TO_LIVE] = header.timeToLive;
  bytes[offset + PROTOCOL] = header.protocol;
  ipv4Write(bytes, offset + SOURCE, header.source);
  ipv4Write(bytes, offset + DESTINATION, header.destination);
  bytes.set(header.options, offset + OPTIONS);
  ipv4FillChecksum(bytes, offset);
}
