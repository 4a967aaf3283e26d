/** Properties of neighbour discovery: round trips, and any bytes against the gate and parsers. */

import { deepEqual, equal, ok } from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { writeU16 } from '../../src/base/bytes.ts';
import { ipv6IsUnicast, ipv6Read, ipv6SolicitedNode, macIsGroup } from '../../src/wire/addr.ts';
import { icmpv6FillChecksum } from '../../src/wire/icmpv6.ts';
import {
  type NdFault,
  ndAdvertisementParse,
  ndRedirectParse,
  ndRefusal,
  ndRouterAdvertisementParse,
  ndRouterSolicitationParse,
  ndSolicitationParse,
  ndType,
} from '../../src/wire/nd.ts';
import {
  ndAdvertisementFrame,
  ndRouterSolicitationFrame,
  ndSolicitationFrame,
} from '../../src/wire/nd-frames.ts';
import { forAll } from '../tools/for-all.ts';
import * as linux from '../tools/linux-frames.ts';

const IP = 14;
const ICMP = 54;

const station = fc.nat(0xffffff).map((low) => 0x020000000000 + low);
const address = fc
  .uint8Array({ minLength: 16, maxLength: 16 })
  .map((bytes) => ipv6Read(bytes, 0))
  .filter(ipv6IsUnicast);
const optionalMac = fc.option(station, { nil: undefined });
const nonce = fc.option(fc.bigInt(0n, 2n ** 48n - 1n), { nil: undefined });
const [bit, u8] = [fc.boolean(), fc.nat(0xff)];

/** Records as our parsers make them: with the ordinary prototype. */
function plain<T extends object>(model: { [K in keyof T]: fc.Arbitrary<T[K]> }): fc.Arbitrary<T> {
  return fc.record<T>(model, { noNullPrototype: true });
}

const refusal = (frame: Uint8Array): NdFault | undefined => ndRefusal(frame, IP, frame.length - IP);

test('what is sent passes the gate and is read as it was meant', () => {
  const ends = { source: address, destination: address };
  const question = plain({ ...ends, target: address, sourceMac: optionalMac, nonce });
  forAll(300, [question, bit], (given, isDetection) => {
    const unspecified = { source: 0n, destination: ipv6SolicitedNode(given.target) };
    const message = isDetection ? { ...given, ...unspecified, sourceMac: undefined } : given;
    const frame = ndSolicitationFrame(0x3333ff000001, 0x020000000001, message);
    equal(refusal(frame), undefined);
    deepEqual(ndSolicitationParse(frame, IP), message);
  });
  const flags = { isRouter: bit, isSolicited: bit, isOverride: bit };
  const answer = plain({ ...ends, target: address, ...flags, targetMac: optionalMac });
  forAll(300, [answer], (message) => {
    const frame = ndAdvertisementFrame(0x333300000001, 0x020000000001, message);
    equal(refusal(frame), undefined);
    deepEqual(ndAdvertisementParse(frame, IP), message);
  });
  forAll(100, [plain({ ...ends, sourceMac: optionalMac })], (message) => {
    const frame = ndRouterSolicitationFrame(0x333300000002, 0x020000000001, message);
    equal(refusal(frame), undefined);
    deepEqual(ndRouterSolicitationParse(frame, IP), message);
  });
});

const GOLDEN = [
  linux.LINUX_SOLICITATION,
  linux.LINUX_DETECTION,
  linux.LINUX_ADVERTISEMENT,
  linux.LINUX_CONFIRMATION,
  linux.LINUX_ROUTER_SOLICITATION,
  linux.LINUX_REDIRECT,
  linux.ROUTER_ADVERTISEMENT,
];

/** Frames that are likely to get past the first rules: some bytes exchanged, some sums right. */
const mutated = fc
  .record({
    golden: fc.constantFrom(...GOLDEN),
    changes: fc.array(fc.tuple(fc.nat(), u8), { maxLength: 3 }),
    tail: fc.uint8Array({ maxLength: 24 }),
    isSumRight: fc.integer({ min: 0, max: 9 }).map((roll) => roll > 0),
  })
  .map(({ golden, changes, tail, isSumRight }) => {
    const frame = Uint8Array.of(...golden, ...tail);
    writeU16(frame, IP + 4, frame.length - ICMP);
    for (const [place, value] of changes) frame[IP + (place % (frame.length - IP))] = value;
    if (isSumRight) icmpv6FillChecksum(frame, ICMP, frame.length - ICMP, IP);
    return frame;
  });

/** Everything that the parser of its type reads from a packet that the gate took. */
function parsed(bytes: Uint8Array, header: number): object {
  switch (ndType(bytes, header)) {
    case 133:
      return ndRouterSolicitationParse(bytes, header);
    case 134:
      return ndRouterAdvertisementParse(bytes, header);
    case 135:
      return ndSolicitationParse(bytes, header);
    case 136:
      return ndAdvertisementParse(bytes, header);
    case 137:
      return ndRedirectParse(bytes, header);
    default:
      throw new RangeError('no message of neighbour discovery');
  }
}

function checkValues(values: object): void {
  for (const [name, value] of Object.entries(values)) {
    if (typeof value === 'bigint') ok(value >= 0n && value < 2n ** 128n, name);
    else if (typeof value === 'number') ok(Number.isInteger(value) && value >= 0, name);
    else if (Array.isArray(value)) for (const each of value) checkValues(each);
    else ok(value === undefined || typeof value === 'boolean', name);
    if (name.endsWith('Mac') && value !== undefined) ok(value !== 0 && !macIsGroup(value), name);
  }
}

test('any bytes are refused for one reason, or every value in them is in its range', () => {
  const seen = new Map<string, number>();
  const any = fc.oneof(
    { weight: 1, arbitrary: fc.uint8Array({ maxLength: 120 }) },
    {
      weight: 9,
      arbitrary: mutated,
    },
  );
  forAll(20_000, [any, fc.nat(40)], (frame, offset) => {
    const before = frame.slice();
    const fault = refusal(frame);
    seen.set(fault ?? 'taken', (seen.get(fault ?? 'taken') ?? 0) + 1);
    deepEqual(frame, before);
    if (fault !== undefined) return;
    const values = parsed(frame, IP);
    checkValues(values);
    const moved = new Uint8Array(offset + frame.length + 40).fill(0x01);
    moved.set(frame, offset);
    equal(ndRefusal(moved, offset + IP, moved.length - offset - IP), undefined);
    deepEqual(parsed(moved, offset + IP), values, 'what lies around a packet is not read');
  });
  const reached = [...seen.keys()].sort().join(' ');
  equal(
    reached,
    'nd_bad_hop_limit nd_bad_sender nd_checksum nd_extension_header nd_malformed nd_martian taken',
  );
});

test('a part of a frame is never taken', () => {
  for (const golden of GOLDEN) {
    for (let length = 0; length < golden.length; length++) {
      equal(refusal(golden.slice(0, length)), 'nd_malformed', `${length} bytes`);
      equal(ndRefusal(golden, IP, length - IP), 'nd_malformed', `${length} bytes`);
    }
  }
});
