/** MLD of a hostile station: each frame ends once, and what it makes us send is bounded. */

import { deepEqual, equal, ok } from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import {
  ANSWER_GAP_MS,
  GROUP_GAP_MS,
  OLDER_QUERIER_MS,
} from '../../../../src/ip/multicast/solicited.ts';
import { ipv6SolicitedNode, ipv6Write } from '../../../../src/wire/addr.ts';
import { icmpv6FillChecksum } from '../../../../src/wire/icmpv6.ts';
import { RECORD_IS_EXCLUDE } from '../../../../src/wire/multicast/membership.ts';
import { mldQueryFrame, mldRecordsMax } from '../../../../src/wire/multicast/mld.ts';
import { forAll } from '../../../tools/for-all.ts';
import { OTHER_MAC, World } from '../harness.ts';
import { Bench, DATA, GROUP, IP, MLD, QUERIER, six } from './bench.ts';

/** A query of the newest version that a NIC must answer at once. */
const URGENT = {
  version: 2,
  group: undefined,
  maxResponseMs: 0,
  isSuppressed: false,
  robustness: 7,
  intervalS: 31_744,
  sources: [],
} as const;

/** Where the fields of a query lie in its frame. */
const [HOP_LIMIT, SOURCE, ALERT, CODE] = [IP + 7, IP + 8, IP + 42, MLD + 1];
const [QUERIED, SOURCE_COUNT] = [MLD + 8, MLD + 26];

/** A query after `change`, with the checksum that fits then. */
function changed(change: (frame: Uint8Array) => void): Uint8Array {
  const frame = mldQueryFrame(OTHER_MAC, QUERIER, URGENT);
  change(frame);
  icmpv6FillChecksum(frame, MLD, frame.length - MLD, IP);
  return frame;
}

const FORGED: readonly [string, (frame: Uint8Array) => void][] = [
  ['a hop limit of 0', (frame) => frame.fill(0, HOP_LIMIT, HOP_LIMIT + 1)],
  ['a hop limit of 2', (frame) => frame.fill(2, HOP_LIMIT, HOP_LIMIT + 1)],
  ['a hop limit of 255', (frame) => frame.fill(255, HOP_LIMIT, HOP_LIMIT + 1)],
  ['no router alert', (frame) => frame.fill(1, ALERT, ALERT + 1)],
  ['a router alert about another protocol', (frame) => frame.fill(1, ALERT + 3, ALERT + 4)],
  ['no sender', (frame) => ipv6Write(frame, SOURCE, 0n)],
  ['a global sender', (frame) => ipv6Write(frame, SOURCE, six('2001:db8::1'))],
  ['a multicast sender', (frame) => ipv6Write(frame, SOURCE, six('ff02::1'))],
  ['a code', (frame) => frame.fill(1, CODE, CODE + 1)],
  ['a group that is none', (frame) => ipv6Write(frame, QUERIED, DATA)],
  ['more sources than there are', (frame) => frame.fill(0xff, SOURCE_COUNT, SOURCE_COUNT + 2)],
];

for (const [title, change] of FORGED) {
  test(`a query with ${title} is dropped as invalid and makes nothing leave`, () => {
    const bench = new Bench();
    bench.data(DATA, 0);
    bench.advance(60_000);
    bench.lines();
    equal(bench.wire(0, changed(change)), 'mld_invalid');
    bench.advance(60_000);
    deepEqual(bench.world.take(), []);
  });
}

test('any link-local sender is a querier: the election is a matter of the queriers', () => {
  const bench = new Bench();
  bench.data(DATA, 0);
  bench.advance(60_000);
  bench.lines();
  for (const sender of ['fe80::', 'fe80::ffff', 'febf::1']) {
    equal(
      bench.wire(
        0,
        changed((frame) => ipv6Write(frame, SOURCE, six(sender))),
      ),
      'consumed',
    );
  }
  bench.advance(60_000);
  deepEqual(bench.lines(), [`net0 ${RECORD_IS_EXCLUDE} 0:10`]);
});

test('a query with any bytes changed or cut off ends once, for one reason', () => {
  const patches = fc.array(fc.tuple(fc.nat(1000), fc.nat(0xff)), { maxLength: 4 });
  const versions = fc.constantFrom(1, 2);
  const groups = fc.constantFrom(undefined, GROUP, six('ff05::1'));
  const given = [versions, groups, patches, fc.nat(40), fc.nat(2)] as const;
  const world = new World();
  world.addData(DATA, 1);
  let frames = 0;
  forAll(3000, [...given], (version, group, bytes, cut, nic) => {
    const whole = mldQueryFrame(OTHER_MAC, QUERIER, { ...URGENT, version, group });
    const frame = whole.slice(0, whole.length - (cut > 30 ? cut : 0));
    for (const [at, value] of bytes) frame[at % frame.length] = value;
    world.lan.handleWireFrame(world.ill(nic), frame, world.nowMs);
    frames++;
    const { framesAnswered, framesConsumed } = world.lan.counters;
    const dropped = [...world.drops.values()].reduce((sum, count) => sum + count, 0);
    equal(framesAnswered + framesConsumed + dropped, frames);
    world.advance(1);
    world.take();
  });
  ok((world.drops.get('mld_invalid') ?? 0) > 0);
  ok(world.lan.counters.listenerReports > 0);
});

/** How many frames of each second leave the busiest NIC under 2000 queries a second. */
function busiest(groups: number, version: 1 | 2, ask: (n: number) => bigint | undefined): number {
  const bench = new Bench();
  for (let n = 0; n < groups; n++) bench.data(DATA + BigInt(n), 1);
  bench.advance(60_000);
  if (version === 1) bench.query(1, { ...URGENT, version });
  bench.advance(ANSWER_GAP_MS);
  bench.world.take();
  const beganMs = bench.world.nowMs;
  const SECONDS = 5;
  for (let n = 0; n < SECONDS * 1000; n++) {
    for (const at of [2 * n, 2 * n + 1]) bench.query(1, { ...URGENT, version, group: ask(at) });
    bench.advance(1);
  }
  const counts = new Array<number>(SECONDS).fill(0);
  for (const { port, atMs } of bench.world.take()) {
    const second = Math.floor((atMs - beganMs) / 1000);
    if (port === 'net1' && second < SECONDS) counts[second]!++;
  }
  // All is over soon after the last query, and an honest querier is answered.
  bench.advance(ANSWER_GAP_MS + OLDER_QUERIER_MS);
  bench.world.take();
  bench.query(1);
  bench.advance(ANSWER_GAP_MS);
  equal(bench.lines().length, groups);
  return Math.max(...counts);
}

const GROUPS = 200;
/** Frames with all groups, by version. */
const FRAMES = { 1: GROUPS, 2: Math.ceil(GROUPS / mldRecordsMax(1280)) } as const;
const solicited = (n: number): bigint => ipv6SolicitedNode(DATA + BigInt(n % GROUPS));

for (const version of [1, 2] as const) {
  test(`version ${version}: queries for all groups are answered once a second`, () => {
    const most = busiest(GROUPS, version, () => undefined);
    ok(most <= FRAMES[version] * (1000 / ANSWER_GAP_MS + 1), `${most} frames`);
  });

  test(`version ${version}: queries for single groups are answered ten times a second`, () => {
    const most = busiest(GROUPS, version, solicited);
    ok(most <= FRAMES[version] * (1000 / GROUP_GAP_MS + 1), `${most} frames`);
    ok(most >= FRAMES[version], `${most} frames`);
  });
}

test('a query for a single group is answered at once, also right after another one', () => {
  const bench = new Bench();
  bench.data(DATA, 1);
  bench.data(DATA + 1n, 1);
  bench.advance(60_000);
  bench.lines();
  bench.query(1, { ...URGENT, group: solicited(0) });
  bench.advance(0);
  deepEqual(bench.lines(), [`net1 ${RECORD_IS_EXCLUDE} 0:10`]);
  bench.query(1, { ...URGENT, group: solicited(1) });
  bench.advance(GROUP_GAP_MS);
  deepEqual(bench.lines(), [`net1 ${RECORD_IS_EXCLUDE} 0:11`]);
});
