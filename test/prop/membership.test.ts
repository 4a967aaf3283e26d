/** Properties of IGMP and MLD: round trips over arbitrary values, and any bytes to the parsers. */

import { deepEqual, equal, ok } from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { ETHERNET_HEADER_LENGTH } from '../../src/wire/ethernet.ts';
import { ipv6IsValid, ipv6Walk, ipv6WalkCreate } from '../../src/wire/ipv6.ts';
import {
  igmpQueryFrame,
  igmpQueryParse,
  igmpReportFrame,
  igmpReportParse,
  igmpVerifyChecksum,
} from '../../src/wire/multicast/igmp.ts';
import { codeOf, codeParse } from '../../src/wire/multicast/membership.ts';
import {
  mldIsValid,
  mldQueryFrame,
  mldQueryParse,
  mldReportFrame,
  mldReportParse,
} from '../../src/wire/multicast/mld.ts';
import { forAll } from '../tools/for-all.ts';

const IGMP = ETHERNET_HEADER_LENGTH + 24;
const MLD = ETHERNET_HEADER_LENGTH + 48;
const IP = ETHERNET_HEADER_LENGTH;

const group4 = fc.integer({ min: 0xe0000000, max: 0xefffffff });
const address4 = fc.integer({ min: 0, max: 0xffffffff });
const address6 = fc.bigInt({ min: 0n, max: (1n << 128n) - 1n });
const group6 = fc.bigInt({ min: 0xffn << 120n, max: (1n << 128n) - 1n });
const local6 = fc.bigInt({ min: 0n, max: (1n << 64n) - 1n }).map((low) => (0xfe80n << 112n) | low);

/** Records as the parsers make them: with the ordinary prototype. */
function recordsOf<A>(group: fc.Arbitrary<A>, address: fc.Arbitrary<A>) {
  const sources = fc.array(address, { maxLength: 5 });
  const record = fc.record(
    { type: fc.integer({ min: 1, max: 6 }), group, sources },
    { noNullPrototype: true },
  );
  return fc.array(record, { maxLength: 8 });
}

/** A query of the newest version. */
function queryOf<A>(version: number, group: fc.Arbitrary<A>, address: fc.Arbitrary<A>) {
  return fc.record(
    {
      version: fc.constant(version),
      group,
      maxResponseMs: fc.nat(120).map((tenths) => tenths * 100),
      isSuppressed: fc.boolean(),
      robustness: fc.nat(7),
      intervalS: fc.nat(127),
      sources: fc.array(address, { maxLength: 5 }),
    },
    { noNullPrototype: true },
  );
}

function mldPasses(frame: Uint8Array): boolean {
  const walk = ipv6WalkCreate();
  const isWhole = ipv6IsValid(frame, IP, frame.length - IP) && ipv6Walk(frame, IP, walk);
  return isWhole && mldIsValid(frame, IP, walk);
}

test('queries and reports of both families go there and back', () => {
  forAll(300, [queryOf(3, group4, address4), recordsOf(group4, address4)], (query, records) => {
    const asked = igmpQueryFrame(1, query);
    deepEqual(igmpQueryParse(asked, IGMP, asked.length - IGMP), query);
    ok(igmpVerifyChecksum(asked, IGMP, asked.length - IGMP));
    const told = igmpReportFrame(1, 2, records);
    deepEqual(igmpReportParse(told, IGMP, told.length - IGMP), records);
    ok(igmpVerifyChecksum(told, IGMP, told.length - IGMP));
  });
  const six = [queryOf(2, group6, address6), recordsOf(group6, address6), local6] as const;
  forAll(300, [...six], (query, records, sender) => {
    const asked = mldQueryFrame(1, sender, query);
    ok(mldPasses(asked));
    deepEqual(mldQueryParse(asked, MLD, asked.length - MLD), query);
    const told = mldReportFrame(1, sender, records);
    ok(mldPasses(told));
    deepEqual(mldReportParse(told, MLD, told.length - MLD), records);
  });
});

test('a frame of MLD with any one bit of its message flipped does not pass', () => {
  forAll(300, [recordsOf(group6, address6), local6, fc.nat()], (records, sender, flip) => {
    const frame = mldReportFrame(1, sender, records);
    const bit = flip % (8 * (frame.length - MLD));
    frame[MLD + (bit >> 3)]! ^= 1 << (bit & 7);
    equal(mldPasses(frame), false);
  });
});

test('any bytes are parsed or refused, and what is parsed lies within them', () => {
  const type = fc.constantFrom(0x11, 0x22, 130, 143, 131, 0x16);
  forAll(5000, [type, fc.uint8Array({ maxLength: 120 }), fc.nat(8)], (first, rest, offset) => {
    const bytes = Uint8Array.of(...new Uint8Array(offset), first, ...rest);
    const length = bytes.length - offset;
    const before = bytes.slice();
    const found = [
      igmpQueryParse(bytes, offset, length)?.sources.length,
      mldQueryParse(bytes, offset, length)?.sources.length,
      igmpReportParse(bytes, offset, length)?.length,
      mldReportParse(bytes, offset, length)?.length,
    ];
    for (const count of found) ok(count === undefined || count * 4 <= length);
    deepEqual(bytes, before);
  });
});

test('a code stands for the greatest time that is no more, and its own time is exact', () => {
  forAll(1000, [fc.nat(0xffff), fc.nat(8_387_584)], (code, value) => {
    for (const bits of [8, 16] as const) {
      const one = code & ((1 << bits) - 1);
      equal(codeOf(codeParse(one, bits), bits), one);
      const of = codeOf(value, bits);
      ok(codeParse(of, bits) <= value);
      ok(of === (1 << bits) - 1 || codeParse(of + 1, bits) > value);
    }
  });
});
