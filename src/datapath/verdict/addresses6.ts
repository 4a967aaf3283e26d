/** Questions about both addresses of a parsed IPv6 packet, of four words each. */

import { addressFind6 } from '../tables/lookup.ts';
import type { Packet } from './parse.ts';

/** True if both addresses are the same. */
export function hasSameAddresses6(packet: Packet): boolean {
  return (
    packet.source3 === packet.destination3 &&
    packet.source2 === packet.destination2 &&
    packet.source1 === packet.destination1 &&
    packet.source === packet.destination
  );
}

/** What the source address is to `group`, as addressFind answers. */
export function sourceFind6(
  words: Int32Array,
  table: number,
  group: number,
  packet: Packet,
): number {
  const { source, source1, source2, source3 } = packet;
  return addressFind6(words, table, group, source, source1, source2, source3);
}

/** What the destination address is to `group`. */
export function destinationFind6(
  words: Int32Array,
  table: number,
  group: number,
  packet: Packet,
): number {
  const { destination, destination1, destination2, destination3 } = packet;
  return addressFind6(words, table, group, destination, destination1, destination2, destination3);
}
