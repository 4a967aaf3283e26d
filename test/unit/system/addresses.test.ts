/** Data and test addresses through the public API (docs/law.md rows 38 to 40; contract 3, 4). */

import { deepEqual, equal } from 'node:assert/strict';
import { test } from 'node:test';
import { ANNOUNCE_AT_MS } from '../../../src/ip/claim/dad.ts';
import { ipFormat } from '../../../src/wire/addr.ts';
import { columns, ip, mac, request } from '../ip/harness.ts';
import { Bench, refuses } from './bench.ts';

test('a list of the host is applied as the difference to the one before', () => {
  const bench = Bench.of(2);
  bench.addresses('192.0.2.10', '192.0.2.11', '192.0.2.12');
  deepEqual(bench.bindings(), ['192.0.2.10 net0', '192.0.2.11 net1', '192.0.2.12 net0']);
  bench.drain();
  bench.addresses('192.0.2.10', '192.0.2.11', '192.0.2.12');
  deepEqual(bench.eventLines(), [], 'the same list changes nothing');
  deepEqual(bench.publication.calls, []);
  bench.addresses('192.0.2.10', '192.0.2.13', '192.0.2.12');
  deepEqual(bench.eventLines().slice(0, 3), [
    'address-removed 192.0.2.11/24> address-removed',
    'address-moved net1 net0>net1 rebalanced 192.0.2.12',
    'address-added >192.0.2.13/24 address-added',
  ]);
  deepEqual(bench.counts(), [1, 2].toReversed());
});

test('another prefix length, the same address: it stays up and bound', () => {
  const bench = Bench.settled(2, 2);
  bench.addresses('192.0.2.10/24', '192.0.2.11/32');
  deepEqual(bench.eventLines(), [
    'address-removed 192.0.2.11/24> address-removed',
    'address-added >192.0.2.11/32 address-added',
  ]);
  deepEqual(columns(bench.system.describeAddresses(), 'address', 'state', 'inbound'), [
    ['192.0.2.10/24', 'up', 'net0'],
    ['192.0.2.11/32', 'up', 'net1'],
  ]);
  deepEqual(bench.arps(), []);
  deepEqual(bench.publication.calls, []);
});

test('a removal is followed by one move at most, and only when it levels', () => {
  const bench = Bench.of(2);
  bench.addresses('192.0.2.1', '192.0.2.2', '192.0.2.3', '192.0.2.4');
  bench.drain();
  bench.addresses('192.0.2.1', '192.0.2.3', '192.0.2.4');
  deepEqual(bench.counts(), [2, 1]);
  bench.addresses('192.0.2.1', '192.0.2.3');
  deepEqual(bench.counts(), [1, 1]);
});

test('the tables name for each address the slot of its member', () => {
  const bench = Bench.of(2);
  bench.addresses('192.0.2.1', '192.0.2.2');
  const slots = (): unknown =>
    bench.publication.tables.addresses.map(({ address, slot }) => `${ipFormat(address)}: ${slot}`);
  deepEqual(slots(), ['192.0.2.1: 0', '192.0.2.2: 1']);
  bench.link('net0', 'down');
  deepEqual(slots(), ['192.0.2.1: 1', '192.0.2.2: 1']);
});

test('IPv6 data addresses are accepted and shown, with the cause why they are not served', () => {
  const bench = Bench.of(1);
  bench.addresses('2001:db8::10/64', '192.0.2.1');
  const row = bench.system.describeAddresses().find(({ address }) => address.includes(':'));
  deepEqual(row, {
    ...UNBOUND,
    address: '2001:db8::10/64',
    state: 'up',
    cause: 'not-served',
    cause_text: 'IPv6 is not served yet',
  });
  deepEqual(bench.eventLines(/^address-added/), [
    'address-added >192.0.2.1/24 address-added',
    'address-added >2001:db8::10/64 not-served',
  ]);
  equal(bench.publication.tables.addresses.length, 1);
});

test('an address of another group or NIC is shown as down until it is free', () => {
  const bench = Bench.of(1);
  bench.createGroup({ name: 'other' });
  bench.create('net1', { testAddresses: ['192.0.2.9/24'] });
  bench.addresses('192.0.2.1');
  const list = ['192.0.2.1', '192.0.2.9'].map((address) => ({
    address,
    prefixLength: 24,
    family: 4,
  }));
  bench.system.handleHostAddresses('other', list, bench.nowMs);
  const states = (): unknown =>
    bench.system
      .describeAddresses()
      .filter((row) => row.group === 'other')
      .map((row) => row.state);
  deepEqual(states(), ['down', 'down']);
  bench.addresses();
  deepEqual(states(), ['tentative', 'down']);
});

test('a new address is tentative during detection, then up and announced', () => {
  const bench = Bench.of(2);
  bench.addresses('192.0.2.1');
  equal(bench.system.describeAddresses()[0]?.state, 'tentative');
  bench.advance(1_000);
  equal(bench.system.describeAddresses()[0]?.state, 'up');
  bench.advance(20_000);
  const arps = bench.arps();
  equal(arps.filter((arp) => arp.spa === '0.0.0.0').length, 3);
  equal(arps.filter((arp) => arp.spa === '192.0.2.1').length, ANNOUNCE_AT_MS.length);
});

/** What is shown of a data address that is bound to no NIC. */
const UNBOUND = {
  ifname: 'ipmp0',
  group: 'ipmp0',
  type: 'data',
  inbound: null,
  outbound: [],
} as const;

/** Another station that has an address of ours. */
const HOLDER = '52:54:00:00:00:01';
const AGAIN = 'has it; tried again as soon as that no longer answers';

test('a duplicate is bound to no NIC, and its note names the holder and whose MAC that is', () => {
  const bench = Bench.settled(2, 1);
  const [tried, router] = [ip('192.0.2.11'), ip('192.0.2.1')];
  const receive = (frame: Uint8Array): void => {
    for (const name of ['net0', 'net1']) bench.handleFrame(name, frame);
  };
  const row = () =>
    bench.system.describeAddresses().find(({ address }) => address === '192.0.2.11/24')!;
  bench.addresses('192.0.2.10', '192.0.2.11');
  deepEqual([row().state, row().inbound], ['tentative', 'net1']);
  receive(request(mac(HOLDER), tried, tried));
  deepEqual(row(), {
    ...UNBOUND,
    address: '192.0.2.11/24',
    state: 'duplicate',
    cause: 'address-conflict',
    cause_text: `${HOLDER} ${AGAIN}`,
  });
  // A router with proxy ARP: it has an address of its own, and asks from there.
  receive(request(mac(HOLDER), router, ip('192.0.2.10')));
  equal(row().cause_text, `${HOLDER}, which is 192.0.2.1, ${AGAIN}`);
  equal(row().inbound, null);
});

test('test addresses stay on their NIC and are down without it', () => {
  const bench = new Bench();
  const testAddresses = ['192.0.2.21/24', '2001:db8::21/64'];
  bench.create('net0', { testAddresses });
  const rows = (): unknown =>
    columns(bench.system.describeAddresses(), 'address', 'type', 'state', 'inbound');
  const unserved = ['2001:db8::21/64', 'test', 'down', null];
  deepEqual(rows(), [['192.0.2.21/24', 'test', 'down', null], unserved]);
  bench.appear('net0');
  bench.createGroup({ interfaces: ['net0'] });
  bench.advance(2_000);
  deepEqual(rows(), [['192.0.2.21/24', 'test', 'up', 'net0'], unserved]);
  deepEqual(bench.publication.tables.addresses, [
    { address: 0xc0000215, group: 0, kind: 'test', slot: -1, nic: 0 },
  ]);
  bench.vanish('net0');
  deepEqual(rows(), [['192.0.2.21/24', 'test', 'down', null], unserved]);
});

test('a bad test address is refused', () => {
  refuses(/^EINVAL interface net0: "192\.0\.2\.300\/24" is not an address with prefix length/, () =>
    new Bench().create('net0', { testAddresses: ['192.0.2.300/24'] }),
  );
});

test('frames from a port without a group are counted', () => {
  const bench = new Bench();
  bench.system.handleFrame(300, new Uint8Array(60), bench.nowMs);
  equal(bench.system.dropCounters().get('no_group'), 1n);
});
