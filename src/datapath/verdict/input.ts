/**
 * The way in: a frame from the wire, received by a NIC. What is for the host goes to the group's
 * device with the group's MAC as destination; ARP, neighbour discovery, listener queries and what
 * is for a test address go to the control plane; all else is dropped. Whether a datagram that came
 * in is for the host is decided by its kernel, which has addresses and rules that the tables do not
 * have.
 */

import { readI32, readU16, writeU16, writeU32 } from '../../base/bytes.ts';
import { GROUP_PORT_BASE } from '../../model/limits.ts';
import { MAC_LENGTH } from '../../wire/addr.ts';
import { ETHERTYPE_ARP, ETHERTYPE_IPV6, ethernetIsGroup } from '../../wire/ethernet.ts';
import { ICMP_REDIRECT, icmpType } from '../../wire/icmp.ts';
import { IPV4_PROTOCOL_ICMP } from '../../wire/ipv4.ts';
import { ADDRESS_NONE, addressFind, macFind } from '../tables/lookup.ts';
import { destinationFind6, hasSameAddresses6, sourceFind6 } from './addresses6.ts';
import { isAskedHere, isDiscovery, isListenerQuery } from './discovery.ts';
import {
  destinationIsMartian,
  destinationIsMartian6,
  sourceIsMartian,
  sourceIsMartian6,
} from './martian.ts';
import { type Packet, parseFrame } from './parse.ts';
import {
  DROP_FOREIGN_DESTINATION,
  DROP_GROUP_SOURCE,
  DROP_ICMP_REDIRECT,
  DROP_MARTIAN_DESTINATION,
  DROP_MARTIAN_SOURCE,
  DROP_NO_GROUP,
  DROP_NOT_NOMINATED,
  DROP_OWN_SOURCE,
  DROP_OWN_SOURCE_ADDRESS,
  DROP_SAME_ADDRESSES,
  DROP_STACK_FRAGMENT,
  PASS,
  PUNT,
} from './verdict.ts';
import type { Visit } from './visit.ts';

/**
 * The verdict on the frame in the slot at `at` (`length` bytes, virtio net header included), which
 * `visit.nic` received. A frame that is forwarded is ready to be written.
 */
export function inputVerdict(
  words: Int32Array,
  table: number,
  visit: Visit,
  packet: Packet,
  bytes: Uint8Array,
  at: number,
  length: number,
): number {
  const gate = parseFrame(packet, bytes, at, length);
  if (gate !== PASS) return gate;
  const { frame } = packet;
  if (ethernetIsGroup(bytes, frame + MAC_LENGTH)) return DROP_GROUP_SOURCE;
  if (macFind(words, table, bytes, frame + MAC_LENGTH) >= 0) return DROP_OWN_SOURCE;
  if (!visit.isNicPresent) return DROP_NO_GROUP;
  if (!isFor(visit.nicMacHigh, visit.nicMacLow, bytes, frame)) {
    if (!packet.isGroup && !isForGroup(visit, bytes, frame)) return DROP_FOREIGN_DESTINATION;
    const isNominated = visit.castNic < 0 || visit.castNic === visit.nic;
    if (!isNominated && !isAskedHere(words, table, visit, packet, bytes)) {
      return DROP_NOT_NOMINATED;
    }
  }
  if (packet.fault !== PASS) return packet.fault;
  if (packet.ethertype === ETHERTYPE_ARP) return PUNT;
  if (packet.ethertype === ETHERTYPE_IPV6) return inputIpv6(words, table, visit, packet, bytes);
  return inputIpv4(words, table, visit, packet, bytes);
}

function inputIpv4(
  words: Int32Array,
  table: number,
  visit: Visit,
  packet: Packet,
  bytes: Uint8Array,
): number {
  const { source, destination } = packet;
  if (sourceIsMartian(source, packet.isGroup)) return DROP_MARTIAN_SOURCE;
  if (destinationIsMartian(destination)) return DROP_MARTIAN_DESTINATION;
  if (source === destination) return DROP_SAME_ADDRESSES;
  const { group } = visit;
  if (addressFind(words, table, group, source) !== ADDRESS_NONE) return DROP_OWN_SOURCE_ADDRESS;
  const target = addressFind(words, table, group, destination);
  if (target < 0) return packet.isFragment ? DROP_STACK_FRAGMENT : PUNT;
  if (group < 0) return DROP_NO_GROUP;
  if (isRedirect(packet, bytes)) return DROP_ICMP_REDIRECT;
  return toHost(visit, packet, bytes);
}

function inputIpv6(
  words: Int32Array,
  table: number,
  visit: Visit,
  packet: Packet,
  bytes: Uint8Array,
): number {
  if (sourceIsMartian6(packet)) return DROP_MARTIAN_SOURCE;
  if (destinationIsMartian6(packet)) return DROP_MARTIAN_DESTINATION;
  if (hasSameAddresses6(packet)) return DROP_SAME_ADDRESSES;
  // Before the question whether the source is ours: a conflict is seen by such an advertisement.
  if (isDiscovery(packet, bytes) || isListenerQuery(packet, bytes)) return PUNT;
  const { group } = visit;
  if (sourceFind6(words, table, group, packet) !== ADDRESS_NONE) return DROP_OWN_SOURCE_ADDRESS;
  const target = destinationFind6(words, table, group, packet);
  if (target < 0) return packet.isFragment ? DROP_STACK_FRAGMENT : PUNT;
  return group < 0 ? DROP_NO_GROUP : toHost(visit, packet, bytes);
}

/** Sends a frame up to the group of the visit. */
function toHost(visit: Visit, packet: Packet, bytes: Uint8Array): number {
  if (!packet.isGroup) {
    writeU16(bytes, packet.frame, visit.groupMacHigh);
    writeU32(bytes, packet.frame + 2, visit.groupMacLow);
  }
  return GROUP_PORT_BASE + visit.group;
}

/** True if a frame is for the station with this MAC. */
function isFor(macHigh: number, macLow: number, bytes: Uint8Array, frame: number): boolean {
  return readU16(bytes, frame) === macHigh && readI32(bytes, frame + 2) === macLow;
}

/**
 * The group's MAC is a source on no wire, so a switch floods what is sent to it, as a broadcast.
 * The sender has it from a payload: a DHCP server sends to `chaddr` (RFC 2131 4.1).
 */
function isForGroup(visit: Visit, bytes: Uint8Array, frame: number): boolean {
  return visit.group >= 0 && isFor(visit.groupMacHigh, visit.groupMacLow, bytes, frame);
}

function isRedirect(packet: Packet, bytes: Uint8Array): boolean {
  if (packet.protocol !== IPV4_PROTOCOL_ICMP) return false;
  // What follows the header of a later fragment is payload, whatever it looks like.
  if (packet.isLaterFragment) return false;
  const hasType = packet.network + packet.length > packet.transport;
  return hasType && icmpType(bytes, packet.transport) === ICMP_REDIRECT;
}
