/** Frames from the host: every rule of output.ts as a row, spreading, rewriting, DHCP. */

import { deepEqual, equal, notEqual } from 'node:assert/strict';
import { test } from 'node:test';
import { udpVerifyChecksum } from '../../../src/wire/udp.ts';
import { type Ends, udpDatagram } from '../../tools/frames.ts';
import {
  BROADCAST,
  etherFrame,
  FAMILIES,
  type FamilyPlan,
  type FrameOptions,
  GROUP_MACS,
  HOST,
  hostFrame,
  hostFrame6,
  ip,
  mac,
  NET0,
  NET1,
  NET2,
  NIC_MACS,
  PEER,
  portName,
  vnet,
  World,
  worldTables,
} from './harness.ts';

const ANY_NIC = 'net';
const group = GROUP_MACS[0];

/** What the frame is, the frame, what becomes of it. */
type Row = readonly [string, Uint8Array, string];

/** What holds for both families. */
function familyRows(plan: FamilyPlan): readonly Row[] {
  const { fromHost: host, own, headers, unspecified } = plan;
  const toGroup = { to: plan.group, destination: plan.groupMac };
  const room = 1500 + 14 - headers;
  return [
    ['unicast', host(), ANY_NIC],
    ['forwarded for another host', host({ from: plan.far(7) }), ANY_NIC],
    ['source MAC of another station', host({ source: PEER }), ANY_NIC],
    ['multicast', host(toGroup), 'net0'],
    ['a request', plan.request(plan.peer, group), 'punt'],
    ['a request to one station', plan.request(plan.peer, group, PEER), 'punt'],
    ['to a NIC of ours', host({ destination: NIC_MACS[1]! }), 'punt'],
    ['to the NIC in no group', host({ destination: NIC_MACS[3]! }), 'punt'],
    ['to the group itself', host({ destination: group }), 'own_destination'],
    ['from a test address', host({ from: plan.test }), 'test_source'],
    ['from multicast', host({ from: plan.group }), 'martian_source'],
    ['from loopback', host({ from: plan.loopback }), 'martian_source'],
    ['from the unspecified address by unicast', host({ from: unspecified }), 'martian_source'],
    ['from it by multicast', host({ from: unspecified, ...toGroup }), 'net0'],
    ['to loopback', host({ to: plan.loopback }), 'martian_destination'],
    ['source is destination', host({ to: own }), 'same_addresses'],
    ['as long as the NICs take', host({ payload: new Uint8Array(room) }), ANY_NIC],
    ['longer than they take', host({ payload: new Uint8Array(room + 1) }), 'too_big'],
    [
      'a multicast longer than they take',
      host({ ...toGroup, payload: new Uint8Array(room + 1) }),
      'too_big',
    ],
    ['too short', host().slice(0, 20), 'runt'],
  ];
}

const ROWS_4: readonly Row[] = [
  ['broadcast', hostFrame({ destination: BROADCAST, to: '192.0.2.255' }), 'net0'],
  ['limited broadcast', hostFrame({ destination: BROADCAST, to: '255.255.255.255' }), 'net0'],
  ['source route', hostFrame({ options: Uint8Array.of(137, 3, 4, 0) }), 'source_route'],
  ['VLAN', etherFrame(PEER, group, 0x8100), 'vlan'],
  ['unknown type', etherFrame(PEER, group, 0x1234), 'unknown_ethertype'],
  ['IPv4 in name only', etherFrame(PEER, group, 0x0800), 'bad_ipv4_header'],
  ['too long', new Uint8Array(70_000), 'truncated'],
];

const message = (type: number, options: FrameOptions = {}): Uint8Array => {
  const payload = new Uint8Array(24);
  payload[0] = type;
  return hostFrame6({ protocol: 58, payload, ...options });
};
const toNodes = { to: 'ff02::1', destination: mac('33:33:00:00:00:01') };
/** Router alert before a report, from an address that is not known to be ours yet. */
const report: FrameOptions = {
  to: 'ff02::16',
  destination: mac('33:33:00:00:00:16'),
  from: '::',
  next: 0,
  extensions: Uint8Array.of(58, 0, 5, 2, 0, 0, 1, 0),
};
const sourceRoute = Uint8Array.of(17, 0, 0, 1, 0, 0, 0, 0);

const ROWS_6: readonly Row[] = [
  ['router solicitation', message(133, toNodes), 'punt'],
  ['router advertisement', message(134, toNodes), 'punt'],
  ['detection of a duplicate', message(135, { ...toNodes, from: '::' }), 'punt'],
  ['advertisement', message(136), 'punt'],
  ['redirect', message(137), 'punt'],
  ['query for listeners', message(130, toNodes), 'net0'],
  ['report of listeners', message(143, report), 'net0'],
  ['echo request', message(128), ANY_NIC],
  ['source route', hostFrame6({ next: 43, extensions: sourceRoute }), 'source_route'],
  ['to a group of the interface alone', message(128, { to: 'ff01::1' }), 'martian_destination'],
  ['IPv6 in name only', etherFrame(PEER, group, 0x86dd), 'bad_ipv6_header'],
];

const ALL_ROWS: readonly (readonly [string, readonly Row[]])[] = [
  ...FAMILIES.map((plan) => [plan.name, familyRows(plan)] as const),
  ['IPv4 alone', ROWS_4],
  ['IPv6 alone', ROWS_6],
];

for (const [family, rows] of ALL_ROWS) {
  for (const [name, frame, fate] of rows) {
    test(`from the host, ${family}: ${name}: ${fate}`, () => {
      const found = new World().fate(HOST, frame);
      equal(fate === ANY_NIC ? found.replace(/\d/, '') : found, fate);
    });
  }
}

for (const { name, fromHost, headers, gsoTcp } of FAMILIES) {
  test(`${name}: a super-frame is judged by the packets that it will be cut into`, () => {
    const payload = new Uint8Array(4000);
    payload[12] = 8 << 4;
    const fate = (protocol: number, gso: number, size: number, options?: FrameOptions): string => {
      const frame = fromHost({ protocol, payload, ...options });
      return new World().fate(HOST, frame, vnet(1, gso, 66, size, headers, 6)).replace(/\d/, '');
    };
    const most = 1500 + 14 - headers;
    deepEqual(
      [fate(6, gsoTcp, most - 32), fate(6, gsoTcp, most - 31)],
      [ANY_NIC, 'too_big'],
      'TCP',
    );
    deepEqual([fate(17, 5, most - 8), fate(17, 5, most - 7)], [ANY_NIC, 'too_big'], 'UDP');
  });

  test(`${name}: a frame leaves with the MAC of its NIC as source, nothing else changed`, () => {
    const world = new World();
    const frame = fromHost();
    const nic = world.fate(HOST, frame) === 'net0' ? NET0 : NET1;
    const expected = frame.slice();
    expected.set([0x02, 0, 0, 0, 1, nic], 6);
    deepEqual(world.sent(nic), expected);
  });

  test(`${name}: a neighbour that moved gets its frames at the new MAC`, () => {
    const world = new World();
    world.fate(HOST, fromHost({ destination: mac('52:54:00:aa:bb:02') }));
    const sent = world.port(NET0).sent[0] ?? world.sent(NET1);
    deepEqual([...sent.subarray(0, 6)], [0x52, 0x54, 0, 0xaa, 0xbb, 0x99]);
  });
}

test('extension headers count in the packets that a super-frame of IPv6 is cut into', () => {
  const payload = new Uint8Array(4000);
  payload[12] = 8 << 4;
  const options = { next: 60, extensions: Uint8Array.of(6, 0, 1, 4, 0, 0, 0, 0) };
  const frame = hostFrame6({ protocol: 6, payload, ...options });
  const fate = (size: number): string =>
    new World().fate(HOST, frame, vnet(1, 4, 94, size, 62, 16)).replace(/\d/, '');
  deepEqual([fate(1420), fate(1421)], [ANY_NIC, 'too_big']);
});

test('the use of a redirect is reported once, of the right group, also after a new table', () => {
  const world = new World();
  const former = mac('52:54:00:aa:bb:02');
  const isUsed = (group = 0): boolean => world.publisher.takeRedirectUse(group, former);
  world.fate(HOST, hostFrame());
  equal(isUsed(), false);
  for (let i = 0; i < 3; i++) world.fate(HOST, hostFrame({ destination: former }));
  const tables = worldTables();
  const others = [1, 2, 3].map((n) => ({ group: 0, from: PEER + 0x1000 * n, to: PEER }));
  world.publisher.replace({ ...tables, redirects: [...others, ...tables.redirects] });
  equal(isUsed(1), false);
  deepEqual([isUsed(), isUsed()], [true, false]);
});

const fates = (world: World, frames: readonly Uint8Array[]): string[] =>
  frames.map((frame) => world.fate(HOST, frame));
const times = (count: number, frame: (i: number) => Uint8Array): Uint8Array[] =>
  Array.from({ length: count }, (_, i) => frame(i));
/** Payload of flow `i`: another source port. */
const ports = (i: number): Uint8Array => Uint8Array.of((i + 1024) >> 8, i, 0, 53, 0, 8, 0, 0);

for (const plan of FAMILIES) {
  const { name, fromHost } = plan;
  const FLOWS = times(64, (i) => fromHost({ payload: ports(i) }));

  test(`[contract 3.11] ${name}: flows use all active members and no other`, () => {
    const used = new Set(fates(new World(), FLOWS));
    deepEqual([...used].sort(), ['net0', 'net1']);
  });

  test(`${name}: a death moves the flows of the dead alone, a repair brings them back`, () => {
    const world = new World();
    const before = fates(world, FLOWS);
    world.setLinkDown(NET1, true);
    deepEqual([...new Set(fates(world, FLOWS))], ['net0']);
    world.setLinkDown(NET1, false);
    deepEqual(fates(world, FLOWS), before);
    world.publisher.setActiveMembers(0, 0b11, 1 << 8);
    fates(world, FLOWS).forEach((way, i) => {
      if (way !== portName(NET2)) equal(way, before[i]);
    });
  });

  test(`${name}: if all links look down, none counts as down`, () => {
    const world = new World();
    world.setLinkDown(NET0, true);
    world.setLinkDown(NET1, true);
    deepEqual([...new Set(fates(world, FLOWS))].sort(), ['net0', 'net1']);
    const multicast = { destination: plan.groupMac, to: plan.group };
    equal(world.fate(HOST, fromHost(multicast)), 'net0');
  });

  test(`${name}: without an active member everything is dropped`, () => {
    const world = new World();
    world.publisher.setActiveMembers(0, 0, 0);
    equal(world.fate(HOST, fromHost()), 'no_active_member');
    world.publisher.setCastMember(0, -1);
    const multicast = { destination: plan.groupMac, to: plan.group };
    equal(world.fate(HOST, fromHost(multicast)), 'no_active_member');
  });

  test(`${name}: fragments of a datagram take one NIC, ports or not`, () => {
    const world = new World();
    for (let i = 0; i < 32; i++) {
      const from = plan.far(i);
      const payload = Uint8Array.of(9, i, 0, 53, 0, 0);
      const first = fromHost({ from, fragment: 0x2000, payload });
      const later = fromHost({ from, fragment: 0x0002, payload: new Uint8Array(64).fill(i) });
      equal(world.fate(HOST, first), world.fate(HOST, later));
    }
  });

  test(`[contract 3.11] ${name}: spreading by destination ignores the ports`, () => {
    const world = new World('destination');
    equal(new Set(fates(world, FLOWS)).size, 1);
    const peers = times(32, (i) => fromHost({ to: plan.far(i) }));
    equal(new Set(fates(world, peers)).size, 2);
  });

  test(`[contract 3.11] ${name}: spreading by address follows the place of the source`, () => {
    const world = new World('address');
    deepEqual([...new Set(fates(world, FLOWS))], ['net0']);
    const second = fromHost({ from: plan.own1 });
    equal(world.fate(HOST, second), 'net1');
    world.publisher.setPlacement(1, NET0);
    equal(world.fate(HOST, second), 'net0');
    world.setLinkDown(NET0, true);
    equal(world.fate(HOST, second), 'net1');
    world.setLinkDown(NET0, false);
    world.publisher.setPlacement(1, -1);
    const foreign = times(64, (i) => fromHost({ from: plan.far(i) }));
    equal(new Set(fates(world, foreign)).size, 2);
  });
}

test('every part of an IPv6 address may move a flow, of the source and of the destination', () => {
  const ways = (world: World, frame: (i: number) => Uint8Array): number =>
    new Set(fates(world, times(32, frame))).size;
  for (const part of [1, 2, 3, 4, 5, 6, 7]) {
    const address = (i: number): string => {
      const groups = new Array<string>(8).fill('1');
      groups[0] = '2001';
      groups[part] = i.toString(16);
      return groups.join(':');
    };
    const from = (i: number): Uint8Array => hostFrame6({ from: address(i) });
    const to = (i: number): Uint8Array => hostFrame6({ to: address(i) });
    deepEqual([ways(new World(), from), ways(new World(), to)], [2, 2], `part ${part}`);
    equal(ways(new World('destination'), to), 2, `part ${part} of a destination`);
  }
});

test('a flow label takes the place of protocol and ports, fragmented or not', () => {
  const world = new World();
  const used = new Set<string>();
  for (let flowLabel = 1; flowLabel <= 64; flowLabel++) {
    const frames = [
      hostFrame6({ flowLabel, payload: ports(flowLabel) }),
      hostFrame6({ flowLabel, payload: ports(1) }),
      hostFrame6({ flowLabel, protocol: 6 }),
      hostFrame6({ flowLabel, fragment: 0x2000 }),
      hostFrame6({ flowLabel, fragment: 0x0002 }),
    ];
    const ways = new Set(fates(world, frames));
    equal(ways.size, 1, `label ${flowLabel}`);
    for (const way of ways) used.add(way);
  }
  equal(used.size, 2);
});

test('fragments without a label take one NIC whatever headers the first of them has', () => {
  const world = new World();
  // Behind the fragment header the first has options for the destination, then UDP.
  const options = Uint8Array.of(17, 0, 1, 4, 0, 0, 0, 0, 9, 9, 0, 53, 0, 0, 0, 0);
  for (let i = 0; i < 32; i++) {
    const pieces = [0x2000, 0x0002].map((fragment) =>
      hostFrame6({ from: `2001:db8:f::${i}`, fragment, protocol: 60, payload: options }),
    );
    const plain = hostFrame6({ from: `2001:db8:f::${i}`, fragment: 0x0004, protocol: 17 });
    equal(new Set(fates(world, [...pieces, plain])).size, 1);
  }
});

const UDP = 34;
const CHECKSUM = UDP + 6;
const DHCP_FLAGS = UDP + 8 + 10;
const DHCP_ENDS = { source: 0, destination: ip('255.255.255.255') };

/** A DHCP request of a client without an address, chaddr of the group, as a UDP datagram. */
function dhcpDatagram(ends?: Ends, id: readonly number[] = [0, 0], flags = 0): Uint8Array {
  const message = new Uint8Array(300);
  message.set([1, 1, 6, 0, ...id], 0);
  message[10] = flags;
  message.set([0x02, 0, 0, 0, 0x0f, 0], 28);
  message.set([0x63, 0x82, 0x53, 0x63], 236);
  return udpDatagram(68, 67, message, ends);
}

const dhcpFrame = (payload: Uint8Array): Uint8Array =>
  hostFrame({ destination: BROADCAST, from: '0.0.0.0', to: '255.255.255.255', payload });

test('a DHCP request asks for a broadcast, and its checksum stays right', () => {
  const frame = dhcpFrame(dhcpDatagram(DHCP_ENDS));
  const world = new World();
  equal(world.fate(HOST, frame), 'net0');
  const sent = world.sent(NET0);
  equal(sent[DHCP_FLAGS], 0x80);
  notEqual(sent[CHECKSUM], frame[CHECKSUM]);
  equal(udpVerifyChecksum(sent, UDP, 0, DHCP_ENDS.destination), true);
});

test('a checksum that becomes zero is written as 0xffff, since zero means none', () => {
  // The identification makes up for what the sum of the changed request lacks.
  const id = dhcpDatagram(DHCP_ENDS, [0, 0], 0x80).subarray(6, 8);
  const world = new World();
  world.fate(HOST, dhcpFrame(dhcpDatagram(DHCP_ENDS, [...id])));
  deepEqual([...world.sent(NET0).subarray(CHECKSUM, CHECKSUM + 2)], [0xff, 0xff]);
});

test('a DHCP request without a checksum, or with one to finish, keeps the field', () => {
  const world = new World();
  world.fate(HOST, dhcpFrame(dhcpDatagram()));
  deepEqual([...world.sent(NET0).subarray(CHECKSUM, CHECKSUM + 2)], [0, 0]);
  const header = Uint8Array.of(1, 0, 0, 0, 0, 0, 34, 0, 6, 0);
  const unfinished = dhcpDatagram();
  unfinished.set([0x12, 0x34], 6);
  world.fate(HOST, dhcpFrame(unfinished), header);
  deepEqual([...world.sent(NET0).subarray(CHECKSUM, CHECKSUM + 2)], [0x12, 0x34]);
  equal(world.sent(NET0)[DHCP_FLAGS], 0x80);
});

test('other datagrams than DHCP requests of such a client are left alone', () => {
  const world = new World();
  const changes: readonly (readonly [at: number, ...bytes: number[]])[] = [
    [0, 0, 69],
    [2, 0, 68],
    [8, 2],
    [8 + 12, 192, 0, 2, 10],
    [8 + 236, 0],
    [8 + 10, 0x80],
    [4, 0xff],
  ];
  for (const [at, ...bytes] of changes) {
    const payload = dhcpDatagram();
    payload.set(bytes, at);
    const frame = dhcpFrame(payload);
    equal(world.fate(HOST, frame), 'net0');
    deepEqual(world.sent(NET0).subarray(12), frame.subarray(12), `${bytes} at ${at}`);
  }
});
