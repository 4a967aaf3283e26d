/**
 * What becomes of an interface that the operator took offline: his wish outlives device, link and
 * membership, and what is noted meanwhile applies when it is brought online (docs/law.md rows 97,
 * 103 to 105).
 *
 * | request                                      | refusal                                   |
 * |----------------------------------------------|-------------------------------------------|
 * | online: another member has its MAC           | EADDRINUSE, offline for that reason now   |
 */

import { deepEqual, equal, match } from 'node:assert/strict';
import { test } from 'node:test';
import { groupSpec, macOf } from './bench.ts';
import { interfaceRow, offline, online, settledBench } from './operator-bench.ts';

test('failback off: who is brought online does not wait', () => {
  const bench = settledBench(2, 2, { failback: false });
  equal(offline(bench, 'net0'), 'done');
  deepEqual(bench.counts(), [0, 2]);
  equal(online(bench, 'net0'), 'done');
  equal(bench.members(), 'ok: net0 net1');
  deepEqual(bench.counts(), [1, 1]);
});

test('the wish outlives the device', () => {
  const bench = settledBench(2, 2);
  offline(bench, 'net0');
  bench.drain();
  bench.vanish('net0');
  equal(bench.members(), 'degraded: net1 {net0}');
  deepEqual(interfaceRow(bench, 'net0')?.flags, ['OFFLINE']);
  bench.appear('net0');
  equal(bench.members(), 'degraded: net1 <net0>');
  deepEqual(bench.told(), [
    'interface-state net0 offline>absent device-vanished',
    'interface-link net0 unknown>up link-up',
    'interface-state net0 absent>offline taken-offline',
  ]);
  deepEqual(bench.counts(), [0, 2]);
  equal(online(bench, 'net0'), 'done');
  equal(bench.members(), 'ok: net0 net1');
});

test('an absent interface is taken offline before it comes, and brought online absent', () => {
  const bench = settledBench(2, 1);
  bench.vanish('net0');
  bench.drain();
  equal(offline(bench, 'net0'), 'done');
  deepEqual(bench.told(), ['interface-state net0 absent>absent taken-offline']);
  equal(interfaceRow(bench, 'net0')?.state, 'absent');
  equal(offline(bench, 'net0'), 'EALREADY interface net0 is offline');
  bench.appear('net0');
  equal(bench.members(), 'degraded: net1 <net0>');
  bench.vanish('net0');
  equal(online(bench, 'net0'), 'done');
  equal(interfaceRow(bench, 'net0')?.cause, 'device-absent');
  bench.appear('net0');
  equal(bench.members(), 'ok: net0 net1');
});

test('a link that goes down and up changes nothing, and is not told as a change of state', () => {
  const bench = settledBench(2, 2);
  offline(bench, 'net0');
  bench.drain();
  bench.link('net0', 'down');
  deepEqual(interfaceRow(bench, 'net0')?.flags, ['FAILED', 'OFFLINE']);
  equal(interfaceRow(bench, 'net0')?.cause, 'taken-offline');
  bench.link('net0', 'up');
  deepEqual(bench.told(), [
    'interface-link net0 up>down link-down',
    'interface-link net0 down>up link-up',
  ]);
  deepEqual(bench.frames(), [], 'nothing is announced');
  deepEqual(bench.publication.calls, []);
  equal(bench.members(), 'degraded: net1 <net0>');
});

test('what was noted while it was offline applies when it comes back: link down', () => {
  const bench = settledBench(2, 2);
  offline(bench, 'net0');
  bench.link('net0', 'down');
  bench.drain();
  equal(online(bench, 'net0'), 'done');
  deepEqual(bench.told(), ['interface-state net0 offline>failed link-down']);
  equal(bench.members(), 'degraded: net1 [net0]');
  bench.link('net0', 'up');
  equal(bench.members(), 'ok: net0 net1');
});

test('what was noted while it was offline applies when it comes back: a link that flaps', () => {
  const bench = settledBench(2, 2, { flapDamping: { ups: 2, withinMs: 60_000 } });
  for (let flap = 0; flap < 2; flap++) {
    bench.link('net0', 'down');
    bench.link('net0', 'up');
  }
  equal(offline(bench, 'net0'), 'done');
  equal(online(bench, 'net0'), 'done');
  equal(bench.members(), 'ok: net0 net1', 'it was believed before, and nothing has happened');
  offline(bench, 'net0');
  bench.link('net0', 'down');
  bench.link('net0', 'up');
  equal(online(bench, 'net0'), 'done');
  equal(bench.members(), 'degraded: net1 [net0]');
  match(interfaceRow(bench, 'net0')?.cause_text ?? '', /flap-damping/);
  offline(bench, 'net0');
  bench.advance(60_000);
  equal(online(bench, 'net0'), 'done');
  equal(bench.members(), 'ok: net0 net1', 'the time went on while it was offline');
  for (let flap = 0; flap < 3; flap++) {
    bench.link('net0', 'down');
    bench.link('net0', 'up');
  }
  equal(bench.members(), 'degraded: net1 [net0]');
  offline(bench, 'net0');
  online(bench, 'net0');
  equal(bench.members(), 'degraded: net1 [net0]');
  bench.advance(60_001);
  equal(bench.members(), 'ok: net0 net1', 'its repair is still waited for');
});

test('who is offline is no last resort', () => {
  const bench = settledBench(2, 1, { flapDamping: { ups: 2, withinMs: 60_000 } });
  for (let flap = 0; flap < 3; flap++) {
    bench.link('net0', 'down');
    bench.link('net0', 'up');
  }
  offline(bench, 'net0');
  bench.link('net1', 'down');
  equal(bench.members(), 'failed: [net1] <net0>');
  equal(online(bench, 'net0'), 'done');
  equal(bench.members(), 'degraded: net0 [net1]', 'now it is');
});

test('a clash is another matter: its peer comes online when it goes offline', () => {
  const bench = settledBench(3, 3);
  bench.appear('net2', macOf(0));
  equal(bench.members(), 'degraded: net0 net1 <net2>');
  equal(
    online(bench, 'net2'),
    'EADDRINUSE cannot bring interface net2 online: interface net0 has the same MAC',
  );
  equal(offline(bench, 'net0'), 'done');
  equal(bench.members(), 'degraded: net1 net2 <net0>');
  equal(interfaceRow(bench, 'net0')?.cause, 'taken-offline');
  bench.drain();
  equal(
    online(bench, 'net0'),
    'EADDRINUSE cannot bring interface net0 online: interface net2 has the same MAC',
  );
  deepEqual(bench.told(), ['interface-state net0 offline>offline duplicate-mac']);
  equal(interfaceRow(bench, 'net0')?.cause, 'duplicate-mac');
  bench.appear('net2', macOf(2));
  equal(bench.members(), 'ok: net0 net1 net2', 'the wish has ended');
});

test('a clashing interface can be taken offline, and then the clash does not free it', () => {
  const bench = settledBench(3, 3);
  bench.appear('net2', macOf(0));
  equal(offline(bench, 'net2'), 'done');
  bench.appear('net0', macOf(7));
  equal(bench.members(), 'degraded: net0 net1 <net2>');
  equal(online(bench, 'net2'), 'done');
  equal(bench.members(), 'ok: net0 net1 net2');
});

test('a clashing interface whose link is down, taken offline and brought back: failed', () => {
  const bench = settledBench(3, 3);
  bench.appear('net2', macOf(0));
  bench.link('net2', 'down');
  equal(offline(bench, 'net2'), 'done');
  bench.appear('net2', macOf(2));
  equal(online(bench, 'net2'), 'done');
  equal(bench.members(), 'degraded: net0 net1 [net2]');
  equal(interfaceRow(bench, 'net2')?.cause, 'link-down');
});

test('a NIC that is offline changes its MAC: no clash before it comes back', () => {
  const bench = settledBench(2, 2);
  offline(bench, 'net0');
  bench.appear('net0', macOf(1));
  equal(interfaceRow(bench, 'net0')?.cause, 'taken-offline');
  bench.appear('net0', macOf(0));
  equal(online(bench, 'net0'), 'done');
  equal(bench.members(), 'ok: net0 net1');
});

test('who was offline for its MAC is not so outside the group', () => {
  const bench = settledBench(3, 3);
  bench.appear('net2', macOf(0));
  bench.run(() => bench.system.leaveGroup('ipmp0', 'net2'));
  equal(interfaceRow(bench, 'net2')?.state, 'ok');
});

test('the wish outlives the membership', () => {
  const bench = settledBench(2, 2);
  offline(bench, 'net0');
  bench.run(() => bench.system.leaveGroup('ipmp0', 'net0'));
  equal(interfaceRow(bench, 'net0')?.state, 'offline');
  match(offline(bench, 'net0'), /^EINVAL .* it is in no group/);
  bench.run(() => bench.system.createGroup(groupSpec({ name: 'ipmp1', interfaces: ['net0'] })));
  equal(interfaceRow(bench, 'net0')?.state, 'offline');
  equal(interfaceRow(bench, 'net0')?.active, false);
  bench.run(() => bench.system.leaveGroup('ipmp1', 'net0'));
  equal(online(bench, 'net0'), 'done');
  equal(interfaceRow(bench, 'net0')?.state, 'ok');
});
