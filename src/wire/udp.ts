/**
 * UDP (RFC 768; checksum rules of RFC 1122 4.1.3.4 for IPv4, of RFC 8200 8.1 for IPv6).
 *
 *    0               2               4
 *   +---------------+---------------+
 *   |  source port  |  dest. port   |
 *   +---------------+---------------+
 *   |    length     |   checksum    |   checksum 0: none was computed (IPv4)
 *   +---------------+---------------+
 *   |  data ...
 */

import { readU16, writeU16 } from '../base/bytes.ts';
import type { Ipv4 } from './addr.ts';
import {
  checksumAdd,
  checksumFold,
  checksumPseudoHeader,
  checksumPseudoHeaderIpv6,
} from './checksum.ts';
import { IPV4_PROTOCOL_UDP } from './ipv4.ts';

// From RFC 768.

const SOURCE_PORT = 0;
const DESTINATION_PORT = SOURCE_PORT + 2;
const LENGTH = DESTINATION_PORT + 2;

/** Place of the checksum within the header. */
export const UDP_CHECKSUM_OFFSET = LENGTH + 2;

/** Bytes before the data. */
export const UDP_HEADER_LENGTH = UDP_CHECKSUM_OFFSET + 2;

/** True if a whole datagram lies within `length` bytes from `offset`. */
export function udpIsValid(bytes: Uint8Array, offset: number, length: number): boolean {
  if (length < UDP_HEADER_LENGTH || offset + length > bytes.length) return false;
  const udpBytes = udpLength(bytes, offset);
  return udpBytes >= UDP_HEADER_LENGTH && udpBytes <= length;
}

export function udpSourcePort(bytes: Uint8Array, offset: number): number {
  return readU16(bytes, offset + SOURCE_PORT);
}

export function udpDestinationPort(bytes: Uint8Array, offset: number): number {
  return readU16(bytes, offset + DESTINATION_PORT);
}

/** Bytes of header and data. */
export function udpLength(bytes: Uint8Array, offset: number): number {
  return readU16(bytes, offset + LENGTH);
}

export function udpChecksum(bytes: Uint8Array, offset: number): number {
  return readU16(bytes, offset + UDP_CHECKSUM_OFFSET);
}

export function udpSetChecksum(bytes: Uint8Array, offset: number, checksum: number): void {
  writeU16(bytes, offset + UDP_CHECKSUM_OFFSET, checksum);
}

/** True over IPv4 if the checksum is right, or if the sender computed none. */
export function udpVerifyChecksum(
  bytes: Uint8Array,
  offset: number,
  source: Ipv4,
  destination: Ipv4,
): boolean {
  if (udpChecksum(bytes, offset) === 0) return true;
  const length = udpLength(bytes, offset);
  const start = checksumPseudoHeader(source, destination, IPV4_PROTOCOL_UDP, length);
  return checksumFold(checksumAdd(start, bytes, offset, length)) === 0xffff;
}

/** True over IPv6 if the checksum is right; there every sender computes one. */
export function udpVerifyChecksumIpv6(bytes: Uint8Array, offset: number, header: number): boolean {
  if (udpChecksum(bytes, offset) === 0) return false;
  const length = udpLength(bytes, offset);
  const start = checksumPseudoHeaderIpv6(bytes, header, IPV4_PROTOCOL_UDP, length);
  return checksumFold(checksumAdd(start, bytes, offset, length)) === 0xffff;
}
