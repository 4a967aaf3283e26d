/**
 * What grows with the number of addresses and neighbours, and what does not. Counts, not times:
 * words published, frames sent, addresses taken in a turn.
 */

import { deepEqual, equal, ok } from 'node:assert/strict';
import { test } from 'node:test';
import { CLAIMS_A_TURN } from '../../src/ip/claim/claims.ts';
import { ANNOUNCE_AT_MS, PROBE_COUNT } from '../../src/ip/claim/dad.ts';
import { BROADCASTS_A_MS, broadcastsAMs, MADE_UP_MS } from '../../src/ip/claim/pace.ts';
import { ADDED_A_TURN } from '../../src/ipmp/act/addresses.ts';
import { ipv4Format } from '../../src/wire/addr.ts';
import { arpParse } from '../../src/wire/arp.ts';
import { ETHERNET_HEADER_LENGTH, ethernetSource } from '../../src/wire/ethernet.ts';
import { LargeGroup, type Sent } from './large-group.ts';

const NICS = 64;
const FEW = 64;
const MANY = 4096;
const LOST = 5;
const FIRST_MAC = 0x02_00_00_00_00_01;
/** From the first announcement of an address to the second. */
const SECOND_MS = ANNOUNCE_AT_MS[1]!;

/** Announcements by address, in order of sending. */
function announcements(sent: readonly Sent[]): Map<string, Sent[]> {
  const found = new Map<string, Sent[]>();
  for (const one of sent) {
    const { senderAddress, targetAddress } = arpParse(one.frame, ETHERNET_HEADER_LENGTH);
    equal(senderAddress, targetAddress, 'an announcement, and nothing else');
    const address = ipv4Format(senderAddress);
    found.set(address, [...(found.get(address) ?? []), one]);
  }
  return found;
}

/** How many left in each millisecond from `beganMs` on. */
function perMs(sent: readonly Sent[], beganMs: number): Map<number, number> {
  const counts = new Map<number, number>();
  for (const { atMs } of sent) {
    const millisecond = Math.floor(atMs - beganMs);
    counts.set(millisecond, (counts.get(millisecond) ?? 0) + 1);
  }
  return counts;
}

test('steering: as many stores for 4096 addresses as for 64, before the tables', () => {
  const [few, many] = [FEW, MANY].map((addresses) => {
    const group = new LargeGroup(NICS, addresses);
    group.tellLost(LOST);
    return group.published;
  });
  deepEqual(few, ['active', 'placement', 'replace']);
  deepEqual(many, few);
});

test('steering: of 4096 addresses no frame leaves by a NIC whose carrier word is set', () => {
  const group = new LargeGroup(NICS, MANY);
  const before = group.sendFromAll();
  equal(before.length, MANY);
  equal(before.filter((nic) => nic === LOST).length, MANY / NICS, 'it was in use');
  group.loseCarrier(LOST);
  deepEqual(group.published, [], 'the control plane is not involved');
  for (const hears of [false, true]) {
    if (hears) group.tellLost(LOST);
    const nics = group.sendFromAll();
    equal(nics.length, MANY);
    ok(!nics.includes(LOST));
  }
});

test('announcements: one series for each address that moved, from its new NIC', () => {
  for (const addresses of [FEW, MANY]) {
    const group = new LargeGroup(NICS, addresses);
    const before = group.bindings();
    const cutMs = group.nowMs;
    group.tellLost(LOST);
    group.run(2 * ANNOUNCE_AT_MS.at(-1)!);
    const moved = [...before].filter(([, nic]) => nic === `net${LOST}`).map(([name]) => name);
    equal(moved.length, addresses / NICS);
    const told = announcements(group.sent);
    deepEqual(
      [...told.keys()],
      group.events.filter(({ event }) => event === 'address-moved').map(({ detail }) => detail),
      'in the order in which they moved',
    );
    equal(group.sent.length, moved.length * ANNOUNCE_AT_MS.length);
    for (const [at, address] of moved.entries()) {
      // The first ones leave together; the others are as many, and not urgent.
      const most = broadcastsAMs(NICS);
      const laterMs = Math.max(0, Math.floor(at / most) - MADE_UP_MS + 1);
      const series = told.get(address.split('/')[0] ?? '') ?? [];
      const nic = Number(group.bindings().get(address)?.slice('net'.length));
      deepEqual(
        series.map((one) => [one.atMs - cutMs, one.nic, ethernetSource(one.frame, 0)]),
        ANNOUNCE_AT_MS.map((atMs) => [atMs === 0 ? 0 : atMs + laterMs, nic, FIRST_MAC + nic]),
      );
    }
  }
});

test('announcements of a NIC with thousands of addresses are paced, a few each millisecond', () => {
  const group = new LargeGroup(2, MANY);
  const cutMs = group.nowMs;
  group.tellLost(0);
  equal(group.sent.length, 0, 'taken with the next turn');
  group.run(SECOND_MS - 1);
  equal(group.sent.length, MANY / 2);
  deepEqual(
    [...perMs(group.sent, cutMs)],
    Array.from({ length: MANY / 2 / BROADCASTS_A_MS }, (_, at) => [at, BROADCASTS_A_MS]),
  );
});

test('the more NICs of ours receive a broadcast, the fewer that can wait leave at once', () => {
  deepEqual([1, 2, 8, 16, 64, 1000].map(broadcastsAMs), [64, 64, 64, 32, 8, 1]);
  const group = new LargeGroup(NICS, MANY);
  const cutMs = group.nowMs;
  for (const nic of [1, 2, 3, 4]) group.tellLost(nic);
  group.run(SECOND_MS - 1);
  const moved = group.sent.length;
  ok(moved >= (4 * MANY) / NICS);
  for (const count of perMs(group.sent, cutMs).values()) ok(count <= BROADCASTS_A_MS);
  group.forget();
  group.run(SECOND_MS);
  equal(group.sent.length, (4 * MANY) / NICS, 'the second announcements');
  const [first = 0, ...others] = perMs(group.sent, cutMs).values();
  equal(first, MADE_UP_MS * broadcastsAMs(NICS), 'after a pause');
  ok(others.every((count) => count <= broadcastsAMs(NICS)));
});

test('probes of thousands of addresses that are added together are paced as well', () => {
  const group = new LargeGroup(NICS, 1);
  group.addresses(MANY);
  const beganMs = group.nowMs;
  group.run(10_000);
  const addresses = group.system.describeAddresses();
  equal(addresses.length, MANY);
  ok(addresses.every(({ state }) => state === 'up'));
  const probes = group.sent.filter(({ frame }) => {
    return arpParse(frame, ETHERNET_HEADER_LENGTH).senderAddress === 0;
  });
  equal(probes.length, PROBE_COUNT * (MANY - 1));
  const most = broadcastsAMs(NICS);
  const atOnce = new Map<number, number>();
  for (const { atMs } of probes) atOnce.set(atMs, (atOnce.get(atMs) ?? 0) + 1);
  ok(Math.max(...atOnce.values()) <= MADE_UP_MS * most);
  for (let at = 0; at + 100 * most < probes.length; at++) {
    const tookMs = probes[at + 100 * most]!.atMs - probes[at]!.atMs;
    ok(tookMs > 100 - 2 * MADE_UP_MS, `${100 * most} probes in ${tookMs} ms`);
  }
  ok(probes.at(-1)!.atMs - beganMs >= probes.length / most);
});

test('while new addresses wait for their probes, one that moves is announced before them', () => {
  const group = new LargeGroup(NICS, NICS);
  const before = group.bindings();
  group.addresses(MANY);
  group.run(200);
  group.forget();
  const cutMs = group.nowMs;
  group.tellLost(LOST);
  group.run(2);
  const [moved = ''] = [...before].find(([, nic]) => nic === `net${LOST}`) ?? [];
  const announced = group.sent.filter(({ frame }) => {
    const { senderAddress } = arpParse(frame, ETHERNET_HEADER_LENGTH);
    return ipv4Format(senderAddress) === moved.split('/')[0];
  });
  equal(announced.length, 1);
  ok(announced[0]!.atMs - cutMs <= 1);
  ok(group.sent.length > 1, 'probes go on');
});

test('deadlines that are met late are met in several turns, none of them lost', () => {
  const group = new LargeGroup(2, MANY);
  group.tellLost(0);
  group.run(SECOND_MS - 1);
  equal(group.sent.length, MANY / 2, 'the first announcement of each');
  group.forget();
  group.agenda.advance(group.nowMs + SECOND_MS);
  for (let before = 0; before < MANY / 2; before = group.sent.length) {
    group.turn();
    ok(group.sent.length > before && group.sent.length <= before + CLAIMS_A_TURN);
  }
  equal(announcements(group.sent).size, MANY / 2);
});

test('of thousands of new addresses a number is added in each turn, in their order', () => {
  const group = new LargeGroup(2, 1);
  group.addresses(MANY);
  const added = (): string[] =>
    group.events.flatMap(({ event, to }) => (event === 'address-added' ? [String(to)] : []));
  let turns = 0;
  for (let before = 0; added().length < MANY - 1; turns++) {
    group.turn();
    ok(added().length - before <= 2 * ADDED_A_TURN, 'with the list, and with the time');
    before = added().length;
  }
  ok(turns >= MANY / ADDED_A_TURN - 2);
  deepEqual(added(), [...group.bindings().keys()].slice(1));
  ok([...group.bindings().values()].every((nic) => nic !== null));
});

test('a list that shrinks while it is being taken is taken as it is by then', () => {
  const group = new LargeGroup(2, 1);
  group.addresses(MANY);
  group.addresses(3);
  group.run(1000);
  equal(group.bindings().size, 3);
});
