/** What the bench makes of its figures, and which transfers it refuses. */

import { deepEqual, equal, match, ok, throws } from 'node:assert/strict';
import { test } from 'node:test';
import { DIRECT, IPMPD, RELAY } from '../bench/candidates.ts';
import { quantile, ratioOf, spreadOf } from '../bench/figures.ts';
import { measureForwarder } from '../bench/forwarder.ts';
import { type Results, render } from '../bench/report.ts';
import {
  type IperfReport,
  LATENCY_P50,
  pingTimes,
  TCP_OUT,
  tcpBits,
  udpBits,
  WrongTransfer,
} from '../bench/workloads.ts';

const MACHINE = { cpus: 2, cpuModel: 'any', kernel: '6', node: 'v20', iperf3: 'iperf 3' };

/** A report of runs over TCP and of one round-trip time, by candidate. */
function results(tcp: Record<string, number[]>, rtt: Record<string, number[]> = {}): Results {
  return {
    machine: MACHINE,
    rounds: 3,
    seconds: 1,
    candidates: Object.keys(tcp),
    rows: [TCP_OUT, LATENCY_P50],
    values: new Map([
      [TCP_OUT.name, new Map(Object.entries(tcp))],
      [LATENCY_P50.name, new Map(Object.entries(rtt))],
    ]),
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

test('a goal is met, missed, or open while a round reached it', () => {
  const relay = { [DIRECT]: [10, 10, 10], [RELAY]: [10, 10, 10] };
  const judged = (ipmpd: number[]): string => render(results({ ...relay, [IPMPD]: ipmpd }));
  match(judged([9, 9.6, 12]), /met +TCP out: ipmpd 1 NIC \/ C relay 0\.96/);
  match(judged([8, 9, 9.7]), /open +TCP out/);
  match(judged([8, 9, 9.2]), /missed +TCP out/);
  const slow = { [RELAY]: [10, 10, 10], [IPMPD]: [11, 12, 13] };
  match(render(results({ [RELAY]: [], [IPMPD]: [] }, slow)), /open +round trip p50/);
});

test('nothing is judged when others were busy or the yardstick is broken', () => {
  const fine = results({ [DIRECT]: [10], [RELAY]: [10], [IPMPD]: [10] });
  match(render({ ...fine, idleShare: [0.3] }), /no judgement:\n +others used 30 %/);
  const broken = results({ [DIRECT]: [10], [RELAY]: [4], [IPMPD]: [4] });
  match(render(broken), /no judgement:\n +TCP out: the relay in C reaches 0\.40/);
});

test('TCP: what arrived counts, and nearly all must have', () => {
  equal(tcpBits(iperf(101e6, 100e6)), 400e6);
  throws(() => tcpBits(iperf(200e6, 100e6)), WrongTransfer);
  throws(() => tcpBits(iperf(1e6, 2e6)), WrongTransfer);
  throws(() => tcpBits(iperf(1e6, 0)), WrongTransfer);
  throws(() => tcpBits({ end: {} }), WrongTransfer);
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
  throws(() => pingTimes(text.replace('1.5 ms', '1.5 ms (DUP!)'), 2), WrongTransfer);
});

test('the forwarder in memory: every frame leaves and is counted', () => {
  const ways = measureForwarder({ rounds: 1, runMs: 1 });
  equal(ways.length, 4);
  for (const { name, values } of ways) ok(values.length === 1 && values[0]! > 0, name);
});
