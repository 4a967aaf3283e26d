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
  const { sourceMix, source: a, source1: b, source2: c, source3: d } = packet;
  return addressFind6(words, table, group, sourceMix, a, b, c, d);
}

/** What the destination address is to `group`. */
export function destinationFind6(
  words: Int32Array,
  table: number,
  group: number,
  packet: Packet,
): number {
  const { destinationMix, destination: a, destination1: b } = packet;
  const { destination2: c, destination3: d } = packet;
  return addressFind6(words, table, group, destinationMix, a, b, c, d);
}
