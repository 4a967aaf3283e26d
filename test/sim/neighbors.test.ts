/** Neighbours in virtual time: resolution on both sides, conflicts, moved MACs, one copy. */

import { deepEqual, equal, ok } from 'node:assert/strict';
import { test } from 'node:test';
import { YIELD_MS } from '../../src/ip/neighbor/nce.ts';
import { REDIRECT_KEPT_MS } from '../../src/ip/neighbor/redirect.ts';
import { HOST, perform } from '../../src/sim/act.ts';
import type { Station } from '../../src/sim/lan/station.ts';
import type { Station6 } from '../../src/sim/lan/station6.ts';
import { address, address6, type SimWorld } from '../../src/sim/world.ts';
import { MAC_BROADCAST } from '../../src/wire/addr.ts';
import { ARP_REPLY, ARP_REQUEST, arpFrame, arpIsValid, arpParse } from '../../src/wire/arp.ts';
import { ETHERTYPE_ARP, ethernetSource, ethernetType } from '../../src/wire/ethernet.ts';
import { ipv4Frame, udpDatagram } from '../tools/frames.ts';
import {
  FAMILIES,
  GATEWAY,
  GATEWAY_NAME,
  GATEWAY6,
  GATEWAY6_LOCAL,
  hostNeighbor,
  lostOf,
  moveGateway,
  ping,
  scene as sceneOf,
  TESTED,
} from './scene.ts';

const FIRST = '192.0.2.10';

const scene = () => sceneOf({ seed: 11, nics: TESTED });

/** A request of the gateway for `target`, as if sent from `sender`. */
function request(gateway: Station, sender: string, target: string): void {
  const senderMac = gateway.mac;
  const senderAddress = address(sender);
  const packet = { operation: ARP_REQUEST, senderMac, senderAddress, targetMac: 0 };
  gateway.send(arpFrame(MAC_BROADCAST, senderMac, { ...packet, targetAddress: address(target) }));
}

const neighborOf = (world: SimWorld, text: string) =>
  world.system.describeNeighbors().find((row) => row.dst === text);

for (const { family, gateway: present, absent } of FAMILIES) {
  test(`IPv${family}: the host learns a neighbour's real MAC, and nothing of an absent one`, () => {
    const { world, checkers, gateway } = scene();
    const streams = [ping(world, HOST, present, 100), ping(world, HOST, absent, 100)];
    world.runFor(5000);
    equal(hostNeighbor(world, present)?.mac, gateway.mac);
    equal(neighborOf(world, present)?.lladdr, '02:00:00:00:00:01');
    for (const stream of streams) stream.stop();
    world.runFor(4000);
    equal(hostNeighbor(world, absent)?.state, 'failed');
    equal(streams[0]?.result().lost, 0);
    equal(streams[1]?.result().answered, 0);
    const { station, station6 } = world.host;
    ok((family === 4 ? station.arp : station6.nd).unresolved > 0);
    checkers.finish();
  });
}

test('one reply per request, from the NIC to which the address is bound', () => {
  const { world, checkers, gateway } = scene();
  const replies: number[] = [];
  world.network.taps.push((cable, from, frame) => {
    if (!world.nics.has(cable.name) || from !== 'a') return;
    if (ethernetType(frame, 0) !== ETHERTYPE_ARP || !arpIsValid(frame, 14, frame.length - 14))
      return;
    if (arpParse(frame, 14).operation === ARP_REPLY) replies.push(ethernetSource(frame, 0));
  });
  for (const text of [FIRST, '192.0.2.11', '192.0.2.20', '192.0.2.77']) {
    replies.length = 0;
    request(gateway, GATEWAY, text);
    world.runFor(50);
    const bound = text === '192.0.2.20' ? 'net0' : world.boundNic(text);
    deepEqual(replies, bound === null ? [] : [world.nic(bound).mac], text);
  }
  checkers.finish();
});

test('a test address answers echo requests through its own NIC', () => {
  const { world, checkers, gateway } = scene();
  const stream = gateway.ping(address('192.0.2.20'), 10);
  world.runFor(500);
  equal(lostOf(world, stream), 0);
  equal(gateway.arp.lookUp(address('192.0.2.20'))?.mac, world.nic('net0').mac);
  checkers.finish();
});

for (const { family, gateway } of FAMILIES) {
  test(`IPv${family}: a neighbour that changes its MAC is followed once the old is silent`, () => {
    const { world, checkers } = scene();
    const stream = ping(world, HOST, gateway, 1);
    world.runFor(2000);
    stream.mark('moved');
    moveGateway(world, 0x0200000000aa);
    world.runFor(5000);
    lostOf(world, stream);
    equal(neighborOf(world, gateway)?.lladdr, '02:00:00:00:00:aa');
    equal(hostNeighbor(world, gateway)?.mac, 0x0200000000aa);
    const moved = stream.window('moved');
    const mostMs = YIELD_MS + 4;
    ok(moved !== undefined && moved.longestGapMs <= mostMs, JSON.stringify(moved));
    ok(world.events.some(({ event }) => event === 'neighbor-moved'));
    checkers.finish();
  });
}

test('a neighbour given up in an outage comes back with another MAC: the host follows', () => {
  const { world, checkers, gateway } = scene();
  const stream = world.host.station.ping(address(GATEWAY), 10);
  world.runFor(1000);
  for (const last of [0xaa, 0xab]) {
    gateway.mac = 0x020000000000 + last;
    gateway.announce(address(GATEWAY));
    world.runFor(100);
  }
  for (const name of ['net0', 'net1']) world.cut(name);
  world.runFor(6000);
  equal(neighborOf(world, GATEWAY)?.state, 'FAILED');
  gateway.mac = 0x0200000000ac;
  gateway.arp.clear();
  for (const name of ['net0', 'net1']) world.repair(name);
  const inward = gateway.ping(address(FIRST), 10);
  world.runFor(2000);
  stream.mark('back');
  world.runFor(2000);
  lostOf(world, stream, inward);
  equal(stream.window('back')?.lost, 0);
  const moves = world.events.filter(({ event }) => event === 'neighbor-moved');
  deepEqual(
    moves.map(({ to }) => to),
    ['02:00:00:00:00:aa', '02:00:00:00:00:ac'],
  );
  checkers.finish();
});

test('a host that never learns a new MAC is served as long as it sends, not longer', () => {
  const { world, checkers, gateway } = scene();
  const { station } = world.host;
  const stream = station.ping(address(GATEWAY), 10);
  world.runFor(1000);
  stream.stop();
  const formerMac = gateway.mac;
  gateway.mac = 0x0200000000aa;
  gateway.announce(address(GATEWAY));
  world.runFor(2 * YIELD_MS);
  const frame = ipv4Frame(
    {
      destinationMac: formerMac,
      sourceMac: station.mac,
      source: address(FIRST),
      destination: address(GATEWAY),
    },
    udpDatagram(7, 9, new Uint8Array(4)),
  );
  let received = 0;
  gateway.onDatagram = () => received++;
  const arrives = (): boolean => {
    const before = received;
    station.send(frame);
    world.runFor(50);
    return received > before;
  };
  for (let minute = 0; minute < 5; minute++) {
    ok(arrives(), `minute ${minute}`);
    world.runFor(59_000);
  }
  world.runFor(2 * REDIRECT_KEPT_MS);
  equal(arrives(), false);
  checkers.finish();
});

for (const { family, absent: taken, prefixLength } of FAMILIES) {
  test(`IPv${family}: an address that another station uses is a duplicate and never up`, () => {
    const { world, checkers, gateway } = scene();
    if (family === 4) gateway.addresses.push({ address: address(taken), prefixLength });
    else world.network.station6(GATEWAY_NAME).addAddress(address6(taken), prefixLength, true);
    const text = `${taken}/${prefixLength}`;
    world.host.addAddress(text);
    world.runFor(3000);
    const row = world.system.describeAddresses().find((each) => each.address === text);
    equal(row?.state, 'duplicate');
    ok(
      !world.events.some(({ event, to, detail }) => {
        return event === 'address-state' && to === 'up' && detail?.startsWith(taken);
      }),
    );
    checkers.finish();
  });
}

test('an address in use is defended, at most once in ten seconds, and kept', () => {
  const { world, checkers, gateway } = scene();
  const stream = world.host.station.ping(address(GATEWAY), 10, address(FIRST));
  const attack = world.agenda.nowMs;
  while (world.nowMs < attack + 25_000) {
    request(gateway, FIRST, FIRST);
    world.runFor(100);
  }
  const defences = world.events.filter(({ event }) => event === 'address-defended').length;
  ok(defences >= 1 && defences <= 3, `${defences} defences`);
  equal(world.system.describeAddresses()[0]?.state, 'up');
  equal(world.system.describeGroups()[0]?.state, 'ok');
  ok(stream.result().answered > 0);
  checkers.finish();
});

test('unsolicited claims of strangers create no neighbour', () => {
  const { world, checkers, gateway } = scene();
  const before = world.system.describeNeighbors().length;
  for (let host = 100; host < 200; host++) {
    const claimed = address(`192.0.2.${host}`);
    for (const operation of [ARP_REQUEST, ARP_REPLY]) {
      const packet = { operation, senderMac: gateway.mac, senderAddress: claimed, targetMac: 0 };
      gateway.send(arpFrame(MAC_BROADCAST, gateway.mac, { ...packet, targetAddress: claimed }));
    }
    world.runFor(1);
  }
  world.runFor(1000);
  equal(world.system.describeNeighbors().length, before);
  checkers.finish();
});

test('broadcast and multicast come exactly once, before and after a failover', () => {
  const { world, checkers, gateway } = scene();
  const { station } = world.host;
  let seen: number[] = [];
  station.onDatagram = (header) => seen.push(header.destination);
  const targets = ['192.0.2.255', '255.255.255.255', '224.0.0.251'].map(address);
  const expectOnce = (from: Station, source: string): void => {
    seen = [];
    for (const target of targets) {
      const ends = { source: address(source), destination: target };
      const payload = udpDatagram(5353, 5353, new Uint8Array(4), ends);
      from.sendDatagram(ends.source, target, 17, payload);
    }
    world.runFor(50);
    deepEqual(seen, targets);
  };
  expectOnce(gateway, GATEWAY);
  const nominated = world.system.describeGroups()[0]?.nominated ?? '';
  world.cut(nominated);
  world.runFor(50);
  expectOnce(gateway, GATEWAY);
  world.repair(nominated);
  world.runFor(3000);
  gateway.onDatagram = (header) => seen.push(header.destination);
  expectOnce(station, FIRST);
  checkers.finish();
});

for (const { family } of FAMILIES.filter((row) => row.family === 6)) {
  test(`IPv${family}: multicast comes exactly once, before and after a failover`, () => {
    const { world, checkers } = scene();
    const { station6 } = world.host;
    const gateway = world.network.station6(GATEWAY_NAME);
    const groups = ['ff02::fb', 'ff05::1:3', 'ff02::1'].map(address6);
    const [from, to] = [address6(GATEWAY6_LOCAL), address6('fe80::10')];
    for (const group of groups) for (const each of [gateway, station6]) each.groups.join(group);
    let seen: bigint[] = [];
    const expectOnce = (receiver: Station6, sender: Station6, source: bigint): void => {
      receiver.onDatagram = (header) => seen.push(header.destination);
      seen = [];
      for (const group of groups) sender.sendDatagram(source, group, 253, new Uint8Array(4));
      world.runFor(50);
      receiver.onDatagram = undefined;
      deepEqual(seen, groups);
    };
    world.runFor(2000);
    expectOnce(station6, gateway, from);
    const nominated = world.system.describeGroups()[0]?.nominated ?? '';
    world.cut(nominated);
    world.runFor(50);
    expectOnce(station6, gateway, from);
    world.repair(nominated);
    world.runFor(3000);
    expectOnce(gateway, station6, to);
    checkers.finish();
  });

  test(`IPv${family}: the host keeps its router while its questions are answered`, () => {
    const { world, checkers } = scene();
    const { discovery } = world.host.station6;
    perform(world, { kind: 'advertise', station: GATEWAY_NAME, prefix: null, lifetimeS: 1800 });
    const stream = ping(world, HOST, '2001:db8:ffff::1', 100);
    world.runFor(60_000);
    equal(discovery.router, address6(GATEWAY6_LOCAL));
    equal(discovery.counts.routersLost, 0);
    equal(world.host.station6.nd.unresolved, 0);
    equal(lostOf(world, stream), stream.result().sent, 'the gateway forwards nothing');
    checkers.finish();
  });

  test(`IPv${family}: an advertised prefix gives the host an address that the group serves`, () => {
    const { world, checkers } = scene();
    const prefix = '2001:db8::';
    perform(world, { kind: 'advertise', station: GATEWAY_NAME, prefix, lifetimeS: 1800 });
    world.runFor(3000);
    const text = '2001:db8::ff:fe00:1000';
    ok(world.host.hasAddress(text));
    const row = world.system.describeAddresses().find((each) => each.address === `${text}/64`);
    equal(row?.state, 'up');
    equal(world.host.station6.discovery.counts.routerAdvertisements, 1, 'once, by the nominee');
    const streams = [ping(world, GATEWAY_NAME, text, 10), ping(world, HOST, GATEWAY6, 10, text)];
    world.runFor(500);
    equal(lostOf(world, ...streams), 0);
    checkers.finish();
  });

  test(`IPv${family}: the host asks for a router and is answered`, () => {
    const { world, checkers } = scene();
    world.network.station6(GATEWAY_NAME).discovery.role = { lifetimeS: 1800, prefixes: [] };
    world.host.station6.discovery.solicitRouters();
    world.runFor(100);
    equal(world.host.station6.discovery.router, address6(GATEWAY6_LOCAL));
    checkers.finish();
  });
}
