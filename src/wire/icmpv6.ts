/**
 * ICMP for IPv6 (RFC 4443): its types and its checksum, which covers the addresses of the IPv6
 * header. The header is that of ICMP for IPv4 (icmp.ts), whose `icmpIdentifier`, `icmpSequence`
 * and `icmpParse` read echo of both families.
 *
 * `icmpv6IsValid` is the gate: every accessor is safe behind it. In all functions `header` is the
 * place of the IPv6 header and `offset` that of the message behind it and its extension headers.
 */

import { writeU16 } from '../base/bytes.ts';
import {
  checksumAdd,
  checksumComplement,
  checksumFold,
  checksumPseudoHeaderIpv6,
} from './checksum.ts';
import {
  ICMP_CHECKSUM_OFFSET,
  ICMP_HEADER_LENGTH,
  type IcmpMessage,
  icmpCode,
  icmpIsValid,
  icmpType,
  icmpWrite,
} from './icmp.ts';
import { IPV6_PROTOCOL_ICMP } from './ipv6.ts';

// RFC 4443 3: errors.
export const ICMPV6_DESTINATION_UNREACHABLE = 1;
export const ICMPV6_PACKET_TOO_BIG = 2;
export const ICMPV6_TIME_EXCEEDED = 3;
export const ICMPV6_PARAMETER_PROBLEM = 4;
// RFC 4443 4: echo.
export const ICMPV6_ECHO_REQUEST = 128;
export const ICMPV6_ECHO_REPLY = 129;
// RFC 2710 3, RFC 3810 5: multicast listener discovery.
export const ICMPV6_MLD_QUERY = 130;
export const ICMPV6_MLDV1_REPORT = 131;
export const ICMPV6_MLDV1_DONE = 132;
export const ICMPV6_MLDV2_REPORT = 143;
// RFC 4861 4: neighbour discovery.
export const ICMPV6_ROUTER_SOLICITATION = 133;
export const ICMPV6_ROUTER_ADVERTISEMENT = 134;
export const ICMPV6_NEIGHBOR_SOLICITATION = 135;
export const ICMPV6_NEIGHBOR_ADVERTISEMENT = 136;
export const ICMPV6_REDIRECT = 137;

/** True if a whole header lies within `length` bytes from `offset`. */
export function icmpv6IsValid(bytes: Uint8Array, offset: number, length: number): boolean {
  return icmpIsValid(bytes, offset, length);
}

export function icmpv6Type(bytes: Uint8Array, offset: number): number {
  return icmpType(bytes, offset);
}

export function icmpv6Code(bytes: Uint8Array, offset: number): number {
  return icmpCode(bytes, offset);
}

/** True for the five messages of neighbour discovery (RFC 4861 4). */
export function icmpv6IsNeighborDiscovery(type: number): boolean {
  return type >= ICMPV6_ROUTER_SOLICITATION && type <= ICMPV6_REDIRECT;
}

/** True for queries, reports and leaves of multicast listeners, of either version. */
export function icmpv6IsMld(type: number): boolean {
  return (type >= ICMPV6_MLD_QUERY && type <= ICMPV6_MLDV1_DONE) || type === ICMPV6_MLDV2_REPORT;
}

/** True if the checksum of the message of `length` bytes is right (RFC 4443 2.3). */
export function icmpv6VerifyChecksum(
  bytes: Uint8Array,
  offset: number,
  length: number,
  header: number,
): boolean {
  return checksumFold(messageSum(bytes, offset, length, header)) === 0xffff;
}

/** Computes and writes the checksum; both addresses must be in the IPv6 header already. */
export function icmpv6FillChecksum(
  bytes: Uint8Array,
  offset: number,
  length: number,
  header: number,
): void {
  const place = offset + ICMP_CHECKSUM_OFFSET;
  writeU16(bytes, place, 0);
  writeU16(bytes, place, checksumComplement(messageSum(bytes, offset, length, header)));
}

/** Writes the whole message with its checksum; the IPv6 header must be there already. */
export function icmpv6Emit(
  bytes: Uint8Array,
  offset: number,
  message: IcmpMessage,
  header: number,
): void {
  icmpWrite(bytes, offset, message);
  icmpv6FillChecksum(bytes, offset, ICMP_HEADER_LENGTH + message.data.length, header);
}

function messageSum(bytes: Uint8Array, offset: number, length: number, header: number): number {
  const start = checksumPseudoHeaderIpv6(bytes, header, IPV6_PROTOCOL_ICMP, length);
  return checksumAdd(start, bytes, offset, length);
}
