/** Frames from the wire: every rule of input.ts as a row, the bytes out, and the counters. */

import { deepEqual, equal } from 'node:assert/strict';
import { test } from 'node:test';
import {
  BROADCAST,
  etherFrame,
  FAMILIES,
  type FamilyPlan,
  type FrameOptions,
  GROUP_MACS,
  HOST,
  HOST_2,
  ipv4Frame,
  ipv6Frame,
  LONE,
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

const cut = (frame: Uint8Array, length: number): Uint8Array => frame.slice(0, length);
const poke = (frame: Uint8Array, at: number, value: number): Uint8Array => {
  frame[at] = value;
  return frame;
};

/** What the frame is, what becomes of it, the frame, the port it comes by, its vnet header. */
type Row = readonly [string, string, Uint8Array, number?, Uint8Array?];

/** What holds for both families. */
function familyRows(plan: FamilyPlan): readonly Row[] {
  const { own, own1, test: tested, headers, groupMac, fromWire: wire, request } = plan;
  const toMac = (destination: number): Uint8Array => wire({ destination });
  const toGroup = { to: plan.group, destination: groupMac };
  const toTest = wire({ to: tested });
  const giant = wire({ to: tested, payload: new Uint8Array(9_300) });
  const sum = (offset: number): Uint8Array => vnet(1, 0, 0, 0, headers, offset);
  const cuts = (gso: number, length = headers, size = 8, flags = 1): Uint8Array =>
    vnet(flags, gso, length, size, headers, 6);
  const tcp = wire({ protocol: 6 });
  const bad = 'bad_vnet_header';
  return [
    ['unicast to a data address', 'host0', wire()],
    ['unicast to an address behind us', 'host0', wire({ to: plan.far(9) })],
    ['multicast on the nominated NIC', 'host0', wire(toGroup)],
    ['multicast on another', 'not_nominated', wire(toGroup), NET1],
    ['request on the nominated NIC', 'punt', request(own)],
    ['request on another', 'not_nominated', request(own), NET1],
    ['request on the NIC that serves its target', 'punt', request(own1), NET1],
    ['request on a NIC that has no part in it', 'not_nominated', request(own1), NET2],
    ['request for an unowned address on another', 'not_nominated', request(plan.far(1)), NET1],
    ['request for a test address on its NIC', 'punt', request(tested)],
    ['request that is cut off, on another', 'not_nominated', cut(request(own1), 41), NET1],
    ['request to this NIC alone', 'punt', request(own, PEER, NIC_MACS[1]!), NET1],
    ['request to another NIC', 'foreign_destination', request(own, PEER, NIC_MACS[1]!)],
    ['our own request received again', 'own_source', request(own, NIC_MACS[1])],
    ['source MAC of a group device', 'own_source', wire({ source: GROUP_MACS[1] })],
    ['source MAC is a group', 'group_source', wire({ source: groupMac })],
    ['unicast to a foreign MAC', 'foreign_destination', toMac(PEER)],
    ['to the test address', 'punt', toTest],
    ['fragment to the test address', 'stack_fragment', wire({ to: tested, fragment: 0x2000 })],
    ['later fragment to the test address', 'stack_fragment', wire({ to: tested, fragment: 3 })],
    ['fragment to a data address', 'host0', wire({ fragment: 0x2000 })],
    ['from our own data address', 'own_source_address', wire({ from: own1 })],
    ['from our own test address', 'own_source_address', wire({ from: tested })],
    ['source is destination', 'same_addresses', wire({ from: own })],
    ['from loopback', 'martian_source', wire({ from: plan.loopback })],
    ['from multicast', 'martian_source', wire({ from: plan.group })],
    ['from the unspecified address by unicast', 'martian_source', wire({ from: plan.unspecified })],
    ['from it to a group', 'host0', wire({ from: plan.unspecified, ...toGroup })],
    ['to loopback', 'martian_destination', wire({ to: plan.loopback })],
    ['to the unspecified address', 'martian_destination', wire({ to: plan.unspecified })],
    ['version 5', plan.badHeader, poke(wire(), 14, 0x55)],
    ['no room for the header', 'runt', cut(wire(), headers - 1)],
    ['a datagram cut off', plan.badHeader, cut(wire(), headers + 1)],
    ['padding', 'host0', Uint8Array.from([...wire(), 0, 0, 0, 0])],
    ['VLAN 5', 'vlan', tagged(wire(), 5)],
    ['priority tag', 'host0', tagged(wire(), 0xe000)],
    ['priority tag with a request', 'punt', tagged(request(own), 0)],
    ['two priority tags', 'vlan', tagged(tagged(wire(), 0), 0)],
    ['nothing but a priority tag', 'runt', cut(tagged(wire(), 0), 18)],
    ['to the group’s own MAC', 'host0', toMac(GROUP_MACS[0])],
    ['to the group’s own MAC on another NIC', 'not_nominated', toMac(GROUP_MACS[0]), NET1],
    ['request to the group’s own MAC', 'punt', request(own, PEER, GROUP_MACS[0])],
    ['to the MAC of another group', 'foreign_destination', toMac(GROUP_MACS[1])],
    ['to the MAC of a group by a NIC of none', 'foreign_destination', toMac(GROUP_MACS[0]), LONE],
    ['multicast by unicast', 'host0', wire({ to: plan.group })],
    ['NIC in no group: request', 'punt', request(own), LONE],
    ['NIC in no group: data', 'no_group', toMac(lone), LONE],
    ['NIC in no group: own', 'punt', wire({ destination: lone, to: plan.loneTest }), LONE],
    ['checksum to finish', 'host0', wire(), NET0, sum(6)],
    ['checksum beyond the frame', bad, wire(), NET0, sum(20)],
    ['checksum in the Ethernet header', bad, wire(), NET0, vnet(1, 0, 0, 0, 13)],
    ['unknown segmentation', bad, wire(), NET0, cuts(2)],
    ['segments of no size', bad, wire(), NET0, cuts(5, headers, 0)],
    ['segments without checksum', bad, wire(), NET0, cuts(5, headers, 8, 0)],
    ['headers beyond the frame', bad, wire(), NET0, cuts(5, 99)],
    ['TCP segments of UDP', bad, wire(), NET0, cuts(plan.gsoTcp)],
    ['TCP segments of the other family', bad, tcp, NET0, cuts(5 - plan.gsoTcp)],
    ['TCP segments', 'host0', tcp, NET0, cuts(plan.gsoTcp)],
    ['UDP segments', 'host0', wire(), NET0, cuts(5)],
    ['UDP fragments to be cut', 'host0', wire(), NET0, cuts(3)],
    ['super-frame with ECN', 'host0', tcp, NET0, cuts(0x80 | plan.gsoTcp)],
    ['super-frame to a test address', 'punt_refused', toTest, NET0, cuts(5)],
    ['giant to the test address', 'punt_refused', giant],
  ];
}

const icmp = (type: number, fragment = 0): Uint8Array =>
  ipv4Frame({ protocol: 1, payload: Uint8Array.of(type, 0, 0, 0, 0, 0, 0, 0), fragment });
const withOptions = (...options: number[]): Uint8Array =>
  ipv4Frame({ options: Uint8Array.from(options) });
const toAll = { to: '255.255.255.255', destination: BROADCAST };

const ROWS_4: readonly Row[] = [
  ['broadcast on the nominated NIC', 'host0', ipv4Frame({ destination: BROADCAST })],
  ['broadcast on another', 'not_nominated', ipv4Frame({ destination: BROADCAST }), NET1],
  ['from class E', 'host0', ipv4Frame({ from: '240.0.0.1' })],
  ['from limited broadcast', 'martian_source', ipv4Frame({ from: '255.255.255.255' })],
  ['from 0.0.0.0 by broadcast', 'host0', ipv4Frame({ from: '0.0.0.0', ...toAll })],
  ['from 0.1.2.3', 'host0', ipv4Frame({ from: '0.1.2.3' })],
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
  ['header length 16', 'bad_ipv4_header', poke(ipv4Frame(), 14, 0x44)],
  ['total length beyond the frame', 'bad_ipv4_header', poke(ipv4Frame(), 17, 200)],
  ['13 bytes', 'runt', cut(ipv4Frame(), 13)],
  ['nothing', 'runt', new Uint8Array(0)],
  ['a slot full', 'truncated', new Uint8Array(70_000)],
  ['QinQ', 'vlan', etherFrame(net0, PEER, 0x88a8)],
  ['LLC', 'unknown_ethertype', etherFrame(net0, PEER, 0x0026)],
  ['LLDP', 'unknown_ethertype', etherFrame(mac('01:80:c2:00:00:0e'), PEER, 0x88cc)],
  ['directed broadcast by unicast', 'host0', ipv4Frame({ to: '192.0.2.255' })],
];

const ALL_NODES = { to: 'ff02::1', destination: mac('33:33:00:00:00:01') };
/** An ICMPv6 message of 32 bytes; `options` may put extension headers before it. */
const icmp6 = (type: number, options: FrameOptions = {}): Uint8Array =>
  ipv6Frame({ protocol: 58, payload: poke(new Uint8Array(32), 0, type), ...options });
const toTarget = (type: number, options: FrameOptions = {}): Uint8Array => {
  const payload = poke(new Uint8Array(32), 0, type);
  payload.set([0x20, 1, 0x0d, 0xb8], 8);
  return ipv6Frame({ protocol: 58, payload: poke(payload, 23, 0x11), ...options });
};
/** Extension headers of 8 bytes: their kinds, and the bytes 2 to 4 of the last. */
const behind = (protocol: number, kinds: readonly number[], ...last: number[]): Uint8Array => {
  const next = [...kinds.slice(1), protocol];
  const extensions = Uint8Array.from(kinds.flatMap((_, i) => [next[i]!, 0, 1, 4, 0, 0, 0, 0]));
  extensions.set(last, extensions.length - 6);
  const payload = poke(new Uint8Array(32), 0, 135);
  return ipv6Frame({ protocol, next: kinds[0]!, extensions, payload });
};
const DESTINATION_OPTIONS = 60;
const empty = { payload: new Uint8Array(0), protocol: 59 };

const ROWS_6: readonly Row[] = [
  ['solicitation without a target on another', 'not_nominated', icmp6(135, ALL_NODES), NET1],
  [
    'solicitation whose target is cut off, on its NIC',
    'not_nominated',
    ipv6Frame({ ...ALL_NODES, protocol: 58, payload: Uint8Array.of(135, 0, 0, 0) }),
    NET1,
  ],
  ['solicitation behind an extension header, on its NIC', 'punt', toTargetBehind(), NET1],
  ['advertisement to the NIC', 'punt', toTarget(136)],
  ['advertisement to all of one of our addresses', 'punt', toTarget(136, ALL_NODES)],
  ['advertisement to all on another', 'not_nominated', toTarget(136, ALL_NODES), NET1],
  ['advertisement from our own address', 'punt', toTarget(136, { from: '2001:db8::11' })],
  ['detection of a duplicate', 'punt', toTarget(135, { from: '::', ...ALL_NODES })],
  ['detection from :: by unicast', 'martian_source', toTarget(135, { from: '::' })],
  ['router solicitation', 'punt', icmp6(133, ALL_NODES)],
  ['router advertisement', 'punt', icmp6(134, ALL_NODES)],
  ['router advertisement on another', 'not_nominated', icmp6(134, ALL_NODES), NET1],
  ['router advertisement by unicast', 'punt', icmp6(134)],
  ['redirect', 'punt', icmp6(137)],
  ['first fragment of neighbour discovery', 'punt', icmp6(135, { fragment: 0x2000 })],
  ['later fragment that begins like it', 'host0', icmp6(135, { fragment: 0x2001 })],
  ['fragment that is the whole', 'punt', toTargetBehind(44)],
  ['ICMPv6 without a type', 'host0', ipv6Frame({ ...empty, protocol: 58 })],
  ['query for listeners', 'punt', icmp6(130, ALL_NODES)],
  ['query for listeners on another', 'punt', icmp6(130, ALL_NODES), NET1],
  ['query for listeners to the host', 'punt', icmp6(130)],
  ['report of listeners of another station', 'host0', icmp6(143, ALL_NODES)],
  ['report of listeners on another', 'not_nominated', icmp6(143, ALL_NODES), NET1],
  ['echo request', 'host0', icmp6(128)],
  ['echo request to all', 'host0', icmp6(128, ALL_NODES)],
  ['packet too big', 'host0', icmp6(2)],
  ['ICMPv6 of type 138', 'host0', icmp6(138)],
  ['from an IPv4 address in IPv6 form', 'martian_source', ipv6Frame({ from: '::ffff:192.0.2.1' })],
  ['to one', 'martian_destination', ipv6Frame({ to: '::ffff:192.0.2.1' })],
  ['from ::2', 'host0', ipv6Frame({ from: '::2' })],
  ['from a link-local address', 'host0', ipv6Frame({ from: 'fe80::1' })],
  ['to a group of scope 0', 'martian_destination', ipv6Frame({ to: 'ff00::1' })],
  ['to a group of the interface alone', 'martian_destination', ipv6Frame({ to: 'ff01::1' })],
  ['to such a group with flags', 'martian_destination', ipv6Frame({ to: 'ff31::1' })],
  ['to a group of the link with flags', 'host0', ipv6Frame({ to: 'ff12::1' })],
  ['hop-by-hop options', 'host0', behind(17, [0])],
  ['hop-by-hop options, not the first', 'bad_ipv6_header', behind(17, [DESTINATION_OPTIONS, 0])],
  ['routing header of type 0', 'source_route', behind(17, [43], 0, 1)],
  ['routing header of type 0, used up', 'host0', behind(17, [43], 0, 0)],
  ['routing header of type 2', 'host0', behind(17, [43], 2, 1)],
  ['segment routing', 'host0', behind(17, [43], 4, 1)],
  ['an authentication header', 'host0', behind(17, [51], 0, 0)],
  ['eight extension headers', 'host0', behind(17, new Array(8).fill(DESTINATION_OPTIONS))],
  ['nine', 'bad_ipv6_header', behind(17, new Array(9).fill(DESTINATION_OPTIONS))],
  ['eight before discovery', 'punt', behind(58, new Array(8).fill(DESTINATION_OPTIONS))],
  ['an extension header cut off', 'bad_ipv6_header', poke(behind(17, [60]), 55, 20)],
  ['first fragment without all headers', 'bad_ipv6_header', cutFragment()],
  ['nothing follows', 'host0', ipv6Frame(empty)],
  ['jumbogram', 'jumbogram', ipv6Frame({ ...empty, protocol: 0 })],
  ['payload length beyond the frame', 'bad_ipv6_header', poke(ipv6Frame(), 19, 200)],
  ['UDP segments behind options', 'host0', behind(17, [60]), NET0, vnet(1, 5, 62, 8, 62, 6)],
  ['UDP segments of no UDP', 'bad_vnet_header', behind(6, [60]), NET0, vnet(1, 5, 62, 8, 62, 6)],
];

/** A solicitation for an address of the second NIC, behind one extension header. */
function toTargetBehind(kind = DESTINATION_OPTIONS): Uint8Array {
  const options = kind === 44 ? [58, 0, 0, 0, 0, 0, 0, 1] : [58, 0, 1, 4, 0, 0, 0, 0];
  return toTarget(135, { ...ALL_NODES, next: kind, extensions: Uint8Array.from(options) });
}

/** A first fragment that ends before the options that it promises do. */
function cutFragment(): Uint8Array {
  return ipv6Frame({ fragment: 0x2000, protocol: DESTINATION_OPTIONS, payload: Uint8Array.of(17) });
}

const ALL_ROWS: readonly (readonly [string, readonly Row[]])[] = [
  ...FAMILIES.map((plan) => [plan.name, familyRows(plan)] as const),
  ['IPv4 alone', ROWS_4],
  ['IPv6 alone', ROWS_6],
];

for (const [family, rows] of ALL_ROWS) {
  for (const [name, fate, frame, port = NET0, header] of rows) {
    test(`from the wire, ${family}: ${name}: ${fate}`, () => {
      equal(new World().fate(port, frame, header), fate);
    });
  }
}

for (const { name, fromWire, headers } of FAMILIES) {
  test(`${name}: a unicast frame goes up with the MAC of the group, else unchanged`, () => {
    const world = new World();
    const frame = fromWire();
    const header = vnet(1, 0, 0, 0, headers, 6);
    equal(world.fate(NET0, frame, header), 'host0');
    const expected = frame.slice();
    expected.set([0x02, 0, 0, 0, 0x0f, 0], 0);
    deepEqual(world.sent(HOST), expected);
    deepEqual(world.port(HOST).sentHeaders.at(-1), new Uint8Array(header));
  });

  test(`${name}: a priority tag is taken out, and what the device is to do stays right`, () => {
    const world = new World();
    const frame = fromWire();
    const place = headers + 4;
    const header = vnet(1, 5, place, 4, place, 6);
    equal(world.fate(NET0, tagged(frame, 0x6000), header), 'host0');
    const expected = frame.slice();
    expected.set([0x02, 0, 0, 0, 0x0f, 0], 0);
    deepEqual(world.sent(HOST), expected);
    const after = vnet(1, 5, headers, 4, headers, 6);
    deepEqual(world.port(HOST).sentHeaders.at(-1), new Uint8Array(after));
    equal(world.counters.port(NET0).receiveBytes, BigInt(frame.length + 4));
  });
}

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
  for (const { own, request } of FAMILIES) {
    const frame = request(own);
    world.takesPunts = true;
    world.fate(NET0, frame);
    deepEqual(world.punts, [{ port: NET0, frame, atMs: 1234.5 }]);
    world.takesPunts = false;
    equal(world.fate(NET0, frame), 'punt_full');
  }
});
