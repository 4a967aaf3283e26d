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
import { Bench, interfaceSpec, macOf } from './bench.ts';

const activate = (bench: Bench, name: string): string =>
  bench.refusal(() => bench.system.activateInterface(name));
const setStandby = (bench: Bench, name: string, standby: boolean): string =>
  bench.refusal(() => bench.system.setInterface(name, { standby }));
const activity = (bench: Bench): string[] =>
  bench.told().filter((line) => /^interface-(active|standby)/.test(line));

function quiet(members: number, standbys: number[] = [], spec = {}): Bench {
  const bench = new Bench();
  bench.build(members, spec, standbys);
  bench.addresses('192.0.2.10', '192.0.2.11', '192.0.2.12', '192.0.2.13');
  bench.drain();
  return bench;
}

test('activate: what is refused has changed nothing and says nothing', () => {
  const bench = quiet(5, [4]);
  bench.run(() => bench.system.createInterface(interfaceSpec('net7')));
  bench.link('net1', 'down');
  bench.run(() => bench.system.offlineInterface('net2'));
  bench.vanish('net3');
  bench.drain();
  const describe = (): unknown => [
    bench.system.describeGroups(),
    bench.system.describeInterfaces(),
    bench.system.describeAddresses(),
  ];
  const before = describe();
  equal(activate(bench, 'net9'), 'ENXIO there is no interface net9');
  equal(activate(bench, 'net7'), 'EINVAL cannot activate interface net7: it is in no group');
  equal(
    activate(bench, 'net1'),
    'EINVAL cannot activate interface net1: it is failed: its link went down',
  );
  equal(
    activate(bench, 'net2'),
    'EINVAL cannot activate interface net2: it is offline: an operator took it offline',
  );
  equal(
    activate(bench, 'net3'),
    'EINVAL cannot activate interface net3: it is absent: its device went away',
  );
  equal(activate(bench, 'net0'), 'EALREADY interface net0 is active');
  equal(setStandby(bench, 'net9', true), 'ENXIO there is no interface net9');
  equal(setStandby(bench, 'net4', true), 'done');
  deepEqual(describe(), before);
  deepEqual(bench.events(), []);
  deepEqual(bench.publication.calls, []);
});

test('an activated standby works beside the others, takes its share, and stays', () => {
  const bench = quiet(3, [2]);
  deepEqual(bench.counts(), [2, 2, 0]);
  equal(activate(bench, 'net2'), 'done');
  deepEqual(bench.publication.calls, ['slot 2 2', 'active 0 111 0', 'replace']);
  deepEqual(activity(bench), ['interface-active net2 inactive>active activated']);
  equal(bench.members(), 'ok: net0 net1 net2');
  deepEqual(bench.counts(), [1, 2, 1]);
  bench.run(() => bench.system.setGroup('ipmp0', { failback: false }));
  bench.run(() => bench.system.setGroup('ipmp0', { failback: true }));
  bench.appear('net1', macOf(1), 1400);
  bench.run(() => bench.system.createInterface(interfaceSpec('net3')));
  bench.run(() => bench.system.joinGroup('ipmp0', 'net3'));
  bench.run(() => bench.system.leaveGroup('ipmp0', 'net3'));
  equal(bench.members(), 'ok: net0 net1 net2', 'whatever has the standbys looked at again');
  equal(activate(bench, 'net2'), 'EALREADY interface net2 is active');
});

test('its activation ends when it fails, goes offline, leaves, or vanishes', () => {
  const ends: readonly [string, (bench: Bench) => void, (bench: Bench) => void][] = [
    ['fails', (bench) => bench.link('net2', 'down'), (bench) => bench.link('net2', 'up')],
    ['vanishes', (bench) => bench.vanish('net2'), (bench) => bench.appear('net2')],
    [
      'goes offline',
      (bench) => bench.run(() => bench.system.offlineInterface('net2')),
      (bench) => bench.run(() => bench.system.onlineInterface('net2')),
    ],
    [
      'leaves',
      (bench) => bench.run(() => bench.system.leaveGroup('ipmp0', 'net2')),
      (bench) => bench.run(() => bench.system.joinGroup('ipmp0', 'net2')),
    ],
  ];
  for (const [what, end, back] of ends) {
    const bench = quiet(3, [2]);
    activate(bench, 'net2');
    end(bench);
    back(bench);
    equal(bench.members(), 'ok: net0 net1 (net2)', what);
  }
});

test('the activation of one standby puts no other to rest', () => {
  const bench = quiet(4, [2, 3]);
  bench.link('net1', 'down');
  equal(bench.members(), 'degraded: net0 net2 (net3) [net1]');
  equal(activate(bench, 'net3'), 'done');
  equal(bench.members(), 'degraded: net0 net2 net3 [net1]');
  bench.link('net1', 'up');
  equal(bench.members(), 'ok: net0 net1 net3 (net2)', 'the one that nobody activated rests');
});

test('a repair that finds enough at work puts an activated standby to rest', () => {
  const bench = quiet(3, [2]);
  activate(bench, 'net2');
  bench.link('net1', 'down');
  equal(bench.members(), 'degraded: net0 net2 [net1]');
  bench.link('net1', 'up');
  equal(bench.members(), 'ok: net0 net1 (net2)');
});

test('an activation that has ended is forgotten: the next turn is by rule', () => {
  const bench = quiet(3, [2]);
  activate(bench, 'net2');
  bench.link('net1', 'down');
  bench.link('net1', 'up');
  bench.link('net1', 'down');
  equal(bench.members(), 'degraded: net0 net2 [net1]');
  bench.run(() => bench.system.leaveGroup('ipmp0', 'net1'));
  equal(bench.members(), 'ok: net0 (net2)');
});

test('an attempt to take it offline that is refused leaves the activation', () => {
  const bench = quiet(3, [2]);
  activate(bench, 'net2');
  const { scheduler } = bench.system;
  const task = scheduler.spawn('offline', () => bench.system.offlineInterface('net2'));
  scheduler.run();
  for (const name of ['net0', 'net1']) bench.link(name, 'down');
  bench.advance(100);
  equal(task.state, 'failed');
  bench.run(() => bench.system.createInterface(interfaceSpec('net3')));
  bench.run(() => bench.system.joinGroup('ipmp0', 'net3'));
  bench.run(() => bench.system.createInterface(interfaceSpec('net4')));
  bench.run(() => bench.system.joinGroup('ipmp0', 'net4'));
  equal(bench.members(), 'degraded: net2 [net0] [net1] {net3} {net4}');
});

test('one that waits because failback is off is used again, and the standby rests', () => {
  const bench = quiet(3, [2], { failback: false });
  bench.link('net0', 'down');
  bench.link('net0', 'up');
  equal(bench.members(), 'ok: net1 net2 (net0)');
  bench.drain();
  equal(activate(bench, 'net0'), 'done');
  equal(bench.members(), 'ok: net0 net1 (net2)');
  deepEqual(activity(bench), [
    'interface-active net2 active>inactive member-repaired',
    'interface-active net0 inactive>active activated',
  ]);
});

test('in a group of standbys, one more works', () => {
  const bench = quiet(3, [0, 1, 2]);
  equal(bench.members(), 'ok: net0 (net1) (net2)');
  equal(activate(bench, 'net2'), 'done');
  equal(bench.members(), 'ok: net0 net2 (net1)');
});

test('standby on: it rests if enough others work, else it goes on', () => {
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

test('standby off: it works, and what stood in beyond the goal rests', () => {
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

test('standby on ends an activation; standby of an interface without group is remembered', () => {
  const bench = quiet(3, [2]);
  activate(bench, 'net2');
  setStandby(bench, 'net2', false);
  setStandby(bench, 'net2', true);
  equal(bench.members(), 'ok: net0 net1 (net2)');
  bench.run(() => bench.system.createInterface(interfaceSpec('net3')));
  bench.appear('net3');
  equal(setStandby(bench, 'net3', true), 'done');
  bench.run(() => bench.system.joinGroup('ipmp0', 'net3'));
  equal(bench.members(), 'ok: net0 net1 (net2) (net3)');
});
