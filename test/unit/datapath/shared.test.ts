/** Shared memory between real threads: rings, counters, publication. */

import { deepEqual, equal, ok, throws } from 'node:assert/strict';
import { once } from 'node:events';
import { test } from 'node:test';
import { Worker } from 'node:worker_threads';
import {
  CounterReader,
  CounterWriter,
  counterAdd,
  counterRead,
} from '../../../src/datapath/counters.ts';
import {
  CommandRing,
  commandRingCreate,
  FrameRing,
  frameRingCreate,
} from '../../../src/datapath/ring.ts';
import { BURST_MAX, SLOT_LENGTH, slabCreate } from '../../../src/datapath/slab.ts';
import { mixAddress } from '../../../src/datapath/tables/hash.ts';
import {
  controlMemoryCreate,
  controlMemoryWorkers,
  DROPS,
  RECEIVE_BYTES,
  RECEIVE_PACKETS,
  tableOffset,
  WORD_GENERATION,
  WORD_PENDING,
  WORKER_BREATHS,
  WORKER_HELD,
  workerOffset,
} from '../../../src/datapath/tables/layout.ts';
import {
  ADDRESS_NONE,
  ADDRESS_UNPLACED,
  addressFind,
  addressFind6,
  macFind,
  redirectFind,
} from '../../../src/datapath/tables/lookup.ts';
import { TablePublisher } from '../../../src/datapath/tables/publish.ts';
import { MAX_ADDRESSES, MAX_REDIRECTS } from '../../../src/model/limits.ts';
import { type IpAddress, ipv6Words } from '../../../src/wire/addr.ts';
import { ip, PEER, worldTables } from './harness.ts';

/** Runs `role` of datapath-thread.js in a thread with `data`; resolves with what it posts. */
async function runThread(role: string, data: object): Promise<unknown> {
  const url = new URL('./thread.js', import.meta.url);
  const worker = new Worker(url, { workerData: { role, ...data } });
  const exit = once(worker, 'exit');
  const [message] = await once(worker, 'message');
  await exit;
  return message;
}

test('a counter carries into its high half and is read exactly', () => {
  const words = new Int32Array(new SharedArrayBuffer(12));
  counterAdd(words, 0, 2 ** 32 - 1);
  equal(counterRead(words, 0), 2n ** 32n - 1n);
  counterAdd(words, 0, 1);
  equal(counterRead(words, 0), 2n ** 32n);
  for (let i = 0; i < 1000; i++) counterAdd(words, 0, 2 ** 32 - 1);
  equal(counterRead(words, 0), 2n ** 32n + 1000n * (2n ** 32n - 1n));
  throws(() => counterAdd(words, 0, 2 ** 33), /less than/);
});

test('a writer stopped in the midst of a carry leaves the value of before', () => {
  const words = Int32Array.of(5, 17, 0xfff0);
  equal(counterRead(words, 0), (5n << 32n) | 0xfff0n);
  const full = Int32Array.of(-1, 0, -1);
  equal(counterRead(full, 0), 2n ** 64n - 1n);
  counterAdd(full, 0, 1);
  equal(counterRead(full, 0), 0n);
});

test('counts appear when a breath is committed, and workers add up', () => {
  const memory = controlMemoryCreate(2);
  equal(controlMemoryWorkers(memory), 2);
  const writers = [new CounterWriter(memory, 0), new CounterWriter(memory, 1)] as const;
  const reader = new CounterReader(memory);
  writers[0].add(3, RECEIVE_PACKETS, 2);
  writers[0].add(3, RECEIVE_BYTES, 128);
  writers[0].add(3, DROPS, 1);
  equal(reader.port(3).receivePackets, 0n);
  writers[0].commit();
  writers[0].commit();
  writers[1].add(3, RECEIVE_PACKETS, 5);
  writers[1].add(515, RECEIVE_PACKETS, 4);
  writers[1].add(515, DROPS, 4);
  writers[1].commit();
  equal(reader.port(3).receivePackets, 7n);
  equal(reader.port(3).receiveBytes, 128n);
  equal([...reader.portDrops(3).values()][0], 1n);
  equal([...reader.drops().values()][0], 5n);
  deepEqual(
    [reader.totals(), ...reader.workerTotals()].map((totals) => totals.receivedWire),
    [7n, 2n, 5n],
  );
});

test('a reader in another thread sees a counter grow without tearing', async () => {
  const memory = new SharedArrayBuffer(12);
  const reading = runThread('count', { memory, steps: 300_000 });
  const words = new Int32Array(memory);
  let last = 0n;
  let readings = 0;
  for (;;) {
    const value = counterRead(words, 0);
    ok(value >= last, `${value} after ${last}`);
    // Each step adds 3 * 2^30 + 1: any mixture of two states shows.
    equal(value % (3n * 2n ** 30n + 1n), 0n);
    last = value;
    if (++readings % 1000 === 0) await new Promise((resolve) => setImmediate(resolve));
    if (value === 300_000n * (3n * 2n ** 30n + 1n)) break;
  }
  await reading;
});

test('a frame ring refuses what does not fit and gives back what it took', () => {
  const memory = frameRingCreate(256);
  const producer = new FrameRing(memory);
  const consumer = new FrameRing(memory);
  const frame = Uint8Array.from({ length: 100 }, (_, i) => i);
  equal(producer.push(1, new Uint8Array(200), 0, 200, 0), false);
  equal(producer.push(7, frame, 10, 40, 1.25), true);
  equal(producer.push(8, frame, 0, 100, 2), true);
  equal(producer.push(9, frame, 0, 100, 3), false);
  ok(consumer.next());
  deepEqual([consumer.port, consumer.atMs, consumer.length], [7, 1.25, 40]);
  deepEqual(consumer.bytes.slice(consumer.offset, consumer.offset + 40), frame.subarray(10, 50));
  consumer.release();
  equal(producer.push(9, frame, 0, 100, 3), false);
  ok(consumer.next());
  equal(consumer.port, 8);
  consumer.release();
  ok(producer.push(9, frame, 0, 100, 3));
  ok(consumer.next());
  equal(consumer.port, 9);
  consumer.release();
  equal(consumer.next(), false);
  equal(consumer.isEmpty, true);
  throws(() => frameRingCreate(100), /power of two/);
});

test('two threads pass frames through a ring, whole and in order', async () => {
  const memory = frameRingCreate(4096);
  const ring = new FrameRing(memory);
  const producing = runThread('produce', { memory, frames: 20_000 });
  let expected = 0;
  while (expected < 20_000) {
    if (!ring.next()) {
      await new Promise((resolve) => setImmediate(resolve));
      continue;
    }
    equal(ring.port, expected & 511);
    equal(ring.atMs, expected / 4);
    equal(ring.length, (expected * 7) % 300);
    for (let i = 0; i < ring.length; i++) {
      if (ring.bytes[ring.offset + i] !== ((expected + i) & 255)) equal(i, -1, 'torn frame');
    }
    ring.release();
    expected++;
  }
  await producing;
});

test('a command ring is bounded and keeps the order', () => {
  const memory = commandRingCreate();
  const producer = new CommandRing(memory);
  const consumer = new CommandRing(memory);
  let given = 0;
  while (producer.push(1, given, given + 100, -1)) given++;
  equal(given, 64);
  for (let i = 0; i < given; i++) {
    ok(consumer.pop());
    deepEqual([consumer.what, consumer.port, consumer.fd, consumer.option], [1, i, i + 100, -1]);
  }
  equal(consumer.pop(), false);
  ok(producer.push(2, 0, 0, 0));
});

test('the slab stays within 8 MiB and its slots hold the largest frame and a byte more', () => {
  const { receive, transmit } = slabCreate();
  ok(receive.bytes.length <= 8 * 1024 * 1024);
  equal(receive.bytes, transmit.bytes);
  ok(SLOT_LENGTH > 10 + 14 + 65_536);
  equal(receive.slots.length, BURST_MAX);
  deepEqual([...receive.slots.subarray(0, 3)], [0, 1, 2]);
});

test('the spare table is rewritten only when no worker holds it', () => {
  const memory = controlMemoryCreate(2);
  const words = new Int32Array(memory);
  const held = [workerOffset(0) + WORKER_HELD, workerOffset(1) + WORKER_HELD] as const;
  const generation = (): number => Atomics.load(words, WORD_GENERATION);
  const publisher = new TablePublisher(memory);
  const first = generation();
  Atomics.store(words, held[0], first);
  publisher.replace(worldTables());
  equal(generation(), first + 1);
  publisher.replace(worldTables('address'));
  publisher.replace(worldTables('destination'));
  equal(publisher.isPending, true);
  equal(generation(), first + 1);
  equal(Atomics.load(words, WORD_PENDING), 1);
  Atomics.store(words, held[1], first + 1);
  publisher.retry();
  equal(publisher.isPending, true);
  Atomics.store(words, held[0], 0);
  publisher.retry();
  equal(publisher.isPending, false);
  equal(generation(), first + 2);
  equal(Atomics.load(words, WORD_PENDING), 0);
});

test('workers have caught up after nine breaths of each, and are called until then', () => {
  const memory = controlMemoryCreate(2);
  const words = new Int32Array(memory);
  const called: number[] = [];
  const breathe = (worker: number, count: number): void => {
    Atomics.add(words, workerOffset(worker) + WORKER_BREATHS, count);
  };
  breathe(0, 0x7fff_fffc); // It wraps meanwhile.
  const hasCaughtUp = new TablePublisher(memory, (worker) => called.push(worker)).catchUp();
  equal(hasCaughtUp(), false);
  deepEqual(called.splice(0), [0, 1]);
  breathe(0, 9);
  breathe(1, 8);
  equal(hasCaughtUp(), false);
  deepEqual(called.splice(0), [1]);
  breathe(1, 1);
  equal(hasCaughtUp(), true);
  deepEqual(called, []);
  equal(new TablePublisher(memory).catchUp()(), true, 'without threads');
});

test('generations wrap without touching the table in use', () => {
  const memory = controlMemoryCreate(1);
  const words = new Int32Array(memory);
  Atomics.store(words, WORD_GENERATION, 0x7ffffffe);
  const publisher = new TablePublisher(memory);
  publisher.replace(worldTables());
  const generation = Atomics.load(words, WORD_GENERATION);
  equal(generation, 1);
  ok(tableOffset(generation) !== tableOffset(0x7ffffffe));
});

/** What `address` is to `group`, by the look-up of its family. */
function find(words: Int32Array, table: number, group: number, address: IpAddress): number {
  if (typeof address === 'number') return addressFind(words, table, group, address | 0);
  const [a = 0, b = 0, c = 0, d = 0] = ipv6Words(address).map((word) => word | 0);
  return addressFind6(words, table, group, mixAddress(a, b, c, d), a, b, c, d);
}

const FULL_TABLES: readonly [string, (i: number) => IpAddress][] = [
  ['IPv4', (i) => ip('10.0.0.0') + i],
  ['IPv6, the last word differs', (i) => (0x20010db8n << 96n) + BigInt(i)],
  ['IPv6, the first words differ', (i) => ((0xfd00_0000_0000_0000n + BigInt(i)) << 64n) | 1n],
  ['both', (i) => (i % 3 === 0 ? i + 1 : (0xfe80n << 112n) + BigInt(i))],
];

for (const [name, addressOf] of FULL_TABLES) {
  test(`a full table of addresses answers for each: ${name}`, () => {
    const memory = controlMemoryCreate(1);
    const words = new Int32Array(memory);
    const addresses = Array.from({ length: MAX_ADDRESSES }, (_, i) => {
      const isTest = i % 2 === 1;
      const kind = isTest ? ('test' as const) : ('data' as const);
      const [slot, nic] = isTest ? [-1, 9] : [i & 63, -1];
      return { address: addressOf(i), group: 5, kind, slot, nic };
    });
    const none = { nics: [], groups: [], redirects: [] };
    new TablePublisher(memory).replace({ ...none, addresses });
    const table = tableOffset(Atomics.load(words, WORD_GENERATION));
    for (const { address, slot, nic } of addresses) {
      equal(find(words, table, 5, address), slot >= 0 ? slot : -1 - nic);
      equal(find(words, table, 4, address), ADDRESS_NONE);
    }
  });
}

test('every word of an IPv6 address counts, and one of no slot is ours nevertheless', () => {
  const memory = controlMemoryCreate(1);
  const words = new Int32Array(memory);
  const address = 0x20010db8_89abcdef_fedcba98_76543210n;
  const record = { address, group: 0, kind: 'data' as const, slot: -1, nic: -1 };
  new TablePublisher(memory).replace({ nics: [], groups: [], redirects: [], addresses: [record] });
  const table = tableOffset(Atomics.load(words, WORD_GENERATION));
  equal(find(words, table, 0, address), ADDRESS_UNPLACED);
  for (let bit = 0n; bit < 128n; bit++) {
    equal(find(words, table, 0, address ^ (1n << bit)), ADDRESS_NONE, `bit ${bit}`);
  }
});

test('addresses of an older structure are gone, of either family', () => {
  const memory = controlMemoryCreate(1);
  const words = new Int32Array(memory);
  const publisher = new TablePublisher(memory);
  const none = { nics: [], groups: [], redirects: [] };
  const own = [ip('192.0.2.1'), 1n];
  const addresses = own.map((address) => {
    return { address, group: 0, kind: 'data' as const, slot: 3, nic: -1 };
  });
  for (const [round, expected] of [3, 3, ADDRESS_NONE, ADDRESS_NONE, 3].entries()) {
    publisher.replace({ ...none, addresses: expected === ADDRESS_NONE ? [] : addresses });
    const table = tableOffset(Atomics.load(words, WORD_GENERATION));
    for (const address of own) equal(find(words, table, 0, address), expected, `${round}`);
  }
});

test('full tables of MACs answer for every record', () => {
  const memory = controlMemoryCreate(1);
  const words = new Int32Array(memory);
  const redirects = Array.from({ length: MAX_REDIRECTS }, (_, i) => {
    return { group: 5, from: PEER + i * 65_537, to: i };
  });
  const nics = Array.from({ length: 512 }, (_, nic) => {
    return { nic, group: nic >> 6, member: nic & 63, mac: 0x020000000000 + nic * 257, mtu: 1500 };
  });
  new TablePublisher(memory).replace({ nics, groups: [], addresses: [], redirects });
  const table = tableOffset(Atomics.load(words, WORD_GENERATION));
  const bytes = Buffer.alloc(6);
  for (const { nic, mac } of nics) {
    bytes.writeUIntBE(mac, 0, 6);
    equal(macFind(words, table, bytes, 0), nic);
  }
  for (const { from, to } of redirects) {
    bytes.writeUIntBE(from, 0, 6);
    const entry = redirectFind(words, table, 5, bytes, 0);
    equal(words[entry + 3], to);
    equal(redirectFind(words, table, 6, bytes, 0), -1);
  }
});

test('records outside the capacities are our own mistake', () => {
  const publisher = new TablePublisher(controlMemoryCreate(1));
  const none = { nics: [], groups: [], addresses: [], redirects: [] };
  const nic = { nic: 512, group: 0, member: 0, mac: 1, mtu: 1500 };
  throws(() => publisher.replace({ ...none, nics: [nic] }), /nic 512/);
  const address = { address: 1n << 128n, group: 0, kind: 'data' as const, slot: 0, nic: -1 };
  throws(() => publisher.replace({ ...none, addresses: [address] }), /no address/);
  const many = new Array<typeof address>(MAX_ADDRESSES + 1).fill({ ...address, address: 1n });
  throws(() => publisher.replace({ ...none, addresses: many }), /more than 8192/);
  throws(() => publisher.setActiveMembers(64, 1, 0), /group 64/);
  throws(() => publisher.setCastMember(0, 512), /nic 512/);
  throws(() => publisher.setPlacement(4096, 0), /slot 4096/);
  throws(() => controlMemoryCreate(0), /workers/);
});

test('a worker never sees a torn table while the publisher flips', async () => {
  const memory = controlMemoryCreate(1);
  const publisher = new TablePublisher(memory);
  const words = new Int32Array(memory);
  // What the reader gets, and how many breaths it has taken.
  const [stop, breaths] = [0, 1];
  const shared = new Int32Array(new SharedArrayBuffer(8));
  const reading = runThread('read', { memory, shared });
  let published = 0;
  for (let round = 1; published < 300 || Atomics.load(shared, breaths) < 20_000; round++) {
    // Every record of a structure carries its round: a mixture of two shows.
    const mac = 0x020000000000 + (round % 251);
    const nics = Array.from({ length: 64 }, (_, nic) => {
      return { nic, group: 0, member: nic, mac, mtu: 1500 };
    });
    const address = { address: round % 251, group: 0, kind: 'data' as const, slot: 1, nic: -1 };
    const before = Atomics.load(words, WORD_GENERATION);
    publisher.replace({ nics, groups: [], addresses: [address], redirects: [] });
    while (publisher.isPending) {
      publisher.retry();
      await new Promise((resolve) => setImmediate(resolve));
    }
    if (Atomics.load(words, WORD_GENERATION) !== before) published++;
  }
  Atomics.store(shared, stop, 1);
  equal(await reading, 0);
});
