/** The IPv6 header and the walk over extension headers, from bytes written by hand. */

import { deepEqual, equal, ok } from 'node:assert/strict';
import { test } from 'node:test';
import { ipv6Parse } from '../../../src/wire/addr.ts';
import {
  EXTENSION_HEADERS_MAX,
  IPV6_HEADER_LENGTH,
  ipv6DestinationWord,
  ipv6HeaderEmit,
  ipv6HeaderParse,
  ipv6IsValid,
  ipv6SourceWord,
  ipv6Walk,
  ipv6WalkCreate,
} from '../../../src/wire/ipv6.ts';
import { hexFormat, hexParse } from '../../tools/hex.ts';

/** Traffic class 0xb8, flow label 0x12345, a payload of 8 bytes of UDP, hop limit 64. */
const HEADER = '6b812345 0008 11 40';
const ADDRESSES = '20010db8000000000000000000000001 fe80000000000000020000fffe000002';

test('the fixed header: parse, emit, words', () => {
  const bytes = hexParse(`${HEADER}${ADDRESSES}0000000000000000`);
  const header = {
    trafficClass: 0xb8,
    flowLabel: 0x12345,
    payloadLength: 8,
    nextHeader: 17,
    hopLimit: 64,
    source: ipv6Parse('2001:db8::1')!,
    destination: ipv6Parse('fe80::200:ff:fe00:2')!,
  };
  ok(ipv6IsValid(bytes, 0, bytes.length));
  deepEqual(ipv6HeaderParse(bytes, 0), header);
  equal(ipv6SourceWord(bytes, 0, 0), 0x20010db8);
  equal(ipv6SourceWord(bytes, 0, 3), 1);
  equal(ipv6DestinationWord(bytes, 0, 0), 0xfe800000 | 0);
  equal(ipv6DestinationWord(bytes, 0, 2), 0x020000ff);
  const copy = new Uint8Array(bytes.length);
  ipv6HeaderEmit(copy, 0, header);
  equal(hexFormat(copy), hexFormat(bytes));
});

test('the gate: version, room for the header and for the payload, padding', () => {
  const bytes = hexParse(`${HEADER}${ADDRESSES}0000000000000000ffff`);
  ok(ipv6IsValid(bytes, 0, 50), 'padding may follow');
  ok(ipv6IsValid(bytes, 0, 48));
  ok(!ipv6IsValid(bytes, 0, 47), 'the payload is cut off');
  ok(!ipv6IsValid(bytes, 0, 39), 'the header is cut off');
  ok(!ipv6IsValid(bytes, 0, 60), 'longer than the array');
  bytes[0] = 0x4b;
  ok(!ipv6IsValid(bytes, 0, 48), 'version 4');
});

/** A packet with these headers behind the fixed one, whose next header is `first`. */
function packet(first: number, payload: string): Uint8Array {
  const body = hexParse(payload);
  const bytes = new Uint8Array(IPV6_HEADER_LENGTH + body.length);
  const [source, destination] = [1n, 2n].map((host) => (0x20010db8n << 96n) | host);
  ipv6HeaderEmit(bytes, 0, {
    trafficClass: 0,
    flowLabel: 0,
    payloadLength: body.length,
    nextHeader: first,
    hopLimit: 1,
    source: source!,
    destination: destination!,
  });
  bytes.set(body, IPV6_HEADER_LENGTH);
  return bytes;
}

/** Options of 8 bytes (PadN), followed by `next`. */
const options = (next: string): string => `${next} 00 01 04 00000000`;

test('the walk: what it finds behind the extension headers', () => {
  const rows: [title: string, first: number, payload: string, found: string][] = [
    ['none', 17, '0000000000000000', '17 at 0'],
    ['none, and nothing behind', 59, '', '59 at 0'],
    ['hop-by-hop', 0, `${options('3a')} 8300`, '58 at 8 extensions'],
    ['destination options twice', 60, `${options('3c')}${options('06')}`, '6 at 16 extensions'],
    ['long options', 60, `11 01 01 0c ${'00'.repeat(12)}`, '17 at 16 extensions'],
    ['authentication counts in words', 51, `06 02 ${'00'.repeat(14)}`, '6 at 16 extensions'],
    ['segment routing', 43, '11 00 04 00 00000000', '17 at 8 extensions'],
    ['source route', 43, '11 00 00 01 00000000', '17 at 8 extensions source-route'],
    ['source route, used up', 43, '11 00 00 00 00000000', '17 at 8 extensions'],
    ['a first fragment', 44, '11 00 0001 00000007 0000', '17 at 8 fragment'],
    ['an atomic fragment', 44, '11 00 0000 00000007 0000', '17 at 8'],
    ['a later fragment', 44, '00 00 0008 00000007 ffff', '0 at 8 fragment later'],
    ['the last fragment', 44, '3c 00 0010 00000007 ffff', '60 at 8 fragment later'],
    [
      'a fragment of options',
      44,
      `3c 00 0001 00000007${options('11')}`,
      '17 at 16 extensions fragment',
    ],
    ['an unknown protocol', 254, '0000', '254 at 0'],
  ];
  const walk = ipv6WalkCreate();
  for (const [title, first, payload, found] of rows) {
    const bytes = packet(first, payload);
    ok(ipv6Walk(bytes, 0, walk), title);
    const text = [
      `${walk.protocol} at ${walk.offset - IPV6_HEADER_LENGTH}`,
      walk.hasExtensions ? 'extensions' : [],
      walk.isFragment ? 'fragment' : [],
      walk.isLaterFragment ? 'later' : [],
      walk.hasSourceRoute ? 'source-route' : [],
    ];
    equal(text.flat().join(' '), found, title);
  }
});

test('the walk: headers that cannot be walked', () => {
  const rows: [title: string, first: number, payload: string][] = [
    ['hop-by-hop options cut off', 0, '3a 00 01 04'],
    ['options longer than the packet', 60, '11 01 01 0c 00000000'],
    ['a fragment header cut off', 44, '11 00 00'],
    ['hop-by-hop options that are not first', 60, `${options('00')}${options('11')}`],
    ['hop-by-hop options twice', 0, `${options('00')}${options('11')}`],
    ['options behind a first fragment cut off', 44, '3c 00 0001 00000007 11 00'],
    ['too many', 60, options('3c').repeat(EXTENSION_HEADERS_MAX) + options('11')],
  ];
  const walk = ipv6WalkCreate();
  for (const [title, first, payload] of rows) {
    ok(!ipv6Walk(packet(first, payload), 0, walk), title);
  }
  const most = options('3c').repeat(EXTENSION_HEADERS_MAX - 1) + options('11');
  ok(ipv6Walk(packet(60, most), 0, walk), 'as many as are allowed');
});
