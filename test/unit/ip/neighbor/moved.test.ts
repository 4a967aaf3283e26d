/** Neighbours that come back under another MAC after the cache had given them up. */

import { deepEqual, equal } from 'node:assert/strict';
import { FAILED_KEPT_MS } from '../../../../src/ip/neighbor/nce.ts';
import type { IpAddress } from '../../../../src/wire/addr.ts';
import { type FamilyCase, testFamilies } from '../families.ts';
import {
  columns,
  GATEWAY_MAC,
  mac,
  NET0,
  OTHER_MAC,
  reply,
  request,
  type World,
} from '../harness.ts';

const THIRD_MAC = mac('52:54:00:00:00:03');

/** The host has an entry of the gateway, and the gateway is silent. */
function silentGateway(f: FamilyCase): World {
  const world = f.worldWithData();
  world.confirm(f.GATEWAY, GATEWAY_MAC);
  world.advance(20_000);
  world.hostAsks(f.GATEWAY);
  world.advance(10_000);
  equal(world.stateOf(f.GATEWAY), 'FAILED');
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
const RETURNS: Readonly<Record<string, (world: World, f: FamilyCase) => void>> = {
  'it asks, and answers': (world, f) => {
    world.wire(0, request(OTHER_MAC, f.GATEWAY, f.DATA));
    equal(world.stateOf(f.GATEWAY), 'PROBE');
    equal(world.redirects.size, 0, 'not before it has answered');
    world.answer(f.GATEWAY, OTHER_MAC);
  },
  'it answers the host': (world, f) => {
    world.hostAsks(f.GATEWAY);
    world.wire(0, reply(OTHER_MAC, f.GATEWAY, NET0, f.DATA));
    equal(world.stateOf(f.GATEWAY), 'REACHABLE');
  },
  'the operator sets its MAC': (world, f) => {
    world.lan.addStatic(f.GATEWAY, OTHER_MAC, false, world.nowMs);
  },
  'its entry has left the cache': (world, f) => {
    world.advance(FAILED_KEPT_MS);
    equal(world.stateOf(f.GATEWAY), undefined);
    world.wire(0, request(OTHER_MAC, f.GATEWAY, f.DATA));
    world.answer(f.GATEWAY, OTHER_MAC);
  },
  'the operator has removed its entry': (world, f) => {
    world.lan.deleteNeighbor(f.GATEWAY, world.nowMs);
    world.wire(0, request(OTHER_MAC, f.GATEWAY, f.DATA));
    world.answer(f.GATEWAY, OTHER_MAC);
  },
};

for (const [name, comesBack] of Object.entries(RETURNS)) {
  testFamilies(`given up, then back with another MAC: redirected and announced: ${name}`, (f) => {
    const world = silentGateway(f);
    comesBack(world, f);
    expectMoved(world, GATEWAY_MAC, OTHER_MAC);
  });
}

testFamilies('back with the MAC that the host has: nothing happens', (f) => {
  const world = silentGateway(f);
  world.wire(0, request(GATEWAY_MAC, f.GATEWAY, f.DATA));
  world.advance(5000);
  deepEqual(world.take('host'), []);
  equal(world.redirects.size, 0);
  equal(world.lan.counters.neighborMoves, 0);
});

testFamilies('a neighbour without an entry at the host is learnt in silence', (f) => {
  const world = f.worldWithData();
  world.wire(0, request(GATEWAY_MAC, f.GATEWAY, f.DATA));
  world.lan.deleteNeighbor(f.GATEWAY, world.nowMs);
  world.wire(0, request(OTHER_MAC, f.GATEWAY, f.DATA));
  deepEqual(world.take('host'), []);
  equal(world.redirects.size, 0);
});

testFamilies('a redirect outlives giving up, and follows to the next MAC', (f) => {
  const world = f.worldWithData();
  world.confirm(f.GATEWAY, GATEWAY_MAC);
  world.neighborMoves(f.GATEWAY, OTHER_MAC);
  world.advance(20_000);
  world.hostAsks(f.GATEWAY);
  world.advance(10_000);
  equal(world.stateOf(f.GATEWAY), 'FAILED');
  deepEqual([...world.redirects], [[GATEWAY_MAC, OTHER_MAC]]);
  world.wire(0, request(THIRD_MAC, f.GATEWAY, f.DATA));
  world.answer(f.GATEWAY, THIRD_MAC);
  deepEqual(
    [...world.redirects],
    [
      [GATEWAY_MAC, THIRD_MAC],
      [OTHER_MAC, THIRD_MAC],
    ],
  );
});

testFamilies('a MAC that is claimed and does not answer never reaches the host', (f) => {
  const world = silentGateway(f);
  world.wire(0, request(OTHER_MAC, f.GATEWAY, f.DATA));
  world.advance(20_000);
  equal(world.stateOf(f.GATEWAY), 'FAILED');
  deepEqual(world.take('host'), []);
  equal(world.redirects.size, 0);
});

testFamilies('an address that becomes ours is no neighbour of the host any more', (f) => {
  const world = silentGateway(f);
  const ipif = world.addData(f.GATEWAY, 0);
  ipif.unbind();
  world.lan.addressRemoved(ipif);
  world.ipifs.delete(f.GATEWAY);
  world.wire(0, request(OTHER_MAC, f.GATEWAY, f.DATA));
  equal(world.redirects.size, 0);
});

testFamilies('the last MAC given is remembered of as many neighbours as the table holds', (f) => {
  const world = f.worldWithData({ neighborLimit: 64 });
  const moves = (address: IpAddress): boolean => {
    world.wire(0, request(THIRD_MAC, address, f.DATA));
    if (world.stateOf(address) === 'PROBE') world.answer(address, THIRD_MAC);
    const isMoved = world.redirects.size > 0;
    world.lan.deleteNeighbor(address, world.nowMs);
    return isMoved;
  };
  const first = f.ip('192.0.2.100');
  for (let n = 0; n < 65; n++) {
    world.confirm(f.after(first, n), mac('52:54:00:00:01:00') + n);
    world.lan.deleteNeighbor(f.after(first, n), world.nowMs);
    world.advance(20);
  }
  deepEqual(
    [0, 1, 64].map((n) => moves(f.after(first, n))),
    [false, true, true],
  );
});
