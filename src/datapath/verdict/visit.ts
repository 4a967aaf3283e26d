/**
 * The view of a group during a visit to a port: looked up once for a whole burst, from the table
 * and the live words, so that a frame needs no shared word of its own but its hash look-ups.
 *
 * A member carries frames if its bit in the active mask is set and the carrier watch does not show
 * its link down. The watch is milliseconds ahead of the control plane; if it shows every active
 * member down, it is ignored. Broadcast and multicast go by the nominated NIC, or, while that
 * one's link is down, by the first member that carries frames: out and in alike, so a copy that one
 * NIC refuses another one takes.
 */

import { GROUP_PORT_BASE } from '../../model/limits.ts';
import {
  ACTIVE_HIGH,
  ACTIVE_LOW,
  CARRIER,
  CARRIER_WORDS_PER_NIC,
  CAST,
  GROUP_PRESENT,
  GROUP_WORDS,
  LIVE_GROUP_WORDS,
  TABLE_GROUPS,
} from '../tables/layout.ts';
import { memberNic, nicEntry } from '../tables/lookup.ts';

/** One visit's view. A forwarder owns one and fills it anew at each visit. */
export interface Visit {
  /** The group, -1 if the port is in none. */
  group: number;
  /** GROUP_* bits, 0 if the group is not in the table. */
  groupBits: number;
  groupMacHigh: number;
  groupMacLow: number;
  hasRedirects: boolean;
  /** Members that carry frames. */
  low: number;
  high: number;
  /** NIC for broadcast and multicast, -1 if none is nominated. */
  castNic: number;
  /** Port visited by a NIC visit: whether the table has it, and its MAC. */
  nic: number;
  isNicPresent: boolean;
  nicMacHigh: number;
  nicMacLow: number;
}

/** A view of nothing. */
export function visitCreate(): Visit {
  return {
    group: -1,
    groupBits: 0,
    groupMacHigh: 0,
    groupMacLow: 0,
    hasRedirects: false,
    low: 0,
    high: 0,
    castNic: -1,
    nic: -1,
    isNicPresent: false,
    nicMacHigh: 0,
    nicMacLow: 0,
  };
}

/** Fills `visit` for frames from port `port`, which reads the table that it holds. */
export function visitBegin(visit: Visit, words: Int32Array, table: number, port: number): void {
  if (port >= GROUP_PORT_BASE) {
    visit.nic = -1;
    visitGroup(visit, words, table, port - GROUP_PORT_BASE);
    return;
  }
  const entry = nicEntry(table, port);
  visit.nic = port;
  visit.isNicPresent = words[entry] !== 0;
  visit.nicMacHigh = words[entry + 2]!;
  visit.nicMacLow = words[entry + 3]!;
  visitGroup(visit, words, table, words[entry]! - 2);
}

/** True if the carrier watch shows the link of `nic` down. */
export function linkIsDown(words: Int32Array, nic: number): boolean {
  return Atomics.load(words, CARRIER + nic * CARRIER_WORDS_PER_NIC) !== 0;
}

function visitGroup(visit: Visit, words: Int32Array, table: number, group: number): void {
  const entry = table + TABLE_GROUPS + group * GROUP_WORDS;
  if (group < 0 || (words[entry]! & GROUP_PRESENT) === 0) {
    visit.group = -1;
    visit.groupBits = 0;
    visit.low = 0;
    visit.high = 0;
    visit.castNic = -1;
    return;
  }
  visit.group = group;
  visit.groupBits = words[entry]!;
  visit.groupMacHigh = words[entry + 1]!;
  visit.groupMacLow = words[entry + 2]!;
  visit.hasRedirects = words[entry + 3] !== 0;
  const live = group * LIVE_GROUP_WORDS;
  const low = presentMembers(words, table, group, Atomics.load(words, ACTIVE_LOW + live), 0);
  const high = presentMembers(words, table, group, Atomics.load(words, ACTIVE_HIGH + live), 32);
  const upLow = upMembers(words, table, group, low, 0);
  const upHigh = upMembers(words, table, group, high, 32);
  const isAnyUp = (upLow | upHigh) !== 0;
  visit.low = isAnyUp ? upLow : low;
  visit.high = isAnyUp ? upHigh : high;
  visit.castNic = castNic(visit, words, table, isAnyUp);
}

/** The ordinals of `mask` (bit 0 is ordinal `base`) at which the table has a NIC. */
function presentMembers(
  words: Int32Array,
  table: number,
  group: number,
  mask: number,
  base: number,
): number {
  let present = 0;
  for (let bits = mask; bits !== 0; bits &= bits - 1) {
    const bit = bits & -bits;
    const ordinal = base + 31 - Math.clz32(bit);
    if (memberNic(words, table, group, ordinal) >= 0) present |= bit;
  }
  return present;
}

/** The ordinals of `mask`, all with a NIC, whose link is not down. */
function upMembers(
  words: Int32Array,
  table: number,
  group: number,
  mask: number,
  base: number,
): number {
  let up = 0;
  for (let bits = mask; bits !== 0; bits &= bits - 1) {
    const bit = bits & -bits;
    const nic = memberNic(words, table, group, base + 31 - Math.clz32(bit));
    if (!linkIsDown(words, nic)) up |= bit;
  }
  return up;
}

function castNic(visit: Visit, words: Int32Array, table: number, isAnyUp: boolean): number {
  const nominated = Atomics.load(words, CAST + visit.group * LIVE_GROUP_WORDS) - 1;
  if (nominated < 0) return -1;
  const isMember = words[nicEntry(table, nominated)] === visit.group + 2;
  if (isMember && (!isAnyUp || !linkIsDown(words, nominated))) return nominated;
  if (visit.low !== 0) {
    const ordinal = 31 - Math.clz32(visit.low & -visit.low);
    return memberNic(words, table, visit.group, ordinal);
  }
  if (visit.high === 0) return isMember ? nominated : -1;
  const ordinal = 63 - Math.clz32(visit.high & -visit.high);
  return memberNic(words, table, visit.group, ordinal);
}
