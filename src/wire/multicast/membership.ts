/**
 * What the messages about multicast memberships of both families have in common: IGMP (igmp.ts)
 * and MLD (mld.ts). Version 3 of the one is version 2 of the other (RFC 3376, RFC 3810 1).
 *
 * A group record, in a report:
 *
 *    0       1       2       3       4
 *   +-------+-------+-------+-------+
 *   | type  |aux len|sources: number|   auxiliary data in words of 32 bits
 *   +-------+-------+-------+-------+
 *   |  group address, 4 or 16 bytes |
 *   |  sources, auxiliary data ...  |
 *
 * The end of a query of the newest version, behind its group:
 *
 *    0       1       2       3       4
 *   +-------+-------+-------+-------+
 *   |s, qrv | qqic  |sources: number|   suppression, robustness, interval
 *   +-------+-------+-------+-------+
 *   |      sources ...              |
 */

import { readU16, writeU16 } from '../../base/bytes.ts';

// RFC 3376 4.2.12, RFC 3810 5.2.12.

/** The present state, answered to a query: of these sources alone, or of all but these. */
export const RECORD_IS_INCLUDE = 1;
export const RECORD_IS_EXCLUDE = 2;
/** A change of the state: to these sources alone, or to all but these. */
export const RECORD_TO_INCLUDE = 3;
export const RECORD_TO_EXCLUDE = 4;
/** A change of the sources: these are wanted now, or no longer. */
export const RECORD_ALLOW = 5;
export const RECORD_BLOCK = 6;

const FLAGS = 0;
const INTERVAL = FLAGS + 1;
const QUERY_SOURCES = INTERVAL + 1;
/** Bytes of the end of a query without sources. */
export const QUERY_TAIL_LENGTH = QUERY_SOURCES + 2;
const SUPPRESS = 0x08;
const ROBUSTNESS_MASK = 0x07;

const TYPE = 0;
const AUXILIARY_LENGTH = TYPE + 1;
const SOURCES = AUXILIARY_LENGTH + 1;
const GROUP = SOURCES + 2;

/** A query in values; what its version lacks is false, zero or empty. */
export interface MembershipQuery<A> {
  /** Of IGMP 1 to 3, of MLD 1 and 2. */
  readonly version: number;
  /** Undefined: a general query, about all groups. */
  readonly group: A | undefined;
  /** Answers are spread over this time. */
  readonly maxResponseMs: number;
  /** Routers that receive it leave their timers alone (the S flag). */
  readonly isSuppressed: boolean;
  /** How often a report is sent, 0 to 7; 0: the host's own setting. */
  readonly robustness: number;
  /** From query to query; 0: the host's own setting. */
  readonly intervalS: number;
  readonly sources: readonly A[];
}

/** What the end of a query holds. */
export type QueryTail<A> = Pick<
  MembershipQuery<A>,
  'isSuppressed' | 'robustness' | 'intervalS' | 'sources'
>;

/** What a query of an older version, which ends behind its group, says by that. */
export const QUERY_TAIL_NONE = {
  isSuppressed: false,
  robustness: 0,
  intervalS: 0,
  sources: [],
} as const;

/** One group in a report. */
export interface GroupRecord<A> {
  /** RECORD_… */
  readonly type: number;
  readonly group: A;
  readonly sources: readonly A[];
}

/** How the addresses of a family are read and written. */
export interface AddressCodec<A> {
  readonly length: number;
  readonly read: (bytes: Uint8Array, offset: number) => A;
  readonly write: (bytes: Uint8Array, offset: number, address: A) => void;
}

/** `count` addresses from `offset`. */
function addressesRead<A>(
  codec: AddressCodec<A>,
  bytes: Uint8Array,
  offset: number,
  count: number,
): A[] {
  return Array.from({ length: count }, (_, at) => codec.read(bytes, offset + at * codec.length));
}

/** Writes the addresses from `offset`. */
function addressesWrite<A>(
  codec: AddressCodec<A>,
  bytes: Uint8Array,
  offset: number,
  addresses: readonly A[],
): void {
  for (const [at, address] of addresses.entries()) {
    codec.write(bytes, offset + at * codec.length, address);
  }
}

/** Bytes of the end of a query. */
export function queryTailLength<A>(codec: AddressCodec<A>, { sources }: QueryTail<A>): number {
  return QUERY_TAIL_LENGTH + sources.length * codec.length;
}

/** The end of a query between `offset` and `end`; undefined if its sources do not fit. */
export function queryTailParse<A>(
  codec: AddressCodec<A>,
  bytes: Uint8Array,
  offset: number,
  end: number,
): QueryTail<A> | undefined {
  const first = offset + QUERY_TAIL_LENGTH;
  if (first > end) return undefined;
  const count = readU16(bytes, offset + QUERY_SOURCES);
  if (first + count * codec.length > end) return undefined;
  const flags = bytes[offset + FLAGS]!;
  return {
    isSuppressed: (flags & SUPPRESS) !== 0,
    robustness: flags & ROBUSTNESS_MASK,
    intervalS: codeParse(bytes[offset + INTERVAL]!, 8),
    sources: addressesRead(codec, bytes, first, count),
  };
}

/** Writes the end of a query. */
export function queryTailEmit<A>(
  codec: AddressCodec<A>,
  bytes: Uint8Array,
  offset: number,
  { isSuppressed, robustness, intervalS, sources }: QueryTail<A>,
): void {
  bytes[offset + FLAGS] = (isSuppressed ? SUPPRESS : 0) | robustness;
  bytes[offset + INTERVAL] = codeOf(intervalS, 8);
  writeU16(bytes, offset + QUERY_SOURCES, sources.length);
  addressesWrite(codec, bytes, offset + QUERY_TAIL_LENGTH, sources);
}

/** Bytes of a record without auxiliary data. */
export function recordLength<A>(codec: AddressCodec<A>, record: GroupRecord<A>): number {
  return GROUP + codec.length * (1 + record.sources.length);
}

/**
 * The `count` records between `offset` and `end`; undefined if they do not fit. Auxiliary data are
 * passed over (RFC 3376 4.2.11), and so is what follows the last record.
 */
export function recordsParse<A>(
  codec: AddressCodec<A>,
  bytes: Uint8Array,
  range: { readonly offset: number; readonly end: number },
  count: number,
): GroupRecord<A>[] | undefined {
  const records: GroupRecord<A>[] = [];
  let at = range.offset;
  for (let number = 0; number < count; number++) {
    const sources = at + GROUP + codec.length;
    if (sources > range.end) return undefined;
    const sourceCount = readU16(bytes, at + SOURCES);
    const auxiliary = 4 * bytes[at + AUXILIARY_LENGTH]!;
    const next = sources + sourceCount * codec.length + auxiliary;
    if (next > range.end) return undefined;
    records.push({
      type: bytes[at + TYPE]!,
      group: codec.read(bytes, at + GROUP),
      sources: addressesRead(codec, bytes, sources, sourceCount),
    });
    at = next;
  }
  return records;
}

/** Writes the records one behind the other. */
export function recordsEmit<A>(
  codec: AddressCodec<A>,
  bytes: Uint8Array,
  offset: number,
  records: readonly GroupRecord<A>[],
): void {
  let at = offset;
  for (const record of records) {
    bytes[at + TYPE] = record.type;
    bytes[at + AUXILIARY_LENGTH] = 0;
    writeU16(bytes, at + SOURCES, record.sources.length);
    codec.write(bytes, at + GROUP, record.group);
    addressesWrite(codec, bytes, at + GROUP + codec.length, record.sources);
    at += recordLength(codec, record);
  }
}

/**
 * The number that a code of `bits` bits stands for: below half of the range itself, above it a
 * mantissa and an exponent of three bits (RFC 3376 4.1.1, RFC 3810 5.1.3).
 */
export function codeParse(code: number, bits: 8 | 16): number {
  const mantissaBits = bits - 4;
  if (code < 1 << (bits - 1)) return code;
  const mantissa = (code & ((1 << mantissaBits) - 1)) | (1 << mantissaBits);
  return mantissa << (((code >> mantissaBits) & 7) + 3);
}

/** The code of `bits` bits for `value`: the greatest that stands for no more. */
export function codeOf(value: number, bits: 8 | 16): number {
  const half = 1 << (bits - 1);
  if (value < half) return value;
  const mantissaBits = bits - 4;
  for (let exponent = 0; exponent < 8; exponent++) {
    const mantissa = Math.floor(value / 2 ** (exponent + 3));
    if (mantissa < 1 << (mantissaBits + 1)) {
      return half | (exponent << mantissaBits) | (mantissa & ((1 << mantissaBits) - 1));
    }
  }
  return 2 * half - 1;
}
