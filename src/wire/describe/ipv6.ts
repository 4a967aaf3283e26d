/**
 * The IPv6 half of describe.ts: one line for a packet of any bytes. Neighbour discovery that its
 * gate refuses is shown with the rule that it breaks, since its values may then be anything.
 */

import { readU16 } from '../../base/bytes.ts';
import { ipv6Format, ipv6Read, type Mac, macFormat } from '../addr.ts';
import { icmpIdentifier, icmpSequence } from '../icmp.ts';
import {
  ICMPV6_DESTINATION_UNREACHABLE,
  ICMPV6_ECHO_REPLY,
  ICMPV6_ECHO_REQUEST,
  ICMPV6_MLD_QUERY,
  ICMPV6_MLDV1_DONE,
  ICMPV6_MLDV1_REPORT,
  ICMPV6_MLDV2_REPORT,
  ICMPV6_NEIGHBOR_ADVERTISEMENT,
  ICMPV6_NEIGHBOR_SOLICITATION,
  ICMPV6_PACKET_TOO_BIG,
  ICMPV6_PARAMETER_PROBLEM,
  ICMPV6_REDIRECT,
  ICMPV6_ROUTER_ADVERTISEMENT,
  ICMPV6_ROUTER_SOLICITATION,
  ICMPV6_TIME_EXCEEDED,
  icmpv6Code,
  icmpv6IsMld,
  icmpv6IsNeighborDiscovery,
  icmpv6IsValid,
  icmpv6Type,
  icmpv6VerifyChecksum,
} from '../icmpv6.ts';
import { IPV4_PROTOCOL_TCP, IPV4_PROTOCOL_UDP } from '../ipv4.ts';
import {
  IPV6_PROTOCOL_ICMP,
  ipv6Destination,
  ipv6HopLimit,
  ipv6IsValid,
  ipv6Source,
  ipv6TotalLength,
  ipv6TrafficClass,
  ipv6Walk,
  ipv6WalkCreate,
} from '../ipv6.ts';
import {
  ndAdvertisementParse,
  ndRedirectParse,
  ndRefusal,
  ndRouterAdvertisementParse,
  ndRouterSolicitationParse,
  ndSolicitationParse,
} from '../nd.ts';
import {
  UDP_HEADER_LENGTH,
  udpDestinationPort,
  udpIsValid,
  udpLength,
  udpSourcePort,
  udpVerifyChecksumIpv6,
} from '../udp.ts';

const ICMPV6_NAMES: Readonly<Record<number, string>> = {
  [ICMPV6_DESTINATION_UNREACHABLE]: 'icmpv6 destination unreachable',
  [ICMPV6_PACKET_TOO_BIG]: 'icmpv6 packet too big',
  [ICMPV6_TIME_EXCEEDED]: 'icmpv6 time exceeded',
  [ICMPV6_PARAMETER_PROBLEM]: 'icmpv6 parameter problem',
  [ICMPV6_ECHO_REQUEST]: 'icmpv6 echo request',
  [ICMPV6_ECHO_REPLY]: 'icmpv6 echo reply',
  [ICMPV6_MLD_QUERY]: 'mld query',
  [ICMPV6_MLDV1_REPORT]: 'mld v1 report',
  [ICMPV6_MLDV1_DONE]: 'mld v1 done',
  [ICMPV6_MLDV2_REPORT]: 'mld v2 report',
  [ICMPV6_ROUTER_SOLICITATION]: 'nd router solicitation',
  [ICMPV6_ROUTER_ADVERTISEMENT]: 'nd router advertisement',
  [ICMPV6_NEIGHBOR_SOLICITATION]: 'nd solicitation',
  [ICMPV6_NEIGHBOR_ADVERTISEMENT]: 'nd advertisement',
  [ICMPV6_REDIRECT]: 'nd redirect',
};

// From RFC 2710 3 and RFC 3810 5.2.

const MLD_GROUP = 8;
const MLD_LENGTH = 24;
const MLD_RECORD_COUNT = 6;

/** The packet of at most `length` bytes at `header`. */
export function ipv6Describe(bytes: Uint8Array, header: number, length: number): string {
  if (!ipv6IsValid(bytes, header, length)) return `malformed ipv6, ${length} bytes`;
  const source = ipv6Format(ipv6Source(bytes, header));
  const hosts = `${source} > ${ipv6Format(ipv6Destination(bytes, header))}`;
  const walk = ipv6WalkCreate();
  if (!ipv6Walk(bytes, header, walk)) return `${hosts} malformed extension headers`;
  const trafficClass = ipv6TrafficClass(bytes, header);
  const hopLimit = ipv6HopLimit(bytes, header);
  const remarks = [
    trafficClass === 0 ? '' : ` class ${trafficClass}`,
    hopLimit < 2 ? ` hop limit ${hopLimit}` : '',
    walk.hasSourceRoute ? ' source-routed' : '',
  ].join('');
  const { protocol, offset } = walk;
  if (walk.isFragment) {
    const which = walk.isLaterFragment ? 'later' : 'first';
    return `${hosts} protocol ${protocol} ${which} fragment${remarks}`;
  }
  const left = header + ipv6TotalLength(bytes, header) - offset;
  return `${hosts} ${payloadDescribe(bytes, header, protocol, offset, left)}${remarks}`;
}

function payloadDescribe(
  bytes: Uint8Array,
  header: number,
  protocol: number,
  offset: number,
  length: number,
): string {
  switch (protocol) {
    case IPV6_PROTOCOL_ICMP:
      return icmpv6Describe(bytes, header, offset, length);
    case IPV4_PROTOCOL_UDP:
      return udpDescribe(bytes, header, offset, length);
    case IPV4_PROTOCOL_TCP:
      return `tcp, ${length} bytes`;
    default:
      return `protocol ${protocol}, ${length} bytes`;
  }
}

function udpDescribe(bytes: Uint8Array, header: number, offset: number, length: number): string {
  if (!udpIsValid(bytes, offset, length)) return `malformed udp, ${length} bytes`;
  const ports = `udp ${udpSourcePort(bytes, offset)} > ${udpDestinationPort(bytes, offset)}`;
  const checksum = udpVerifyChecksumIpv6(bytes, offset, header) ? '' : ' (bad checksum)';
  return `${ports}, ${udpLength(bytes, offset) - UDP_HEADER_LENGTH} bytes${checksum}`;
}

function icmpv6Describe(bytes: Uint8Array, header: number, offset: number, length: number): string {
  if (!icmpv6IsValid(bytes, offset, length)) return `malformed icmpv6, ${length} bytes`;
  const type = icmpv6Type(bytes, offset);
  const name = ICMPV6_NAMES[type] ?? `icmpv6 type ${type}`;
  if (icmpv6IsNeighborDiscovery(type)) {
    const packetLength = offset + length - header;
    const refusal = ndRefusal(bytes, header, packetLength);
    if (refusal !== undefined) return `${name} (${refusal})`;
    return `${name}${ndDescribe(bytes, header, type)}`;
  }
  const checksum = icmpv6VerifyChecksum(bytes, offset, length, header) ? '' : ' (bad checksum)';
  if (type === ICMPV6_ECHO_REPLY || type === ICMPV6_ECHO_REQUEST) {
    const identifier = icmpIdentifier(bytes, offset);
    return `${name} ${identifier}/${icmpSequence(bytes, offset)}${checksum}`;
  }
  if (icmpv6IsMld(type)) return `${name} ${mldDescribe(bytes, offset, length, type)}${checksum}`;
  return `${name} code ${icmpv6Code(bytes, offset)}${checksum}`;
}

function mldDescribe(bytes: Uint8Array, offset: number, length: number, type: number): string {
  if (type === ICMPV6_MLDV2_REPORT) {
    return `of ${readU16(bytes, offset + MLD_RECORD_COUNT)} records`;
  }
  if (length < MLD_LENGTH) return `cut off, ${length} bytes`;
  const group = ipv6Read(bytes, offset + MLD_GROUP);
  return group === 0n ? 'for all groups' : `for ${ipv6Format(group)}`;
}

/** What a valid message of neighbour discovery adds to its name and its addresses. */
function ndDescribe(bytes: Uint8Array, header: number, type: number): string {
  switch (type) {
    case ICMPV6_NEIGHBOR_SOLICITATION: {
      const { target, sourceMac, nonce } = ndSolicitationParse(bytes, header);
      const mark = nonce === undefined ? '' : ` nonce ${nonce.toString(16).padStart(12, '0')}`;
      return ` for ${ipv6Format(target)}${macDescribe(sourceMac)}${mark}`;
    }
    case ICMPV6_NEIGHBOR_ADVERTISEMENT: {
      const message = ndAdvertisementParse(bytes, header);
      const flags = [
        message.isRouter ? ' router' : '',
        message.isSolicited ? ' solicited' : '',
        message.isOverride ? ' override' : '',
      ].join('');
      return ` of ${ipv6Format(message.target)}${macDescribe(message.targetMac)}${flags}`;
    }
    case ICMPV6_REDIRECT: {
      const { redirected, target, targetMac } = ndRedirectParse(bytes, header);
      return ` of ${ipv6Format(redirected)} to ${ipv6Format(target)}${macDescribe(targetMac)}`;
    }
    case ICMPV6_ROUTER_ADVERTISEMENT: {
      const message = ndRouterAdvertisementParse(bytes, header);
      const mtu = message.mtu === undefined ? '' : `, mtu ${message.mtu}`;
      const facts = ` lifetime ${message.lifetimeS} s, ${message.prefixes.length} prefixes${mtu}`;
      return `${facts}${macDescribe(message.sourceMac)}`;
    }
    default: // ICMPV6_ROUTER_SOLICITATION
      return macDescribe(ndRouterSolicitationParse(bytes, header).sourceMac);
  }
}

function macDescribe(mac: Mac | undefined): string {
  return mac === undefined ? '' : ` (${macFormat(mac)})`;
}
