/**
 * Failure and repair by carrier, through the public API: what is stored and in which order, who
 * carries which address, what is announced, what is told.
 */

import { deepEqual, equal, ok } from 'node:assert/strict';
import { test } from 'node:test';
import { ipv4Format, macFormat } from '../../../src/wire/addr.ts';
import { Bench, groupSpec, interfaceSpec, macOf } from './bench.ts';

/** Long enough for duplicate address detection and all announcements to be over. */
const SETTLED_MS = 30_000;

function addressList(count: number): string[] {
  return Array.from({ length: count }, (_, n) => ipv4Format(0xc6120000 + n + 1));
}

/** Three interfaces, as many addresses as asked for, everything quiet. */
function quietBench(addresses: number, members = 3): Bench {
  const bench = new Bench();
  bench.build(members);
  bench.addresses(...addressList(addresses).map((address) => `${address}/16`));
  bench.advance(SETTLED_MS);
  bench.drain();
  return bench;
}

test('the first member is nominated, later ones are not; addresses go to the emptiest', () => {
  const bench = quietBench(7);
  deepEqual(bench.counts(), [3, 2, 2]);
  equal(bench.publication.cast.get(0), 0);
  deepEqual(bench.publication.active.get(0), [0b111, 0]);
  equal(bench.members(), 'ok: net0 net1 net2');
});

test('link down: mask, nomination and slot first, tables last; each address moves once', () => {
  const bench = quietBench(7);
  bench.link('net0', 'down');
  deepEqual(bench.publication.calls, ['active 0 110 0', 'cast 0 1', 'slot 0 1', 'replace']);
  deepEqual(bench.counts(), [0, 4, 3]);
  equal(bench.members(), 'degraded: net1 net2 [net0]');
  const moved = bench.told().filter((line) => line.startsWith('address-moved'));
  equal(moved.length, 3);
  ok(moved.every((line) => line.includes('net0>net') && line.includes('link-down')));
});

test('the number of stores does not depend on the number of addresses', () => {
  const stores = [1, 100, 2000].map((count) => {
    const bench = quietBench(count);
    bench.link('net0', 'down');
    return bench.publication.calls.length;
  });
  deepEqual(stores, [4, 4, 4]);
});

test('each moved address is announced from its new NIC, with that MAC, and no other is', () => {
  const bench = quietBench(6);
  bench.link('net1', 'down');
  const announced = new Map(bench.arps().map((arp) => [arp.spa, arp]));
  const inbound = new Map(
    bench.system.describeAddresses().map((row) => [row.address.split('/')[0], row.inbound]),
  );
  deepEqual([...announced.keys()].sort(), ['198.18.0.2', '198.18.0.5']);
  for (const [address, arp] of announced) {
    equal(arp.port, inbound.get(address));
    equal(arp.tpa, address);
    const mac = macFormat(macOf(Number(arp.port.slice(3))));
    equal(arp.sha, mac);
    equal(arp.source, mac);
  }
});

test('repair: slot and mask before anything moves; the newcomer takes its share', () => {
  const bench = quietBench(7);
  bench.link('net0', 'down');
  bench.advance(SETTLED_MS);
  bench.drain();
  bench.link('net0', 'up');
  deepEqual(bench.publication.calls, ['slot 0 0', 'active 0 111 0', 'replace']);
  deepEqual(bench.counts(), [2, 2, 3]);
  equal(bench.publication.cast.get(0), 1, 'nomination is not stolen');
  equal(bench.members(), 'ok: net0 net1 net2');
  equal(new Set(bench.arps().map((arp) => arp.spa)).size, 2, 'only the moved are announced');
});

test('every change is one event with its cause', () => {
  const bench = quietBench(2, 2);
  bench.link('net0', 'down');
  deepEqual(bench.told(), [
    'interface-link net0 up>down link-down',
    'interface-state net0 ok>failed link-down',
    'interface-active net0 active>inactive link-down',
    'nominated net1 net0>net1 link-down',
    'address-moved net1 net0>net1 link-down 198.18.0.1',
    'group-state ok>degraded members-differ',
  ]);
  bench.advance(SETTLED_MS);
  bench.drain();
  bench.link('net0', 'up');
  deepEqual(bench.told(), [
    'interface-link net0 down>up link-up',
    'interface-state net0 failed>ok link-up',
    'interface-active net0 inactive>active link-up',
    'address-moved net0 net1>net0 rebalanced 198.18.0.1',
    'group-state degraded>ok members-equal',
  ]);
});

test('all members fail: the group fails and nothing is bound; the first one back takes all', () => {
  const bench = quietBench(3, 2);
  bench.link('net0', 'down');
  deepEqual(bench.counts(), [0, 3]);
  bench.link('net1', 'down');
  deepEqual(bench.counts(), [0, 0]);
  equal(bench.members(), 'failed: [net0] [net1]');
  deepEqual(bench.publication.active.get(0), [0, 0]);
  equal(bench.publication.cast.get(0), -1);
  deepEqual([...new Set(bench.publication.placements.values())], [-1]);
  equal(bench.publication.tables.addresses.filter(({ slot }) => slot === -1).length, 3);
  bench.advance(SETTLED_MS);
  bench.drain();
  bench.link('net1', 'up');
  deepEqual(bench.counts(), [0, 3]);
  equal(bench.members(), 'degraded: net1 [net0]');
  bench.advance(SETTLED_MS);
  const arps = bench.arps();
  equal(arps.filter((arp) => arp.spa === '0.0.0.0').length, 9, 'detection: three probes each');
  ok(arps.every((arp) => arp.port === 'net1'));
  deepEqual(
    bench.system.describeAddresses().map((row) => row.state),
    ['up', 'up', 'up'],
  );
});

test('no address is unbound while a member works, whatever fails in whatever order', () => {
  const bench = quietBench(20, 4);
  const down = new Set<string>();
  for (let step = 0; step < 200; step++) {
    const name = `net${(step * 7 + (step >> 2)) % 4}`;
    if (down.delete(name)) bench.link(name, 'up');
    else if (down.size < 3) bench.link(name, down.add(name) && 'down');
    const counts = bench.counts();
    equal(
      counts.reduce((sum, count) => sum + count, 0),
      20,
    );
    const live = counts.filter((_, n) => !down.has(`net${n}`));
    ok(Math.max(...live) - Math.min(...live) <= 1, `${counts}`);
    bench.advance(10);
  }
});

test('a link that is down from the start is an ordinary transition', () => {
  const bench = new Bench();
  bench.build(1);
  bench.run(() => bench.system.createInterface(interfaceSpec('net1')));
  bench.run(() => bench.system.joinGroup('ipmp0', 'net1'));
  bench.drain();
  const info = { present: true, mac: macOf(1), mtu: 1500, link: 'down' as const };
  bench.system.handleDevice('net1', info, bench.nowMs);
  deepEqual(bench.told(), [
    'interface-link net1 unknown>down link-down',
    'interface-state net1 absent>ok device-appeared',
    'interface-state net1 ok>failed link-down',
  ]);
  deepEqual(bench.publication.calls, ['replace'], 'it was never used');
});

test('a device that goes away is a failure of its own kind, and it comes back by itself', () => {
  const bench = quietBench(4, 2);
  bench.vanish('net0');
  equal(bench.publication.calls[0], 'active 0 10 0');
  deepEqual(bench.counts(), [0, 4]);
  equal(bench.members(), 'degraded: net1 {net0}');
  deepEqual(
    bench.publication.tables.nics.map(({ nic }) => nic),
    [1],
  );
  const [row] = bench.system.describeInterfaces();
  deepEqual([row?.state, row?.lladdr, row?.link], ['absent', null, 'unknown']);
  equal(row?.cause, 'device-vanished');
  bench.advance(SETTLED_MS);
  bench.appear('net0');
  deepEqual(bench.counts(), [2, 2]);
  equal(bench.members(), 'ok: net0 net1');
});

test('a group whose members are all absent works as soon as one appears', () => {
  const bench = new Bench();
  for (const name of ['net0', 'net1']) {
    bench.run(() => bench.system.createInterface(interfaceSpec(name)));
  }
  bench.run(() => bench.system.createGroup(groupSpec({ interfaces: ['net0', 'net1'] })));
  bench.groupDevice();
  bench.addresses('192.0.2.10');
  equal(bench.members(), 'failed: {net0} {net1}');
  deepEqual(bench.bindings(), ['192.0.2.10 -']);
  bench.appear('net1');
  equal(bench.members(), 'degraded: net1 {net0}');
  deepEqual(bench.bindings(), ['192.0.2.10 net1']);
});

test('an unknown link counts as up', () => {
  const bench = quietBench(2, 2);
  bench.link('net0', 'unknown');
  equal(bench.members(), 'ok: net0 net1');
  bench.link('net0', 'down');
  equal(bench.members(), 'degraded: net1 [net0]');
  bench.link('net0', 'unknown');
  equal(bench.members(), 'ok: net0 net1');
});

test('a failover does not wait for an operation whose driver hangs', () => {
  const bench = quietBench(4, 2);
  bench.delaysMs.set('net1', Number.POSITIVE_INFINITY);
  const { scheduler } = bench.system;
  const leave = scheduler.spawn('leave', () => bench.system.leaveGroup('ipmp0', 'net1'));
  scheduler.run();
  bench.link('net0', 'down');
  deepEqual(bench.counts(), [0, 4]);
  equal(leave.state, 'running');
  equal(bench.members(), 'degraded: net1 [net0]', 'the leaver goes on: nobody else can');
  bench.link('net0', 'up');
  deepEqual(bench.counts(), [4, 0]);
  bench.advance(250);
  equal(leave.state, 'done');
  deepEqual(bench.counts(), [4, 0]);
});

test('a member leaves: the others take over before its link is cut', () => {
  const bench = quietBench(4, 2);
  bench.run(() => bench.system.leaveGroup('ipmp0', 'net0'));
  deepEqual(bench.publication.calls, ['active 0 10 0', 'cast 0 1', 'slot 0 1', 'replace']);
  deepEqual(bench.counts(), [0, 4]);
  deepEqual(bench.told().slice(0, 2), [
    'interface-active net0 active>inactive left',
    'nominated net1 net0>net1 left',
  ]);
});

test('failovers are counted by interface and cause', () => {
  const bench = quietBench(1, 2);
  bench.link('net0', 'down');
  bench.link('net0', 'up');
  bench.link('net0', 'down');
  bench.link('net0', 'up');
  bench.vanish('net1');
  deepEqual(bench.system.describeFailovers(), [
    { group: 'ipmp0', ifname: 'net0', cause: 'link-down', count: 2 },
    { group: 'ipmp0', ifname: 'net1', cause: 'device-vanished', count: 1 },
  ]);
});

test('[contract 3.13] the MTU of the group is the smallest of its present members', () => {
  const bench = new Bench();
  bench.build(2);
  const requests = (): unknown[] => {
    const all: unknown[] = [];
    for (let one = bench.system.pollHostRequest(); one; one = bench.system.pollHostRequest()) {
      if (one.kind === 'group-mtu') all.push(one.mtu);
    }
    return all;
  };
  bench.appear('net1', macOf(1), 1400);
  deepEqual(requests(), [1400]);
  bench.link('net1', 'down');
  deepEqual(requests(), [], 'failed members count');
  bench.vanish('net1');
  deepEqual(requests(), [1500], 'absent ones do not');
});

test('a MAC that another member has: the newcomer is offline until it is free', () => {
  const bench = quietBench(2, 2);
  bench.run(() => bench.system.createInterface(interfaceSpec('net2')));
  bench.run(() => bench.system.joinGroup('ipmp0', 'net2'));
  bench.appear('net2', macOf(0));
  equal(bench.members(), 'degraded: net0 net1 <net2>');
  equal(bench.system.describeInterfaces()[2]?.cause, 'duplicate-mac');
  bench.vanish('net0');
  equal(bench.members(), 'degraded: net1 net2 {net0}');
  bench.appear('net0', macOf(0));
  equal(bench.members(), 'degraded: net1 net2 <net0>');
  bench.appear('net0', macOf(7));
  equal(bench.members(), 'ok: net0 net1 net2');
});

test('a NIC that changes its MAC announces what is bound to it', () => {
  const bench = quietBench(2, 2);
  bench.appear('net0', macOf(9));
  deepEqual(
    bench.arps().map((arp) => [arp.port, arp.spa, arp.sha]),
    [['net0', '198.18.0.1', macFormat(macOf(9))]],
  );
});

test('the last member that leaves carries everything until it is gone', () => {
  const bench = quietBench(2, 1);
  bench.delaysMs.set('net0', 100);
  const { scheduler } = bench.system;
  scheduler.spawn('leave', () => bench.system.leaveGroup('ipmp0', 'net0'));
  scheduler.run();
  bench.advance(99);
  deepEqual(bench.bindings(), ['198.18.0.1 net0', '198.18.0.2 net0']);
  bench.advance(1);
  deepEqual(bench.bindings(), ['198.18.0.1 -', '198.18.0.2 -']);
  equal(bench.members(), 'failed: ');
});
