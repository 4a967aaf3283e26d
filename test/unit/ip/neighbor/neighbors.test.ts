/** What the host learns of its neighbours, and when. */

import { deepEqual, equal, ok, throws } from 'node:assert/strict';
import { test } from 'node:test';
import { REACHABLE_TIME_MS } from '../../../../src/ip/neighbor/nce.ts';
import { Ipif } from '../../../../src/ip/object/ipif.ts';
import { MAC_BROADCAST } from '../../../../src/wire/addr.ts';
import { testFamilies } from '../families.ts';
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
} from '../harness.ts';

testFamilies(
  'an absent neighbour: three questions a second apart, each by another NIC, no answer',
  (f) => {
    const world = f.worldWithData();
    world.addData(f.ip('192.0.2.11'), 1);
    world.addData(f.ip('192.0.2.12'), 2);
    const startMs = world.nowMs;
    world.hostAsks(f.GATEWAY);
    world.advance(10_000);
    deepEqual(
      world.take().map((one) => [one.atMs - startMs, one.port, one.destination]),
      [0, 1, 2].map((nic) => [1000 * nic, `net${nic}`, MAC_BROADCAST]),
    );
    equal(world.stateOf(f.GATEWAY), 'FAILED');
    world.hostAsks(f.GATEWAY);
    equal(world.take('net0').length, 1);
    world.advance(63_000);
    equal(world.stateOf(f.GATEWAY), undefined);
  },
);

testFamilies('questions about one neighbour coalesce; every asker is answered', (f) => {
  const world = f.worldWithData();
  world.addData(f.ip('192.0.2.11'), 1);
  world.hostAsks(f.GATEWAY, f.DATA);
  world.hostAsks(f.GATEWAY, f.ip('192.0.2.11'));
  world.hostAsks(f.GATEWAY, f.DATA);
  equal(world.take().length, 1);
  world.wire(0, reply(GATEWAY_MAC, f.GATEWAY, NET0, f.DATA));
  deepEqual(columns(world.take(), 'port', 'source', 'targetAddress'), [
    ['host', GATEWAY_MAC, f.DATA],
    ['host', GATEWAY_MAC, f.ip('192.0.2.11')],
  ]);
  world.hostAsks(f.GATEWAY, f.ip('192.0.2.11'));
  deepEqual(
    world.take().map((one) => one.targetAddress),
    [f.ip('192.0.2.11')],
  );
});

testFamilies(
  'a confirmed neighbour is answered from memory, at most 15 s; then it is asked again',
  (f) => {
    const world = f.worldWithData();
    world.confirm(f.GATEWAY, GATEWAY_MAC);
    world.advance(REACHABLE_TIME_MS * 0.5 - 1);
    world.hostAsks(f.GATEWAY);
    deepEqual(
      world.take().map((one) => one.port),
      ['host'],
    );
    world.advance(REACHABLE_TIME_MS + 2);
    equal(world.stateOf(f.GATEWAY), 'STALE');
    world.hostAsks(f.GATEWAY, f.DATA, GATEWAY_MAC);
    const [verification, ...rest] = world.take();
    deepEqual(rest, []);
    deepEqual([verification!.port, verification!.destination], ['net0', GATEWAY_MAC]);
    world.wire(0, reply(GATEWAY_MAC, f.GATEWAY, NET0, f.DATA));
    equal(world.take('host').length, 1);
    equal(world.stateOf(f.GATEWAY), 'REACHABLE');
  },
);

testFamilies('the host’s probe of a dead neighbour: one by one, then broadcast, no answer', (f) => {
  const world = f.worldWithData();
  world.confirm(f.GATEWAY, GATEWAY_MAC);
  world.advance(REACHABLE_TIME_MS * 1.5);
  const startMs = world.nowMs;
  for (let i = 0; i < 3; i++) {
    world.hostAsks(f.GATEWAY, f.DATA, GATEWAY_MAC);
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
  equal(world.stateOf(f.GATEWAY), 'FAILED');
});

testFamilies(
  'questions without an answer go by the next NIC, from an address that it serves',
  (f) => {
    const world = f.worldWithData();
    world.addData(f.ip('192.0.2.11'), 1);
    world.hostAsks(f.GATEWAY);
    world.advance(2500);
    deepEqual(columns(world.take(), 'port', 'source', 'senderAddress'), [
      ['net0', NET0, f.DATA],
      ['net1', NET1, f.ip('192.0.2.11')],
      // The third NIC has none, and a broadcast without one is a probe.
      ['net0', NET0, f.DATA],
    ]);
  },
);

testFamilies('an answer to any question of the series counts, however late', (f) => {
  const world = f.worldWithData();
  world.addData(f.ip('192.0.2.11'), 1);
  world.hostAsks(f.GATEWAY);
  world.advance(1100);
  equal(world.take().length, 2);
  world.wire(0, reply(GATEWAY_MAC, f.GATEWAY, NET0, f.DATA));
  equal(world.stateOf(f.GATEWAY), 'REACHABLE');
  equal(world.take('host').length, 1);
});

testFamilies('a static neighbour wins over every claim; the host is answered at once', (f) => {
  const world = f.worldWithData();
  world.lan.addStatic(f.GATEWAY, GATEWAY_MAC, false, world.nowMs);
  world.wire(0, request(OTHER_MAC, f.GATEWAY, f.GATEWAY));
  world.wire(0, reply(OTHER_MAC, f.GATEWAY, NET0, f.DATA));
  equal(world.dropped(f.reason('static_neighbor')), 2);
  world.hostAsks(f.GATEWAY);
  equal(world.take('host')[0]!.senderMac, GATEWAY_MAC);
  throws(() => world.lan.addStatic(f.DATA, OTHER_MAC, false, world.nowMs), { code: 'EINVAL' });
  throws(() => world.lan.addStatic(f.GATEWAY, MAC_BROADCAST, false, world.nowMs), {
    code: 'EINVAL',
  });
  equal(world.lan.deleteNeighbor(f.GATEWAY, world.nowMs), true);
  equal(world.lan.deleteNeighbor(f.GATEWAY, world.nowMs), false);
});

testFamilies('a static entry ends when the address becomes ours', (f) => {
  const world = f.world();
  world.lan.addStatic(f.DATA, OTHER_MAC, false, world.nowMs);
  world.addData(f.DATA, 0);
  deepEqual(world.lan.neighbors(), []);
});

testFamilies(
  'an asker for one of our addresses is added, but not confirmed before it answers',
  (f) => {
    const world = f.worldWithData();
    world.wire(0, request(GATEWAY_MAC, f.GATEWAY, f.DATA));
    equal(world.stateOf(f.GATEWAY), 'STALE');
    world.take();
    world.hostAsks(f.GATEWAY);
    deepEqual(columns(world.take(), 'port', 'destination'), [['net0', GATEWAY_MAC]]);
  },
);

testFamilies('the question leaves by the NIC of the asking address, also after a failover', (f) => {
  const world = f.world();
  const ipif = world.addData(f.DATA, 2);
  world.hostAsks(f.GATEWAY);
  equal(world.take()[0]!.port, 'net2');
  world.move(ipif, 1);
  world.take();
  world.lan.doubtNeighbors(world.nowMs);
  const [again] = world.take();
  deepEqual([again!.port, again!.source], ['net1', NET1]);
  world.wire(1, reply(GATEWAY_MAC, f.GATEWAY, NET1, f.DATA));
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

testFamilies('with no member left a question is refused, not forgotten in a table', (f) => {
  const world = f.worldWithData();
  world.cast = undefined;
  world.hostAsks(f.GATEWAY, f.ip('198.51.100.7'));
  equal(world.dropped('no_active_member'), 1);
  deepEqual(world.lan.neighbors(), []);
});

testFamilies('doubt: a confirmed neighbour is verified before the host gets it again', (f) => {
  const world = f.worldWithData();
  world.confirm(f.GATEWAY, GATEWAY_MAC);
  world.lan.doubtNeighbors(world.nowMs);
  equal(world.stateOf(f.GATEWAY), 'STALE');
  world.hostAsks(f.GATEWAY);
  deepEqual(
    world.take().map((one) => one.port),
    ['net0'],
  );
});

testFamilies('doubt: of thousands some in each turn, those asked for before the others', (f) => {
  const count = 3000;
  const world = f.worldWithData({ neighborLimit: 4096 });
  const addresses = Array.from({ length: count }, (_, at) => f.after(f.ip('10.0.0.1'), at));
  for (const address of addresses) {
    world.wire(0, request(GATEWAY_MAC, address, f.DATA));
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
