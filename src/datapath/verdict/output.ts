/**
 * The way out: a frame from the host, read from a group's device. It leaves by one member with that
 * NIC's MAC as source; ARP, neighbour discovery and what is for one of our own NICs go to the
 * control plane.
 *
 * The source MAC of the host's frame does not matter: it is replaced in any case, so the
 * group's MAC never reaches the wire.
 */

import { writeU16, writeU32 } from '../../base/bytes.ts';
import { GROUP_PORT_BASE } from '../../model/limits.ts';
import { MAC_LENGTH } from '../../wire/addr.ts';
import { checksumUpdate } from '../../wire/checksum.ts';
import {
  DHCP_CLIENT_PORT,
  DHCP_SERVER_PORT,
  dhcpClientAddress,
  dhcpFlags,
  dhcpIsBroadcast,
  dhcpIsClientRequest,
  dhcpSetBroadcast,
} from '../../wire/dhcp.ts';
import { ETHERTYPE_ARP, ETHERTYPE_IPV4, ETHERTYPE_IPV6 } from '../../wire/ethernet.ts';
import { IPV4_PROTOCOL_UDP } from '../../wire/ipv4.ts';
import {
  UDP_HEADER_LENGTH,
  udpChecksum,
  udpDestinationPort,
  udpIsValid,
  udpSetChecksum,
  udpSourcePort,
} from '../../wire/udp.ts';
import {
  GROUP_BY_ADDRESS,
  GROUP_BY_DESTINATION,
  PLACEMENT,
  REDIRECTS_USED,
} from '../tables/layout.ts';
import {
  ADDRESS_UNPLACED,
  addressFind,
  macFind,
  memberNic,
  nicEntry,
  redirectFind,
  redirectHash,
} from '../tables/lookup.ts';
import { hasSameAddresses6, sourceFind6 } from './addresses6.ts';
import { isDiscovery } from './discovery.ts';
import { destinationHash, flowHash, memberPick } from './flow.ts';
import {
  destinationIsMartian,
  destinationIsMartian6,
  sourceIsMartian,
  sourceIsMartian6,
} from './martian.ts';
import { type Packet, parseFrame } from './parse.ts';
import {
  DROP_MARTIAN_DESTINATION,
  DROP_MARTIAN_SOURCE,
  DROP_NO_ACTIVE_MEMBER,
  DROP_NO_GROUP,
  DROP_OWN_DESTINATION,
  DROP_SAME_ADDRESSES,
  DROP_TEST_SOURCE,
  DROP_TOO_BIG,
  PASS,
  PUNT,
} from './verdict.ts';
import type { Visit } from './visit.ts';
import { vnetIsSegmented, vnetNeedsChecksum, vnetSegmentLength } from './vnet.ts';

/**
 * The verdict on the frame in the slot at `at` (`length` bytes, virtio net header included), which
 * the host sent through the device of `visit.group`. A frame that is forwarded is ready to be
 * written.
 */
export function outputVerdict(
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
  if (visit.group < 0) return DROP_NO_GROUP;
  if (packet.fault !== PASS) return packet.fault;
  if (packet.ethertype === ETHERTYPE_ARP) return PUNT;
  if (packet.ethertype === ETHERTYPE_IPV6) return outputIpv6(words, table, visit, packet, bytes);
  return outputIpv4(words, table, visit, packet, bytes);
}

function outputIpv4(
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
  const origin = addressFind(words, table, visit.group, source);
  if (origin < 0) return DROP_TEST_SOURCE;
  if (packet.isGroup) return outputGroup(words, table, visit, packet, bytes);
  return outputUnicast(words, table, visit, packet, bytes, origin);
}

/**
 * Reports of multicast listeners (MLD) leave like any multicast. DHCPv6 needs nothing that DHCP
 * does: a server answers to the source address of the request (RFC 8415 18.3.10).
 */
function outputIpv6(
  words: Int32Array,
  table: number,
  visit: Visit,
  packet: Packet,
  bytes: Uint8Array,
): number {
  if (sourceIsMartian6(packet)) return DROP_MARTIAN_SOURCE;
  if (destinationIsMartian6(packet)) return DROP_MARTIAN_DESTINATION;
  if (hasSameAddresses6(packet)) return DROP_SAME_ADDRESSES;
  if (isDiscovery(packet, bytes)) return PUNT;
  const origin = sourceFind6(words, table, visit.group, packet);
  if (origin < 0) return DROP_TEST_SOURCE;
  if (packet.isGroup) return outputGroup(words, table, visit, packet, bytes);
  return outputUnicast(words, table, visit, packet, bytes, origin);
}

/** `origin` is what the source address is (addressFind). */
function outputUnicast(
  words: Int32Array,
  table: number,
  visit: Visit,
  packet: Packet,
  bytes: Uint8Array,
  origin: number,
): number {
  const { frame } = packet;
  const owner = macFind(words, table, bytes, frame);
  if (owner >= GROUP_PORT_BASE) return DROP_OWN_DESTINATION;
  if (owner >= 0) return PUNT;
  const nic = memberFor(words, table, visit, packet, bytes, origin);
  if (nic < 0) return DROP_NO_ACTIVE_MEMBER;
  if (isTooBig(words, table, nic, packet, bytes)) return DROP_TOO_BIG;
  if (visit.hasRedirects) redirectApply(words, table, visit.group, bytes, frame);
  sourceWrite(words, table, nic, bytes, frame);
  return nic;
}

/** Broadcast and multicast leave by one NIC, the nominated one. */
function outputGroup(
  words: Int32Array,
  table: number,
  visit: Visit,
  packet: Packet,
  bytes: Uint8Array,
): number {
  const { castNic } = visit;
  if (castNic < 0) return DROP_NO_ACTIVE_MEMBER;
  if (isTooBig(words, table, castNic, packet, bytes)) return DROP_TOO_BIG;
  if (packet.ethertype === ETHERTYPE_IPV4) dhcpAskBroadcast(packet, bytes);
  sourceWrite(words, table, castNic, bytes, packet.frame);
  return castNic;
}

/** The NIC for a unicast datagram whose source address is `origin` (addressFind), -1 for none. */
function memberFor(
  words: Int32Array,
  table: number,
  visit: Visit,
  packet: Packet,
  bytes: Uint8Array,
  origin: number,
): number {
  if ((visit.groupBits & GROUP_BY_ADDRESS) !== 0 && origin < ADDRESS_UNPLACED) {
    const nic = Atomics.load(words, PLACEMENT + origin) - 1;
    if (nic >= 0 && carries(words, table, visit, nic)) return nic;
  }
  const isByDestination = (visit.groupBits & GROUP_BY_DESTINATION) !== 0;
  const hash = isByDestination ? destinationHash(packet) : flowHash(packet, bytes);
  const ordinal = memberPick(hash, visit.low, visit.high);
  return ordinal < 0 ? -1 : memberNic(words, table, visit.group, ordinal);
}

/** True if `nic` is a member of the visit's group that carries frames now. */
function carries(words: Int32Array, table: number, visit: Visit, nic: number): boolean {
  const entry = nicEntry(table, nic);
  if (words[entry] !== visit.group + 2) return false;
  const ordinal = words[entry + 1]! - 1;
  const mask = ordinal < 32 ? visit.low : visit.high;
  return ((mask >>> (ordinal & 31)) & 1) !== 0;
}

/** The NIC would lose it without a word: a larger group, or one that may not be as small. */
function isTooBig(
  words: Int32Array,
  table: number,
  nic: number,
  packet: Packet,
  bytes: Uint8Array,
): boolean {
  const mtu = words[nicEntry(table, nic) + 4]!;
  if (packet.length <= mtu || mtu === 0) return false;
  const { at, network, transport, protocol } = packet;
  if (!vnetIsSegmented(bytes, at)) return true;
  return vnetSegmentLength(bytes, at, network, transport, protocol) > mtu;
}

function sourceWrite(
  words: Int32Array,
  table: number,
  nic: number,
  bytes: Uint8Array,
  frame: number,
): void {
  const entry = nicEntry(table, nic);
  writeU16(bytes, frame + MAC_LENGTH, words[entry + 2]!);
  writeU32(bytes, frame + MAC_LENGTH + 2, words[entry + 3]!);
}

function redirectApply(
  words: Int32Array,
  table: number,
  group: number,
  bytes: Uint8Array,
  frame: number,
): void {
  const entry = redirectFind(words, table, group, bytes, frame);
  if (entry < 0) return;
  const used = REDIRECTS_USED + redirectHash(group, words[entry + 1]! >>> 16, words[entry + 2]!);
  if (words[used] === 0) Atomics.store(words, used, 1);
  writeU16(bytes, frame, words[entry + 1]! & 0xffff);
  writeU32(bytes, frame + 2, words[entry + 3]!);
}

/**
 * A DHCP client that has no address yet would be answered to the MAC in its request, which is the
 * group's and is not to be found on the wire: it has to ask for a broadcast (RFC 2131 4.1). A
 * checksum that the device is still to finish covers the change anyway.
 */
function dhcpAskBroadcast(packet: Packet, bytes: Uint8Array): void {
  if (packet.protocol !== IPV4_PROTOCOL_UDP || packet.isFragment) return;
  const udp = packet.transport;
  const udpRoom = packet.network + packet.length - udp;
  if (!udpIsValid(bytes, udp, udpRoom)) return;
  if (udpDestinationPort(bytes, udp) !== DHCP_SERVER_PORT) return;
  if (udpSourcePort(bytes, udp) !== DHCP_CLIENT_PORT) return;
  const dhcp = udp + UDP_HEADER_LENGTH;
  if (!dhcpIsClientRequest(bytes, dhcp, udpRoom - UDP_HEADER_LENGTH)) return;
  if (dhcpClientAddress(bytes, dhcp) !== 0 || dhcpIsBroadcast(bytes, dhcp)) return;
  const before = dhcpFlags(bytes, dhcp);
  dhcpSetBroadcast(bytes, dhcp);
  const check = udpChecksum(bytes, udp);
  if (check === 0 || vnetNeedsChecksum(bytes, packet.at)) return;
  // Zero would mean that there is no checksum (RFC 768).
  udpSetChecksum(bytes, udp, checksumUpdate(check, before, dhcpFlags(bytes, dhcp)) || 0xffff);
}
