/**
 * Signatures of groups and what events say of them (docs/law.md rows 107, 108): a reader that
 * compares two of them knows whether it has missed a change.
 */

import { deepEqual, equal, match, notEqual } from 'node:assert/strict';
import { test } from 'node:test';
import { isCounted } from '../../../src/model/events.ts';
import { Bench, GROUP_MAC, refuses } from './bench.ts';

const signatureOf = ({ system }: Bench, name: string): string =>
  system.describeGroups().find(({ group }) => group === name)?.signature ?? '';

/** Two groups: ipmp0 of net0 and net1 with addresses, `other` of net2. */
function twoGroups(): Bench {
  const bench = Bench.settled(2, 4);
  bench.create('net2');
  bench.appear('net2');
  bench.createGroup({ name: 'other', interfaces: ['net2'] });
  bench.create('net3');
  bench.settle();
  return bench;
}

const CHANGES: readonly (readonly [what: string, change: (bench: Bench) => void])[] = [
  ['a link goes down', (bench) => bench.link('net0', 'down')],
  ['a device vanishes', (bench) => bench.vanish('net1')],
  ['a member joins', (bench) => bench.join('ipmp0', 'net3')],
  ['a member leaves', (bench) => bench.leave('ipmp0', 'net1')],
  ['the MTU of its device changes', (bench) => bench.groupDevice({ mtu: 1400 })],
  ['the MAC of its device changes', (bench) => bench.groupDevice({ mac: GROUP_MAC - 1 })],
  ['its device is set down', (bench) => bench.groupDevice({ up: false })],
  ['a member goes offline', (bench) => bench.offline('net0')],
  [
    'a member becomes a standby',
    (bench) => bench.run(() => bench.system.setInterface('net0', { standby: true })),
  ],
  [
    'a setting changes',
    (bench) => bench.run(() => bench.system.setGroup('ipmp0', { failback: false })),
  ],
];

for (const [what, change] of CHANGES) {
  test(`${what}: the group has another signature, the other group has its own still`, () => {
    const bench = twoGroups();
    const [before, other] = [signatureOf(bench, 'ipmp0'), signatureOf(bench, 'other')];
    change(bench);
    notEqual(signatureOf(bench, 'ipmp0'), before);
    equal(signatureOf(bench, 'other'), other);
  });
}

test('a join that has begun is a change, and its refusal another one', () => {
  const bench = twoGroups();
  bench.delaysMs.set('net3', Number.POSITIVE_INFINITY);
  const seen = [signatureOf(bench, 'ipmp0')];
  const join = bench.begin(() => bench.system.joinGroup('ipmp0', 'net3'));
  deepEqual(bench.system.describeGroups()[0]?.joining, ['net3']);
  seen.push(signatureOf(bench, 'ipmp0'));
  bench.advance(60_000);
  equal(join.state, 'failed');
  deepEqual(bench.system.describeGroups()[0]?.joining, []);
  seen.push(signatureOf(bench, 'ipmp0'));
  equal(new Set(seen).size, 3);
});

test('a device that is reported as it was is no change', () => {
  const bench = twoGroups();
  const before = signatureOf(bench, 'ipmp0');
  bench.groupDevice();
  equal(signatureOf(bench, 'ipmp0'), before);
});

test('a rename is a change; the group that is created anew is another one', () => {
  const bench = twoGroups();
  const seen = new Set([signatureOf(bench, 'other')]);
  bench.run(() => bench.system.renameGroup('other', 'renamed'));
  seen.add(signatureOf(bench, 'renamed'));
  bench.leave('renamed', 'net2');
  seen.add(signatureOf(bench, 'renamed'));
  bench.run(() => bench.system.deleteGroup('renamed'));
  bench.createGroup({ name: 'other', interfaces: ['net2'] });
  seen.add(signatureOf(bench, 'other'));
  equal(seen.size, 4);
});

test('refusals, addresses and frames leave the signature as it is', () => {
  const bench = twoGroups();
  const before = signatureOf(bench, 'ipmp0');
  refuses(/^EALREADY /, () => bench.join('ipmp0', 'net2'));
  refuses(/^EBUSY /, () => bench.run(() => bench.system.deleteGroup('ipmp0')));
  bench.addresses('192.0.2.10', '192.0.2.99');
  bench.settle();
  equal(signatureOf(bench, 'ipmp0'), before);
});

test('an event of a group has the signature after it; the last one is that of the group', () => {
  const bench = twoGroups();
  bench.link('net0', 'down');
  bench.run(() => bench.system.setInterface('net1', { standby: true }));
  const events = bench.events();
  const signatures = events.flatMap(({ signature }) => signature ?? []);
  equal(new Set(signatures).size, signatures.length, 'each change has its own');
  equal(signatures.at(-1), signatureOf(bench, 'ipmp0'));
  for (const { event, signature } of events) equal(signature !== null, isCounted(event), event);
  for (const signature of signatures) match(signature, /^0-\d+$/);
});

test('an event of an interface has its type, also when it is removed', () => {
  const bench = new Bench();
  bench.create('net0');
  bench.create('net1', { standby: true });
  bench.appear('net1');
  bench.createGroup({ interfaces: ['net0', 'net1'] });
  bench.run(() => bench.system.deleteInterface('net1'));
  const types = new Set(bench.events().map(({ ifname, type }) => `${ifname} ${type}`));
  deepEqual([...types].sort(), ['net0 normal', 'net1 standby', 'null null']);
});
