/** Frames from the host: every rule of output.ts as a row, spreading, rewriting, DHCP. */

import { deepEqual, equal, notEqual } from 'node:assert/strict';
import { test } from 'node:test';
import { arpFrame } from '../../../src/wire/arp.ts';
import { udpVerifyChecksum } from '../../../src/wire/udp.ts';
import { type Ends, udpDatagram } from '../../tools/frames.ts';
import {
  BROADCAST,
  etherFrame,
  GROUP_MACS,
  HOST,
  hostFrame,
  ip,
  MULTICAST,
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

const arpRequest = arpFrame(BROADCAST, group, {
  operation: 1,
  senderMac: group,
  senderAddress: ip('192.0.2.10'),
  targetMac: 0,
  targetAddress: ip('192.0.2.1'),
});

/** What the frame is, the frame, what becomes of it. */
const ROWS: readonly [string, Uint8Array, string][] = [
  ['unicast', hostFrame(), ANY_NIC],
  ['forwarded for another host', hostFrame({ from: '203.0.113.7' }), ANY_NIC],
  ['source MAC of another station', hostFrame({ source: PEER }), ANY_NIC],
  ['broadcast', hostFrame({ destination: BROADCAST, to: '192.0.2.255' }), 'net0'],
  ['limited broadcast', hostFrame({ destination: BROADCAST, to: '255.255.255.255' }), 'net0'],
  ['multicast', hostFrame({ destination: MULTICAST, to: '239.1.2.3' }), 'net0'],
  ['ARP', arpRequest, 'punt'],
  ['to a NIC of ours', hostFrame({ destination: NIC_MACS[1]! }), 'punt'],
  ['to the NIC in no group', hostFrame({ destination: NIC_MACS[3]! }), 'punt'],
  ['to the group itself', hostFrame({ destination: group }), 'own_destination'],
  ['from a test address', hostFrame({ from: '192.0.2.21' }), 'test_source'],
  ['from multicast', hostFrame({ from: '239.1.2.3' }), 'martian_source'],
  ['from loopback', hostFrame({ from: '127.0.0.1' }), 'martian_source'],
  ['from 0.0.0.0 by unicast', hostFrame({ from: '0.0.0.0' }), 'martian_source'],
  ['from 0.0.0.0 by multicast', hostFrame({ from: '0.0.0.0', destination: MULTICAST }), 'net0'],
  ['to loopback', hostFrame({ to: '127.0.0.1' }), 'martian_destination'],
  ['source is destination', hostFrame({ to: '192.0.2.10' }), 'same_addresses'],
  ['source route', hostFrame({ options: Uint8Array.of(137, 3, 4, 0) }), 'source_route'],
  ['as long as the NICs take', hostFrame({ payload: new Uint8Array(1480) }), ANY_NIC],
  ['longer than they take', hostFrame({ payload: new Uint8Array(1481) }), 'too_big'],
  [
    'a broadcast longer than they take',
    hostFrame({ destination: BROADCAST, to: '192.0.2.255', payload: new Uint8Array(1481) }),
    'too_big',
  ],
  ['IPv6', etherFrame(PEER, group, 0x86dd), 'ipv6_not_served'],
  ['VLAN', etherFrame(PEER, group, 0x8100), 'vlan'],
  ['unknown type', etherFrame(PEER, group, 0x1234), 'unknown_ethertype'],
  ['IPv4 in name only', etherFrame(PEER, group, 0x0800), 'bad_ipv4_header'],
  ['too short', hostFrame().slice(0, 20), 'runt'],
  ['too long', new Uint8Array(70_000), 'truncated'],
];

for (const [name, frame, fate] of ROWS) {
  test(`from the host: ${name}: ${fate}`, () => {
    const found = new World().fate(HOST, frame);
    equal(fate === ANY_NIC ? found.replace(/\d/, '') : found, fate);
  });
}

test('a super-frame is judged by the packets that it will be cut into', () => {
  const tcp = new Uint8Array(4000);
  tcp[12] = 8 << 4;
  const [TCP, UDP] = [1, 5];
  const fate = (protocol: number, gso: number, size: number): string => {
    const frame = hostFrame({ protocol, payload: tcp });
    return new World().fate(HOST, frame, vnet(1, gso, 66, size, 34, 6)).replace(/\d/, '');
  };
  deepEqual([fate(6, TCP, 1448), fate(6, TCP, 1449)], [ANY_NIC, 'too_big']);
  deepEqual([fate(17, UDP, 1472), fate(17, UDP, 1473)], [ANY_NIC, 'too_big']);
});

test('a frame leaves with the MAC of its NIC as source, nothing else changed', () => {
  const world = new World();
  const frame = hostFrame();
  const name = world.fate(HOST, frame);
  const nic = name === 'net0' ? NET0 : NET1;
  const expected = frame.slice();
  expected.set([0x02, 0, 0, 0, 1, nic], 6);
  deepEqual(world.sent(nic), expected);
});

test('a neighbour that moved gets its frames at the new MAC', () => {
  const world = new World();
  const frame = hostFrame({ destination: mac('52:54:00:aa:bb:02') });
  world.fate(HOST, frame);
  const sent = world.port(NET0).sent[0] ?? world.sent(NET1);
  deepEqual([...sent.subarray(0, 6)], [0x52, 0x54, 0, 0xaa, 0xbb, 0x99]);
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

/** A frame of flow `i`: another source port. */
const flow = (i: number): Uint8Array => {
  return hostFrame({ payload: Uint8Array.of(i >> 8, i, 0, 53, 0, 8, 0, 0) });
};
const fates = (world: World, frames: readonly Uint8Array[]): string[] =>
  frames.map((frame) => world.fate(HOST, frame));
const FLOWS = Array.from({ length: 64 }, (_, i) => flow(i + 1024));

test('[contract 3.11] flows use all active members and no other', () => {
  const used = new Set(fates(new World(), FLOWS));
  deepEqual([...used].sort(), ['net0', 'net1']);
});

test('a death moves the flows of the dead and no other, a repair brings them back', () => {
  const world = new World();
  const before = fates(world, FLOWS);
  world.setLinkDown(NET1, true);
  deepEqual([...new Set(fates(world, FLOWS))], ['net0']);
  world.setLinkDown(NET1, false);
  deepEqual(fates(world, FLOWS), before);
  world.publisher.setActiveMembers(0, 0b11, 1 << 8);
  fates(world, FLOWS).forEach((name, i) => {
    if (name !== portName(NET2)) equal(name, before[i]);
  });
});

test('if all links look down, none counts as down', () => {
  const world = new World();
  world.setLinkDown(NET0, true);
  world.setLinkDown(NET1, true);
  deepEqual([...new Set(fates(world, FLOWS))].sort(), ['net0', 'net1']);
  equal(world.fate(HOST, hostFrame({ destination: BROADCAST })), 'net0');
});

test('without an active member everything is dropped', () => {
  const world = new World();
  world.publisher.setActiveMembers(0, 0, 0);
  equal(world.fate(HOST, hostFrame()), 'no_active_member');
  world.publisher.setCastMember(0, -1);
  equal(world.fate(HOST, hostFrame({ destination: BROADCAST })), 'no_active_member');
});

test('fragments of a datagram take one NIC, ports or not', () => {
  const world = new World();
  for (let i = 0; i < 32; i++) {
    const from = `203.0.113.${i}`;
    const first = hostFrame({ from, fragment: 0x2000, payload: Uint8Array.of(9, i, 0, 53, 0, 0) });
    const later = hostFrame({ from, fragment: 0x0002, payload: new Uint8Array(64).fill(i) });
    equal(world.fate(HOST, first), world.fate(HOST, later));
  }
});

test('[contract 3.11] spreading by destination ignores the ports', () => {
  const world = new World('destination');
  equal(new Set(fates(world, FLOWS)).size, 1);
  const peers = Array.from({ length: 32 }, (_, i) => hostFrame({ to: `203.0.113.${i}` }));
  equal(new Set(fates(world, peers)).size, 2);
});

test('[contract 3.11] spreading by address follows the place of the source', () => {
  const world = new World('address');
  deepEqual([...new Set(fates(world, FLOWS))], ['net0']);
  equal(world.fate(HOST, hostFrame({ from: '192.0.2.11' })), 'net1');
  world.publisher.setPlacement(1, NET0);
  equal(world.fate(HOST, hostFrame({ from: '192.0.2.11' })), 'net0');
  world.setLinkDown(NET0, true);
  equal(world.fate(HOST, hostFrame({ from: '192.0.2.11' })), 'net1');
  world.setLinkDown(NET0, false);
  world.publisher.setPlacement(1, -1);
  const foreign = FLOWS.map((_, i) => hostFrame({ from: `203.0.113.${i}` }));
  equal(new Set(fates(world, foreign)).size, 2);
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
