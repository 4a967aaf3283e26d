/** Frames of IPv4 and IPv6 for the tests, and UDP, which the stack itself never sends. */

import { writeU16 } from '../../src/base/bytes.ts';
import type { Ipv4, Ipv6, Mac } from '../../src/wire/addr.ts';
import { checksumAdd, checksumComplement, checksumPseudoHeader } from '../../src/wire/checksum.ts';
import {
  ETHERNET_HEADER_LENGTH,
  ETHERTYPE_IPV4,
  ETHERTYPE_IPV6,
  ethernetEmit,
} from '../../src/wire/ethernet.ts';
import { ICMP_HEADER_LENGTH, type IcmpMessage, icmpEmit } from '../../src/wire/icmp.ts';
import { icmpv6Emit } from '../../src/wire/icmpv6.ts';
import {
  IPV4_HEADER_LENGTH_MIN,
  IPV4_PROTOCOL_UDP,
  type Ipv4Header,
  ipv4HeaderEmit,
} from '../../src/wire/ipv4.ts';
import { IPV6_HEADER_LENGTH, type Ipv6Header, ipv6HeaderEmit } from '../../src/wire/ipv6.ts';
import { UDP_HEADER_LENGTH, udpSetChecksum } from '../../src/wire/udp.ts';

/** Both addresses of a datagram. */
export interface Ends {
  readonly source: Ipv4;
  readonly destination: Ipv4;
}

/** What a frame must have, and fields of its IPv4 header that are not the usual ones. */
export interface FrameFields extends Partial<Omit<Ipv4Header, keyof Ends | 'totalLength'>>, Ends {
  readonly destinationMac: Mac;
  readonly sourceMac: Mac;
}

/** A frame with a datagram: of UDP, whole and without options by default. */
export function ipv4Frame(fields: FrameFields, payload: Uint8Array): Uint8Array {
  const { destinationMac: destination, sourceMac: source, ...given } = fields;
  const usual = { typeOfService: 0, identification: 1, fragment: 0, timeToLive: 64 };
  const layout = { protocol: IPV4_PROTOCOL_UDP, options: new Uint8Array(0) };
  const header = { ...usual, ...layout, ...given };
  const totalLength = IPV4_HEADER_LENGTH_MIN + header.options.length + payload.length;
  const frame = new Uint8Array(ETHERNET_HEADER_LENGTH + totalLength);
  ethernetEmit(frame, 0, { destination, source, type: ETHERTYPE_IPV4 });
  ipv4HeaderEmit(frame, ETHERNET_HEADER_LENGTH, { ...header, totalLength });
  frame.set(payload, frame.length - payload.length);
  return frame;
}

/** What a frame of IPv6 must have, and fields of its header that are not the usual ones. */
export interface Ipv6FrameFields extends Partial<Omit<Ipv6Header, keyof Ends | 'payloadLength'>> {
  readonly destinationMac: Mac;
  readonly sourceMac: Mac;
  readonly source: Ipv6;
  readonly destination: Ipv6;
}

/** A frame with an IPv6 packet: of UDP, without class and label by default. */
export function ipv6Frame(fields: Ipv6FrameFields, payload: Uint8Array): Uint8Array {
  const { destinationMac: destination, sourceMac: source, ...given } = fields;
  const usual = { trafficClass: 0, flowLabel: 0, nextHeader: IPV4_PROTOCOL_UDP, hopLimit: 64 };
  const frame = new Uint8Array(ETHERNET_HEADER_LENGTH + IPV6_HEADER_LENGTH + payload.length);
  ethernetEmit(frame, 0, { destination, source, type: ETHERTYPE_IPV6 });
  const header = { ...usual, ...given, payloadLength: payload.length };
  ipv6HeaderEmit(frame, ETHERNET_HEADER_LENGTH, header);
  frame.set(payload, frame.length - payload.length);
  return frame;
}

/** A frame with an ICMPv6 message behind `extensions`; `nextHeader` is what they begin with. */
export function icmpv6Frame(
  fields: Ipv6FrameFields,
  message: IcmpMessage,
  extensions: Uint8Array = new Uint8Array(0),
): Uint8Array {
  const length = extensions.length + ICMP_HEADER_LENGTH + message.data.length;
  const frame = ipv6Frame(fields, new Uint8Array(length));
  const start = ETHERNET_HEADER_LENGTH + IPV6_HEADER_LENGTH;
  frame.set(extensions, start);
  icmpv6Emit(frame, start + extensions.length, message, ETHERNET_HEADER_LENGTH);
  return frame;
}

/** An ICMP message. */
export function icmpMessage(message: IcmpMessage): Uint8Array {
  const bytes = new Uint8Array(ICMP_HEADER_LENGTH + message.data.length);
  icmpEmit(bytes, 0, message);
  return bytes;
}

/** A UDP datagram; without `ends` it has no checksum. A sum of zero is written as 0xffff. */
export function udpDatagram(
  sourcePort: number,
  destinationPort: number,
  data: Uint8Array,
  ends?: Ends,
): Uint8Array {
  const bytes = new Uint8Array(UDP_HEADER_LENGTH + data.length);
  writeU16(bytes, 0, sourcePort);
  writeU16(bytes, 2, destinationPort);
  writeU16(bytes, 4, bytes.length);
  bytes.set(data, UDP_HEADER_LENGTH);
  if (ends === undefined) return bytes;
  const { source, destination } = ends;
  const start = checksumPseudoHeader(source, destination, IPV4_PROTOCOL_UDP, bytes.length);
  udpSetChecksum(
    bytes,
    0,
    checksumComplement(checksumAdd(start, bytes, 0, bytes.length)) || 0xffff,
  );
  return bytes;
}
