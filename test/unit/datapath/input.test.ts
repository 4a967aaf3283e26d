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
/** The test address of the first NIC. */
const TEST = '192.0.2.21';
const toAll = { to: '255.255.255.255', destination: BROADCAST };

const arpRequest = (destination: number, source = PEER, address = '192.0.2.10'): Uint8Array => {
  const target = { targetMac: 0, targetAddress: ip(address) };
  const sender = { senderMac: source, senderAddress: ip('192.0.2.1') };
  return arpFrame(destination, source, { operation: 1, ...sender, ...target });
};
const arpFor = (address: string): Uint8Array => arpRequest(BROADCAST, PEER, address);
const icmp = (type: number, fragment = 0): Uint8Array =>
  ipv4Frame({ protocol: 1, payload: Uint8Array.of(type, 0, 0, 0, 0, 0, 0, 0), fragment });
const toMac = (destination: number): Uint8Array => ipv4Frame({ destination });
const toTest = ipv4Frame({ to: TEST });
const giant = ipv4Frame({ to: TEST, payload: new Uint8Array(9_300) });
const withOptions = (...options: number[]): Uint8Array =>
  ipv4Frame({ options: Uint8Array.from(options) });
const cut = (frame: Uint8Array, length: number): Uint8Array => frame.slice(0, length);
const poke = (frame: Uint8Array, at: number, value: number): Uint8Array => {
  frame[at] = value;
  return frame;
};

/** What the frame is, what becomes of it, the frame, the port it comes by, its vnet header. */
const ROWS: readonly [string, string, Uint8Array, number?, Uint8Array?][] = [
  ['unicast to a data address', 'host0', ipv4Frame()],
  ['unicast to an address behind us', 'host0', ipv4Frame({ to: '203.0.113.9' })],
  ['broadcast on the nominated NIC', 'host0', toMac(BROADCAST)],
  ['multicast on the nominated NIC', 'host0', toMac(MULTICAST)],
  ['broadcast on another', 'not_nominated', toMac(BROADCAST), NET1],
  ['ARP request on the nominated NIC', 'punt', arpRequest(BROADCAST)],
  ['ARP request on another', 'not_nominated', arpRequest(BROADCAST), NET1],
  ['ARP request on the NIC that serves its target', 'punt', arpFor('192.0.2.11'), NET1],
  ['ARP request on a NIC that has no part in it', 'not_nominated', arpFor('192.0.2.11'), NET2],
  ['ARP request for an unowned address on another', 'not_nominated', arpFor('192.0.2.99'), NET1],
  ['ARP request that is cut off, on another', 'not_nominated', cut(arpFor('192.0.2.11'), 41), NET1],
  ['ARP reply to this NIC', 'punt', arpRequest(NIC_MACS[1]!), NET1],
  ['ARP reply to another NIC', 'foreign_destination', arpRequest(NIC_MACS[1]!)],
  ['our own broadcast received again', 'own_source', arpRequest(BROADCAST, NIC_MACS[1])],
  ['source MAC of a group device', 'own_source', ipv4Frame({ source: GROUP_MACS[1] })],
  ['source MAC is a group', 'group_source', ipv4Frame({ source: MULTICAST })],
  ['unicast to a foreign MAC', 'foreign_destination', toMac(PEER)],
  ['to the test address', 'punt', toTest],
  ['fragment to the test address', 'stack_fragment', ipv4Frame({ to: TEST, fragment: 0x2000 })],
  ['later fragment to the test address', 'stack_fragment', ipv4Frame({ to: TEST, fragment: 3 })],
  ['fragment to a data address', 'host0', ipv4Frame({ fragment: 0x2000 })],
  ['from our own data address', 'own_source_address', ipv4Frame({ from: '192.0.2.11' })],
  ['from our own test address', 'own_source_address', ipv4Frame({ from: TEST })],
  ['source is destination', 'same_addresses', ipv4Frame({ from: '192.0.2.10' })],
  ['from loopback', 'martian_source', ipv4Frame({ from: '127.0.0.1' })],
  ['from multicast', 'martian_source', ipv4Frame({ from: '224.0.0.5' })],
  ['from class E', 'host0', ipv4Frame({ from: '240.0.0.1' })],
  ['from limited broadcast', 'martian_source', ipv4Frame({ from: '255.255.255.255' })],
  ['from 0.0.0.0 by unicast', 'martian_source', ipv4Frame({ from: '0.0.0.0' })],
  ['from 0.0.0.0 by broadcast', 'host0', ipv4Frame({ from: '0.0.0.0', ...toAll })],
  ['from 0.1.2.3', 'host0', ipv4Frame({ from: '0.1.2.3' })],
  ['to loopback', 'martian_destination', ipv4Frame({ to: '127.0.0.1' })],
  ['to 0.0.0.0', 'martian_destination', ipv4Frame({ to: '0.0.0.0' })],
  ['to class E', 'host0', ipv4Frame({ to: '250.0.0.1' })],
  ['to 0.1.2.3', 'host0', ipv4Frame({ to: '0.1.2.3' })],
  ['ICMP redirect', 'icmp_redirect', icmp(5)],
  ['first fragment of a redirect', 'icmp_redirect', icmp(5, 0x2000)],
  ['later fragment of ICMP whose payload begins as a redirect does', 'host0', icmp(5, 0x2001)],
  ['last fragment of ICMP whose payload begins as a redirect does', 'host0', icmp(5, 0x0002)],
  ['ICMP echo request', 'host0', icmp(8)],
  ['ICMP unreachable', 'host0', icmp(3)],
  ['loose source route', 'source_route', withOptions(131, 7, 4, 1, 2, 3, 4, 0)],
  ['strict source route', 'source_route', withOptions(137, 7, 4, 1, 2, 3, 4, 0)],
  ['router alert', 'host0', withOptions(148, 4, 0, 0)],
  ['option of length 0', 'host0', withOptions(7, 0, 0, 0)],
  ['option beyond the header', 'host0', withOptions(7, 39, 4, 0)],
  ['version 5', 'bad_ipv4_header', poke(ipv4Frame(), 14, 0x55)],
  ['header length 16', 'bad_ipv4_header', poke(ipv4Frame(), 14, 0x44)],
  ['total length beyond the frame', 'bad_ipv4_header', poke(ipv4Frame(), 17, 200)],
  ['no room for an IPv4 header', 'runt', cut(ipv4Frame(), 33)],
  ['13 bytes', 'runt', cut(ipv4Frame(), 13)],
  ['nothing', 'runt', new Uint8Array(0)],
  ['a slot full', 'truncated', new Uint8Array(70_000)],
  ['IPv6', 'ipv6_not_served', etherFrame(net0, PEER, 0x86dd)],
  ['VLAN 5', 'vlan', tagged(ipv4Frame(), 5)],
  ['priority tag', 'host0', tagged(ipv4Frame(), 0xe000)],
  ['priority tag with ARP', 'punt', tagged(arpRequest(BROADCAST), 0)],
  ['two priority tags', 'vlan', tagged(tagged(ipv4Frame(), 0), 0)],
  ['nothing but a priority tag', 'runt', cut(tagged(ipv4Frame(), 0), 18)],
  ['QinQ', 'vlan', etherFrame(net0, PEER, 0x88a8)],
  ['LLC', 'unknown_ethertype', etherFrame(net0, PEER, 0x0026)],
  ['LLDP', 'unknown_ethertype', etherFrame(mac('01:80:c2:00:00:0e'), PEER, 0x88cc)],
  ['to the group’s own MAC', 'host0', toMac(GROUP_MACS[0])],
  ['to the group’s own MAC on another NIC', 'not_nominated', toMac(GROUP_MACS[0]), NET1],
  ['ARP to the group’s own MAC', 'punt', arpRequest(GROUP_MACS[0])],
  ['to the MAC of another group', 'foreign_destination', toMac(GROUP_MACS[1])],
  ['to the MAC of a group by a NIC of none', 'foreign_destination', toMac(GROUP_MACS[0]), LONE],
  ['directed broadcast by unicast', 'host0', ipv4Frame({ to: '192.0.2.255' })],
  ['multicast by unicast', 'host0', ipv4Frame({ to: '224.0.0.1' })],
  ['NIC in no group: ARP', 'punt', arpRequest(BROADCAST), LONE],
  ['NIC in no group: data', 'no_group', toMac(lone), LONE],
  ['NIC in no group: own', 'punt', ipv4Frame({ destination: lone, to: '192.0.2.23' }), LONE],
  ['checksum to finish', 'host0', ipv4Frame(), NET0, vnet(1, 0, 0, 0, 34, 6)],
  ['checksum beyond the frame', 'bad_vnet_header', ipv4Frame(), NET0, vnet(1, 0, 0, 0, 34, 20)],
  ['checksum in the Ethernet header', 'bad_vnet_header', ipv4Frame(), NET0, vnet(1, 0, 0, 0, 13)],
  ['unknown segmentation', 'bad_vnet_header', ipv4Frame(), NET0, vnet(1, 2, 34, 1400, 34, 6)],
  ['segments of no size', 'bad_vnet_header', ipv4Frame(), NET0, vnet(1, 5, 34, 0, 34, 6)],
  ['segments without checksum', 'bad_vnet_header', ipv4Frame(), NET0, vnet(0, 5, 34, 8, 34, 6)],
  ['headers beyond the frame', 'bad_vnet_header', ipv4Frame(), NET0, vnet(1, 5, 99, 8, 34, 6)],
  ['TCP segments of UDP', 'bad_vnet_header', ipv4Frame(), NET0, vnet(1, 1, 34, 8, 34, 6)],
  ['UDP segments of UDP', 'host0', ipv4Frame(), NET0, vnet(1, 5, 34, 8, 34, 6)],
  ['super-frame with ECN', 'host0', ipv4Frame({ protocol: 6 }), NET0, vnet(1, 0x81, 34, 8, 34, 6)],
  ['super-frame to a test address', 'punt_refused', toTest, NET0, vnet(1, 5, 34, 8, 34, 6)],
  ['giant to the test address', 'punt_refused', giant],
];

for (const [name, fate, frame, port = NET0, header] of ROWS) {
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
