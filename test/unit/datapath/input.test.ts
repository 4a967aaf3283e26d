/** Frames from the wire: every rule of input.ts as a row, the bytes out, and the counters. */

import { deepEqual, equal } from 'node:assert/strict';
import { test } from 'node:test';
import { arpFrame } from '../../../src/wire/arp.ts';
import {
  BROADCAST,
  etherFrame,
  GROUP_MACS,
  HOST,
  HOST_2,
  ip,
  ipv4Frame,
  LONE,
  MULTICAST,
  mac,
  NET0,
  NET1,
  NET2,
  NET4,
  NIC_MACS,
  PEER,
  tagged,
  vnet,
  World,
} from './harness.ts';

const net0 = NIC_MACS[0]!;
const lone = NIC_MACS[3]!;

const arpRequest = (destination: number, source = PEER, address = '192.0.2.10'): Uint8Array => {
  const target = { targetMac: 0, targetAddress: ip(address) };
  const sender = { senderMac: source, senderAddress: ip('192.0.2.1') };
  return arpFrame(destination, source, { operation: 1, ...sender, ...target });
};
const icmp = (type: number): Uint8Array => Uint8Array.of(type, 0, 0, 0, 0, 0, 0, 0);
const cut = (frame: Uint8Array, length: number): Uint8Array => frame.slice(0, length);
const poke = (frame: Uint8Array, at: number, value: number): Uint8Array => {
  frame[at] = value;
  return frame;
};

/** What the frame is, the port it comes by, the frame, what becomes of it, and its vnet header. */
const ROWS: readonly [string, number, Uint8Array, string, Uint8Array?][] = [
  ['unicast to a data address', NET0, ipv4Frame(), 'host0'],
  ['unicast to an address behind us', NET0, ipv4Frame({ to: '203.0.113.9' }), 'host0'],
  ['broadcast on the nominated NIC', NET0, ipv4Frame({ destination: BROADCAST }), 'host0'],
  ['multicast on the nominated NIC', NET0, ipv4Frame({ destination: MULTICAST }), 'host0'],
  ['broadcast on another', NET1, ipv4Frame({ destination: BROADCAST }), 'not_nominated'],
  ['ARP request on the nominated NIC', NET0, arpRequest(BROADCAST), 'punt'],
  ['ARP request on another', NET1, arpRequest(BROADCAST), 'not_nominated'],
  [
    'ARP request on the NIC that serves its target',
    NET1,
    arpRequest(BROADCAST, PEER, '192.0.2.11'),
    'punt',
  ],
  [
    'ARP request on a NIC that neither is nominated nor serves its target',
    NET2,
    arpRequest(BROADCAST, PEER, '192.0.2.11'),
    'not_nominated',
  ],
  [
    'ARP request for an unowned address on another',
    NET1,
    arpRequest(BROADCAST, PEER, '192.0.2.99'),
    'not_nominated',
  ],
  [
    'ARP request that is cut off, on another',
    NET1,
    cut(arpRequest(BROADCAST, PEER, '192.0.2.11'), 41),
    'not_nominated',
  ],
  ['ARP reply to this NIC', NET1, arpRequest(NIC_MACS[1]!), 'punt'],
  ['ARP reply to another NIC', NET0, arpRequest(NIC_MACS[1]!), 'foreign_destination'],
  ['our own broadcast received again', NET0, arpRequest(BROADCAST, NIC_MACS[1]), 'own_source'],
  ['source MAC of a group device', NET0, ipv4Frame({ source: GROUP_MACS[1] }), 'own_source'],
  ['source MAC is a group', NET0, ipv4Frame({ source: MULTICAST }), 'group_source'],
  ['unicast to a foreign MAC', NET0, ipv4Frame({ destination: PEER }), 'foreign_destination'],
  ['to the test address', NET0, ipv4Frame({ to: '192.0.2.21' }), 'punt'],
  [
    'fragment to the test address',
    NET0,
    ipv4Frame({ to: '192.0.2.21', fragment: 0x2000 }),
    'stack_fragment',
  ],
  [
    'later fragment to the test address',
    NET0,
    ipv4Frame({ to: '192.0.2.21', fragment: 3 }),
    'stack_fragment',
  ],
  ['fragment to a data address', NET0, ipv4Frame({ fragment: 0x2000 }), 'host0'],
  ['from our own data address', NET0, ipv4Frame({ from: '192.0.2.11' }), 'own_source_address'],
  ['from our own test address', NET0, ipv4Frame({ from: '192.0.2.21' }), 'own_source_address'],
  ['source is destination', NET0, ipv4Frame({ from: '192.0.2.10' }), 'same_addresses'],
  ['from loopback', NET0, ipv4Frame({ from: '127.0.0.1' }), 'martian_source'],
  ['from multicast', NET0, ipv4Frame({ from: '224.0.0.5' }), 'martian_source'],
  ['from class E', NET0, ipv4Frame({ from: '240.0.0.1' }), 'host0'],
  ['from limited broadcast', NET0, ipv4Frame({ from: '255.255.255.255' }), 'martian_source'],
  ['from 0.0.0.0 by unicast', NET0, ipv4Frame({ from: '0.0.0.0' }), 'martian_source'],
  [
    'from 0.0.0.0 by broadcast',
    NET0,
    ipv4Frame({ from: '0.0.0.0', to: '255.255.255.255', destination: BROADCAST }),
    'host0',
  ],
  ['from 0.1.2.3', NET0, ipv4Frame({ from: '0.1.2.3' }), 'host0'],
  ['to loopback', NET0, ipv4Frame({ to: '127.0.0.1' }), 'martian_destination'],
  ['to 0.0.0.0', NET0, ipv4Frame({ to: '0.0.0.0' }), 'martian_destination'],
  ['to class E', NET0, ipv4Frame({ to: '250.0.0.1' }), 'host0'],
  ['to 0.1.2.3', NET0, ipv4Frame({ to: '0.1.2.3' }), 'host0'],
  ['ICMP redirect', NET0, ipv4Frame({ protocol: 1, payload: icmp(5) }), 'icmp_redirect'],
  [
    'first fragment of a redirect',
    NET0,
    ipv4Frame({ protocol: 1, payload: icmp(5), fragment: 0x2000 }),
    'icmp_redirect',
  ],
  [
    'later fragment of ICMP whose payload begins as a redirect does',
    NET0,
    ipv4Frame({ protocol: 1, payload: icmp(5), fragment: 0x2001 }),
    'host0',
  ],
  [
    'last fragment of ICMP whose payload begins as a redirect does',
    NET0,
    ipv4Frame({ protocol: 1, payload: icmp(5), fragment: 0x0002 }),
    'host0',
  ],
  ['ICMP echo request', NET0, ipv4Frame({ protocol: 1, payload: icmp(8) }), 'host0'],
  ['ICMP unreachable', NET0, ipv4Frame({ protocol: 1, payload: icmp(3) }), 'host0'],
  [
    'loose source route',
    NET0,
    ipv4Frame({ options: Uint8Array.of(131, 7, 4, 1, 2, 3, 4, 0) }),
    'source_route',
  ],
  [
    'strict source route',
    NET0,
    ipv4Frame({ options: Uint8Array.of(137, 7, 4, 1, 2, 3, 4, 0) }),
    'source_route',
  ],
  ['router alert', NET0, ipv4Frame({ options: Uint8Array.of(148, 4, 0, 0) }), 'host0'],
  ['option of length 0', NET0, ipv4Frame({ options: Uint8Array.of(7, 0, 0, 0) }), 'host0'],
  ['option beyond the header', NET0, ipv4Frame({ options: Uint8Array.of(7, 39, 4, 0) }), 'host0'],
  ['version 5', NET0, poke(ipv4Frame(), 14, 0x55), 'bad_ipv4_header'],
  ['header length 16', NET0, poke(ipv4Frame(), 14, 0x44), 'bad_ipv4_header'],
  ['total length beyond the frame', NET0, poke(ipv4Frame(), 17, 200), 'bad_ipv4_header'],
  ['no room for an IPv4 header', NET0, cut(ipv4Frame(), 33), 'runt'],
  ['13 bytes', NET0, cut(ipv4Frame(), 13), 'runt'],
  ['nothing', NET0, new Uint8Array(0), 'runt'],
  ['a slot full', NET0, new Uint8Array(70_000), 'truncated'],
  ['IPv6', NET0, etherFrame(net0, PEER, 0x86dd), 'ipv6_not_served'],
  ['VLAN 5', NET0, tagged(ipv4Frame(), 5), 'vlan'],
  ['priority tag', NET0, tagged(ipv4Frame(), 0xe000), 'host0'],
  ['priority tag with ARP', NET0, tagged(arpRequest(BROADCAST), 0), 'punt'],
  ['two priority tags', NET0, tagged(tagged(ipv4Frame(), 0), 0), 'vlan'],
  ['nothing but a priority tag', NET0, cut(tagged(ipv4Frame(), 0), 18), 'runt'],
  ['QinQ', NET0, etherFrame(net0, PEER, 0x88a8), 'vlan'],
  ['LLC', NET0, etherFrame(net0, PEER, 0x0026), 'unknown_ethertype'],
  ['LLDP', NET0, etherFrame(mac('01:80:c2:00:00:0e'), PEER, 0x88cc), 'unknown_ethertype'],
  ['to the group’s own MAC', NET0, ipv4Frame({ destination: GROUP_MACS[0] }), 'host0'],
  [
    'to the group’s own MAC on another NIC',
    NET1,
    ipv4Frame({ destination: GROUP_MACS[0] }),
    'not_nominated',
  ],
  ['ARP to the group’s own MAC', NET0, arpRequest(GROUP_MACS[0]), 'punt'],
  [
    'to the MAC of another group',
    NET0,
    ipv4Frame({ destination: GROUP_MACS[1] }),
    'foreign_destination',
  ],
  [
    'to the MAC of a group by a NIC of none',
    LONE,
    ipv4Frame({ destination: GROUP_MACS[0] }),
    'foreign_destination',
  ],
  ['directed broadcast by unicast', NET0, ipv4Frame({ to: '192.0.2.255' }), 'host0'],
  ['multicast by unicast', NET0, ipv4Frame({ to: '224.0.0.1' }), 'host0'],
  ['NIC in no group: ARP', LONE, arpRequest(BROADCAST), 'punt'],
  ['NIC in no group: data', LONE, ipv4Frame({ destination: lone }), 'no_group'],
  ['NIC in no group: own', LONE, ipv4Frame({ destination: lone, to: '192.0.2.23' }), 'punt'],
  ['checksum to finish', NET0, ipv4Frame(), 'host0', vnet(1, 0, 0, 0, 34, 6)],
  ['checksum beyond the frame', NET0, ipv4Frame(), 'bad_vnet_header', vnet(1, 0, 0, 0, 34, 20)],
  ['checksum in the Ethernet header', NET0, ipv4Frame(), 'bad_vnet_header', vnet(1, 0, 0, 0, 13)],
  ['unknown segmentation', NET0, ipv4Frame(), 'bad_vnet_header', vnet(1, 2, 34, 1400, 34, 6)],
  ['segments of no size', NET0, ipv4Frame(), 'bad_vnet_header', vnet(1, 5, 34, 0, 34, 6)],
  ['segments without checksum', NET0, ipv4Frame(), 'bad_vnet_header', vnet(0, 5, 34, 8, 34, 6)],
  ['headers beyond the frame', NET0, ipv4Frame(), 'bad_vnet_header', vnet(1, 5, 99, 8, 34, 6)],
  ['TCP segments of UDP', NET0, ipv4Frame(), 'bad_vnet_header', vnet(1, 1, 34, 8, 34, 6)],
  ['UDP segments of UDP', NET0, ipv4Frame(), 'host0', vnet(1, 5, 34, 8, 34, 6)],
  ['super-frame with ECN', NET0, ipv4Frame({ protocol: 6 }), 'host0', vnet(1, 0x81, 34, 8, 34, 6)],
  [
    'super-frame to the test address',
    NET0,
    ipv4Frame({ to: '192.0.2.21' }),
    'punt_refused',
    vnet(1, 5, 34, 8, 34, 6),
  ],
  [
    'giant to the test address',
    NET0,
    ipv4Frame({ to: '192.0.2.21', payload: new Uint8Array(9_300) }),
    'punt_refused',
  ],
];

for (const [name, port, frame, fate, header] of ROWS) {
  test(`from the wire: ${name}: ${fate}`, () => {
    equal(new World().fate(port, frame, header), fate);
  });
}

test('a unicast frame goes up with the MAC of the group, nothing else changed', () => {
  const world = new World();
  const frame = ipv4Frame();
  const header = vnet(1, 0, 0, 0, 34, 6);
  equal(world.fate(NET0, frame, header), 'host0');
  const expected = frame.slice();
  expected.set([0x02, 0, 0, 0, 0x0f, 0], 0);
  deepEqual(world.sent(HOST), expected);
  deepEqual(world.port(HOST).sentHeaders.at(-1), new Uint8Array(header));
});

test('a priority tag is taken out, and what the device is to do stays right', () => {
  const world = new World();
  const frame = ipv4Frame();
  const header = vnet(1, 5, 38, 4, 38, 6);
  equal(world.fate(NET0, tagged(frame, 0x6000), header), 'host0');
  const expected = frame.slice();
  expected.set([0x02, 0, 0, 0, 0x0f, 0], 0);
  deepEqual(world.sent(HOST), expected);
  deepEqual(world.port(HOST).sentHeaders.at(-1), new Uint8Array(vnet(1, 5, 34, 4, 34, 6)));
  equal(world.counters.port(NET0).receiveBytes, BigInt(frame.length + 4));
});

test('a broadcast goes up unchanged', () => {
  const world = new World();
  const frame = ipv4Frame({ destination: BROADCAST, to: '198.51.100.255' });
  equal(world.fate(NET4, frame), 'host1');
  deepEqual(world.sent(HOST_2), frame);
});

test('with no NIC nominated every NIC takes broadcast', () => {
  const world = new World();
  world.publisher.setCastMember(0, -1);
  equal(world.fate(NET1, ipv4Frame({ destination: BROADCAST })), 'host0');
});

test('while the nominated link is down the next NIC takes broadcast', () => {
  const world = new World();
  world.setLinkDown(NET0, true);
  equal(world.fate(NET1, ipv4Frame({ destination: BROADCAST })), 'host0');
  equal(world.fate(NET0, ipv4Frame({ destination: BROADCAST })), 'not_nominated');
  world.setLinkDown(NET1, true);
  equal(world.fate(NET0, ipv4Frame({ destination: BROADCAST })), 'host0');
});

test('a NIC that the table does not know takes nothing', () => {
  const world = new World();
  world.publisher.replace({ nics: [], groups: [], addresses: [], redirects: [] });
  equal(world.fate(NET0, ipv4Frame()), 'no_group');
  equal(world.fate(HOST, ipv4Frame()), 'no_group');
});

test('punts carry the frame as it came, the port and the time', () => {
  const world = new World();
  world.nowMs = 1234.5;
  const frame = arpRequest(BROADCAST);
  world.fate(NET0, frame);
  deepEqual(world.punts, [{ port: NET0, frame, atMs: 1234.5 }]);
  world.takesPunts = false;
  equal(world.fate(NET0, frame), 'punt_full');
});
