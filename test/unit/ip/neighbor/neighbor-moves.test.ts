/** Neighbours that change their MAC, and forged claims of it. */

import { deepEqual, equal, ok } from 'node:assert/strict';
import { REACHABLE_TIME_MS, YIELD_MS } from '../../../../src/ip/neighbor/nce.ts';
import {
  REDIRECT_KEPT_MS,
  REDIRECT_LIMIT,
  REDIRECTS_A_SECOND,
} from '../../../../src/ip/neighbor/redirect.ts';
import { MAC_BROADCAST } from '../../../../src/wire/addr.ts';
import { testFamilies } from '../families.ts';
import {
  columns,
  GATEWAY_MAC,
  GROUP_MAC,
  isAnnouncement,
  mac,
  OTHER_MAC,
  request,
} from '../harness.ts';

testFamilies(
  'a silent change of MAC is found by the host’s second probe, redirected and announced',
  (f) => {
    const world = f.worldWithData();
    world.confirm(f.GATEWAY, GATEWAY_MAC);
    world.advance(REACHABLE_TIME_MS * 1.5);
    world.hostAsks(f.GATEWAY, f.DATA, GATEWAY_MAC);
    world.advance(1000);
    const startMs = world.nowMs;
    world.answer(f.GATEWAY, OTHER_MAC);
    deepEqual([...world.redirects], [[GATEWAY_MAC, OTHER_MAC]]);
    equal(world.stateOf(f.GATEWAY), 'REACHABLE');
    world.advance(5000);
    const toHost = world.take('host');
    const told = toHost.filter((one) => one.senderAddress === one.targetAddress);
    deepEqual(
      told.map((one) => one.atMs - startMs),
      [0, 1100, 3000],
    );
    for (const one of toHost) {
      const isToAll = f.family === 6 && isAnnouncement(one);
      equal(one.destination, isToAll ? MAC_BROADCAST : GROUP_MAC);
      deepEqual([one.source, one.senderMac], [OTHER_MAC, OTHER_MAC]);
    }
    equal(toHost.length, 4);
    deepEqual(
      world.events.filter((event) => event.kind === 'neighbor-moved'),
      [
        {
          kind: 'neighbor-moved',
          atMs: startMs,
          address: f.GATEWAY,
          from: GATEWAY_MAC,
          to: OTHER_MAC,
        },
      ],
    );
  },
);

testFamilies('a redirect lasts its time, again and again while it is used', (f) => {
  const world = f.worldWithData();
  world.confirm(f.GATEWAY, GATEWAY_MAC);
  world.neighborMoves(f.GATEWAY, OTHER_MAC);
  equal(world.redirects.size, 1);
  world.advance(REDIRECT_KEPT_MS - 1);
  world.used.add(GATEWAY_MAC);
  world.advance(REDIRECT_KEPT_MS);
  equal(world.redirects.size, 1);
  world.used.add(OTHER_MAC);
  world.advance(1);
  equal(world.redirects.size, 0);
});

testFamilies(
  'no redirect while another neighbour lives under the old MAC; one ends when it sends',
  (f) => {
    const world = f.worldWithData();
    const sibling = f.ip('192.0.2.2');
    world.confirm(f.GATEWAY, GATEWAY_MAC);
    world.confirm(sibling, GATEWAY_MAC);
    world.neighborMoves(f.GATEWAY, OTHER_MAC);
    equal(world.redirects.size, 0);
    equal(world.take('host').length, 1);
    world.advance(2000);
    world.neighborMoves(sibling, OTHER_MAC);
    deepEqual([...world.redirects], [[GATEWAY_MAC, OTHER_MAC]]);
    world.wire(0, request(GATEWAY_MAC, f.ip('192.0.2.3'), f.ip('192.0.2.4')));
    equal(world.redirects.size, 0);
  },
);

testFamilies('redirects never chain and never circle', (f) => {
  const world = f.worldWithData();
  const third = mac('52:54:00:00:00:03');
  world.confirm(f.GATEWAY, GATEWAY_MAC);
  const moveTo = (at: number): void => {
    world.advance(2000);
    world.neighborMoves(f.GATEWAY, at);
  };
  moveTo(OTHER_MAC);
  moveTo(third);
  deepEqual(
    [...world.redirects],
    [
      [GATEWAY_MAC, third],
      [OTHER_MAC, third],
    ],
  );
  moveTo(GATEWAY_MAC);
  deepEqual(
    [...world.redirects],
    [
      [OTHER_MAC, GATEWAY_MAC],
      [third, GATEWAY_MAC],
    ],
  );
  world.lan.deleteNeighbor(f.GATEWAY, world.nowMs);
  equal(world.redirects.size, 0);
});

testFamilies('a claim of another MAC has both asked, and changes nothing by itself', (f) => {
  const world = f.worldWithData();
  world.confirm(f.GATEWAY, GATEWAY_MAC);
  world.wire(0, request(OTHER_MAC, f.GATEWAY, f.GATEWAY));
  deepEqual(columns(world.sent, 'port', 'destination', 'senderAddress'), [
    ['net0', GATEWAY_MAC, f.DATA],
    ['net0', OTHER_MAC, f.DATA],
  ]);
  // The forger is first, and the neighbour a little busy.
  world.answer(f.GATEWAY, OTHER_MAC);
  world.advance(YIELD_MS - 1);
  world.answer(f.GATEWAY, GATEWAY_MAC);
  world.take();
  world.advance(60_000);
  deepEqual(world.take(), []);
  equal(world.lan.neighbors()[0]!.mac, GATEWAY_MAC);
  equal(world.redirects.size, 0);
  deepEqual(world.events, []);
});

testFamilies('the host gets a moved neighbour’s MAC as soon as the old one had its time', (f) => {
  const world = f.worldWithData();
  world.confirm(f.GATEWAY, GATEWAY_MAC);
  world.wire(0, request(OTHER_MAC, f.GATEWAY, f.GATEWAY));
  world.answer(f.GATEWAY, OTHER_MAC);
  world.take();
  world.advance(YIELD_MS - 1);
  deepEqual(world.take(), []);
  world.advance(1);
  equal(world.take('host')[0]!.senderMac, OTHER_MAC);
  deepEqual([...world.redirects], [[GATEWAY_MAC, OTHER_MAC]]);
  equal(world.stateOf(f.GATEWAY), 'REACHABLE');
});

testFamilies('forged claims once a second leave a neighbour that answers where it is', (f) => {
  const world = f.worldWithData();
  world.confirm(f.GATEWAY, GATEWAY_MAC);
  for (let second = 0; second < 60; second++) {
    world.wire(0, request(OTHER_MAC, f.GATEWAY, f.GATEWAY));
    world.answer(f.GATEWAY, GATEWAY_MAC);
    equal(world.stateOf(f.GATEWAY), 'REACHABLE');
    world.advance(1000);
  }
  deepEqual(world.take('host'), []);
  equal(world.redirects.size, 0);
});

testFamilies(
  'claims within a second of the last are looked at when it is over, one of them',
  (f) => {
    const world = f.worldWithData();
    world.confirm(f.GATEWAY, GATEWAY_MAC);
    world.wire(0, request(OTHER_MAC, f.GATEWAY, f.GATEWAY));
    world.answer(f.GATEWAY, GATEWAY_MAC);
    world.take();
    for (let i = 0; i < 100; i++) {
      world.wire(0, request(OTHER_MAC, f.GATEWAY, f.GATEWAY));
      world.wire(0, request(mac('52:54:00:00:00:66'), f.GATEWAY, f.GATEWAY));
    }
    equal(world.dropped(f.reason('change_locked')), 200);
    deepEqual(world.take(), []);
    world.advance(1000);
    deepEqual(
      world.sent.map((one) => one.destination),
      [GATEWAY_MAC, mac('52:54:00:00:00:66')],
    );
    world.answer(f.GATEWAY, GATEWAY_MAC);
    equal(world.lan.neighbors()[0]!.mac, GATEWAY_MAC);
    equal(world.stateOf(f.GATEWAY), 'REACHABLE');
  },
);

testFamilies('a claim that is looked at later has become true meanwhile', (f) => {
  const world = f.worldWithData();
  world.confirm(f.GATEWAY, GATEWAY_MAC);
  world.wire(0, request(OTHER_MAC, f.GATEWAY, f.GATEWAY));
  world.wire(0, request(OTHER_MAC, f.GATEWAY, f.GATEWAY));
  world.answer(f.GATEWAY, OTHER_MAC);
  world.advance(YIELD_MS);
  equal(world.stateOf(f.GATEWAY), 'REACHABLE');
  world.take();
  world.advance(2000);
  deepEqual(world.take('net0'), []);
});

testFamilies('a question of the host to one MAC is not answered from memory', (f) => {
  const world = f.worldWithData();
  world.confirm(f.GATEWAY, GATEWAY_MAC);
  world.advance(500);
  world.hostAsks(f.GATEWAY, f.DATA, GATEWAY_MAC);
  equal(world.take('host').length, 1, 'just confirmed');
  world.advance(500);
  world.hostAsks(f.GATEWAY, f.DATA, GATEWAY_MAC);
  const [question, ...rest] = world.sent;
  deepEqual([rest.length, question!.port, question!.destination], [0, 'net0', GATEWAY_MAC]);
  world.advance(1000);
  world.answer(f.GATEWAY, OTHER_MAC);
  equal(world.take('host')[0]!.senderMac, OTHER_MAC, 'a silent change is found in a second');
});

testFamilies(
  'a station for which the host never asked moves in silence, also when it answers',
  (f) => {
    const world = f.worldWithData();
    world.wire(0, request(GATEWAY_MAC, f.GATEWAY, f.DATA));
    world.neighborMoves(f.GATEWAY, OTHER_MAC);
    equal(world.lan.neighbors()[0]!.mac, OTHER_MAC);
    equal(world.stateOf(f.GATEWAY), 'REACHABLE', 'the answer was taken');
    world.advance(5000);
    equal(world.redirects.size, 0);
    deepEqual(world.take('host'), []);
  },
);

testFamilies('of a hundred moves in a second some are redirected, and the host gets all', (f) => {
  const world = f.worldWithData();
  const redirect = world.redirect.bind(world);
  let made = 0;
  world.redirect = (from, to) => {
    made++;
    redirect(from, to);
  };
  const MOVES = 100;
  const addresses = Array.from({ length: MOVES }, (_, at) => f.after(f.ip('192.0.2.100'), at));
  const [before, after] = [mac('52:54:00:00:01:00'), mac('52:54:00:00:02:00')];
  for (const [at, address] of addresses.entries()) world.confirm(address, before + at);
  world.advance(2000);
  const startMs = world.nowMs;
  for (const [at, address] of addresses.entries()) {
    world.wire(0, request(after + at, address, address));
    world.answer(address, after + at);
    world.advance(900 / MOVES);
  }
  world.advance(YIELD_MS);
  ok(world.nowMs - startMs <= 1000);
  const told = world.take('host').filter(isAnnouncement);
  equal(new Set(told.map((one) => one.senderAddress)).size, MOVES);
  ok(made >= REDIRECT_LIMIT && made <= REDIRECT_LIMIT + REDIRECTS_A_SECOND, `${made} made`);
  ok(world.redirects.size <= REDIRECT_LIMIT);
});
