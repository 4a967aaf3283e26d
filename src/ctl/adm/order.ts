/**
 * The order in which rows are shown: names as people count (net2 before net10), addresses by
 * their value, whatever order the daemon keeps them in.
 */
import type { Row } from './views.ts';

type Compare = (left: string, right: string) => number;

/** Digits are compared as numbers, everything else by its characters. */
export function compareNames(left: string, right: string): number {
  const ours = left.match(/\d+|\D+/g) ?? [];
  const theirs = right.match(/\d+|\D+/g) ?? [];
  for (const [at, part] of ours.entries()) {
    const other = theirs[at];
    if (other === undefined) return 1;
    const difference = compareParts(part, other);
    if (difference !== 0) return difference;
  }
  return ours.length - theirs.length || compareText(left, right);
}

function compareParts(left: string, right: string): number {
  const difference = Number(left) - Number(right);
  return Number.isNaN(difference) ? compareText(left, right) : difference;
}

function compareText(left: string, right: string): number {
  if (left === right) return 0;
  return left < right ? -1 : 1;
}

/** IPv4 before IPv6, then by value, then by prefix length. */
export function compareAddresses(left: string, right: string): number {
  const ours = addressValue(left);
  const theirs = addressValue(right);
  for (const [at, part] of ours.entries()) {
    const difference = part - (theirs[at] ?? 0);
    if (difference !== 0) return difference;
  }
  return compareText(left, right);
}

/** Family, parts from the highest, prefix length. */
function addressValue(text: string): number[] {
  const [address = '', length = '0'] = text.split('/');
  if (!address.includes(':')) return [4, ...address.split('.').map(Number), Number(length)];
  const [head = [], tail] = address.split('::').map(groupsOf);
  const missing = tail === undefined ? 0 : 8 - head.length - tail.length;
  const zeros = new Array<number>(Math.max(0, missing)).fill(0);
  return [6, ...head, ...zeros, ...(tail ?? []), Number(length)];
}

/** 16-bit groups; a part with dots is two of them. */
function groupsOf(text: string): number[] {
  if (text === '') return [];
  return text.split(':').flatMap((part) => {
    if (!part.includes('.')) return [Number.parseInt(part, 16)];
    const [a = 0, b = 0, c = 0, d = 0] = part.split('.').map(Number);
    return [a * 256 + b, c * 256 + d];
  });
}

/** What decides, most important first. */
export type SortKey = readonly [field: string, compare: Compare];

/** `rows` in the order of `keys`; rows that are equal in all of them keep their order. */
export function sortRows(rows: readonly Row[], keys: readonly SortKey[]): Row[] {
  return rows.toSorted((left, right) => {
    for (const [field, compare] of keys) {
      const difference = compare(String(left[field] ?? ''), String(right[field] ?? ''));
      if (difference !== 0) return difference;
    }
    return 0;
  });
}
