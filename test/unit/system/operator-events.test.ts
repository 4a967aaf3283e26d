/**
 * Events of neighbours and of the kstat chain: only what matters to an operator, once, and a
 * bounded number of them whatever happens on the LAN.
 */

import { deepEqual, equal, ok } from 'node:assert/strict';
import { test } from 'node:test';
import type { Mac } from '../../../src/wire/addr.ts';
import { ARP_REPLY, ARP_REQUEST, arpFrame } from '../../../src/wire/arp.ts';
import { Bench, groupSpec, interfaceSpec, macOf } from './bench.ts';

const DATA = 0xc000020a;
const FIRST = 0xc6120001;
const GROUP_MAC = 0x02_00_00_00_0f_ff;
const STATION_MAC = 0x02_00_00_01_00_00;
/** A question fails after three tries, a second apart. */
const GIVEN_UP_MS = 3_100;
/** A confirmed neighbour is asked again after at most so long. */
const STALE_MS = 15_100;

/** A group of one NIC, with one address. */
function served(): Bench {
  const bench = new Bench();
  bench.build(1, { neighbors: 4096 });
  bench.addresses('192.0.2.10');
  bench.advance(30_000);
  bench.drain();
  return bench;
}

/** The host wants to know a neighbour. */
function want(bench: Bench, address: number): void {
  const port = bench.system.groupPortOf('ipmp0') ?? -1;
  const packet = { operation: ARP_REQUEST, senderMac: GROUP_MAC, senderAddress: DATA };
  const frame = arpFrame(0xffff_ffff_ffff, GROUP_MAC, {
    ...packet,
    targetMac: 0,
    targetAddress: address,
  });
  bench.system.handleFrame(port, frame, bench.nowMs);
}

function answer(bench: Bench, address: number, mac: Mac): void {
  const frame = arpFrame(macOf(0), mac, {
    operation: ARP_REPLY,
    senderMac: mac,
    senderAddress: address,
    targetMac: macOf(0),
    targetAddress: DATA,
  });
  bench.system.handleFrame(0, frame, bench.nowMs);
}

/** Events of that name, in words. */
function told(bench: Bench, name: RegExp): string[] {
  return bench.told().filter((line) => name.test(line.split(' ')[0] ?? ''));
}

test('a neighbour that answered and no longer does, and answers again: once each', () => {
  const bench = served();
  want(bench, FIRST);
  answer(bench, FIRST, STATION_MAC);
  deepEqual(told(bench, /^neighbor/), [], 'that it is there is no news');
  for (let times = 0; times < 5; times++) {
    bench.advance(STALE_MS);
    want(bench, FIRST);
    bench.advance(2 * GIVEN_UP_MS);
  }
  deepEqual(told(bench, /^neighbor/), ['neighbor-state REACHABLE>FAILED neighbor-lost 198.18.0.1']);
  want(bench, FIRST);
  answer(bench, FIRST, STATION_MAC);
  deepEqual(told(bench, /^neighbor/), [
    'neighbor-state FAILED>REACHABLE neighbor-answers 198.18.0.1',
  ]);
});

test('who scans through us tells nobody anything', () => {
  const bench = served();
  for (let n = 0; n < 2000; n++) {
    want(bench, FIRST + n);
    bench.advance(20);
  }
  bench.advance(60_000);
  deepEqual(bench.events(), []);
});

test('a LAN that goes silent: a bounded number of events, and those are taken back', () => {
  const bench = served();
  const count = 500;
  const all = Array.from({ length: count }, (_, n) => FIRST + n);
  for (const address of all) {
    want(bench, address);
    answer(bench, address, STATION_MAC + address - FIRST);
    bench.advance(20);
  }
  bench.advance(STALE_MS);
  bench.drain();
  const beganMs = bench.nowMs;
  for (const address of all) {
    want(bench, address);
    bench.advance(20);
  }
  bench.advance(2 * GIVEN_UP_MS);
  const lost = told(bench, /^neighbor/);
  const bound = 50 + Math.ceil((bench.nowMs - beganMs) / 1000);
  ok(lost.length >= 50 && lost.length <= bound, `${lost.length} of at most ${bound}`);
  for (const address of all) {
    want(bench, address);
    answer(bench, address, STATION_MAC + address - FIRST);
    bench.advance(20);
  }
  const found = told(bench, /^neighbor/);
  const whoOf = (lines: string[]): string[] => lines.map((line) => line.split(' ').at(-1) ?? '');
  deepEqual(whoOf(found).sort(), whoOf(lost).sort());
  ok(found.every((line) => line.startsWith('neighbor-state FAILED>REACHABLE')));
});

test('an entry of the operator: set, replaced, removed, and gone before an address of ours', () => {
  const bench = served();
  const { system } = bench;
  const spec = { dst: '198.18.0.1', lladdr: '02:00:00:01:00:00', proxy: false };
  system.setNeighbor('ipmp0', spec);
  deepEqual(told(bench, /^neighbor/), ['neighbor-state >PERMANENT configured 198.18.0.1']);
  system.setNeighbor('ipmp0', spec);
  deepEqual(bench.events(), [], 'as it was');
  system.setNeighbor('ipmp0', { ...spec, lladdr: '02:00:00:01:00:01' });
  deepEqual(told(bench, /^neighbor/), [
    'neighbor-moved 02:00:00:01:00:00>02:00:00:01:00:01 neighbor-moved 198.18.0.1',
  ]);
  system.deleteNeighbor('ipmp0', '198.18.0.1');
  deepEqual(told(bench, /^neighbor/), ['neighbor-state PERMANENT> configured 198.18.0.1']);
  want(bench, FIRST);
  system.setNeighbor('ipmp0', { ...spec, lladdr: '02:00:00:01:00:01' });
  deepEqual(told(bench, /^neighbor/), [
    'neighbor-state INCOMPLETE>PERMANENT configured 198.18.0.1',
  ]);
  bench.addresses('192.0.2.10', '198.18.0.1');
  deepEqual(told(bench, /^neighbor/), ['neighbor-state PERMANENT> address-added 198.18.0.1']);
  want(bench, FIRST + 1);
  answer(bench, FIRST + 1, STATION_MAC);
  system.deleteNeighbor('ipmp0', '198.18.0.2');
  deepEqual(told(bench, /^neighbor/), [], 'what was learnt may be forgotten');
});

test('kstats: one event for each that comes or goes, with the ids of the chain', () => {
  const bench = new Bench();
  const { system } = bench;
  const chain = (): string[] => told(bench, /^kstat/);
  const { id } = system.kstats;
  bench.run(() => system.createInterface(interfaceSpec('net0')));
  deepEqual(chain(), [`kstat-installed ${id}>${id + 1} configured link:0:net0`]);
  bench.run(() => system.createGroup(groupSpec({ interfaces: ['net0'], groupName: 'blue' })));
  deepEqual(chain(), [`kstat-installed ${id + 1}>${id + 2} configured ipmp:0:ipmp0`]);
  bench.run(() => system.renameGroup('blue', 'red'));
  bench.run(() => system.leaveGroup('red', 'net0'));
  deepEqual(chain(), []);
  bench.run(() => system.deleteGroup('red'));
  bench.run(() => system.deleteInterface('net0'));
  deepEqual(chain(), [
    `kstat-removed ${id + 2}>${id + 3} configured ipmp:0:ipmp0`,
    `kstat-removed ${id + 3}>${id + 4} configured link:0:net0`,
  ]);
  equal(system.kstats.id, id + 4);
});

test('a kstat whose reader is slow is told as removed when it is unlinked', () => {
  const bench = served();
  const { system } = bench;
  bench.run(() => system.leaveGroup('ipmp0', 'net0'));
  bench.delaysMs.set('net0', 150);
  const { scheduler } = system;
  scheduler.spawn('read', function* () {
    yield* system.kstats.lookup('link', 0, 'net0')!.read();
  });
  const removal = scheduler.spawn('delete', () => system.deleteInterface('net0'));
  scheduler.run();
  bench.drain();
  deepEqual(told(bench, /^kstat/), [], 'it is still there');
  bench.advance(1000);
  equal(removal.state, 'done');
  equal(told(bench, /^kstat/).length, 1);
});
