/** Single transfers over the path of a candidate, and whether everything came. */

import { readFileSync } from 'node:fs';
import { Transfer } from '../../../src/lab/measure/measure.ts';
import { pingText } from '../../../src/lab/measure/ping.ts';
import { until } from '../../../src/lab/until.ts';
import { type Field, PATH4, PATH6, type Path, PEER } from './field.ts';

/** From ip-sysctl of the kernel: least, default and most of a socket buffer, in bytes. */
const TCP_BUFFERS = ['/proc/sys/net/ipv4/tcp_rmem', '/proc/sys/net/ipv4/tcp_wmem'];
/** Ours: a thousandth of a second between requests, so that workers fall asleep in between. */
const PING_INTERVAL_S = 0.001;
/** Ours: bytes of the transfer that is compared by digest. */
const DIGEST_BYTES = 50e6;
const DIGEST_RATE = 200e6;
const DIGEST_MS = 30_000;
/** Ours: seconds that iperf3 may take beyond its run; without it a dead path would hang it. */
const IPERF_GRACE_S = 10;

/** Something sent did not come, came wrong, or came twice. */
export class WrongTransfer extends Error {
  constructor(what: string) {
    super(what);
    this.name = 'WrongTransfer';
  }
}

/** Sends data both ways in each family and compares the digests. @throws WrongTransfer */
export async function compareDigests({ workspace }: Field): Promise<void> {
  const ways = [PATH4, PATH6].flatMap(
    ({ host, peer }) =>
      [
        ['host', 'peer', peer],
        ['peer', 'host', host],
      ] as const,
  );
  for (const [from, to, address] of ways) {
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

/** What the buffers of both ends of one stream hold at most when iperf3 ends it by its clock. */
export function tcpBuffered(): number {
  const most = TCP_BUFFERS.map((file) => Number(readFileSync(file, 'utf8').split(/\s+/)[2]));
  return most.reduce((sum, bytes) => sum + bytes, 0);
}

/** Bits per second that arrived over TCP; `buffered` bytes may be missing. @throws WrongTransfer */
export function tcpBits(report: IperfReport, buffered: number): number {
  const { sent, received } = sumsOf(report);
  const missing = sent.bytes - received.bytes;
  if (missing < 0 || missing > buffered || received.bytes === 0) {
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

/**
 * Round-trip times of the requests 1 to `count` in microseconds from ping's lines; `lostMax` of
 * them may be missing. What ping has sent beyond while it waited does not count.
 * @throws WrongTransfer
 */
export function pingTimes(text: string, count: number, { lostMax = 0 } = {}): number[] {
  const times = [...text.matchAll(/ icmp_seq=(\d+) .*time=([\d.]+) ms/g)]
    .filter(([, sequence]) => Number(sequence) <= count)
    .map(([, , time]) => Number(time) * 1000);
  if (times.length < count - lostMax || text.includes('DUP!')) {
    throw new WrongTransfer(`ping: ${count} requests, ${times.length} replies`);
  }
  return times;
}

/** Runs iperf3 from the host with `args`. @throws WrongTransfer, CommandError */
export async function iperf(
  { workspace }: Field,
  seconds: number,
  args: readonly string[],
  { host, peer }: Path = PATH4,
): Promise<IperfReport> {
  const limit = ['timeout', '-s', 'KILL', String(seconds + IPERF_GRACE_S)];
  const client = ['iperf3', '-J', '-c', peer, '-B', host, '-t', String(seconds), ...args];
  const text = await workspace.runIn('host', [...limit, ...client]);
  const report = JSON.parse(text) as IperfReport;
  if (report.error !== undefined) throw new WrongTransfer(`iperf3: ${report.error}`);
  return report;
}

/** Sends `count` echo requests, a thousand a second. Returns the output of ping. */
export async function ping({ workspace }: Field, count: number): Promise<string> {
  return await pingText(workspace, 'host', PEER, { count, intervalS: PING_INTERVAL_S });
}

function sumsOf({ end }: IperfReport): { sent: IperfSum; received: IperfSum } {
  const { sum_sent: sent, sum_received: received } = end;
  if (sent === undefined || received === undefined) {
    throw new WrongTransfer('iperf3 reports no sums');
  }
  return { sent, received };
}
