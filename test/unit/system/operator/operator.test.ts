/**
 * What an operator sets on an existing group: neighbours, multicast memberships, forwarding. A
 * refusal of the system or of the host changes nothing.
 */

import { deepEqual, equal, ok } from 'node:assert/strict';
import { test } from 'node:test';
import type { OperatorError } from '../../../../src/base/errors.ts';
import { columns } from '../../ip/harness.ts';
import { Bench, describe, refusalOf } from '../bench.ts';

const MAC = '02:00:00:00:0a:01';
const CAST = '01:00:5e:00:00:01';

const served = (): Bench => Bench.settled(2, 1);

test('a neighbour is set and removed; what is no neighbour is refused', () => {
  const { system } = Bench.detecting(2, 1);
  const neighbor = (dst: string, lladdr = MAC, group = 'ipmp0'): string =>
    refusalOf(() => system.setNeighbor(group, { dst, lladdr, proxy: false }));
  equal(neighbor('192.0.2.7'), 'done');
  const rows = columns(system.describeNeighbors(), 'dst', 'lladdr', 'state');
  deepEqual(rows, [['192.0.2.7', MAC, 'PERMANENT']]);
  const before = describe(system);
  equal(neighbor('192.0.2.8', MAC, 'ipmp9'), 'ENOENT there is no group ipmp9');
  for (const [dst, lladdr, refused] of [
    ['192.0.2.8', 'x', 'EINVAL "x" is not a MAC (six pairs of hexadecimal digits)'],
    ['192.0.2.8', CAST, `EINVAL ${CAST} is not the MAC of one station`],
    ['192.0.2', MAC, 'EINVAL "192.0.2" is not an IPv4 address'],
    ['2001:db8::7', MAC, 'EAFNOSUPPORT neighbor 2001:db8::7: IPv6 is not served'],
    ['224.0.0.1', MAC, 'EINVAL 224.0.0.1 is not the address of one neighbor'],
  ] as const) {
    equal(neighbor(dst, lladdr), refused);
  }
  equal(neighbor('192.0.2.10').split(' ')[0], 'EINVAL', 'our own');
  const remove = (dst: string): string => refusalOf(() => system.deleteNeighbor('ipmp0', dst));
  equal(remove('192.0.2.8'), 'ENOENT group ipmp0 has no neighbor 192.0.2.8');
  deepEqual(describe(system), before);
  equal(remove('192.0.2.7'), 'done');
  deepEqual(system.describeNeighbors(), []);
});

test('static neighbours outlast the last member; the next one announces a proxied one', () => {
  const bench = Bench.settled(1, 1);
  const { system } = bench;
  const permanent = [
    ['192.0.2.7', false],
    ['192.0.2.8', true],
  ] as const;
  for (const [dst, proxy] of permanent) system.setNeighbor('ipmp0', { dst, lladdr: MAC, proxy });
  const shown = () => columns(system.describeNeighbors(), 'dst', 'proxy', 'state');
  const all = permanent.map((row) => [...row, 'PERMANENT']);
  bench.leave('ipmp0', 'net0');
  bench.settle();
  deepEqual(shown(), all);
  bench.join('ipmp0', 'net0');
  deepEqual(shown(), all);
  const announced = bench.arps().filter(({ spa }) => spa !== '0.0.0.0');
  deepEqual(columns(announced, 'port', 'spa', 'sha'), [['net0', '192.0.2.8', '02:00:00:00:00:01']]);
});

test('multicast: joined once, shown with the NIC that carries it, left', () => {
  const bench = served();
  const { system } = bench;
  const join = (address: string, group = 'ipmp0'): string =>
    bench.refusal(() => system.joinMulticast(group, address));
  const leave = (address: string): string =>
    bench.refusal(() => system.leaveMulticast('ipmp0', address));
  equal(join('239.1.2.3'), 'done');
  deepEqual(system.describeMulticast(), [
    { address: '239.1.2.3', group: 'ipmp0', inbound: 'net0' },
  ]);
  const before = describe(system);
  equal(join('239.1.2.3'), 'EADDRINUSE group ipmp0 has joined 239.1.2.3 already');
  equal(join('239.1.2.4', 'ipmp9'), 'ENOENT there is no group ipmp9');
  const onMember = 'EINVAL net0 is an interface, and multicast is joined on a group';
  equal(join('239.1.2.4', 'net0'), onMember);
  for (const wrong of ['192.0.2.7', '255.255.255.255', '239.1.2', '']) {
    equal(join(wrong), `EINVAL "${wrong}" is not a multicast address (224.0.0.0/4)`);
  }
  equal(join('ff05::2'), 'EAFNOSUPPORT multicast ff05::2: IPv6 is not served');
  equal(leave('239.1.2.4'), 'EADDRNOTAVAIL group ipmp0 has not joined 239.1.2.4');
  deepEqual(describe(system), before);
  deepEqual(bench.asked, ['ipmp0 listens to 239.1.2.3']);
  equal(leave('239.1.2.3'), 'done');
  deepEqual(system.describeMulticast(), []);
  deepEqual(bench.asked, ['ipmp0 listens to 239.1.2.3', 'ipmp0 leaves 239.1.2.3']);
  for (let n = 0; n < 64; n++) equal(join(`239.0.0.${n}`), 'done');
  equal(join('239.0.1.0'), 'ENOBUFS group ipmp0 has joined 64 multicast addresses already');
});

test('forwarding: the host is asked only for what changes', () => {
  const bench = served();
  const set = (forwarding: boolean): string =>
    bench.refusal(() => bench.system.setGroup('ipmp0', { forwarding }));
  equal(set(true), 'done');
  deepEqual(bench.asked, []);
  equal(set(false), 'done');
  deepEqual(bench.asked, ['ipmp0 forwards: false']);
  equal(bench.system.describeGroups()[0]?.forwarding, false);
});

test('a refusal of the host changes nothing', () => {
  const bench = served();
  const { system } = bench;
  bench.run(() => system.joinMulticast('ipmp0', '239.1.2.3'));
  const before = describe(system);
  bench.hostRefuses = true;
  for (const change of [
    () => system.setGroup('ipmp0', { forwarding: false, failback: false }),
    () => system.joinMulticast('ipmp0', '239.1.2.4'),
    () => system.leaveMulticast('ipmp0', '239.1.2.3'),
  ]) {
    equal(bench.refusal(change), 'EIO the host refuses');
  }
  deepEqual(describe(system), before);
});

test('other operations on the group go on while the host has not answered', () => {
  const bench = served();
  const { system } = bench;
  bench.hostDelayMs = 60_000;
  const changing = [
    bench.begin(() => system.setGroup('ipmp0', { forwarding: false })),
    bench.begin(() => system.joinMulticast('ipmp0', '224.0.0.5')),
  ];
  const beganMs = bench.nowMs;
  bench.offline('net0');
  bench.online('net0');
  bench.run(() => system.setInterface('net1', { standby: true, testAddresses: [] }));
  ok(bench.nowMs - beganMs < bench.hostDelayMs, 'they did not wait for the host');
  deepEqual(columns(changing, 'state'), [['running'], ['running']]);
  bench.hostDelayMs = 0;
  bench.nowMs = beganMs + 60_000;
  system.handleTime(bench.nowMs);
  deepEqual(columns(changing, 'state'), [['done'], ['done']]);
  deepEqual(columns(system.describeMulticast(), 'address'), [['224.0.0.5']]);
});

test('the checks are repeated after the answer of the host', () => {
  const bench = served();
  const { system } = bench;
  bench.hostDelayMs = 1000;
  const joins = [1, 2].map(() => bench.begin(() => system.joinMulticast('ipmp0', '224.0.0.5')));
  bench.nowMs += 1000;
  system.handleTime(bench.nowMs);
  deepEqual(columns(joins, 'state'), [['done'], ['failed']]);
  equal((joins[1]?.error as OperatorError | undefined)?.code, 'EADDRINUSE');
});
