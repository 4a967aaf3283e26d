/**
 * What an operator sets on a living group: neighbours, multicast memberships, forwarding. What is
 * refused, by the system or by the host, has changed nothing.
 */

import { deepEqual, equal, ok } from 'node:assert/strict';
import { test } from 'node:test';
import { OperatorError } from '../../../src/base/errors.ts';
import type { System } from '../../../src/system.ts';
import { Bench } from './bench.ts';

const MAC = '02:00:00:00:0a:01';

/** A bench whose group serves 192.0.2.10. */
function served(): Bench {
  const bench = new Bench();
  bench.build(2);
  bench.addresses('192.0.2.10');
  bench.drain();
  return bench;
}

/** The refusal of what is done in one turn. */
function refusal(body: () => void): string {
  try {
    body();
  } catch (error) {
    if (error instanceof OperatorError) return `${error.code} ${error.message}`;
    throw error;
  }
  return 'done';
}

test('a neighbour that was set stays, can be replaced and removed', () => {
  const { system } = served();
  const neighbor = (dst: string, lladdr = MAC, group = 'ipmp0'): string =>
    refusal(() => system.setNeighbor(group, { dst, lladdr, proxy: false }));
  equal(neighbor('192.0.2.7'), 'done');
  deepEqual(
    system.describeNeighbors().map(({ dst, lladdr, state }) => [dst, lladdr, state]),
    [['192.0.2.7', MAC, 'PERMANENT']],
  );
  const before = describe(system);
  equal(neighbor('192.0.2.8', MAC, 'ipmp9'), 'ENOENT there is no group ipmp9');
  equal(neighbor('192.0.2.8', 'x'), 'EINVAL "x" is not a MAC (six pairs of hexadecimal digits)');
  equal(
    neighbor('192.0.2.8', '01:00:5e:00:00:01'),
    'EINVAL 01:00:5e:00:00:01 is not the MAC of one station',
  );
  equal(neighbor('192.0.2'), 'EINVAL "192.0.2" is not an IPv4 address');
  equal(neighbor('2001:db8::7'), 'EAFNOSUPPORT neighbor 2001:db8::7: IPv6 is not served');
  equal(neighbor('224.0.0.1'), 'EINVAL 224.0.0.1 is not the address of one neighbor');
  equal(neighbor('192.0.2.10').split(' ')[0], 'EINVAL', 'our own');
  const remove = (dst: string): string => refusal(() => system.deleteNeighbor('ipmp0', dst));
  equal(remove('192.0.2.8'), 'ENOENT group ipmp0 has no neighbor 192.0.2.8');
  deepEqual(describe(system), before);
  equal(remove('192.0.2.7'), 'done');
  deepEqual(system.describeNeighbors(), []);
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

test('what the host refuses has changed nothing', () => {
  const bench = served();
  const { system } = bench;
  bench.run(() => system.joinMulticast('ipmp0', '239.1.2.3'));
  const before = describe(system);
  bench.hostRefuses = true;
  const told = 'EIO the host refuses';
  equal(
    bench.refusal(() => system.setGroup('ipmp0', { forwarding: false, failback: false })),
    told,
  );
  equal(
    bench.refusal(() => system.joinMulticast('ipmp0', '239.1.2.4')),
    told,
  );
  equal(
    bench.refusal(() => system.leaveMulticast('ipmp0', '239.1.2.3')),
    told,
  );
  deepEqual(describe(system), before);
});

/** Everything that an operator can see. */
function describe(system: System): unknown {
  return {
    groups: system.describeGroups(),
    interfaces: system.describeInterfaces(),
    addresses: system.describeAddresses(),
    neighbors: system.describeNeighbors(),
    multicast: system.describeMulticast(),
  };
}

test('while the host has not answered, others change the group', () => {
  const bench = served();
  const { system } = bench;
  bench.hostDelayMs = 60_000;
  const changing = [
    system.scheduler.spawn('forwarding', () => system.setGroup('ipmp0', { forwarding: false })),
    system.scheduler.spawn('join', () => system.joinMulticast('ipmp0', '224.0.0.5')),
  ];
  system.scheduler.run();
  const beganMs = bench.nowMs;
  bench.run(() => system.offlineInterface('net0'));
  bench.run(() => system.onlineInterface('net0'));
  bench.run(() => system.setInterface('net1', { standby: true, testAddresses: [] }));
  ok(bench.nowMs - beganMs < bench.hostDelayMs, 'they did not wait for the host');
  deepEqual(
    changing.map(({ state }) => state),
    ['running', 'running'],
  );
  bench.hostDelayMs = 0;
  bench.nowMs = beganMs + 60_000;
  system.handleTime(bench.nowMs);
  deepEqual(
    changing.map(({ state }) => state),
    ['done', 'done'],
  );
  deepEqual(
    system.describeMulticast().map(({ address }) => address),
    ['224.0.0.5'],
  );
});

test('what becomes wrong while the host is waited for is refused', () => {
  const bench = served();
  const { system } = bench;
  bench.hostDelayMs = 1000;
  const joins = [1, 2].map((n) =>
    system.scheduler.spawn(`join ${n}`, () => system.joinMulticast('ipmp0', '224.0.0.5')),
  );
  system.scheduler.run();
  bench.nowMs += 1000;
  system.handleTime(bench.nowMs);
  deepEqual(
    joins.map(({ state }) => state),
    ['done', 'failed'],
  );
  equal((joins[1]?.error as OperatorError | undefined)?.code, 'EADDRINUSE');
});
