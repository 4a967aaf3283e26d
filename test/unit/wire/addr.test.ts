/** Addresses and checksums: texts there and back, refused texts, the arithmetic of the RFCs. */

import { deepEqual, equal } from 'node:assert/strict';
import { test } from 'node:test';
import {
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
    const bytes = ipv6Parse(text);
    equal(bytes?.length, 16, text);
    equal(ipv6Format(bytes!), canonical);
  }
  equal(hexFormat(ipv6Parse('2001:db8::10')!), '20010db8000000000000000000000010');
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
