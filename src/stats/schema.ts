/**
 * The statistics of an interface: names, widths and order, as one table.
 *
 * kstats, metrics, the CLI and the documentation are made from this table, so that a counter has
 * one name and one meaning everywhere. The fifteen statistics and their order are those of the
 * group kstat (docs/law.md row 110).
 *
 * Internally every counter is a 64-bit unsigned integer (bigint). Truncation to 32 bits happens
 * at publication only, so that 32-bit wraps of a link's own counters cancel out modulo 2^32
 * (docs/law.md row 111).
 */

export const LINK_COUNTER_NAMES = [
  'rbytes',
  'obytes',
  'ipackets',
  'opackets',
  'ierrors',
  'oerrors',
  'multircv',
  'multixmt',
  'brdcstrcv',
  'brdcstxmt',
] as const;

export type LinkCounterName = (typeof LINK_COUNTER_NAMES)[number];

/**
 * What a link has counted since some origin of its own: 64-bit unsigned, never falling while the
 * link lives.
 */
export type LinkCounters = Readonly<Record<LinkCounterName, bigint>>;

/** One row of the table: `from` null means that the statistic is not a counter of the link. */
export interface StatisticDescription {
  readonly name: string;
  readonly width: 32 | 64;
  readonly from: LinkCounterName | null;
  readonly sentence: string;
}

export const INTERFACE_STATISTICS: readonly StatisticDescription[] = [
  { name: 'obytes', width: 32, from: 'obytes', sentence: 'bytes sent, modulo 2^32' },
  { name: 'obytes64', width: 64, from: 'obytes', sentence: 'bytes sent' },
  { name: 'rbytes', width: 32, from: 'rbytes', sentence: 'bytes received, modulo 2^32' },
  { name: 'rbytes64', width: 64, from: 'rbytes', sentence: 'bytes received' },
  { name: 'opackets', width: 32, from: 'opackets', sentence: 'packets sent, modulo 2^32' },
  { name: 'opackets64', width: 64, from: 'opackets', sentence: 'packets sent' },
  { name: 'oerrors', width: 32, from: 'oerrors', sentence: 'packets lost while sending' },
  { name: 'ipackets', width: 32, from: 'ipackets', sentence: 'packets received, modulo 2^32' },
  { name: 'ipackets64', width: 64, from: 'ipackets', sentence: 'packets received' },
  { name: 'ierrors', width: 32, from: 'ierrors', sentence: 'packets lost while receiving' },
  { name: 'multircv', width: 32, from: 'multircv', sentence: 'multicast packets received' },
  { name: 'multixmt', width: 32, from: 'multixmt', sentence: 'multicast packets sent' },
  { name: 'brdcstrcv', width: 32, from: 'brdcstrcv', sentence: 'broadcast packets received' },
  { name: 'brdcstxmt', width: 32, from: 'brdcstxmt', sentence: 'broadcast packets sent' },
  { name: 'link_up', width: 32, from: null, sentence: '1 while it can carry traffic, else 0' },
];

/** A published statistic: counters are bigint, everything else is text or a small number. */
export type KstatValue = bigint | number | string;

/** The published statistics of one kstat, in the order in which they are shown. */
export type KstatData = Readonly<Record<string, KstatValue>>;

/** Fills a record of counters by asking `counterOf` once for each name. */
export function linkCountersFrom(counterOf: (name: LinkCounterName) => bigint): LinkCounters {
  return {
    rbytes: counterOf('rbytes'),
    obytes: counterOf('obytes'),
    ipackets: counterOf('ipackets'),
    opackets: counterOf('opackets'),
    ierrors: counterOf('ierrors'),
    oerrors: counterOf('oerrors'),
    multircv: counterOf('multircv'),
    multixmt: counterOf('multixmt'),
    brdcstrcv: counterOf('brdcstrcv'),
    brdcstxmt: counterOf('brdcstxmt'),
  };
}

/** All counters at zero. */
export const LINK_COUNTERS_ZERO: LinkCounters = Object.freeze(linkCountersFrom(() => 0n));

/** `left + right`, each counter modulo 2^64. */
export function linkCountersAdd(left: LinkCounters, right: LinkCounters): LinkCounters {
  return linkCountersFrom((name) => BigInt.asUintN(64, left[name] + right[name]));
}

/** `left - right`, each counter modulo 2^64. */
export function linkCountersSubtract(left: LinkCounters, right: LinkCounters): LinkCounters {
  return linkCountersFrom((name) => BigInt.asUintN(64, left[name] - right[name]));
}

/** The larger of each pair of counters. */
export function linkCountersMax(left: LinkCounters, right: LinkCounters): LinkCounters {
  return linkCountersFrom((name) => (left[name] > right[name] ? left[name] : right[name]));
}

/**
 * The fifteen statistics of a group or link: `counters` truncated to their widths, and `link_up`
 * as 0 or 1.
 */
export function interfaceStatistics(counters: LinkCounters, linkUp: boolean): KstatData {
  const data: Record<string, KstatValue> = {};
  for (const { name, width, from } of INTERFACE_STATISTICS) {
    if (from === null) data[name] = linkUp ? 1 : 0;
    else data[name] = BigInt.asUintN(width, counters[from]);
  }
  return data;
}
