/** IPv6 stations against each other, without the system: discovery, duplicates, moves, routers. */

import { deepEqual, equal, ok } from 'node:assert/strict';
import { test } from 'node:test';
import { Rng } from '../../src/base/rng.ts';
import { Agenda } from '../../src/sim/agenda.ts';
import { Network, type Side } from '../../src/sim/lan/network.ts';
import type { Station6 } from '../../src/sim/lan/station6.ts';
import { address6 } from '../../src/sim/world.ts';
import { frameDescribe } from '../../src/wire/describe/describe.ts';
import { GATEWAY6, GATEWAY6_LOCAL } from './scene.ts';

const PEER = address6('2001:db8::2');
const GATEWAY = address6(GATEWAY6);
const GATEWAY_LOCAL = address6(GATEWAY6_LOCAL);
const NEW_MAC = 0x0200000000aa;
/** Type of a neighbour solicitation, at the place that it has in a frame without options. */
const SOLICITATION = 135;

/** Router behind A, host behind B; `run` lets time pass, `entry` is what the host knows of it. */
function twoStations() {
  const agenda = new Agenda();
  const network = new Network(agenda, new Rng(1));
  const station = (name: string, side: Side, last: number, texts: string[]): Station6 => {
    const addresses6 = texts.map((text) => ({ address: address6(text), prefixLength: 64 }));
    network.addStation({ name, mac: 0x020000000000 + last, side, addresses: [], addresses6 });
    return network.station6(name);
  };
  const gateway = station('gw', 'A', 1, [GATEWAY6_LOCAL, GATEWAY6]);
  const peer = station('peer', 'B', 2, ['fe80::2', '2001:db8::2']);
  const run = (durationMs: number): void => agenda.advance(agenda.nowMs + durationMs);
  const entry = () => peer.nd.lookUp(GATEWAY);
  const stateOf = (address: bigint) => peer.addresses.find(address)?.state;
  run(1100);
  return { network, gateway, peer, run, entry, stateOf };
}

test('stations find each other by solicitation and answer echo both ways', () => {
  const { network, gateway, peer, run, entry } = twoStations();
  const streams = [peer.ping(GATEWAY, 10), gateway.ping(PEER, 10), peer.ping(GATEWAY_LOCAL, 10)];
  run(1000);
  for (const stream of streams) stream.stop();
  run(10);
  for (const stream of streams) {
    const { sent, answered, duplicates } = stream.result();
    deepEqual([sent, answered, duplicates], [101, 101, 0]);
  }
  deepEqual(entry(), { state: 'reachable', mac: gateway.mac });
  equal(gateway.nd.lookUp(PEER)?.mac, peer.mac);
  equal(network.switches.A.whereIs(peer.mac), network.link);
});

test('an absent station fails after three questions, and is found when it comes', () => {
  const { network, gateway, peer, run, entry } = twoStations();
  network.cables.get('gw')?.cut();
  const stream = peer.ping(GATEWAY, 500);
  run(2900);
  equal(entry()?.state, 'incomplete');
  stream.stop();
  run(200);
  network.cables.get('gw')?.repair();
  gateway.announce(GATEWAY);
  run(10);
  equal(entry()?.state, 'failed', 'an announcement makes no entry');
  ok(peer.nd.unresolved > 0);
  const later = peer.ping(GATEWAY, 500);
  run(10);
  equal(entry()?.state, 'reachable');
  equal(later.result().lost, 0);
});

test('an entry ages after 30 s and is confirmed by a question to that station alone', () => {
  const { gateway, peer, run, entry } = twoStations();
  const first = peer.ping(GATEWAY, 1000);
  run(100);
  first.stop();
  run(40_000);
  equal(entry()?.state, 'stale');
  const second = peer.ping(GATEWAY, 1000);
  run(10);
  equal(entry()?.state, 'delay');
  run(5000);
  equal(entry()?.state, 'reachable');
  equal(gateway.discovery.counts.probes, 1);
  equal(second.result().lost, 0);
});

test('a datagram without a way or without a usable source is counted', () => {
  const { peer, run } = twoStations();
  const stream = peer.ping(address6('2001:db8:1::1'), 1000);
  run(100);
  stream.stop();
  equal(peer.counts.undeliverable, 1);
  peer.addAddress(address6('2001:db8::9'), 64);
  const tentative = peer.ping(GATEWAY, 1000, address6('2001:db8::9'));
  run(100);
  tentative.stop();
  equal(peer.counts.undeliverable, 2);
});

/** RFC 4861 7.2.5: what an advertisement changes, by its flags and by the state it meets. */
for (const [what, flags, mac, before, after] of [
  ['override, unsolicited, another MAC', [false, true], NEW_MAC, 'reachable', 'stale NEW'],
  ['override, solicited, another MAC', [true, true], NEW_MAC, 'reachable', 'reachable NEW'],
  ['override, unsolicited, the same MAC', [false, true], 1, 'reachable', 'reachable OLD'],
  ['no override, another MAC', [false, false], NEW_MAC, 'reachable', 'stale OLD'],
  ['no override, solicited, another MAC', [true, false], NEW_MAC, 'stale', 'stale OLD'],
  ['no override, solicited, the same MAC', [true, false], 1, 'stale', 'reachable OLD'],
  ['solicited, no option', [true, true], undefined, 'stale', 'reachable OLD'],
  ['unsolicited, no option', [false, true], undefined, 'stale', 'stale OLD'],
] as const) {
  test(`an advertisement (${what}) makes an entry that is ${before} ${after}`, () => {
    const { gateway, peer, run, entry } = twoStations();
    const stream = peer.ping(GATEWAY, 10_000);
    run(100);
    stream.stop();
    if (before === 'stale') run(35_000);
    equal(entry()?.state, before);
    const [isSolicited, isOverride] = flags;
    peer.nd.learnAdvertised({
      target: GATEWAY,
      targetMac: mac === 1 ? gateway.mac : mac,
      isSolicited,
      isOverride,
    });
    equal(`${entry()?.state} ${entry()?.mac === NEW_MAC ? 'NEW' : 'OLD'}`, after);
  });
}

test('a station with a new MAC is followed at its announcement', () => {
  const { gateway, peer, run, entry } = twoStations();
  const stream = peer.ping(GATEWAY, 10);
  run(100);
  gateway.mac = NEW_MAC;
  gateway.announce(GATEWAY);
  run(1);
  stream.mark('moved');
  run(500);
  equal(entry()?.mac, NEW_MAC);
  equal(peer.discovery.counts.announcements, 1);
  equal(stream.window('moved')?.lost, 0);
});

test('an address that another station has is a duplicate and is never used', () => {
  const { gateway, peer, run, stateOf } = twoStations();
  const states: (string | undefined)[] = [];
  peer.onAddresses = () => states.push(stateOf(GATEWAY));
  peer.addAddress(GATEWAY, 64);
  run(2000);
  deepEqual(states, ['tentative', 'duplicate']);
  equal(gateway.discovery.counts.conflicts, 0);
  peer.onAddresses = undefined;
  peer.addresses.delete(GATEWAY);
  peer.addAddress(address6('2001:db8::3'), 64);
  run(999);
  equal(stateOf(address6('2001:db8::3')), 'tentative');
  run(2);
  equal(stateOf(address6('2001:db8::3')), 'preferred');
});

test('two stations that ask for one address at the same time both give it up', () => {
  const { gateway, peer, run } = twoStations();
  const wanted = address6('2001:db8::77');
  for (const station of [gateway, peer]) station.addAddress(wanted, 64);
  run(2000);
  for (const station of [gateway, peer]) equal(station.addresses.find(wanted)?.state, 'duplicate');
});

test('an own question that comes back is no conflict', () => {
  const { network, peer, run, stateOf } = twoStations();
  const wanted = address6('2001:db8::78');
  let questions = 0;
  network.taps.push((cable, from, frame) => {
    if (cable.name !== 'peer' || from !== 'a' || frame[54] !== SOLICITATION) return;
    questions++;
    peer.handleFrame(frame);
  });
  peer.addAddress(wanted, 64);
  run(2000);
  equal(questions, 1);
  equal(stateOf(wanted), 'preferred');
});

test('an address in use is kept against a false claim, which is counted', () => {
  const { gateway, peer, run, stateOf } = twoStations();
  gateway.announce(PEER);
  run(10);
  equal(stateOf(PEER), 'preferred');
  equal(peer.discovery.counts.conflicts, 1);
});

test('a host asks for routers, takes a prefix and a default route, and gives the route up', () => {
  const { gateway, peer, run } = twoStations();
  const prefix = address6('2001:db8:5::');
  const fixed = { prefixLength: 64, isOnLink: true, isAutonomous: true, validS: 3600 };
  gateway.discovery.role = { lifetimeS: 1800, prefixes: [{ prefix, ...fixed }] };
  peer.discovery.solicitRouters();
  run(1500);
  equal(peer.discovery.router, GATEWAY_LOCAL);
  const own = peer.addresses.find(address6('2001:db8:5::ff:fe00:2'));
  equal(own?.state, 'preferred');
  equal(peer.discovery.counts.routerAdvertisements, 1);
  gateway.discovery.advertiseRouter();
  run(1);
  equal(peer.addresses.list.filter(({ isAutomatic }) => isAutomatic).length, 1);
  gateway.discovery.role.lifetimeS = 0;
  gateway.discovery.advertiseRouter();
  run(1);
  equal(peer.discovery.router, undefined);
});

test('a router that advertises itself without the router flag is given up', () => {
  const { gateway, peer, run } = twoStations();
  gateway.discovery.role = { lifetimeS: 1800, prefixes: [] };
  peer.discovery.solicitRouters();
  run(10);
  equal(peer.discovery.router, GATEWAY_LOCAL);
  gateway.discovery.announce(GATEWAY_LOCAL, { isRouter: false });
  run(10);
  equal(peer.discovery.router, undefined);
  equal(peer.discovery.counts.routersLost, 1);
});

test('a multicast datagram comes to the members of its group, and a query brings reports', () => {
  const { network, gateway, peer, run } = twoStations();
  const group = address6('ff02::123');
  let [received, reports] = [0, 0];
  peer.onDatagram = () => received++;
  network.taps.push((cable, from, frame) => {
    if (cable.name === 'peer' && from === 'a' && frame[20] === 0) reports++;
  });
  const send = (): void => {
    gateway.sendDatagram(GATEWAY_LOCAL, group, 17, new Uint8Array(8));
    run(10);
  };
  send();
  equal(received, 0);
  peer.groups.join(group);
  run(2000);
  equal(reports, 2);
  send();
  equal(received, 1);
  const query = new Uint8Array(28);
  query[0] = 130;
  gateway.sendDatagram(GATEWAY_LOCAL, address6('ff02::1'), 58, query);
  run(100);
  equal(reports, 3);
});

test('a station does the same whatever the order of its life: no frame depends on chance', () => {
  const story = (): string[] => {
    const { network, peer, run } = twoStations();
    const lines: string[] = [];
    network.taps.push((cable, from, frame) => {
      lines.push(`${cable.name}.${from} ${frameDescribe(frame)}`);
    });
    peer.ping(GATEWAY, 10);
    run(100);
    return lines;
  };
  deepEqual(story(), story());
});
