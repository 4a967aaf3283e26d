/**
 * Addresses that may not stand in a datagram on a network (RFC 1122 3.2.1.3, RFC 6890), as one
 * table for both directions. Every forbidden prefix is decided by the first octet, so the look-up
 * is one load. Documentation prefixes pass: they route like any other and laboratories use them.
 */

/** A forbidden prefix of eight bits or less, and where it may not stand. */
interface Martian {
  readonly first: number;
  readonly last: number;
  readonly source: boolean;
  readonly destination: boolean;
}

const MARTIANS: readonly Martian[] = [
  { first: 0, last: 0, source: true, destination: true }, // "this network"
  { first: 127, last: 127, source: true, destination: true }, // loopback
  { first: 224, last: 239, source: true, destination: false }, // multicast
  { first: 240, last: 255, source: true, destination: true }, // reserved, limited broadcast
];

const SOURCE = 1;
const DESTINATION = 2;

/** Limited broadcast as a signed word. */
const BROADCAST = -1;

/** Bits SOURCE and DESTINATION by first octet. */
const FORBIDDEN = new Uint8Array(256);

for (const { first, last, source, destination } of MARTIANS) {
  FORBIDDEN.fill((source ? SOURCE : 0) | (destination ? DESTINATION : 0), first, last + 1);
}

/**
 * True if `address` (a signed word) may not be a source. A host without an address yet (DHCP) and a
 * querier (RFC 4541) send from 0.0.0.0, and only to all or to a group.
 */
export function sourceIsMartian(address: number, isGroupFrame: boolean): boolean {
  if ((FORBIDDEN[address >>> 24]! & SOURCE) === 0) return false;
  return address !== 0 || !isGroupFrame;
}

/** True if `address` (a signed word) may not be a destination; limited broadcast may. */
export function destinationIsMartian(address: number): boolean {
  return (FORBIDDEN[address >>> 24]! & DESTINATION) !== 0 && address !== BROADCAST;
}
