/**
 * Making a waiting interface active, and turning STANDBY on and off, through the public API
 * (docs/law.md rows 99, 100; the end of an activation: head of standby.ts).
 *
 * | request                                     | refusal                                    |
 * |---------------------------------------------|--------------------------------------------|
 * | activate, set: unknown interface            | ENXIO                                      |
 * | activate: in no group                       | EINVAL                                     |
 * | activate: failed, offline, absent           | EINVAL, saying which                       |
 * | activate: active                            | EALREADY                                   |
 * | set standby: as it is                       | done, nothing changes                      |
 */

import { deepEqual, equal } from 'node:assert/strict';
import { test } from 'node:test';
import { Bench, describe, macOf } from '../bench.ts';

const activate = (bench: Bench, name: string): string =>
  bench.refusal(() => bench.system.activateInterface(name));
const setStandby = (bench: Bench, name: string, standby: boolean): string =>
  bench.refusal(() => bench.system.setInterface(name, { standby }));
const activity = (bench: Bench): string[] => bench.eventLines(/^interface-(active|standby)/);

/** A settled group with four addresses. */
const quiet = (members: number, standbys: number[] = [], spec = {}): Bench =>
  Bench.settled(members, 4, spec, standbys);

test('activate: a refusal changes nothing and emits no event', () => {
  const bench = quiet(5, [4]);
  bench.create('net7');
  bench.link('net1', 'down');
  bench.offline('net2');
  bench.vanish('net3');
  bench.drain();
  const before = describe(bench.system);
  const cannot = (name: string): string => `EINVAL cannot activate interface ${name}: it is`;
  for (const [name, refusal] of [
    ['net9', 'ENXIO there is no interface net9'],
    ['net7', `${cannot('net7')} in no group`],
    ['net1', `${cannot('net1')} failed: its link went down`],
    ['net2', `${cannot('net2')} offline: an operator took it offline`],
    ['net3', `${cannot('net3')} absent: its device went away`],
    ['net0', 'EALREADY interface net0 is active'],
  ] as const) {
    equal(activate(bench, name), refusal);
  }
  equal(setStandby(bench, 'net9', true), 'ENXIO there is no interface net9');
  equal(setStandby(bench, 'net4', true), 'done');
  deepEqual(describe(bench.system), before);
  deepEqual(bench.events(), []);
  deepEqual(bench.publication.calls, []);
});

test('an activated standby works beside the others, takes its share, and stays', () => {
  const bench = Bench.detecting(3, 4, {}, [2]);
  deepEqual(bench.counts(), [2, 2, 0]);
  equal(activate(bench, 'net2'), 'done');
  deepEqual(bench.publication.calls, ['slot 2 2', 'active 0 111 0', 'replace']);
  deepEqual(activity(bench), ['interface-active net2 inactive>active activated']);
  equal(bench.members(), 'ok: net0 net1 net2');
  deepEqual(bench.counts(), [1, 2, 1]);
  bench.run(() => bench.system.setGroup('ipmp0', { failback: false }));
  bench.run(() => bench.system.setGroup('ipmp0', { failback: true }));
  bench.appear('net1', macOf(1), 1400);
  bench.add('net3');
  bench.leave('ipmp0', 'net3');
  equal(bench.members(), 'ok: net0 net1 net2', 'after every correction of the standbys');
  equal(activate(bench, 'net2'), 'EALREADY interface net2 is active');
});

test('its activation ends when it fails, goes offline, leaves, or vanishes', () => {
  type Step = (bench: Bench) => void;
  const ends: readonly [string, Step, Step][] = [
    ['fails', (bench) => bench.link('net2', 'down'), (bench) => bench.link('net2', 'up')],
    ['vanishes', (bench) => bench.vanish('net2'), (bench) => bench.appear('net2')],
    ['goes offline', (bench) => bench.offline('net2'), (bench) => bench.online('net2')],
    ['leaves', (bench) => bench.leave('ipmp0', 'net2'), (bench) => bench.join('ipmp0', 'net2')],
  ];
  for (const [what, end, back] of ends) {
    const bench = quiet(3, [2]);
    activate(bench, 'net2');
    end(bench);
    back(bench);
    equal(bench.members(), 'ok: net0 net1 (net2)', what);
  }
});

test('the activation of one standby deactivates no other', () => {
  const bench = quiet(4, [2, 3]);
  bench.link('net1', 'down');
  equal(bench.members(), 'degraded: net0 net2 (net3) [net1]');
  equal(activate(bench, 'net3'), 'done');
  equal(bench.members(), 'degraded: net0 net2 net3 [net1]');
  bench.link('net1', 'up');
  equal(
    bench.members(),
    'ok: net0 net1 net3 (net2)',
    'the one that was not activated is idle again',
  );
});

test('a repair with enough active members ends the activation of a standby', () => {
  const bench = quiet(3, [2]);
  activate(bench, 'net2');
  bench.link('net1', 'down');
  equal(bench.members(), 'degraded: net0 net2 [net1]');
  bench.link('net1', 'up');
  equal(bench.members(), 'ok: net0 net1 (net2)');
});

test('after its activation has ended, a standby is chosen by rule again', () => {
  const bench = quiet(3, [2]);
  activate(bench, 'net2');
  bench.flap('net1');
  bench.link('net1', 'down');
  equal(bench.members(), 'degraded: net0 net2 [net1]');
  bench.leave('ipmp0', 'net1');
  equal(bench.members(), 'ok: net0 (net2)');
});

test('a refused attempt to take it offline leaves the activation', () => {
  const bench = quiet(3, [2]);
  activate(bench, 'net2');
  const task = bench.begin(() => bench.system.offlineInterface('net2'));
  for (const name of ['net0', 'net1']) bench.link(name, 'down');
  bench.advance(100);
  equal(task.state, 'failed');
  bench.add('net3');
  bench.add('net4');
  equal(bench.members(), 'degraded: net2 [net0] [net1] {net3} {net4}');
});

test('a member that waits because failback is off is used again, and the standby is idle', () => {
  const bench = quiet(3, [2], { failback: false });
  bench.flap('net0');
  equal(bench.members(), 'ok: net1 net2 (net0)');
  bench.drain();
  equal(activate(bench, 'net0'), 'done');
  equal(bench.members(), 'ok: net0 net1 (net2)');
  deepEqual(activity(bench), [
    'interface-active net2 active>inactive member-repaired',
    'interface-active net0 inactive>active activated',
  ]);
});

test('in a group of standbys one more becomes active', () => {
  const bench = quiet(3, [0, 1, 2]);
  equal(bench.members(), 'ok: net0 (net1) (net2)');
  equal(activate(bench, 'net2'), 'done');
  equal(bench.members(), 'ok: net0 net2 (net1)');
});

test('standby on: it becomes idle if enough others work, else it stays active', () => {
  const bench = quiet(3);
  equal(setStandby(bench, 'net2', true), 'done');
  equal(bench.members(), 'ok: net0 net1 (net2)');
  deepEqual(bench.counts(), [2, 2, 0]);
  deepEqual(activity(bench), [
    'interface-standby net2 off>on configured',
    'interface-active net2 active>inactive standby-idle',
  ]);
  const [, , row] = bench.system.describeInterfaces();
  deepEqual([row?.standby, row?.flags], [true, ['RUNNING', 'STANDBY', 'INACTIVE']]);
  bench.link('net0', 'down');
  equal(setStandby(bench, 'net1', true), 'done');
  equal(bench.members(), 'degraded: net2 (net1) [net0]', 'one is enough for one');
  bench.link('net2', 'down');
  equal(bench.members(), 'degraded: net1 [net0] [net2]');
  equal(setStandby(bench, 'net1', false), 'done');
  equal(setStandby(bench, 'net1', true), 'done');
  equal(bench.members(), 'degraded: net1 [net0] [net2]', 'there is no other');
});

test('standby on of a member that waits because failback is off: it waits as a standby', () => {
  const bench = quiet(3, [], { failback: false });
  bench.flap('net0');
  equal(bench.members(), 'ok: net1 net2 (net0)');
  activity(bench);
  equal(setStandby(bench, 'net0', true), 'done');
  equal(bench.members(), 'ok: net1 net2 (net0)');
  deepEqual(activity(bench), ['interface-standby net0 off>on configured']);
  deepEqual(bench.row('net0')?.flags, ['RUNNING', 'STANDBY', 'INACTIVE']);
  bench.link('net1', 'down');
  equal(bench.members(), 'degraded: net0 net2 [net1]');
});

test('standby off: it becomes active, and a surplus standby idle', () => {
  const bench = quiet(4, [2, 3]);
  equal(setStandby(bench, 'net2', false), 'done');
  equal(bench.members(), 'ok: net0 net1 net2 (net3)');
  deepEqual(activity(bench), [
    'interface-standby net2 on>off configured',
    'interface-active net2 inactive>active configured',
  ]);
  deepEqual(bench.counts(), [1, 2, 1, 0]);
  bench.link('net0', 'down');
  equal(bench.members(), 'degraded: net1 net2 net3 [net0]');
  equal(setStandby(bench, 'net0', true), 'done', 'also one that has failed');
  equal(bench.members(), 'degraded: net1 net2 (net3) [net0]');
  equal(setStandby(bench, 'net0', false), 'done');
  equal(bench.members(), 'degraded: net1 net2 net3 [net0]');
});

test('standby off while failback is off: it does not wait', () => {
  const bench = quiet(3, [2], { failback: false });
  equal(setStandby(bench, 'net2', false), 'done');
  equal(bench.members(), 'ok: net0 net1 net2');
});

test('standby on ends an activation; an interface without a group keeps the setting', () => {
  const bench = quiet(3, [2]);
  activate(bench, 'net2');
  setStandby(bench, 'net2', false);
  setStandby(bench, 'net2', true);
  equal(bench.members(), 'ok: net0 net1 (net2)');
  bench.create('net3');
  bench.appear('net3');
  equal(setStandby(bench, 'net3', true), 'done');
  bench.join('ipmp0', 'net3');
  equal(bench.members(), 'ok: net0 net1 (net2) (net3)');
});
