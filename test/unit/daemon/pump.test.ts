/** The turn of the system: what comes of many frames is carried out once, for all together. */

import { deepEqual, equal } from 'node:assert/strict';
import { test } from 'node:test';
import { Pump } from '../../../src/daemon/pump.ts';
import { ipv4Format } from '../../../src/wire/addr.ts';
import { ip, mac, reply, request } from '../ip/harness.ts';
import { Bench, macOf } from '../system/bench.ts';

const FRAMES = 20;
const DATA = ip('198.18.0.1');
const FIRST = ip('198.18.0.100');
/** Of the first neighbour: the MAC that the host has, and where it answers now. */
const [TOLD_MAC, NEW_MAC] = [mac('52:54:00:00:01:00'), mac('52:54:00:00:02:00')];

/** A pump by the bench's time; `sent` gets the port of each frame that it sends. */
function pumpOf(bench: Bench, sent: number[]): Pump {
  const clock = { nowMs: () => bench.nowMs, after: () => ({ cancel: () => undefined }) };
  return new Pump(bench.system, clock, {
    transmit: (port) => {
      sent.push(port);
      return 'taken';
    },
    request: () => undefined,
    event: () => undefined,
    fail: (error) => {
      throw error;
    },
  });
}

test('frames that were taken together publish the tables once, and are answered', () => {
  const bench = new Bench();
  bench.build(1);
  bench.addresses(ipv4Format(DATA));
  bench.advance(20_000);
  const { system, publication } = bench;
  const [hostPort, nic] = [system.groupPortOf('ipmp0')!, system.nicOf('net0')!];
  const sent: number[] = [];
  const pump = pumpOf(bench, sent);
  const take = (port: number, frameOf: (at: number) => Uint8Array): void => {
    const atMs = bench.nowMs;
    const frames = Array.from({ length: FRAMES }, (_, at) => ({ port, frame: frameOf(at), atMs }));
    sent.length = 0;
    pump.takeFrames(frames);
  };
  const asked = (at: number) => request(mac('02:00:00:00:0f:ff'), DATA, FIRST + at);
  const answered = (first: number) => (at: number) => reply(first + at, FIRST + at, macOf(0), DATA);
  const all = (port: number) => Array.from({ length: FRAMES }, () => port);

  bench.drain();
  take(hostPort, asked);
  deepEqual(sent, all(nic));
  take(nic, answered(TOLD_MAC));
  deepEqual(sent, all(hostPort));
  for (let at = 0; at < FRAMES; at++) system.deleteNeighbor('ipmp0', ipv4Format(FIRST + at));
  take(hostPort, asked);
  deepEqual(publication.calls, [], 'no neighbour has moved');
  take(nic, answered(NEW_MAC));
  deepEqual(publication.calls, ['replace']);
  equal(publication.tables.redirects.length, FRAMES);
  deepEqual(new Set(sent), new Set(all(hostPort)));
  pump.stop();
});
