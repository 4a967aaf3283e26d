/**
 * Test addresses of an existing interface (docs/law.md row 37): a new list is applied as the
 * difference to the old one, so that an address in both is not touched.
 *
 * | request                                     | refusal                                    |
 * |---------------------------------------------|--------------------------------------------|
 * | no address with prefix length; twice        | EINVAL                                     |
 * | a data address of a group                   | EADDRINUSE                                 |
 * | a test address of another interface         | EADDRINUSE, also at creation               |
 * | beyond the size of the tables               | ENOSPC                                     |
 */

import { deepEqual, equal } from 'node:assert/strict';
import { test } from 'node:test';
import { ipv4Format } from '../../../../src/wire/addr.ts';
import { columns } from '../../ip/harness.ts';
import { Bench, interfaceSpec } from '../bench.ts';

function quiet(): Bench {
  const bench = Bench.of(2);
  bench.addresses('192.0.2.10', '2001:db8::10/64');
  bench.settle();
  return bench;
}

const set = (bench: Bench, name: string, ...testAddresses: string[]): string =>
  bench.refusal(() => bench.system.setInterface(name, { testAddresses }));

const inUse = (name: string, address: string, by: string): string =>
  `EADDRINUSE interface ${name} cannot have test address ${address}: it is ${by}`;

/** `ifname address state` of each test address. */
function tests(bench: Bench): string[] {
  return bench.system
    .describeAddresses()
    .filter(({ type }) => type === 'test')
    .map(({ address, state, ifname }) => `${ifname} ${address} ${state}`);
}

test('a new list adds and removes what differs, and does not touch the rest', () => {
  const bench = quiet();
  equal(set(bench, 'net0', '192.0.2.21/24', '192.0.2.22/24'), 'done');
  deepEqual(tests(bench), ['net0 192.0.2.21/24 tentative', 'net0 192.0.2.22/24 tentative']);
  bench.settle();
  deepEqual(tests(bench), ['net0 192.0.2.21/24 up', 'net0 192.0.2.22/24 up']);
  equal(set(bench, 'net0', '192.0.2.22/24', '192.0.2.23/24'), 'done');
  deepEqual(tests(bench), ['net0 192.0.2.22/24 up', 'net0 192.0.2.23/24 tentative']);
  const served = (): unknown => columns(bench.publication.tables.addresses, 'kind', 'nic');
  deepEqual(served(), [
    ['test', 0],
    ['test', 0],
    ['data', -1],
    ['data', -1],
  ]);
  deepEqual(bench.eventLines(), [
    'address-removed net0 192.0.2.21/24> configured',
    'address-added net0 >192.0.2.23/24 configured',
    'address-state net0 down>tentative detection-began 192.0.2.23',
  ]);
  bench.advance(2000);
  const probed = new Set(bench.arps().map(({ port, tpa }) => `${port} ${tpa}`));
  deepEqual([...probed], ['net0 192.0.2.23'], 'the other is not announced');
  bench.drain();
  equal(set(bench, 'net0', '192.0.2.22/24', '192.0.2.23/24'), 'done');
  deepEqual(bench.events(), []);
  deepEqual(bench.publication.calls, []);
  equal(set(bench, 'net0'), 'done');
  deepEqual(tests(bench), []);
  deepEqual(served(), [
    ['data', -1],
    ['data', -1],
  ]);
  bench.drain();
  bench.advance(30_000);
  equal(
    bench.arps().every(({ tpa }) => tpa === '192.0.2.10'),
    true,
  );
});

test('another prefix length is two events, and no frame is sent', () => {
  const bench = quiet();
  set(bench, 'net0', '192.0.2.21/24');
  bench.settle();
  equal(set(bench, 'net0', '192.0.2.21/25'), 'done');
  deepEqual(tests(bench), ['net0 192.0.2.21/25 up']);
  deepEqual(bench.eventLines(), [
    'address-removed net0 192.0.2.21/24> configured',
    'address-added net0 >192.0.2.21/25 configured',
  ]);
  deepEqual(bench.frames(), []);
});

test('IPv6 is served beside IPv4, and shown in canonical form', () => {
  const bench = quiet();
  equal(set(bench, 'net0', '2001:DB8::0:21/64', '192.0.2.21/24'), 'done');
  const rows = bench.system.describeAddresses().filter(({ type }) => type === 'test');
  deepEqual(columns(rows, 'address', 'state', 'cause_text'), [
    ['2001:db8::21/64', 'tentative', null],
    ['192.0.2.21/24', 'tentative', null],
  ]);
  deepEqual(bench.eventLines().slice(0, 1), ['address-added net0 >2001:db8::21/64 configured']);
});

test('a refusal changes nothing', () => {
  const bench = quiet();
  set(bench, 'net1', '192.0.2.21/24', '2001:db8::21/64');
  bench.settle();
  const before = [bench.system.describeAddresses(), bench.system.describeInterfaces()];
  const noAddress = 'is not an address with prefix length';
  const refusals: readonly [string, string][] = [
    ['192.0.2.300/24', `EINVAL interface net0: "192.0.2.300/24" ${noAddress}`],
    ['192.0.2.22', `EINVAL interface net0: "192.0.2.22" ${noAddress}`],
    ['192.0.2.10/24', inUse('net0', '192.0.2.10', 'a data address of group ipmp0')],
    ['2001:db8:0::10/64', inUse('net0', '2001:db8::10', 'a data address of group ipmp0')],
    ['192.0.2.21/24', inUse('net0', '192.0.2.21', 'a test address of interface net1')],
    ['2001:db8::21/64', inUse('net0', '2001:db8::21', 'a test address of interface net1')],
  ];
  for (const [text, refusal] of refusals) {
    equal(set(bench, 'net0', '192.0.2.29/24', text), refusal);
    const changes = { standby: true, testAddresses: [text] };
    const both = bench.refusal(() => bench.system.setInterface('net0', changes));
    equal(both, refusal);
  }
  equal(
    set(bench, 'net0', '192.0.2.29/24', '192.0.2.29/25'),
    'EINVAL interface net0: test address 192.0.2.29 is named twice',
  );
  deepEqual([bench.system.describeAddresses(), bench.system.describeInterfaces()], before);
  deepEqual(bench.events(), []);
  const spec = interfaceSpec('net2', { testAddresses: ['192.0.2.21/24'] });
  const creation = bench.refusal(() => bench.system.createInterface(spec));
  equal(creation, inUse('net2', '192.0.2.21', 'a test address of interface net1'));
});

test('full tables: ENOSPC, and the addresses in them stay', () => {
  const bench = quiet();
  const many = Array.from({ length: 8190 }, (_, n) => `${ipv4Format(0xc6120001 + n)}/15`);
  const full = 'ENOSPC there are 8192 addresses already';
  equal(set(bench, 'net0', ...many, '192.0.2.21/24'), full);
  equal(set(bench, 'net0', ...many), 'done');
  equal(set(bench, 'net1', '192.0.2.21/24'), full);
  equal(set(bench, 'net0', ...many.slice(1)), 'done');
  equal(set(bench, 'net1', '192.0.2.21/24'), 'done');
});

test('a data address that is also a test address is served when that is removed', () => {
  const bench = quiet();
  set(bench, 'net0', '192.0.2.21/24');
  bench.addresses('192.0.2.10', '192.0.2.21');
  deepEqual(bench.bindings(), ['192.0.2.10 net0', '192.0.2.21 -']);
  set(bench, 'net0');
  deepEqual(bench.bindings(), ['192.0.2.10 net0', '192.0.2.21 net1']);
  const spec = interfaceSpec('net2', { testAddresses: ['192.0.2.22/24'] });
  bench.run(() => bench.system.createInterface(spec));
  bench.addresses('192.0.2.10', '192.0.2.21', '192.0.2.22');
  equal(bench.bindings().at(-1), '192.0.2.22 -');
  bench.run(() => bench.system.deleteInterface('net2'));
  equal(bench.bindings().at(-1), '192.0.2.22 net0');
});

test('the test addresses of a member that leaves are down, with an event', () => {
  const bench = quiet();
  set(bench, 'net0', '192.0.2.21/24');
  bench.settle();
  bench.leave('ipmp0', 'net0');
  deepEqual(tests(bench), ['net0 192.0.2.21/24 down']);
  deepEqual(bench.eventLines(/^address-state/), ['address-state net0 up>down left 192.0.2.21']);
});

test('without a group, or offline, they are down; they are served when that ends', () => {
  const bench = quiet();
  bench.offline('net0');
  bench.drain();
  equal(set(bench, 'net0', '192.0.2.21/24'), 'done');
  deepEqual(tests(bench), ['net0 192.0.2.21/24 down']);
  bench.advance(30_000);
  equal(
    bench.arps().some(({ port }) => port === 'net0'),
    false,
  );
  bench.online('net0');
  deepEqual(tests(bench), ['net0 192.0.2.21/24 tentative']);
  bench.create('net2');
  bench.appear('net2');
  equal(set(bench, 'net2', '192.0.2.22/24'), 'done');
  equal(tests(bench).at(-1), 'net2 192.0.2.22/24 down');
  bench.createGroup({ name: 'ipmp1', interfaces: ['net2'] });
  equal(tests(bench).at(-1), 'net2 192.0.2.22/24 tentative');
});
