/** A datapath in memory for tests: two groups, five NICs, ports that are lists of frames. */

import { writeU16 } from '../../../src/base/bytes.ts';
import { CounterReader } from '../../../src/datapath/counters.ts';
import { Forwarder, type PuntSink } from '../../../src/datapath/forwarder.ts';
import type { AddressRecord, ForwardingTables } from '../../../src/datapath/tables/fib.ts';
import { carrierWords, controlMemoryCreate } from '../../../src/datapath/tables/layout.ts';
import { TablePublisher } from '../../../src/datapath/tables/publish.ts';
import { GROUP_PORT_BASE } from '../../../src/model/limits.ts';
import type { Spreading } from '../../../src/model/states.ts';
import { MemoryPort } from '../../../src/sim/memory-port.ts';
import {
  type IpAddress,
  type Ipv4,
  type Ipv6,
  ipMulticastMac,
  ipParse,
  ipv4Parse,
  ipv6Parse,
  ipv6SolicitedNode,
  type Mac,
  macParse,
} from '../../../src/wire/addr.ts';
import { ARP_REQUEST, arpFrame } from '../../../src/wire/arp.ts';
import { ETHERNET_HEADER_LENGTH, ethernetEmit } from '../../../src/wire/ethernet.ts';
import { IPV4_PROTOCOL_UDP } from '../../../src/wire/ipv4.ts';
import { IPV6_FRAGMENT } from '../../../src/wire/ipv6.ts';
import { ndSolicitationFrame } from '../../../src/wire/nd-frames.ts';
import { ipv4Frame as ipv4FrameOf, ipv6Frame as ipv6FrameOf } from '../../tools/frames.ts';

/** Ports of the devices of the first group and of the second. */
export const HOST = GROUP_PORT_BASE;
export const HOST_2 = GROUP_PORT_BASE + 1;
/** NICs of the first group: two active ones, one standby. Then one in no group, one in group 1. */
export const NET0 = 0;
export const NET1 = 1;
export const NET2 = 2;
export const LONE = 3;
export const NET4 = 4;
export const PORTS = [NET0, NET1, NET2, LONE, NET4, HOST, HOST_2] as const;

export const mac = (text: string): Mac => macParse(text) ?? Number.NaN;
export const ip = (text: string): Ipv4 => ipv4Parse(text) ?? Number.NaN;
export const ip6 = (text: string): Ipv6 => ipv6Parse(text) ?? -1n;
const either = (text: string): IpAddress => ipParse(text) ?? Number.NaN;

export const NIC_MACS = [0, 1, 2, 3, 4].map((nic) => mac(`02:00:00:00:01:0${nic}`));
export const GROUP_MACS = [mac('02:00:00:00:0f:00'), mac('02:00:00:00:0f:01')] as const;
export const PEER = mac('52:54:00:aa:bb:01');
export const PEER_NEW = mac('52:54:00:aa:bb:99');
export const BROADCAST = mac('ff:ff:ff:ff:ff:ff');
export const MULTICAST = mac('01:00:5e:01:02:03');

const data = (address: string, slot: number, group = 0): AddressRecord => {
  return { address: either(address), group, kind: 'data', slot, nic: -1 };
};
const test = (address: string, nic: number, group = 0): AddressRecord => {
  return { address: either(address), group, kind: 'test', slot: -1, nic };
};

/** The structure of this world. */
export function worldTables(spreading: Spreading = 'flow'): ForwardingTables {
  return {
    nics: [
      { nic: NET0, group: 0, member: 0, mac: NIC_MACS[0]!, mtu: 1500 },
      { nic: NET1, group: 0, member: 1, mac: NIC_MACS[1]!, mtu: 1500 },
      { nic: NET2, group: 0, member: 40, mac: NIC_MACS[2]!, mtu: 1500 },
      { nic: LONE, group: -1, member: -1, mac: NIC_MACS[3]!, mtu: 1500 },
      { nic: NET4, group: 1, member: 0, mac: NIC_MACS[4]!, mtu: 1500 },
    ],
    groups: [
      { group: 0, mac: GROUP_MACS[0], spreading },
      { group: 1, mac: GROUP_MACS[1], spreading: 'flow' },
    ],
    addresses: [
      data('192.0.2.10', 0),
      data('192.0.2.11', 1),
      test('192.0.2.21', NET0),
      test('192.0.2.23', LONE, -1),
      data('198.51.100.10', 64, 1),
      data('2001:db8::10', 0),
      data('2001:db8::11', 1),
      test('2001:db8::21', NET0),
      test('2001:db8::23', LONE, -1),
      data('2001:db8:2::10', 64, 1),
    ],
    redirects: [{ group: 0, from: mac('52:54:00:aa:bb:02'), to: PEER_NEW }],
  };
}

/** A frame that the control plane was given. */
export interface Punt {
  readonly port: number;
  readonly frame: Uint8Array;
  readonly atMs: number;
}

/** The datapath with its shared memory. */
export class World {
  readonly memory = controlMemoryCreate(1);
  readonly publisher = new TablePublisher(this.memory);
  readonly carrier = carrierWords(this.memory);
  readonly counters = new CounterReader(this.memory);
  readonly ports = new Map(PORTS.map((port) => [port as number, new MemoryPort()]));
  readonly punts: Punt[] = [];
  readonly forwarder: Forwarder;
  nowMs = 0;
  /** False: the control plane's queue is full. */
  takesPunts = true;

  constructor(spreading: Spreading = 'flow') {
    const punts: PuntSink = {
      punt: (port, bytes, offset, length, atMs) => {
        if (!this.takesPunts) return false;
        this.punts.push({ port, frame: bytes.slice(offset, offset + length), atMs });
        return true;
      },
    };
    const nowMs = (): number => this.nowMs;
    this.forwarder = new Forwarder({ memory: this.memory, worker: 0, punts, nowMs });
    for (const [port, io] of this.ports) this.forwarder.attach(port, io);
    this.publisher.replace(worldTables(spreading));
    this.publisher.setActiveMembers(0, 0b11, 0);
    this.publisher.setActiveMembers(1, 0b1, 0);
    this.publisher.setCastMember(0, NET0);
    this.publisher.setCastMember(1, NET4);
    this.publisher.setPlacement(0, NET0);
    this.publisher.setPlacement(1, NET1);
  }

  port(port: number): MemoryPort {
    const found = this.ports.get(port);
    if (found === undefined) throw new Error(`no port ${port}`);
    return found;
  }

  /** Marks the link of `nic` as the carrier watch would. */
  setLinkDown(nic: number, isDown: boolean): void {
    Atomics.store(this.carrier, nic * 4, isDown ? 1 : 0);
  }

  /** What becomes of one frame: 'net1', 'punt', or a drop reason. */
  fate(port: number, frame: Uint8Array, header?: Uint8Array): string {
    const before = this.counters.portDrops(port);
    for (const io of this.ports.values()) io.sent = [];
    this.punts.length = 0;
    this.port(port).deliver(frame, header);
    this.forwarder.breathe(port);
    const ends: string[] = this.punts.map(() => 'punt');
    for (const [to, io] of this.ports) ends.push(...io.sent.map(() => portName(to)));
    for (const [reason, count] of this.counters.portDrops(port)) {
      if (count !== before.get(reason)) ends.push(reason);
    }
    return ends.join(' and ');
  }

  /** The only frame that left by `port`. */
  sent(port: number): Uint8Array {
    const { sent } = this.port(port);
    if (sent.length !== 1) throw new Error(`${sent.length} frames left by ${portName(port)}`);
    return sent[0]!;
  }
}

export function portName(port: number): string {
  return port >= GROUP_PORT_BASE ? `host${port - GROUP_PORT_BASE}` : `net${port}`;
}

/** The fields of a test frame; each has a default. */
export interface FrameOptions {
  destination?: Mac;
  source?: Mac;
  type?: number;
  from?: string;
  to?: string;
  protocol?: number;
  /** The fragment word: flags and offset. */
  fragment?: number;
  options?: Uint8Array;
  payload?: Uint8Array;
  /** Of IPv6: the flow label, and extension headers of which the first is of kind `next`. */
  flowLabel?: number;
  next?: number;
  extensions?: Uint8Array;
}

/** UDP from port 12345 to port 7, with four bytes. */
const DATAGRAM = Uint8Array.of(0x30, 0x39, 0, 7, 0, 12, 0, 0, 1, 2, 3, 4);

/** An Ethernet frame with an IPv4 datagram, from a peer on the wire to 192.0.2.10 by default. */
export function ipv4Frame(options: FrameOptions = {}): Uint8Array {
  const payload = options.payload ?? DATAGRAM;
  const { destination = NIC_MACS[0]!, source = PEER, type = 0x0800 } = options;
  const frame = ipv4FrameOf(
    {
      destinationMac: destination,
      sourceMac: source,
      source: ip(options.from ?? '192.0.2.1'),
      destination: ip(options.to ?? '192.0.2.10'),
      protocol: options.protocol ?? IPV4_PROTOCOL_UDP,
      fragment: options.fragment ?? 0,
      options: options.options ?? new Uint8Array(0),
    },
    payload,
  );
  writeU16(frame, 12, type);
  return frame;
}

/** The same with an IPv6 packet, to 2001:db8::10; a fragment has its header behind `extensions`. */
export function ipv6Frame(options: FrameOptions = {}): Uint8Array {
  const { destination = NIC_MACS[0]!, source = PEER, fragment = 0 } = options;
  const protocol = options.protocol ?? IPV4_PROTOCOL_UDP;
  const piece = [
    protocol,
    0,
    (fragment & 0x1fff) >> 5,
    ((fragment & 0x1f) << 3) | (fragment >> 13),
  ];
  const extensions = [
    ...(options.extensions ?? []),
    ...(fragment === 0 ? [] : [...piece, 0, 0, 0, 1]),
  ];
  return ipv6FrameOf(
    {
      destinationMac: destination,
      sourceMac: source,
      source: ip6(options.from ?? '2001:db8::1'),
      destination: ip6(options.to ?? '2001:db8::10'),
      nextHeader: options.next ?? (fragment === 0 ? protocol : IPV6_FRAGMENT),
      flowLabel: options.flowLabel ?? 0,
    },
    Uint8Array.from([...extensions, ...(options.payload ?? DATAGRAM)]),
  );
}

/** A virtio net header: flags, segmentation, length of headers, segment, checksum from and at. */
export function vnet(...words: readonly number[]): Uint8Array {
  const [flags = 0, gso = 0, headerLength = 0, size = 0, start = 0, offset = 0] = words;
  const bytes = Buffer.alloc(10);
  bytes.writeUInt8(flags, 0);
  bytes.writeUInt8(gso, 1);
  bytes.writeUInt16LE(headerLength, 2);
  bytes.writeUInt16LE(size, 4);
  bytes.writeUInt16LE(start, 6);
  bytes.writeUInt16LE(offset, 8);
  return bytes;
}

/** A frame of the host: from 192.0.2.10 to the peer. */
export function hostFrame(options: FrameOptions = {}): Uint8Array {
  const own = { destination: PEER, source: GROUP_MACS[0], from: '192.0.2.10', to: '192.0.2.1' };
  return ipv4Frame({ ...own, ...options });
}

/** The same of IPv6: from 2001:db8::10. */
export function hostFrame6(options: FrameOptions = {}): Uint8Array {
  const own = { destination: PEER, source: GROUP_MACS[0], from: '2001:db8::10', to: '2001:db8::1' };
  return ipv6Frame({ ...own, ...options });
}

/** What a test of both families needs of each. */
export interface FamilyPlan {
  readonly name: string;
  /** Our data addresses, on the first NIC and the second; one of the second group. */
  readonly own: string;
  readonly own1: string;
  readonly own2: string;
  /** Test addresses of the first NIC and of the NIC in no group. */
  readonly test: string;
  readonly loneTest: string;
  readonly peer: string;
  /** Address `i` (0 to 255) of another network. */
  readonly far: (i: number) => string;
  readonly unspecified: string;
  readonly loopback: string;
  readonly group: string;
  readonly groupMac: Mac;
  /** Bytes before the transport header, and its segmentation of TCP. */
  readonly headers: number;
  readonly gsoTcp: number;
  readonly badHeader: string;
  readonly fromWire: (options?: FrameOptions) => Uint8Array;
  readonly fromHost: (options?: FrameOptions) => Uint8Array;
  /** A question about `target`: to those that may have it, or to `destination`. */
  readonly request: (target: string, source?: Mac, destination?: Mac) => Uint8Array;
}

const PLAN_4: FamilyPlan = {
  name: 'IPv4',
  own: '192.0.2.10',
  own1: '192.0.2.11',
  own2: '198.51.100.10',
  test: '192.0.2.21',
  loneTest: '192.0.2.23',
  peer: '192.0.2.1',
  far: (i) => `203.0.113.${i}`,
  unspecified: '0.0.0.0',
  loopback: '127.0.0.1',
  group: '239.1.2.3',
  groupMac: MULTICAST,
  headers: 34,
  gsoTcp: 1,
  badHeader: 'bad_ipv4_header',
  fromWire: ipv4Frame,
  fromHost: hostFrame,
  request: (target, source = PEER, destination = BROADCAST) => {
    const asked = { targetMac: 0, targetAddress: ip(target) };
    const sender = { senderMac: source, senderAddress: ip('192.0.2.1') };
    return arpFrame(destination, source, { operation: ARP_REQUEST, ...sender, ...asked });
  },
};

export const PLAN_6: FamilyPlan = {
  name: 'IPv6',
  own: '2001:db8::10',
  own1: '2001:db8::11',
  own2: '2001:db8:2::10',
  test: '2001:db8::21',
  loneTest: '2001:db8::23',
  peer: '2001:db8::1',
  far: (i) => `2001:db8:f::${i}`,
  unspecified: '::',
  loopback: '::1',
  group: 'ff0e::1:2:3',
  groupMac: mac('33:33:00:02:00:03'),
  headers: 54,
  gsoTcp: 4,
  badHeader: 'bad_ipv6_header',
  fromWire: ipv6Frame,
  fromHost: hostFrame6,
  request: (target, from = PEER, to) => {
    const group = ipv6SolicitedNode(ip6(target));
    const ends = { source: ip6('2001:db8::1'), destination: group, target: ip6(target) };
    const message = { ...ends, sourceMac: from, nonce: undefined };
    return ndSolicitationFrame(to ?? ipMulticastMac(group), from, message);
  },
};

export const FAMILIES = [PLAN_4, PLAN_6] as const;

/** A frame of any type. */
export function etherFrame(
  destination: Mac,
  source: Mac,
  type: number,
  payload = new Uint8Array(46),
): Uint8Array {
  const frame = new Uint8Array(ETHERNET_HEADER_LENGTH + payload.length);
  ethernetEmit(frame, 0, { destination, source, type });
  frame.set(payload, ETHERNET_HEADER_LENGTH);
  return frame;
}

/** The frame with an 802.1Q tag: priority, and the number of a VLAN. */
export function tagged(frame: Uint8Array, control: number): Uint8Array {
  const tag = [0x81, 0, control >> 8, control & 0xff];
  return Uint8Array.from([...frame.subarray(0, 12), ...tag, ...frame.subarray(12)]);
}
