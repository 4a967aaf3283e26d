/** Groups in virtual time: failover, repair, standby, damping, devices that come and go. */

import { deepEqual, equal, ok, throws } from 'node:assert/strict';
import { test } from 'node:test';
import { HOST } from '../../src/sim/act.ts';
import { demonstrate } from '../../src/sim/demonstration.ts';
import { readKstat } from '../../src/sim/read-kstat.ts';
import { address, GROUP, type NicSpec, type SimWorld } from '../../src/sim/world.ts';
import { ADDRESSES, FAMILIES, GATEWAY_NAME, lostOf, ping, scene, TWO, twoNics } from './scene.ts';

const groupOf = (world: SimWorld) => world.system.describeGroups()[0]!;

test('the demonstration is right, and the same for the same seed', () => {
  const story = (seed: number): string[] => {
    const lines: string[] = [];
    const isRight = demonstrate((line) => lines.push(line), seed);
    ok(isRight, lines.join('\n'));
    return lines;
  };
  deepEqual(story(1), story(1));
  for (let seed = 2; seed < 10; seed++) story(seed);
});

for (const { family, gateway, data } of FAMILIES) {
  test(`IPv${family}: a cut moves the address in milliseconds; the repair loses nothing`, () => {
    const { world, checkers } = scene();
    const both = [ping(world, HOST, gateway, 1, data[0]), ping(world, GATEWAY_NAME, data[0], 1)];
    world.runFor(500);
    const victim = world.boundNic(data[0])!;
    for (const each of both) each.mark('cut');
    world.cut(victim);
    world.runFor(1000);
    equal(groupOf(world).state, 'degraded');
    deepEqual(groupOf(world).failed, [victim]);
    for (const each of both) each.mark('repair');
    world.repair(victim);
    world.runFor(1000);
    lostOf(world, ...both);
    for (const each of both) {
      const [start, cut, repair] = each.result().windows;
      equal(start?.lost, 0);
      ok(cut !== undefined && cut.longestGapMs <= 5 && cut.lost <= 4, JSON.stringify(cut));
      equal(repair?.lost, 0);
      equal(each.result().duplicates, 0);
    }
    equal(groupOf(world).state, 'ok');
    checkers.finish();
  });
}

test('two losses 20 ms apart: the last NIC serves every address, and gets them announced', () => {
  const nics: NicSpec[] = [...TWO, { name: 'net2', side: 'A' }];
  const addresses = [...ADDRESSES, '192.0.2.12/24'];
  const { world, checkers, gateway } = scene({ nics, addresses });
  const plains = addresses.map((text) => text.replace('/24', ''));
  for (const plain of plains) gateway.ping(address(plain), 5);
  world.runFor(500);
  world.cut('net0');
  world.runFor(20);
  world.cut('net1');
  world.runFor(1500);
  for (const plain of plains) {
    equal(world.boundNic(plain), 'net2');
    equal(gateway.arp.lookUp(address(plain))?.mac, world.nic('net2').mac);
  }
  checkers.finish();
});

for (const { family, data } of FAMILIES) {
  test(`IPv${family}: the last NIC dies and the group fails; the first back carries all`, () => {
    const { world, checkers } = scene();
    world.cut('net0');
    world.cut('net1');
    world.runFor(100);
    equal(groupOf(world).state, 'failed');
    equal(world.boundNic(data[0]), null);
    world.repair('net1');
    world.runFor(2000);
    equal(groupOf(world).state, 'degraded');
    for (const each of data) equal(world.boundNic(each), 'net1');
    const stream = ping(world, GATEWAY_NAME, data[1], 10);
    world.runFor(200);
    equal(lostOf(world, stream), 0);
    checkers.finish();
  });
}

test('[contract 3.9] a standby works only while another NIC does not', () => {
  const nics: NicSpec[] = [...TWO, { name: 'net2', side: 'B', standby: true }];
  const { world, checkers } = scene({ nics });
  deepEqual(groupOf(world).active, ['net0', 'net1']);
  deepEqual(groupOf(world).inactive, ['net2']);
  world.cut('net0');
  world.runFor(50);
  deepEqual([...groupOf(world).active].sort(), ['net1', 'net2']);
  world.repair('net0');
  world.runFor(50);
  deepEqual([...groupOf(world).active].sort(), ['net0', 'net1']);
  deepEqual(groupOf(world).inactive, ['net2']);
  checkers.finish();
});

test('[contract 3.9] without failback a repaired NIC waits until it is needed', () => {
  const { world, checkers } = scene({ settings: { failback: false } });
  world.cut('net0');
  world.runFor(50);
  world.repair('net0');
  world.runFor(50);
  deepEqual(groupOf(world).inactive, ['net0']);
  equal(world.boundNic('192.0.2.10'), 'net1');
  world.cut('net1');
  world.runFor(50);
  deepEqual(groupOf(world).active, ['net0']);
  world.repair('net1');
  world.runFor(50);
  world.operate('failback', () => world.system.setGroup(GROUP, { failback: true }));
  deepEqual([...groupOf(world).active].sort(), ['net0', 'net1']);
  checkers.finish();
});

test('damping: the third link-up within the time waits until the time is over', () => {
  const flapDamping = { ups: 2, withinMs: 60_000 };
  const { world, checkers } = scene({ settings: { flapDamping } });
  const startMs = world.nowMs;
  for (let flaps = 0; flaps < 3; flaps++) {
    world.cut('net0');
    world.runFor(100);
    world.repair('net0');
    world.runFor(100);
  }
  equal(groupOf(world).state, 'degraded');
  const row = world.system.describeInterfaces()[0];
  equal(row?.link, 'up');
  equal(row?.state, 'failed');
  ok(world.runUntil(() => groupOf(world).state === 'ok', 120_000));
  const waitedMs = world.nowMs - startMs;
  ok(waitedMs > 60_000 && waitedMs < 60_700, `${waitedMs} ms`);
  checkers.finish();
});

test('a device that is deleted is absent, the others go on, and it is taken in again', () => {
  const { world, checkers, gateway } = scene();
  const stream = gateway.ping(address('192.0.2.10'), 2);
  world.runFor(100);
  const victim = world.boundNic('192.0.2.10')!;
  const side = victim === 'net0' ? 'A' : 'B';
  stream.mark('gone');
  world.removeDevice(victim);
  world.runFor(1000);
  deepEqual(groupOf(world).absent, [victim]);
  equal(groupOf(world).state, 'degraded');
  world.addDevice(victim, side);
  world.runFor(1000);
  lostOf(world, stream);
  equal(groupOf(world).state, 'ok');
  ok((stream.window('gone')?.longestGapMs ?? 99) <= 10, JSON.stringify(stream.window('gone')));
  checkers.finish();
});

test('addresses are spread evenly, and level again when a NIC comes back', () => {
  const nics: NicSpec[] = [...TWO, { name: 'net2', side: 'A' }];
  const addresses = Array.from({ length: 7 }, (_, i) => `192.0.2.${10 + i}/24`);
  const { world, checkers } = scene({ nics, addresses });
  const spread = (): number[] => {
    const counts = new Map<string, number>();
    for (const text of addresses) {
      const nic = world.boundNic(text.split('/')[0]!) ?? '-';
      counts.set(nic, (counts.get(nic) ?? 0) + 1);
    }
    return [...counts.values()].sort();
  };
  deepEqual(spread(), [2, 2, 3]);
  world.cut('net2');
  world.runFor(100);
  deepEqual(spread(), [3, 4]);
  world.repair('net2');
  world.runFor(100);
  deepEqual(spread(), [2, 2, 3]);
  checkers.finish();
});

test('a member leaves and joins again while frames flow; its addresses never lie idle', () => {
  const { world, checkers } = scene();
  const streams = FAMILIES.flatMap(({ data }) =>
    data.map((text) => ping(world, GATEWAY_NAME, text, 1)),
  );
  world.runFor(200);
  for (let times = 0; times < 5; times++) {
    world.operate('leave', () => world.system.leaveGroup(GROUP, 'net0'));
    world.runFor(1200);
    checkers.sampleKstats();
    world.operate('join', () => world.system.joinGroup(GROUP, 'net0'));
    world.runFor(1200);
    checkers.sampleKstats();
  }
  equal(lostOf(world, ...streams), 0);
  checkers.finish();
});

test('a silent driver delays neither failover nor the leaving of its NIC', () => {
  const { world, checkers } = scene();
  world.drivers.setMood('net0', 'hung');
  checkers.sampleKstats();
  const before = world.nowMs;
  world.operate('leave', () => world.system.leaveGroup(GROUP, 'net0'));
  ok(world.nowMs - before <= 400, `${world.nowMs - before} ms`);
  equal(world.boundNic('192.0.2.10'), 'net1');
  throws(() => world.operate('join', () => world.system.joinGroup(GROUP, 'net0')), {
    code: 'ETIMEDOUT',
  });
  checkers.finish();
});

test('a driver that keeps its caller keeps a thread, and its own kstat stale', () => {
  const { world, checkers } = scene();
  world.drivers.setMood('net0', 'stuck');
  const isStale = (name: string): boolean =>
    world.operate('read', () => readKstat(world.system.kstats, 'link', name)).stale;
  deepEqual([isStale('net0'), isStale('net1')], [true, false]);
  equal(world.drivers.kept, 1);
  const before = world.boundNic('192.0.2.10')!;
  world.cut(before);
  world.runFor(50);
  ok(world.boundNic('192.0.2.10') !== before, 'failover goes on');
  checkers.finish();
});

test('a group with members is not deleted; an empty one is', () => {
  const { world } = scene();
  const remove = () => world.operate('delete', () => world.system.deleteGroup(GROUP));
  throws(remove, { code: 'EBUSY' });
  for (const name of ['net0', 'net1']) {
    world.operate('leave', () => world.system.leaveGroup(GROUP, name));
  }
  remove();
  deepEqual(world.system.describeGroups(), []);
});

test('every event of a failover names its cause, in the order of happening', () => {
  const { world } = scene();
  const from = world.events.length;
  const victim = world.boundNic('192.0.2.10')!;
  world.cut(victim);
  world.runFor(100);
  const events = world.events.slice(from);
  const shown = events.map(({ event, ifname, to }) => `${event} ${ifname ?? '-'} ${to ?? '-'}`);
  deepEqual(shown.slice(0, 2), [
    `interface-link ${victim} down`,
    `interface-state ${victim} failed`,
  ]);
  equal(shown.at(-1), 'group-state - degraded');
  for (const { cause } of events) ok(cause.length > 0);
});

test('addresses of IPv6 are served beside those of IPv4', () => {
  const { world } = scene({ addresses: ['192.0.2.10/24', '2001:db8::10/64'] });
  world.runFor(5_000);
  const rows = world.system.describeAddresses();
  const shown = rows.map((row) => [row.address, row.state, row.inbound]);
  deepEqual(shown, [
    ['192.0.2.10/24', 'up', 'net0'],
    ['2001:db8::10/64', 'up', 'net0'],
  ]);
});

test('while the host changes a prefix length, requests for the address are answered', () => {
  const { world, checkers, gateway } = scene();
  const stream = gateway.ping(address('192.0.2.10'), 1);
  world.runFor(100);
  world.host.deleteAddress('192.0.2.10/24');
  world.host.addAddress('192.0.2.10/25');
  for (let count = 0; count < 100; count++) {
    gateway.arp.clear();
    world.runFor(5);
  }
  equal(lostOf(world, stream), 0);
  ok(world.system.describeAddresses().some((row) => row.address === '192.0.2.10/25'));
  checkers.finish();
});

test('the same seed gives the same transcript, frame by frame', () => {
  const story = (seed: number): string => {
    const world = twoNics({ seed, showsFrames: true });
    world.network.cables.get('net0')!.faults.a.lossPerMille = 100;
    world.runFor(2000);
    world.cut('net0');
    world.runFor(2000);
    return world.transcript.digest;
  };
  equal(story(3), story(3));
  ok(story(3) !== story(4));
});
