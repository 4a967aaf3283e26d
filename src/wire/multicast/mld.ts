/**
 * Multicast listener discovery, versions 1 and 2 (RFC 2710, RFC 3810): queries, reports and, of
 * version 1, the end of a membership (done). It is to IPv6 what IGMP (igmp.ts) is to IPv4.
 *
 *    0       1       2       3       4
 *   +-------+-------+-------+-------+
 *   | type  | code  |   checksum    |
 *   +-------+-------+-------+-------+
 *   | max response  |   reserved    |   a report of version 2 has 0 and the number of its
 *   +-------+-------+-------+-------+   records here, and then the records
 *   |  group address, 16 bytes      |
 *   +-------+-------+-------+-------+
 *   |  end of a query ...           |   of version 2 alone (membership.ts)
 *
 * The version of a query shows in its length (RFC 3810 8.1). `mldIsValid` is the gate, behind those
 * of the frame, of IPv6 and of its extension headers; the parsers check the rest, and give
 * undefined for what is no such message.
 */

import { readU16, writeU16 } from '../../base/bytes.ts';
import {
  IPV6_ADDRESS_LENGTH,
  IPV6_ALL_MLDV2_ROUTERS,
  IPV6_ALL_NODES,
  IPV6_ALL_ROUTERS,
  IPV6_UNSPECIFIED,
  type Ipv6,
  ipIsLinkLocal,
  ipMulticastMac,
  ipv6IsMulticast,
  ipv6Read,
  ipv6Write,
  type Mac,
} from '../addr.ts';
import { ETHERNET_HEADER_LENGTH, ETHERTYPE_IPV6, ethernetEmit } from '../ethernet.ts';
import {
  ICMPV6_MLD_QUERY,
  ICMPV6_MLDV1_DONE,
  ICMPV6_MLDV2_REPORT,
  icmpv6Code,
  icmpv6FillChecksum,
  icmpv6IsMld,
  icmpv6Type,
  icmpv6VerifyChecksum,
} from '../icmpv6.ts';
import {
  IPV6_HEADER_LENGTH,
  IPV6_HOP_BY_HOP,
  IPV6_PROTOCOL_ICMP,
  type Ipv6Walk,
  ipv6HeaderEmit,
  ipv6HopLimit,
  ipv6NextHeader,
  ipv6Source,
  ipv6TotalLength,
} from '../ipv6.ts';
import {
  type AddressCodec,
  codeOf,
  codeParse,
  type GroupRecord,
  type MembershipQuery,
  QUERY_TAIL_NONE,
  queryTailEmit,
  queryTailLength,
  queryTailParse,
  recordLength,
  recordsEmit,
  recordsParse,
} from './membership.ts';

// From the RFCs.

const RESPONSE = 4;
const RECORD_COUNT = 6;
const GROUP = 8;
const QUERY_TAIL = GROUP + IPV6_ADDRESS_LENGTH;

/** Bytes of a message of version 1, and of a query at least. */
const LENGTH_V1 = QUERY_TAIL;
/** Bytes of a report of version 2 without records. */
const REPORT_LENGTH = 8;
const RESPONSE_MAX_V1_MS = 0xffff;

/** Options of the hop-by-hop header (RFC 8200 4.2), and that for routers (RFC 2711 2.1). */
const OPTION_PAD_ONE = 0;
const OPTION_ROUTER_ALERT = 5;
/** What the router alert is about: MLD. */
const ALERT_MLD = 0;
/** The hop-by-hop header of every message: router alert, and padding. */
const HOP_BY_HOP = Uint8Array.of(IPV6_PROTOCOL_ICMP, 0, OPTION_ROUTER_ALERT, 2, 0, ALERT_MLD, 1, 0);
/** Bytes before the message in a frame. */
const MESSAGE = ETHERNET_HEADER_LENGTH + IPV6_HEADER_LENGTH + HOP_BY_HOP.length;

const CODEC: AddressCodec<Ipv6> = {
  length: IPV6_ADDRESS_LENGTH,
  read: ipv6Read,
  write: ipv6Write,
};

export type MldQuery = MembershipQuery<Ipv6>;
export type MldRecord = GroupRecord<Ipv6>;

/**
 * True for a message that a node may heed (RFC 2710 3, RFC 3810 5 and 6.2): hop limit 1, a router
 * alert, a link-local source (or, but for a query, none), a whole message, a right checksum. The
 * packet at `header` is valid, and `walk` has found its payload.
 */
export function mldIsValid(bytes: Uint8Array, header: number, walk: Readonly<Ipv6Walk>): boolean {
  if (walk.protocol !== IPV6_PROTOCOL_ICMP || walk.isFragment) return false;
  const length = header + ipv6TotalLength(bytes, header) - walk.offset;
  if (length < REPORT_LENGTH || !icmpv6IsMld(icmpv6Type(bytes, walk.offset))) return false;
  const type = icmpv6Type(bytes, walk.offset);
  if (type !== ICMPV6_MLDV2_REPORT && length < LENGTH_V1) return false;
  if (icmpv6Code(bytes, walk.offset) !== 0 || ipv6HopLimit(bytes, header) !== 1) return false;
  const source = ipv6Source(bytes, header);
  const mayHaveNone = type !== ICMPV6_MLD_QUERY && source === IPV6_UNSPECIFIED;
  if (!mayHaveNone && !ipIsLinkLocal(source)) return false;
  if (!hasRouterAlert(bytes, header)) return false;
  return icmpv6VerifyChecksum(bytes, walk.offset, length, header);
}

/** The group of a message of version 1, and of a query. */
export function mldGroup(bytes: Uint8Array, offset: number): Ipv6 {
  return ipv6Read(bytes, offset + GROUP);
}

/** The query of `length` bytes at `offset`; undefined if it is none. */
export function mldQueryParse(
  bytes: Uint8Array,
  offset: number,
  length: number,
): MldQuery | undefined {
  if (length < LENGTH_V1 || icmpv6Type(bytes, offset) !== ICMPV6_MLD_QUERY) return undefined;
  const address = mldGroup(bytes, offset);
  if (address !== IPV6_UNSPECIFIED && !ipv6IsMulticast(address)) return undefined;
  const group = address === IPV6_UNSPECIFIED ? undefined : address;
  const code = readU16(bytes, offset + RESPONSE);
  if (length === LENGTH_V1) return { version: 1, group, maxResponseMs: code, ...QUERY_TAIL_NONE };
  const tail = queryTailParse(CODEC, bytes, offset + QUERY_TAIL, offset + length);
  if (tail === undefined || (group === undefined && tail.sources.length > 0)) return undefined;
  return { version: 2, group, maxResponseMs: codeParse(code, 16), ...tail };
}

/** The records of a report of version 2 of `length` bytes at `offset`; undefined if it is none. */
export function mldReportParse(
  bytes: Uint8Array,
  offset: number,
  length: number,
): MldRecord[] | undefined {
  if (length < REPORT_LENGTH || icmpv6Type(bytes, offset) !== ICMPV6_MLDV2_REPORT) {
    return undefined;
  }
  const range = { offset: offset + REPORT_LENGTH, end: offset + length };
  return recordsParse(CODEC, bytes, range, readU16(bytes, offset + RECORD_COUNT));
}

/** Records without sources that a report in a frame of this MTU has room for. */
export function mldRecordsMax(mtu: number): number {
  const room = mtu - (MESSAGE - ETHERNET_HEADER_LENGTH) - REPORT_LENGTH;
  return Math.floor(room / recordLength(CODEC, { type: 0, group: 0n, sources: [] }));
}

/** A new frame with a query of the station `source`; `sender` is link-local. */
export function mldQueryFrame(source: Mac, sender: Ipv6, query: MldQuery): Uint8Array {
  const { version, group, maxResponseMs } = query;
  const length = version === 2 ? QUERY_TAIL + queryTailLength(CODEC, query) : LENGTH_V1;
  const frame = frameCreate({ source, sender, to: group ?? IPV6_ALL_NODES }, length);
  frame[MESSAGE] = ICMPV6_MLD_QUERY;
  const ms = version === 2 ? codeOf(maxResponseMs, 16) : maxResponseMs;
  writeU16(frame, MESSAGE + RESPONSE, Math.min(ms, RESPONSE_MAX_V1_MS));
  ipv6Write(frame, MESSAGE + GROUP, group ?? IPV6_UNSPECIFIED);
  if (version === 2) queryTailEmit(CODEC, frame, MESSAGE + QUERY_TAIL, query);
  return finish(frame);
}

/** A new frame with a report of version 2; `sender` is link-local or none (RFC 3590). */
export function mldReportFrame(
  source: Mac,
  sender: Ipv6,
  records: readonly MldRecord[],
): Uint8Array {
  const length = records.reduce((sum, record) => sum + recordLength(CODEC, record), REPORT_LENGTH);
  const frame = frameCreate({ source, sender, to: IPV6_ALL_MLDV2_ROUTERS }, length);
  frame[MESSAGE] = ICMPV6_MLDV2_REPORT;
  writeU16(frame, MESSAGE + RECORD_COUNT, records.length);
  recordsEmit(CODEC, frame, MESSAGE + REPORT_LENGTH, records);
  return finish(frame);
}

/** A new frame of version 1 about one group: a report, or that it is done with. */
export function mldGroupFrame(source: Mac, sender: Ipv6, type: number, group: Ipv6): Uint8Array {
  const to = type === ICMPV6_MLDV1_DONE ? IPV6_ALL_ROUTERS : group;
  const frame = frameCreate({ source, sender, to }, LENGTH_V1);
  frame[MESSAGE] = type;
  ipv6Write(frame, MESSAGE + GROUP, group);
  return finish(frame);
}

/** True if the packet begins with a hop-by-hop header that alerts routers to MLD. */
function hasRouterAlert(bytes: Uint8Array, header: number): boolean {
  if (ipv6NextHeader(bytes, header) !== IPV6_HOP_BY_HOP) return false;
  const options = header + IPV6_HEADER_LENGTH;
  const end = options + 8 * (1 + bytes[options + 1]!);
  let at = options + 2;
  while (at + 1 < end) {
    const option = bytes[at]!;
    if (option === OPTION_PAD_ONE) {
      at++;
      continue;
    }
    const length = bytes[at + 1]!;
    const isAlert = option === OPTION_ROUTER_ALERT && length === 2 && at + 4 <= end;
    if (isAlert && readU16(bytes, at + 2) === ALERT_MLD) return true;
    at += 2 + length;
  }
  return false;
}

/** A frame with its headers and room for a message of `length` bytes, which is zero. */
function frameCreate(
  { source, sender, to }: { source: Mac; sender: Ipv6; to: Ipv6 },
  length: number,
): Uint8Array {
  const frame = new Uint8Array(MESSAGE + length);
  ethernetEmit(frame, 0, { destination: ipMulticastMac(to), source, type: ETHERTYPE_IPV6 });
  ipv6HeaderEmit(frame, ETHERNET_HEADER_LENGTH, {
    trafficClass: 0,
    flowLabel: 0,
    payloadLength: HOP_BY_HOP.length + length,
    nextHeader: IPV6_HOP_BY_HOP,
    hopLimit: 1,
    source: sender,
    destination: to,
  });
  frame.set(HOP_BY_HOP, ETHERNET_HEADER_LENGTH + IPV6_HEADER_LENGTH);
  return frame;
}

/** Writes the checksum of the message. */
function finish(frame: Uint8Array): Uint8Array {
  icmpv6FillChecksum(frame, MESSAGE, frame.length - MESSAGE, ETHERNET_HEADER_LENGTH);
  return frame;
}
