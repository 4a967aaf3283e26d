/**
 * One line of text per frame, for transcripts, logs and tests. It takes any bytes: what cannot
 * be read is shown as malformed, and nothing of the payload gets into the line, so the line
 * is short and harmless whatever a station sends.
 */

import { ipv4Format, macFormat } from '../addr.ts';
import {
  ARP_REPLY,
  ARP_REQUEST,
  type ArpPacket,
  arpIsAnnouncement,
  arpIsProbe,
  arpIsValid,
  arpParse,
} from '../arp.ts';
import {
  DHCP_SERVER_PORT,
  dhcpClientAddress,
  dhcpClientMac,
  dhcpIsBroadcast,
  dhcpIsClientRequest,
} from '../dhcp.ts';
import {
  ETHERNET_HEADER_LENGTH,
  ETHERTYPE_ARP,
  ETHERTYPE_IPV4,
  ETHERTYPE_IPV6,
  ETHERTYPE_VLAN,
  ethernetIsValid,
  ethernetParse,
} from '../ethernet.ts';
import {
  ICMP_DESTINATION_UNREACHABLE,
  ICMP_ECHO_REPLY,
  ICMP_ECHO_REQUEST,
  ICMP_REDIRECT,
  ICMP_TIME_EXCEEDED,
  icmpCode,
  icmpIdentifier,
  icmpIsValid,
  icmpSequence,
  icmpType,
  icmpVerifyChecksum,
} from '../icmp.ts';
import {
  IPV4_PROTOCOL_ICMP,
  IPV4_PROTOCOL_TCP,
  IPV4_PROTOCOL_UDP,
  type Ipv4Header,
  type Ipv4Options,
  ipv4Fragment,
  ipv4HeaderLength,
  ipv4HeaderParse,
  ipv4IsFragment,
  ipv4IsValid,
  ipv4Options,
  ipv4VerifyChecksum,
} from '../ipv4.ts';
import {
  UDP_HEADER_LENGTH,
  udpDestinationPort,
  udpIsValid,
  udpLength,
  udpSourcePort,
  udpVerifyChecksum,
} from '../udp.ts';
import { ipv6Describe } from './ipv6.ts';

const ICMP_NAMES: Readonly<Record<number, string>> = {
  [ICMP_ECHO_REPLY]: 'echo reply',
  [ICMP_DESTINATION_UNREACHABLE]: 'destination unreachable',
  [ICMP_REDIRECT]: 'redirect',
  [ICMP_ECHO_REQUEST]: 'echo request',
  [ICMP_TIME_EXCEEDED]: 'time exceeded',
};

/** The frame of `length` bytes from `offset`, in one line without a line end. */
export function frameDescribe(
  bytes: Uint8Array,
  offset = 0,
  length = bytes.length - offset,
): string {
  if (!ethernetIsValid(bytes, offset, length)) return `malformed frame of ${length} bytes`;
  const header = ethernetParse(bytes, offset);
  const place = offset + ETHERNET_HEADER_LENGTH;
  const left = length - ETHERNET_HEADER_LENGTH;
  const stations = `${macFormat(header.source)} > ${macFormat(header.destination)}`;
  return `${stations} ${payloadDescribe(header.type, bytes, place, left)}`;
}

function payloadDescribe(type: number, bytes: Uint8Array, offset: number, length: number): string {
  switch (type) {
    case ETHERTYPE_ARP:
      if (!arpIsValid(bytes, offset, length)) return `malformed arp, ${length} bytes`;
      return arpDescribe(arpParse(bytes, offset));
    case ETHERTYPE_IPV4:
      if (!ipv4IsValid(bytes, offset, length)) return `malformed ipv4, ${length} bytes`;
      return ipv4Describe(bytes, offset);
    case ETHERTYPE_IPV6:
      return ipv6Describe(bytes, offset, length);
    case ETHERTYPE_VLAN:
      return `vlan, ${length} bytes`;
    default:
      return `type 0x${type.toString(16).padStart(4, '0')}, ${length} bytes`;
  }
}

function arpDescribe(packet: ArpPacket): string {
  const target = ipv4Format(packet.targetAddress);
  const sender = `${ipv4Format(packet.senderAddress)} (${macFormat(packet.senderMac)})`;
  if (arpIsProbe(packet)) return `arp probe for ${target} by ${macFormat(packet.senderMac)}`;
  if (packet.operation === ARP_REQUEST) {
    if (arpIsAnnouncement(packet)) return `arp announcement of ${sender}`;
    return `arp request for ${target} from ${sender}`;
  }
  if (packet.operation === ARP_REPLY) {
    return `arp reply of ${sender} to ${target} (${macFormat(packet.targetMac)})`;
  }
  return `arp operation ${packet.operation} from ${sender}`;
}

const OPTION_REMARKS: Readonly<Record<Ipv4Options, string>> = {
  plain: '',
  'source-route': ' source-routed',
  malformed: ' (malformed options)',
};

function ipv4Describe(bytes: Uint8Array, offset: number): string {
  const header = ipv4HeaderParse(bytes, offset);
  const hosts = `${ipv4Format(header.source)} > ${ipv4Format(header.destination)}`;
  const remarks = [
    header.typeOfService === 0 ? '' : ` tos ${header.typeOfService}`,
    header.timeToLive < 2 ? ` ttl ${header.timeToLive}` : '',
    OPTION_REMARKS[ipv4Options(bytes, offset)],
    ipv4VerifyChecksum(bytes, offset) ? '' : ' (bad header checksum)',
  ].join('');
  if (ipv4IsFragment(bytes, offset)) {
    const place = (ipv4Fragment(bytes, offset) & 0x1fff) * 8;
    return `${hosts} protocol ${header.protocol} fragment at ${place}${remarks}`;
  }
  const headerLength = ipv4HeaderLength(bytes, offset);
  const length = header.totalLength - headerLength;
  const place = offset + headerLength;
  switch (header.protocol) {
    case IPV4_PROTOCOL_ICMP:
      return `${hosts} ${icmpDescribe(bytes, place, length)}${remarks}`;
    case IPV4_PROTOCOL_UDP:
      return `${hosts} ${udpDescribe(bytes, place, length, header)}${remarks}`;
    case IPV4_PROTOCOL_TCP:
      return `${hosts} tcp, ${length} bytes${remarks}`;
    default:
      return `${hosts} protocol ${header.protocol}, ${length} bytes${remarks}`;
  }
}

function icmpDescribe(bytes: Uint8Array, offset: number, length: number): string {
  if (!icmpIsValid(bytes, offset, length)) return `malformed icmp, ${length} bytes`;
  const type = icmpType(bytes, offset);
  const checksum = icmpVerifyChecksum(bytes, offset, length) ? '' : ' (bad checksum)';
  const name = ICMP_NAMES[type] ?? `type ${type}`;
  if (type === ICMP_ECHO_REPLY || type === ICMP_ECHO_REQUEST) {
    const identifier = icmpIdentifier(bytes, offset);
    return `icmp ${name} ${identifier}/${icmpSequence(bytes, offset)}${checksum}`;
  }
  return `icmp ${name} code ${icmpCode(bytes, offset)}${checksum}`;
}

function udpDescribe(
  bytes: Uint8Array,
  offset: number,
  length: number,
  header: Ipv4Header,
): string {
  if (!udpIsValid(bytes, offset, length)) return `malformed udp, ${length} bytes`;
  const ports = `udp ${udpSourcePort(bytes, offset)} > ${udpDestinationPort(bytes, offset)}`;
  const data = offset + UDP_HEADER_LENGTH;
  const dataLength = udpLength(bytes, offset) - UDP_HEADER_LENGTH;
  const isRight = udpVerifyChecksum(bytes, offset, header.source, header.destination);
  const checksum = isRight ? '' : ' (bad checksum)';
  const isDhcp = udpDestinationPort(bytes, offset) === DHCP_SERVER_PORT;
  if (isDhcp && dhcpIsClientRequest(bytes, data, dataLength)) {
    const answer = dhcpIsBroadcast(bytes, data) ? 'broadcast' : 'unicast';
    const client = macFormat(dhcpClientMac(bytes, data));
    const address = ipv4Format(dhcpClientAddress(bytes, data));
    return `${ports} dhcp request of ${client} (${address}), ${answer} answer${checksum}`;
  }
  return `${ports}, ${dataLength} bytes${checksum}`;
}
