/**
 * An interface that the operator took offline stays so over changes of its device, its link and its
 * membership; evidence noted meanwhile applies when it is brought online (docs/law.md rows 97, 103
 * to 105).
 *
 * | request                                      | refusal                                   |
 * |----------------------------------------------|-------------------------------------------|
 * | online: another member has its MAC           | EADDRINUSE, offline for that reason now   |
 */

import { deepEqual, equal, match } from 'node:assert/strict';
import { test } from 'node:test';
import { Bench, macOf, refuses } from '../bench.ts';

test('failback off: a member that is brought online does not wait', () => {
  const bench = Bench.settled(2, 2, { failback: false });
  bench.offline('net0');
  deepEqual(bench.counts(), [0, 2]);
  bench.online('net0');
  equal(bench.members(), 'ok: net0 net1');
  deepEqual(bench.counts(), [1, 1]);
});

test('it stays offline when its device vanishes and appears again', () => {
  const bench = Bench.settled(2, 2);
  bench.offline('net0');
  bench.drain();
  bench.vanish('net0');
  equal(bench.members(), 'degraded: net1 {net0}');
  deepEqual(bench.row('net0')?.flags, ['OFFLINE']);
  bench.appear('net0');
  equal(bench.members(), 'degraded: net1 <net0>');
  deepEqual(bench.eventLines(), [
    'interface-state net0 offline>absent device-vanished',
    'interface-link net0 unknown>up link-up',
    'interface-state net0 absent>offline taken-offline',
  ]);
  deepEqual(bench.counts(), [0, 2]);
  bench.online('net0');
  equal(bench.members(), 'ok: net0 net1');
});

test('an absent interface is taken offline before it comes, and brought online absent', () => {
  const bench = Bench.settled(2, 1);
  bench.vanish('net0');
  bench.drain();
  bench.offline('net0');
  deepEqual(bench.eventLines(), ['interface-state net0 absent>absent taken-offline']);
  equal(bench.row('net0')?.state, 'absent');
  refuses('EALREADY interface net0 is offline', () => bench.offline('net0'));
  bench.appear('net0');
  equal(bench.members(), 'degraded: net1 <net0>');
  bench.vanish('net0');
  bench.online('net0');
  equal(bench.row('net0')?.cause, 'device-absent');
  bench.appear('net0');
  equal(bench.members(), 'ok: net0 net1');
});

test('a link that goes down and up changes nothing, and is no event of a state', () => {
  const bench = Bench.settled(2, 2);
  bench.offline('net0');
  bench.drain();
  bench.link('net0', 'down');
  deepEqual(bench.row('net0')?.flags, ['FAILED', 'OFFLINE']);
  equal(bench.row('net0')?.cause, 'taken-offline');
  bench.link('net0', 'up');
  deepEqual(bench.eventLines(), [
    'interface-link net0 up>down link-down',
    'interface-link net0 down>up link-up',
  ]);
  deepEqual(bench.frames(), [], 'nothing is announced');
  deepEqual(bench.publication.calls, []);
  equal(bench.members(), 'degraded: net1 <net0>');
});

test('a link that went down while it was offline counts when it is online', () => {
  const bench = Bench.settled(2, 2);
  bench.offline('net0');
  bench.link('net0', 'down');
  bench.drain();
  bench.online('net0');
  deepEqual(bench.eventLines(), ['interface-state net0 offline>failed link-down']);
  equal(bench.members(), 'degraded: net1 [net0]');
  bench.link('net0', 'up');
  equal(bench.members(), 'ok: net0 net1');
});

test('a link that flapped while it was offline is damped when it is online', () => {
  const bench = Bench.settled(2, 2, { flapDamping: { ups: 2, withinMs: 60_000 } });
  bench.flap('net0', 2);
  bench.offline('net0');
  bench.online('net0');
  equal(bench.members(), 'ok: net0 net1', 'no link-up since it was believed');
  bench.offline('net0');
  bench.flap('net0');
  bench.online('net0');
  equal(bench.members(), 'degraded: net1 [net0]');
  match(bench.row('net0')?.cause_text ?? '', /flap-damping/);
  bench.offline('net0');
  bench.advance(60_000);
  bench.online('net0');
  equal(bench.members(), 'ok: net0 net1', 'damping ended while it was offline');
  bench.flap('net0', 3);
  equal(bench.members(), 'degraded: net1 [net0]');
  bench.offline('net0');
  bench.online('net0');
  equal(bench.members(), 'degraded: net1 [net0]');
  bench.advance(60_001);
  equal(bench.members(), 'ok: net0 net1', 'its repair is still due');
});

test('a member that is offline is no last resort', () => {
  const bench = Bench.settled(2, 1, { flapDamping: { ups: 2, withinMs: 60_000 } });
  bench.flap('net0', 3);
  bench.offline('net0');
  bench.link('net1', 'down');
  equal(bench.members(), 'failed: [net1] <net0>');
  bench.online('net0');
  equal(bench.members(), 'degraded: net0 [net1]', 'now it is');
});

test('the interface with the same MAC comes online when the other goes offline', () => {
  const bench = Bench.settled(3, 3);
  bench.appear('net2', macOf(0));
  equal(bench.members(), 'degraded: net0 net1 <net2>');
  const refusal = (name: string, other: string): string =>
    `EADDRINUSE cannot bring interface ${name} online: interface ${other} has the same MAC`;
  refuses(refusal('net2', 'net0'), () => bench.online('net2'));
  bench.offline('net0');
  equal(bench.members(), 'degraded: net1 net2 <net0>');
  equal(bench.row('net0')?.cause, 'taken-offline');
  bench.drain();
  refuses(refusal('net0', 'net2'), () => bench.online('net0'));
  deepEqual(bench.eventLines(), ['interface-state net0 offline>offline duplicate-mac']);
  equal(bench.row('net0')?.cause, 'duplicate-mac');
  bench.appear('net2', macOf(2));
  equal(bench.members(), 'ok: net0 net1 net2', 'it is no longer offline by the operator');
});

test('a clashing interface that is taken offline stays so when the clash ends', () => {
  const bench = Bench.settled(3, 3);
  bench.appear('net2', macOf(0));
  bench.offline('net2');
  bench.appear('net0', macOf(7));
  equal(bench.members(), 'degraded: net0 net1 <net2>');
  bench.online('net2');
  equal(bench.members(), 'ok: net0 net1 net2');
});

test('a clashing interface whose link is down, taken offline and brought back: failed', () => {
  const bench = Bench.settled(3, 3);
  bench.appear('net2', macOf(0));
  bench.link('net2', 'down');
  bench.offline('net2');
  bench.appear('net2', macOf(2));
  bench.online('net2');
  equal(bench.members(), 'degraded: net0 net1 [net2]');
  equal(bench.row('net2')?.cause, 'link-down');
});

test('a NIC that is offline clashes with none, whatever its MAC is', () => {
  const bench = Bench.settled(2, 2);
  bench.offline('net0');
  bench.appear('net0', macOf(1));
  equal(bench.row('net0')?.cause, 'taken-offline');
  bench.appear('net0', macOf(0));
  bench.online('net0');
  equal(bench.members(), 'ok: net0 net1');
});

test('an interface that is offline for its MAC is ok outside the group', () => {
  const bench = Bench.settled(3, 3);
  bench.appear('net2', macOf(0));
  bench.leave('ipmp0', 'net2');
  equal(bench.row('net2')?.state, 'ok');
});

test('it stays offline when it leaves its group and joins another', () => {
  const bench = Bench.settled(2, 2);
  bench.offline('net0');
  bench.leave('ipmp0', 'net0');
  equal(bench.row('net0')?.state, 'offline');
  refuses(/^EINVAL .* it is in no group/, () => bench.offline('net0'));
  bench.createGroup({ name: 'ipmp1', interfaces: ['net0'] });
  equal(bench.row('net0')?.state, 'offline');
  equal(bench.row('net0')?.active, false);
  bench.leave('ipmp1', 'net0');
  bench.online('net0');
  equal(bench.row('net0')?.state, 'ok');
});
