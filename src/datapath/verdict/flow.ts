/**
 * Which member carries a frame: a hash of its flow, and rendezvous hashing over the members.
 *
 * Each member's score for a flow is a mix of the flow's hash and the member's own constant; the
 * highest score wins. A member that leaves takes only its own flows with it, and they spread evenly
 * over the others; one that comes back gets exactly those flows again. No state per flow is kept.
 *
 * All fragments of a datagram take one NIC, though only the first of them has ports: a fragment is
 * hashed by addresses and protocol alone.
 */

import { readI32 } from '../../base/bytes.ts';
import { MAX_GROUP_MEMBERS } from '../../model/limits.ts';
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

/** Hash of the flow of `packet`: addresses, protocol, ports if it has some. */
export function flowHash(packet: Packet, bytes: Uint8Array): number {
  const { protocol, transport } = packet;
  const hash = mixInto(mixInto(packet.source, packet.destination), protocol);
  if (!hasPorts(protocol) || packet.isFragment) return hash;
  if (packet.network + packet.length < transport + PORTS_LENGTH) return hash;
  return mixInto(hash, readI32(bytes, transport));
}

/** Hash of the destination address of `packet`. */
export function destinationHash(packet: Packet): number {
  return mix(packet.destination);
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
