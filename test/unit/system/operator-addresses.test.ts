/**
 * Test addresses of a living interface (docs/law.md row 37): replaced by the difference, so that an
 * address that stays is not touched.
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
import { ipv4Format } from '../../../src/wire/addr.ts';
import { Bench, groupSpec, interfaceSpec } from './bench.ts';

const SETTLED_MS = 30_000;

function quiet(): Bench {
  const bench = new Bench();
  bench.build(2);
  bench.addresses('192.0.2.10', '2001:db8::10/64');
  bench.advance(SETTLED_MS);
  bench.drain();
  return bench;
}

const set = (bench: Bench, name: string, ...testAddresses: string[]): string =>
  bench.refusal(() => bench.system.setInterface(name, { testAddresses }));

const inUse = (name: string, address: string, by: string): string =>
  `EADDRINUSE interface ${name} cannot have test address ${address}: it is ${by}`;

/** `address state` of each test address. */
function tests(bench: Bench): string[] {
  return bench.system
    .describeAddresses()
    .filter(({ type }) => type === 'test')
    .map(({ address, state, ifname }) => `${ifname} ${address} ${state}`);
}

test('added, kept, removed: only what differs is touched', () => {
  const bench = quiet();
  equal(set(bench, 'net0', '192.0.2.21/24', '192.0.2.22/24'), 'done');
  deepEqual(tests(bench), ['net0 192.0.2.21/24 tentative', 'net0 192.0.2.22/24 tentative']);
  bench.advance(SETTLED_MS);
  deepEqual(tests(bench), ['net0 192.0.2.21/24 up', 'net0 192.0.2.22/24 up']);
  bench.drain();
  equal(set(bench, 'net0', '192.0.2.22/24', '192.0.2.23/24'), 'done');
  deepEqual(tests(bench), ['net0 192.0.2.22/24 up', 'net0 192.0.2.23/24 tentative']);
  deepEqual(
    bench.publication.tables.addresses.filter(({ kind }) => kind === 'test').map((one) => one.nic),
    [0, 0],
  );
  deepEqual(bench.told(), [
    'address-removed net0 192.0.2.21/24> configured',
    'address-added net0 >192.0.2.23/24 configured',
    'address-state net0 down>tentative detection-began 192.0.2.23',
  ]);
  bench.advance(2000);
  deepEqual(
    [...new Set(bench.arps().map(({ port, tpa }) => `${port} ${tpa}`))],
    ['net0 192.0.2.23'],
    'who stays is not announced',
  );
  bench.drain();
  equal(set(bench, 'net0', '192.0.2.22/24', '192.0.2.23/24'), 'done');
  deepEqual(bench.events(), []);
  deepEqual(bench.publication.calls, []);
  equal(set(bench, 'net0'), 'done');
  deepEqual(tests(bench), []);
  deepEqual(
    bench.publication.tables.addresses.map(({ kind }) => kind),
    ['data'],
  );
  bench.drain();
  bench.advance(SETTLED_MS);
  deepEqual(
    bench.arps().filter(({ tpa }) => tpa !== '192.0.2.10'),
    [],
  );
});

test('another prefix length: told, and nothing else happens', () => {
  const bench = quiet();
  set(bench, 'net0', '192.0.2.21/24');
  bench.advance(SETTLED_MS);
  bench.drain();
  equal(set(bench, 'net0', '192.0.2.21/25'), 'done');
  deepEqual(tests(bench), ['net0 192.0.2.21/25 up']);
  deepEqual(bench.told(), [
    'address-removed net0 192.0.2.21/24> configured',
    'address-added net0 >192.0.2.21/25 configured',
  ]);
  deepEqual(bench.frames(), []);
});

test('IPv6 is kept and shown as not served', () => {
  const bench = quiet();
  equal(set(bench, 'net0', '2001:DB8::0:21/64', '192.0.2.21/24'), 'done');
  const rows = bench.system.describeAddresses().filter(({ type }) => type === 'test');
  deepEqual(
    rows.map(({ address, state, cause_text }) => [address, state, cause_text]),
    [
      ['192.0.2.21/24', 'tentative', null],
      ['2001:db8::21/64', 'down', 'IPv6 is not served yet'],
    ],
  );
  deepEqual(bench.told().slice(0, 1), ['address-added net0 >2001:db8::21/64 not-served']);
});

test('what is refused has changed nothing', () => {
  const bench = quiet();
  set(bench, 'net1', '192.0.2.21/24', '2001:db8::21/64');
  bench.advance(SETTLED_MS);
  bench.drain();
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
    equal(
      bench.refusal(() => bench.system.setInterface('net0', changes)),
      refusal,
    );
  }
  equal(
    set(bench, 'net0', '192.0.2.29/24', '192.0.2.29/25'),
    'EINVAL interface net0: test address 192.0.2.29 is named twice',
  );
  deepEqual([bench.system.describeAddresses(), bench.system.describeInterfaces()], before);
  deepEqual(bench.events(), []);
  const spec = interfaceSpec('net2', { testAddresses: ['192.0.2.21/24'] });
  equal(
    bench.refusal(() => bench.system.createInterface(spec)),
    inUse('net2', '192.0.2.21', 'a test address of interface net1'),
  );
});

test('the tables are full: ENOSPC, and what is there stays', () => {
  const bench = quiet();
  const many = Array.from({ length: 8191 }, (_, n) => `${ipv4Format(0xc6120001 + n)}/15`);
  equal(set(bench, 'net0', ...many, '192.0.2.21/24'), 'ENOSPC there are 8192 addresses already');
  equal(set(bench, 'net0', ...many), 'done');
  equal(set(bench, 'net1', '192.0.2.21/24'), 'ENOSPC there are 8192 addresses already');
  equal(set(bench, 'net0', ...many.slice(1)), 'done');
  equal(set(bench, 'net1', '192.0.2.21/24'), 'done');
});

test('a data address that waited for a test address is served when that goes', () => {
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

test('a member that leaves takes its test addresses down, and says so', () => {
  const bench = quiet();
  set(bench, 'net0', '192.0.2.21/24');
  bench.advance(SETTLED_MS);
  bench.drain();
  bench.run(() => bench.system.leaveGroup('ipmp0', 'net0'));
  deepEqual(tests(bench), ['net0 192.0.2.21/24 down']);
  deepEqual(
    bench.told().filter((line) => line.startsWith('address-state')),
    ['address-state net0 up>down left 192.0.2.21'],
  );
});

test('without a group, or offline, they wait; they are served when that ends', () => {
  const bench = quiet();
  bench.run(() => bench.system.offlineInterface('net0'));
  bench.drain();
  equal(set(bench, 'net0', '192.0.2.21/24'), 'done');
  deepEqual(tests(bench), ['net0 192.0.2.21/24 down']);
  bench.advance(SETTLED_MS);
  deepEqual(
    bench.arps().filter(({ port }) => port === 'net0'),
    [],
  );
  bench.run(() => bench.system.onlineInterface('net0'));
  deepEqual(tests(bench), ['net0 192.0.2.21/24 tentative']);
  bench.run(() => bench.system.createInterface(interfaceSpec('net2')));
  bench.appear('net2');
  equal(set(bench, 'net2', '192.0.2.22/24'), 'done');
  equal(tests(bench).at(-1), 'net2 192.0.2.22/24 down');
  bench.run(() => bench.system.createGroup(groupSpec({ name: 'ipmp1', interfaces: ['net2'] })));
  equal(tests(bench).at(-1), 'net2 192.0.2.22/24 tentative');
});
