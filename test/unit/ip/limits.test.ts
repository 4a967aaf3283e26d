/** T2 and T6: what strangers and scanners can and cannot do to the neighbour cache. */

import { deepEqual, equal, ok } from 'node:assert/strict';
import { test } from 'node:test';
import { TokenBucket } from '../../../src/base/token-bucket.ts';
import { DOUBTS_A_TURN } from '../../../src/ip/neighbor/doubts.ts';
import {
  HOST_PROBE_LIMIT,
  HOST_PROBE_MS,
  HostProbes,
} from '../../../src/ip/neighbor/host-probes.ts';
import {
  CHANGE_LOCK_MS,
  REACHABLE_TIME_MS,
  RETRANS_TIMER_MS,
} from '../../../src/ip/neighbor/nce.ts';
import { ASK_RATE } from '../../../src/ip/neighbor/questions.ts';
import {
  columns,
  DATA,
  GATEWAY,
  GATEWAY_MAC,
  GROUP_MAC,
  ip,
  NET0,
  OTHER_MAC,
  reply,
  request,
  World,
  worldWithData,
} from './harness.ts';

const BASE = ip('10.0.0.1');

test('[contract 8.4] T2: 100,000 unsolicited claims of 256 addresses add nothing', () => {
  const world = worldWithData();
  world.lan.addStatic(GATEWAY, GATEWAY_MAC, false, world.nowMs);
  for (let i = 0; i < 100_000; i++) {
    const sender = OTHER_MAC + (i % 50);
    const address = BASE + (i % 256);
    if (i % 3 === 0) world.wire(0, request(sender, address, address));
    else if (i % 3 === 1) world.wire(0, reply(sender, address, NET0, DATA));
    else world.wire(0, reply(sender, GATEWAY, NET0, DATA));
  }
  deepEqual(columns(world.lan.neighbors(), 'address', 'mac', 'state'), [
    [GATEWAY, GATEWAY_MAC, 'PERMANENT'],
  ]);
  deepEqual(world.take(), []);
  equal(world.redirects.size, 0);
});

test('a reply answers only our own question: asked of that address, to the NIC, from us', () => {
  const world = worldWithData();
  world.hostAsks(GATEWAY);
  world.take();
  world.wire(0, reply(OTHER_MAC, GATEWAY, NET0, ip('192.0.2.99')));
  world.wire(0, reply(OTHER_MAC, GATEWAY, OTHER_MAC, DATA));
  world.wire(0, request(OTHER_MAC, GATEWAY, GATEWAY));
  equal(world.stateOf(GATEWAY), 'INCOMPLETE');
  deepEqual(world.take('host'), []);
  world.wire(0, reply(GATEWAY_MAC, GATEWAY, NET0, DATA));
  equal(world.stateOf(GATEWAY), 'REACHABLE');
});

test('[contract 3.10, 8.4] T6: a scan by the host keeps to the limits; those in use stay', () => {
  const world = worldWithData({ neighborLimit: 256 });
  const used = [GATEWAY, ip('192.0.2.2'), ip('192.0.2.3')];
  for (const address of used) world.confirm(address, GATEWAY_MAC + address);
  world.lan.addStatic(ip('192.0.2.4'), OTHER_MAC, false, world.nowMs);
  world.lan.routes.replace([
    { destination: 0, prefixLength: 0, gateway: GATEWAY, table: 254, metric: 0 },
  ]);
  const startMs = world.nowMs;
  let questions = 0;
  let unanswered = 0;
  for (let i = 0; i < 100_000; i++) {
    world.hostAsks((BASE + i) >>> 0);
    if (i % 14 === 0) world.advance(1);
    if (i % 20_000 === 0) {
      world.hostAsks(GATEWAY, DATA, GATEWAY_MAC + GATEWAY);
    }
    for (const one of world.take('net0')) {
      if (one.targetAddress !== GATEWAY) questions++;
      else world.wire(0, reply(GATEWAY_MAC + GATEWAY, GATEWAY, NET0, DATA));
    }
    const rows = world.lan.neighbors();
    if (rows.length > 256) unanswered++;
    const incomplete = rows.filter((row) => row.state === 'INCOMPLETE').length;
    if (incomplete > 64) unanswered++;
    if (i > 200 && i % 500 !== 0) i += 13;
  }
  equal(unanswered, 0);
  const seconds = (world.nowMs - startMs) / 1000;
  equal(questions <= ASK_RATE * (seconds + 1), true, `${questions} questions in ${seconds} s`);
  equal(world.stateOf(GATEWAY) !== undefined && world.stateOf(GATEWAY) !== 'FAILED', true);
  equal(world.stateOf(ip('192.0.2.4')), 'PERMANENT');
  equal(
    world.dropped('neighbor_rate_limited') + world.dropped('neighbor_incomplete_limit') > 0,
    true,
  );
});

test('T6: entries in use are never pushed out; failed ones are, then claimed, then stale', () => {
  const world = worldWithData({ neighborLimit: 64 });
  for (let i = 0; i < 62; i++) world.lan.addStatic(BASE + i, OTHER_MAC, false, world.nowMs);
  world.wire(0, request(GATEWAY_MAC, GATEWAY, DATA));
  world.confirm(ip('192.0.2.2'), OTHER_MAC);
  equal(world.lan.neighbors().length, 64);
  // a claim pushes out a claim, not the confirmed one
  world.wire(0, request(GATEWAY_MAC, ip('192.0.2.3'), DATA));
  equal(world.stateOf(GATEWAY), undefined);
  equal(world.stateOf(ip('192.0.2.2')), 'REACHABLE');
  // a question of the host pushes out the claim
  world.hostAsks(ip('192.0.2.5'));
  equal(world.stateOf(ip('192.0.2.3')), undefined);
  // nothing is left that may go
  world.hostAsks(ip('192.0.2.6'));
  equal(world.dropped('neighbor_table_full'), 1);
  // once the confirmation is old it may go, but not for a claim
  world.advance(2500);
  world.lan.doubtNeighbors(world.nowMs);
  world.take();
  equal(world.stateOf(ip('192.0.2.2')), 'STALE');
  world.wire(0, request(GATEWAY_MAC, ip('192.0.2.7'), DATA));
  equal(world.stateOf(ip('192.0.2.7')), undefined);
  equal(world.take().length, 1, 'the request is answered all the same');
  world.hostAsks(ip('192.0.2.8'));
  equal(world.stateOf(ip('192.0.2.2')), undefined);
});

test('T6: a gateway is passed over when room is needed', () => {
  const world = worldWithData({ neighborLimit: 64 });
  world.lan.routes.replace([
    { destination: 0, prefixLength: 0, gateway: GATEWAY, table: 100, metric: 0 },
  ]);
  world.wire(0, request(GATEWAY_MAC, GATEWAY, DATA));
  for (let i = 0; i < 5000; i++) world.wire(0, request(OTHER_MAC, (BASE + i) >>> 0, DATA));
  equal(world.lan.neighbors().length, 64);
  equal(world.stateOf(GATEWAY), 'STALE');
});

test('at most 256 are being asked at a time, however large the table', () => {
  const world = new World({ neighborLimit: 65_536 });
  for (let nic = 0; nic < 3; nic++) world.addData(DATA + nic, nic);
  for (let i = 0; i < 3000; i++) {
    world.hostAsks((BASE + i) >>> 0, DATA + (i % 3));
    if (i % 2 === 0) world.advance(1);
  }
  const count = (): number =>
    world.lan.neighbors().filter((row) => row.state === 'INCOMPLETE').length;
  equal(count(), 256);
  equal(world.dropped('neighbor_incomplete_limit') > 0, true);
});

test('[contract 3.10] another limit holds at once; those in use beyond it stay', () => {
  const world = worldWithData({ neighborLimit: 64 });
  world.confirm(GATEWAY, GATEWAY_MAC);
  const claim = (count: number): void => {
    for (let i = 0; i < count; i++) world.wire(0, request(OTHER_MAC, BASE + i, DATA));
  };
  claim(200);
  equal(world.lan.neighbors().length, 64);
  world.lan.setNeighborLimit(128);
  claim(200);
  equal(world.lan.neighbors().length, 128);
  world.lan.setNeighborLimit(64);
  equal(world.lan.neighbors().length, 64);
  equal(world.stateOf(GATEWAY), 'REACHABLE');

  world.lan.setNeighborLimit(100);
  for (let i = 0; i < 99; i++) world.lan.addStatic(BASE + i, OTHER_MAC, false, world.nowMs);
  world.lan.setNeighborLimit(64);
  equal(world.lan.neighbors().length, 100, 'in use');
  world.hostAsks(ip('192.0.2.5'));
  equal(world.dropped('neighbor_table_full'), 1);
  for (let i = 0; i < 50; i++) world.lan.deleteNeighbor(BASE + i, world.nowMs);
  world.hostAsks(ip('192.0.2.5'));
  equal(world.lan.neighbors().length, 51);
});

test('[contract 3.10] those beyond a lowered limit leave when they are no longer in use', () => {
  const world = worldWithData({ neighborLimit: 1024 });
  const count = (): number => world.lan.neighbors().length;
  for (let i = 0; i < 100; i++) world.confirm(BASE + i, GATEWAY_MAC + i);
  world.lan.setNeighborLimit(64);
  equal(count(), 100, 'all answered not long ago');
  world.advance(2 * REACHABLE_TIME_MS);
  equal(count(), 64);

  const strangers = ip('10.0.1.1');
  world.lan.setNeighborLimit(1024);
  for (const from of [GATEWAY_MAC, OTHER_MAC, GATEWAY_MAC]) {
    for (let i = 0; i < 100; i++) world.wire(0, request(from, strangers + i, DATA));
  }
  world.advance(CHANGE_LOCK_MS);
  const asked = world.lan.neighbors().filter(({ state }) => state === 'INCOMPLETE').length;
  ok(asked > 64, `${asked} are asked which station they belong to`);
  world.lan.setNeighborLimit(64);
  equal(count(), asked);
  world.advance(5 * RETRANS_TIMER_MS);
  equal(count(), 64, 'no answer came');
});

test('an entry beyond the limit that leaves while it is looked up is not used', () => {
  const count = DOUBTS_A_TURN + 100;
  const world = worldWithData({ neighborLimit: 2 * count });
  const used = BASE + count - 1;
  for (let i = 0; i < count; i++) {
    world.wire(0, request(GATEWAY_MAC + i, BASE + i, DATA));
    world.confirm(BASE + i, GATEWAY_MAC + i);
    world.advance(1);
  }
  world.lan.setNeighborLimit(64);
  equal(world.lan.neighbors().length, count);
  world.lan.doubtNeighbors(world.nowMs);
  equal(world.lan.neighbors().length, 100, 'these are doubted later, or at their next use');
  world.hostAsks(used);
  equal(world.dropped('neighbor_table_full'), 1);
  equal(world.stateOf(used), undefined);
  world.take();
  world.advance(60_000);
  equal(world.lan.neighbors().length, 64);
  deepEqual(world.take(), [], 'nothing is asked of one that has left');
});

test('askers of one neighbour are bounded', () => {
  const world = worldWithData();
  for (let i = 0; i < 20; i++) world.hostAsks(GATEWAY, ip('198.51.100.1') + i);
  equal(world.dropped('neighbor_waiters_full'), 12);
});

test('the host’s detections are bounded by the same rate', () => {
  const world = new World();
  for (let i = 0; i < 2 * ASK_RATE; i++) world.host(request(GROUP_MAC, 0, (BASE + i) >>> 0));
  equal(world.take('net0').length, ASK_RATE);
  equal(world.dropped('neighbor_rate_limited'), ASK_RATE);
});

test('of many detections of the host the oldest gives way', () => {
  const probes = new HostProbes();
  for (let i = 0; i <= HOST_PROBE_LIMIT; i++) probes.add(BASE + i, GROUP_MAC, 0);
  equal(probes.askerOf(BASE, 1), 0);
  equal(probes.askerOf(BASE + 1, 1), GROUP_MAC);
  equal(probes.askerOf(BASE + HOST_PROBE_LIMIT, HOST_PROBE_MS), GROUP_MAC);
  equal(probes.askerOf(BASE + HOST_PROBE_LIMIT, HOST_PROBE_MS + 1), 0);
});

test('token bucket: the burst at once, then the rate', () => {
  const bucket = new TokenBucket(10, 3);
  const take = (nowMs: number): boolean[] => [0, 1, 2, 3].map(() => bucket.take(nowMs));
  deepEqual(take(0), [true, true, true, false]);
  deepEqual(take(100), [true, false, false, false]);
  equal(bucket.has(199), false);
  equal(bucket.has(200), true);
  deepEqual(take(10_000), [true, true, true, false]);
});
