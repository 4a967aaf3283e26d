/**
 * IGMP and MLD: golden frames, as Linux 6.18 (its hosts, and its bridge as querier) sends them,
 * read and written again; the gates; the codes for long times.
 */

import { deepEqual, equal, ok } from 'node:assert/strict';
import { test } from 'node:test';
import { ipv4Parse, ipv6Parse, macParse } from '../../../../src/wire/addr.ts';
import { ETHERNET_HEADER_LENGTH } from '../../../../src/wire/ethernet.ts';
import {
  ICMPV6_MLDV1_DONE,
  ICMPV6_MLDV1_REPORT,
  icmpv6FillChecksum,
} from '../../../../src/wire/icmpv6.ts';
import { ipv4FillChecksum, ipv4HeaderLength } from '../../../../src/wire/ipv4.ts';
import { ipv6IsValid, ipv6Walk, ipv6WalkCreate } from '../../../../src/wire/ipv6.ts';
import {
  IGMP_LEAVE,
  IGMP_REPORT_V2,
  igmpGroup,
  igmpGroupFrame,
  igmpIsValid,
  igmpQueryFrame,
  igmpQueryParse,
  igmpReportFrame,
  igmpReportParse,
  igmpVerifyChecksum,
} from '../../../../src/wire/multicast/igmp.ts';
import {
  codeOf,
  codeParse,
  RECORD_ALLOW,
  RECORD_IS_EXCLUDE,
  RECORD_IS_INCLUDE,
  RECORD_TO_EXCLUDE,
} from '../../../../src/wire/multicast/membership.ts';
import {
  mldGroup,
  mldGroupFrame,
  mldIsValid,
  mldQueryFrame,
  mldQueryParse,
  mldRecordsMax,
  mldReportFrame,
  mldReportParse,
} from '../../../../src/wire/multicast/mld.ts';
import { hexFormat, hexParse } from '../../../tools/hex.ts';

const HOST = macParse('02:00:00:00:00:0a')!;
const QUERIER = macParse('02:00:00:00:00:0b')!;
const four = (text: string): number => ipv4Parse(text)!;
const six = (text: string): bigint => ipv6Parse(text)!;
const SENDER = four('10.9.9.1');
const LOCAL = six('fe80::ff:fe00:a');
const QUERIER_LOCAL = six('fe80::ff:fe00:b');

const IGMP = ETHERNET_HEADER_LENGTH + 24;

/** Linux sets DF, and we do not; all else is the same. */
function withoutDf(hex: string): Uint8Array {
  const frame = hexParse(hex);
  frame[ETHERNET_HEADER_LENGTH + 6] = 0;
  ipv4FillChecksum(frame, ETHERNET_HEADER_LENGTH);
  equal(ipv4HeaderLength(frame, ETHERNET_HEADER_LENGTH), 24);
  return frame;
}

const toSystems = `01005e000001 02000000000b 0800`;
const QUERY_V3 = `${toSystems} 46c00024 00004000 01020413 00000000 e0000001 94040000
  1105ec7d 00000000 027d0000`;
const QUERY_V2 = `${toSystems} 46c00020 00004000 01020417 00000000 e0000001 94040000
  1105eefa 00000000`;
const REPORT_V3 = `01005e000016 02000000000a 0800
  46c00034 00004000 0102f0e3 0a090901 e0000016 94040000
  2200ece2 00000002 01000001 e8010203 0a090907 02000000 ef010203`;
const REPORT_V2 = `01005e010203 02000000000a 0800
  46c00020 00004000 0102e009 0a090901 ef010203 94040000 1600f8fa ef010203`;
const LEAVE = `01005e000002 02000000000a 0800
  46c00020 00004000 0102f10b 0a090901 e0000002 94040000 1700f7fa ef010203`;

const GENERAL = { group: undefined, isSuppressed: false, sources: [] } as const;

test('igmp: queries of a Linux bridge, there and back', () => {
  const rows = [
    [QUERY_V3, { ...GENERAL, version: 3, maxResponseMs: 500, robustness: 2, intervalS: 125 }],
    [QUERY_V2, { ...GENERAL, version: 2, maxResponseMs: 500, robustness: 0, intervalS: 0 }],
  ] as const;
  for (const [hex, query] of rows) {
    const frame = withoutDf(hex);
    const length = frame.length - IGMP;
    ok(igmpIsValid(frame, IGMP, length));
    ok(igmpVerifyChecksum(frame, IGMP, length));
    deepEqual(igmpQueryParse(frame, IGMP, length), query);
    equal(igmpReportParse(frame, IGMP, length), undefined);
    equal(hexFormat(igmpQueryFrame(QUERIER, query)), hexFormat(frame));
  }
});

test('igmp: reports and a leave of a Linux host, there and back', () => {
  const frame = withoutDf(REPORT_V3);
  const length = frame.length - IGMP;
  const records = [
    { type: RECORD_IS_INCLUDE, group: four('232.1.2.3'), sources: [four('10.9.9.7')] },
    { type: RECORD_IS_EXCLUDE, group: four('239.1.2.3'), sources: [] },
  ];
  deepEqual(igmpReportParse(frame, IGMP, length), records);
  equal(igmpQueryParse(frame, IGMP, length), undefined);
  equal(hexFormat(igmpReportFrame(HOST, SENDER, records)), hexFormat(frame));
  const group = four('239.1.2.3');
  for (const [hex, type] of [
    [REPORT_V2, IGMP_REPORT_V2],
    [LEAVE, IGMP_LEAVE],
  ] as const) {
    equal(hexFormat(igmpGroupFrame(HOST, SENDER, type, group)), hexFormat(withoutDf(hex)));
    equal(igmpGroup(withoutDf(hex), IGMP), group);
  }
});

test('igmp: a query of version 1 has no time; what is cut off or contradictory is none', () => {
  const one = igmpQueryFrame(QUERIER, { ...igmpQuery(2), version: 1 });
  deepEqual(igmpQueryParse(one, IGMP, 8), { ...igmpQuery(1), maxResponseMs: 10_000 });
  const three = igmpQueryFrame(QUERIER, {
    ...igmpQuery(3),
    group: four('232.1.2.3'),
    sources: [four('10.9.9.7'), four('10.9.9.8')],
    isSuppressed: true,
  });
  const length = three.length - IGMP;
  equal(igmpQueryParse(three, IGMP, length)?.sources.length, 2);
  equal(igmpQueryParse(three, IGMP, length)?.isSuppressed, true);
  for (const cut of [9, 10, 11, length - 1, length - 8]) {
    equal(igmpQueryParse(three, IGMP, cut), undefined, `${cut} bytes`);
  }
  three.fill(0, IGMP + 4, IGMP + 8);
  equal(igmpQueryParse(three, IGMP, length), undefined, 'sources of no group');
  three[IGMP + 4] = 10;
  equal(igmpQueryParse(three, IGMP, length), undefined, 'a group that is no group');
});

function igmpQuery(version: number) {
  return { ...GENERAL, version, maxResponseMs: 100, robustness: 0, intervalS: 0 };
}

const hopByHop = '3a00 0502 0000';
const MLD_QUERY_V2 = `333300000001 02000000000b 86dd 60000000 0024 0001
  fe80000000000000 000000fffe00000b ff02000000000000 0000000000000001 ${hopByHop} 0100
  82007ca8 01f40000 0000000000000000 0000000000000000 027d0000`;
const MLD_QUERY_V1 = `333300000001 02000000000b 86dd 60000000 0020 0001
  fe80000000000000 000000fffe00000b ff02000000000000 0000000000000001 ${hopByHop} 0100
  82007f29 01f40000 0000000000000000 0000000000000000`;
const MLD_REPORT_V2 = `333300000016 02000000000a 86dd 60000000 0048 0001
  fe80000000000000 000000fffe00000a ff02000000000000 0000000000000016 ${hopByHop} 0100
  8f003c93 00000002 05000001 ff3e000000000000 0000000000000123
  20010db800000000 0000000000000007 04000000 ff05000000000000 0000000000000123`;
const MLD_REPORT_V1 = `333300000123 02000000000a 86dd 60000000 0020 0001
  fe80000000000000 000000fffe00000a ff05000000000000 0000000000000123 ${hopByHop} 0100
  83007ed0 00000000 ff05000000000000 0000000000000123`;
const MLD_DONE = `333300000002 02000000000a 86dd 60000000 0020 0001
  fe80000000000000 000000fffe00000a ff02000000000000 0000000000000002 ${hopByHop} 0100
  84007ef4 00000000 ff05000000000000 0000000000000123`;
/** Of a host without a link-local address yet. */
const MLD_REPORT_NONE = `333300000016 02000000000b 86dd 60000000 0024 0001
  0000000000000000 0000000000000000 ff02000000000000 0000000000000016 ${hopByHop} 0100
  8f006f7f 00000001 04000000 ff02000000000000 00000001ff00000b`;

const MLD = ETHERNET_HEADER_LENGTH + 40 + 8;

function passes(frame: Uint8Array): boolean {
  const walk = ipv6WalkCreate();
  const at = ETHERNET_HEADER_LENGTH;
  const isWhole = ipv6IsValid(frame, at, frame.length - at) && ipv6Walk(frame, at, walk);
  return isWhole && mldIsValid(frame, at, walk);
}

test('mld: queries of a Linux bridge, there and back', () => {
  const rows = [
    [MLD_QUERY_V2, { ...GENERAL, version: 2, maxResponseMs: 500, robustness: 2, intervalS: 125 }],
    [MLD_QUERY_V1, { ...GENERAL, version: 1, maxResponseMs: 500, robustness: 0, intervalS: 0 }],
  ] as const;
  for (const [hex, query] of rows) {
    const frame = hexParse(hex);
    ok(passes(frame));
    deepEqual(mldQueryParse(frame, MLD, frame.length - MLD), query);
    equal(hexFormat(mldQueryFrame(QUERIER, QUERIER_LOCAL, query)), hexFormat(frame));
  }
});

test('mld: reports of a Linux host and a group it is done with, there and back', () => {
  const records = [
    { type: RECORD_ALLOW, group: six('ff3e::123'), sources: [six('2001:db8::7')] },
    { type: RECORD_TO_EXCLUDE, group: six('ff05::123'), sources: [] },
  ];
  const frame = hexParse(MLD_REPORT_V2);
  ok(passes(frame));
  deepEqual(mldReportParse(frame, MLD, frame.length - MLD), records);
  equal(mldQueryParse(frame, MLD, frame.length - MLD), undefined);
  equal(hexFormat(mldReportFrame(HOST, LOCAL, records)), hexFormat(frame));
  const none = hexParse(MLD_REPORT_NONE);
  ok(passes(none));
  const [node] = mldReportParse(none, MLD, none.length - MLD) ?? [];
  equal(hexFormat(mldReportFrame(QUERIER, 0n, [node!])), hexFormat(none));
  const group = six('ff05::123');
  for (const [hex, type] of [
    [MLD_REPORT_V1, ICMPV6_MLDV1_REPORT],
    [MLD_DONE, ICMPV6_MLDV1_DONE],
  ] as const) {
    ok(passes(hexParse(hex)));
    equal(mldGroup(hexParse(hex), MLD), group);
    const made = mldGroupFrame(HOST, LOCAL, type, group);
    equal(hexFormat(made), hexFormat(hexParse(hex)));
  }
});

test('mld: the gate refuses what no node may heed', () => {
  const rows: [title: string, hex: string, change: (frame: Uint8Array) => void][] = [
    ['hop limit 2', MLD_QUERY_V2, (frame) => (frame[21] = 2)],
    ['a global source', MLD_QUERY_V2, (frame) => frame.set([0x20, 1], 22)],
    ['a query from no address', MLD_QUERY_V1, (frame) => frame.fill(0, 22, 38)],
    ['no router alert', MLD_QUERY_V2, (frame) => frame.set([1, 2], 56)],
    ['an alert to something else', MLD_QUERY_V2, (frame) => (frame[59] = 1)],
    ['a code', MLD_QUERY_V2, (frame) => (frame[MLD + 1] = 1)],
    ['another type', MLD_QUERY_V2, (frame) => (frame[MLD] = 133)],
  ];
  for (const [title, hex, change] of rows) {
    const frame = hexParse(hex);
    change(frame);
    icmpv6FillChecksum(frame, MLD, frame.length - MLD, ETHERNET_HEADER_LENGTH);
    equal(passes(frame), false, title);
  }
  const frame = hexParse(MLD_QUERY_V2);
  frame[MLD + 26]! ^= 1;
  equal(passes(frame), false, 'a wrong checksum');
  const cut = hexParse(MLD_QUERY_V1).subarray(0, -8);
  cut[19]! -= 8;
  icmpv6FillChecksum(cut, MLD, cut.length - MLD, ETHERNET_HEADER_LENGTH);
  equal(passes(cut), false, 'too short');
});

test('mld: records of an MTU fill it, and one more does not fit', () => {
  for (const mtu of [1280, 1500, 9000]) {
    const count = mldRecordsMax(mtu);
    const record = { type: RECORD_IS_EXCLUDE, group: six('ff02::1:ff00:1'), sources: [] };
    const length = (number: number): number =>
      mldReportFrame(HOST, LOCAL, new Array(number).fill(record)).length - ETHERNET_HEADER_LENGTH;
    ok(length(count) <= mtu && length(count + 1) > mtu, `${count} of ${mtu}`);
  }
});

test('times above half of the range have an exponent (RFC 3376 4.1.1, RFC 3810 5.1.3)', () => {
  for (const [code, bits, value] of [
    [127, 8, 127],
    [0x80, 8, 128],
    [0x8f, 8, 248],
    [0xff, 8, 31_744],
    [0x7fff, 16, 32_767],
    [0x8000, 16, 32_768],
    [0xffff, 16, 8_387_584],
  ] as const) {
    equal(codeParse(code, bits), value);
    equal(codeOf(value, bits), code);
  }
  equal(codeOf(1e9, 8), 0xff);
  equal(codeOf(249, 8), 0x8f, 'the greatest that stands for no more');
});
