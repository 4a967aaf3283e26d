/**
 * Each codec over one golden frame: its values are read, and written again into a buffer filled
 * with 0xa5, so that a forgotten byte shows. Then the gates, at and just below their limits.
 */

import { deepEqual, equal } from 'node:assert/strict';
import { test } from 'node:test';
import { ipv4IsUnicast, ipv4Parse, MAC_BROADCAST, macParse } from '../../../src/wire/addr.ts';
import {
  ARP_LENGTH,
  ARP_REPLY,
  ARP_REQUEST,
  type ArpPacket,
  arpEmit,
  arpFrame,
  arpIsAnnouncement,
  arpIsProbe,
  arpIsValid,
  arpParse,
} from '../../../src/wire/arp.ts';
import {
  dhcpClientAddress,
  dhcpClientMac,
  dhcpFlags,
  dhcpIsBroadcast,
  dhcpIsClientRequest,
  dhcpSetBroadcast,
} from '../../../src/wire/dhcp.ts';
import {
  ETHERNET_HEADER_LENGTH,
  ETHERTYPE_ARP,
  ETHERTYPE_IPV4,
  ethernetEmit,
  ethernetIsGroup,
  ethernetIsValid,
  ethernetParse,
} from '../../../src/wire/ethernet.ts';
import {
  ICMP_ECHO_REQUEST,
  icmpEmit,
  icmpIsValid,
  icmpParse,
  icmpVerifyChecksum,
} from '../../../src/wire/icmp.ts';
import {
  IPV4_DONT_FRAGMENT,
  IPV4_PROTOCOL_ICMP,
  type Ipv4Options,
  ipv4HeaderEmit,
  ipv4HeaderLength,
  ipv4HeaderParse,
  ipv4IsFragment,
  ipv4IsValid,
  ipv4Options,
  ipv4VerifyChecksum,
} from '../../../src/wire/ipv4.ts';
import {
  udpChecksum,
  udpDestinationPort,
  udpIsValid,
  udpLength,
  udpSourcePort,
  udpVerifyChecksum,
  udpVerifyChecksumIpv6,
} from '../../../src/wire/udp.ts';
import { udpDatagram } from '../../tools/frames.ts';
import { hexFormat, hexParse } from '../../tools/hex.ts';
import { LINUX_UDP } from '../../tools/linux-frames.ts';

const blank = (length: number): Uint8Array => new Uint8Array(length).fill(0xa5);
const mac = (text: string): number => macParse(text)!;
const ip = (text: string): number => ipv4Parse(text)!;

const ARP_GOLDEN = hexParse(`
  ffffffffffff 020000000001 0806
  0001 0800 06 04 0001  020000000001 c000020a  000000000000 c0000201`);

const ARP_VALUES: ArpPacket = {
  operation: ARP_REQUEST,
  senderMac: mac('02:00:00:00:00:01'),
  senderAddress: ip('192.0.2.10'),
  targetMac: 0,
  targetAddress: ip('192.0.2.1'),
};

test('ethernet: golden header, there and back', () => {
  const values = {
    destination: MAC_BROADCAST,
    source: mac('02:00:00:00:00:01'),
    type: ETHERTYPE_ARP,
  };
  deepEqual(ethernetParse(ARP_GOLDEN, 0), values);
  equal(ethernetIsGroup(ARP_GOLDEN, 0), true);
  const frame = blank(16);
  ethernetEmit(frame, 1, values);
  equal(hexFormat(frame), 'a5ffffffffffff0200000000010806a5');
  equal(ethernetIsValid(frame, 0, 14), true);
  equal(ethernetIsValid(frame, 0, 13), false);
  equal(ethernetIsValid(frame, 3, 14), false);
});

test('arp: golden packet, there and back', () => {
  deepEqual(arpParse(ARP_GOLDEN, ETHERNET_HEADER_LENGTH), ARP_VALUES);
  const packet = blank(ARP_LENGTH + 2);
  arpEmit(packet, 1, ARP_VALUES);
  equal(packet[0], 0xa5);
  deepEqual(packet.subarray(1, 1 + ARP_LENGTH), ARP_GOLDEN.subarray(ETHERNET_HEADER_LENGTH));
  equal(packet[ARP_LENGTH + 1], 0xa5);
  deepEqual(arpFrame(MAC_BROADCAST, ARP_VALUES.senderMac, ARP_VALUES), ARP_GOLDEN);
});

test('arp: only whole packets of Ethernet and IPv4 pass the gate', () => {
  const packet = ARP_GOLDEN.subarray(ETHERNET_HEADER_LENGTH);
  equal(arpIsValid(packet, 0, ARP_LENGTH), true);
  equal(arpIsValid(packet, 0, ARP_LENGTH - 1), false);
  equal(arpIsValid(packet, 1, ARP_LENGTH), false);
  for (const place of [0, 1, 2, 3, 4, 5]) {
    const other = packet.slice();
    other[place] = other[place]! ^ 0x40;
    equal(arpIsValid(other, 0, ARP_LENGTH), false, `byte ${place}`);
  }
  // Hardware type 1 is Ethernet, 6 is IEEE 802: the same packet.
  const valid = Array.from({ length: 256 }, (_, type) => type).filter((type) => {
    const other = packet.slice();
    other[1] = type;
    return arpIsValid(other, 0, ARP_LENGTH);
  });
  deepEqual(valid, [1, 6]);
});

test('arp: probes and announcements are distinguished from questions', () => {
  const question = ARP_VALUES;
  const probe = { ...ARP_VALUES, senderAddress: 0 };
  const announcement = { ...ARP_VALUES, targetAddress: ARP_VALUES.senderAddress };
  const rows = [question, probe, announcement, { ...announcement, operation: ARP_REPLY }];
  deepEqual(rows.map(arpIsProbe), [false, true, false, false]);
  deepEqual(rows.map(arpIsAnnouncement), [false, false, true, true]);
});

const IPV4_GOLDEN = hexParse(`
  45000020 1c464000 4001 9a8b c000020a c0000201
  0800 6c50 1234 0001 7878 0102`);

const IPV4_VALUES = {
  typeOfService: 0,
  totalLength: 32,
  identification: 0x1c46,
  fragment: IPV4_DONT_FRAGMENT,
  timeToLive: 64,
  protocol: IPV4_PROTOCOL_ICMP,
  source: ip('192.0.2.10'),
  destination: ip('192.0.2.1'),
  options: new Uint8Array(0),
};

test('ipv4: golden header, there and back, with its checksum', () => {
  deepEqual(ipv4HeaderParse(IPV4_GOLDEN, 0), IPV4_VALUES);
  const header = blank(22);
  ipv4HeaderEmit(header, 1, IPV4_VALUES);
  equal(hexFormat(header), `a5${hexFormat(IPV4_GOLDEN.subarray(0, 20))}a5`);
  equal(ipv4VerifyChecksum(IPV4_GOLDEN, 0), true);
  equal(ipv4IsFragment(IPV4_GOLDEN, 0), false);
});

test('ipv4: the gate at its limits', () => {
  const rows: [string, number, boolean][] = [
    ['45000014 0000', 20, true],
    ['45000014 0000', 19, false],
    ['45000015 0000', 20, false],
    ['45000013 0000', 20, false],
    ['44000014 0000', 20, false],
    ['46000014 0000', 24, false],
    ['46000018 0000', 24, true],
    ['65000014 0000', 20, false],
  ];
  for (const [start, length, isValid] of rows) {
    const datagram = blank(24);
    datagram.set(hexParse(start));
    equal(ipv4IsValid(datagram, 0, length), isValid, `${start} ${length}`);
  }
  equal(ipv4IsValid(IPV4_GOLDEN, 1, IPV4_GOLDEN.length), false);
});

test('ipv4: options survive, and are judged in any order', () => {
  const rows: [string, Ipv4Options][] = [
    ['', 'plain'],
    ['01010100', 'plain'],
    ['83070400 00000000', 'source-route'],
    ['01890704 00000000', 'source-route'],
    ['94040000 83030400', 'source-route'],
    ['00830704', 'plain'],
    ['94040000', 'plain'],
    ['94000000', 'malformed'],
    ['94090000', 'malformed'],
    ['01010194', 'malformed'],
    ['83000000', 'malformed'],
    ['01890900 00000000', 'malformed'],
    ['01010183', 'malformed'],
    ['07270400', 'malformed'],
  ];
  for (const [options, kind] of rows) {
    const header = blank(60);
    const values = { ...IPV4_VALUES, options: hexParse(options) };
    ipv4HeaderEmit(header, 0, values);
    deepEqual(ipv4HeaderParse(header, 0), values);
    equal(ipv4HeaderLength(header, 0), 20 + values.options.length);
    equal(ipv4VerifyChecksum(header, 0), true);
    equal(ipv4Options(header, 0), kind, options);
  }
});

test('ipv4: which addresses one station may have, as a number and as a signed word', () => {
  const rows: [string, boolean][] = [
    ['0.0.0.0', false],
    ['0.0.0.1', true],
    ['0.255.255.255', true],
    ['126.255.255.255', true],
    ['127.0.0.0', false],
    ['127.255.255.255', false],
    ['128.0.0.0', true],
    ['192.0.2.1', true],
    ['223.255.255.255', true],
    ['224.0.0.0', false],
    ['239.255.255.255', false],
    ['240.0.0.0', true],
    ['255.255.255.254', true],
    ['255.255.255.255', false],
  ];
  for (const [text, isUnicast] of rows) {
    const address = ipv4Parse(text) ?? Number.NaN;
    equal(ipv4IsUnicast(address), isUnicast, text);
    equal(ipv4IsUnicast(address | 0), isUnicast, `${text} as a signed word`);
  }
});

test('ipv4: the first, a middle and the last fragment are fragments', () => {
  for (const [word, isFragment] of [
    [0x2000, true],
    [0x2001, true],
    [0x0001, true],
    [0x4000, false],
    [0x0000, false],
  ] as const) {
    const header = blank(20);
    ipv4HeaderEmit(header, 0, { ...IPV4_VALUES, fragment: word });
    equal(ipv4IsFragment(header, 0), isFragment, word.toString(16));
  }
});

test('icmp: golden echo, there and back, with its checksum', () => {
  const values = {
    type: ICMP_ECHO_REQUEST,
    code: 0,
    identifier: 0x1234,
    sequence: 1,
    data: hexParse('78780102'),
  };
  deepEqual(icmpParse(IPV4_GOLDEN, 20, 12), values);
  const message = blank(14);
  icmpEmit(message, 1, values);
  equal(hexFormat(message), `a5${hexFormat(IPV4_GOLDEN.subarray(20))}a5`);
  equal(icmpVerifyChecksum(IPV4_GOLDEN, 20, 12), true);
  equal(icmpVerifyChecksum(IPV4_GOLDEN, 20, 10), false);
  equal(icmpIsValid(IPV4_GOLDEN, 20, 8), true);
  equal(icmpIsValid(IPV4_GOLDEN, 20, 7), false);
});

test('udp: golden datagram, read and made by the helper of the tests, with its checksum', () => {
  const golden = hexParse('0035 c000 000b f733 616263');
  const [source, destination] = [ip('192.0.2.10'), ip('192.0.2.1')];
  deepEqual(udpDatagram(53, 49152, hexParse('616263'), { source, destination }), golden);
  deepEqual([udpSourcePort(golden, 0), udpDestinationPort(golden, 0)], [53, 49152]);
  deepEqual([udpLength(golden, 0), udpChecksum(golden, 0)], [11, 0xf733]);
  equal(udpVerifyChecksum(golden, 0, source, destination), true);
  equal(udpVerifyChecksum(golden, 0, source, destination + 1), false);
  equal(udpIsValid(golden, 0, 11), true);
  equal(udpIsValid(golden, 0, 10), false);
  equal(udpIsValid(hexParse('0035 c000 0007 0000'), 0, 8), false);
});

test('udp: over IPv6 the checksum is that of the header, and must be there', () => {
  const [header, at] = [14, 54];
  equal(udpIsValid(LINUX_UDP, at, 11), true);
  equal(udpVerifyChecksumIpv6(LINUX_UDP, at, header), true);
  const other = LINUX_UDP.slice();
  other[header + 8] = 0x21;
  equal(udpVerifyChecksumIpv6(other, at, header), false);
  const none = LINUX_UDP.slice();
  none.set([0, 0], at + 6);
  equal(udpVerifyChecksumIpv6(none, at, header), false);
});

test('udp: no checksum is accepted over IPv4', () => {
  equal(udpVerifyChecksum(udpDatagram(1, 2, hexParse('0000')), 0, 3, 4), true);
});

test('dhcp: a client request, its flag set and nothing else changed', () => {
  const message = new Uint8Array(244);
  message.set(hexParse('01010600 12345678 0003 0001 00000000'));
  message.set(hexParse('020000000009'), 28);
  message.set(hexParse('63825363 350101ff'), 236);
  equal(dhcpIsClientRequest(message, 0, 244), true);
  equal(dhcpClientMac(message, 0), mac('02:00:00:00:00:09'));
  equal(dhcpClientAddress(message, 0), 0);
  equal(dhcpIsBroadcast(message, 0), false);
  const before = message.slice();
  dhcpSetBroadcast(message, 0);
  equal(dhcpIsBroadcast(message, 0), true);
  equal(dhcpFlags(message, 0), 0x8001);
  before[10] = 0x80;
  deepEqual(message, before);
  equal(dhcpIsClientRequest(message, 0, 239), false);
  for (const place of [0, 1, 2, 236, 239]) {
    const other = message.slice();
    other[place] = other[place]! ^ 0x02;
    equal(dhcpIsClientRequest(other, 0, 244), false, `byte ${place}`);
  }
  equal(ETHERTYPE_IPV4, 0x0800);
});
