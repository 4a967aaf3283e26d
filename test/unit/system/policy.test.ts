/** Standbys, failback and flap damping through the public API (docs/law.md rows 92, 99, 100). */

import { deepEqual, equal, match } from 'node:assert/strict';
import { test } from 'node:test';
import { Bench } from './bench.ts';

const DAMPED = { flapDamping: { ups: 2, withinMs: 60_000 } };

const textOf = (bench: Bench): string => bench.row('net0')?.cause_text ?? '';

test('a standby waits until a member fails, and is idle when it is repaired', () => {
  const bench = Bench.of(3, {}, [2]);
  equal(bench.members(), 'ok: net0 net1 (net2)');
  bench.addresses('192.0.2.10', '192.0.2.11', '192.0.2.12', '192.0.2.13');
  deepEqual(bench.counts(), [2, 2, 0]);
  bench.drain();
  bench.link('net0', 'down');
  equal(bench.members(), 'degraded: net1 net2 [net0]');
  deepEqual(
    bench.counts(),
    [0, 2, 2],
    'the replacement gets the addresses of the failed one: each moves once',
  );
  equal(bench.eventLines(/^address-moved/).length, 2);
  bench.link('net0', 'up');
  equal(bench.members(), 'ok: net0 net1 (net2)');
  deepEqual(bench.counts(), [2, 2, 0]);
});

test('the replacement is in the mask by the same store that takes the failed one out', () => {
  const bench = Bench.of(2, {}, [1]);
  bench.drain();
  bench.link('net0', 'down');
  deepEqual(bench.publication.calls.slice(0, 3), ['slot 1 1', 'active 0 10 0', 'cast 0 1']);
});

test('causes of a replacement and of its end, in events and rows', () => {
  const bench = Bench.of(2, {}, [1]);
  equal(bench.row('net1')?.cause, 'standby-idle');
  bench.link('net0', 'down');
  deepEqual(bench.eventLines(/^interface-active/), [
    'interface-active net0 active>inactive link-down',
    'interface-active net1 inactive>active member-failed',
  ]);
  equal(bench.row('net0')?.cause, 'link-down');
  bench.link('net0', 'up');
  deepEqual(bench.eventLines(/^interface-active/), [
    'interface-active net1 active>inactive member-repaired',
    'interface-active net0 inactive>active link-up',
  ]);
  equal(bench.system.describeFailovers().length, 1, 'becoming idle is no failover');
});

test('several failures: the number of active members is kept while there are standbys', () => {
  const bench = Bench.of(5, {}, [3, 4]);
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

test('a group of standbys has one active; a member that appears takes over', () => {
  const bench = Bench.of(2, {}, [0, 1]);
  equal(bench.members(), 'ok: net0 (net1)');
  bench.link('net0', 'down');
  equal(bench.members(), 'degraded: net1 [net0]');
  bench.link('net0', 'up');
  equal(bench.members(), 'ok: net1 (net0)');
  bench.add('net2');
  equal(bench.members(), 'degraded: net1 (net0) {net2}');
  bench.appear('net2');
  equal(bench.members(), 'ok: net2 (net0) (net1)');
});

test('without failback a repaired member waits until another fails', () => {
  const bench = Bench.of(2, { failback: false });
  bench.flap('net0');
  equal(bench.members(), 'ok: net1 (net0)');
  match(textOf(bench), /failback is off/);
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

test('the third link-up within a minute waits until the minute is over, with one event', () => {
  const bench = Bench.of(2, DAMPED);
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
  match(textOf(bench), /flap-damping/);
  equal(bench.eventLines(/^interface-damped/).length, 1);
  bench.flap('net0');
  equal(bench.eventLines(/^interface-damped/).length, 0);
  bench.advance(59_900);
  equal(bench.members(), 'degraded: net1 [net0]');
  bench.advance(200);
  equal(bench.members(), 'ok: net0 net1');
  equal(bench.nowMs - beganMs < 60_200, true);
  equal(bench.row('net0')?.cause, 'damping-over');
});

test('a flapping interface is better than none', () => {
  const bench = Bench.of(2, DAMPED);
  bench.flap('net0', 3);
  equal(bench.members(), 'degraded: net1 [net0]');
  bench.link('net1', 'down');
  equal(bench.members(), 'degraded: net0 [net1]');
  match(textOf(bench), /no other interface of the group works/);
});

test('a damped link that goes down is not repaired when damping ends', () => {
  const bench = Bench.of(2, DAMPED);
  bench.flap('net0', 3);
  bench.link('net0', 'down');
  bench.advance(120_000);
  equal(bench.members(), 'degraded: net1 [net0]');
  bench.link('net0', 'up');
  equal(bench.members(), 'ok: net0 net1');
});

test('flaps that a change counter hides count; the state is right afterwards', () => {
  const bench = Bench.of(2, DAMPED);
  bench.link('net0', 'up', 4);
  bench.link('net0', 'up', 2_004);
  equal(bench.members(), 'ok: net0 net1', 'it is up, so nothing has failed');
  bench.link('net0', 'down', 2_005);
  bench.link('net0', 'up', 2_006);
  equal(bench.members(), 'degraded: net1 [net0]', 'but the next link-up is not believed');
  bench.advance(60_001);
  equal(bench.members(), 'ok: net0 net1');
});

test('the end of flap damping by an operator repairs a damped member', () => {
  const bench = Bench.of(2, DAMPED);
  bench.flap('net0', 3);
  bench.run(() => bench.system.setGroup('ipmp0', { flapDamping: null }));
  equal(bench.members(), 'ok: net0 net1');
});

test('settings out of range are refused and change nothing', () => {
  const bench = Bench.of(1);
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

test('a member that is active from its join on has the cause joined', () => {
  const bench = Bench.of(2);
  bench.leave('ipmp0', 'net1');
  bench.flap('net1');
  bench.drain();
  bench.join('ipmp0', 'net1');
  const active = bench.eventLines(/^interface-active/);
  deepEqual(active, ['interface-active net1 inactive>active joined']);
  const first = new Bench();
  first.create('net0');
  first.appear('net0');
  first.drain();
  first.createGroup({ interfaces: ['net0'] });
  const lines = first.eventLines(/^(interface-active|nominated)/);
  deepEqual(lines, ['interface-active net0 inactive>active joined', 'nominated net0 >net0 joined']);
});
