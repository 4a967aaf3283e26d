/** Data and test addresses through the public API (docs/law.md rows 38 to 40; contract 3, 4). */

import { deepEqual, equal, match } from 'node:assert/strict';
import { test } from 'node:test';
import { ANNOUNCE_AT_MS } from '../../../src/ip/claim/dad.ts';
import {
  IFA_F_DADFAILED,
  IFA_F_DEPRECATED,
  IFA_F_PERMANENT,
  IFA_F_TEMPORARY,
  IFA_F_TENTATIVE,
} from '../../../src/model/address-flags.ts';
import { ipFormat, ipParse } from '../../../src/wire/addr.ts';
import { columns, ip, mac, request } from '../ip/harness.ts';
import { Bench, refuses } from './bench.ts';
import { FAMILIES } from './families.ts';

for (const { family, at, whole } of FAMILIES) {
  test(`IPv${family}: a list of the host is applied as the difference to the one before`, () => {
    const bench = Bench.of(2);
    bench.addresses(at(10), at(11), at(12));
    deepEqual(bench.bindings(), [`${at(10)} net0`, `${at(11)} net1`, `${at(12)} net0`]);
    bench.drain();
    bench.addresses(at(10), at(11), at(12));
    deepEqual(bench.eventLines(), [], 'the same list changes nothing');
    deepEqual(bench.publication.calls, []);
    bench.addresses(at(10), at(13), at(12));
    deepEqual(bench.eventLines().slice(0, 3), [
      `address-removed ${at(11)}/24> address-removed`,
      `address-moved net1 net0>net1 rebalanced ${at(12)}`,
      `address-added >${at(13)}/24 address-added`,
    ]);
    deepEqual(bench.counts(), [1, 2].toReversed());
  });

  test(`IPv${family}: another prefix length, the same address: it stays up and bound`, () => {
    const bench = Bench.of(2);
    bench.addresses(at(10), at(11));
    bench.settle();
    bench.addresses(at(10), `${at(11)}/${whole}`);
    deepEqual(bench.eventLines(), [
      `address-removed ${at(11)}/24> address-removed`,
      `address-added >${at(11)}/${whole} address-added`,
    ]);
    deepEqual(columns(bench.system.describeAddresses(), 'address', 'state', 'inbound'), [
      [`${at(10)}/24`, 'up', 'net0'],
      [`${at(11)}/${whole}`, 'up', 'net1'],
    ]);
    deepEqual(bench.frames(), []);
    deepEqual(bench.publication.calls, []);
  });

  test(`IPv${family}: a removal is followed by one move at most, only when it levels`, () => {
    const bench = Bench.of(2);
    bench.addresses(at(1), at(2), at(3), at(4));
    bench.drain();
    bench.addresses(at(1), at(3), at(4));
    deepEqual(bench.counts(), [2, 1]);
    bench.addresses(at(1), at(3));
    deepEqual(bench.counts(), [1, 1]);
  });

  test(`IPv${family}: the tables name for each address the slot of its member`, () => {
    const bench = Bench.of(2);
    bench.addresses(at(1), at(2));
    const slots = (): unknown =>
      bench.publication.tables.addresses.map(({ address, slot }) => [ipFormat(address), slot]);
    deepEqual(slots(), [
      [at(1), 0],
      [at(2), 1],
    ]);
    bench.link('net0', 'down');
    deepEqual(slots(), [
      [at(1), 1],
      [at(2), 1],
    ]);
  });

  test(`IPv${family}: an address of another group or NIC is shown as down until it is free`, () => {
    const bench = Bench.of(1);
    bench.createGroup({ name: 'other' });
    bench.create('net1', { testAddresses: [`${at(9)}/24`] });
    bench.addresses(at(1));
    const list = [at(1), at(9)].map((address) => ({ address, prefixLength: 24, family }));
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

  test(`IPv${family}: the flags of the host's kernel are shown, and change nothing else`, () => {
    const bench = Bench.of(1);
    const set = (flags: number): void => {
      const one = { address: at(1), prefixLength: 24, family, flags };
      bench.system.handleHostAddresses('ipmp0', [one], bench.nowMs);
    };
    const flags = (): unknown => bench.system.describeAddresses()[0]?.flags;
    set(IFA_F_PERMANENT);
    deepEqual(flags(), []);
    bench.settle();
    set(IFA_F_TEMPORARY | IFA_F_DEPRECATED);
    deepEqual(flags(), [family === 6 ? 'temporary' : 'secondary', 'deprecated', 'dynamic']);
    deepEqual([bench.eventLines(), bench.publication.calls, bench.frames()], [[], [], []]);
  });

  test(`IPv${family}: each family is spread evenly, whatever the other one has`, () => {
    const other = FAMILIES.find((one) => one.family !== family)!;
    const [uneven, even] = [[other.at(1)], [at(1), at(2), at(3), at(4)]];
    const bench = Bench.of(2);
    bench.addresses(...uneven, ...even);
    const counts = (): number[] => countsOf(bench, even);
    deepEqual(counts(), [2, 2]);
    bench.link('net1', 'down');
    deepEqual(counts(), [4, 0]);
    bench.link('net1', 'up');
    deepEqual(counts(), [2, 2]);
    deepEqual(countsOf(bench, uneven), [1, 0], 'one address does not move for a newcomer');
    bench.addresses(...uneven, at(1), at(3), at(4));
    bench.addresses(...uneven, at(3), at(4));
    deepEqual(counts(), [1, 1]);
  });
}

/** How many of these addresses each of two interfaces receives for. */
function countsOf(bench: Bench, texts: readonly string[]): number[] {
  const names = bench
    .bindings()
    .map((line) => line.split(' '))
    .filter(([address]) => texts.includes(address!))
    .map(([, name]) => name);
  return ['net0', 'net1'].map((ifname) => names.filter((name) => name === ifname).length);
}

/** The host lists one address with flags. */
function list(bench: Bench, address: string, flags: number, group = 'ipmp0'): void {
  const one = { address, prefixLength: 64, family: 6 as const, flags };
  bench.system.handleHostAddresses(group, [one], bench.nowMs);
}

test('an address that the kernel gave up is a duplicate, and served when it is added anew', () => {
  const bench = Bench.of(1);
  list(bench, '2001:db8::10', IFA_F_PERMANENT);
  bench.settle();
  list(bench, '2001:db8::10', IFA_F_PERMANENT | IFA_F_TENTATIVE | IFA_F_DADFAILED);
  deepEqual(bench.system.describeAddresses(), [
    {
      ...UNBOUND,
      address: '2001:db8::10/64',
      flags: ['dadfailed', 'tentative'],
      state: 'duplicate',
      cause: 'address-conflict',
      cause_text:
        'another station uses the same address; the host does not use it before it is added anew',
    },
  ]);
  deepEqual(bench.eventLines(), ['address-state net0 up>duplicate address-conflict 2001:db8::10']);
  deepEqual(bench.publication.tables.addresses, []);
  bench.addresses();
  deepEqual(bench.eventLines(), ['address-removed 2001:db8::10/64> address-removed']);
  list(bench, '2001:db8::10', IFA_F_PERMANENT | IFA_F_TENTATIVE);
  equal(bench.system.describeAddresses()[0]?.state, 'tentative');
});

test('one that the kernel gave up before we saw it is an event with its cause', () => {
  const bench = Bench.of(1);
  list(bench, '2001:db8::10', IFA_F_PERMANENT | IFA_F_DADFAILED);
  deepEqual(bench.eventLines(/^address/), ['address-added >2001:db8::10/64 address-conflict']);
});

test('groups may have the same link-local address, also the test address of another', () => {
  const bench = Bench.of(1);
  bench.createGroup({ name: 'other' });
  bench.create('net1', { testAddresses: ['fe80::9/64'] });
  for (const group of ['ipmp0', 'other']) list(bench, 'fe80::1', IFA_F_PERMANENT, group);
  const states = (): unknown => columns(bench.system.describeAddresses(), 'address', 'state');
  deepEqual(states(), [
    ['fe80::1/64', 'tentative'],
    ['fe80::1/64', 'tentative'],
    ['fe80::9/64', 'down'],
  ]);
  list(bench, 'fe80::9', IFA_F_PERMANENT, 'other');
  equal(bench.system.describeAddresses()[1]?.state, 'tentative');
});

test('within a group a link-local address is used once', () => {
  const bench = new Bench();
  bench.create('net0', { testAddresses: ['fe80::9/64'] });
  bench.appear('net0');
  bench.createGroup({ interfaces: ['net0'] });
  list(bench, 'fe80::9', IFA_F_PERMANENT);
  const [row] = bench.system.describeAddresses();
  deepEqual([row?.type, row?.state, row?.cause], ['data', 'down', 'used-elsewhere']);
});

/** A group of net0, and net1 in no group, with these link-local test addresses. */
function besideLinkLocal(ofMember: string[], ofOther: string[]): Bench {
  const bench = new Bench();
  bench.create('net0', { testAddresses: ofMember });
  bench.create('net1', { testAddresses: ofOther });
  bench.appear('net0');
  bench.appear('net1');
  bench.createGroup({ interfaces: ['net0'] });
  bench.groupDevice();
  return bench;
}

test('an interface does not join where its link-local test address is in use', () => {
  const mayNotJoin = (bench: Bench, user: string): void => {
    const before = bench.system.describeInterfaces();
    const message = `EADDRINUSE interface net1 has test address fe80::9, and it is ${user}`;
    equal(
      bench.refusal(() => bench.system.joinGroup('ipmp0', 'net1')),
      message,
    );
    deepEqual(bench.system.describeInterfaces(), before);
    deepEqual(bench.system.describeGroups()[0]?.joining, []);
  };
  mayNotJoin(besideLinkLocal(['fe80::9/64'], ['fe80::9/64']), 'a test address of interface net0');
  const bench = besideLinkLocal(['192.0.2.9/24'], ['192.0.2.8/24', 'fe80::9/64']);
  list(bench, 'fe80::9', IFA_F_PERMANENT);
  mayNotJoin(bench, 'a data address of group ipmp0');
  list(bench, 'fe80::10', IFA_F_PERMANENT);
  bench.join('ipmp0', 'net1');
});

test('a link-local address that the group gets while an interface joins ends the join', () => {
  const bench = besideLinkLocal([], ['fe80::9/64']);
  bench.delaysMs.set('net1', 100);
  const join = bench.begin(() => bench.system.joinGroup('ipmp0', 'net1'));
  list(bench, 'fe80::9', IFA_F_PERMANENT);
  bench.nowMs += 100;
  bench.system.handleTime(bench.nowMs);
  match(String(join.error), /fe80::9, and it is a data address of group ipmp0/);
  equal(join.state, 'failed');
  deepEqual(bench.system.describeGroups()[0]?.joining, []);
});

test('the link-local address of a member is free for the group when the member leaves', () => {
  const bench = besideLinkLocal(['fe80::9/64'], []);
  bench.join('ipmp0', 'net1');
  list(bench, 'fe80::9', IFA_F_PERMANENT);
  equal(bench.system.describeAddresses()[0]?.cause, 'used-elsewhere');
  bench.leave('ipmp0', 'net0');
  const [row] = bench.system.describeAddresses();
  deepEqual([row?.type, row?.state, row?.inbound], ['data', 'tentative', 'net1']);
});

test('what no station may have is passed over', () => {
  const bench = Bench.of(1);
  bench.addresses('::/128', '::1/128', '::ffff:192.0.2.1/128', '0.0.0.0/8');
  deepEqual(bench.system.describeAddresses(), []);
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
    flags: [],
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
  const testAddresses = ['192.0.2.21/24', '2001:db8::21/64', 'fe80::21/128'];
  bench.create('net0', { testAddresses });
  const rows = (): unknown =>
    columns(bench.system.describeAddresses(), 'address', 'type', 'state', 'inbound');
  const all = (state: string, inbound: string | null): unknown =>
    testAddresses.map((address) => [address, 'test', state, inbound]);
  deepEqual(rows(), all('down', null));
  bench.appear('net0');
  bench.createGroup({ interfaces: ['net0'] });
  bench.advance(5_000);
  deepEqual(rows(), all('up', 'net0'));
  const published = [0xc0000215, ipParse('2001:db8::21'), ipParse('fe80::21')];
  deepEqual(
    bench.publication.tables.addresses,
    published.map((address) => ({ address, group: 0, kind: 'test', slot: -1, nic: 0 })),
  );
  bench.vanish('net0');
  deepEqual(rows(), all('down', null));
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
