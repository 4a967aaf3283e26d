/** What the host learns of its neighbours, and when. */

import { deepEqual, equal, ok, throws } from 'node:assert/strict';
import { test } from 'node:test';
import { REACHABLE_TIME_MS } from '../../../../src/ip/neighbor/nce.ts';
import { Ipif } from '../../../../src/ip/object/ipif.ts';
import { MAC_BROADCAST } from '../../../../src/wire/addr.ts';
import {
  columns,
  DATA,
  GATEWAY,
  GATEWAY_MAC,
  ip,
  NET0,
  NET1,
  OTHER_MAC,
  reply,
  request,
  World,
  worldWithData,
} from '../harness.ts';

const SECOND = ip('192.0.2.11');

test('an absent neighbour: three questions a second apart, each by another NIC, no answer', () => {
  const world = worldWithData();
  world.addData(SECOND, 1);
  world.addData(ip('192.0.2.12'), 2);
  const startMs = world.nowMs;
  world.hostAsks(GATEWAY);
  world.advance(10_000);
  deepEqual(
    world.take().map((one) => [one.atMs - startMs, one.port, one.destination]),
    [0, 1, 2].map((nic) => [1000 * nic, `net${nic}`, MAC_BROADCAST]),
  );
  equal(world.stateOf(GATEWAY), 'FAILED');
  world.hostAsks(GATEWAY);
  equal(world.take('net0').length, 1);
  world.advance(63_000);
  equal(world.stateOf(GATEWAY), undefined);
});

test('questions about one neighbour coalesce; every asker is answered', () => {
  const world = worldWithData();
  world.addData(SECOND, 1);
  world.hostAsks(GATEWAY, DATA);
  world.hostAsks(GATEWAY, SECOND);
  world.hostAsks(GATEWAY, DATA);
  equal(world.take().length, 1);
  world.wire(0, reply(GATEWAY_MAC, GATEWAY, NET0, DATA));
  deepEqual(columns(world.take(), 'port', 'source', 'targetAddress'), [
    ['host', GATEWAY_MAC, DATA],
    ['host', GATEWAY_MAC, SECOND],
  ]);
  world.hostAsks(GATEWAY, SECOND);
  deepEqual(
    world.take().map((one) => one.targetAddress),
    [SECOND],
  );
});

test('a confirmed neighbour is answered from memory, at most 15 s; then it is asked again', () => {
  const world = worldWithData();
  world.confirm(GATEWAY, GATEWAY_MAC);
  world.advance(REACHABLE_TIME_MS * 0.5 - 1);
  world.hostAsks(GATEWAY);
  deepEqual(
    world.take().map((one) => one.port),
    ['host'],
  );
  world.advance(REACHABLE_TIME_MS + 2);
  equal(world.stateOf(GATEWAY), 'STALE');
  world.hostAsks(GATEWAY, DATA, GATEWAY_MAC);
  const [verification, ...rest] = world.take();
  deepEqual(rest, []);
  deepEqual([verification!.port, verification!.destination], ['net0', GATEWAY_MAC]);
  world.wire(0, reply(GATEWAY_MAC, GATEWAY, NET0, DATA));
  equal(world.take('host').length, 1);
  equal(world.stateOf(GATEWAY), 'REACHABLE');
});

test('the host’s probe of a dead neighbour: one by one, then broadcast, no answer', () => {
  const world = worldWithData();
  world.confirm(GATEWAY, GATEWAY_MAC);
  world.advance(REACHABLE_TIME_MS * 1.5);
  const startMs = world.nowMs;
  for (let i = 0; i < 3; i++) {
    world.hostAsks(GATEWAY, DATA, GATEWAY_MAC);
    world.advance(1000);
  }
  world.advance(5000);
  deepEqual(
    world.take().map((one) => [one.atMs - startMs, one.port, one.destination]),
    [
      [0, 'net0', GATEWAY_MAC],
      [1000, 'net0', MAC_BROADCAST],
      [2000, 'net0', MAC_BROADCAST],
      [3000, 'net0', MAC_BROADCAST],
    ],
  );
  equal(world.stateOf(GATEWAY), 'FAILED');
});

test('questions without an answer go by the next NIC, from an address that it serves', () => {
  const world = worldWithData();
  world.addData(SECOND, 1);
  world.hostAsks(GATEWAY);
  world.advance(2500);
  deepEqual(columns(world.take(), 'port', 'source', 'senderAddress'), [
    ['net0', NET0, DATA],
    ['net1', NET1, SECOND],
    // The third NIC has none, and a broadcast without one is a probe.
    ['net0', NET0, DATA],
  ]);
});

test('an answer to any question of the series counts, however late', () => {
  const world = worldWithData();
  world.addData(SECOND, 1);
  world.hostAsks(GATEWAY);
  world.advance(1100);
  equal(world.take().length, 2);
  world.wire(0, reply(GATEWAY_MAC, GATEWAY, NET0, DATA));
  equal(world.stateOf(GATEWAY), 'REACHABLE');
  equal(world.take('host').length, 1);
});

test('a static neighbour wins over every claim; the host is answered at once', () => {
  const world = worldWithData();
  world.lan.addStatic(GATEWAY, GATEWAY_MAC, false, world.nowMs);
  world.wire(0, request(OTHER_MAC, GATEWAY, GATEWAY));
  world.wire(0, reply(OTHER_MAC, GATEWAY, NET0, DATA));
  equal(world.dropped('arp_static_neighbor'), 2);
  world.hostAsks(GATEWAY);
  equal(world.take('host')[0]!.senderMac, GATEWAY_MAC);
  throws(() => world.lan.addStatic(DATA, OTHER_MAC, false, world.nowMs), { code: 'EINVAL' });
  throws(() => world.lan.addStatic(GATEWAY, MAC_BROADCAST, false, world.nowMs), { code: 'EINVAL' });
  equal(world.lan.deleteNeighbor(GATEWAY, world.nowMs), true);
  equal(world.lan.deleteNeighbor(GATEWAY, world.nowMs), false);
});

test('a static entry ends when the address becomes ours', () => {
  const world = new World();
  world.lan.addStatic(DATA, OTHER_MAC, false, world.nowMs);
  world.addData(DATA, 0);
  deepEqual(world.lan.neighbors(), []);
});

test('an asker for one of our addresses is added, but not confirmed before it answers', () => {
  const world = worldWithData();
  world.wire(0, request(GATEWAY_MAC, GATEWAY, DATA));
  equal(world.stateOf(GATEWAY), 'STALE');
  world.take();
  world.hostAsks(GATEWAY);
  deepEqual(columns(world.take(), 'port', 'destination'), [['net0', GATEWAY_MAC]]);
});

test('the question leaves by the NIC of the asking address, also after a failover', () => {
  const world = new World();
  const ipif = world.addData(DATA, 2);
  world.hostAsks(GATEWAY);
  equal(world.take()[0]!.port, 'net2');
  world.move(ipif, 1);
  world.take();
  world.lan.doubtNeighbors(world.nowMs);
  const [again] = world.take();
  deepEqual([again!.port, again!.source], ['net1', NET1]);
  world.wire(1, reply(GATEWAY_MAC, GATEWAY, NET1, DATA));
  equal(world.take('host').length, 1);
});

test('an address that is not ours asks by any member, one not yet verified as a probe', () => {
  const world = new World();
  world.hostAsks(GATEWAY, ip('198.51.100.7'));
  const [foreign] = world.take();
  deepEqual([foreign!.port, foreign!.senderAddress], ['net0', ip('198.51.100.7')]);
  const ipif = Ipif.data(DATA, 24);
  world.ipifs.set(DATA, ipif);
  ipif.bind(world.ill(1));
  const neighbor = ip('192.0.2.5');
  world.hostAsks(neighbor);
  const [careful] = world.take();
  deepEqual([careful!.port, careful!.senderAddress], ['net1', 0]);
  world.wire(1, reply(OTHER_MAC, neighbor, NET1, 0));
  deepEqual(
    world.take('host').map((one) => one.targetAddress),
    [DATA],
  );
});

test('with no member left a question is refused, not forgotten in a table', () => {
  const world = worldWithData();
  world.cast = undefined;
  world.hostAsks(GATEWAY, ip('198.51.100.7'));
  equal(world.dropped('no_active_member'), 1);
  deepEqual(world.lan.neighbors(), []);
});

test('doubt: a confirmed neighbour is verified before the host gets it again', () => {
  const world = worldWithData();
  world.confirm(GATEWAY, GATEWAY_MAC);
  world.lan.doubtNeighbors(world.nowMs);
  equal(world.stateOf(GATEWAY), 'STALE');
  world.hostAsks(GATEWAY);
  deepEqual(
    world.take().map((one) => one.port),
    ['net0'],
  );
});

test('doubt: of thousands some in each turn, those asked for before the others', () => {
  const count = 3000;
  const world = worldWithData({ neighborLimit: 4096 });
  const addresses = Array.from({ length: count }, (_, at) => ip('10.0.0.1') + at);
  for (const address of addresses) {
    world.wire(0, request(GATEWAY_MAC, address, DATA));
    world.confirm(address, GATEWAY_MAC);
    world.advance(1);
  }
  const confirmed = (): number =>
    world.lan.neighbors().filter(({ state }) => state === 'REACHABLE').length;
  equal(confirmed(), count);
  world.lan.doubtNeighbors(world.nowMs);
  equal(confirmed(), count - 1000);
  equal(world.lan.pollAt(), world.nowMs);
  const last = addresses.at(-1)!;
  world.take();
  world.hostAsks(last);
  deepEqual(
    columns(world.take(), 'port', 'targetAddress'),
    [['net0', last]],
    'the host gets nothing that is not verified',
  );
  world.lan.handleTime(world.nowMs);
  world.lan.handleTime(world.nowMs);
  world.lan.handleTime(world.nowMs);
  equal(confirmed(), 0);
  ok(world.lan.pollAt() > world.nowMs);
});
