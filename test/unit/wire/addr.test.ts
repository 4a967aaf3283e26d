/** Addresses and checksums: texts there and back, refused texts, the arithmetic of the RFCs. */

import { deepEqual, equal, ok } from 'node:assert/strict';
import { test } from 'node:test';
import {
  ipFamily,
  ipFormat,
  ipIsLinkLocal,
  ipIsMulticast,
  ipIsUnicast,
  ipLastOf,
  ipMulticastMac,
  ipNetwork,
  ipParse,
  ipSameSubnet,
  ipv4Format,
  ipv4IsLoopback,
  ipv4IsMulticast,
  ipv4Mask,
  ipv4Parse,
  ipv4Read,
  ipv4SameSubnet,
  ipv4Write,
  ipv6Format,
  ipv6Parse,
  ipv6SolicitedNode,
  ipv6Write,
  MAC_BROADCAST,
  macFormat,
  macIsGroup,
  macParse,
  macRead,
  macWrite,
  prefixParse,
} from '../../../src/wire/addr.ts';
import {
  checksumAdd,
  checksumComplement,
  checksumFold,
  checksumUpdate,
} from '../../../src/wire/checksum.ts';
import { hexFormat, hexParse } from '../../tools/hex.ts';

test('mac: bytes, text and kinds', () => {
  const rows: [string, number, boolean][] = [
    ['00:00:00:00:00:00', 0, false],
    ['02:00:00:00:00:01', 0x020000000001, false],
    ['01:00:5e:00:00:fb', 0x01005e0000fb, true],
    ['ff:ff:ff:ff:ff:ff', MAC_BROADCAST, true],
    ['fe:dc:ba:98:76:54', 0xfedcba987654, false],
  ];
  for (const [text, mac, isGroup] of rows) {
    equal(macParse(text), mac);
    equal(macParse(text.toUpperCase()), mac);
    equal(macFormat(mac), text);
    equal(macIsGroup(mac), isGroup, text);
    const bytes = new Uint8Array(8).fill(0xa5);
    macWrite(bytes, 1, mac);
    equal(macRead(bytes, 1), mac);
    equal(hexFormat(bytes), `a5${text.replaceAll(':', '')}a5`);
  }
  for (const text of [
    '',
    '02:00:00:00:00',
    '2:0:0:0:0:1',
    '02-00-00-00-00-01',
    'gg:00:00:00:00:00',
  ]) {
    equal(macParse(text), undefined, text);
  }
});

test('ipv4: bytes, text, masks and kinds', () => {
  const rows: [string, number][] = [
    ['0.0.0.0', 0],
    ['192.0.2.1', 0xc0000201],
    ['255.255.255.255', 0xffffffff],
  ];
  for (const [text, address] of rows) {
    equal(ipv4Parse(text), address);
    equal(ipv4Format(address), text);
    const bytes = new Uint8Array(6).fill(0xa5);
    ipv4Write(bytes, 1, address);
    equal(ipv4Read(bytes, 1), address);
    equal(bytes[0]! + bytes[5]!, 0xa5 * 2);
  }
  for (const text of ['', '1.2.3', '1.2.3.4.5', '01.2.3.4', '256.0.0.1', '1.2.3.', ' 1.2.3.4']) {
    equal(ipv4Parse(text), undefined, text);
  }
  deepEqual([0, 1, 24, 32].map(ipv4Mask), [0, 0x80000000, 0xffffff00, 0xffffffff]);
  equal(ipv4IsMulticast(0xe0000001), true);
  equal(ipv4IsMulticast(0xf0000000), false);
  equal(ipv4IsLoopback(0x7f000001), true);
  equal(ipv4SameSubnet(0xc0000201, 0xc00002fe, 24), true);
  equal(ipv4SameSubnet(0xc0000201, 0xc0000301, 24), false);
  equal(ipv4SameSubnet(1, 0xffffffff, 0), true);
});

test('ipv6: every spelling becomes the canonical one', () => {
  const rows: [string, string][] = [
    ['::', '::'],
    ['::1', '::1'],
    ['1::', '1::'],
    ['2001:DB8:0:0:0:0:2:1', '2001:db8::2:1'],
    ['2001:db8::0001', '2001:db8::1'],
    ['2001:db8:0:1:1:1:1:1', '2001:db8:0:1:1:1:1:1'],
    ['2001:0:0:1:0:0:0:1', '2001:0:0:1::1'],
    ['2001:db8:0:0:1:0:0:1', '2001:db8::1:0:0:1'],
    ['::ffff:192.0.2.1', '::ffff:192.0.2.1'],
    ['::ffff:c000:201', '::ffff:192.0.2.1'],
    ['64:ff9b::192.0.2.33', '64:ff9b::c000:221'],
    ['fe80:0:0:0:0:0:0:0', 'fe80::'],
    ['0:0:0:0:0:0:0:8', '::8'],
  ];
  for (const [text, canonical] of rows) {
    const address = ipv6Parse(text);
    ok(address !== undefined, text);
    equal(ipv6Format(address), canonical);
  }
  equal(ipv6Parse('2001:db8::10'), 0x20010db8_00000000_00000000_00000010n);
  const bytes = new Uint8Array(16);
  ipv6Write(bytes, 0, 0x20010db8_00000000_00000000_00000010n);
  equal(hexFormat(bytes), '20010db8000000000000000000000010');
});

test('ipv6: what is no address is refused', () => {
  const texts = ['', ':', ':::', '1', '1:2:3:4:5:6:7', '1:2:3:4:5:6:7:8:9', '1::2::3', '12345::'];
  const more = [
    'g::',
    '::1%eth0',
    '1:2:3:4:5:6:7::8',
    '::1.2.3',
    '1.2.3.4::',
    '::1.2.3.4:5',
    ' ::',
  ];
  for (const text of [...texts, ...more]) equal(ipv6Parse(text), undefined, text);
});

test('addresses of either family: what kind each is, its networks and its groups', () => {
  const rows: [text: string, kinds: string][] = [
    ['0.0.0.0', ''],
    ['192.0.2.1', 'unicast'],
    ['127.0.0.1', ''],
    ['169.254.1.1', 'unicast link-local'],
    ['169.253.255.255', 'unicast'],
    ['224.0.0.1', 'multicast'],
    ['255.255.255.255', ''],
    ['::', ''],
    ['::1', ''],
    ['::2', 'unicast'],
    ['2001:db8::1', 'unicast'],
    ['fe80::1', 'unicast link-local'],
    ['febf:ffff::1', 'unicast link-local'],
    ['fec0::1', 'unicast'],
    ['fd00::1', 'unicast'],
    ['ff02::1', 'multicast'],
    ['::ffff:192.0.2.1', ''],
  ];
  for (const [text, kinds] of rows) {
    const address = ipParse(text);
    ok(address !== undefined, text);
    equal(ipFormat(address), text);
    equal(ipFamily(address), text.includes(':') ? 6 : 4, text);
    const found = [
      ipIsUnicast(address) ? 'unicast' : [],
      ipIsMulticast(address) ? 'multicast' : [],
      ipIsLinkLocal(address) ? 'link-local' : [],
    ];
    equal(found.flat().join(' '), kinds, text);
  }
  const networks: [text: string, prefixLength: number, first: string, last: string][] = [
    ['192.0.2.130', 25, '192.0.2.128', '192.0.2.255'],
    ['192.0.2.130', 0, '0.0.0.0', '255.255.255.255'],
    ['192.0.2.130', 32, '192.0.2.130', '192.0.2.130'],
    ['2001:db8::8:1', 112, '2001:db8::8:0', '2001:db8::8:ffff'],
    ['2001:db8::1', 0, '::', 'ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff'],
    ['2001:db8::1', 128, '2001:db8::1', '2001:db8::1'],
  ];
  for (const [text, prefixLength, first, last] of networks) {
    const address = ipParse(text)!;
    equal(ipFormat(ipNetwork(address, prefixLength)), first);
    equal(ipFormat(ipLastOf(address, prefixLength)), last);
    ok(ipSameSubnet(address, ipParse(last)!, prefixLength), text);
  }
  ok(!ipSameSubnet(0, 0n, 0), 'families have no network in common');
  ok(!ipSameSubnet(ipParse('2001:db8::1')!, ipParse('2001:db9::1')!, 32));
  // RFC 4291 2.7.1 and RFC 1112 6.4: the examples of the standards.
  const target = ipv6Parse('4037::1:800:200e:8c6c')!;
  equal(ipFormat(ipv6SolicitedNode(target)), 'ff02::1:ff0e:8c6c');
  equal(macFormat(ipMulticastMac(ipv6SolicitedNode(target))), '33:33:ff:0e:8c:6c');
  equal(macFormat(ipMulticastMac(ipParse('239.129.2.3')!)), '01:00:5e:01:02:03');
});

test('prefixes: family, canonical address with host bits, length', () => {
  deepEqual(prefixParse('192.0.2.10/24'), { family: 4, address: '192.0.2.10', prefixLength: 24 });
  deepEqual(prefixParse('0.0.0.0/0'), { family: 4, address: '0.0.0.0', prefixLength: 0 });
  deepEqual(prefixParse('2001:DB8:0::10/64'), {
    family: 6,
    address: '2001:db8::10',
    prefixLength: 64,
  });
  const texts = [
    '192.0.2.10',
    '192.0.2.10/33',
    '192.0.2.10/024',
    '192.0.2/24',
    '::/129',
    '::1',
    '/24',
  ];
  for (const text of [...texts, '192.0.2.10/', '192.0.2.10/-1', 'host/24']) {
    equal(prefixParse(text), undefined, text);
  }
});

test('checksum: the worked example of RFC 1071 section 3', () => {
  const bytes = hexParse('0001 f203 f4f5 f6f7');
  equal(checksumFold(checksumAdd(0, bytes, 0, 8)), 0xddf2);
  equal(checksumComplement(checksumAdd(0, bytes, 0, 8)), 0x220d);
  equal(checksumFold(checksumAdd(0, bytes, 0, 7)), checksumFold(0x0001 + 0xf203 + 0xf4f5 + 0xf600));
  equal(checksumAdd(5, bytes, 0, 0), 5);
});

test('checksum: the worked example of RFC 1624 section 4', () => {
  equal(checksumUpdate(0xdd2f, 0x5555, 0x3285), 0x0000);
});
