/** Netlink messages: what is asked in golden bytes, what is heard, and anything at all as input. */

import { deepEqual, equal, throws } from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { hexFormat, hexParse } from '../../../../src/base/bytes.ts';
import { OperatorError } from '../../../../src/base/errors.ts';
import { ringsOf } from '../../../../src/host/kernel/bell.ts';
import {
  linkDump,
  linkGet,
  linkParse,
  linkSet,
  macvtapCreate,
} from '../../../../src/host/kernel/link-message.ts';
import {
  answerParse,
  attributesOf,
  attributeText,
  messageEmit,
  messagesParse,
} from '../../../../src/host/kernel/netlink-message.ts';
import {
  addressAdd,
  addressDump,
  addressParse,
  routeAdd,
  routeDump,
  routeParse,
} from '../../../../src/host/kernel/route-message.ts';

/** The bytes below are little-endian, as every machine that runs the tests. */
function bytes(text: string): Buffer {
  return Buffer.from(hexParse(text) ?? []);
}

function hex(request: { body: Uint8Array }): string {
  return hexFormat(request.body);
}

test('requests: the bytes that the kernel is asked with', () => {
  const rows: [string, { body: Uint8Array }, string][] = [
    [
      'link by name',
      linkGet('eth0'),
      '00000000 00000000 00000000 00000000 0900 0300 65746830 00 000000 0800 1d00 08000000',
    ],
    [
      'ports of the bridge 6',
      linkDump(6),
      '00000000 00000000 00000000 00000000 0800 1d00 08000000 0800 0a00 06000000',
    ],
    [
      'device 7 up, no ARP',
      linkSet(7, { up: true, noarp: true }),
      '00000000 07000000 81000000 81000000',
    ],
    [
      'device 7 without all multicast, MTU 1400',
      linkSet(7, { allmulti: false, mtu: 1400 }),
      '00000000 07000000 00000000 00020000 0800 0400 78050000',
    ],
    ['addresses of device 5', addressDump(5), '00000000 05000000'],
    [
      'address with its broadcast',
      addressAdd(5, '192.0.2.10/24'),
      '02180000 05000000 0800 0200 c000020a 0800 0100 c000020a 0800 0400 c00002ff',
    ],
    [
      'address without a broadcast',
      addressAdd(5, '192.0.2.10/31'),
      '021f0000 05000000 0800 0200 c000020a 0800 0100 c000020a',
    ],
    ['IPv4 routes of device 5', routeDump(5, 4), '02000000 00000000 00000000 0800 0400 05000000'],
    [
      'default route',
      routeAdd(5, { to: 'default', via: '192.0.2.1' }),
      '02000000 fe040001 00000000 0800 0500 c0000201 0800 0400 05000000 0800 0f00 fe000000',
    ],
    [
      'on-link route in a far table',
      routeAdd(5, { to: '198.51.100.0/24', table: 1000, metric: 7 }),
      '02180000 0004fd01 00000000 0800 0100 c6336400 0800 0400 05000000' +
        '0800 0600 07000000 0800 0f00 e8030000',
    ],
  ];
  for (const [what, request, expected] of rows) {
    equal(hex(request), expected.replaceAll(' ', ''), what);
  }
});

test('a macvtap is asked for in passthru mode', () => {
  const attributes = attributesOf(Buffer.from(macvtapCreate('net0', 3, 4096).body.subarray(16)));
  equal(attributeText(attributes.get(3)), 'net0');
  const info = attributesOf(attributes.get(18) ?? Buffer.alloc(0));
  equal(attributeText(info.get(1)), 'macvtap');
  deepEqual(attributesOf(info.get(2) ?? Buffer.alloc(0)).get(1), bytes('08000000'));
});

test('addresses and routes that are none are refused', () => {
  const isInvalid = (error: unknown) => error instanceof OperatorError && error.code === 'EINVAL';
  throws(() => addressAdd(1, '192.0.2.10'), isInvalid);
  throws(() => addressAdd(1, '192.0.2.10/33'), isInvalid);
  throws(() => routeAdd(1, { to: 'everywhere' }), isInvalid);
  throws(() => routeAdd(1, { to: 'default', via: 'gateway' }), isInvalid);
  throws(
    () => routeAdd(1, { to: '2001:db8::/32', via: '192.0.2.1' }),
    (error: unknown) => error instanceof OperatorError && error.code === 'EAFNOSUPPORT',
  );
});

test('routes are read with every kind of hop', () => {
  const header = (length: string) => `02${length}0000 fe040001 00000000`;
  const plain = routeParse(bytes(`${header('00')} 0800 0500 c0000201 0800 0400 05000000`));
  deepEqual(plain?.hops, [{ ifindex: 5, via: '192.0.2.1', weight: 1, flags: 0 }]);
  equal(plain?.destination, '0.0.0.0');
  const via6 = '0a00 fe800000 00000000 00000000 00000001';
  const overIpv6 = routeParse(
    bytes(`${header('18')} 0800 0100 c6336400 1600 1200 ${via6} 0000 0800 0400 05000000`),
  );
  deepEqual(overIpv6?.hops, [{ ifindex: 5, via: 'fe80::1', weight: 1, flags: 0 }]);
  const hop = (index: string, last: string) => `1000 04 02 ${index}000000 0800 0500 c00002${last}`;
  const multipath = routeParse(
    bytes(`${header('00')} 2400 0900 ${hop('05', '01')} ${hop('06', '02')}`),
  );
  deepEqual(multipath?.hops, [
    { ifindex: 5, via: '192.0.2.1', weight: 3, flags: 4 },
    { ifindex: 6, via: '192.0.2.2', weight: 3, flags: 4 },
  ]);
});

test('a route that replaces another may have taken it from any device', () => {
  const body = '02000000 fe040001 00000000 0800 0400 05000000';
  const message = (flags: number) => messageEmit({ type: 24, flags, body: bytes(body) }, 1);
  deepEqual(ringsOf(message(0)), [{ about: 'routes', ifindexes: [5] }]);
  deepEqual(ringsOf(message(0x100)), [{ about: 'routes', ifindexes: undefined }]);
  deepEqual(ringsOf(messageEmit({ type: 105, flags: 0, body: bytes('00000000') }, 1)), [
    { about: 'routes', ifindexes: undefined },
  ]);
});

test('errors carry the words of the kernel', () => {
  const text = '0b00 0100 6e6f2067 6f6f64 00'.replaceAll(' ', '');
  const body = bytes(`edffffff 1c000000 1000 0500 01000000 00000000 ${text}`);
  const answer = answerParse({ type: 2, flags: 0x300, sequence: 1, body });
  deepEqual(answer, { errno: 19, text: 'no good' });
  const capped = answerParse({ type: 2, flags: 0x100, sequence: 1, body: bytes('00000000') });
  deepEqual(capped, { errno: 0, text: '' });
});

test('arbitrary bytes are read without an exception', () => {
  const parsers = [linkParse, addressParse, routeParse, messagesParse, ringsOf];
  fc.assert(
    fc.property(fc.uint8Array({ maxLength: 300 }), (array) => {
      for (const parse of parsers) parse(Buffer.from(array));
      answerParse({ type: 2, flags: 0x300, sequence: 1, body: Buffer.from(array) });
    }),
    { numRuns: 20_000 },
  );
});

test('a known message with any octets changed is read without an exception', () => {
  const link =
    '00000100 07000000 43100100 00000000 0900 0300 65746830 00 000000' +
    '0800 0400 dc050000 0a00 0100 020000000001 0000 2000 1200 0c00 0100 6d616376746170 00' +
    '1000 0200 0800 0100 08000000 0000 0000';
  fc.assert(
    fc.property(fc.nat(80), fc.nat(255), (offset, value) => {
      const body = bytes(link.replaceAll(' ', ''));
      body[offset % body.length] = value;
      linkParse(body);
    }),
    { numRuns: 20_000 },
  );
});
