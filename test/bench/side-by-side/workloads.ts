/** What each candidate has to carry: the rows of the report. `full.ts` has the rarer ones. */

import { quantile } from '../figures.ts';
import { type Field, PATH4, PATH6, type Path } from './field.ts';
import { iperf, ping, pingTimes, tcpBits, tcpBuffered, udpBits } from './transfers.ts';

/** Bytes of a small UDP datagram. */
const UDP_LENGTH = 64;
/** Streams of the workload with several. */
const STREAMS = 8;

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
  /** The relay in C must come near the direct path here, or it is no yardstick. */
  readonly isYardstick: boolean;
}

export const TCP_OUT = row('TCP 1 stream out', 'Gbit/s', { isYardstick: true });
export const TCP_IN = row('TCP 1 stream in', 'Gbit/s', { isYardstick: true });
export const TCP_STREAMS_OUT = row(`TCP ${STREAMS} streams out`, 'Gbit/s');
export const TCP_STREAMS_IN = row(`TCP ${STREAMS} streams in`, 'Gbit/s');
export const UDP_OUT = row(`UDP ${UDP_LENGTH} out`, 'Mbit/s');
export const UDP_IN = row(`UDP ${UDP_LENGTH} in`, 'Mbit/s');
export const TCP6_OUT = row('TCP 1 stream out, IPv6', 'Gbit/s');
export const TCP6_IN = row('TCP 1 stream in, IPv6', 'Gbit/s');
export const UDP6_OUT = row(`UDP ${UDP_LENGTH} out, IPv6`, 'Mbit/s');
export const UDP6_IN = row(`UDP ${UDP_LENGTH} in, IPv6`, 'Mbit/s');
export const LATENCY_P50 = row('round trip p50', 'us', { isLessBetter: true });
export const LATENCY_P99 = row('round trip p99', 'us', { isLessBetter: true });
/** Of the process that carries the frames. */
export const RSS_IDLE = row('resident, idle', 'MB', { isLessBetter: true });
export const RSS_LOADED = row('resident, after load', 'MB', { isLessBetter: true });
export const FIRST_PACKET = row('exec to first packet', 'ms', { isLessBetter: true });

/** Milliseconds of processor time for a Gbit that arrived. */
const TCP_COST = (cpuMs: number, gbits: number, seconds: number): number =>
  cpuMs / (gbits * seconds);

/** In the order in which a round runs them. */
export const WORKLOADS: readonly Workload[] = [
  tcp(TCP_OUT),
  tcp(TCP6_OUT, { path: PATH6 }),
  tcp(TCP_IN, { args: ['-R'] }),
  tcp(TCP6_IN, { args: ['-R'], path: PATH6 }),
  tcp(TCP_STREAMS_OUT, { streams: STREAMS }),
  tcp(TCP_STREAMS_IN, { streams: STREAMS, args: ['-R'] }),
  udp(UDP_OUT, UDP_LENGTH),
  udp(UDP6_OUT, UDP_LENGTH, [], PATH6),
  udp(UDP_IN, UDP_LENGTH, ['-R']),
  udp(UDP6_IN, UDP_LENGTH, ['-R'], PATH6),
  {
    name: 'round trip',
    rows: [LATENCY_P50, LATENCY_P99],
    async measure(field, seconds) {
      const count = seconds * 1000;
      const times = pingTimes(await ping(field, count), count);
      return percentiles([LATENCY_P50, LATENCY_P99], times);
    },
  },
];

/** A row; more is better by default. */
export function row(
  name: string,
  unit: string,
  { isLessBetter = false, isYardstick = false } = {},
): Row {
  return { name, unit, isLessBetter, isYardstick };
}

/** iperf3 over TCP; `args` beside what all runs have. */
export function tcp(
  of: Row,
  {
    streams = 1,
    args = [],
    path = PATH4,
  }: { streams?: number; args?: readonly string[]; path?: Path } = {},
): Workload {
  const all = ['-P', String(streams), ...args];
  return {
    name: of.name,
    rows: [of],
    cost: { row: row(`${of.name}, CPU`, 'ms/Gbit', { isLessBetter: true }), of: TCP_COST },
    async measure(field, seconds) {
      const report = await iperf(field, seconds, all, path);
      return [{ row: of.name, value: tcpBits(report, streams * tcpBuffered()) / 1e9 }];
    },
  };
}

/** iperf3 over UDP, datagrams of `length` bytes as fast as they go. */
export function udp(
  of: Row,
  length: number,
  args: readonly string[] = [],
  path: Path = PATH4,
): Workload {
  const all = ['-u', '-b', '0', '-l', String(length), ...args];
  return {
    name: of.name,
    rows: [of],
    cost: {
      row: row(`${of.name}, CPU`, 'us/frame', { isLessBetter: true }),
      // Microseconds of processor time for a datagram that arrived.
      of: (cpuMs, mbits, seconds) => (cpuMs * 1000) / ((mbits * seconds * 1e6) / (8 * length)),
    },
    async measure(field, seconds) {
      return [{ row: of.name, value: udpBits(await iperf(field, seconds, all, path)) / 1e6 }];
    },
  };
}

/** The 50th and the 99th percentile of `times` as figures of two rows. */
export function percentiles([p50, p99]: readonly [Row, Row], times: readonly number[]): Figure[] {
  return [
    { row: p50.name, value: quantile(times, 0.5) },
    { row: p99.name, value: quantile(times, 0.99) },
  ];
}
