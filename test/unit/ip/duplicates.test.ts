/** Addresses of ours that another station has: what is asked, and when they are ours again. */

import { deepEqual, equal } from 'node:assert/strict';
import { test } from 'node:test';
import { TRY_INTERVAL_MS, WATCH_MS } from '../../../src/ip/claim/dad.ts';
import type { Ipif } from '../../../src/ip/object/ipif.ts';
import { MAC_BROADCAST } from '../../../src/wire/addr.ts';
import { type FamilyCase, testFamilies } from './families.ts';
import {
  beginDetection,
  columns,
  DATA,
  GATEWAY_MAC,
  GROUP_MAC,
  isAnnouncement,
  NET0,
  OTHER_MAC,
  reply,
  request,
  World,
} from './harness.ts';

testFamilies(
  'a conflict while probing: duplicate, and up within 2 s once its holder is silent',
  (f) => {
    const claims = [
      request(OTHER_MAC, f.DATA, f.DATA),
      reply(OTHER_MAC, f.DATA, NET0, f.NONE),
      request(OTHER_MAC, f.NONE, f.DATA),
    ];
    for (const claim of claims) {
      const world = f.world();
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
        [OTHER_MAC, f.NONE, f.DATA],
      );
      deepEqual(
        probes.map((one) => one.destination),
        [MAC_BROADCAST, MAC_BROADCAST, MAC_BROADCAST],
      );
      deepEqual(
        world.events.map((event) =>
          event.kind === 'address-state' ? [event.to, event.cause] : [],
        ),
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
  },
);

/** The address DATA, which another station has claimed `atMs` after detection began. */
function duplicate(f: FamilyCase, atMs = 200): { world: World; ipif: Ipif } {
  const world = f.world();
  const ipif = beginDetection(world);
  world.advance(atMs);
  world.wire(0, request(OTHER_MAC, f.DATA, f.DATA));
  world.take();
  return { world, ipif };
}

/** A duplicate whose holder answers every question for `durationMs`. */
function holdFor(f: FamilyCase, world: World, durationMs: number): number {
  let questions = 0;
  for (const endMs = world.nowMs + durationMs; world.nowMs < endMs; world.advance(10)) {
    for (const one of world.take()) {
      equal(one.destination, OTHER_MAC, 'no other station is asked');
      world.wire(0, reply(OTHER_MAC, f.DATA, one.source, f.NONE));
      questions++;
    }
  }
  return questions;
}

testFamilies(
  'a duplicate costs its holder two questions a second, and other stations nothing',
  (f) => {
    const { world, ipif } = duplicate(f);
    const { conflicts } = world.lan.counters;
    equal(Math.abs(holdFor(f, world, 600_000) - 600_000 / WATCH_MS) <= 1, true);
    equal(ipif.state, 'duplicate');
    equal(world.lan.counters.conflicts, conflicts, 'an answer is no new conflict');
    world.advance(2000);
    equal(ipif.state, 'up');
  },
);

testFamilies('tries that fail are ten at once, and then one a minute', (f) => {
  const world = f.world();
  const ipif = beginDetection(world);
  let tries = 0;
  const object = (durationMs: number): void => {
    // It answers what is asked of all, and nothing that is asked of it alone.
    for (const endMs = world.nowMs + durationMs; world.nowMs < endMs; world.advance(10)) {
      for (const one of world.take()) {
        if (one.destination !== MAC_BROADCAST || one.port === 'host') continue;
        tries++;
        world.wire(0, reply(OTHER_MAC, f.DATA, NET0, f.NONE));
      }
    }
  };
  object(30_000);
  equal(tries, 11, 'the first detection, and ten more');
  object(10 * TRY_INTERVAL_MS);
  equal(Math.abs(tries - 21) <= 1, true, `${tries} tries`);
  equal(ipif.state, 'duplicate');
});

testFamilies('a duplicate is tried again at once when the host announces it', (f) => {
  const { world, ipif } = duplicate(f);
  holdFor(f, world, 5000);
  world.host(request(GROUP_MAC, f.DATA, f.DATA));
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

testFamilies(
  'a group that is set down is neither announced nor defended, but detection goes on',
  (f) => {
    const world = f.world();
    const other = world.addData(f.ip('192.0.2.11'), 1);
    const ipif = beginDetection(world);
    world.hostUp = false;
    world.advance(200);
    world.wire(0, request(OTHER_MAC, f.NONE, f.DATA));
    equal(ipif.state, 'duplicate');
    world.take();
    holdFor(f, world, 60_000);
    equal(ipif.state, 'duplicate', 'its holder answers');
    world.wire(0, request(OTHER_MAC, f.ip('192.0.2.11'), f.ip('192.0.2.11')));
    world.wire(0, request(OTHER_MAC, f.GATEWAY, f.ip('192.0.2.11')));
    equal(world.dropped('host_down'), 2);
    world.confirm(f.GATEWAY, GATEWAY_MAC);
    world.lan.addStatic(f.ip('192.0.2.77'), NET0, false, world.nowMs);
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
        ['net2', f.ip('192.0.2.11')],
        ['net0', f.DATA],
        ['net0', f.ip('192.0.2.77')],
      ],
    );
  },
);

testFamilies('while no NIC can ask, a duplicate stays one, and no try is used', (f) => {
  const { world, ipif } = duplicate(f);
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

testFamilies('a link that comes up tries duplicates again, and verifies test addresses', (f) => {
  const world = f.world();
  const testIpif = world.addTest(f.TEST, 0);
  const data = beginDetection(world);
  world.advance(50);
  world.wire(0, request(OTHER_MAC, f.DATA, f.DATA));
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

testFamilies('a duplicate that was unbound is tried again when any link comes up', (f) => {
  const { world, ipif } = duplicate(f, 50);
  world.unbind(ipif);
  world.lan.handleLinkUp(world.ill(1), world.nowMs);
  equal(ipif.state, 'tentative');
});
