/**
 * What grows with the number of addresses and neighbours, and what does not. Counts, not times:
 * words published, frames sent, addresses taken in a turn.
 */

import { deepEqual, equal, ok } from 'node:assert/strict';
import { test } from 'node:test';
import { CLAIMS_A_TURN, SERIES_A_MS } from '../../src/ip/claims.ts';
import { ANNOUNCE_COUNT, ANNOUNCE_INTERVAL_MS } from '../../src/ip/dad.ts';
import { ADDED_A_TURN } from '../../src/ipmp/addresses.ts';
import { ipv4Format } from '../../src/wire/addr.ts';
import { arpParse } from '../../src/wire/arp.ts';
import { ETHERNET_HEADER_LENGTH, ethernetSource } from '../../src/wire/ethernet.ts';
import { LargeGroup, type Sent } from './large-group.ts';

const NICS = 64;
const FEW = 64;
const MANY = 4096;
const LOST = 5;
const FIRST_MAC = 0x02_00_00_00_00_01;

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
  deepEqual(group.published, [], 'the control plane knows nothing');
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
    group.run(ANNOUNCE_COUNT * ANNOUNCE_INTERVAL_MS);
    const moved = [...before].filter(([, nic]) => nic === `net${LOST}`).map(([name]) => name);
    equal(moved.length, addresses / NICS);
    const told = announcements(group.sent);
    deepEqual(
      [...told.keys()],
      group.events.filter(({ event }) => event === 'address-moved').map(({ detail }) => detail),
      'in the order in which they moved',
    );
    equal(group.sent.length, moved.length * ANNOUNCE_COUNT);
    for (const address of moved) {
      const series = told.get(address.split('/')[0] ?? '') ?? [];
      const nic = Number(group.bindings().get(address)?.slice('net'.length));
      deepEqual(
        series.map((one) => [one.atMs - cutMs, one.nic, ethernetSource(one.frame, 0)]),
        Array.from({ length: ANNOUNCE_COUNT }, (_, at) => {
          return [at * ANNOUNCE_INTERVAL_MS, nic, FIRST_MAC + nic];
        }),
      );
    }
  }
});

test('announcements of a NIC with thousands of addresses are paced, a few each millisecond', () => {
  const group = new LargeGroup(2, MANY);
  const cutMs = group.nowMs;
  group.tellLost(0);
  equal(group.sent.length, 0, 'taken with the next turn');
  group.run(1000);
  equal(group.sent.length, MANY / 2);
  const perMs = new Map<number, number>();
  for (const { atMs } of group.sent) perMs.set(atMs - cutMs, (perMs.get(atMs - cutMs) ?? 0) + 1);
  deepEqual(
    [...perMs],
    Array.from({ length: MANY / 2 / SERIES_A_MS }, (_, at) => [at, SERIES_A_MS]),
  );
});

test('deadlines that are met late are met in several turns, none of them lost', () => {
  const group = new LargeGroup(2, MANY);
  group.tellLost(0);
  group.run(500);
  equal(group.sent.length, MANY / 2, 'the first announcement of each');
  group.forget();
  group.agenda.advance(group.nowMs + ANNOUNCE_INTERVAL_MS);
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
    ok(added().length - before <= 2 * ADDED_A_TURN, 'with what was told, and with the time');
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
