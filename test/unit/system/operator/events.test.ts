/**
 * Events of neighbours and of the kstat chain: each once, only those that an operator needs, and
 * in bounded number whatever happens on the LAN.
 */

import { deepEqual, equal, ok } from 'node:assert/strict';
import { test } from 'node:test';
import type { Ipv4, Mac } from '../../../../src/wire/addr.ts';
import { DATA, ip, reply, request } from '../../ip/harness.ts';
import { Bench, GROUP_MAC, interfaceSpec, macOf } from '../bench.ts';

const FIRST = ip('198.18.0.1');
const STATION_MAC = 0x02_00_00_01_00_00;
/** Resolution fails after three requests, a second apart. */
const GIVEN_UP_MS = 3_100;
/** A confirmed neighbour is verified again after at most this time. */
const STALE_MS = 15_100;

/** A settled group of one NIC, with the address DATA. */
const served = (): Bench => Bench.settled(1, 1, { neighbors: 4096 });

/** The host resolves a neighbour. */
function want(bench: Bench, address: Ipv4): void {
  const port = bench.system.groupPortOf('ipmp0') ?? -1;
  bench.system.handleFrame(port, request(GROUP_MAC, DATA, address), bench.nowMs);
}

function answer(bench: Bench, address: Ipv4, mac: Mac): void {
  bench.handleFrame('net0', reply(mac, address, macOf(0), DATA));
}

test('a neighbour that stops answering and answers again: one event each', () => {
  const bench = served();
  want(bench, FIRST);
  answer(bench, FIRST, STATION_MAC);
  deepEqual(bench.eventLines(/^neighbor/), [], 'its first answer is no event');
  for (let times = 0; times < 5; times++) {
    bench.advance(STALE_MS);
    want(bench, FIRST);
    bench.advance(2 * GIVEN_UP_MS);
  }
  deepEqual(bench.eventLines(/^neighbor/), [
    'neighbor-state REACHABLE>FAILED neighbor-lost 198.18.0.1',
  ]);
  want(bench, FIRST);
  answer(bench, FIRST, STATION_MAC);
  deepEqual(bench.eventLines(/^neighbor/), [
    'neighbor-state FAILED>REACHABLE neighbor-answers 198.18.0.1',
  ]);
});

test('a scan of absent neighbours causes no event', () => {
  const bench = served();
  for (let n = 0; n < 2000; n++) {
    want(bench, FIRST + n);
    bench.advance(20);
  }
  bench.advance(60_000);
  deepEqual(bench.events(), []);
});

test('a LAN that goes silent: a bounded number of events, each followed by its opposite', () => {
  const bench = served();
  const count = 500;
  const all = Array.from({ length: count }, (_, n) => FIRST + n);
  const resolveAll = (): void => {
    for (const address of all) {
      want(bench, address);
      answer(bench, address, STATION_MAC + address - FIRST);
      bench.advance(20);
    }
  };
  resolveAll();
  bench.advance(STALE_MS);
  bench.drain();
  const beganMs = bench.nowMs;
  for (const address of all) {
    want(bench, address);
    bench.advance(20);
  }
  bench.advance(2 * GIVEN_UP_MS);
  const lost = bench.eventLines(/^neighbor/);
  const bound = 50 + Math.ceil((bench.nowMs - beganMs) / 1000);
  ok(lost.length >= 50 && lost.length <= bound, `${lost.length} of at most ${bound}`);
  resolveAll();
  const found = bench.eventLines(/^neighbor/);
  const addresses = (lines: string[]) => lines.map((line) => line.split(' ').at(-1)).sort();
  deepEqual(addresses(found), addresses(lost));
  ok(found.every((line) => line.startsWith('neighbor-state FAILED>REACHABLE')));
});

test('a permanent entry: set, replaced, removed, and removed for an address of ours', () => {
  const bench = served();
  const { system } = bench;
  const spec = { dst: '198.18.0.1', lladdr: '02:00:00:01:00:00', proxy: false };
  system.setNeighbor('ipmp0', spec);
  deepEqual(bench.eventLines(/^neighbor/), ['neighbor-state >PERMANENT configured 198.18.0.1']);
  system.setNeighbor('ipmp0', spec);
  deepEqual(bench.events(), [], 'as it was');
  system.setNeighbor('ipmp0', { ...spec, lladdr: '02:00:00:01:00:01' });
  deepEqual(bench.eventLines(/^neighbor/), [
    'neighbor-moved 02:00:00:01:00:00>02:00:00:01:00:01 neighbor-moved 198.18.0.1',
  ]);
  system.deleteNeighbor('ipmp0', '198.18.0.1');
  deepEqual(bench.eventLines(/^neighbor/), ['neighbor-state PERMANENT> configured 198.18.0.1']);
  want(bench, FIRST);
  system.setNeighbor('ipmp0', { ...spec, lladdr: '02:00:00:01:00:01' });
  deepEqual(bench.eventLines(/^neighbor/), [
    'neighbor-state INCOMPLETE>PERMANENT configured 198.18.0.1',
  ]);
  bench.addresses('192.0.2.10', '198.18.0.1');
  deepEqual(bench.eventLines(/^neighbor/), ['neighbor-state PERMANENT> address-added 198.18.0.1']);
  want(bench, FIRST + 1);
  answer(bench, FIRST + 1, STATION_MAC);
  system.deleteNeighbor('ipmp0', '198.18.0.2');
  deepEqual(bench.eventLines(/^neighbor/), [], 'the removal of a learnt entry is no event');
});

test('kstats: one event for each installed or removed, with the ids of the chain', () => {
  const bench = new Bench();
  const { system } = bench;
  const chain = (): string[] => bench.eventLines(/^kstat/);
  const { id } = system.kstats;
  bench.run(() => system.createInterface(interfaceSpec('net0')));
  deepEqual(chain(), [`kstat-installed ${id}>${id + 1} configured link:0:net0`]);
  bench.createGroup({ interfaces: ['net0'], groupName: 'blue' });
  deepEqual(chain(), [`kstat-installed ${id + 1}>${id + 2} configured ipmp:0:ipmp0`]);
  bench.run(() => system.renameGroup('blue', 'red'));
  bench.leave('red', 'net0');
  deepEqual(chain(), []);
  bench.run(() => system.deleteGroup('red'));
  bench.run(() => system.deleteInterface('net0'));
  deepEqual(chain(), [
    `kstat-removed ${id + 2}>${id + 3} configured ipmp:0:ipmp0`,
    `kstat-removed ${id + 3}>${id + 4} configured link:0:net0`,
  ]);
  equal(system.kstats.id, id + 4);
});

test('a kstat with a slow reader: its removal is an event when it is unlinked', () => {
  const bench = served();
  const { system } = bench;
  bench.leave('ipmp0', 'net0');
  bench.delaysMs.set('net0', 150);
  bench.begin(function* () {
    yield* system.kstats.lookup('link', 0, 'net0')!.read();
  });
  const removal = bench.begin(() => system.deleteInterface('net0'));
  bench.drain();
  deepEqual(bench.eventLines(/^kstat/), [], 'it is still there');
  bench.advance(1000);
  equal(removal.state, 'done');
  equal(bench.eventLines(/^kstat/).length, 1);
});
