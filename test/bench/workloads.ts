/** What each candidate has to carry, and whether it all came. */

import { Transfer } from '../../src/lab/measure.ts';
import { until } from '../../src/lab/until.ts';
import { type Field, HOST, PEER } from './field.ts';
import { quantile } from './figures.ts';

/** Bytes of a small UDP datagram. */
const UDP_LENGTH = 64;
/** Ours: more than the buffers of both ends hold when iperf3 ends a run by its clock. */
const TCP_IN_FLIGHT_MAX = 16 << 20;
/** Ours: a thousandth of a second between requests, so that workers fall asleep in between. */
const PING_INTERVAL_S = 0.001;
/** Ours: bytes of the transfer that is compared by digest. */
const DIGEST_BYTES = 50e6;
const DIGEST_RATE = 200e6;
const DIGEST_MS = 30_000;
/** Ours: seconds that iperf3 may take beyond its run; without it a dead path would hang it. */
const IPERF_GRACE_S = 10;

/** A figure of one run. */
export interface Figure {
  readonly row: string;
  readonly value: number;
}

/** One kind of traffic. */
export interface Workload {
  readonly name: string;
  readonly rows: readonly Row[];
  /** What its processor time is counted by. */
  readonly cost?: Cost;
  /** Runs it for about `seconds`. @throws WrongTransfer, CommandError */
  measure(field: Field, seconds: number): Promise<Figure[]>;
}

/** Processor time of the process that carries the frames, by what arrived. */
export interface Cost {
  readonly row: Row;
  /** The cost when `cpuMs` were used for `seconds` at the figure `value`. */
  of(cpuMs: number, value: number, seconds: number): number;
}

/** A row of the table. */
export interface Row {
  readonly name: string;
  readonly unit: string;
  readonly isLessBetter: boolean;
  readonly isTcp: boolean;
}

/** Something sent did not come, came wrong, or came twice. */
export class WrongTransfer extends Error {
  constructor(what: string) {
    super(what);
    this.name = 'WrongTransfer';
  }
}

export const TCP_OUT: Row = row('TCP out', 'Gbit/s', { isTcp: true });
export const TCP_IN: Row = row('TCP in', 'Gbit/s', { isTcp: true });
export const UDP_OUT: Row = row('UDP 64 out', 'Mbit/s');
export const UDP_IN: Row = row('UDP 64 in', 'Mbit/s');
export const LATENCY_P50: Row = row('round trip p50', 'us', { isLessBetter: true });
export const LATENCY_P99: Row = row('round trip p99', 'us', { isLessBetter: true });

/** Milliseconds of processor time for a Gbit that arrived. */
const TCP_COST = (cpuMs: number, gbits: number, seconds: number): number =>
  cpuMs / (gbits * seconds);

/** Microseconds of processor time for a datagram that arrived. */
const UDP_COST = (cpuMs: number, mbits: number, seconds: number): number =>
  (cpuMs * 1000) / ((mbits * seconds * 1e6) / (8 * UDP_LENGTH));

/** In the order in which a round runs them. */
export const WORKLOADS: readonly Workload[] = [
  tcp(TCP_OUT, []),
  tcp(TCP_IN, ['-R']),
  udp(UDP_OUT, []),
  udp(UDP_IN, ['-R']),
  {
    name: 'ping',
    rows: [LATENCY_P50, LATENCY_P99],
    async measure({ workspace }, seconds) {
      const count = Math.round(seconds / PING_INTERVAL_S);
      const interval = ['-i', String(PING_INTERVAL_S), '-c', String(count), '-W', '1'];
      const text = await workspace.runIn('host', ['ping', '-n', ...interval, PEER]);
      const times = pingTimes(text, count);
      return [
        { row: LATENCY_P50.name, value: quantile(times, 0.5) },
        { row: LATENCY_P99.name, value: quantile(times, 0.99) },
      ];
    },
  },
];

/** Sends data both ways and compares the digests. @throws WrongTransfer */
export async function compareDigests({ workspace }: Field): Promise<void> {
  for (const [from, to, address] of [
    ['host', 'peer', PEER],
    ['peer', 'host', HOST],
  ] as const) {
    const transfer = await Transfer.start(workspace, { from, to, address, rate: DIGEST_RATE });
    await until('the data has come', DIGEST_MS, async () => {
      return (await transfer.offset()) >= DIGEST_BYTES;
    });
    const { sent, received } = await transfer.finish();
    if (sent.sha256 !== received.sha256 || sent.bytes !== received.bytes) {
      throw new WrongTransfer(
        `${from} sent ${sent.bytes} bytes, ${to} received ${received.bytes}, or others`,
      );
    }
  }
}

/** The part of iperf3's report that is read. */
export interface IperfReport {
  readonly error?: string;
  readonly end: {
    readonly streams?: readonly { readonly udp?: { readonly out_of_order?: number } }[];
    readonly sum_sent?: IperfSum;
    readonly sum_received?: IperfSum;
  };
}

interface IperfSum {
  readonly bytes: number;
  readonly seconds: number;
  readonly packets?: number;
  readonly lost_packets?: number;
}

/** Bits per second that arrived over TCP. @throws WrongTransfer */
export function tcpBits(report: IperfReport): number {
  const { sent, received } = sumsOf(report);
  const missing = sent.bytes - received.bytes;
  if (missing < 0 || missing > TCP_IN_FLIGHT_MAX || received.bytes === 0) {
    throw new WrongTransfer(`TCP: ${sent.bytes} bytes sent, ${received.bytes} received`);
  }
  return (received.bytes * 8) / received.seconds;
}

/** Bits per second of UDP payload that arrived, each datagram once and in order. */
export function udpBits(report: IperfReport): number {
  const { sent, received } = sumsOf(report);
  const disorder = report.end.streams?.reduce((n, { udp }) => n + (udp?.out_of_order ?? 0), 0) ?? 0;
  if (disorder > 0) throw new WrongTransfer(`UDP: ${disorder} datagrams out of order`);
  if (received.bytes > sent.bytes || received.bytes === 0) {
    throw new WrongTransfer(`UDP: ${sent.bytes} bytes sent, ${received.bytes} received`);
  }
  return (received.bytes * 8) / received.seconds;
}

/** Round-trip times in microseconds from ping's lines. @throws WrongTransfer */
export function pingTimes(text: string, count: number): number[] {
  const times = [...text.matchAll(/ time=([\d.]+) ms/g)].map((match) => Number(match[1]) * 1000);
  if (times.length !== count || text.includes('DUP!')) {
    throw new WrongTransfer(`ping: ${count} requests, ${times.length} replies`);
  }
  return times;
}

function row(name: string, unit: string, { isLessBetter = false, isTcp = false } = {}): Row {
  return { name, unit, isLessBetter, isTcp };
}

function tcp(of: Row, args: readonly string[]): Workload {
  return {
    name: of.name,
    rows: [of],
    cost: { row: row(`${of.name}, CPU`, 'ms/Gbit', { isLessBetter: true }), of: TCP_COST },
    async measure(field, seconds) {
      return [{ row: of.name, value: tcpBits(await iperf(field, seconds, args)) / 1e9 }];
    },
  };
}

function udp(of: Row, args: readonly string[]): Workload {
  const all = ['-u', '-b', '0', '-l', String(UDP_LENGTH), ...args];
  return {
    name: of.name,
    rows: [of],
    cost: { row: row(`${of.name}, CPU`, 'us/frame', { isLessBetter: true }), of: UDP_COST },
    async measure(field, seconds) {
      return [{ row: of.name, value: udpBits(await iperf(field, seconds, all)) / 1e6 }];
    },
  };
}

async function iperf(
  { workspace }: Field,
  seconds: number,
  args: readonly string[],
): Promise<IperfReport> {
  const limit = ['timeout', '-s', 'KILL', String(seconds + IPERF_GRACE_S)];
  const client = ['iperf3', '-J', '-c', PEER, '-B', HOST, '-t', String(seconds), ...args];
  const text = await workspace.runIn('host', [...limit, ...client]);
  const report = JSON.parse(text) as IperfReport;
  if (report.error !== undefined) throw new WrongTransfer(`iperf3: ${report.error}`);
  return report;
}

function sumsOf({ end }: IperfReport): { sent: IperfSum; received: IperfSum } {
  const { sum_sent: sent, sum_received: received } = end;
  if (sent === undefined || received === undefined) {
    throw new WrongTransfer('iperf3 reports no sums');
  }
  return { sent, received };
}
