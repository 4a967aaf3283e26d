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
  OTHER_MAC,
  reply,
  request,
  World,
} from '../harness.ts';

const NET0 = mac('02:00:00:00:00:01');
const THIRD_MAC = mac('52:54:00:00:00:03');

/** The host has an entry of the gateway, and the gateway is silent. */
function silentGateway(): World {
  const world = new World();
  world.addData(DATA, 0);
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

test('given up, then back with another MAC: redirected and announced, in either order', () => {
  const asked = silentGateway();
  asked.wire(0, request(OTHER_MAC, GATEWAY, DATA));
  equal(asked.stateOf(GATEWAY), 'PROBE');
  equal(asked.redirects.size, 0, 'not before it has answered');
  asked.answer(GATEWAY, OTHER_MAC);
  expectMoved(asked, GATEWAY_MAC, OTHER_MAC);

  const answered = silentGateway();
  answered.hostAsks(GATEWAY);
  answered.wire(0, reply(OTHER_MAC, GATEWAY, NET0, DATA));
  equal(answered.stateOf(GATEWAY), 'REACHABLE');
  expectMoved(answered, GATEWAY_MAC, OTHER_MAC);

  const pinned = silentGateway();
  pinned.lan.addStatic(GATEWAY, OTHER_MAC, false, pinned.nowMs);
  expectMoved(pinned, GATEWAY_MAC, OTHER_MAC);
});

test('the same when the entry has left the cache meanwhile, or the operator removed it', () => {
  const expired = silentGateway();
  expired.advance(FAILED_KEPT_MS);
  equal(expired.stateOf(GATEWAY), undefined);
  expired.wire(0, request(OTHER_MAC, GATEWAY, DATA));
  expired.answer(GATEWAY, OTHER_MAC);
  expectMoved(expired, GATEWAY_MAC, OTHER_MAC);

  const removed = silentGateway();
  removed.lan.deleteNeighbor(GATEWAY, removed.nowMs);
  removed.wire(0, request(OTHER_MAC, GATEWAY, DATA));
  removed.answer(GATEWAY, OTHER_MAC);
  expectMoved(removed, GATEWAY_MAC, OTHER_MAC);
});

test('back with the MAC that the host has: nothing happens', () => {
  const world = silentGateway();
  world.wire(0, request(GATEWAY_MAC, GATEWAY, DATA));
  world.advance(5000);
  deepEqual(world.take('host'), []);
  equal(world.redirects.size, 0);
  equal(world.lan.counters.neighborMoves, 0);
});

test('a neighbour without an entry at the host is learnt in silence', () => {
  const world = new World();
  world.addData(DATA, 0);
  world.wire(0, request(GATEWAY_MAC, GATEWAY, DATA));
  world.lan.deleteNeighbor(GATEWAY, world.nowMs);
  world.wire(0, request(OTHER_MAC, GATEWAY, DATA));
  deepEqual(world.take('host'), []);
  equal(world.redirects.size, 0);
});

test('a redirect outlives giving up, and follows to the next MAC', () => {
  const world = new World();
  world.addData(DATA, 0);
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
  const world = new World({ neighborLimit: 64 });
  world.addData(DATA, 0);
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
