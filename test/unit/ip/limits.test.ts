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
import { testFamilies } from './families.ts';
import { columns, GATEWAY_MAC, GROUP_MAC, ip, NET0, OTHER_MAC, reply, request } from './harness.ts';

const BASE = ip('10.0.0.1');

testFamilies('[contract 8.4] T2: 100,000 unsolicited claims of 256 addresses add nothing', (f) => {
  const world = f.worldWithData();
  world.lan.addStatic(f.GATEWAY, GATEWAY_MAC, false, world.nowMs);
  for (let i = 0; i < 100_000; i++) {
    const sender = OTHER_MAC + (i % 50);
    const address = f.after(f.ip('10.0.0.1'), i % 256);
    if (i % 3 === 0) world.wire(0, request(sender, address, address));
    else if (i % 3 === 1) world.wire(0, reply(sender, address, NET0, f.DATA));
    else world.wire(0, reply(sender, f.GATEWAY, NET0, f.DATA));
  }
  deepEqual(columns(world.lan.neighbors(), 'address', 'mac', 'state'), [
    [f.GATEWAY, GATEWAY_MAC, 'PERMANENT'],
  ]);
  deepEqual(world.take(), []);
  equal(world.redirects.size, 0);
});

testFamilies(
  'a reply answers only our own question: asked of that address, to the NIC, from us',
  (f) => {
    const world = f.worldWithData();
    world.hostAsks(f.GATEWAY);
    world.take();
    world.wire(0, reply(OTHER_MAC, f.GATEWAY, NET0, f.ip('192.0.2.99')));
    world.wire(0, reply(OTHER_MAC, f.GATEWAY, OTHER_MAC, f.DATA));
    world.wire(0, request(OTHER_MAC, f.GATEWAY, f.GATEWAY));
    equal(world.stateOf(f.GATEWAY), 'INCOMPLETE');
    deepEqual(world.take('host'), []);
    world.wire(0, reply(GATEWAY_MAC, f.GATEWAY, NET0, f.DATA));
    equal(world.stateOf(f.GATEWAY), 'REACHABLE');
  },
);

testFamilies(
  '[contract 3.10, 8.4] T6: a scan by the host keeps to the limits; those in use stay',
  (f) => {
    const world = f.worldWithData({ neighborLimit: 256 });
    const used = [f.GATEWAY, f.ip('192.0.2.2'), f.ip('192.0.2.3')];
    for (const [n, address] of used.entries()) world.confirm(address, GATEWAY_MAC + n);
    world.lan.addStatic(f.ip('192.0.2.4'), OTHER_MAC, false, world.nowMs);
    world.lan.routes.replace([
      { destination: f.NONE, prefixLength: 0, gateway: f.GATEWAY, table: 254, metric: 0 },
    ]);
    const startMs = world.nowMs;
    let questions = 0;
    let unanswered = 0;
    for (let i = 0; i < 100_000; i++) {
      world.hostAsks(f.after(f.ip('10.0.0.1'), i));
      if (i % 14 === 0) world.advance(1);
      if (i % 20_000 === 0) {
        world.hostAsks(f.GATEWAY, f.DATA, GATEWAY_MAC);
      }
      for (const one of world.take('net0')) {
        if (one.targetAddress !== f.GATEWAY) questions++;
        else world.wire(0, reply(GATEWAY_MAC, f.GATEWAY, NET0, f.DATA));
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
    equal(world.stateOf(f.GATEWAY) !== undefined && world.stateOf(f.GATEWAY) !== 'FAILED', true);
    equal(world.stateOf(f.ip('192.0.2.4')), 'PERMANENT');
    equal(
      world.dropped('neighbor_rate_limited') + world.dropped('neighbor_incomplete_limit') > 0,
      true,
    );
  },
);

testFamilies(
  'T6: entries in use are never pushed out; failed ones are, then claimed, then stale',
  (f) => {
    const world = f.worldWithData({ neighborLimit: 64 });
    for (let i = 0; i < 62; i++)
      world.lan.addStatic(f.after(f.ip('10.0.0.1'), i), OTHER_MAC, false, world.nowMs);
    world.wire(0, request(GATEWAY_MAC, f.GATEWAY, f.DATA));
    world.confirm(f.ip('192.0.2.2'), OTHER_MAC);
    equal(world.lan.neighbors().length, 64);
    // a claim pushes out a claim, not the confirmed one
    world.wire(0, request(GATEWAY_MAC, f.ip('192.0.2.3'), f.DATA));
    equal(world.stateOf(f.GATEWAY), undefined);
    equal(world.stateOf(f.ip('192.0.2.2')), 'REACHABLE');
    // a question of the host pushes out the claim
    world.hostAsks(f.ip('192.0.2.5'));
    equal(world.stateOf(f.ip('192.0.2.3')), undefined);
    // nothing is left that may go
    world.hostAsks(f.ip('192.0.2.6'));
    equal(world.dropped('neighbor_table_full'), 1);
    // once the confirmation is old it may go, but not for a claim
    world.advance(2500);
    world.lan.doubtNeighbors(world.nowMs);
    world.take();
    equal(world.stateOf(f.ip('192.0.2.2')), 'STALE');
    world.wire(0, request(GATEWAY_MAC, f.ip('192.0.2.7'), f.DATA));
    equal(world.stateOf(f.ip('192.0.2.7')), undefined);
    equal(world.take().length, 1, 'the request is answered all the same');
    world.hostAsks(f.ip('192.0.2.8'));
    equal(world.stateOf(f.ip('192.0.2.2')), undefined);
  },
);

testFamilies('T6: a gateway is passed over when room is needed', (f) => {
  const world = f.worldWithData({ neighborLimit: 64 });
  world.lan.routes.replace([
    { destination: f.NONE, prefixLength: 0, gateway: f.GATEWAY, table: 100, metric: 0 },
  ]);
  world.wire(0, request(GATEWAY_MAC, f.GATEWAY, f.DATA));
  for (let i = 0; i < 5000; i++)
    world.wire(0, request(OTHER_MAC, f.after(f.ip('10.0.0.1'), i), f.DATA));
  equal(world.lan.neighbors().length, 64);
  equal(world.stateOf(f.GATEWAY), 'STALE');
});

testFamilies('at most 256 are being asked at a time, however large the table', (f) => {
  const world = f.world({ neighborLimit: 65_536 });
  for (let nic = 0; nic < 3; nic++) world.addData(f.after(f.DATA, nic), nic);
  for (let i = 0; i < 3000; i++) {
    world.hostAsks(f.after(f.ip('10.0.0.1'), i), f.after(f.DATA, i % 3));
    if (i % 2 === 0) world.advance(1);
  }
  const count = (): number =>
    world.lan.neighbors().filter((row) => row.state === 'INCOMPLETE').length;
  equal(count(), 256);
  equal(world.dropped('neighbor_incomplete_limit') > 0, true);
});

testFamilies('[contract 3.10] another limit holds at once; those in use beyond it stay', (f) => {
  const world = f.worldWithData({ neighborLimit: 64 });
  world.confirm(f.GATEWAY, GATEWAY_MAC);
  const claim = (count: number): void => {
    for (let i = 0; i < count; i++)
      world.wire(0, request(OTHER_MAC, f.after(f.ip('10.0.0.1'), i), f.DATA));
  };
  claim(200);
  equal(world.lan.neighbors().length, 64);
  world.lan.setNeighborLimit(128);
  claim(200);
  equal(world.lan.neighbors().length, 128);
  world.lan.setNeighborLimit(64);
  equal(world.lan.neighbors().length, 64);
  equal(world.stateOf(f.GATEWAY), 'REACHABLE');

  world.lan.setNeighborLimit(100);
  for (let i = 0; i < 99; i++)
    world.lan.addStatic(f.after(f.ip('10.0.0.1'), i), OTHER_MAC, false, world.nowMs);
  world.lan.setNeighborLimit(64);
  equal(world.lan.neighbors().length, 100, 'in use');
  world.hostAsks(f.ip('192.0.2.5'));
  equal(world.dropped('neighbor_table_full'), 1);
  for (let i = 0; i < 50; i++) world.lan.deleteNeighbor(f.after(f.ip('10.0.0.1'), i), world.nowMs);
  world.hostAsks(f.ip('192.0.2.5'));
  equal(world.lan.neighbors().length, 51);
});

testFamilies(
  '[contract 3.10] those beyond a lowered limit leave when they are no longer in use',
  (f) => {
    const world = f.worldWithData({ neighborLimit: 1024 });
    const count = (): number => world.lan.neighbors().length;
    for (let i = 0; i < 100; i++) world.confirm(f.after(f.ip('10.0.0.1'), i), GATEWAY_MAC + i);
    world.lan.setNeighborLimit(64);
    equal(count(), 100, 'all answered not long ago');
    world.advance(2 * REACHABLE_TIME_MS);
    equal(count(), 64);

    const strangers = f.ip('10.0.1.1');
    world.lan.setNeighborLimit(1024);
    for (const from of [GATEWAY_MAC, OTHER_MAC, GATEWAY_MAC]) {
      for (let i = 0; i < 100; i++) world.wire(0, request(from, f.after(strangers, i), f.DATA));
    }
    world.advance(CHANGE_LOCK_MS);
    const asked = world.lan.neighbors().filter(({ state }) => state === 'INCOMPLETE').length;
    ok(asked > 64, `${asked} are asked which station they belong to`);
    world.lan.setNeighborLimit(64);
    equal(count(), asked);
    world.advance(5 * RETRANS_TIMER_MS);
    equal(count(), 64, 'no answer came');
  },
);

testFamilies('an entry beyond the limit that leaves while it is looked up is not used', (f) => {
  const count = DOUBTS_A_TURN + 100;
  const world = f.worldWithData({ neighborLimit: 2 * count });
  const used = f.after(f.ip('10.0.0.1'), count - 1);
  for (let i = 0; i < count; i++) {
    world.wire(0, request(GATEWAY_MAC + i, f.after(f.ip('10.0.0.1'), i), f.DATA));
    world.confirm(f.after(f.ip('10.0.0.1'), i), GATEWAY_MAC + i);
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

testFamilies('askers of one neighbour are bounded', (f) => {
  const world = f.worldWithData();
  for (let i = 0; i < 20; i++) world.hostAsks(f.GATEWAY, f.after(f.ip('198.51.100.1'), i));
  equal(world.dropped('neighbor_waiters_full'), 12);
});

testFamilies('the host’s detections are bounded by the same rate', (f) => {
  const world = f.world();
  for (let i = 0; i < 2 * ASK_RATE; i++)
    world.host(request(GROUP_MAC, f.NONE, f.after(f.ip('10.0.0.1'), i)));
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
