/** Netlink messages: requests in golden bytes, parsed answers, and anything at all as input. */

import { deepEqual, equal, throws } from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { ringsOf } from '../../../../src/host/kernel/bell.ts';
import {
  linkDelete,
  linkDump,
  linkGet,
  linkGroupDelete,
  linkGroupSet,
  linkParse,
  linkSet,
  macvtapCreate,
} from '../../../../src/host/kernel/link-message.ts';
import {
  answerParse,
  messageEmit,
  messagesParse,
  type Request,
} from '../../../../src/host/kernel/netlink-message.ts';
import {
  batchOf,
  cameBy,
  chainAdd,
  dropRule,
  FAMILY_INET,
  FAMILY_NETDEV,
  forwardChainAdd,
  isForGroup,
  isIpv4Fragment,
  leavesBy,
  rulesDelete,
  tableAdd,
  tableDelete,
  tableGet,
} from '../../../../src/host/kernel/nftables-message.ts';
import type { HostRoute } from '../../../../src/host/kernel/records.ts';
import {
  addressAdd,
  addressDelete,
  addressDump,
  connectedAppend,
  connectedDelete,
  hostAddressParse,
  routeAdd,
  routeDelete,
  routeDump,
  routeParse,
  routeTableDump,
} from '../../../../src/host/kernel/route-message.ts';
import { hexFormat, hexParse } from '../../../tools/hex.ts';
import { defaultRoute } from '../port/link-record.ts';

/** The bytes below are little-endian, as every machine that runs the tests. */
function bytes(text: string): Buffer {
  return Buffer.from(hexParse(text));
}

/** Type, flags beside NLM_F_REQUEST, and body. */
function hex({ type, flags, body }: Request): string {
  const words = [type, flags].map((word) => word.toString(16).padStart(4, '0'));
  return words.join('') + hexFormat(body);
}

const CONNECTED: HostRoute = {
  ...defaultRoute(5),
  destination: '192.0.2.0',
  prefixLength: 24,
  metric: 100,
  source: '192.0.2.10',
};
const IFINFO = '00000000 00000000 00000000 00000000';
const IPV6_PREFIX = '20010db8 00000000 00000000 00000001';

type Row = readonly [what: string, request: Request, expected: string];

const LINKS: readonly Row[] = [
  [
    'link by name',
    linkGet('eth0'),
    `0012 0004 ${IFINFO} 0900 0300 65746830 00 000000 0800 1d00 08000000`,
  ],
  [
    'link by number',
    linkGet(7),
    '0012 0004 00000000 07000000 00000000 00000000 0800 1d00 08000000',
  ],
  ['every link', linkDump(), `0012 0300 ${IFINFO} 0800 1d00 08000000`],
  [
    'ports of the bridge 6',
    linkDump(6),
    `0012 0300 ${IFINFO} 0800 1d00 08000000 0800 0a00 06000000`,
  ],
  [
    'device 7 up, no ARP',
    linkSet(7, { up: true, noarp: true }),
    '0010 0004 00000000 07000000 81000000 81000000',
  ],
  [
    'device 7 without all multicast, MTU 1400',
    linkSet(7, { allmulti: false, mtu: 1400 }),
    '0010 0004 00000000 07000000 00000000 00020000 0800 0400 78050000',
  ],
  [
    'device 7 down, with every other setting',
    linkSet(7, {
      up: false,
      mtu: 1400,
      master: 6,
      txQueueLength: 4096,
      groMaxSize: 65_536,
      groIpv4MaxSize: 65_536,
      mac: 0x02_00_00_00_00_01,
    }),
    '0010 0004 00000000 07000000 00000000 01000000 0800 0400 78050000 0800 0a00 06000000' +
      '0800 0d00 00100000 0800 3a00 00000100 0800 4000 00000100 0a00 0100 02000000 00010000',
  ],
  [
    'a macvtap in passthru mode on device 3',
    macvtapCreate('net0', 3, 4096),
    `0010 0604 ${IFINFO} 0900 0300 6e657430 00 000000 0800 0500 03000000 0800 0d00 00100000` +
      '1c00 1200 0c00 0100 6d616376 74617000 0c00 0200 0800 0100 08000000',
  ],
  ['no device 7', linkDelete(7), '0011 0004 00000000 07000000 00000000 00000000'],
  [
    'device 9 in a group',
    linkGroupSet(9, 0x69_70_6d_70),
    '0010 0004 00000000 09000000 00000000 00020000 0800 1b00 706d7069',
  ],
  [
    'no device of a group',
    linkGroupDelete(0x69_70_6d_70),
    `0011 0004 ${IFINFO} 0800 1b00 706d7069`,
  ],
];

const ADDRESSES: readonly Row[] = [
  ['addresses of device 5', addressDump(5), '0016 0300 00000000 05000000'],
  [
    'address with its broadcast',
    addressAdd(5, '192.0.2.10/24'),
    '0014 0604 02180000 05000000 0800 0200 c000020a 0800 0100 c000020a 0800 0400 c00002ff',
  ],
  [
    'address without a broadcast',
    addressAdd(5, '192.0.2.10/31'),
    '0014 0604 021f0000 05000000 0800 0200 c000020a 0800 0100 c000020a',
  ],
  [
    'address of IPv6',
    addressAdd(5, '2001:db8::1/64'),
    `0014 0604 0a400000 05000000 1400 0200 ${IPV6_PREFIX} 1400 0100 ${IPV6_PREFIX}`,
  ],
  [
    'no address',
    addressDelete(5, '192.0.2.10/24'),
    '0015 0004 02180000 05000000 0800 0200 c000020a 0800 0100 c000020a',
  ],
];

const ROUTES: readonly Row[] = [
  [
    'IPv4 routes of device 5',
    routeDump(5, 4),
    '001a 0300 02000000 00000000 00000000 0800 0400 05000000',
  ],
  [
    'IPv6 routes of device 5',
    routeDump(5, 6),
    '001a 0300 0a000000 00000000 00000000 0800 0400 05000000',
  ],
  [
    'IPv4 routes of table 1000',
    routeTableDump(1000, 4),
    '001a 0300 02000000 00000000 00000000 0800 0f00 e8030000',
  ],
  [
    'default route',
    routeAdd(5, { to: 'default', via: '192.0.2.1' }),
    '0018 0604 02000000 fe040001 00000000 0800 0500 c0000201 0800 0400 05000000 0800 0f00 fe000000',
  ],
  [
    'default route by a gateway that is on the link',
    routeAdd(5, { to: 'default', via: '192.0.2.1', onlink: true }),
    '0018 0604 02000000 fe040001 04000000 0800 0500 c0000201 0800 0400 05000000 0800 0f00 fe000000',
  ],
  [
    'on-link route in a far table',
    routeAdd(5, { to: '198.51.100.0/24', table: 1000, metric: 7 }),
    '0018 0604 02180000 0004fd01 00000000 0800 0100 c6336400 0800 0400 05000000' +
      '0800 0600 07000000 0800 0f00 e8030000',
  ],
  [
    'a default route of IPv4 by a gateway of IPv6',
    routeAdd(5, { to: '0.0.0.0/0', via: 'fe80::1' }),
    '0018 0604 02000000 fe040001 00000000 0800 0100 00000000' +
      '1600 1200 0a00 fe800000 00000000 00000000 00000001 0000' +
      '0800 0400 05000000 0800 0f00 fe000000',
  ],
  [
    'no route of IPv6',
    routeDelete(5, { to: '2001:db8::1/128', via: 'fe80::1' }),
    `0019 0004 0a800000 fe040001 00000000 1400 0100 ${IPV6_PREFIX}` +
      '1400 0500 fe800000 00000000 00000000 00000001 0800 0400 05000000 0800 0f00 fe000000',
  ],
  [
    'a connected route behind the others',
    connectedAppend(5, CONNECTED),
    '0018 0c04 02180000 fe02fd01 00000000 0800 0100 c0000200 0800 0400 05000000' +
      '0800 0700 c000020a 0800 0600 64000000 0800 0f00 fe000000',
  ],
  [
    'no connected route in a far table',
    connectedDelete(5, { ...CONNECTED, table: 1000, source: undefined, metric: 0 }),
    '0019 0004 02180000 0002fd01 00000000 0800 0100 c0000200 0800 0400 05000000' +
      '0800 0f00 e8030000',
  ],
];

const TABLE = '0a00 0100 69706d70 64000000';
const [BEGIN, COUNT, END] = batchOf([rulesDelete(FAMILY_INET, 'ipmpd', 'all')]);

/** Expressions of rules: which register is loaded, masked and compared. */
const LOAD_NAME =
  '2400 0180 0900 0100 6d657461 00 000000 1400 0280 0800 0100 00000001 0800 0200 00000006';
const LOAD_NAME_OUT = LOAD_NAME.replace(/06$/, '07');
const COUNT_AND_DROP =
  '1400 0180 0c00 0100 636f756e 74657200 0400 0280' +
  '3000 0180 0e00 0100 696d6d65 64696174 6500 0000' +
  '1c00 0280 0800 0100 00000000 1000 0280 0c00 0280 0800 0100 00000000';
const NAME_IS_ETH0 =
  '3800 0180 0800 0100 636d7000 2c00 0280 0800 0100 00000001 0800 0200 00000000' +
  '1800 0380 1400 0100 65746830 00000000 00000000 00000000';
const LOAD_FIRST_OCTET =
  '3400 0180 0c00 0100 7061796c 6f616400 2400 0280 0800 0100 00000001' +
  '0800 0200 00000000 0800 0300 00000000 0800 0400 00000001';
const MASK_GROUP_BIT =
  '4400 0180 0c00 0100 62697477 69736500 3400 0280 0800 0100 00000001 0800 0200 00000001' +
  '0800 0300 00000001 0c00 0480 0500 0100 01000000 0c00 0580 0500 0100 00000000';
const GROUP_BIT_IS_SET =
  '2c00 0180 0800 0100 636d7000 2000 0280 0800 0100 00000001 0800 0200 00000000' +
  '0c00 0380 0500 0100 01000000';
const PROTOCOL_IS_IPV4 =
  '2400 0180 0900 0100 6d657461 00 000000 1400 0280 0800 0100 00000001 0800 0200 00000001' +
  '2c00 0180 0800 0100 636d7000 2000 0280 0800 0100 00000001 0800 0200 00000000' +
  '0c00 0380 0600 0100 08000000';
const LOAD_FRAGMENT_WORD =
  '3400 0180 0c00 0100 7061796c 6f616400 2400 0280 0800 0100 00000001' +
  '0800 0200 00000001 0800 0300 00000006 0800 0400 00000002';
const MASK_MORE_AND_OFFSET =
  '4400 0180 0c00 0100 62697477 69736500 3400 0280 0800 0100 00000001 0800 0200 00000001' +
  '0800 0300 00000002 0c00 0480 0600 0100 3fff0000 0c00 0580 0600 0100 00000000';
const FRAGMENT_WORD_IS_SET =
  '2c00 0180 0800 0100 636d7000 2000 0280 0800 0100 00000001 0800 0200 00000001' +
  '0c00 0380 0600 0100 00000000';

const FILTERS: readonly Row[] = [
  ['a transaction begins', BEGIN!, '0010 0000 0000000a'],
  ['the last change is answered', COUNT!, `0a08 0004 01000000 ${TABLE} 0800 0200 616c6c00`],
  ['a transaction ends', END!, '0011 0000 0000000a'],
  ['a table', tableAdd(FAMILY_INET, 'ipmpd'), `0a00 0400 01000000 ${TABLE} 0800 0200 00000002`],
  ['which table', tableGet(FAMILY_NETDEV, 'ipmpd'), `0a01 0004 05000000 ${TABLE}`],
  ['no table', tableDelete(FAMILY_INET, 'ipmpd'), `0a02 0000 01000000 ${TABLE}`],
  [
    'a chain at the ingress of a device',
    chainAdd(FAMILY_NETDEV, 'ipmpd', 'eth0', 'eth0'),
    `0a03 0400 05000000 ${TABLE} 0900 0300 65746830 00 000000 2000 0480 0800 0100 00000000` +
      '0800 0200 fffffed4 0900 0300 65746830 00 000000 0800 0500 00000001' +
      '0b00 0700 66696c74 657200 00',
  ],
  [
    'a chain for what the host forwards',
    forwardChainAdd('ipmpd', 'all'),
    `0a03 0400 01000000 ${TABLE} 0800 0300 616c6c00 1400 0480 0800 0100 00000002` +
      '0800 0200 fffffed4 0800 0500 00000001 0b00 0700 66696c74 657200 00',
  ],
  [
    'a rule for what is to leave by a device',
    dropRule(FAMILY_INET, 'ipmpd', 'all', [leavesBy('eth0')]),
    `0a06 0c00 01000000 ${TABLE} 0800 0200 616c6c00 a400 0480 ${LOAD_NAME_OUT} ${NAME_IS_ETH0}` +
      COUNT_AND_DROP,
  ],
  [
    'a rule for what came by a device to a group of stations',
    dropRule(FAMILY_INET, 'ipmpd', 'all', [cameBy('eth0'), isForGroup()]),
    `0a06 0c00 01000000 ${TABLE} 0800 0200 616c6c00 4801 0480 ${LOAD_NAME} ${NAME_IS_ETH0}` +
      LOAD_FIRST_OCTET +
      MASK_GROUP_BIT +
      GROUP_BIT_IS_SET +
      COUNT_AND_DROP,
  ],
  [
    'a rule for fragments',
    dropRule(FAMILY_INET, 'ipmpd', 'all', [isIpv4Fragment()]),
    `0a06 0c00 01000000 ${TABLE} 0800 0200 616c6c00 3c01 0480 ${PROTOCOL_IS_IPV4}` +
      LOAD_FRAGMENT_WORD +
      MASK_MORE_AND_OFFSET +
      FRAGMENT_WORD_IS_SET +
      COUNT_AND_DROP,
  ],
];

test('requests: the bytes that the kernel is asked with', () => {
  for (const [what, request, expected] of [...LINKS, ...ADDRESSES, ...ROUTES, ...FILTERS]) {
    equal(hex(request), expected.replaceAll(' ', ''), what);
  }
});

test('a message has a header and is padded; its length is without the padding', () => {
  const request = { type: 16, flags: 4, body: Uint8Array.of(1, 2, 3, 4, 5) };
  const message = '15000000 1000 0500 07000000 00000000 0102030405 000000';
  deepEqual(messageEmit(request, 7), bytes(message));
});

test('addresses and routes that are none are refused', () => {
  const isInvalid = { name: 'OperatorError', code: 'EINVAL' };
  throws(() => addressAdd(1, '192.0.2.10'), isInvalid);
  throws(() => addressAdd(1, '192.0.2.10/33'), isInvalid);
  throws(() => routeAdd(1, { to: 'everywhere' }), isInvalid);
  throws(() => routeAdd(1, { to: 'default', via: 'gateway' }), isInvalid);
  const isMixed = { name: 'OperatorError', code: 'EAFNOSUPPORT' };
  throws(() => routeAdd(1, { to: '2001:db8::/32', via: '192.0.2.1' }), isMixed);
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
  const parsers = [linkParse, hostAddressParse, routeParse, messagesParse, ringsOf];
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
