/** The parts of the simulated world for themselves: time, cables, switches, stations. */

import { deepEqual, equal, ok, throws } from 'node:assert/strict';
import { test } from 'node:test';
import { Rng } from '../../src/base/rng.ts';
import { Agenda } from '../../src/sim/agenda.ts';
import { Cable, type Plug } from '../../src/sim/lan/cable.ts';
import { Network, type Side } from '../../src/sim/lan/network.ts';
import type { Station } from '../../src/sim/lan/station.ts';
import { Transcript } from '../../src/sim/transcript.ts';
import { ipv4Parse } from '../../src/wire/addr.ts';

const ip = (text: string): number => ipv4Parse(text)!;
const FRAME = Uint8Array.from({ length: 60 }, (_, i) => i);

class Probe implements Plug {
  readonly frames: { atMs: number; frame: Uint8Array }[] = [];
  readonly carriers: boolean[] = [];
  readonly #agenda: Agenda;
  constructor(agenda: Agenda) {
    this.#agenda = agenda;
  }
  handleFrame(frame: Uint8Array): void {
    this.frames.push({ atMs: this.#agenda.nowMs, frame });
  }
  handleCarrier(isUp: boolean): void {
    this.carriers.push(isUp);
  }
}

function cableBetweenProbes(): { agenda: Agenda; cable: Cable; a: Probe; b: Probe } {
  const agenda = new Agenda();
  const cable = new Cable('cable', agenda, new Rng(1));
  const [a, b] = [new Probe(agenda), new Probe(agenda)];
  cable.plug('a', a);
  cable.plug('b', b);
  return { agenda, cable, a, b };
}

test('agenda: entries happen at their time, in the order of making; nothing goes back', () => {
  const agenda = new Agenda(100);
  const log: string[] = [];
  agenda.after(10, () => {
    log.push(`b@${agenda.nowMs}`);
    agenda.after(0, () => log.push(`c@${agenda.nowMs}`));
  });
  agenda.at(50, () => log.push('past'));
  agenda.cancel(agenda.after(5, () => log.push('called off')));
  agenda.cancel(undefined);
  equal(agenda.nextAtMs(), 100);
  agenda.advance(100);
  agenda.advance(110);
  deepEqual(log, ['past', 'b@110', 'c@110']);
  throws(() => agenda.advance(109));
});

test('cable: frames take their time and come whole, whatever the sender does then', () => {
  const { agenda, cable, a, b } = cableBetweenProbes();
  const frame = FRAME.slice();
  cable.transmit('a', frame);
  frame.fill(0);
  agenda.advance(1);
  deepEqual(a.frames, []);
  equal(b.frames.length, 1);
  deepEqual(b.frames[0]?.frame, FRAME);
  deepEqual([a.carriers, b.carriers], [[true], [true]]);
});

test('cable: a cut loses what is under way, and carrier comes back with the repair', () => {
  const { agenda, cable, a, b } = cableBetweenProbes();
  cable.transmit('a', FRAME);
  cable.cut();
  cable.cut();
  cable.transmit('b', FRAME);
  agenda.advance(1);
  equal(b.frames.length + a.frames.length, 0);
  cable.repair();
  agenda.advance(2);
  equal(b.frames.length, 0);
  deepEqual(a.carriers, [true, false, true]);
  deepEqual(b.carriers, [true, false, true]);
  equal(cable.counts.a.lostByCut, 1);
  equal(cable.counts.b.lostByCut, 1);
});

test('cable: silence changes no carrier, in one direction alone', () => {
  const { agenda, cable, a, b } = cableBetweenProbes();
  cable.silence('a');
  cable.transmit('a', FRAME);
  cable.transmit('b', FRAME);
  agenda.advance(1);
  equal(b.frames.length, 0);
  equal(a.frames.length, 1);
  deepEqual(b.carriers, [true]);
  cable.heal();
  cable.transmit('a', FRAME);
  agenda.advance(2);
  equal(b.frames.length, 1);
});

test('cable: chance loses and doubles about as many as asked, and every frame is counted', () => {
  const { agenda, cable, b } = cableBetweenProbes();
  Object.assign(cable.faults.a, { lossPerMille: 200, duplicatePerMille: 100, jitterMs: 3 });
  for (let i = 0; i < 2000; i++) cable.transmit('a', FRAME);
  agenda.advance(10);
  const { sent, delivered, duplicated, lostByChance } = cable.counts.a;
  equal(sent + duplicated, delivered + lostByChance);
  equal(b.frames.length, delivered);
  ok(lostByChance > 300 && lostByChance < 500, `${lostByChance} lost`);
  ok(duplicated > 100 && duplicated < 220, `${duplicated} doubled`);
  ok(b.frames.every(({ atMs }) => atMs >= 0.05 && atMs <= 3.05));
});

test('cable: what is held back comes behind what was sent later', () => {
  const { agenda, cable, b } = cableBetweenProbes();
  cable.faults.a.reorderPerMille = 1000;
  cable.transmit('a', Uint8Array.of(1));
  cable.heal();
  cable.transmit('a', Uint8Array.of(2));
  equal(cable.counts.a.underWay, 2);
  agenda.advance(5);
  deepEqual(
    b.frames.map(({ frame }) => frame[0]),
    [2, 1],
  );
  equal(cable.counts.a.underWay, 0);
  equal(cable.counts.a.heldBack, 1);
});

test('cable: a flipped bit is one bit, and the frame of the sender keeps its own', () => {
  const { agenda, cable, b } = cableBetweenProbes();
  cable.faults.a.flipPerMille = 1000;
  const sent = FRAME.slice();
  cable.transmit('a', sent);
  agenda.advance(1);
  deepEqual(sent, FRAME);
  const turned = b.frames[0]!.frame.map((byte, i) => byte ^ FRAME[i]!).filter((bits) => bits !== 0);
  equal(turned.length, 1);
  equal(turned[0]! & (turned[0]! - 1), 0);
  equal(cable.counts.a.flipped, 1);
});

const GATEWAY = ip('192.0.2.1');

/** Gateway behind A, peer behind B; `run` lets time pass, `entry` is what the peer knows of it. */
function twoStations() {
  const agenda = new Agenda();
  const network = new Network(agenda, new Rng(1));
  const station = (name: string, side: Side, last: number): Station =>
    network.addStation({
      name,
      mac: 0x020000000000 + last,
      side,
      addresses: [{ address: ip(`192.0.2.${last}`), prefixLength: 24 }],
    });
  const [gateway, peer] = [station('gw', 'A', 1), station('peer', 'B', 2)];
  const run = (durationMs: number): void => agenda.advance(agenda.nowMs + durationMs);
  const entry = () => peer.arp.lookUp(GATEWAY);
  return { network, gateway, peer, run, entry };
}

test('stations: resolve, ask and answer over two switches, and the switches learn', () => {
  const { network, gateway, peer, run, entry } = twoStations();
  const stream = peer.ping(GATEWAY, 10);
  run(1000);
  stream.stop();
  run(10);
  const { sent, answered, duplicates } = stream.result();
  deepEqual([sent, answered, duplicates], [101, 101, 0]);
  equal(entry()?.mac, gateway.mac);
  equal(gateway.arp.lookUp(ip('192.0.2.2'))?.mac, peer.mac);
  equal(network.switches.A.whereIs(peer.mac), network.link);
  equal(network.switches.B.whereIs(peer.mac)?.name, 'peer');
});

test('switch: a station that is silent for the time of ageing is looked for everywhere', () => {
  const { network, peer, run } = twoStations();
  const stream = peer.ping(GATEWAY, 100);
  run(10);
  stream.stop();
  const { B } = network.switches;
  equal(B.whereIs(peer.mac)?.name, 'peer');
  B.ageingMs = 1000;
  run(900);
  equal(B.whereIs(peer.mac)?.name, 'peer');
  run(200);
  equal(B.whereIs(peer.mac), undefined);
  B.ageingMs = 10_000;
  equal(B.whereIs(peer.mac)?.name, 'peer');
  B.forgetStations();
  equal(B.whereIs(peer.mac), undefined);
});

test('stations: an absent one fails after three tries, and is found when it comes', () => {
  const { network, peer, run, entry } = twoStations();
  network.cables.get('gw')?.cut();
  const stream = peer.ping(GATEWAY, 500);
  run(2900);
  equal(entry()?.state, 'incomplete');
  run(200);
  network.cables.get('gw')?.repair();
  run(3000);
  equal(entry()?.state, 'reachable');
  ok(stream.result().answered > 0);
  ok(peer.arp.unresolved > 0);
});

test('stations: an entry ages after 30 s and is confirmed by unicast when it is used', () => {
  const { gateway, peer, run, entry } = twoStations();
  peer.ping(GATEWAY, 1000).stop();
  const first = peer.ping(GATEWAY, 1000);
  run(100);
  first.stop();
  run(40_000);
  equal(entry()?.state, 'stale');
  const before = gateway.counts.arpRequests;
  const second = peer.ping(GATEWAY, 1000);
  run(10);
  equal(entry()?.state, 'delay');
  run(5000);
  equal(entry()?.state, 'reachable');
  ok(gateway.counts.arpRequests > before);
  equal(second.result().lost, 0);
});

test('stations: a new MAC counts when announced, and later without', () => {
  const { gateway, peer, run, entry } = twoStations();
  peer.ping(GATEWAY, 100);
  run(50);
  gateway.mac = 0x0200000000aa;
  gateway.announce(GATEWAY);
  run(10);
  equal(entry()?.mac, 0x0200000000aa);
  equal(peer.counts.announcements, 1);
});

test('stations: the gap around a cut is what was missed, and the count agrees', () => {
  const { network, peer, run } = twoStations();
  const stream = peer.ping(GATEWAY, 1);
  run(500);
  stream.mark('cut');
  network.link.silence();
  run(50);
  network.link.heal();
  stream.mark('after');
  run(500);
  stream.stop();
  run(10);
  const [, cut, after] = stream.result().windows;
  equal(cut?.lost, 50);
  ok(after !== undefined && after.longestGapMs > 49 && after.longestGapMs < 52);
  equal(stream.window('after')?.lost, after.lost);
  equal(stream.window('nowhere'), undefined);
});

test('transcript: every line counts for the digest', () => {
  const agenda = new Agenda();
  const [one, other] = [new Transcript(agenda), new Transcript(agenda)];
  const seen: string[] = [];
  one.onLine = (line) => seen.push(line);
  one.write('event', 'something');
  other.write('event', 'something');
  equal(one.digest, other.digest);
  other.write('event', 'more');
  ok(one.digest !== other.digest);
  deepEqual(seen, ['      0.000 ms  event    something']);
  deepEqual(one.lines, seen);
});
