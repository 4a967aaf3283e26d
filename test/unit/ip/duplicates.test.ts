/** Addresses of ours that another station has: what is asked, and when they are ours again. */

import { deepEqual, equal } from 'node:assert/strict';
import { test } from 'node:test';
import { TRY_INTERVAL_MS, WATCH_MS } from '../../../src/ip/claim/dad.ts';
import type { Ipif } from '../../../src/ip/object/ipif.ts';
import { MAC_BROADCAST } from '../../../src/wire/addr.ts';
import {
  beginDetection,
  columns,
  DATA,
  GATEWAY,
  GATEWAY_MAC,
  GROUP_MAC,
  ip,
  isAnnouncement,
  NET0,
  OTHER_MAC,
  reply,
  request,
  TEST,
  World,
} from './harness.ts';

const OTHER = ip('192.0.2.11');
const PROXIED = ip('192.0.2.77');

test('a conflict while probing: duplicate, and up within 2 s once its holder is silent', () => {
  const claims = [
    request(OTHER_MAC, DATA, DATA),
    reply(OTHER_MAC, DATA, NET0, 0),
    request(OTHER_MAC, 0, DATA),
  ];
  for (const claim of claims) {
    const world = new World();
    const ipif = beginDetection(world);
    world.advance(200);
    world.wire(0, claim);
    equal(ipif.state, 'duplicate');
    equal(world.lan.holderOf(ipif), OTHER_MAC);
    const atMs = world.nowMs;
    world.take();
    world.unbind(ipif);
    world.advance(2000);
    equal(ipif.state, 'up');
    const [question, ...probes] = world.take();
    deepEqual(
      [question!.destination, question!.senderAddress, question!.targetAddress],
      [OTHER_MAC, 0, DATA],
    );
    deepEqual(
      probes.map((one) => one.destination),
      [MAC_BROADCAST, MAC_BROADCAST, MAC_BROADCAST],
    );
    deepEqual(
      world.events.map((event) => (event.kind === 'address-state' ? [event.to, event.cause] : [])),
      [
        ['duplicate', 'conflict'],
        ['tentative', 'probing'],
        ['up', 'recovered'],
      ],
    );
    const [first] = world.events;
    deepEqual(first, {
      kind: 'address-state',
      atMs,
      ipif,
      from: 'tentative',
      to: 'duplicate',
      cause: 'conflict',
      mac: OTHER_MAC,
    });
    world.bind(ipif, 1);
    equal(world.take()[0]!.port, 'net1');
  }
});

/** The address DATA, which another station has claimed `atMs` after detection began. */
function duplicate(atMs = 200): { world: World; ipif: Ipif } {
  const world = new World();
  const ipif = beginDetection(world);
  world.advance(atMs);
  world.wire(0, request(OTHER_MAC, DATA, DATA));
  world.take();
  return { world, ipif };
}

/** A duplicate whose holder answers every question for `durationMs`. */
function holdFor(world: World, durationMs: number): number {
  let questions = 0;
  for (const endMs = world.nowMs + durationMs; world.nowMs < endMs; world.advance(10)) {
    for (const one of world.take()) {
      equal(one.destination, OTHER_MAC, 'no other station is asked');
      world.wire(0, reply(OTHER_MAC, DATA, one.source, 0));
      questions++;
    }
  }
  return questions;
}

test('a duplicate costs its holder two questions a second, and other stations nothing', () => {
  const { world, ipif } = duplicate();
  const { conflicts } = world.lan.counters;
  equal(Math.abs(holdFor(world, 600_000) - 600_000 / WATCH_MS) <= 1, true);
  equal(ipif.state, 'duplicate');
  equal(world.lan.counters.conflicts, conflicts, 'an answer is no new conflict');
  world.advance(2000);
  equal(ipif.state, 'up');
});

test('tries that fail are ten at once, and then one a minute', () => {
  const world = new World();
  const ipif = beginDetection(world);
  let tries = 0;
  const object = (durationMs: number): void => {
    // It answers what is asked of all, and nothing that is asked of it alone.
    for (const endMs = world.nowMs + durationMs; world.nowMs < endMs; world.advance(10)) {
      for (const one of world.take()) {
        if (one.destination !== MAC_BROADCAST) continue;
        tries++;
        world.wire(0, reply(OTHER_MAC, DATA, NET0, 0));
      }
    }
  };
  object(30_000);
  equal(tries, 11, 'the first detection, and ten more');
  object(10 * TRY_INTERVAL_MS);
  equal(Math.abs(tries - 21) <= 1, true, `${tries} tries`);
  equal(ipif.state, 'duplicate');
});

test('a duplicate is tried again at once when the host announces it', () => {
  const { world, ipif } = duplicate();
  holdFor(world, 5000);
  world.host(request(GROUP_MAC, DATA, DATA));
  equal(ipif.state, 'tentative');
  world.advance(700);
  equal(ipif.state, 'up');
});

test('only a broadcast request with the MAC of its frame is a probe', () => {
  const others = [request(OTHER_MAC, 0, DATA, NET0), request(OTHER_MAC, 0, DATA)];
  others[1]!.set([2, 0, 0, 0, 0, 0x55], 6);
  for (const frame of others) {
    const world = new World();
    const ipif = beginDetection(world);
    world.advance(200);
    world.wire(0, frame);
    equal(ipif.state, 'tentative');
    equal(world.dropped('address_tentative'), 1);
    world.advance(1000);
    world.take();
    world.wire(0, frame);
    deepEqual(
      columns(world.take(), 'port', 'destination'),
      [['net0', OTHER_MAC]],
      'a question like any other',
    );
  }
});

test('a group that is set down is neither announced nor defended, but detection goes on', () => {
  const world = new World();
  const other = world.addData(OTHER, 1);
  const ipif = beginDetection(world);
  world.hostUp = false;
  world.advance(200);
  world.wire(0, request(OTHER_MAC, 0, DATA));
  equal(ipif.state, 'duplicate');
  world.take();
  holdFor(world, 60_000);
  equal(ipif.state, 'duplicate', 'its holder answers');
  world.wire(0, request(OTHER_MAC, OTHER, OTHER));
  world.wire(0, request(OTHER_MAC, GATEWAY, OTHER));
  equal(world.dropped('host_down'), 2);
  world.confirm(GATEWAY, GATEWAY_MAC);
  world.lan.addStatic(PROXIED, NET0, false, world.nowMs);
  world.move(other, 2);
  world.advance(10_000);
  deepEqual(
    world.take().filter(({ destination }) => destination === GATEWAY_MAC),
    [],
  );
  equal(ipif.state, 'up', 'its holder did not answer any more');
  world.hostUp = true;
  world.lan.handleHostUp(world.nowMs);
  world.advance(100);
  const announced = world.take().filter(isAnnouncement);
  deepEqual(
    announced.map(({ port, arp }) => [port, arp.senderAddress]),
    [
      ['net2', OTHER],
      ['net0', DATA],
      ['net0', PROXIED],
    ],
  );
});

test('while no NIC can ask, a duplicate stays one, and no try is used', () => {
  const { world, ipif } = duplicate();
  world.unbind(ipif);
  world.advance(WATCH_MS);
  world.cast = undefined;
  world.advance(10_000);
  equal(ipif.state, 'duplicate');
  equal(world.lan.holderOf(ipif), OTHER_MAC);
  world.cast = world.ill(0);
  world.advance(2000);
  equal(ipif.state, 'up');
  deepEqual(
    world.events.map((event) => (event.kind === 'address-state' ? event.to : '')),
    ['duplicate', 'tentative', 'up'],
  );
});

test('a link that comes up tries duplicates again, and verifies test addresses', () => {
  const world = new World();
  const testIpif = world.addTest(TEST, 0);
  const data = beginDetection(world);
  world.advance(50);
  world.wire(0, request(OTHER_MAC, DATA, DATA));
  equal(data.state, 'duplicate');
  world.lan.handleLinkUp(world.ill(0), world.nowMs);
  deepEqual([data.state, testIpif.state], ['tentative', 'tentative']);
  world.advance(1000);
  deepEqual([data.state, testIpif.state], ['up', 'up']);
  world.advance(10_000);
  world.take();
  world.lan.handleLinkUp(world.ill(0), world.nowMs);
  equal(data.state, 'up');
  deepEqual(
    world.take().map((one) => [one.port, isAnnouncement(one)]),
    [['net0', true]],
  );
});

test('a duplicate that was unbound is tried again when any link comes up', () => {
  const { world, ipif } = duplicate(50);
  world.unbind(ipif);
  world.lan.handleLinkUp(world.ill(1), world.nowMs);
  equal(ipif.state, 'tentative');
});
