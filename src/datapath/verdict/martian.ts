/**
 * Addresses that may not be in a datagram on a network (RFC 1122 3.2.1.3, RFC 4291 2.5 and 2.7),
 * for both directions. Documentation prefixes pass: they route like any other and laboratories use
 * them.
 */

import { ipv4IsLoopback, ipv4IsUnicast } from '../../wire/addr.ts';
import type { Packet } from './parse.ts';

// From RFC 4291, in words of 32 bits.

/** First byte of ff00::/8. */
const MULTICAST = 0xff;
const SCOPE_INTERFACE = 1;
/** Third word of ::ffff:0:0/96. */
const MAPPED = 0xffff;
/** Last word of ::1. */
const LOOPBACK = 1;

/**
 * True if `address` (a signed word) may not be a source. A host without an address yet (DHCP) and a
 * querier (RFC 4541) send from 0.0.0.0, and only to all or to a group.
 */
export function sourceIsMartian(address: number, isGroupFrame: boolean): boolean {
  return !ipv4IsUnicast(address) && (address !== 0 || !isGroupFrame);
}

/** True if `address` (a signed word) may not be a destination. */
export function destinationIsMartian(address: number): boolean {
  return address === 0 || ipv4IsLoopback(address);
}

/**
 * True if the source of an IPv6 packet may not be one: a group, loopback, or an IPv4 address in
 * IPv6 form, which is for use within a program. A host that detects duplicates sends from `::`
 * (RFC 4862 5.4.2), and only to groups.
 */
export function sourceIsMartian6(packet: Packet): boolean {
  const { source, source1, source2, source3 } = packet;
  if (source >>> 24 === MULTICAST) return true;
  if (source !== 0 || source1 !== 0) return false;
  if (source2 === MAPPED) return true;
  if (source2 !== 0) return false;
  return source3 === 0 ? packet.destination >>> 24 !== MULTICAST : source3 === LOOPBACK;
}

/**
 * True if the destination of an IPv6 packet may not be one: `::`, loopback, an IPv4 address in IPv6
 * form, or a group that no link has (scopes 0, reserved, and 1, of the interface alone).
 */
export function destinationIsMartian6(packet: Packet): boolean {
  const { destination, destination1, destination2, destination3 } = packet;
  if (destination >>> 24 === MULTICAST) return ((destination >>> 16) & 0x0f) <= SCOPE_INTERFACE;
  if (destination !== 0 || destination1 !== 0) return false;
  return destination2 === MAPPED || (destination2 === 0 && destination3 >>> 0 <= LOOPBACK);
}
