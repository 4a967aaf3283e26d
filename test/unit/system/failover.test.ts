/**
 * Failure and repair by carrier, through the public API: the stores and their order, the NIC of
 * each address, announcements, events.
 */

import { deepEqual, equal, ok } from 'node:assert/strict';
import { test } from 'node:test';
import { GROUP_PORT_BASE } from '../../../src/model/limits.ts';
import { collectKstats } from '../../../src/stats/kstat.ts';
import { MAC_LENGTH, macFormat, macParse, macRead } from '../../../src/wire/addr.ts';
import { columns } from '../ip/harness.ts';
import { Bench, macOf } from './bench.ts';

/** The destination of a general query: all systems. */
const ALL_SYSTEMS = macParse('01:00:5e:00:00:01')!;

test('the first member is nominated, later ones are not; addresses go to the emptiest', () => {
  const bench = Bench.settled(3, 7);
  deepEqual(bench.counts(), [3, 2, 2]);
  equal(bench.publication.cast.get(0), 0);
  deepEqual(bench.publication.active.get(0), [0b111, 0]);
  equal(bench.members(), 'ok: net0 net1 net2');
});

test('link down: mask, nomination and slot first, tables last; each address moves once', () => {
  const bench = Bench.settled(3, 7);
  bench.link('net0', 'down');
  deepEqual(bench.publication.calls, ['active 0 110 0', 'cast 0 1', 'slot 0 1', 'replace']);
  deepEqual(bench.counts(), [0, 4, 3]);
  equal(bench.members(), 'degraded: net1 net2 [net0]');
  const moved = bench.eventLines(/^address-moved/);
  equal(moved.length, 3);
  ok(moved.every((line) => line.includes('net0>net') && line.includes('link-down')));
});

test('the number of stores does not depend on the number of addresses', () => {
  const stores = [1, 100, 2000].map((count) => {
    const bench = Bench.settled(3, count);
    bench.link('net0', 'down');
    return bench.publication.calls.length;
  });
  deepEqual(stores, [4, 4, 4]);
});

test('each moved address is announced from its new NIC, with that MAC, and no other is', () => {
  const bench = Bench.settled(3, 6);
  bench.link('net1', 'down');
  const announced = new Map(bench.arps().map((arp) => [arp.spa, arp]));
  const inbound = new Map(
    bench.system.describeAddresses().map((row) => [row.address.split('/')[0], row.inbound]),
  );
  deepEqual([...announced.keys()].sort(), ['192.0.2.11', '192.0.2.14']);
  for (const [address, { port, tpa, sha, source }] of announced) {
    const mac = macFormat(macOf(Number(port.slice(3))));
    deepEqual([port, tpa, sha, source], [inbound.get(address), address, mac, mac]);
  }
});

test('repair: slot and mask before anything moves; the repaired member gets its share', () => {
  const bench = Bench.settled(3, 7);
  bench.link('net0', 'down');
  bench.settle();
  bench.link('net0', 'up');
  deepEqual(bench.publication.calls, ['slot 0 0', 'active 0 111 0', 'replace']);
  deepEqual(bench.counts(), [2, 2, 3]);
  equal(bench.publication.cast.get(0), 1, 'nomination is not stolen');
  equal(bench.members(), 'ok: net0 net1 net2');
  equal(new Set(bench.arps().map((arp) => arp.spa)).size, 2, 'only the moved are announced');
});

test('every change is one event with its cause', () => {
  const bench = Bench.settled(2, 2);
  bench.link('net0', 'down');
  deepEqual(bench.eventLines(), [
    'interface-link net0 up>down link-down',
    'interface-state net0 ok>failed link-down',
    'interface-active net0 active>inactive link-down',
    'nominated net1 net0>net1 link-down',
    'address-moved net1 net0>net1 link-down 192.0.2.10',
    'group-state ok>degraded members-differ',
  ]);
  bench.settle();
  bench.link('net0', 'up');
  deepEqual(bench.eventLines(), [
    'interface-link net0 down>up link-up',
    'interface-state net0 failed>ok link-up',
    'interface-active net0 inactive>active link-up',
    'address-moved net0 net1>net0 rebalanced 192.0.2.10',
    'group-state degraded>ok members-equal',
  ]);
});

test('all members fail: the group fails and nothing is bound; the first one back takes all', () => {
  const bench = Bench.settled(2, 3);
  bench.link('net0', 'down');
  deepEqual(bench.counts(), [0, 3]);
  bench.link('net1', 'down');
  deepEqual(bench.counts(), [0, 0]);
  equal(bench.members(), 'failed: [net0] [net1]');
  deepEqual(bench.publication.active.get(0), [0, 0]);
  equal(bench.publication.cast.get(0), -1);
  deepEqual([...new Set(bench.publication.placements.values())], [-1]);
  equal(bench.publication.tables.addresses.filter(({ slot }) => slot === -1).length, 3);
  bench.settle();
  bench.link('net1', 'up');
  deepEqual(bench.counts(), [0, 3]);
  equal(bench.members(), 'degraded: net1 [net0]');
  bench.advance(30_000);
  const arps = bench.arps();
  equal(arps.filter((arp) => arp.spa === '0.0.0.0').length, 9, 'detection: three probes each');
  ok(arps.every((arp) => arp.port === 'net1'));
  deepEqual(columns(bench.system.describeAddresses(), 'state'), [['up'], ['up'], ['up']]);
});

test('the kernel is asked for its memberships by each first member and each new nomination', () => {
  const bench = new Bench();
  const queries = () =>
    bench
      .frames()
      .filter(({ port, frame }) => port === GROUP_PORT_BASE && macRead(frame, 0) === ALL_SYSTEMS)
      .map(({ frame }) => macFormat(macRead(frame, MAC_LENGTH)));
  bench.create('net0');
  bench.create('net1');
  bench.createGroup();
  bench.groupDevice();
  bench.join('ipmp0', 'net0');
  bench.join('ipmp0', 'net1');
  deepEqual(queries(), [], 'no member works');
  bench.appear('net0');
  deepEqual(queries(), [macFormat(macOf(0))], 'the first activation');
  bench.appear('net1');
  deepEqual(queries(), [], 'a newcomer takes no nomination');
  bench.link('net0', 'down');
  deepEqual(queries(), [macFormat(macOf(1))], 'another nomination');
  bench.link('net1', 'down');
  deepEqual(queries(), [], 'what the host reports now is dropped');
  bench.link('net0', 'up');
  bench.advance(60_000);
  ok(queries().includes(macFormat(macOf(0))), 'so it is asked when a member works again');
});

test('a group is FAILED until a member is active, and RUNNING from the first to the last', () => {
  const bench = new Bench();
  const flags = () => {
    const rows = bench.run(() =>
      collectKstats(bench.system.kstats, ({ module }) => module === 'ipmp'),
    );
    const shown = bench.system.describeGroups().map((row) => row.flags.join());
    const isUp = rows.map(({ data }) => data.link_up === 1);
    deepEqual(
      isUp,
      shown.map((names) => names === 'RUNNING,IPMP'),
      'link_up of the kstat',
    );
    return shown;
  };
  bench.create('net0');
  bench.create('net1');
  bench.createGroup();
  bench.groupDevice();
  deepEqual(flags(), ['FAILED,IPMP'], 'no member');
  bench.join('ipmp0', 'net0');
  bench.join('ipmp0', 'net1');
  deepEqual(flags(), ['FAILED,IPMP'], 'no member has its device');
  bench.appear('net0');
  deepEqual(flags(), ['RUNNING,IPMP'], 'the first one');
  bench.appear('net1');
  bench.link('net0', 'down');
  deepEqual(flags(), ['RUNNING,IPMP'], 'the last one');
  bench.link('net1', 'down');
  deepEqual(flags(), ['FAILED,IPMP'], 'members, none of which is active');
  bench.link('net0', 'up');
  deepEqual(flags(), ['RUNNING,IPMP'], 'a repair');
});

test('no address is unbound while a member works, whatever fails in whatever order', () => {
  const bench = Bench.settled(4, 20);
  const down = new Set<string>();
  for (let step = 0; step < 200; step++) {
    const name = `net${(step * 7 + (step >> 2)) % 4}`;
    if (down.delete(name)) bench.link(name, 'up');
    else if (down.size < 3) bench.link(name, down.add(name) && 'down');
    const counts = bench.counts();
    const bound = counts.reduce((sum, count) => sum + count, 0);
    equal(bound, 20);
    const live = counts.filter((_, n) => !down.has(`net${n}`));
    ok(Math.max(...live) - Math.min(...live) <= 1, `${counts}`);
    bench.advance(10);
  }
});

test('a link that is down from the start is an ordinary transition', () => {
  const bench = Bench.of(1);
  bench.add('net1');
  bench.drain();
  const info = { present: true, mac: macOf(1), mtu: 1500, link: 'down' as const };
  bench.system.handleDevice('net1', info, bench.nowMs);
  deepEqual(bench.eventLines(), [
    'interface-link net1 unknown>down link-down',
    'interface-state net1 absent>ok device-appeared',
    'interface-state net1 ok>failed link-down',
  ]);
  deepEqual(bench.publication.calls, ['replace'], 'it was never used');
});

test('a device that vanishes is a failure with its own cause, and its return a repair', () => {
  const bench = Bench.settled(2, 4);
  bench.vanish('net0');
  equal(bench.publication.calls[0], 'active 0 10 0');
  deepEqual(bench.counts(), [0, 4]);
  equal(bench.members(), 'degraded: net1 {net0}');
  deepEqual(columns(bench.publication.tables.nics, 'nic'), [[1]]);
  const [row = []] = columns(bench.system.describeInterfaces(), 'state', 'lladdr', 'link', 'cause');
  deepEqual(row, ['absent', null, 'unknown', 'device-vanished']);
  bench.settle();
  bench.appear('net0');
  deepEqual(bench.counts(), [2, 2]);
  equal(bench.members(), 'ok: net0 net1');
});

test('a group whose members are all absent works as soon as one appears', () => {
  const bench = Bench.of(0);
  for (const name of ['net0', 'net1']) bench.add(name);
  bench.addresses('192.0.2.10');
  equal(bench.members(), 'failed: {net0} {net1}');
  deepEqual(bench.bindings(), ['192.0.2.10 -']);
  bench.appear('net1');
  equal(bench.members(), 'degraded: net1 {net0}');
  deepEqual(bench.bindings(), ['192.0.2.10 net1']);
});

test('an unknown link counts as up', () => {
  const bench = Bench.settled(2, 2);
  bench.link('net0', 'unknown');
  equal(bench.members(), 'ok: net0 net1');
  bench.link('net0', 'down');
  equal(bench.members(), 'degraded: net1 [net0]');
  bench.link('net0', 'unknown');
  equal(bench.members(), 'ok: net0 net1');
});

test('a failover does not wait for an operation whose driver hangs', () => {
  const bench = Bench.settled(2, 4);
  bench.delaysMs.set('net1', Number.POSITIVE_INFINITY);
  const leave = bench.begin(() => bench.system.leaveGroup('ipmp0', 'net1'));
  bench.link('net0', 'down');
  deepEqual(bench.counts(), [0, 4]);
  equal(leave.state, 'running');
  equal(bench.members(), 'degraded: net1 [net0]', 'the leaving member carries data: no other can');
  bench.link('net0', 'up');
  deepEqual(bench.counts(), [4, 0]);
  bench.advance(250);
  equal(leave.state, 'done');
  deepEqual(bench.counts(), [4, 0]);
});

test('a member leaves: the others take over before its link is cut', () => {
  const bench = Bench.settled(2, 4);
  bench.leave('ipmp0', 'net0');
  deepEqual(bench.publication.calls, ['active 0 10 0', 'cast 0 1', 'slot 0 1', 'replace']);
  deepEqual(bench.counts(), [0, 4]);
  deepEqual(bench.eventLines().slice(0, 2), [
    'interface-active net0 active>inactive left',
    'nominated net1 net0>net1 left',
  ]);
});

test('failovers are counted by interface and cause', () => {
  const bench = Bench.settled(2, 1);
  bench.flap('net0', 2);
  bench.vanish('net1');
  deepEqual(bench.system.describeFailovers(), [
    { group: 'ipmp0', ifname: 'net0', cause: 'link-down', count: 2 },
    { group: 'ipmp0', ifname: 'net1', cause: 'device-vanished', count: 1 },
  ]);
});

test('[contract 3.13] the MTU of the group is the smallest of its present members', () => {
  const bench = Bench.of(2);
  bench.appear('net1', macOf(1), 1400);
  deepEqual(bench.mtuRequests(), [1400]);
  bench.link('net1', 'down');
  deepEqual(bench.mtuRequests(), [], 'failed members count');
  bench.vanish('net1');
  deepEqual(bench.mtuRequests(), [1500], 'absent ones do not');
});

test('a member with the MAC of an earlier one is offline until that changes', () => {
  const bench = Bench.settled(2, 2);
  bench.add('net2');
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
  const bench = Bench.settled(2, 2);
  bench.appear('net0', macOf(9));
  const announced = columns(bench.arps(), 'port', 'spa', 'sha');
  deepEqual(announced, [['net0', '192.0.2.10', macFormat(macOf(9))]]);
});

test('a nominated NIC that changes its MAC announces the proxy entries too', () => {
  const bench = Bench.of(2);
  bench.system.setNeighbor('ipmp0', { dst: '192.0.2.77', lladdr: macFormat(0x0a), proxy: true });
  bench.settle();
  bench.appear('net1', macOf(8));
  deepEqual(bench.arps(), [], 'it is not nominated');
  bench.appear('net0', macOf(9));
  const announced = columns(bench.arps(), 'port', 'spa', 'sha');
  deepEqual(announced, [['net0', '192.0.2.77', macFormat(macOf(9))]]);
});

test('the last member that leaves carries everything until it is gone', () => {
  const bench = Bench.settled(1, 2);
  bench.delaysMs.set('net0', 100);
  bench.begin(() => bench.system.leaveGroup('ipmp0', 'net0'));
  bench.advance(99);
  deepEqual(bench.bindings(), ['192.0.2.10 net0', '192.0.2.11 net0']);
  bench.advance(1);
  deepEqual(bench.bindings(), ['192.0.2.10 -', '192.0.2.11 -']);
  equal(bench.members(), 'failed: ');
});
