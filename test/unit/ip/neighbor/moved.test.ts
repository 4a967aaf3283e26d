/** Neighbours that come back under another MAC after the cache had given them up. */

import { deepEqual, equal } from 'node:assert/strict';
import { test } from 'node:test';
import { FAILED_KEPT_MS } from '../../../../src/ip/neighbor/nce.ts';
import {
  columns,
  DATA,
  GATEWAY,
  GATEWAY_MAC,
  ip,
  mac,
  NET0,
  OTHER_MAC,
  reply,
  request,
  type World,
  worldWithData,
} from '../harness.ts';

const THIRD_MAC = mac('52:54:00:00:00:03');

/** The host has an entry of the gateway, and the gateway is silent. */
function silentGateway(): World {
  const world = worldWithData();
  world.confirm(GATEWAY, GATEWAY_MAC);
  world.advance(20_000);
  world.hostAsks(GATEWAY);
  world.advance(10_000);
  equal(world.stateOf(GATEWAY), 'FAILED');
  world.take();
  return world;
}

function expectMoved(world: World, from: number, to: number): void {
  deepEqual([...world.redirects], [[from, to]]);
  const told = world.take('host').filter((one) => one.senderAddress === one.targetAddress);
  deepEqual([...new Set(told.map((one) => one.senderMac))], [to]);
  const moves = world.events.filter((event) => event.kind === 'neighbor-moved');
  deepEqual(columns(moves, 'from', 'to'), [[from, to]]);
}

/** What happens after the gateway was given up, until its other MAC is known. */
const RETURNS: Readonly<Record<string, (world: World) => void>> = {
  'it asks, and answers': (world) => {
    world.wire(0, request(OTHER_MAC, GATEWAY, DATA));
    equal(world.stateOf(GATEWAY), 'PROBE');
    equal(world.redirects.size, 0, 'not before it has answered');
    world.answer(GATEWAY, OTHER_MAC);
  },
  'it answers the host': (world) => {
    world.hostAsks(GATEWAY);
    world.wire(0, reply(OTHER_MAC, GATEWAY, NET0, DATA));
    equal(world.stateOf(GATEWAY), 'REACHABLE');
  },
  'the operator sets its MAC': (world) => {
    world.lan.addStatic(GATEWAY, OTHER_MAC, false, world.nowMs);
  },
  'its entry has left the cache': (world) => {
    world.advance(FAILED_KEPT_MS);
    equal(world.stateOf(GATEWAY), undefined);
    world.wire(0, request(OTHER_MAC, GATEWAY, DATA));
    world.answer(GATEWAY, OTHER_MAC);
  },
  'the operator has removed its entry': (world) => {
    world.lan.deleteNeighbor(GATEWAY, world.nowMs);
    world.wire(0, request(OTHER_MAC, GATEWAY, DATA));
    world.answer(GATEWAY, OTHER_MAC);
  },
};

for (const [name, comesBack] of Object.entries(RETURNS)) {
  test(`given up, then back with another MAC: redirected and announced: ${name}`, () => {
    const world = silentGateway();
    comesBack(world);
    expectMoved(world, GATEWAY_MAC, OTHER_MAC);
  });
}

test('back with the MAC that the host has: nothing happens', () => {
  const world = silentGateway();
  world.wire(0, request(GATEWAY_MAC, GATEWAY, DATA));
  world.advance(5000);
  deepEqual(world.take('host'), []);
  equal(world.redirects.size, 0);
  equal(world.lan.counters.neighborMoves, 0);
});

test('a neighbour without an entry at the host is learnt in silence', () => {
  const world = worldWithData();
  world.wire(0, request(GATEWAY_MAC, GATEWAY, DATA));
  world.lan.deleteNeighbor(GATEWAY, world.nowMs);
  world.wire(0, request(OTHER_MAC, GATEWAY, DATA));
  deepEqual(world.take('host'), []);
  equal(world.redirects.size, 0);
});

test('a redirect outlives giving up, and follows to the next MAC', () => {
  const world = worldWithData();
  world.confirm(GATEWAY, GATEWAY_MAC);
  world.neighborMoves(GATEWAY, OTHER_MAC);
  world.advance(20_000);
  world.hostAsks(GATEWAY);
  world.advance(10_000);
  equal(world.stateOf(GATEWAY), 'FAILED');
  deepEqual([...world.redirects], [[GATEWAY_MAC, OTHER_MAC]]);
  world.wire(0, request(THIRD_MAC, GATEWAY, DATA));
  world.answer(GATEWAY, THIRD_MAC);
  deepEqual(
    [...world.redirects],
    [
      [GATEWAY_MAC, THIRD_MAC],
      [OTHER_MAC, THIRD_MAC],
    ],
  );
});

test('a MAC that is claimed and does not answer never reaches the host', () => {
  const world = silentGateway();
  world.wire(0, request(OTHER_MAC, GATEWAY, DATA));
  world.advance(20_000);
  equal(world.stateOf(GATEWAY), 'FAILED');
  deepEqual(world.take('host'), []);
  equal(world.redirects.size, 0);
});

test('an address that becomes ours is no neighbour of the host any more', () => {
  const world = silentGateway();
  const ipif = world.addData(GATEWAY, 0);
  ipif.unbind();
  world.lan.addressRemoved(ipif);
  world.ipifs.delete(GATEWAY);
  world.wire(0, request(OTHER_MAC, GATEWAY, DATA));
  equal(world.redirects.size, 0);
});

test('the last MAC given is remembered of as many neighbours as the table holds', () => {
  const world = worldWithData({ neighborLimit: 64 });
  const moves = (address: number): boolean => {
    world.wire(0, request(THIRD_MAC, address, DATA));
    if (world.stateOf(address) === 'PROBE') world.answer(address, THIRD_MAC);
    const isMoved = world.redirects.size > 0;
    world.lan.deleteNeighbor(address, world.nowMs);
    return isMoved;
  };
  const first = ip('192.0.2.100');
  for (let n = 0; n < 65; n++) {
    world.confirm(first + n, mac('52:54:00:00:01:00') + n);
    world.lan.deleteNeighbor(first + n, world.nowMs);
    world.advance(20);
  }
  deepEqual(
    [0, 1, 64].map((n) => moves(first + n)),
    [false, true, true],
  );
});
