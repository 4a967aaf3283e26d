/**
 * ICMP for IPv4 (RFC 792): the header all messages share, and echo. ICMPv6 has the same header
 * (RFC 4443 2.1, 4.1); its types and its checksum are in icmpv6.ts.
 *
 *    0       1       2       3       4
 *   +-------+-------+-------+-------+
 *   | type  | code  |   checksum    |
 *   +-------+-------+-------+-------+
 *   |  identifier   |   sequence    |   echo; other types use the two words otherwise
 *   +-------+-------+-------+-------+
 *   |  data ...
 */

import { readU16, writeU16 } from '../base/bytes.ts';
import { checksumAdd, checksumComplement, checksumFold } from './checksum.ts';

// From RFC 792.

const TYPE = 0;
const CODE = TYPE + 1;
/** Place of the checksum within the header. */
export const ICMP_CHECKSUM_OFFSET = CODE + 1;
const IDENTIFIER = ICMP_CHECKSUM_OFFSET + 2;
const SEQUENCE = IDENTIFIER + 2;

/** Bytes before the data. */
export const ICMP_HEADER_LENGTH = SEQUENCE + 2;

export const ICMP_ECHO_REPLY = 0;
export const ICMP_DESTINATION_UNREACHABLE = 3;
export const ICMP_REDIRECT = 5;
export const ICMP_ECHO_REQUEST = 8;
export const ICMP_TIME_EXCEEDED = 11;

/** A message in values. Types other than echo use `identifier` and `sequence` otherwise. */
export interface IcmpMessage {
  type: number;
  code: number;
  identifier: number;
  sequence: number;
  data: Uint8Array;
}

/** True if a whole header lies within `length` bytes from `offset`. */
export function icmpIsValid(bytes: Uint8Array, offset: number, length: number): boolean {
  return length >= ICMP_HEADER_LENGTH && offset + length <= bytes.length;
}

export function icmpType(bytes: Uint8Array, offset: number): number {
  return bytes[offset + TYPE]!;
}

export function icmpCode(bytes: Uint8Array, offset: number): number {
  return bytes[offset + CODE]!;
}

export function icmpIdentifier(bytes: Uint8Array, offset: number): number {
  return readU16(bytes, offset + IDENTIFIER);
}

export function icmpSequence(bytes: Uint8Array, offset: number): number {
  return readU16(bytes, offset + SEQUENCE);
}

/** True if the checksum of the message of `length` bytes is right. */
export function icmpVerifyChecksum(bytes: Uint8Array, offset: number, length: number): boolean {
  return checksumFold(checksumAdd(0, bytes, offset, length)) === 0xffff;
}

/** Computes and writes the checksum of the message of `length` bytes. */
export function icmpFillChecksum(bytes: Uint8Array, offset: number, length: number): void {
  const place = offset + ICMP_CHECKSUM_OFFSET;
  writeU16(bytes, place, 0);
  writeU16(bytes, place, checksumComplement(checksumAdd(0, bytes, offset, length)));
}

/** The message of `length` bytes as a record; the data are copied. It must be valid. */
export function icmpParse(bytes: Uint8Array, offset: number, length: number): IcmpMessage {
  return {
    type: icmpType(bytes, offset),
    code: icmpCode(bytes, offset),
    identifier: icmpIdentifier(bytes, offset),
    sequence: icmpSequence(bytes, offset),
    data: bytes.slice(offset + ICMP_HEADER_LENGTH, offset + length),
  };
}

/** Writes the whole message at `offset`, with its checksum. */
export function icmpEmit(bytes: Uint8Array, offset: number, message: IcmpMessage): void {
  icmpWrite(bytes, offset, message);
  icmpFillChecksum(bytes, offset, ICMP_HEADER_LENGTH + message.data.length);
}

/** Writes all of the message but its checksum, which the two families compute differently. */
export function icmpWrite(bytes: Uint8Array, offset: number, message: IcmpMessage): void {
  bytes[offset + TYPE] = message.type;
  bytes[offset + CODE] = message.code;
  writeU16(bytes, offset + IDENTIFIER, message.identifier);
  writeU16(bytes, offset + SEQUENCE, message.sequence);
  bytes.set(message.data, offset + ICMP_HEADER_LENGTH);
}
