/**
 * Traffic for the datapath in memory: every way through the forwarder that a frame can take, each
 * with the end that it must come to. Used where millions of frames are run and nothing may be
 * allocated, so a frame is a head of bytes and a length, made once.
 */

import { writeU16, writeU32 } from '../../../src/base/bytes.ts';
import { VNET_HEADER_LENGTH } from '../../../src/datapath/port.ts';
import { SLOT_LENGTH } from '../../../src/datapath/slab.ts';
import type { ForwardingTables } from '../../../src/datapath/tables/fib.ts';
import type { DatapathDropReason } from '../../../src/stats/drop-reasons.ts';
import { arpFrame } from '../../../src/wire/arp.ts';
import { udpDatagram } from '../../tools/frames.ts';
import {
  BROADCAST,
  etherFrame,
  FAMILIES,
  type FrameOptions,
  GROUP_MACS,
  HOST,
  HOST_2,
  hostFrame,
  hostFrame6,
  ip,
  ipv4Frame,
  ipv6Frame,
  LONE,
  MULTICAST,
  mac,
  NET0,
  NET1,
  NET4,
  NIC_MACS,
  PEER,
  tagged,
  vnet,
  worldTables,
} from './harness.ts';

/** A third group, which spreads by destination address, with one NIC. */
export const HOST_3 = HOST_2 + 1;
export const NET5 = 5;
export const TRAFFIC_PORTS = [NET0, NET1, LONE, NET4, NET5, HOST, HOST_2, HOST_3] as const;

/** What becomes of a frame. */
export type End = 'forwarded' | 'punted' | DatapathDropReason;

/** One kind of frame: where it comes in, what is seen of it, what must become of it. */
export interface Kind {
  readonly name: string;
  readonly port: number;
  readonly end: End;
  /** Virtio net header and as much of the frame as is read. */
  readonly head: Uint8Array;
  /** Bytes of the whole, virtio net header included. */
  readonly length: number;
  /** How often it comes, of all the frames of its port. */
  readonly share: number;
}

interface KindOptions {
  readonly header?: Uint8Array;
  /** Of the frame without its virtio net header; its own length by default. */
  readonly length?: number;
  readonly share?: number;
}

/** Bytes of a super-frame as a TAP gives it. */
const SUPER_FRAME = 65_226;
const MSS = 1448;
const TCP_HEADERS = 66;
const UDP_HEADERS = 42;
/** Bytes by which the header of IPv6 is longer. */
const MORE_6 = 20;

const NO_VNET = new Uint8Array(VNET_HEADER_LENGTH);
const GSO_TCPV4 = 1;
const GSO_TCPV6 = 4;
const GSO_UDP_L4 = 5;

/** Virtio net headers that leave the checksum, and the segmentation too, to the device. */
const TSO = vnet(1, GSO_TCPV4, TCP_HEADERS, MSS, 34, 16);
const USO = vnet(1, GSO_UDP_L4, UDP_HEADERS, MSS, 34, 6);
const TSO_6 = vnet(1, GSO_TCPV6, TCP_HEADERS + MORE_6, MSS - MORE_6, 54, 16);
const USO_6 = vnet(1, GSO_UDP_L4, UDP_HEADERS + MORE_6, MSS - MORE_6, 54, 6);
const CHECKSUM = vnet(1, 0, 0, 0, 34, 6);
/** The device has verified the checksum: the flag of a NIC on reception. */
const DATA_VALID = Uint8Array.from(NO_VNET, (_, i) => (i === 0 ? 2 : 0));

function kind(
  name: string,
  port: number,
  end: End,
  frame: Uint8Array,
  { header = NO_VNET, length = frame.length, share = 1 }: KindOptions = {},
): Kind {
  const head = new Uint8Array(VNET_HEADER_LENGTH + frame.length);
  head.set(header);
  head.set(frame, VNET_HEADER_LENGTH);
  return { name, port, end, head, length: VNET_HEADER_LENGTH + length, share };
}

const PROTOCOL_ICMP = 1;
const PROTOCOL_TCP = 6;
const PROTOCOL_UDP = 17;
const PROTOCOL_ICMPV6 = 58;
const DESTINATION_OPTIONS = 60;

/** A transport header of 32 bytes that begins with these ports. */
function ports(from: number, to: number): Uint8Array {
  const bytes = new Uint8Array(32);
  writeU16(bytes, 0, from);
  writeU16(bytes, 2, to);
  return bytes;
}

/** The same frame of IPv6, with `length` as payload length. */
function withPayloadLength(frame: Uint8Array, length: number): Uint8Array {
  writeU16(frame, 18, length);
  return frame;
}

/** The same frame, with `length` as IPv4 total length. */
function withTotalLength(frame: Uint8Array, length: number): Uint8Array {
  writeU16(frame, 16, length);
  return frame;
}

const tcp = { protocol: PROTOCOL_TCP, payload: ports(40_000, 443) };
const udp = { protocol: PROTOCOL_UDP, payload: ports(40_001, 53) };
const icmp = (type: number): FrameOptions => {
  return { protocol: PROTOCOL_ICMP, payload: Uint8Array.of(type, 0, 0, 0, 0, 1, 0, 1) };
};

/** A DHCP client without an address asks for one: the one frame that is changed above layer 3. */
function dhcpDiscover(): Uint8Array {
  const message = new Uint8Array(300);
  message.set([1, 1, 6, 0], 0);
  writeU32(message, 236, 0x63825363);
  const payload = udpDatagram(68, 67, message, { source: 0, destination: 0xffffffff });
  const addresses = { destination: BROADCAST, from: '0.0.0.0', to: '255.255.255.255' };
  return hostFrame({ ...addresses, payload });
}

function arpRequest(source: number): Uint8Array {
  const target = { targetMac: 0, targetAddress: ip('192.0.2.10') };
  const sender = { senderMac: source, senderAddress: ip('192.0.2.1') };
  return arpFrame(BROADCAST, source, { operation: 1, ...sender, ...target });
}

/** What the host sends: most of it leaves by a NIC. */
function hostKinds(port: number, from: string): Kind[] {
  const own = (options: FrameOptions): Uint8Array => hostFrame({ from, ...options });
  const superFrame = (options: FrameOptions): Uint8Array =>
    withTotalLength(own(options), SUPER_FRAME - 14);
  return [
    kind('UDP', port, 'forwarded', own(udp), { share: 8 }),
    kind('TCP', port, 'forwarded', own(tcp), { share: 8 }),
    kind('TCP super-frame', port, 'forwarded', superFrame(tcp), {
      header: TSO,
      length: SUPER_FRAME,
      share: 8,
    }),
    kind('UDP super-frame', port, 'forwarded', superFrame(udp), {
      header: USO,
      length: SUPER_FRAME,
      share: 2,
    }),
    kind('fragment', port, 'forwarded', own({ ...udp, fragment: 0x2001 }), { share: 2 }),
    kind('echo', port, 'forwarded', own(icmp(8))),
    kind('broadcast', port, 'forwarded', own({ destination: BROADCAST, to: '192.0.2.255' })),
    kind('multicast', port, 'forwarded', own({ destination: MULTICAST, to: '233.1.2.3' })),
    kind('ARP of the host', port, 'punted', arpRequest(GROUP_MACS[0])),
    kind('martian', port, 'martian_source', own({ from: '127.0.0.1' })),
    kind('to itself', port, 'same_addresses', own({ to: from })),
    kind('to a group', port, 'own_destination', own({ destination: GROUP_MACS[1] })),
    kind('no frame', port, 'runt', new Uint8Array(8)),
  ];
}

const FIRST_HOST_KINDS: readonly Kind[] = [
  ...hostKinds(HOST, '192.0.2.10'),
  kind('UDP of a placed address', HOST, 'forwarded', hostFrame({ ...udp, from: '192.0.2.11' }), {
    share: 4,
  }),
  kind(
    'to a neighbour that moved',
    HOST,
    'forwarded',
    hostFrame({ ...tcp, destination: mac('52:54:00:aa:bb:02') }),
  ),
  kind('DHCP without an address', HOST, 'forwarded', dhcpDiscover()),
  kind('from a test address', HOST, 'test_source', hostFrame({ ...udp, from: '192.0.2.21' })),
  kind('to a NIC of ours', HOST, 'punted', hostFrame({ destination: NIC_MACS[1]!, ...icmp(8) })),
];

/** Fields of frames of IPv6 that both directions have. */
const label = { flowLabel: 0x12345 };
/** Options for the destination before a transport header. */
const behind = (protocol: number): FrameOptions => {
  return { next: DESTINATION_OPTIONS, extensions: Uint8Array.of(protocol, 0, 1, 4, 0, 0, 0, 0) };
};
const icmpv6 = (type: number): FrameOptions => {
  return {
    protocol: PROTOCOL_ICMPV6,
    payload: Uint8Array.of(type, 0, 0, 0, ...new Uint8Array(20)),
  };
};
const toNodes = { destination: mac('33:33:00:00:00:01'), to: 'ff02::1' };
const superFrame6 = (frame: Uint8Array): Uint8Array => withPayloadLength(frame, SUPER_FRAME - 54);

/** Frames that leave alike in both directions; `frame` makes them. */
function bothWays6(port: number, frame: (options: FrameOptions) => Uint8Array): Kind[] {
  const length = SUPER_FRAME;
  return [
    kind('IPv6 UDP', port, 'forwarded', frame(udp), { share: 4 }),
    kind('IPv6 TCP', port, 'forwarded', frame({ ...tcp, ...label }), { share: 4 }),
    kind('IPv6 TCP super-frame', port, 'forwarded', superFrame6(frame({ ...tcp, ...label })), {
      header: TSO_6,
      length,
      share: 4,
    }),
    kind('IPv6 UDP super-frame', port, 'forwarded', superFrame6(frame(udp)), {
      header: USO_6,
      length,
    }),
    kind('IPv6 fragment', port, 'forwarded', frame({ ...udp, fragment: 0x2001 })),
    kind('IPv6 options', port, 'forwarded', frame({ ...udp, ...behind(PROTOCOL_UDP) })),
    kind('IPv6 source route', port, 'source_route', frame({ ...udp, ...sourceRoute })),
    kind('IPv6 martian', port, 'martian_source', frame({ from: '::1' })),
    kind('IPv6 to loopback', port, 'martian_destination', frame({ to: '::1' })),
    kind('IPv6 cut off', port, 'bad_ipv6_header', withPayloadLength(frame(udp), 9_000)),
    kind('jumbogram', port, 'jumbogram', withPayloadLength(frame({ next: 0 }), 0)),
  ];
}

const sourceRoute = {
  next: 43,
  extensions: Uint8Array.of(PROTOCOL_UDP, 0, 0, 1, 0, 0, 0, 0),
};

/** What the host sends by IPv6. */
function hostKinds6(port: number): Kind[] {
  return [
    ...bothWays6(port, hostFrame6),
    kind('IPv6 multicast', port, 'forwarded', hostFrame6({ ...udp, ...toNodes })),
    kind('IPv6 to itself', port, 'same_addresses', hostFrame6({ to: '2001:db8::10' })),
    kind('solicitation of the host', port, 'punted', hostFrame6({ ...icmpv6(135), ...toNodes })),
  ];
}

/** What a NIC of the first group receives by IPv6. */
function wireKinds6(port: number): Kind[] {
  const destination = NIC_MACS[port]!;
  const here = (options: FrameOptions): Uint8Array => ipv6Frame({ destination, ...options });
  return [
    ...bothWays6(port, here),
    kind('IPv6 own address', port, 'own_source_address', here({ from: '2001:db8::11' })),
    kind('advertisement', port, 'punted', here(icmpv6(136))),
    kind('listener query', port, 'punted', here({ ...icmpv6(130), ...toNodes })),
  ];
}

/** What a NIC of the first group receives. */
function wireKinds(port: number): Kind[] {
  const destination = NIC_MACS[port]!;
  const here = (options: FrameOptions): Uint8Array => ipv4Frame({ destination, ...options });
  return [
    kind('UDP', port, 'forwarded', here(udp), { header: DATA_VALID, share: 8 }),
    kind('TCP', port, 'forwarded', here(tcp), { share: 8 }),
    kind('TCP super-frame', port, 'forwarded', withTotalLength(here(tcp), SUPER_FRAME - 14), {
      header: TSO,
      length: SUPER_FRAME,
      share: 8,
    }),
    kind('UDP to another network', port, 'forwarded', here({ ...udp, to: '203.0.113.9' }), {
      share: 2,
    }),
    kind('fragment', port, 'forwarded', here({ ...udp, fragment: 0x00b9 })),
    kind('ARP', port, 'punted', etherFrame(destination, PEER, 0x0806)),
    kind('own MAC', port, 'own_source', here({ source: NIC_MACS[0]! })),
    kind('foreign MAC', port, 'foreign_destination', here({ destination: PEER })),
    kind('source MAC of a group', port, 'group_source', here({ source: MULTICAST })),
    kind('own address', port, 'own_source_address', here({ from: '192.0.2.11' })),
    kind('redirect', port, 'icmp_redirect', here(icmp(5))),
    kind('source route', port, 'source_route', here({ options: Uint8Array.of(131, 3, 4, 0) })),
    kind('to loopback', port, 'martian_destination', here({ to: '127.0.0.1' })),
    kind('short datagram', port, 'bad_ipv4_header', withTotalLength(here(udp), 9000)),
    kind('no such segmentation', port, 'bad_vnet_header', here(tcp), {
      header: vnet(1, 9, 0, 1, 34),
    }),
    kind('cut off', port, 'truncated', here(tcp), { length: SLOT_LENGTH - VNET_HEADER_LENGTH }),
    kind('VLAN', port, 'vlan', tagged(here(udp), 5)),
    kind('priority tag', port, 'forwarded', tagged(here(udp), 0xe000)),
    kind('LLDP', port, 'unknown_ethertype', etherFrame(destination, PEER, 0x88cc)),
  ];
}

const test0 = (options: FrameOptions): Uint8Array => ipv4Frame({ to: '192.0.2.21', ...options });

const [, PLAN_6] = FAMILIES;
const TEST_6 = PLAN_6.test;

/** All kinds. Shares are such that one frame in fifty is for the control plane. */
export const KINDS: readonly Kind[] = [
  ...FIRST_HOST_KINDS,
  ...hostKinds(HOST_2, '198.51.100.10'),
  ...hostKinds(HOST_3, '203.0.113.10'),
  ...wireKinds(NET0),
  ...wireKinds(NET1),
  ...hostKinds6(HOST),
  ...hostKinds6(HOST_3),
  ...wireKinds6(NET0),
  ...wireKinds6(NET1),
  kind('solicitation', NET0, 'punted', PLAN_6.request('2001:db8::11')),
  kind('solicitation here', NET1, 'punted', PLAN_6.request('2001:db8::11')),
  kind('solicitation', NET1, 'not_nominated', PLAN_6.request('2001:db8::10')),
  kind('IPv6 to a test address', NET0, 'punted', ipv6Frame({ ...icmpv6(128), to: TEST_6 })),
  kind('IPv6 from a test address', HOST, 'test_source', hostFrame6({ ...udp, from: TEST_6 })),
  kind('broadcast', NET0, 'forwarded', ipv4Frame({ destination: BROADCAST, to: '192.0.2.255' })),
  kind('ARP to all', NET0, 'punted', arpRequest(PEER)),
  kind('broadcast', NET1, 'not_nominated', ipv4Frame({ destination: BROADCAST })),
  kind('echo to a test address', NET0, 'punted', test0(icmp(8))),
  kind('checksum left to us', NET0, 'punted', test0(udp), { header: CHECKSUM }),
  kind('fragment to a test address', NET0, 'stack_fragment', test0({ ...udp, fragment: 0x2000 })),
  kind('super-frame to a test address', NET0, 'punt_refused', test0(tcp), { header: TSO }),
  kind('in no group', LONE, 'no_group', ipv4Frame({ destination: NIC_MACS[3]! })),
  kind('UDP', NET4, 'forwarded', toNet4('198.51.100.10'), { share: 8 }),
  kind('to another host', NET4, 'forwarded', toNet4('198.51.100.11')),
];

function toNet4(to: string): Uint8Array {
  return ipv4Frame({ ...udp, destination: NIC_MACS[4]!, from: '198.51.100.1', to });
}

/** The structure on which these ends depend: the first group spreads by address. */
export function trafficTables(): ForwardingTables {
  const { nics, groups, addresses, redirects } = worldTables('address');
  const group = 2;
  const macs = { nic: mac('02:00:00:00:01:05'), group: mac('02:00:00:00:0f:02') };
  const address = ip('203.0.113.10');
  return {
    nics: [...nics, { nic: NET5, group, member: 63, mac: macs.nic, mtu: 1500 }],
    groups: [...groups, { group, mac: macs.group, spreading: 'destination' }],
    addresses: [...addresses, { address, group, kind: 'data', slot: 128, nic: -1 }],
    redirects,
  };
}
