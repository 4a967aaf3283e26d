/**
 * The Internet checksum: the sum (RFC 1071), and its update when one word changes (RFC 1624,
 * equation 3). A sum under way is a plain integer that grows; it is folded once at the end.
 */

import { readU16 } from '../base/bytes.ts';
import type { Ipv4 } from './addr.ts';

// From RFC 8200 3.

/** Place of the source address in an IPv6 header, and bytes of both addresses. */
const IPV6_ADDRESSES = 8;
const IPV6_ADDRESSES_LENGTH = 32;

/**
 * Adds `length` bytes from `offset` to `sum`, as 16-bit words; an odd last byte counts as the
 * high half of a word. Pieces of one message must therefore have even lengths, but the last.
 */
export function checksumAdd(
  sum: number,
  bytes: Uint8Array,
  offset: number,
  length: number,
): number {
  let total = sum;
  const end = offset + (length & ~1);
  for (let i = offset; i < end; i += 2) total += readU16(bytes, i);
  if ((length & 1) !== 0) total += bytes[end]! << 8;
  return total;
}

/** Folds the carries of `sum` into 16 bits. A message with a right checksum gives 0xffff. */
export function checksumFold(sum: number): number {
  let folded = sum;
  while (folded > 0xffff) folded = (folded % 0x10000) + Math.floor(folded / 0x10000);
  return folded;
}

/** What is written into the checksum field: the complement of the folded sum. */
export function checksumComplement(sum: number): number {
  return ~checksumFold(sum) & 0xffff;
}

/** The checksum `check` after the message's word `oldWord` has become `newWord`. */
export function checksumUpdate(check: number, oldWord: number, newWord: number): number {
  return checksumComplement((~check & 0xffff) + (~oldWord & 0xffff) + newWord);
}

/** The sum of the pseudo-header before a UDP or TCP segment of `length` bytes (RFC 768). */
export function checksumPseudoHeader(
  source: Ipv4,
  destination: Ipv4,
  protocol: number,
  length: number,
): number {
  const addresses =
    (source >>> 16) + (source & 0xffff) + (destination >>> 16) + (destination & 0xffff);
  return addresses + protocol + length;
}

/**
 * The sum of the pseudo-header before a message of `length` bytes with the number `nextHeader`
 * (RFC 8200 8.1). Source and destination are taken from the IPv6 header at `header`, where they
 * are adjacent.
 */
export function checksumPseudoHeaderIpv6(
  bytes: Uint8Array,
  header: number,
  nextHeader: number,
  length: number,
): number {
  return checksumAdd(nextHeader + length, bytes, header + IPV6_ADDRESSES, IPV6_ADDRESSES_LENGTH);
}
