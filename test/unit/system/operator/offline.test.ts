/**
 * Taking an interface offline (docs/law.md rows 103 to 105), through the public API.
 *
 * | request                                      | refusal                                   |
 * |----------------------------------------------|-------------------------------------------|
 * | unknown interface                            | ENXIO                                     |
 * | in no group                                  | EINVAL                                    |
 * | offline by the operator                      | EALREADY                                  |
 * | no other interface works                     | EBUSY, also if the last one fails while   |
 * |                                              | it hands over; it stays in use            |
 * | online: not offline                          | EINVAL                                    |
 */

import { deepEqual, equal, match, ok } from 'node:assert/strict';
import { test } from 'node:test';
import { OperatorError } from '../../../../src/base/errors.ts';
import { columns, DATA, GATEWAY, GATEWAY_MAC, request } from '../../ip/harness.ts';
import { Bench, describe, macOf, refuses } from '../bench.ts';

const GRACE_MS = 50;

/** Begins to take net0 offline. */
const beginOffline = (bench: Bench) => bench.begin(() => bench.system.offlineInterface('net0'));

/** The gateway asks net0 alone for the first address. */
const ask = (bench: Bench): void =>
  bench.handleFrame('net0', request(GATEWAY_MAC, GATEWAY, DATA, macOf(0)));

test('a refusal changes nothing and emits no event', () => {
  const bench = Bench.settled(2, 2);
  bench.create('net7');
  bench.link('net1', 'down');
  bench.drain();
  const before = describe(bench.system);
  refuses('ENXIO there is no interface net9', () => bench.offline('net9'));
  refuses('ENXIO there is no interface net9', () => bench.online('net9'));
  refuses('EINVAL cannot take interface net7 offline: it is in no group', () =>
    bench.offline('net7'),
  );
  refuses('EBUSY cannot take interface net0 offline: no other interface of group ipmp0 works', () =>
    bench.offline('net0'),
  );
  refuses('EINVAL interface net0 is not offline', () => bench.online('net0'));
  refuses('EINVAL interface net1 is not offline', () => bench.online('net1'));
  deepEqual(describe(bench.system), before);
  deepEqual(bench.events(), []);
  deepEqual(bench.publication.calls, []);
  bench.offline('net1'); // One that has failed can be spared.
  refuses('EALREADY interface net1 is offline', () => bench.offline('net1'));
});

test('EBUSY comes with a hint', () => {
  const bench = Bench.settled(1, 1);
  const { error } = beginOffline(bench);
  match(error instanceof OperatorError ? (error.hint ?? '') : '', /ipmpadm group add ipmp0/);
});

test('make before break: steering and announcements at once, offline after the grace', () => {
  const bench = Bench.settled(2, 4);
  const task = beginOffline(bench);
  deepEqual(bench.publication.calls, ['active 0 10 0', 'cast 0 1', 'slot 0 1']);
  deepEqual(bench.counts(), [0, 4]);
  const arps = bench.arps();
  deepEqual(arps.map((arp) => arp.spa).sort(), ['192.0.2.10', '192.0.2.12'], 'what moved');
  ok(arps.every((arp) => arp.port === 'net1' && arp.spa === arp.tpa));
  deepEqual(bench.eventLines(), [
    'interface-active net0 active>inactive taken-offline',
    'nominated net1 net0>net1 taken-offline',
    'address-moved net1 net0>net1 taken-offline 192.0.2.10',
    'address-moved net1 net0>net1 taken-offline 192.0.2.12',
  ]);
  bench.advance(GRACE_MS - 1);
  equal(task.state, 'running');
  deepEqual([bench.row('net0')?.state, bench.row('net0')?.active], ['ok', false]);
  const nics = (): unknown => columns(bench.publication.tables.nics, 'nic', 'group', 'member');
  deepEqual(
    nics(),
    [
      [0, 0, 0],
      [1, 0, 1],
    ],
    'frames in flight to it are accepted',
  );
  ask(bench);
  deepEqual(columns(bench.arps(), 'port', 'spa'), [['net1', '192.0.2.10']]);
  bench.advance(1);
  equal(task.state, 'done');
  deepEqual(bench.eventLines(), [
    'interface-state net0 ok>offline taken-offline',
    'group-state ok>degraded members-differ',
  ]);
  equal(bench.members(), 'degraded: net1 <net0>');
  deepEqual(nics(), [
    [0, -1, -1],
    [1, 0, 1],
  ]);
  ask(bench);
  deepEqual(bench.frames(), []);
  equal(bench.system.dropCounters().get('no_group'), 1n);
  deepEqual(bench.row('net0')?.flags, ['RUNNING', 'OFFLINE']);
  equal(bench.row('net0')?.cause, 'taken-offline');
  deepEqual(bench.system.describeFailovers(), [], 'nothing failed');
});

test('no live word names a NIC that is offline while another can carry data', () => {
  const bench = Bench.settled(4, 9, {}, [3]);
  const live = new Map<string, string>();
  for (const name of ['net0', 'net2', 'net1']) {
    bench.offline(name);
    for (const call of bench.publication.calls) {
      const [kind = '', at = '', value = ''] = call.split(' ');
      if (kind === 'slot' || kind === 'cast') live.set(`${kind} ${at}`, value);
    }
    const nic = String(bench.system.nicOf(name));
    ok(![...live.values()].includes(nic), `${[...live]} after ${name}`);
    const active = bench.system.describeGroups()[0]?.active ?? [];
    ok(active.length > 0);
    const [low] = bench.publication.active.get(0) ?? [0];
    const mask = active.reduce((bits, one) => bits | (1 << Number(one.slice(3))), 0);
    equal(low, mask);
  }
  equal(bench.members(), 'degraded: net3 <net0> <net1> <net2>');
  refuses(/^EBUSY/, () => bench.offline('net3'));
});

test('a standby takes the place by the same store, and is idle when the other is online', () => {
  const bench = Bench.settled(3, 4, {}, [2]);
  beginOffline(bench);
  deepEqual(bench.publication.calls.slice(0, 3), ['slot 2 2', 'active 0 110 0', 'cast 0 1']);
  bench.advance(GRACE_MS);
  equal(bench.members(), 'degraded: net1 net2 <net0>');
  deepEqual(bench.counts(), [0, 2, 2]);
  bench.flap('net1');
  equal(bench.members(), 'degraded: net1 net2 <net0>', 'as many as before are active');
  bench.drain();
  bench.online('net0');
  equal(bench.members(), 'ok: net0 net1 (net2)');
  deepEqual(bench.publication.calls.slice(0, 2), ['slot 0 0', 'active 0 11 0']);
  deepEqual(bench.eventLines(/^interface-(state|active)/), [
    'interface-state net0 offline>ok brought-online',
    'interface-active net2 active>inactive member-repaired',
    'interface-active net0 inactive>active brought-online',
  ]);
});

test('an idle standby is taken offline at once; an active one is replaced', () => {
  const bench = Bench.settled(4, 2, {}, [2, 3]);
  const beganMs = bench.nowMs;
  bench.offline('net2');
  equal(bench.nowMs, beganMs, 'no frame was in flight to it');
  equal(bench.members(), 'degraded: net0 net1 (net3) <net2>');
  bench.online('net2');
  equal(bench.members(), 'ok: net0 net1 (net2) (net3)');
  bench.link('net0', 'down');
  equal(bench.members(), 'degraded: net1 net2 (net3) [net0]');
  bench.offline('net2');
  equal(bench.members(), 'degraded: net1 net3 [net0] <net2>');
});

test('a group that has failed can spare any but the last that is not offline', () => {
  const bench = Bench.settled(3, 1);
  for (const name of ['net0', 'net1', 'net2']) bench.link(name, 'down');
  bench.offline('net0');
  bench.vanish('net1');
  bench.offline('net2');
  refuses(/^EBUSY .* no other interface of group ipmp0 works/, () => bench.offline('net1'));
});

test('the others fail while it hands over: refused, and it carries data without a gap', () => {
  const bench = Bench.settled(2, 4);
  const task = beginOffline(bench);
  deepEqual(bench.counts(), [0, 4]);
  bench.advance(GRACE_MS / 2);
  bench.link('net1', 'down');
  deepEqual(bench.counts(), [4, 0], 'the last choice');
  bench.advance(GRACE_MS);
  equal(task.state, 'failed');
  match(String(task.error), /no other interface of group ipmp0 works/);
  equal(bench.members(), 'degraded: net0 [net1]');
  bench.link('net1', 'up');
  equal(bench.members(), 'ok: net0 net1');
  bench.offline('net0');
});

test('it fails or vanishes while it hands over: offline all the same', () => {
  for (const [happens, members] of [
    [(bench: Bench) => bench.link('net0', 'down'), 'degraded: net1 <net0>'],
    [(bench: Bench) => bench.vanish('net0'), 'degraded: net1 {net0}'],
  ] as const) {
    const bench = Bench.settled(2, 2);
    const task = beginOffline(bench);
    bench.advance(1);
    happens(bench);
    deepEqual(bench.counts(), [0, 2]);
    bench.advance(GRACE_MS);
    equal(task.state, 'done');
    equal(bench.members(), members);
    equal(bench.row('net0')?.flags.at(-1), 'OFFLINE');
  }
});

test('a repair of its link while it hands over deactivates no other', () => {
  const bench = Bench.settled(2, 2, {}, [1]);
  beginOffline(bench);
  bench.flap('net0');
  deepEqual(bench.counts(), [0, 2]);
  bench.advance(GRACE_MS);
  equal(bench.members(), 'degraded: net1 <net0>');
});

test('nor does it with an activated standby and an active one', () => {
  const bench = Bench.settled(4, 2, {}, [2, 3]);
  bench.run(() => bench.system.activateInterface('net2'));
  beginOffline(bench);
  bench.flap('net0');
  bench.advance(GRACE_MS);
  equal(bench.members(), 'degraded: net1 net2 net3 <net0>');
});

test('cancelled while it hands over: as before', () => {
  const bench = Bench.settled(3, 3, {}, [2]);
  const task = beginOffline(bench);
  bench.advance(1);
  task.cancel();
  equal(bench.members(), 'ok: net0 net1 (net2)');
  bench.offline('net0');
});

test('test addresses are taken down with the NIC and verified anew with it', () => {
  const bench = Bench.settled(2, 0);
  const testAddresses = ['192.0.2.21/24'];
  bench.run(() => bench.system.setInterface('net0', { testAddresses }));
  bench.settle();
  const state = (): unknown => bench.system.describeAddresses().map((one) => one.state);
  deepEqual(state(), ['up']);
  bench.offline('net0');
  deepEqual(state(), ['down']);
  deepEqual(bench.eventLines(/^address-state/), [
    'address-state net0 up>down taken-offline 192.0.2.21',
  ]);
  deepEqual(bench.publication.tables.addresses, []);
  bench.frames();
  bench.vanish('net0');
  bench.appear('net0');
  bench.flap('net0');
  bench.advance(400_000);
  deepEqual(bench.arps(), [], 'an interface that is offline is silent');
  bench.online('net0');
  deepEqual(state(), ['tentative']);
  bench.advance(30_000);
  deepEqual(state(), ['up']);
  deepEqual(bench.publication.tables.addresses.length, 1);
  ok(bench.arps().every((arp) => arp.port === 'net0'));
});

test('a broadcast that arrives at a NIC that is offline is dropped', () => {
  const bench = Bench.settled(2, 1);
  bench.offline('net0');
  bench.drain();
  bench.handleFrame('net0', request(GATEWAY_MAC, GATEWAY, DATA));
  deepEqual(bench.frames(), []);
  deepEqual(bench.system.describeNeighbors(), []);
});

for (const { lateMs, waitedMs } of [
  { lateMs: 0, waitedMs: GRACE_MS },
  { lateMs: 20, waitedMs: GRACE_MS + 20 },
  { lateMs: 100, waitedMs: 2 * GRACE_MS + 100 },
  { lateMs: Number.POSITIVE_INFINITY, waitedMs: 2 * GRACE_MS + 2 * 1000 },
]) {
  test(`a worker that is ${lateMs} ms late: offline after ${waitedMs} ms`, () => {
    const bench = Bench.settled(2, 2);
    const beganMs = bench.nowMs;
    bench.publication.hasCaughtUp = () => bench.nowMs >= beganMs + GRACE_MS + lateMs;
    const task = beginOffline(bench);
    bench.advance(waitedMs - 1);
    equal(task.state, 'running');
    equal(bench.row('net0')?.state, 'ok', 'its frames are still accepted');
    bench.advance(1);
    deepEqual([task.state, bench.row('net0')?.state], ['done', 'offline']);
  });
}

test('the grace period begins when all moves are announced', () => {
  const bench = Bench.settled(2, 2);
  const waits: number[] = [];
  for (let round = 0; round < 3; round++) {
    bench.drain();
    const beganMs = bench.nowMs;
    const task = beginOffline(bench);
    while (task.state === 'running') bench.advance(1);
    equal(task.state, 'done');
    waits.push(bench.nowMs - beganMs);
    const sent = bench.arps().filter(({ port, spa, tpa }) => port === 'net1' && spa === tpa);
    deepEqual([...new Set(sent.map(({ spa }) => spa))], ['192.0.2.10'], 'it is announced');
    bench.online('net0');
  }
  ok(waits.every((waitMs) => waitMs >= GRACE_MS));
  deepEqual(waits.slice(0, 2), [GRACE_MS, GRACE_MS]);
  ok((waits[2] ?? 0) > GRACE_MS, `the third move of an address within a second: ${waits}`);
});
