/** Detection, announcements and defence of our own addresses, in time. */

import { deepEqual, equal } from 'node:assert/strict';
import { test } from 'node:test';
import {
  ANNOUNCE_AT_MS,
  DEFEND_INTERVAL_MS,
  REFRESH_MS,
  WATCH_MS,
} from '../../../../src/ip/claim/dad.ts';
import { IFA_F_NODAD } from '../../../../src/model/address-flags.ts';
import { type Ipv4, MAC_BROADCAST } from '../../../../src/wire/addr.ts';
import { ARP_REPLY, ARP_REQUEST } from '../../../../src/wire/arp.ts';
import { testFamilies } from '../families.ts';
import {
  beginDetection,
  DATA,
  GATEWAY_MAC,
  GROUP_MAC,
  ip,
  isAnnouncement,
  mac,
  NET0,
  OTHER_MAC,
  reply,
  request,
  World,
} from '../harness.ts';

testFamilies(
  'detection: 3 probes 150 ms apart, give or take a fifth, after at most 100 ms',
  (f) => {
    const gaps = new Set<number>();
    for (let seed = 1; seed <= 200; seed++) {
      const world = f.world({ seed });
      const startMs = world.nowMs;
      const ipif = beginDetection(world);
      equal(ipif.state, 'tentative');
      world.advance(1000);
      equal(ipif.state, 'up');
      const sent = world.take();
      const probes = sent.filter((one) => one.senderAddress === f.NONE);
      equal(probes.length, 3);
      const times = [...probes, sent[3]!].map((one) => one.atMs);
      const delayMs = times[0]! - startMs;
      equal(delayMs >= 0 && delayMs < 100, true, `delay ${delayMs}`);
      for (let i = 1; i < times.length; i++) {
        const gapMs = times[i]! - times[i - 1]!;
        equal(gapMs >= 120 - 1e-6 && gapMs < 180, true, `gap ${gapMs}`);
        gaps.add(gapMs);
      }
      equal(isAnnouncement(sent[3]!), true);
    }
    equal(gaps.size > 500, true, 'the jitter varies');
  },
);

testFamilies('an address with nodad is up and announced at once, without a probe', (f) => {
  const world = f.world();
  const ipif = beginDetection(world, 0, f.DATA, IFA_F_NODAD);
  equal(ipif.state, 'up');
  world.advance(60_000);
  deepEqual(
    world.take().map((one) => [one.port, isAnnouncement(one)]),
    f.announceAtMs.map(() => ['net0', true]),
  );
  deepEqual(
    world.events.map((event) => event.kind === 'address-state' && [event.to, event.cause]),
    [['up', 'unchecked']],
  );
  world.wire(0, request(OTHER_MAC, f.DATA, f.DATA));
  equal(ipif.state, 'up');
  deepEqual(world.take().map(isAnnouncement), [true], 'it is defended like any other');
});

testFamilies('a duplicate that has nodad by now is used once its holder is silent', (f) => {
  const world = f.world();
  const ipif = beginDetection(world);
  world.advance(150);
  world.wire(0, request(OTHER_MAC, f.DATA, f.DATA));
  equal(ipif.state, 'duplicate');
  ipif.hostFlags |= IFA_F_NODAD;
  world.take();
  world.advance(WATCH_MS - 1);
  equal(ipif.state, 'duplicate', 'its holder is asked still');
  world.advance(WATCH_MS + 1);
  equal(ipif.state, 'up');
  const [asked, announced] = world.take();
  deepEqual([asked?.operation, isAnnouncement(announced!)], [ARP_REQUEST, true]);
  const last = world.events.at(-1);
  equal(last?.kind === 'address-state' && last.cause, 'unchecked');
});

/** A whole detection with the times of RFC 5227. */
function expectSlowDetection(world: World, address: Ipv4): void {
  const startMs = world.nowMs;
  const ipif = beginDetection(world, 0, address);
  world.advance(10_000);
  equal(ipif.state, 'up');
  const times = world.take().map((one) => one.atMs - startMs);
  const [first = 0, second = 0, third = 0, announced = 0] = times;
  equal(first >= 0 && first < 1000, true);
  for (const gapMs of [second - first, third - second]) equal(gapMs >= 1000 && gapMs < 2000, true);
  equal(Math.round(announced - third), 2000);
}

test('detection is slow on a link without reports: RFC 5227 has seconds', () => {
  const world = new World();
  world.ifaces[0]!.link = 'unknown';
  expectSlowDetection(world, DATA);
});

test('detection of a link-local address is slow on every link', () => {
  expectSlowDetection(new World(), ip('169.254.1.1'));
});

test('announcements: seven in four seconds, in both forms, then long silence', () => {
  const world = new World();
  const ipif = beginDetection(world);
  world.advance(60_000);
  const announcements = world.take().filter(isAnnouncement);
  const firstMs = announcements[0]!.atMs;
  deepEqual(
    announcements.map((one) => Math.round(one.atMs - firstMs)),
    ANNOUNCE_AT_MS,
  );
  deepEqual(
    announcements.map((one) => one.operation),
    ANNOUNCE_AT_MS.map((_, at) => (at % 2 === 0 ? ARP_REQUEST : ARP_REPLY)),
  );
  for (const one of announcements) {
    deepEqual([one.port, one.source, one.senderMac], ['net0', NET0, NET0]);
    equal(one.destination, MAC_BROADCAST);
  }
  equal(world.lan.pollAt() >= firstMs + ANNOUNCE_AT_MS.at(-1)! + REFRESH_MS, true);
  deepEqual(
    world.events.map((event) => (event.kind === 'address-state' ? [event.to, event.cause] : [])),
    [['up', 'unopposed']],
  );
  equal(ipif.state, 'up');
});

testFamilies(
  'defence: at most once in 10 s under 1000 conflicts a second, and the address stays',
  (f) => {
    const world = f.world();
    const ipif = world.addData(f.DATA, 1);
    for (let i = 0; i < 25_000; i++) {
      world.wire(
        0,
        i % 2 === 0 ? request(OTHER_MAC, f.DATA, f.DATA) : reply(OTHER_MAC, f.DATA, NET0, f.NONE),
      );
      world.advance(1);
    }
    const defences = world.take();
    equal(defences.length, 3);
    deepEqual(
      defences.map((one) => [one.port, isAnnouncement(one)]),
      defences.map(() => ['net1', true]),
    );
    equal(defences[1]!.atMs - defences[0]!.atMs >= 10_000, true);
    equal(ipif.state, 'up');
    // The first is answered at once, of the others each interval at its end.
    equal(world.dropped(f.reason('conflict')), 24_999);
    equal(world.events.filter((event) => event.kind === 'address-defended').length, 3);
    deepEqual(world.lan.neighbors(), []);
  },
);

testFamilies(
  'after claims within the interval, one more announcement follows when it is over',
  (f) => {
    const world = f.world();
    world.addData(f.DATA, 1);
    const beganMs = world.nowMs;
    for (let n = 0; n < 3; n++) {
      world.wire(0, request(OTHER_MAC, f.DATA, f.DATA));
      world.advance(1000);
    }
    world.advance(100_000);
    deepEqual(
      world.take().map((one) => [one.atMs - beganMs, isAnnouncement(one)]),
      [
        [0, true],
        [DEFEND_INTERVAL_MS, true],
      ],
    );
  },
);

testFamilies('a test address is defended once and given up at the second conflict in 10 s', (f) => {
  const world = f.world();
  const ipif = world.addTest(f.TEST, 1);
  world.wire(0, request(OTHER_MAC, f.TEST, f.TEST));
  equal(world.take('net1').length, 1);
  equal(ipif.state, 'up');
  world.advance(10_000);
  world.wire(0, request(OTHER_MAC, f.TEST, f.TEST));
  equal(ipif.state, 'up');
  world.advance(1);
  world.wire(0, request(OTHER_MAC, f.TEST, f.TEST));
  equal(ipif.state, 'duplicate');
});

testFamilies('a move is announced at once from the new NIC, as often as a new address', (f) => {
  const world = f.world();
  const ipif = world.addData(f.DATA, 0);
  const startMs = world.nowMs;
  world.move(ipif, 1);
  equal(world.sent.length, 1);
  world.advance(20_000);
  deepEqual(
    world.take().map((one) => [one.port, one.atMs - startMs]),
    f.announceAtMs.map((atMs) => ['net1', atMs]),
  );
});

testFamilies('two NICs lost 20 ms apart: both moves are announced at once', (f) => {
  const world = f.world();
  const ipif = world.addData(f.DATA, 0);
  const startMs = world.nowMs;
  world.move(ipif, 1);
  world.advance(20);
  world.move(ipif, 2);
  world.advance(199);
  deepEqual(
    world.take().map((one) => [one.port, one.atMs - startMs]),
    [
      ['net1', 0],
      ['net2', 20],
    ],
  );
});

testFamilies('flapping at 10 Hz: three moves a second are announced, the last one always', (f) => {
  const world = f.world();
  const ipif = world.addData(f.DATA, 0);
  const startMs = world.nowMs;
  for (let i = 1; i <= 600; i++) {
    world.move(ipif, i % 3);
    world.advance(100);
  }
  world.advance(1000);
  const sent = world.take();
  for (let second = 0; second < 60; second++) {
    const from = startMs + second * 1000;
    const count = sent.filter((one) => one.atMs >= from && one.atMs < from + 1000).length;
    equal(count >= 1 && count <= 4, true, `second ${second}: ${count}`);
  }
  equal(sent.length <= 3 * 61, true, `${sent.length} announcements in 60 s`);
  equal(sent.at(-1)!.port, ipif.boundIll!.name);
  world.advance(10_000);
  const last = world.take().map((one) => one.port);
  equal(last.length > (f.family === 4 ? 2 : 0), true, 'the series goes on');
  deepEqual([...new Set(last)], [ipif.boundIll!.name]);
});

testFamilies('unbound: silence; bound again: announced without a new detection', (f) => {
  const world = f.world();
  const ipif = beginDetection(world);
  world.advance(1000);
  world.take();
  world.unbind(ipif);
  world.advance(30_000);
  deepEqual(world.take(), []);
  equal(ipif.state, 'up');
  world.bind(ipif, 2);
  deepEqual(
    world.take().map((one) => [one.port, isAnnouncement(one)]),
    [['net2', true]],
  );
});

testFamilies('unbound while probing: the detection begins anew on the next NIC', (f) => {
  const world = f.world();
  const ipif = beginDetection(world);
  world.advance(150);
  world.unbind(ipif);
  world.take();
  world.advance(5000);
  deepEqual(world.take(), []);
  world.bind(ipif, 1);
  world.advance(1000);
  const sent = world.take();
  deepEqual(
    sent.slice(0, 4).map((one) => [one.port, one.senderAddress === f.NONE]),
    [
      ['net1', true],
      ['net1', true],
      ['net1', true],
      ['net1', false],
    ],
  );
});

testFamilies(
  'a settled address is announced now and then, from the NIC that it is bound to',
  (f) => {
    const world = f.world();
    const ipif = world.addData(f.DATA, 0);
    world.advance(REFRESH_MS * 1.2);
    world.move(ipif, 1);
    world.advance(9000);
    world.advance(REFRESH_MS * 1.2);
    world.unbind(ipif);
    world.advance(REFRESH_MS * 10);
    deepEqual(
      world.take().map((one) => [one.port, isAnnouncement(one)]),
      ['net0', ...Array<string>(f.announceAtMs.length + 1).fill('net1')].map((port) => [
        port,
        true,
      ]),
    );
    equal(world.lan.pollAt(), Number.POSITIVE_INFINITY);
  },
);

testFamilies('the settled addresses of one NIC are announced 100 times an hour at most', (f) => {
  const world = f.world();
  for (let n = 0; n < 50; n++) world.addData(f.after(f.DATA, n), 0);
  world.advance(REFRESH_MS * 12);
  world.take();
  world.advance(3_600_000);
  const hour = world.take();
  equal(hour.length > 75 && hour.length <= 100, true, `${hour.length} announcements`);
  for (let i = 1; i < hour.length; i++) equal(hour[i]!.atMs > hour[i - 1]!.atMs, true);
  world.advance(3_600_000);
  const twoHours = [...hour, ...world.take()];
  equal(new Set(twoHours.map((one) => one.senderAddress)).size, 50, 'nobody is forgotten');
});

testFamilies('a removed address is never announced again', (f) => {
  const world = f.world();
  const ipif = beginDetection(world);
  world.advance(50);
  world.lan.addressRemoved(ipif);
  world.ipifs.delete(f.DATA);
  world.take();
  world.advance(REFRESH_MS);
  deepEqual(world.take(), []);
  equal(world.lan.pollAt(), Number.POSITIVE_INFINITY);
});

testFamilies('the group’s MAC never leaves, whatever is sent', (f) => {
  const world = f.world();
  beginDetection(world);
  world.hostAsks(mac('00:00:00:00:00:00') + 0xc0000201);
  world.host(request(GROUP_MAC, f.NONE, 0xc0000205));
  world.host(request(GROUP_MAC, f.DATA, f.DATA));
  world.wire(0, request(GATEWAY_MAC, 0xc0000201, f.DATA));
  world.advance(20_000);
  for (const one of world.take()) {
    if (one.port === 'host') continue;
    equal(one.source === GROUP_MAC || one.senderMac === GROUP_MAC, false);
    equal(one.source, one.senderMac);
  }
});
