/**
 * The writer of the shared forwarding tables: the Publication to which workers subscribe.
 *
 * Structure is double-buffered. A replacement fills the table that is not current and flips to it
 * by one atomic store; that table may be filled only when no worker holds it (layout.ts). Until
 * then the newest replacement waits, older ones are forgotten, and PENDING asks the workers to ring
 * when they let go. Live words go straight out, also while a replacement waits: a death cannot
 * wait.
 *
 * Invariants: only one thread writes; a table is never written while a worker holds it; the
 * structure that a worker reads is always one that was passed to `replace` as a whole.
 */

import { assert } from '../../base/assert.ts';
import {
  GROUP_PORT_BASE,
  MAX_ADDRESSES,
  MAX_GROUP_MEMBERS,
  MAX_GROUPS,
  MAX_NICS,
  MAX_REDIRECTS,
} from '../../model/limits.ts';
import { type Ipv4, type Ipv6, ipv6Words, type Mac } from '../../wire/addr.ts';
import {
  type AddressRecord,
  type ForwardingTables,
  type GroupRecord,
  MAX_SLOTS,
  type NicRecord,
  type Publication,
  type RedirectRecord,
} from './fib.ts';
import { mixAddress } from './hash.ts';
import {
  ACTIVE_HIGH,
  ACTIVE_LOW,
  ADDRESS_SLOTS,
  CAST,
  controlMemoryWorkers,
  GROUP_BY_ADDRESS,
  GROUP_BY_DESTINATION,
  GROUP_PRESENT,
  GROUP_WORDS,
  HASH_ENTRY_WORDS,
  HASH6_ENTRY_WORDS,
  LIVE_GROUP_WORDS,
  MAC_SLOTS,
  NIC_WORDS,
  PLACEMENT,
  REDIRECT_SLOTS,
  REDIRECTS_USED,
  TABLE_ADDRESSES,
  TABLE_ADDRESSES6,
  TABLE_GROUPS,
  TABLE_MACS,
  TABLE_MEMBERS,
  TABLE_NICS,
  TABLE_REDIRECTS,
  TABLE_WORDS,
  tableOffset,
  WORD_GENERATION,
  WORD_PENDING,
  WORKER_BREATHS,
  WORKER_HELD,
  workerOffset,
} from './layout.ts';
import { addressHash, addressHash6, macHash, redirectHash } from './lookup.ts';

/**
 * Generations are 1 .. this; it is even, so that the parity changes at the wrap as at every step.
 */
const GENERATION_LIMIT = 0x7ffffffe;

const MAC_HIGH = 2 ** 32;

/**
 * Ours: one breath may have begun before; within the next eight a busy worker looks at all its
 * ports (worker-loop.ts), and an idle one has read what lay in them.
 */
const CATCH_UP_BREATHS = 9;

/** Publishes to the workers of one control memory. */
export class TablePublisher implements Publication {
  readonly #words: Int32Array;
  readonly #workers: number;
  readonly #call: ((worker: number) => void) | undefined;
  #pending: ForwardingTables | undefined;
  /** Whether each of the two tables has an IPv6 address. */
  readonly #hasIpv6 = [false, false];

  /** `call` has a worker take a breath soon. Without it there are no threads to wait for. */
  constructor(memory: SharedArrayBuffer, call?: (worker: number) => void) {
    this.#words = new Int32Array(memory);
    this.#workers = controlMemoryWorkers(memory);
    this.#call = call;
  }

  /** True while the newest structure waits for a worker to let go of the spare table. */
  get isPending(): boolean {
    return this.#pending !== undefined;
  }

  /** See Publication. Throws InvariantError if a record is outside the capacities of fib.ts. */
  replace(tables: ForwardingTables): void {
    checkCapacities(tables);
    this.#pending = {
      nics: [...tables.nics],
      groups: [...tables.groups],
      addresses: [...tables.addresses],
      redirects: [...tables.redirects],
    };
    this.retry();
  }

  /** Publishes what waits, if the workers let it; to be called when a worker has rung. */
  retry(): void {
    const tables = this.#pending;
    if (tables === undefined) return;
    Atomics.store(this.#words, WORD_PENDING, 1);
    if (!this.#isSpareFree()) return;
    const current = Atomics.load(this.#words, WORD_GENERATION);
    const next = current === GENERATION_LIMIT ? 1 : current + 1;
    this.#fill(next, tables);
    Atomics.store(this.#words, WORD_GENERATION, next);
    Atomics.store(this.#words, WORD_PENDING, 0);
    this.#pending = undefined;
  }

  setActiveMembers(group: number, low: number, high: number): void {
    assert(group >= 0 && group < MAX_GROUPS, `group ${group} out of range`);
    const live = group * LIVE_GROUP_WORDS;
    Atomics.store(this.#words, ACTIVE_LOW + live, low | 0);
    Atomics.store(this.#words, ACTIVE_HIGH + live, high | 0);
  }

  setCastMember(group: number, nic: number): void {
    assert(group >= 0 && group < MAX_GROUPS, `group ${group} out of range`);
    assert(nic >= -1 && nic < MAX_NICS, `nic ${nic} out of range`);
    Atomics.store(this.#words, CAST + group * LIVE_GROUP_WORDS, nic + 1);
  }

  setPlacement(slot: number, nic: number): void {
    assert(slot >= 0 && slot < MAX_SLOTS, `placement slot ${slot} out of range`);
    assert(nic >= -1 && nic < MAX_NICS, `nic ${nic} out of range`);
    Atomics.store(this.#words, PLACEMENT + slot, nic + 1);
  }

  takeRedirectUse(group: number, from: Mac): boolean {
    const index = redirectHash(group, macHighHalf(from), from | 0);
    return Atomics.exchange(this.#words, REDIRECTS_USED + index, 0) !== 0;
  }

  /** See Publication. Each question calls the workers that are behind: an idle one sleeps. */
  catchUp(): () => boolean {
    const call = this.#call;
    if (call === undefined) return () => true;
    const before = this.#breaths();
    return () => {
      const breaths = this.#breaths();
      const behind = [...before.keys()].filter((worker) => {
        return ((breaths[worker]! - before[worker]!) | 0) < CATCH_UP_BREATHS;
      });
      for (const worker of behind) call(worker);
      return behind.length === 0;
    };
  }

  #breaths(): number[] {
    return Array.from({ length: this.#workers }, (_, worker) => {
      return Atomics.load(this.#words, workerOffset(worker) + WORKER_BREATHS);
    });
  }

  /** Writes every word of the table of `generation`. */
  #fill(generation: number, tables: ForwardingTables): void {
    const words = this.#words;
    const table = tableOffset(generation);
    const parity = generation & 1;
    words.fill(0, table, table + (this.#hasIpv6[parity] ? TABLE_WORDS : TABLE_ADDRESSES6));
    this.#hasIpv6[parity] = tables.addresses.some(({ address }) => typeof address === 'bigint');
    for (const record of tables.groups) groupWrite(words, table, record);
    for (const record of tables.nics) nicWrite(words, table, record);
    for (const record of tables.addresses) addressWrite(words, table, record);
    for (const record of tables.redirects) redirectWrite(words, table, record);
  }

  #isSpareFree(): boolean {
    const current = Atomics.load(this.#words, WORD_GENERATION);
    for (let worker = 0; worker < this.#workers; worker++) {
      const held = Atomics.load(this.#words, workerOffset(worker) + WORKER_HELD);
      if (held !== 0 && held !== current) return false;
    }
    return true;
  }
}

function checkCapacities(tables: ForwardingTables): void {
  assert(tables.addresses.length <= MAX_ADDRESSES, `more than ${MAX_ADDRESSES} addresses`);
  assert(tables.redirects.length <= MAX_REDIRECTS, `more than ${MAX_REDIRECTS} redirects`);
  for (const { nic, group, member } of tables.nics) {
    assert(nic >= 0 && nic < MAX_NICS, `nic ${nic} out of range`);
    assert(group >= -1 && group < MAX_GROUPS, `group ${group} out of range`);
    assert(group < 0 || (member >= 0 && member < MAX_GROUP_MEMBERS), `member ${member} of group`);
  }
  for (const { group } of tables.groups) {
    assert(group >= 0 && group < MAX_GROUPS, `group ${group} out of range`);
  }
  for (const { address, kind, slot, nic, group } of tables.addresses) {
    const isWhole = typeof address === 'number' || BigInt.asUintN(128, address) === address;
    assert(isWhole, `${address} is no address`);
    assert(group >= -1 && group < MAX_GROUPS, `group ${group} out of range`);
    assert(slot < MAX_SLOTS, `placement slot ${slot} out of range`);
    assert(kind === 'data' || (nic >= 0 && nic < MAX_NICS), `nic ${nic} of a test address`);
  }
}

function nicWrite(words: Int32Array, table: number, record: NicRecord): void {
  const { nic, group, member, mac, mtu } = record;
  const entry = table + TABLE_NICS + nic * NIC_WORDS;
  words[entry] = group + 2;
  words[entry + 1] = member + 1;
  words[entry + 2] = macHighHalf(mac);
  words[entry + 3] = mac | 0;
  words[entry + 4] = mtu;
  if (group >= 0) words[table + TABLE_MEMBERS + group * MAX_GROUP_MEMBERS + member] = nic + 1;
  macWrite(words, table, nic, mac);
}

function groupWrite(words: Int32Array, table: number, record: GroupRecord): void {
  const entry = table + TABLE_GROUPS + record.group * GROUP_WORDS;
  let bits = GROUP_PRESENT;
  if (record.spreading === 'destination') bits |= GROUP_BY_DESTINATION;
  if (record.spreading === 'address') bits |= GROUP_BY_ADDRESS;
  words[entry] = bits;
  words[entry + 1] = macHighHalf(record.mac);
  words[entry + 2] = record.mac | 0;
  macWrite(words, table, GROUP_PORT_BASE + record.group, record.mac);
}

function macWrite(words: Int32Array, table: number, port: number, mac: Mac): void {
  if (mac === 0) return;
  const high = macHighHalf(mac);
  const low = mac | 0;
  let index = macHash(high, low);
  let entry = table + TABLE_MACS + index * HASH_ENTRY_WORDS;
  // Two NICs with one MAC are a mistake of the network that the control plane reports; the first
  // entry answers for both.
  while (words[entry] !== 0) {
    if (words[entry + 1] === high && words[entry + 2] === low) return;
    index = (index + 1) & (MAC_SLOTS - 1);
    entry = table + TABLE_MACS + index * HASH_ENTRY_WORDS;
  }
  words[entry] = port + 1;
  words[entry + 1] = high;
  words[entry + 2] = low;
}

function addressWrite(words: Int32Array, table: number, record: AddressRecord): void {
  const { address, group } = record;
  const meaning = record.kind === 'test' ? -1 - record.nic : record.slot + 1;
  if (typeof address === 'number') ipv4Write(words, table, group, address, meaning);
  else ipv6Write(words, table, group, address, meaning);
}

function ipv4Write(
  words: Int32Array,
  table: number,
  group: number,
  unsigned: Ipv4,
  meaning: number,
): void {
  const address = unsigned | 0;
  let index = addressHash(group, address);
  let entry = table + TABLE_ADDRESSES + index * HASH_ENTRY_WORDS;
  while (words[entry] !== 0) {
    if (words[entry] === group + 2 && words[entry + 1] === address) break;
    index = (index + 1) & (ADDRESS_SLOTS - 1);
    entry = table + TABLE_ADDRESSES + index * HASH_ENTRY_WORDS;
  }
  words[entry] = group + 2;
  words[entry + 1] = address;
  words[entry + 2] = meaning;
}

/** The only place of the datapath that sees an IPv6 address as a bigint. */
function ipv6Write(
  words: Int32Array,
  table: number,
  group: number,
  address: Ipv6,
  meaning: number,
): void {
  const parts = ipv6Words(address).map((word) => word | 0);
  const [a = 0, b = 0, c = 0, d = 0] = parts;
  let index = addressHash6(group, mixAddress(a, b, c, d));
  let entry = table + TABLE_ADDRESSES6 + index * HASH6_ENTRY_WORDS;
  while (words[entry] !== 0) {
    const at = entry + 1;
    if (words[entry] === group + 2 && parts.every((part, i) => words[at + i] === part)) break;
    index = (index + 1) & (ADDRESS_SLOTS - 1);
    entry = table + TABLE_ADDRESSES6 + index * HASH6_ENTRY_WORDS;
  }
  words.set([group + 2, a, b, c, d, meaning], entry);
}

function redirectWrite(words: Int32Array, table: number, record: RedirectRecord): void {
  const fromHigh = macHighHalf(record.from);
  let index = redirectHash(record.group, fromHigh, record.from | 0);
  let entry = table + TABLE_REDIRECTS + index * HASH_ENTRY_WORDS;
  while (words[entry] !== 0) {
    index = (index + 1) & (REDIRECT_SLOTS - 1);
    entry = table + TABLE_REDIRECTS + index * HASH_ENTRY_WORDS;
  }
  words[entry] = record.group + 1;
  words[entry + 1] = (fromHigh << 16) | macHighHalf(record.to);
  words[entry + 2] = record.from | 0;
  words[entry + 3] = record.to | 0;
  const group = table + TABLE_GROUPS + record.group * GROUP_WORDS;
  words[group + 3] = words[group + 3]! + 1;
}

function macHighHalf(mac: Mac): number {
  return Math.floor(mac / MAC_HIGH);
}
