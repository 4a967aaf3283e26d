/** What the bench makes of its figures, and which transfers it refuses. */

import { deepEqual, equal, match, ok, throws } from 'node:assert/strict';
import { test } from 'node:test';
import { quantile, ratioOf, spreadOf } from '../../bench/figures.ts';
import { residentOf } from '../../bench/machine.ts';
import { options } from '../../bench/options.ts';
import { measureForwarder } from '../../bench/parts/forwarder.ts';
import { firstPacketMs, marksOf, startCosts } from '../../bench/parts/start.ts';
import { type Results, render, toJson } from '../../bench/report.ts';
import {
  DIRECT,
  IPMPD,
  IPMPD_TWO,
  OPEN_VSWITCH,
  RELAY,
} from '../../bench/side-by-side/candidates.ts';
import { judge, type Values } from '../../bench/side-by-side/goals.ts';
import {
  type IperfReport,
  pingTimes,
  tcpBits,
  tcpBuffered,
  udpBits,
  WrongTransfer,
} from '../../bench/side-by-side/transfers.ts';
import {
  FIRST_PACKET,
  LATENCY_P50,
  type Row,
  RSS_IDLE,
  TCP_OUT,
  TCP_STREAMS_IN,
  TCP_STREAMS_OUT,
  UDP_OUT,
} from '../../bench/side-by-side/workloads.ts';

const MACHINE = { cpus: 2, cpuModel: 'any', kernel: '6', node: 'v20', iperf3: 'iperf 3' };

/** A report of runs over TCP, by candidate. */
function results(tcp: Record<string, number[]>): Results {
  return {
    machine: MACHINE,
    rounds: 3,
    seconds: 1,
    candidates: Object.keys(tcp),
    rows: [TCP_OUT, LATENCY_P50],
    values: valuesOf(TCP_OUT, tcp),
    idleShare: [0.01, 0.02, 0.03],
  };
}

function iperf(sent: number, received: number, disorder = 0): IperfReport {
  return {
    end: {
      streams: [{ udp: { out_of_order: disorder } }],
      sum_sent: { bytes: sent, seconds: 1 },
      sum_received: { bytes: received, seconds: 2 },
    },
  };
}

test('median, least and most; a quantile', () => {
  deepEqual(spreadOf([3, 1, 2]), { median: 2, least: 1, most: 3 });
  deepEqual(spreadOf([4, 1]), { median: 2.5, least: 1, most: 4 });
  equal(spreadOf([]), undefined);
  const values = Array.from({ length: 100 }, (_, i) => i);
  equal(quantile(values, 0.99), 99);
  equal(quantile([7], 1), 7);
  throws(() => quantile([], 0.5), RangeError);
});

test('a ratio compares within a round only', () => {
  const rounds = new Map([
    ['over', [10, 40, 30]],
    ['under', [10, 20, 10]],
  ]);
  deepEqual(ratioOf(rounds, 'over', 'under'), { median: 2, least: 1, most: 3 });
  equal(ratioOf(rounds, 'over', 'absent'), undefined);
});

/** Values of one row, by candidate. */
function valuesOf(row: Row, values: Record<string, number[]>): Values {
  return new Map([[row.name, new Map(Object.entries(values))]]);
}

const RELAY_TEN = { [RELAY]: [10, 10, 10] };
const BOTH = { [RELAY]: [10], [IPMPD]: [8], [OPEN_VSWITCH]: [1] };
const STREAMS = { [IPMPD]: [10], [IPMPD_TWO]: [9.5], [RELAY]: [20] };

/** A row of the report, its values by candidate, and what is judged of them. */
const JUDGED: readonly [Row, Record<string, number[]>, ...string[]][] = [
  // Met, missed, or open while a round reached it.
  [TCP_OUT, { ...RELAY_TEN, [IPMPD]: [9, 9.5, 12] }, 'ipmpd 1 NIC / C relay: met'],
  [TCP_OUT, { ...RELAY_TEN, [IPMPD]: [8, 9, 9.7] }, 'ipmpd 1 NIC / C relay: open'],
  [TCP_OUT, { ...RELAY_TEN, [IPMPD]: [8, 9, 9.4] }, 'ipmpd 1 NIC / C relay: missed'],
  [LATENCY_P50, { ...RELAY_TEN, [IPMPD]: [9, 11.5, 13] }, 'ipmpd 1 NIC / C relay: met'],
  [LATENCY_P50, { ...RELAY_TEN, [IPMPD]: [11, 12, 13] }, 'ipmpd 1 NIC / C relay: open'],
  [LATENCY_P50, { ...RELAY_TEN, [IPMPD]: [11.6, 12, 13] }, 'ipmpd 1 NIC / C relay: missed'],
  // Each goal compares its own pair of candidates.
  [TCP_OUT, BOTH, 'ipmpd 1 NIC / C relay: missed', 'ipmpd 1 NIC / Open vSwitch: met'],
  [
    UDP_OUT,
    { [RELAY]: [50], [IPMPD]: [45], [OPEN_VSWITCH]: [31] },
    ...['ipmpd 1 NIC / C relay: met', 'ipmpd 1 NIC / Open vSwitch: missed'],
  ],
  [TCP_STREAMS_OUT, STREAMS, 'ipmpd 2 NICs / ipmpd 1 NIC: met'],
  [TCP_STREAMS_IN, STREAMS, 'ipmpd 2 NICs / ipmpd 1 NIC: met'],
  // Memory and start are judged by what they are.
  [RSS_IDLE, { [IPMPD_TWO]: [120], [IPMPD]: [1e6] }, 'ipmpd 2 NICs / undefined: met'],
  [RSS_IDLE, { [IPMPD_TWO]: [121], [IPMPD]: [1e6] }, 'ipmpd 2 NICs / undefined: missed'],
  [FIRST_PACKET, { [IPMPD_TWO]: [400, 500, 900], [IPMPD]: [1e6] }, 'ipmpd 2 NICs / undefined: met'],
  [
    FIRST_PACKET,
    { [IPMPD_TWO]: [400, 501, 900], [IPMPD]: [1e6] },
    'ipmpd 2 NICs / undefined: open',
  ],
];

test('a goal is met, missed, or open while a round reached it, each by its own figures', () => {
  for (const [row, values, ...expected] of JUDGED) {
    const judged = judge(valuesOf(row, values));
    deepEqual(
      judged.map(({ goal, verdict }) => `${goal.of} / ${goal.to}: ${verdict}`),
      expected,
      `${row.name}: ${JSON.stringify(values)}`,
    );
  }
});

test('the direct path is judged by only where the relay comes near it', () => {
  const judged = (relay: number, ipmpd: number) =>
    judge(valuesOf(TCP_OUT, { [DIRECT]: [10], [RELAY]: [relay], [IPMPD]: [ipmpd] })).find(
      ({ goal }) => goal.to === DIRECT,
    );
  equal(judged(8, 7.5)?.verdict, 'met');
  equal(judged(8, 7.4)?.verdict, 'missed');
  const far = judged(7.9, 7.5);
  deepEqual([far?.verdict, far?.spread.median], ['unjudged', 0.75]);
  const text = render(results({ [DIRECT]: [10], [RELAY]: [7.9], [IPMPD]: [7.5] }));
  match(
    text,
    /^- .* direct 0\.75, goal >= 0\.75; not judged: C relay \/ direct is 0\.79, not 0\.8$/m,
  );
});

test('the report shows figures, ratios and goals, and JSON has them all', () => {
  const fine = results({ [DIRECT]: [10], [RELAY]: [9], [IPMPD]: [9] });
  match(render(fine), /^TCP 1 stream out, Gbit\/s +10\.0 +9\.0 +9\.0$/m);
  match(render(fine), /^TCP 1 stream out +0\.90 +0\.90 +1\.00$/m);
  match(render(fine), /^met +TCP 1 stream out: ipmpd 1 NIC \/ C relay 1\.00, goal >= 0\.95$/m);
  const { goals, start } = toJson(fine, { start: new Map([['loaded', [3, 1, 2]]]) }) as {
    goals: { of: string; to: string; row: string; verdict: string; median: number }[];
    start: unknown[];
  };
  deepEqual(
    goals.map(({ row, of, to, verdict, median }) => [row, of, to, verdict, median]),
    [
      [TCP_OUT.name, IPMPD, RELAY, 'met', 1],
      [TCP_OUT.name, IPMPD, DIRECT, 'met', 0.9],
    ],
  );
  deepEqual(start, [{ name: 'loaded', values: [3, 1, 2], median: 2, least: 1, most: 3 }]);
});

test('nothing is judged when others were busy or the yardstick is broken', () => {
  const fine = results({ [DIRECT]: [10], [RELAY]: [10], [IPMPD]: [10] });
  match(render({ ...fine, idleShare: [0.3] }), /no judgement:\n +others used 30 %/);
  const broken = results({ [DIRECT]: [10], [RELAY]: [4], [IPMPD]: [4] });
  match(render(broken), /no judgement:\n +TCP 1 stream out: the relay in C reaches 0\.40/);
});

test('the options of a run', () => {
  const plain = options([]);
  deepEqual([plain.rounds, plain.starts, plain.limitMs, plain.rare], [5, 5, 900_000, []]);
  equal(plain.isPart, false);
  ok(plain.chosen.some(({ name }) => name === OPEN_VSWITCH));
  const quick = options(['--quick']);
  deepEqual([quick.rounds, quick.limitMs, quick.workloads], [2, 180_000, plain.workloads]);
  equal(options(['--full']).rare.length, 8);
  equal(options(['--rounds', '30']).limitMs, Number.POSITIVE_INFINITY);
  const part = options(['--row', 'UDP', '--only', RELAY]);
  deepEqual(
    part.workloads.map(({ name }) => name),
    ['UDP 64 out', 'UDP 64 out, IPv6', 'UDP 64 in', 'UDP 64 in, IPv6'],
  );
  deepEqual([part.starts, part.isPart, part.rare.length], [0, true, 4]);
  equal(options(['--row', FIRST_PACKET.name]).workloads.length, 0);
  throws(() => options(['--row', 'nothing']), /--row: no workload/);
  throws(() => options(['--only', 'nothing']), /--only: no candidate/);
  throws(() => options(['--rounds', '0']), /--rounds: 1 or more/);
  throws(() => options(['--quick', '--full']), /one of them/);
});

test('TCP: what arrived counts, and nearly all must have', () => {
  equal(tcpBits(iperf(101e6, 100e6), 1e6), 400e6);
  for (const wrong of [iperf(102e6, 100e6), iperf(1e6, 2e6), iperf(1e6, 0), { end: {} }]) {
    throws(() => tcpBits(wrong, 1e6), WrongTransfer, JSON.stringify(wrong));
  }
  ok(tcpBuffered() > 1e6, 'a socket has megabytes');
});

test('UDP: losses are allowed, disorder and copies are not', () => {
  equal(udpBits(iperf(9e6, 1e6)), 4e6);
  throws(() => udpBits(iperf(9e6, 1e6, 1)), WrongTransfer);
  throws(() => udpBits(iperf(1e6, 2e6)), WrongTransfer);
});

test('ping: every request has one reply', () => {
  const text = '64 bytes: icmp_seq=1 time=0.041 ms\n64 bytes: icmp_seq=2 time=1.5 ms\n';
  deepEqual(pingTimes(text, 2), [41, 1500]);
  throws(() => pingTimes(text, 3), WrongTransfer);
  deepEqual(pingTimes(text, 1), [41], 'what was sent beyond does not count');
  throws(() => pingTimes(text.replace('seq=2', 'seq=3'), 2), WrongTransfer, 'nor fills a gap');
  equal(pingTimes(text, 3, { lostMax: 1 }).length, 2);
  throws(() => pingTimes(text, 4, { lostMax: 1 }), WrongTransfer);
  throws(() => pingTimes(text.replace('1.5 ms', '1.5 ms (DUP!)'), 2), WrongTransfer);
});

test('the forwarder in memory: every frame leaves and is counted', () => {
  const ways = measureForwarder({ rounds: 1, runMs: 1 });
  equal(ways.size, 8);
  for (const [name, values] of ways) ok(values.length === 1 && values[0]! > 0, name);
});

test('resident memory is read in megabytes', () => {
  equal(residentOf('VmHWM:\t  200000 kB\nVmRSS:\t  100000 kB\nVmData: 5 kB\n'), 102.4);
  throws(() => residentOf('Name:\tkthreadd\n'), /no VmRSS/);
});

test('where the time of a start goes is read from the log', () => {
  const ready = { event: 'ready', time: '2026-01-02T03:04:05.600Z', startMs: { a: 200, b: 550 } };
  const log = `{"event":"other"}\n${JSON.stringify(ready)}\n{"event":"later"}\n`;
  const marks = marksOf(log, Date.parse('2026-01-02T03:04:05.000Z'));
  deepEqual(marks, [
    ['runtime begins', 50],
    ['a', 250],
    ['b', 600],
  ]);
  deepEqual(marksOf('{"event":"other"}\n', 0), []);
  const starts = [10, 30].map((more) => {
    return new Map([...marks, ['first packet in', 300 + more], ['first packet out', 320]] as const);
  });
  deepEqual(starts.map(firstPacketMs), [310, 320]);
  deepEqual([...startCosts(starts)][3], ['first packet in', [310, 330]]);
});
