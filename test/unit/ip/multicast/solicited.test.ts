/** Each NIC reports the solicited-node groups of its addresses, and answers queries for them. */

import { deepEqual, equal, ok } from 'node:assert/strict';
import { test } from 'node:test';
import { QUERY_AT_MS } from '../../../../src/ip/multicast/queries.ts';
import { ANSWER_GAP_MS, OLDER_QUERIER_MS } from '../../../../src/ip/multicast/solicited.ts';
import { ipv6Format } from '../../../../src/wire/addr.ts';
import { ethernetSource } from '../../../../src/wire/ethernet.ts';
import {
  ICMPV6_MLDV1_DONE,
  ICMPV6_MLDV1_REPORT,
  ICMPV6_MLDV2_REPORT,
} from '../../../../src/wire/icmpv6.ts';
import { ipv6Walk, ipv6WalkCreate } from '../../../../src/wire/ipv6.ts';
import {
  RECORD_IS_EXCLUDE,
  RECORD_TO_EXCLUDE,
  RECORD_TO_INCLUDE,
} from '../../../../src/wire/multicast/membership.ts';
import { mldIsValid, mldReportFrame } from '../../../../src/wire/multicast/mld.ts';
import { NET1, NET2, OTHER_MAC } from '../harness.ts';
import { Bench, DATA, GROUP, IP, MLD, QUERIER, six } from './bench.ts';

test('a binding is reported at once and again within a second, with the MAC of the NIC', () => {
  const bench = new Bench();
  const beganMs = bench.world.nowMs;
  bench.data(DATA, 1);
  bench.advance(0);
  const [{ frame } = { frame: new Uint8Array(0) }] = bench.world.sent;
  equal(ethernetSource(frame, 0), NET1);
  equal(frame[MLD], ICMPV6_MLDV2_REPORT);
  bench.advance(60_000);
  const reports = bench.reports();
  deepEqual(
    reports.map(({ port, type, group, sender }) => [port, type, group, sender]),
    new Array(2).fill(['net1', RECORD_TO_EXCLUDE, GROUP, 0n]),
  );
  equal(reports[0]!.atMs, beganMs);
  ok(reports[1]!.atMs <= beganMs + 1000);
  equal(bench.counters.listenerReports, 2);
});

test('the sender is a link-local address of the group once one is up (RFC 3590)', () => {
  const bench = new Bench();
  const local = bench.data(six('fe80::10'), 2);
  local.state = 'up';
  bench.data(DATA, 1);
  bench.advance(0);
  ok(bench.reports().every(({ sender }) => sender === local.address));
});

test('an address of IPv4 is in no group', () => {
  const bench = new Bench();
  bench.multicast.handleBound(bench.world.addData(1, 0), bench.world.nowMs);
  bench.advance(60_000);
  deepEqual(bench.lines(), []);
});

test('an address that moves is reported by its new NIC and left on the old one', () => {
  const bench = new Bench();
  const ipif = bench.data(DATA, 0);
  bench.data(six('2001:db8::ff'), 0);
  bench.advance(60_000);
  bench.lines();
  bench.unbind(ipif);
  bench.bind(ipif, 2);
  bench.advance(0);
  deepEqual(
    bench.lines().sort(),
    [`net0 ${RECORD_TO_INCLUDE} 0:10`, `net2 ${RECORD_TO_EXCLUDE} 0:10`].map((line) =>
      line.replace('0:10', ipv6Format(GROUP).slice(-4)),
    ),
  );
  bench.advance(60_000);
  equal(bench.lines().length, 2, 'both once again');
});

test('a NIC without link leaves nothing, and one that lost all leaves once', () => {
  const bench = new Bench();
  const [one, other] = [bench.data(DATA, 0), bench.data(six('2001:db8::11'), 1)];
  bench.advance(60_000);
  bench.lines();
  bench.world.ifaces[0]!.link = 'down';
  bench.unbind(one);
  bench.unbind(other);
  bench.advance(60_000);
  deepEqual(bench.lines(), [`net1 ${RECORD_TO_INCLUDE} 0:11`]);
});

test('two addresses with the same last 24 bits are one group until both are lost', () => {
  const bench = new Bench();
  const first = bench.data(DATA, 0);
  const second = bench.data(six('2001:db8:1::10'), 0);
  bench.data(six('2001:db8::ff'), 0);
  bench.advance(60_000);
  equal(bench.lines().length, 4);
  bench.unbind(first);
  bench.advance(60_000);
  deepEqual(bench.lines(), []);
  bench.unbind(second);
  bench.advance(60_000);
  equal(bench.lines().length, 2);
});

test('the nominated NIC reports the groups of the addresses that it answers for in proxy', () => {
  const bench = new Bench();
  bench.proxied = [DATA, 1];
  bench.multicast.handleProxied(bench.world.nowMs);
  bench.multicast.handleProxied(bench.world.nowMs);
  bench.advance(60_000);
  deepEqual(bench.lines(), new Array(2).fill(`net0 ${RECORD_TO_EXCLUDE} 0:10`));
  bench.world.cast = bench.world.ill(2);
  bench.multicast.handleNominated(bench.world.nowMs);
  bench.advance(0);
  deepEqual(bench.lines().sort(), [
    `net0 ${RECORD_TO_INCLUDE} 0:10`,
    `net2 ${RECORD_TO_EXCLUDE} 0:10`,
  ]);
  bench.data(six('2001:db8::11'), 2);
  bench.proxied = [];
  bench.multicast.handleProxied(bench.world.nowMs);
  bench.advance(60_000);
  ok(bench.lines().includes(`net2 ${RECORD_TO_INCLUDE} 0:10`));
});

test('an address of ours that replaces a proxy entry is reported by its own NIC alone', () => {
  const bench = new Bench();
  bench.data(six('2001:db8::11'), 0);
  bench.proxied = [DATA];
  bench.multicast.handleProxied(bench.world.nowMs);
  bench.advance(60_000);
  bench.lines();
  bench.data(DATA, 1);
  bench.advance(0);
  const moved = [`net0 ${RECORD_TO_INCLUDE} 0:10`, `net1 ${RECORD_TO_EXCLUDE} 0:10`];
  deepEqual(bench.lines().sort(), moved);
  bench.advance(60_000);
  bench.lines();
  for (const nic of [0, 1]) bench.query(nic);
  bench.advance(1000);
  const kept = [`net0 ${RECORD_IS_EXCLUDE} 0:11`, `net1 ${RECORD_IS_EXCLUDE} 0:10`];
  deepEqual(bench.lines().sort(), kept);
});

test('a proxy entry that the same NIC serves as an address of ours is not left', () => {
  const bench = new Bench();
  bench.proxied = [DATA];
  bench.multicast.handleProxied(bench.world.nowMs);
  bench.advance(60_000);
  bench.lines();
  bench.data(DATA, 0);
  bench.advance(60_000);
  deepEqual(bench.lines(), []);
});

test('a link that comes up has the groups of its NIC reported again', () => {
  const bench = new Bench();
  bench.data(DATA, 0);
  bench.data(six('2001:db8::11'), 1);
  bench.advance(60_000);
  bench.lines();
  bench.multicast.handleLinkUp(bench.world.ill(1), bench.world.nowMs);
  bench.advance(60_000);
  deepEqual(bench.lines(), new Array(2).fill(`net1 ${RECORD_TO_EXCLUDE} 0:11`));
});

test('a general query is answered by the NIC that received it, within the time it allows', () => {
  const delays = new Set<number>();
  for (let seed = 1; seed <= 20; seed++) {
    const bench = new Bench(seed);
    bench.data(DATA, 1);
    bench.data(six('2001:db8::11'), 1);
    bench.data(six('2001:db8::12'), 2);
    bench.advance(60_000);
    bench.lines();
    const askedMs = bench.world.nowMs;
    equal(bench.query(1), 'consumed');
    bench.advance(500);
    equal(bench.query(1), 'consumed', 'the answer under way serves this one');
    bench.advance(60_000);
    const reports = bench.reports();
    const [first] = reports;
    deepEqual(
      reports.map(({ port, type }) => [port, type]),
      new Array(first!.atMs < askedMs + 500 ? 4 : 2).fill(['net1', RECORD_IS_EXCLUDE]),
    );
    ok(first!.atMs <= askedMs + 1000);
    delays.add(first!.atMs - askedMs);
  }
  equal(delays.size, 20, 'answers are spread');
});

test('a query for one group is answered for that group, by a NIC that has it', () => {
  const bench = new Bench();
  bench.data(DATA, 1);
  bench.data(six('2001:db8::11'), 1);
  bench.advance(60_000);
  bench.lines();
  bench.query(1, { group: GROUP });
  bench.query(0, { group: GROUP });
  bench.query(1, { group: six('ff02::1:ff00:99') });
  bench.advance(1000);
  deepEqual(bench.lines(), [`net1 ${RECORD_IS_EXCLUDE} 0:10`]);
});

test('queries without end are answered for all groups once a second', () => {
  const bench = new Bench();
  bench.data(DATA, 1);
  bench.advance(60_000);
  bench.lines();
  for (let n = 0; n < 1000; n++) {
    bench.query(1, { maxResponseMs: 0 });
    bench.advance(10);
  }
  const count = bench.lines().length;
  ok(count >= 10 && count <= 10_000 / ANSWER_GAP_MS + 1, `${count} answers`);
});

test('a querier of version 1 is answered in version 1, on its NIC, until it is silent', () => {
  const bench = new Bench();
  const ipif = bench.data(DATA, 1);
  bench.data(six('2001:db8::11'), 1);
  bench.data(six('2001:db8::12'), 0);
  bench.advance(60_000);
  bench.lines();
  bench.query(1, { version: 1 });
  bench.query(0);
  bench.advance(1000);
  deepEqual(bench.lines().sort(), [
    `net0 ${RECORD_IS_EXCLUDE} 0:12`,
    `net1 ${ICMPV6_MLDV1_REPORT} 0:10`,
    `net1 ${ICMPV6_MLDV1_REPORT} 0:11`,
  ]);
  bench.unbind(ipif);
  bench.advance(0);
  deepEqual(bench.lines(), [`net1 ${ICMPV6_MLDV1_DONE} 0:10`]);
  bench.advance(OLDER_QUERIER_MS);
  bench.lines();
  bench.query(1);
  bench.advance(1000);
  deepEqual(bench.lines(), [`net1 ${RECORD_IS_EXCLUDE} 0:11`]);
});

test('thousands of groups: full frames, at the pace of the LAN', () => {
  const bench = new Bench();
  const COUNT = 4000;
  for (let n = 0; n < COUNT; n++) bench.data(DATA + BigInt(n), n % 2);
  bench.advance(500);
  ok(bench.world.sent.every(({ frame }) => frame.length <= 1280 + IP));
  const frames = bench.world.sent.length;
  const groups = bench.reports();
  ok(frames <= 2 * Math.ceil(COUNT / 2 / 61) * 2, `${frames} frames`);
  equal(new Set(groups.map(({ group }) => group)).size, COUNT);
  bench.advance(60_000);
  bench.lines();
  for (const nic of [0, 1]) bench.query(nic, { version: 1, maxResponseMs: 0 });
  bench.advance(60_000);
  const aMs = new Map<number, number>();
  const answers = bench.reports();
  equal(answers.length, COUNT);
  for (const { atMs } of answers) aMs.set(atMs, (aMs.get(atMs) ?? 0) + 1);
  ok(Math.max(...aMs.values()) <= 64);
});

test('a query that the nominated NIC receives reaches the host once, unchanged', () => {
  const bench = new Bench();
  bench.world.cast = bench.world.ill(2);
  for (const nic of [0, 1, 2]) bench.query(nic);
  const up = bench.world.take('host');
  equal(up.length, 1);
  equal(up[0]!.frame[MLD], 130);
  equal(bench.counters.handedUp, 1);
  bench.world.hostUp = false;
  bench.query(2);
  deepEqual(bench.world.take('host'), []);
});

test('a message of MLD that is no valid query is dropped for that, others are not taken', () => {
  const bench = new Bench();
  const report = mldReportFrame(OTHER_MAC, QUERIER, []);
  equal(bench.wire(0, report), 'mld_invalid');
  equal(bench.wire(0, report.subarray(0, 40)), undefined);
  const other = report.slice();
  other[MLD] = 135;
  equal(bench.wire(0, other), undefined);
  const far = report.slice();
  far[IP + 7] = 2;
  equal(bench.wire(0, far), 'mld_invalid', 'a hop limit of 2');
  bench.advance(60_000);
  deepEqual(bench.lines(), []);
  deepEqual(bench.world.take('host'), []);
});

test('the kernel is asked by MLD too, with what the querier says, while it has an address', () => {
  const bench = new Bench();
  bench.world.cast = bench.world.ill(2);
  bench.multicast.handleNominated(bench.world.nowMs);
  equal(bench.world.take('host').length, 1, 'IGMP alone');
  bench.data(DATA, 1);
  equal(bench.world.take('host').length, 2, 'both');
  bench.query(1, { robustness: 3, intervalS: 60 });
  bench.query(1, { version: 1, robustness: 0, intervalS: 0 });
  bench.multicast.handleNominated(bench.world.nowMs);
  const [, query] = bench.world.take('host');
  const walk = ipv6WalkCreate();
  ok(ipv6Walk(query!.frame, IP, walk) && mldIsValid(query!.frame, IP, walk));
  equal(query!.source, NET2);
  deepEqual([...query!.frame.subarray(MLD + 4, MLD + 6)], [0, 0], 'at once');
  deepEqual([...query!.frame.subarray(MLD + 24)], [3, 60, 0, 0]);
});

test('a kernel without IPv6 is asked by MLD when its first address is bound', () => {
  const bench = new Bench();
  bench.multicast.handleNominated(bench.world.nowMs);
  bench.advance(60_000);
  const isMld = ({ frame }: { frame: Uint8Array }): boolean => frame[12] === 0x86;
  deepEqual(bench.world.take('host').filter(isMld), []);
  const boundMs = bench.world.nowMs;
  bench.data(DATA, 1);
  bench.data(six('2001:db8::11'), 1);
  bench.advance(60_000);
  const asked = bench.world.take('host').filter(isMld);
  deepEqual(
    asked.map(({ atMs }) => atMs - boundMs),
    QUERY_AT_MS,
  );
});
