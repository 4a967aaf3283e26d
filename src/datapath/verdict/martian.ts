/**
 * Addresses that may not be in a datagram on a network (RFC 1122 3.2.1.3), for both directions.
 * Documentation prefixes pass: they route like any other and laboratories use them.
 */

import { ipv4IsLoopback, ipv4IsUnicast } from '../../wire/addr.ts';

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
