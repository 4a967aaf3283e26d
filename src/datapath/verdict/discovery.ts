/**
 * Frames of the protocols between neighbours, which the control plane terminates in both
 * directions: ARP, and neighbour discovery, which ICMPv6 carries (RFC 4861). A query about
 * multicast listeners (RFC 3810) goes there too if it comes from the wire: each NIC answers for the
 * solicited-node groups of its addresses, and the host is handed one copy.
 */

import { readI32 } from '../../base/bytes.ts';
import { ARP_REQUEST, arpIsValid, arpOperation, arpTargetAddressWord } from '../../wire/arp.ts';
import { ETHERTYPE_ARP, ETHERTYPE_IPV6 } from '../../wire/ethernet.ts';
import { ICMP_HEADER_LENGTH } from '../../wire/icmp.ts';
import {
  ICMPV6_MLD_QUERY,
  ICMPV6_NEIGHBOR_SOLICITATION,
  icmpv6IsNeighborDiscovery,
  icmpv6Type,
} from '../../wire/icmpv6.ts';
import { IPV6_PROTOCOL_ICMP } from '../../wire/ipv6.ts';
import { mixAddress } from '../tables/hash.ts';
import { PLACEMENT } from '../tables/layout.ts';
import { ADDRESS_UNPLACED, addressFind, addressFind6 } from '../tables/lookup.ts';
import type { Packet } from './parse.ts';
import { PASS } from './verdict.ts';
import type { Visit } from './visit.ts';

/** RFC 4861 4.3: the target follows the header of a solicitation. */
const TARGET = ICMP_HEADER_LENGTH;
const TARGET_END = TARGET + 16;

/** True if the IPv6 packet is a message of neighbour discovery, whatever is wrong with it. */
export function isDiscovery(packet: Packet, bytes: Uint8Array): boolean {
  return icmpv6IsNeighborDiscovery(messageType(packet, bytes));
}

/** True if the IPv6 packet asks for multicast listeners. */
export function isListenerQuery(packet: Packet, bytes: Uint8Array): boolean {
  return messageType(packet, bytes) === ICMPV6_MLD_QUERY;
}

/**
 * True for a copy of a group frame that the control plane needs whichever NIC is nominated: a
 * request for an address that this NIC serves, which it answers on this NIC, or a query.
 */
export function isAskedHere(
  words: Int32Array,
  table: number,
  visit: Visit,
  packet: Packet,
  bytes: Uint8Array,
): boolean {
  if (packet.fault !== PASS) return false;
  if (packet.ethertype === ETHERTYPE_ARP) {
    const arp = packet.network;
    if (!arpIsValid(bytes, arp, packet.frameEnd - arp)) return false;
    if (arpOperation(bytes, arp) !== ARP_REQUEST) return false;
    const target = addressFind(words, table, visit.group, arpTargetAddressWord(bytes, arp));
    return isServedHere(words, visit, target);
  }
  if (packet.ethertype !== ETHERTYPE_IPV6) return false;
  const type = messageType(packet, bytes);
  if (type === ICMPV6_MLD_QUERY) return true;
  if (type !== ICMPV6_NEIGHBOR_SOLICITATION) return false;
  if (packet.transport + TARGET_END > packet.network + packet.length) return false;
  const at = packet.transport + TARGET;
  const first = readI32(bytes, at);
  const second = readI32(bytes, at + 4);
  const third = readI32(bytes, at + 8);
  const last = readI32(bytes, at + 12);
  const mixed = mixAddress(first, second, third, last);
  const target = addressFind6(words, table, visit.group, mixed, first, second, third, last);
  return isServedHere(words, visit, target);
}

/** True for a frame of which one station may send only so many to the control plane. */
export function isPaced(packet: Packet, bytes: Uint8Array): boolean {
  if (packet.ethertype === ETHERTYPE_ARP) return true;
  if (packet.ethertype !== ETHERTYPE_IPV6) return false;
  return isDiscovery(packet, bytes) || isListenerQuery(packet, bytes);
}

/** True if the NIC of the visit serves the address that a look-up found to be `target`. */
function isServedHere(words: Int32Array, visit: Visit, target: number): boolean {
  if (target < 0) return -1 - target === visit.nic;
  return target < ADDRESS_UNPLACED && Atomics.load(words, PLACEMENT + target) - 1 === visit.nic;
}

/** Type of an ICMPv6 message, -1 if the packet has none. */
function messageType(packet: Packet, bytes: Uint8Array): number {
  if (packet.protocol !== IPV6_PROTOCOL_ICMP || packet.isLaterFragment) return -1;
  const hasType = packet.transport < packet.network + packet.length;
  return hasType ? icmpv6Type(bytes, packet.transport) : -1;
}
