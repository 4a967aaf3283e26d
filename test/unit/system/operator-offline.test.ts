/**
 * Taking an interface offline (docs/law.md rows 103 to 105), through the public API.
 *
 * | request                                      | refusal                                   |
 * |----------------------------------------------|-------------------------------------------|
 * | unknown interface                            | ENXIO                                     |
 * | in no group                                  | EINVAL                                    |
 * | offline by the operator                      | EALREADY                                  |
 * | no other interface works                     | EBUSY, also if the last one fails while   |
 * |                                              | it hands over; it goes on                 |
 * | online: not offline                          | EINVAL                                    |
 */

import { deepEqual, equal, match, ok } from 'node:assert/strict';
import { test } from 'node:test';
import { OperatorError } from '../../../src/base/errors.ts';
import { MAC_BROADCAST } from '../../../src/wire/addr.ts';
import { ARP_REQUEST, arpFrame } from '../../../src/wire/arp.ts';
import { Bench, groupSpec, interfaceSpec, macOf } from './bench.ts';
import {
  beginOffline,
  interfaceRow,
  offline,
  online,
  SETTLED_MS,
  settledBench,
} from './operator-bench.ts';

const GRACE_MS = 50;
const GATEWAY_MAC = 0x02_00_00_00_0a_01;

const told = (bench: Bench, ...events: readonly string[]): string[] =>
  bench.told().filter((line) => events.includes(line.split(' ')[0] ?? ''));

function describe({ system }: Bench): unknown {
  return [system.describeGroups(), system.describeInterfaces(), system.describeAddresses()];
}

/** A question of the gateway for an address, which arrives at a NIC alone. */
function ask(bench: Bench, name: string, address: number): void {
  const frame = arpFrame(macOf(Number(name.slice(3))), GATEWAY_MAC, {
    operation: ARP_REQUEST,
    senderMac: GATEWAY_MAC,
    senderAddress: 0xc0000201,
    targetMac: 0,
    targetAddress: address,
  });
  bench.system.handleFrame(bench.system.nicOf(name) ?? -1, frame, bench.nowMs);
}

test('what is refused has changed nothing and says nothing', () => {
  const bench = settledBench(2, 2);
  bench.run(() => bench.system.createInterface(interfaceSpec('net7')));
  bench.link('net1', 'down');
  bench.drain();
  const before = describe(bench);
  equal(offline(bench, 'net9'), 'ENXIO there is no interface net9');
  equal(online(bench, 'net9'), 'ENXIO there is no interface net9');
  equal(offline(bench, 'net7'), 'EINVAL cannot take interface net7 offline: it is in no group');
  equal(
    offline(bench, 'net0'),
    'EBUSY cannot take interface net0 offline: no other interface of group ipmp0 works',
  );
  equal(online(bench, 'net0'), 'EINVAL interface net0 is not offline');
  equal(online(bench, 'net1'), 'EINVAL interface net1 is not offline');
  deepEqual(describe(bench), before);
  deepEqual(bench.events(), []);
  deepEqual(bench.publication.calls, []);
  equal(offline(bench, 'net1'), 'done', 'one that has failed is not missed');
  equal(offline(bench, 'net1'), 'EALREADY interface net1 is offline');
});

test('EBUSY comes with a hint', () => {
  const bench = settledBench(1, 1);
  try {
    bench.run(() => bench.system.offlineInterface('net0'));
  } catch (error) {
    ok(error instanceof OperatorError);
    match(error.hint ?? '', /ipmpadm group add ipmp0/);
    return;
  }
  ok(false, 'refused');
});

test('make before break: steering and announcements at once, out of use after the grace', () => {
  const bench = settledBench(2, 4);
  const task = beginOffline(bench, 'net0');
  deepEqual(bench.publication.calls, ['active 0 10 0', 'cast 0 1', 'slot 0 1']);
  deepEqual(bench.counts(), [0, 4]);
  const arps = bench.arps();
  deepEqual(arps.map((arp) => arp.spa).sort(), ['192.0.2.10', '192.0.2.12'], 'what moved');
  ok(arps.every((arp) => arp.port === 'net1' && arp.spa === arp.tpa));
  deepEqual(bench.told(), [
    'interface-active net0 active>inactive taken-offline',
    'nominated net1 net0>net1 taken-offline',
    'address-moved net1 net0>net1 taken-offline 192.0.2.10',
    'address-moved net1 net0>net1 taken-offline 192.0.2.12',
  ]);
  bench.advance(GRACE_MS - 1);
  equal(task.state, 'running');
  deepEqual(
    [interfaceRow(bench, 'net0')?.state, interfaceRow(bench, 'net0')?.active],
    ['ok', false],
  );
  const nic = bench.publication.tables.nics.find((one) => one.nic === 0);
  deepEqual([nic?.group, nic?.member], [0, 0], 'frames that are under way are accepted');
  ask(bench, 'net0', 0xc000020a);
  deepEqual(
    bench.arps().map((arp) => [arp.port, arp.spa]),
    [['net1', '192.0.2.10']],
  );
  bench.advance(1);
  equal(task.state, 'done');
  deepEqual(bench.told(), [
    'interface-state net0 ok>offline taken-offline',
    'group-state ok>degraded members-differ',
  ]);
  equal(bench.members(), 'degraded: net1 <net0>');
  const out = bench.publication.tables.nics.find((one) => one.nic === 0);
  deepEqual([out?.group, out?.member], [-1, -1]);
  ask(bench, 'net0', 0xc000020a);
  deepEqual(bench.frames(), []);
  equal(bench.system.dropCounters().get('no_group'), 1n);
  deepEqual(interfaceRow(bench, 'net0')?.flags, ['RUNNING', 'OFFLINE']);
  equal(interfaceRow(bench, 'net0')?.cause, 'taken-offline');
  deepEqual(bench.system.describeFailovers(), [], 'nothing failed');
});

test('no word ever names a NIC that is offline while another could carry', () => {
  const bench = settledBench(4, 9, {}, [3]);
  const live = new Map<string, string>();
  for (const name of ['net0', 'net2', 'net1']) {
    if (offline(bench, name) !== 'done') break;
    for (const call of bench.publication.calls) {
      const [kind = '', at = '', value = ''] = call.split(' ');
      if (kind === 'slot' || kind === 'cast') live.set(`${kind} ${at}`, value);
    }
    const nic = String(bench.system.nicOf(name));
    ok(![...live.values()].includes(nic), `${[...live]} after ${name}`);
    const active = bench.system.describeGroups()[0]?.active ?? [];
    ok(active.length > 0);
    const [low] = bench.publication.active.get(0) ?? [0];
    equal(
      low,
      active.reduce((mask, one) => mask | (1 << Number(one.slice(3))), 0),
    );
  }
  equal(bench.members(), 'degraded: net3 <net0> <net1> <net2>');
  match(offline(bench, 'net3'), /^EBUSY/);
});

test('a standby takes the place by the same store, and rests when the other is online', () => {
  const bench = settledBench(3, 4, {}, [2]);
  beginOffline(bench, 'net0');
  deepEqual(bench.publication.calls.slice(0, 3), ['slot 2 2', 'active 0 110 0', 'cast 0 1']);
  bench.advance(GRACE_MS);
  equal(bench.members(), 'degraded: net1 net2 <net0>');
  deepEqual(bench.counts(), [0, 2, 2]);
  bench.link('net1', 'down');
  bench.link('net1', 'up');
  equal(bench.members(), 'degraded: net1 net2 <net0>', 'as many as before are active');
  bench.drain();
  equal(online(bench, 'net0'), 'done');
  equal(bench.members(), 'ok: net0 net1 (net2)');
  deepEqual(bench.publication.calls.slice(0, 2), ['slot 0 0', 'active 0 11 0']);
  deepEqual(told(bench, 'interface-state', 'interface-active'), [
    'interface-state net0 offline>ok brought-online',
    'interface-active net2 active>inactive member-repaired',
    'interface-active net0 inactive>active brought-online',
  ]);
});

test('a standby that waits is taken offline at once; one that stood in is replaced', () => {
  const bench = settledBench(4, 2, {}, [2, 3]);
  const beganMs = bench.nowMs;
  equal(offline(bench, 'net2'), 'done');
  equal(bench.nowMs, beganMs, 'nothing was on its way to it');
  equal(bench.members(), 'degraded: net0 net1 (net3) <net2>');
  equal(online(bench, 'net2'), 'done');
  equal(bench.members(), 'ok: net0 net1 (net2) (net3)');
  bench.link('net0', 'down');
  equal(bench.members(), 'degraded: net1 net2 (net3) [net0]');
  equal(offline(bench, 'net2'), 'done');
  equal(bench.members(), 'degraded: net1 net3 [net0] <net2>');
});

test('a group that has failed can spare any but the last that is not offline', () => {
  const bench = settledBench(3, 1);
  for (const name of ['net0', 'net1', 'net2']) bench.link(name, 'down');
  equal(offline(bench, 'net0'), 'done');
  bench.vanish('net1');
  equal(offline(bench, 'net2'), 'done');
  match(offline(bench, 'net1'), /^EBUSY .* no other interface of group ipmp0 works/);
});

test('the others fail while it hands over: refused, and it carries on without a gap', () => {
  const bench = settledBench(2, 4);
  const task = beginOffline(bench, 'net0');
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
  equal(offline(bench, 'net0'), 'done');
});

test('it fails or goes away while it hands over: offline all the same', () => {
  for (const [happens, members] of [
    [(bench: Bench) => bench.link('net0', 'down'), 'degraded: net1 <net0>'],
    [(bench: Bench) => bench.vanish('net0'), 'degraded: net1 {net0}'],
  ] as const) {
    const bench = settledBench(2, 2);
    const task = beginOffline(bench, 'net0');
    bench.advance(1);
    happens(bench);
    deepEqual(bench.counts(), [0, 2]);
    bench.advance(GRACE_MS);
    equal(task.state, 'done');
    equal(bench.members(), members);
    deepEqual(interfaceRow(bench, 'net0')?.flags.at(-1), 'OFFLINE');
  }
});

test('a repair of its link while it hands over puts nobody to rest', () => {
  const bench = settledBench(2, 2, {}, [1]);
  beginOffline(bench, 'net0');
  bench.link('net0', 'down');
  bench.link('net0', 'up');
  deepEqual(bench.counts(), [0, 2]);
  bench.advance(GRACE_MS);
  equal(bench.members(), 'degraded: net1 <net0>');
});

test('nor does it with an activated standby and one that stands in', () => {
  const bench = settledBench(4, 2, {}, [2, 3]);
  bench.run(() => bench.system.activateInterface('net2'));
  beginOffline(bench, 'net0');
  bench.link('net0', 'down');
  bench.link('net0', 'up');
  bench.advance(GRACE_MS);
  equal(bench.members(), 'degraded: net1 net2 net3 <net0>');
});

test('cancelled while it hands over: as before', () => {
  const bench = settledBench(3, 3, {}, [2]);
  const task = beginOffline(bench, 'net0');
  bench.advance(1);
  task.cancel();
  equal(bench.members(), 'ok: net0 net1 (net2)');
  equal(offline(bench, 'net0'), 'done');
});

test('test addresses are taken down with the NIC and verified anew with it', () => {
  const bench = new Bench();
  const testAddresses = ['192.0.2.21/24'];
  bench.run(() => bench.system.createInterface(interfaceSpec('net0', { testAddresses })));
  bench.run(() => bench.system.createInterface(interfaceSpec('net1')));
  for (const name of ['net0', 'net1']) bench.appear(name);
  const interfaces = ['net0', 'net1'];
  bench.run(() => bench.system.createGroup(groupSpec({ interfaces })));
  bench.advance(SETTLED_MS);
  bench.drain();
  const state = (): unknown => bench.system.describeAddresses().map((one) => one.state);
  deepEqual(state(), ['up']);
  offline(bench, 'net0');
  deepEqual(state(), ['down']);
  deepEqual(told(bench, 'address-state'), ['address-state net0 up>down taken-offline 192.0.2.21']);
  deepEqual(bench.publication.tables.addresses, []);
  bench.frames();
  bench.vanish('net0');
  bench.appear('net0');
  bench.link('net0', 'down');
  bench.link('net0', 'up');
  bench.advance(400_000);
  deepEqual(bench.arps(), [], 'an interface that is offline is silent');
  online(bench, 'net0');
  deepEqual(state(), ['tentative']);
  bench.advance(SETTLED_MS);
  deepEqual(state(), ['up']);
  deepEqual(bench.publication.tables.addresses.length, 1);
  ok(bench.arps().every((arp) => arp.port === 'net0'));
});

test('broadcast that a NIC hears while it is offline is not heeded', () => {
  const bench = settledBench(2, 1);
  offline(bench, 'net0');
  const frame = arpFrame(MAC_BROADCAST, GATEWAY_MAC, {
    operation: ARP_REQUEST,
    senderMac: GATEWAY_MAC,
    senderAddress: 0xc0000201,
    targetMac: 0,
    targetAddress: 0xc000020a,
  });
  bench.drain();
  bench.system.handleFrame(0, frame, bench.nowMs);
  deepEqual(bench.frames(), []);
  deepEqual(bench.system.describeNeighbors(), []);
});

test('the grace begins when peers have been told of the moves', () => {
  const bench = settledBench(2, 2);
  const offlineUntilDone = (): number => {
    const beganMs = bench.nowMs;
    const task = beginOffline(bench, 'net0');
    while (task.state === 'running') bench.advance(1);
    equal(task.state, 'done');
    return bench.nowMs - beganMs;
  };
  const waits: number[] = [];
  for (let round = 0; round < 3; round++) {
    bench.drain();
    const beganMs = bench.nowMs;
    waits.push(offlineUntilDone());
    const heard = bench.arps().filter(({ port, spa, tpa }) => port === 'net1' && spa === tpa);
    deepEqual([...new Set(heard.map(({ spa }) => spa))], ['192.0.2.10'], 'peers know who has it');
    ok(bench.nowMs - beganMs >= GRACE_MS);
    equal(online(bench, 'net0'), 'done');
  }
  deepEqual(waits.slice(0, 2), [GRACE_MS, GRACE_MS]);
  ok((waits[2] ?? 0) > GRACE_MS, `the third move of an address within a second: ${waits}`);
});
