/** Standbys, failback and flap damping through the public API (docs/law.md rows 92, 99, 100). */

import { deepEqual, equal, match } from 'node:assert/strict';
import { test } from 'node:test';
import { Bench, groupSpec, interfaceSpec } from './bench.ts';

const DAMPING = { ups: 2, withinMs: 60_000 };

test('a standby waits until a member fails, and rests when it is repaired', () => {
  const bench = new Bench();
  bench.build(3, {}, [2]);
  equal(bench.members(), 'ok: net0 net1 (net2)');
  bench.addresses('192.0.2.10', '192.0.2.11', '192.0.2.12', '192.0.2.13');
  deepEqual(bench.counts(), [2, 2, 0]);
  bench.drain();
  bench.link('net0', 'down');
  equal(bench.members(), 'degraded: net1 net2 [net0]');
  deepEqual(bench.counts(), [0, 2, 2], 'the replacement gets what was lost: each moves once');
  equal(bench.told().filter((line) => line.startsWith('address-moved')).length, 2);
  bench.link('net0', 'up');
  equal(bench.members(), 'ok: net0 net1 (net2)');
  deepEqual(bench.counts(), [2, 2, 0]);
});

test('the replacement is in the mask by the same store that takes the failed one out', () => {
  const bench = new Bench();
  bench.build(2, {}, [1]);
  bench.drain();
  bench.link('net0', 'down');
  deepEqual(bench.publication.calls.slice(0, 3), ['slot 1 1', 'active 0 10 0', 'cast 0 1']);
});

test('causes: the replacement, the rest, and what each row says', () => {
  const bench = new Bench();
  bench.build(2, {}, [1]);
  const cause = (n: number): string | undefined => bench.system.describeInterfaces()[n]?.cause;
  equal(cause(1), 'standby-idle');
  bench.link('net0', 'down');
  deepEqual(
    bench.told().filter((line) => line.startsWith('interface-active')),
    [
      'interface-active net0 active>inactive link-down',
      'interface-active net1 inactive>active member-failed',
    ],
  );
  equal(cause(0), 'link-down');
  bench.link('net0', 'up');
  deepEqual(
    bench.told().filter((line) => line.startsWith('interface-active')),
    [
      'interface-active net1 active>inactive member-repaired',
      'interface-active net0 inactive>active link-up',
    ],
  );
  deepEqual(bench.system.describeFailovers().length, 1, 'resting is no failover');
});

test('several failures: the number of active members is kept while there are standbys', () => {
  const bench = new Bench();
  bench.build(5, {}, [3, 4]);
  equal(bench.members(), 'ok: net0 net1 net2 (net3) (net4)');
  bench.link('net0', 'down');
  bench.link('net1', 'down');
  equal(bench.members(), 'degraded: net2 net3 net4 [net0] [net1]');
  bench.link('net3', 'down');
  equal(bench.members(), 'degraded: net2 net4 [net0] [net1] [net3]');
  bench.link('net0', 'up');
  equal(bench.members(), 'degraded: net0 net2 net4 [net1] [net3]');
  bench.link('net1', 'up');
  equal(bench.members(), 'degraded: net0 net1 net2 (net4) [net3]');
});

test('a group of standbys has one that works; a member that appears takes over', () => {
  const bench = new Bench();
  bench.build(2, {}, [0, 1]);
  equal(bench.members(), 'ok: net0 (net1)');
  bench.link('net0', 'down');
  equal(bench.members(), 'degraded: net1 [net0]');
  bench.link('net0', 'up');
  equal(bench.members(), 'ok: net1 (net0)');
  bench.run(() => bench.system.createInterface(interfaceSpec('net2')));
  bench.run(() => bench.system.joinGroup('ipmp0', 'net2'));
  equal(bench.members(), 'degraded: net1 (net0) {net2}');
  bench.appear('net2');
  equal(bench.members(), 'ok: net2 (net0) (net1)');
});

test('without failback a repaired member waits until another fails', () => {
  const bench = new Bench();
  bench.build(2, { failback: false });
  bench.link('net0', 'down');
  bench.link('net0', 'up');
  equal(bench.members(), 'ok: net1 (net0)');
  match(bench.system.describeInterfaces()[0]?.cause_text ?? '', /failback is off/);
  bench.link('net1', 'down');
  equal(bench.members(), 'degraded: net0 [net1]');
  bench.link('net0', 'down');
  bench.link('net1', 'up');
  equal(bench.members(), 'degraded: net1 [net0]', 'a failed group has no choice');
  bench.link('net0', 'up');
  equal(bench.members(), 'ok: net1 (net0)');
  bench.run(() => bench.system.setGroup('ipmp0', { failback: true }));
  equal(bench.members(), 'ok: net0 net1');
});

test('the third link-up within a minute waits until the minute is over; told once', () => {
  const bench = new Bench();
  bench.build(2, { flapDamping: DAMPING });
  const beganMs = bench.nowMs;
  for (let flap = 0; flap < 2; flap++) {
    bench.link('net0', 'down');
    bench.advance(10);
    bench.link('net0', 'up');
    equal(bench.members().includes('[net0]'), false, 'the first two are believed');
    bench.advance(10);
  }
  bench.link('net0', 'down');
  bench.drain();
  bench.link('net0', 'up');
  equal(bench.members(), 'degraded: net1 [net0]');
  match(bench.system.describeInterfaces()[0]?.cause_text ?? '', /flap-damping/);
  equal(bench.told().filter((line) => line.startsWith('interface-damped')).length, 1);
  bench.link('net0', 'down');
  bench.link('net0', 'up');
  equal(bench.told().filter((line) => line.startsWith('interface-damped')).length, 0);
  bench.advance(59_900);
  equal(bench.members(), 'degraded: net1 [net0]');
  bench.advance(200);
  equal(bench.members(), 'ok: net0 net1');
  equal(bench.nowMs - beganMs < 60_200, true);
  equal(bench.system.describeInterfaces()[0]?.cause, 'damping-over');
});

test('a flapping interface is better than none', () => {
  const bench = new Bench();
  bench.build(2, { flapDamping: DAMPING });
  for (let flap = 0; flap < 3; flap++) {
    bench.link('net0', 'down');
    bench.link('net0', 'up');
  }
  equal(bench.members(), 'degraded: net1 [net0]');
  bench.link('net1', 'down');
  equal(bench.members(), 'degraded: net0 [net1]');
  match(
    bench.system.describeInterfaces()[0]?.cause_text ?? '',
    /no other interface of the group works/,
  );
});

test('a link that goes down while it is held back is not repaired by the clock', () => {
  const bench = new Bench();
  bench.build(2, { flapDamping: DAMPING });
  for (let flap = 0; flap < 3; flap++) {
    bench.link('net0', 'down');
    bench.link('net0', 'up');
  }
  bench.link('net0', 'down');
  bench.advance(120_000);
  equal(bench.members(), 'degraded: net1 [net0]');
  bench.link('net0', 'up');
  equal(bench.members(), 'ok: net0 net1');
});

test('flaps that were not seen one by one count; the state is right afterwards', () => {
  const bench = new Bench();
  bench.build(2, { flapDamping: DAMPING });
  bench.link('net0', 'up', 4);
  bench.link('net0', 'up', 2_004);
  equal(bench.members(), 'ok: net0 net1', 'it is up, so nothing has failed');
  bench.link('net0', 'down', 2_005);
  bench.link('net0', 'up', 2_006);
  equal(bench.members(), 'degraded: net1 [net0]', 'but the next link-up is not believed');
  bench.advance(60_001);
  equal(bench.members(), 'ok: net0 net1');
});

test('switching damping off frees who is held back', () => {
  const bench = new Bench();
  bench.build(2, { flapDamping: DAMPING });
  for (let flap = 0; flap < 3; flap++) {
    bench.link('net0', 'down');
    bench.link('net0', 'up');
  }
  bench.run(() => bench.system.setGroup('ipmp0', { flapDamping: null }));
  equal(bench.members(), 'ok: net0 net1');
});

test('settings out of range are refused and change nothing', () => {
  const bench = new Bench();
  bench.build(1);
  const set = (changes: object): string =>
    bench.refusal(() => bench.system.setGroup('ipmp0', changes));
  match(
    set({ failureDetectionTimeMs: 10 }),
    /^EINVAL .*failure-detection-time 10ms \(50ms \.\. 1h\)/,
  );
  match(set({ mtu: 500 }), /^EINVAL .*mtu 500/);
  match(set({ neighbors: 3 }), /^EINVAL .*neighbors 3 \(64 \.\. 65536\)/);
  match(set({ flapDamping: { ups: 0, withinMs: 1 } }), /^EINVAL .*flap-damping\.ups 0/);
  equal(bench.system.describeGroups()[0]?.fdt_ms, 1000);
});

test('who becomes active by joining does so because it joined, whatever came before', () => {
  const bench = new Bench();
  bench.build(2);
  bench.run(() => bench.system.leaveGroup('ipmp0', 'net1'));
  bench.link('net1', 'down');
  bench.link('net1', 'up');
  bench.drain();
  bench.run(() => bench.system.joinGroup('ipmp0', 'net1'));
  const active = bench.told().filter((line) => line.startsWith('interface-active'));
  deepEqual(active, ['interface-active net1 inactive>active joined']);
  const first = new Bench();
  first.run(() => first.system.createInterface(interfaceSpec('net0')));
  first.appear('net0');
  first.drain();
  first.run(() => first.system.createGroup(groupSpec({ interfaces: ['net0'] })));
  const told = first.told().filter((line) => /^(interface-active|nominated)/.test(line));
  deepEqual(told, ['interface-active net0 inactive>active joined', 'nominated net0 >net0 joined']);
});
