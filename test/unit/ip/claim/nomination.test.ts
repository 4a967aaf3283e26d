/** The announcements of a newly nominated NIC, and the notices to neighbours. */

import { deepEqual, equal, ok } from 'node:assert/strict';
import { test } from 'node:test';
import { BROADCASTS_A_MS } from '../../../../src/ip/claim/pace.ts';
import { NOTICE_NEIGHBORS, NOTICES_MAX } from '../../../../src/ip/neighbor/notices.ts';
import { MAC_BROADCAST } from '../../../../src/wire/addr.ts';
import { ARP_REPLY, ARP_REQUEST } from '../../../../src/wire/arp.ts';
import { testFamilies } from '../families.ts';
import {
  DATA,
  GATEWAY,
  GATEWAY_MAC,
  GROUP_MAC,
  NET1,
  OTHER_MAC,
  request,
  type Sent,
  World,
} from '../harness.ts';

/** The questions to one MAC. */
function notices(sent: readonly Sent[]): Sent[] {
  return sent.filter((one) => one.port !== 'host' && one.destination !== MAC_BROADCAST);
}

testFamilies(
  'a proxy entry is announced when it is new, and by each NIC that is nominated',
  (f) => {
    const world = f.world();
    world.lan.addStatic(f.ip('192.0.2.77'), NET1, false, world.nowMs);
    for (const [nic, name] of ['net0', 'net2'].entries()) {
      if (nic > 0) {
        world.cast = world.ill(2);
        world.lan.handleNominated(world.nowMs);
      }
      const beganMs = world.nowMs;
      world.advance(60_000);
      const sent = world.take(name);
      deepEqual(
        sent.map((one) => Math.round(one.atMs - beganMs)),
        f.announceAtMs,
      );
      for (const [at, one] of sent.entries()) {
        const isRequest = f.family === 4 && at % 2 === 0;
        equal(one.operation, isRequest ? ARP_REQUEST : ARP_REPLY);
        deepEqual([one.senderAddress, one.targetAddress], [f.ip('192.0.2.77'), f.ip('192.0.2.77')]);
        equal(one.source, one.senderMac);
        equal(one.destination, MAC_BROADCAST);
      }
    }
  },
);

testFamilies(
  'many new proxy entries are announced in one series, at a pace, without a query',
  (f) => {
    const world = f.world();
    const COUNT = 90;
    for (let n = 0; n < COUNT; n++)
      world.lan.addStatic(f.after(f.ip('192.0.2.77'), n), NET1, false, world.nowMs);
    world.advance(60_000);
    const sent = world.take();
    equal(sent.length, COUNT * f.announceAtMs.length);
    equal(world.lan.counters.membershipQueries, 0);
    const aMs = new Map<number, number>();
    for (const { atMs } of sent) aMs.set(atMs, (aMs.get(atMs) ?? 0) + 1);
    ok(Math.max(...aMs.values()) <= BROADCASTS_A_MS);
  },
);

testFamilies('a late timer sends no burst of missed announcements', (f) => {
  const world = f.world();
  const data = world.addData(f.DATA, 0);
  world.lan.addStatic(f.ip('192.0.2.77'), NET1, false, world.nowMs);
  world.move(data, 1);
  world.take();
  for (let late = 0; late < 2; late++) {
    world.nowMs += 5000;
    world.lan.handleTime(world.nowMs);
    world.lan.handleTime(world.nowMs);
    equal(world.take().length, 2, 'one of each series');
  }
});

testFamilies('with no NIC nominated nothing is announced', (f) => {
  const world = f.world();
  world.lan.addStatic(f.ip('192.0.2.77'), NET1, false, world.nowMs);
  world.advance(10_000);
  world.take();
  world.cast = undefined;
  world.lan.handleNominated(world.nowMs);
  world.advance(10_000);
  deepEqual(world.take(), []);
});

testFamilies(
  'notices of a move go to neighbours, gateways first, and again a second later',
  (f) => {
    const world = f.world();
    const data = world.addData(f.DATA, 0);
    const gateway = f.ip('192.0.2.3');
    for (const [n, address] of [f.GATEWAY, f.ip('192.0.2.2'), gateway].entries()) {
      world.advance(10);
      world.confirm(address, GATEWAY_MAC + n);
    }
    world.lan.routes.replace([
      { destination: f.NONE, prefixLength: 0, gateway, table: 254, metric: 0 },
    ]);
    world.take();
    const beganMs = world.nowMs;
    world.move(data, 1);
    world.advance(9000);
    const told = notices(world.take());
    deepEqual(
      told.map((one) => [Math.round(one.atMs - beganMs), one.destination, one.targetAddress]),
      [1, f.family === 4 ? 1201 : 1001].flatMap((atMs) => [
        [atMs, GATEWAY_MAC + 2, gateway],
        [atMs, GATEWAY_MAC + 1, f.ip('192.0.2.2')],
        [atMs, GATEWAY_MAC, f.GATEWAY],
      ]),
    );
    for (const one of told) {
      deepEqual([one.port, one.source, one.senderMac], ['net1', NET1, NET1]);
      deepEqual([one.operation, one.senderAddress], [ARP_REQUEST, f.DATA]);
    }
  },
);

test('the host’s own announcement does not keep neighbours from their second notice', () => {
  const world = new World();
  const data = world.addData(DATA, 0);
  world.confirm(GATEWAY, GATEWAY_MAC);
  world.move(data, 1);
  world.advance(1100);
  equal(notices(world.take()).length, 1);
  world.host(request(GROUP_MAC, DATA, DATA));
  world.advance(9000);
  equal(notices(world.take()).length, 1);
});

testFamilies('notices: to no other subnet, to a bounded number of many, at a pace', (f) => {
  const world = f.world();
  const first = f.ip('192.0.2.100');
  for (let n = 0; n < 100; n++) world.confirm(f.after(first, n), OTHER_MAC + n);
  world.confirm(f.ip('198.51.100.1'), GATEWAY_MAC);
  const addresses = Array.from({ length: 40 }, (_, n) => world.addData(f.after(f.DATA, n), 0));
  world.take();
  for (const one of addresses) world.move(one, 1);
  world.advance(100);
  const told = notices(world.take());
  equal(told.length, NOTICES_MAX);
  ok(told.every((one) => one.destination !== GATEWAY_MAC));
  equal(new Set(told.map((one) => one.targetAddress)).size, NOTICE_NEIGHBORS);
  const aMs = new Map<number, number>();
  for (const { atMs } of told) aMs.set(atMs, (aMs.get(atMs) ?? 0) + 1);
  ok(Math.max(...aMs.values()) <= BROADCASTS_A_MS);
});

testFamilies('an address that is lost again before its notices are sent causes none', (f) => {
  const world = f.world();
  const data = world.addData(f.DATA, 0);
  world.confirm(f.GATEWAY, GATEWAY_MAC);
  world.take();
  world.move(data, 1);
  data.unbind();
  world.lan.addressUnbound(data);
  world.advance(5000);
  deepEqual(notices(world.take()), []);
});
