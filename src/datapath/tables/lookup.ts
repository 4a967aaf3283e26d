/**
 * Look-ups in a published table, for workers. Free functions over the shared words: `table` is the
 * first word of the table that the caller holds (layout.ts defines holding).
 *
 * The hashes probe linearly; they are at most half full and hold an empty entry, so a search
 * ends. The limit of a search is the capacity.
 */

import { readI32, readU16 } from '../../base/bytes.ts';
import { MAX_GROUP_MEMBERS } from '../../model/limits.ts';
import { mixInto } from './hash.ts';
import {
  ADDRESS_SLOTS,
  HASH_ENTRY_WORDS,
  HASH6_ENTRY_WORDS,
  MAC_SLOTS,
  NIC_WORDS,
  REDIRECT_SLOTS,
  TABLE_ADDRESSES,
  TABLE_ADDRESSES6,
  TABLE_MACS,
  TABLE_MEMBERS,
  TABLE_NICS,
  TABLE_REDIRECTS,
} from './layout.ts';

/** Results of addressFind for an address that is not ours. Slots are 0 or more, tests negative. */
export const ADDRESS_NONE = 0x7fffffff;
/** A data address that has no placement slot. */
export const ADDRESS_UNPLACED = 0x7ffffffe;

/** First index to look at for a MAC, in a hash of MAC_SLOTS entries. */
export function macHash(high: number, low: number): number {
  return mixInto(high, low) & (MAC_SLOTS - 1);
}

/** First index to look at for an IPv4 address of a group. */
export function addressHash(group: number, address: number): number {
  return mixInto(group, address) & (ADDRESS_SLOTS - 1);
}

/** First index to look at for an IPv6 address of a group, given what mixAddress makes of it. */
export function addressHash6(group: number, mixed: number): number {
  return mixInto(group, mixed) & (ADDRESS_SLOTS - 1);
}

/** First index to look at for a redirect of a group. */
export function redirectHash(group: number, high: number, low: number): number {
  return mixInto(mixInto(group, high), low) & (REDIRECT_SLOTS - 1);
}

/** The port with the MAC that is at `at` in `bytes`: a NIC or a group device, -1: not ours. */
export function macFind(words: Int32Array, table: number, bytes: Uint8Array, at: number): number {
  const high = readU16(bytes, at);
  const low = readI32(bytes, at + 2);
  let index = macHash(high, low);
  for (let probes = 0; probes < MAC_SLOTS; probes++) {
    const entry = table + TABLE_MACS + index * HASH_ENTRY_WORDS;
    const port = words[entry]!;
    if (port === 0) return -1;
    if (words[entry + 2] === low && words[entry + 1] === high) return port - 1;
    index = (index + 1) & (MAC_SLOTS - 1);
  }
  return -1;
}

/**
 * What `address` (signed 32 bits) is to `group` (-1 for NICs in none): ADDRESS_NONE; a data
 * address: its slot or ADDRESS_UNPLACED; a test address: -1 - nic.
 */
export function addressFind(
  words: Int32Array,
  table: number,
  group: number,
  address: number,
): number {
  const key = group + 2;
  let index = addressHash(group, address);
  for (let probes = 0; probes < ADDRESS_SLOTS; probes++) {
    const entry = table + TABLE_ADDRESSES + index * HASH_ENTRY_WORDS;
    const found = words[entry]!;
    if (found === 0) return ADDRESS_NONE;
    if (found === key && words[entry + 1] === address) {
      return addressMeaning(words[entry + 2]!);
    }
    index = (index + 1) & (ADDRESS_SLOTS - 1);
  }
  return ADDRESS_NONE;
}

/** As addressFind, for the IPv6 address of four signed words, and what mixAddress makes of it. */
export function addressFind6(
  words: Int32Array,
  table: number,
  group: number,
  mixed: number,
  a: number,
  b: number,
  c: number,
  d: number,
): number {
  const key = group + 2;
  let index = addressHash6(group, mixed);
  for (let probes = 0; probes < ADDRESS_SLOTS; probes++) {
    const entry = table + TABLE_ADDRESSES6 + index * HASH6_ENTRY_WORDS;
    const found = words[entry]!;
    if (found === 0) return ADDRESS_NONE;
    const isEnd = words[entry + 4] === d && words[entry + 3] === c;
    if (isEnd && words[entry + 2] === b && words[entry + 1] === a && found === key) {
      return addressMeaning(words[entry + 5]!);
    }
    index = (index + 1) & (ADDRESS_SLOTS - 1);
  }
  return ADDRESS_NONE;
}

/** The result of a look-up from the word of its entry: slot plus one, -(nic plus one), or 0. */
function addressMeaning(word: number): number {
  if (word === 0) return ADDRESS_UNPLACED;
  return word > 0 ? word - 1 : word;
}

/**
 * The entry that redirects the MAC at `at` in `bytes` for `group`, as a word offset; -1 for none.
 */
export function redirectFind(
  words: Int32Array,
  table: number,
  group: number,
  bytes: Uint8Array,
  at: number,
): number {
  const high = readU16(bytes, at);
  const low = readI32(bytes, at + 2);
  let index = redirectHash(group, high, low);
  for (let probes = 0; probes < REDIRECT_SLOTS; probes++) {
    const entry = table + TABLE_REDIRECTS + index * HASH_ENTRY_WORDS;
    const found = words[entry]!;
    if (found === 0) return -1;
    const isSame = words[entry + 1]! >>> 16 === high && words[entry + 2] === low;
    if (found === group + 1 && isSame) return entry;
    index = (index + 1) & (REDIRECT_SLOTS - 1);
  }
  return -1;
}

/** The NIC of a member ordinal, -1 if the table has none there. */
export function memberNic(
  words: Int32Array,
  table: number,
  group: number,
  ordinal: number,
): number {
  return words[table + TABLE_MEMBERS + group * MAX_GROUP_MEMBERS + ordinal]! - 1;
}

/** First word of the record of a NIC. */
export function nicEntry(table: number, nic: number): number {
  return table + TABLE_NICS + nic * NIC_WORDS;
}
