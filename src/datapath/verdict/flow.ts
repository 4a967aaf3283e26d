/**
 * Which member carries a frame: a hash of its flow, and rendezvous hashing over the members.
 *
 * Each member's score for a flow is a mix of the flow's hash and the member's own constant; the
 * highest score wins. A member that leaves takes only its own flows with it, and they spread evenly
 * over the others; one that comes back gets exactly those flows again. No state per flow is kept.
 *
 * All fragments of a datagram take one NIC, though only the first of them has ports: a fragment of
 * IPv4 is hashed by addresses and protocol alone. One of IPv6 is hashed by addresses alone: the
 * first may have more extension headers, and each its own next header (RFC 8200 4.5).
 *
 * A flow label of IPv6 takes the place of protocol and ports (RFC 6437 5.1). All fragments carry
 * it, so a flow with a label keeps its NIC, whatever part of it is fragmented. Linux gives a label
 * to each of its sockets, and another one when a connection must send again: so it tries another
 * way by itself.
 */

import { readI32 } from '../../base/bytes.ts';
import { MAX_GROUP_MEMBERS } from '../../model/limits.ts';
import { ETHERTYPE_IPV6 } from '../../wire/ethernet.ts';
import { IPV4_PROTOCOL_TCP, IPV4_PROTOCOL_UDP } from '../../wire/ipv4.ts';
import { mix, mixInto } from '../tables/hash.ts';
import type { Packet } from './parse.ts';

// From the protocol number registry: what else begins with two 16-bit ports.
const IPV4_PROTOCOL_DCCP = 33;
const IPV4_PROTOCOL_SCTP = 132;
const IPV4_PROTOCOL_UDP_LITE = 136;

const PORTS_LENGTH = 4;

/** A constant for each member ordinal. */
const MEMBER_CONSTANTS = Int32Array.from({ length: MAX_GROUP_MEMBERS }, (_, ordinal) =>
  mixInto(MAX_GROUP_MEMBERS, ordinal),
);

/** Hash of the flow of `packet`: addresses, and its flow label, or protocol and ports. */
export function flowHash(packet: Packet, bytes: Uint8Array): number {
  if (packet.ethertype === ETHERTYPE_IPV6) return flowHash6(packet, bytes);
  const hash = mixInto(mixInto(packet.source, packet.destination), packet.protocol);
  return packet.isFragment ? hash : portsInto(hash, packet, bytes);
}

/** Hash of the destination address of `packet`. */
export function destinationHash(packet: Packet): number {
  return packet.ethertype === ETHERTYPE_IPV6 ? packet.destinationMix : mix(packet.destination);
}

function flowHash6(packet: Packet, bytes: Uint8Array): number {
  const hash = mixInto(packet.sourceMix, packet.destinationMix);
  if (packet.flowLabel !== 0) return mixInto(hash, packet.flowLabel);
  return packet.isFragment ? hash : portsInto(mixInto(hash, packet.protocol), packet, bytes);
}

/** Both ports, if the protocol has some and they are there. */
function portsInto(hash: number, packet: Packet, bytes: Uint8Array): number {
  const { transport } = packet;
  if (!hasPorts(packet.protocol)) return hash;
  if (packet.network + packet.length < transport + PORTS_LENGTH) return hash;
  return mixInto(hash, readI32(bytes, transport));
}

/**
 * The member with the highest score for `hash` among the ordinals set in `low` (0..31) and `high`
 * (32..63); -1 if none is set.
 */
export function memberPick(hash: number, low: number, high: number): number {
  let best = -1;
  let bestScore = -1;
  for (let bits = low; bits !== 0; bits &= bits - 1) {
    const ordinal = 31 - Math.clz32(bits & -bits);
    const score = mix(hash ^ MEMBER_CONSTANTS[ordinal]!) >>> 0;
    if (score > bestScore) {
      bestScore = score;
      best = ordinal;
    }
  }
  for (let bits = high; bits !== 0; bits &= bits - 1) {
    const ordinal = 63 - Math.clz32(bits & -bits);
    const score = mix(hash ^ MEMBER_CONSTANTS[ordinal]!) >>> 0;
    if (score > bestScore) {
      bestScore = score;
      best = ordinal;
    }
  }
  return best;
}

function hasPorts(protocol: number): boolean {
  return (
    protocol === IPV4_PROTOCOL_TCP ||
    protocol === IPV4_PROTOCOL_UDP ||
    protocol === IPV4_PROTOCOL_SCTP ||
    protocol === IPV4_PROTOCOL_UDP_LITE ||
    protocol === IPV4_PROTOCOL_DCCP
  );
}
