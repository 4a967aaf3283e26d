/**
 * Neighbour discovery over frames of Linux: read, and written again byte for byte. Then the gate,
 * rule by rule: one field of a valid frame is changed, and the checksum made right again.
 */

import { deepEqual, equal } from 'node:assert/strict';
import { test } from 'node:test';
import { readU16, writeU16 } from '../../../src/base/bytes.ts';
import type { IpDropReason } from '../../../src/stats/drop-reasons.ts';
import { IPV6_ALL_ROUTERS, ipv6Parse, ipv6SolicitedNode } from '../../../src/wire/addr.ts';
import { ethernetParse } from '../../../src/wire/ethernet.ts';
import { icmpv6FillChecksum } from '../../../src/wire/icmpv6.ts';
import {
  type NdFault,
  ndAdvertisementParse,
  ndRedirectParse,
  ndRefusal,
  ndRouterAdvertisementParse,
  ndRouterSolicitationParse,
  ndSolicitationParse,
  ndType,
} from '../../../src/wire/nd.ts';
import {
  ndAdvertisementFrame,
  ndRouterSolicitationFrame,
  ndSolicitationFrame,
} from '../../../src/wire/nd-frames.ts';
import { hexFormat, hexParse } from '../../tools/hex.ts';
import * as linux from '../../tools/linux-frames.ts';

const IP = 14;
const ICMP = 54;
const ip = (text: string): bigint => ipv6Parse(text)!;
const ONE = ip('2001:db8::1');
const TWO = ip('2001:db8::2');
const LOCAL_TWO = ip('fe80::ff:fe00:2');
const ROUTER = ip('fe80::3');

const refusal = (frame: Uint8Array): NdFault | undefined => ndRefusal(frame, IP, frame.length - IP);

test('golden solicitations, there and back', () => {
  const rows = [
    [
      linux.LINUX_SOLICITATION,
      { source: ONE, destination: ipv6SolicitedNode(TWO), target: TWO },
      { sourceMac: 0x020000000001, nonce: undefined },
    ],
    [
      linux.LINUX_DETECTION,
      { source: 0n, destination: ipv6SolicitedNode(ONE), target: ONE },
      { sourceMac: undefined, nonce: 0xbe26e6887a5fn },
    ],
    [
      linux.LINUX_VERIFICATION,
      { source: LOCAL_TWO, destination: ONE, target: ONE },
      { sourceMac: 0x020000000002, nonce: undefined },
    ],
  ] as const;
  for (const [golden, addresses, options] of rows) {
    equal(refusal(golden), undefined);
    equal(ndType(golden, IP), 135);
    const message = ndSolicitationParse(golden, IP);
    deepEqual(message, { ...addresses, ...options });
    const { destination, source } = ethernetParse(golden, 0);
    equal(hexFormat(ndSolicitationFrame(destination, source, message)), hexFormat(golden));
  }
});

test('golden advertisements, there and back', () => {
  const flags = { isRouter: false, isSolicited: true, isOverride: true };
  const rows = [
    [
      linux.LINUX_ADVERTISEMENT,
      { source: TWO, destination: ONE, target: TWO },
      { ...flags, targetMac: 0x020000000002 },
    ],
    [
      linux.LINUX_CONFIRMATION,
      { source: ONE, destination: LOCAL_TWO, target: ONE },
      { ...flags, isOverride: false, targetMac: undefined },
    ],
    [
      linux.LINUX_ROUTER_ANSWER,
      { source: ROUTER, destination: ONE, target: ROUTER },
      { ...flags, isRouter: true, targetMac: 0x020000000003 },
    ],
  ] as const;
  for (const [golden, addresses, values] of rows) {
    equal(refusal(golden), undefined);
    equal(ndType(golden, IP), 136);
    const message = ndAdvertisementParse(golden, IP);
    deepEqual(message, { ...addresses, ...values });
    const { destination, source } = ethernetParse(golden, 0);
    equal(hexFormat(ndAdvertisementFrame(destination, source, message)), hexFormat(golden));
  }
});

test('golden router solicitation, there and back', () => {
  const golden = linux.LINUX_ROUTER_SOLICITATION;
  equal(refusal(golden), undefined);
  equal(ndType(golden, IP), 133);
  const message = ndRouterSolicitationParse(golden, IP);
  const ends = { source: LOCAL_TWO, destination: IPV6_ALL_ROUTERS };
  deepEqual(message, { ...ends, sourceMac: 0x020000000002 });
  const frame = ndRouterSolicitationFrame(0x333300000002, 0x020000000002, message);
  equal(hexFormat(frame), hexFormat(golden));
  const unspecified = { source: 0n, destination: IPV6_ALL_ROUTERS, sourceMac: undefined };
  const bare = ndRouterSolicitationFrame(0x333300000002, 0x020000000002, unspecified);
  equal(bare.length, golden.length - 8);
  equal(refusal(bare), undefined);
  deepEqual(ndRouterSolicitationParse(bare, IP), unspecified);
});

test('golden redirect and router advertisement are read', () => {
  equal(refusal(linux.LINUX_REDIRECT), undefined);
  equal(ndType(linux.LINUX_REDIRECT, IP), 137);
  deepEqual(ndRedirectParse(linux.LINUX_REDIRECT, IP), {
    source: ROUTER,
    destination: ONE,
    target: LOCAL_TWO,
    redirected: ip('2001:db8:9::9'),
    targetMac: 0x020000000002,
  });
  equal(refusal(linux.ROUTER_ADVERTISEMENT), undefined);
  equal(ndType(linux.ROUTER_ADVERTISEMENT, IP), 134);
  const prefix = { prefixLength: 64, isOnLink: true, validS: 86_400, preferredS: 14_400 };
  deepEqual(ndRouterAdvertisementParse(linux.ROUTER_ADVERTISEMENT, IP), {
    source: ROUTER,
    destination: ip('ff02::1'),
    hopLimit: 64,
    isManaged: true,
    isOther: true,
    lifetimeS: 1800,
    reachableMs: 30_000,
    retransmitMs: 1000,
    sourceMac: 0x020000000003,
    mtu: 1400,
    prefixes: [
      { ...prefix, prefix: ip('2001:db8::'), isAutonomous: true },
      { ...prefix, prefix: ip('2001:db8:7::'), isAutonomous: false },
    ],
  });
});

/** `golden` with `hex` written at each place, and its lengths and checksum made right again. */
function changed(golden: Uint8Array, ...changes: [place: number, hex: string][]): Uint8Array {
  const ends = changes.map(([place, hex]) => place + hexParse(hex).length);
  const frame = new Uint8Array(Math.max(golden.length, ...ends));
  frame.set(golden);
  for (const [place, hex] of changes) frame.set(hexParse(hex), place);
  writeU16(frame, IP + 4, frame.length - ICMP);
  icmpv6FillChecksum(frame, ICMP, frame.length - ICMP, IP);
  return frame;
}

/** `golden` without its end, the rest made right again. */
function cut(golden: Uint8Array, length: number): Uint8Array {
  return changed(golden.slice(0, ICMP + length));
}

const [SOURCE, DESTINATION, TARGET, REDIRECTED] = [22, 38, 62, 78];
const [NONE, LOOPBACK] = ['00'.repeat(16), `${'00'.repeat(15)}01`];
const GROUP = `ff02${'00'.repeat(13)}01`;
const MAPPED = `${'00'.repeat(10)}ffffc0000201`;
const GLOBAL = `20010db8${'00'.repeat(11)}07`;
const OPTIONS = { rs: 62, ra: 70, neighbor: 78, redirect: 94 };

const GOLDEN = {
  rs: linux.LINUX_ROUTER_SOLICITATION,
  ra: linux.ROUTER_ADVERTISEMENT,
  ns: linux.LINUX_SOLICITATION,
  dad: linux.LINUX_DETECTION,
  na: linux.LINUX_ADVERTISEMENT,
  redirect: linux.LINUX_REDIRECT,
};

/** A drop reason of the daemon has the name of each fault. */
type Fault = NdFault & IpDropReason;

test('each rule of RFC 4861 for all five messages', () => {
  const rows: [keyof typeof GOLDEN, minimum: number, options: number][] = [
    ['rs', 8, OPTIONS.rs],
    ['ra', 16, OPTIONS.ra],
    ['ns', 24, OPTIONS.neighbor],
    ['na', 24, OPTIONS.neighbor],
    ['redirect', 40, OPTIONS.redirect],
  ];
  for (const [name, minimum, options] of rows) {
    const golden = GOLDEN[name];
    const expected: [Uint8Array, Fault | undefined, string][] = [
      [changed(golden), undefined, 'unchanged'],
      [changed(golden, [IP + 7, 'fe']), 'nd_bad_hop_limit', 'hop limit 254'],
      [changed(golden, [IP + 7, '00']), 'nd_bad_hop_limit', 'hop limit 0'],
      [changed(golden, [IP + 6, '2c']), 'nd_extension_header', 'fragment header'],
      [changed(golden, [IP + 6, '00']), 'nd_extension_header', 'hop-by-hop options'],
      [changed(golden, [IP, '40']), 'nd_malformed', 'version 4'],
      [changed(golden, [ICMP, '80']), 'nd_malformed', 'another type'],
      [changed(golden, [ICMP, '8a']), 'nd_malformed', 'the type behind the last'],
      [changed(golden, [ICMP + 1, '01']), 'nd_malformed', 'code 1'],
      [cut(golden, minimum), undefined, 'no option'],
      [cut(golden, minimum - 1), 'nd_malformed', 'one byte too short'],
      [cut(golden, 3), 'nd_malformed', 'no whole head'],
      [cut(golden, 0), 'nd_malformed', 'nothing'],
      [cut(golden, minimum + 1), 'nd_malformed', 'one byte of an option'],
      [cut(golden, minimum + 7), 'nd_malformed', 'seven bytes of an option'],
      [changed(golden, [options + 1, '00']), 'nd_malformed', 'option of length 0'],
      [changed(golden, [options + 1, 'ff']), 'nd_malformed', 'option beyond the packet'],
      [changed(golden, [golden.length, 'fd']), 'nd_malformed', 'the type of an option alone'],
      [changed(golden, [golden.length, 'fd00']), 'nd_malformed', 'an option cut off'],
      [changed(golden, [golden.length, 'fd00000000000000']), 'nd_malformed', 'unknown, length 0'],
      [changed(golden, [golden.length, 'fd02000000000000']), 'nd_malformed', 'unknown, too long'],
      [changed(golden, [golden.length, '01020000000000000000000000000000']), 'nd_malformed', '16'],
      [changed(golden, [golden.length, '0202000000000000000000000000 0000']), 'nd_malformed', '16'],
      [changed(golden, [golden.length, '0101000000000000']), 'nd_bad_sender', 'MAC of zeros'],
      [changed(golden, [golden.length, '0201010000000001']), 'nd_bad_sender', 'group MAC'],
      [changed(golden, [golden.length, 'fd01000000000000']), undefined, 'unknown option'],
      [changed(golden, [SOURCE, GROUP]), 'nd_martian', 'multicast source'],
      [changed(golden, [SOURCE, LOOPBACK]), 'nd_martian', 'loopback source'],
      [changed(golden, [SOURCE, MAPPED]), 'nd_martian', 'mapped source'],
    ];
    for (const [frame, fault, what] of expected) equal(refusal(frame), fault, `${name}: ${what}`);
    for (let place = ICMP; place < golden.length; place++) {
      const frame = golden.slice();
      frame[place] = frame[place]! ^ 0x08;
      equal(refusal(frame) !== undefined, true, `${name}: byte ${place}`);
    }
    const wrong = golden.slice();
    writeU16(wrong, ICMP + 2, readU16(wrong, ICMP + 2) ^ 1);
    equal(refusal(wrong), 'nd_checksum', name);
    equal(ndRefusal(golden, IP, golden.length - IP - 1), 'nd_malformed', `${name}: cut off`);
    equal(refusal(Uint8Array.of(...golden, 1, 2, 3)), undefined, `${name}: padding`);
  }
});

test('the rules about addresses of each message', () => {
  const toAll: [number, string] = [DESTINATION, GROUP];
  const anonymous: [number, string] = [SOURCE, NONE];
  const rows: [keyof typeof GOLDEN, [number, string][], Fault | undefined][] = [
    // RFC 4861 6.1.1
    ['rs', [anonymous], 'nd_martian'],
    ['rs', [anonymous, [OPTIONS.rs, 'fd']], undefined],
    ['rs', [[SOURCE, GLOBAL]], undefined],
    // 6.1.2
    ['ra', [anonymous], 'nd_martian'],
    ['ra', [[SOURCE, GLOBAL]], 'nd_martian'],
    ['ra', [[DESTINATION, GLOBAL]], undefined],
    // 7.1.1
    ['ns', [[TARGET, GROUP]], 'nd_martian'],
    ['ns', [[TARGET, NONE]], 'nd_martian'],
    ['ns', [[TARGET, LOOPBACK]], 'nd_martian'],
    ['ns', [toAll], undefined],
    ['ns', [anonymous], 'nd_martian'],
    ['dad', [], undefined],
    ['dad', [toAll], 'nd_martian'],
    ['dad', [[DESTINATION, GLOBAL]], 'nd_martian'],
    ['dad', [[OPTIONS.neighbor, '01']], 'nd_martian'],
    ['dad', [[TARGET, GROUP]], 'nd_martian'],
    // 7.1.2
    ['na', [anonymous], 'nd_martian'],
    ['na', [[TARGET, GROUP]], 'nd_martian'],
    ['na', [toAll], 'nd_martian'],
    ['na', [toAll, [ICMP + 4, '20']], undefined],
    // 8.1
    ['redirect', [anonymous], 'nd_martian'],
    ['redirect', [[SOURCE, GLOBAL]], 'nd_martian'],
    ['redirect', [[TARGET, GLOBAL]], 'nd_martian'],
    ['redirect', [[TARGET, `20010db80009${'00'.repeat(9)}09`]], undefined],
    ['redirect', [[REDIRECTED, GROUP]], 'nd_martian'],
    [
      'redirect',
      [
        [TARGET, GROUP],
        [REDIRECTED, GROUP],
      ],
      'nd_martian',
    ],
  ];
  for (const [name, changes, fault] of rows) {
    equal(refusal(changed(GOLDEN[name], ...changes)), fault, `${name} ${changes.join(' ')}`);
  }
});

test('options of other lengths are skipped, and the first of two counts', () => {
  const solicitation = linux.LINUX_SOLICITATION;
  const nonce = `0e02${'00'.repeat(14)}`;
  const longer = changed(solicitation, [solicitation.length, nonce]);
  equal(refusal(longer), undefined);
  equal(ndSolicitationParse(longer, IP).nonce, undefined);
  const twice = changed(solicitation, [solicitation.length, '0101020000000009']);
  equal(refusal(twice), undefined);
  equal(ndSolicitationParse(twice, IP).sourceMac, 0x020000000001);
  const other = changed(solicitation, [OPTIONS.neighbor, '02']);
  equal(ndSolicitationParse(other, IP).sourceMac, undefined);
  const places = { mtu: OPTIONS.ra + 8, prefix: OPTIONS.ra + 40 };
  const golden = linux.ROUTER_ADVERTISEMENT;
  const router = changed(golden, [places.mtu, 'fd'], [places.prefix, 'fd']);
  equal(refusal(router), undefined);
  const { mtu, prefixes } = ndRouterAdvertisementParse(router, IP);
  deepEqual([mtu, prefixes.length], [undefined, 1]);
});
