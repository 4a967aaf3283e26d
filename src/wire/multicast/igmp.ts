/**
 * IGMP, versions 1 to 3 (RFC 1112, RFC 2236, RFC 3376): queries, reports and leaves.
 *
 *    0       1       2       3       4
 *   +-------+-------+-------+-------+
 *   | type  |maxresp|   checksum    |   a report of version 3 has 0 and no group here, but
 *   +-------+-------+-------+-------+   two bytes of 0, the number of records, the records
 *   |      group address (0: all)   |
 *   +-------+-------+-------+-------+
 *   |  end of a query ...           |   of version 3 alone (membership.ts)
 *
 * The version of a query shows in its length (RFC 3376 7.1). `igmpIsValid` is the gate; the
 * parsers check the rest, and give undefined for what is no such message.
 */

import { readU16, writeU16 } from '../../base/bytes.ts';
import {
  IPV4_ADDRESS_LENGTH,
  type Ipv4,
  ipMulticastMac,
  ipv4IsMulticast,
  ipv4Parse,
  ipv4Read,
  ipv4Write,
  type Mac,
} from '../addr.ts';
import { checksumAdd, checksumComplement, checksumFold } from '../checksum.ts';
import { ETHERNET_HEADER_LENGTH, ETHERTYPE_IPV4, ethernetEmit } from '../ethernet.ts';
import { IPV4_HEADER_LENGTH_MIN, IPV4_PROTOCOL_IGMP, ipv4HeaderEmit } from '../ipv4.ts';
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

export const IGMP_QUERY = 0x11;
export const IGMP_REPORT_V1 = 0x12;
export const IGMP_REPORT_V2 = 0x16;
export const IGMP_LEAVE = 0x17;
export const IGMP_REPORT_V3 = 0x22;

const CODE = 1;
const CHECKSUM = 2;
const GROUP = 4;
const QUERY_TAIL = 8;
const RECORD_COUNT = 6;

/** Bytes of a message of versions 1 and 2, and of every message at least. */
const LENGTH_MIN = 8;
/** The code counts tenths of a second. */
const TENTH_MS = 100;
/** A query of version 1 names no time (RFC 1112 appendix I: a random delay up to this). */
const RESPONSE_V1_MS = 10_000;

/** Router alert (RFC 2113), which IGMP messages carry (RFC 3376 4). */
const ROUTER_ALERT = Uint8Array.of(148, 4, 0, 0);
/** Internetwork control (RFC 3376 4). */
const TYPE_OF_SERVICE = 0xc0;
/** Bytes before the message in a frame. */
const MESSAGE = ETHERNET_HEADER_LENGTH + IPV4_HEADER_LENGTH_MIN + ROUTER_ALERT.length;

const ALL_SYSTEMS = ipv4Parse('224.0.0.1') ?? 0;
const ALL_ROUTERS = ipv4Parse('224.0.0.2') ?? 0;
/** Routers of version 3 (RFC 3376 4.2.14). */
const ALL_V3_ROUTERS = ipv4Parse('224.0.0.22') ?? 0;

const CODEC: AddressCodec<Ipv4> = {
  length: IPV4_ADDRESS_LENGTH,
  read: ipv4Read,
  write: ipv4Write,
};

export type IgmpQuery = MembershipQuery<Ipv4>;
export type IgmpRecord = GroupRecord<Ipv4>;

/** True if a whole header lies within `length` bytes from `offset`. */
export function igmpIsValid(bytes: Uint8Array, offset: number, length: number): boolean {
  return length >= LENGTH_MIN && offset + length <= bytes.length;
}

export function igmpType(bytes: Uint8Array, offset: number): number {
  return bytes[offset]!;
}

/** The group of a message of versions 1 and 2, and of a query. */
export function igmpGroup(bytes: Uint8Array, offset: number): Ipv4 {
  return ipv4Read(bytes, offset + GROUP);
}

/** True if the checksum of the message of `length` bytes is right. */
export function igmpVerifyChecksum(bytes: Uint8Array, offset: number, length: number): boolean {
  return checksumFold(checksumAdd(0, bytes, offset, length)) === 0xffff;
}

/** The query of `length` bytes; undefined if it is none. */
export function igmpQueryParse(
  bytes: Uint8Array,
  offset: number,
  length: number,
): IgmpQuery | undefined {
  if (!igmpIsValid(bytes, offset, length) || igmpType(bytes, offset) !== IGMP_QUERY) {
    return undefined;
  }
  const address = igmpGroup(bytes, offset);
  if (address !== 0 && !ipv4IsMulticast(address)) return undefined;
  const group = address === 0 ? undefined : address;
  const code = bytes[offset + CODE]!;
  if (length === LENGTH_MIN) {
    const version = code === 0 ? 1 : 2;
    const maxResponseMs = code === 0 ? RESPONSE_V1_MS : code * TENTH_MS;
    return { version, group, maxResponseMs, ...QUERY_TAIL_NONE };
  }
  const tail = queryTailParse(CODEC, bytes, offset + QUERY_TAIL, offset + length);
  if (tail === undefined || (group === undefined && tail.sources.length > 0)) return undefined;
  return { version: 3, group, maxResponseMs: codeParse(code, 8) * TENTH_MS, ...tail };
}

/** The records of a report of version 3 of `length` bytes; undefined if it is none. */
export function igmpReportParse(
  bytes: Uint8Array,
  offset: number,
  length: number,
): IgmpRecord[] | undefined {
  if (!igmpIsValid(bytes, offset, length) || igmpType(bytes, offset) !== IGMP_REPORT_V3) {
    return undefined;
  }
  const range = { offset: offset + LENGTH_MIN, end: offset + length };
  return recordsParse(CODEC, bytes, range, readU16(bytes, offset + RECORD_COUNT));
}

/**
 * A new frame with a query. Its sender address is 0.0.0.0, so it takes part in no election of
 * queriers (RFC 4541 2.1.1).
 */
export function igmpQueryFrame(source: Mac, query: IgmpQuery): Uint8Array {
  const { version, group, maxResponseMs } = query;
  const length = version === 3 ? QUERY_TAIL + queryTailLength(CODEC, query) : LENGTH_MIN;
  const frame = frameCreate({ source, sender: 0, to: group ?? ALL_SYSTEMS }, length);
  frame[MESSAGE] = IGMP_QUERY;
  const tenths = Math.floor(maxResponseMs / TENTH_MS);
  if (version === 3) frame[MESSAGE + CODE] = codeOf(tenths, 8);
  else if (version === 2) frame[MESSAGE + CODE] = Math.min(0xff, Math.max(1, tenths));
  ipv4Write(frame, MESSAGE + GROUP, group ?? 0);
  if (version === 3) queryTailEmit(CODEC, frame, MESSAGE + QUERY_TAIL, query);
  return finish(frame);
}

/** A new frame with a report of version 3 of the host `sender`. */
export function igmpReportFrame(
  source: Mac,
  sender: Ipv4,
  records: readonly IgmpRecord[],
): Uint8Array {
  const length = records.reduce((sum, record) => sum + recordLength(CODEC, record), LENGTH_MIN);
  const frame = frameCreate({ source, sender, to: ALL_V3_ROUTERS }, length);
  frame[MESSAGE] = IGMP_REPORT_V3;
  writeU16(frame, MESSAGE + RECORD_COUNT, records.length);
  recordsEmit(CODEC, frame, MESSAGE + LENGTH_MIN, records);
  return finish(frame);
}

/** A new frame with a report of version 1 or 2 (by its type), or a leave. */
export function igmpGroupFrame(source: Mac, sender: Ipv4, type: number, group: Ipv4): Uint8Array {
  const to = type === IGMP_LEAVE ? ALL_ROUTERS : group;
  const frame = frameCreate({ source, sender, to }, LENGTH_MIN);
  frame[MESSAGE] = type;
  ipv4Write(frame, MESSAGE + GROUP, group);
  return finish(frame);
}

/** A frame with its headers and room for a message of `length` bytes, which is zero. */
function frameCreate(
  { source, sender, to }: { source: Mac; sender: Ipv4; to: Ipv4 },
  length: number,
): Uint8Array {
  const frame = new Uint8Array(MESSAGE + length);
  ethernetEmit(frame, 0, { destination: ipMulticastMac(to), source, type: ETHERTYPE_IPV4 });
  ipv4HeaderEmit(frame, ETHERNET_HEADER_LENGTH, {
    typeOfService: TYPE_OF_SERVICE,
    totalLength: frame.length - ETHERNET_HEADER_LENGTH,
    identification: 0,
    fragment: 0,
    timeToLive: 1,
    protocol: IPV4_PROTOCOL_IGMP,
    source: sender,
    destination: to,
    options: ROUTER_ALERT,
  });
  return frame;
}

/** Writes the checksum of the message. */
function finish(frame: Uint8Array): Uint8Array {
  const sum = checksumAdd(0, frame, MESSAGE, frame.length - MESSAGE);
  writeU16(frame, MESSAGE + CHECKSUM, checksumComplement(sum));
  return frame;
}
