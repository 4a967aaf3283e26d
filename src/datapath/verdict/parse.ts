/**
 * The gate of both directions: it validates the frame in a slot and notes what a verdict needs.
 *
 * The headers are read once and in their order, so a frame with two faults is always counted under
 * the first. A fault of the link layer ends the frame at once. One of the network layer is noted:
 * the MACs are judged first, and a frame for another station is foreign, whatever it carries.
 *
 * A forwarder owns one Packet and fills it anew for each frame. Its fields are small integers and
 * booleans, so nothing is allocated. Input and output hold policy only.
 */

import {
  ETHERNET_HEADER_LENGTH,
  ETHERTYPE_ARP,
  ETHERTYPE_IPV4,
  ETHERTYPE_IPV6,
  ETHERTYPE_QINQ,
  ETHERTYPE_VLAN,
  ethernetIsGroup,
  ethernetType,
} from '../../wire/ethernet.ts';
import {
  IPV4_HEADER_LENGTH_MIN,
  ipv4DestinationWord,
  ipv4HeaderLength,
  ipv4IsFragment,
  ipv4IsLaterFragment,
  ipv4IsValid,
  ipv4Options,
  ipv4Protocol,
  ipv4SourceWord,
  ipv4TotalLength,
} from '../../wire/ipv4.ts';
import {
  IPV6_HEADER_LENGTH,
  IPV6_HOP_BY_HOP,
  type Ipv6Walk,
  ipv6DestinationWord,
  ipv6FlowLabel,
  ipv6IsValid,
  ipv6NextHeader,
  ipv6PayloadLength,
  ipv6SourceWord,
  ipv6TotalLength,
  ipv6Walk,
  ipv6WalkCreate,
} from '../../wire/ipv6.ts';
import { VNET_HEADER_LENGTH } from '../port.ts';
import { SLOT_LENGTH } from '../slab.ts';
import { mixAddress } from '../tables/hash.ts';
import {
  DROP_BAD_IPV4_HEADER,
  DROP_BAD_IPV6_HEADER,
  DROP_BAD_VNET_HEADER,
  DROP_JUMBOGRAM,
  DROP_RUNT,
  DROP_SOURCE_ROUTE,
  DROP_TRUNCATED,
  DROP_UNKNOWN_ETHERTYPE,
  DROP_VLAN,
  PASS,
} from './verdict.ts';
import { vnetIsValid, vnetSuits } from './vnet.ts';

/** What `parseFrame` notes. All places are offsets in the bytes of the slab. */
export interface Packet {
  /** The slot: its virtio net header. */
  at: number;
  /** The Ethernet header. */
  frame: number;
  /** First byte behind the frame. */
  frameEnd: number;
  /** The frame is for a group of stations. */
  isGroup: boolean;
  ethertype: number;
  /** PASS, or the drop of the network header; with a fault the fields below mean nothing. */
  fault: number;
  /** The network header; it is where the Ethernet header ends. */
  network: number;
  /** The datagram's own length in bytes, without padding. */
  length: number;
  /** Protocol of the transport header, and its place: behind options and extension headers. */
  protocol: number;
  transport: number;
  /** A piece of a datagram, the first too. */
  isFragment: boolean;
  /** A piece but the first: no transport header follows. */
  isLaterFragment: boolean;
  /** The addresses as signed words; IPv4 has the first alone. */
  source: number;
  source1: number;
  source2: number;
  source3: number;
  destination: number;
  destination1: number;
  destination2: number;
  destination3: number;
  /** The address of IPv6 in one word each, by mixAddress. */
  sourceMix: number;
  destinationMix: number;
  /** Of IPv6; 0 if the source gave none. */
  flowLabel: number;
  readonly walk: Ipv6Walk;
}

/** A packet that nothing has been parsed into. */
export function packetCreate(): Packet {
  return {
    at: 0,
    frame: 0,
    frameEnd: 0,
    isGroup: false,
    ethertype: 0,
    fault: PASS,
    network: 0,
    length: 0,
    protocol: 0,
    transport: 0,
    isFragment: false,
    isLaterFragment: false,
    source: 0,
    source1: 0,
    source2: 0,
    source3: 0,
    destination: 0,
    destination1: 0,
    destination2: 0,
    destination3: 0,
    sourceMix: 0,
    destinationMix: 0,
    flowLabel: 0,
    walk: ipv6WalkCreate(),
  };
}

/**
 * Parses the frame in the slot at `at` (`length` bytes, virtio net header included) into `packet`.
 * PASS, or the drop of the link layer; that of the network layer is `packet.fault`.
 */
export function parseFrame(packet: Packet, bytes: Uint8Array, at: number, length: number): number {
  if (length >= SLOT_LENGTH) return DROP_TRUNCATED;
  if (length < VNET_HEADER_LENGTH + ETHERNET_HEADER_LENGTH) return DROP_RUNT;
  if (!vnetIsValid(bytes, at, length - VNET_HEADER_LENGTH)) return DROP_BAD_VNET_HEADER;
  const frame = at + VNET_HEADER_LENGTH;
  const type = ethernetType(bytes, frame);
  packet.at = at;
  packet.frame = frame;
  packet.frameEnd = at + length;
  packet.isGroup = ethernetIsGroup(bytes, frame);
  packet.ethertype = type;
  packet.network = frame + ETHERNET_HEADER_LENGTH;
  if (type === ETHERTYPE_IPV4) packet.fault = parseIpv4(packet, bytes);
  else if (type === ETHERTYPE_IPV6) packet.fault = parseIpv6(packet, bytes);
  else packet.fault = ethertypeFault(type);
  return PASS;
}

/** The fault of an Ethernet type that is not IP. */
function ethertypeFault(type: number): number {
  if (type === ETHERTYPE_ARP) return PASS;
  if (type === ETHERTYPE_VLAN || type === ETHERTYPE_QINQ) return DROP_VLAN;
  return DROP_UNKNOWN_ETHERTYPE;
}

/**
 * Malformed options pass: the host of the address reports them to the sender (RFC 792, parameter
 * problem).
 */
function parseIpv4(packet: Packet, bytes: Uint8Array): number {
  const ip = packet.network;
  const room = packet.frameEnd - ip;
  if (room < IPV4_HEADER_LENGTH_MIN) return DROP_RUNT;
  if (!ipv4IsValid(bytes, ip, room)) return DROP_BAD_IPV4_HEADER;
  const protocol = ipv4Protocol(bytes, ip);
  if (!vnetSuits(bytes, packet.at, 4, protocol)) return DROP_BAD_VNET_HEADER;
  const headerLength = ipv4HeaderLength(bytes, ip);
  const hasOptions = headerLength > IPV4_HEADER_LENGTH_MIN;
  if (hasOptions && ipv4Options(bytes, ip) === 'source-route') return DROP_SOURCE_ROUTE;
  packet.length = ipv4TotalLength(bytes, ip);
  packet.protocol = protocol;
  packet.transport = ip + headerLength;
  packet.isFragment = ipv4IsFragment(bytes, ip);
  packet.isLaterFragment = ipv4IsLaterFragment(bytes, ip);
  packet.source = ipv4SourceWord(bytes, ip);
  packet.destination = ipv4DestinationWord(bytes, ip);
  return PASS;
}

/**
 * Extension headers that cannot be walked are a fault, other than options of IPv4: what hides
 * behind them might be neighbour discovery, which must not pass.
 */
function parseIpv6(packet: Packet, bytes: Uint8Array): number {
  const ip = packet.network;
  const room = packet.frameEnd - ip;
  if (room < IPV6_HEADER_LENGTH) return DROP_RUNT;
  if (!ipv6IsValid(bytes, ip, room)) return DROP_BAD_IPV6_HEADER;
  if (isJumbogram(bytes, ip)) return DROP_JUMBOGRAM;
  const { walk } = packet;
  if (!ipv6Walk(bytes, ip, walk)) return DROP_BAD_IPV6_HEADER;
  if (!vnetSuits(bytes, packet.at, 6, walk.protocol)) return DROP_BAD_VNET_HEADER;
  if (walk.hasSourceRoute) return DROP_SOURCE_ROUTE;
  packet.length = ipv6TotalLength(bytes, ip);
  packet.protocol = walk.protocol;
  packet.transport = walk.offset;
  packet.isFragment = walk.isFragment;
  packet.isLaterFragment = walk.isLaterFragment;
  packet.flowLabel = ipv6FlowLabel(bytes, ip);
  addressesNote(packet, bytes);
  return PASS;
}

function addressesNote(packet: Packet, bytes: Uint8Array): void {
  const ip = packet.network;
  const source = ipv6SourceWord(bytes, ip, 0);
  const source1 = ipv6SourceWord(bytes, ip, 1);
  const source2 = ipv6SourceWord(bytes, ip, 2);
  const source3 = ipv6SourceWord(bytes, ip, 3);
  packet.source = source;
  packet.source1 = source1;
  packet.source2 = source2;
  packet.source3 = source3;
  packet.sourceMix = mixAddress(source, source1, source2, source3);
  const destination = ipv6DestinationWord(bytes, ip, 0);
  const destination1 = ipv6DestinationWord(bytes, ip, 1);
  const destination2 = ipv6DestinationWord(bytes, ip, 2);
  const destination3 = ipv6DestinationWord(bytes, ip, 3);
  packet.destination = destination;
  packet.destination1 = destination1;
  packet.destination2 = destination2;
  packet.destination3 = destination3;
  packet.destinationMix = mixAddress(destination, destination1, destination2, destination3);
}

/** RFC 2675 2: the length is in an option of the hop-by-hop header. None fits into a slot. */
function isJumbogram(bytes: Uint8Array, ip: number): boolean {
  return ipv6PayloadLength(bytes, ip) === 0 && ipv6NextHeader(bytes, ip) === IPV6_HOP_BY_HOP;
}
