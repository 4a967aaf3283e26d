/** The traffic that flows while the lab is looked at, so that a cut is felt and can be counted. */

import { messageOf } from '../../base/errors.ts';
import type { Lab } from '../demonstration.ts';
import { EchoStream, Transfer } from '../measure/measure.ts';
import { LAN } from '../topology.ts';
import { shortBytes } from './figures.ts';
import type { EchoState, TcpState, TrafficState } from './state.ts';

/** Ours: enough to see a gap of some ten milliseconds, little enough to run for hours. */
const ECHO_PER_SECOND = 100;
const TCP_BYTES_PER_SECOND = 2_000_000;
/** Ours: a shorter time between two looks shows more of the moment than of the rate. */
const SPAN_MS = 900;

const TARGET = LAN.gateways[0];

/** An echo stream and a TCP transfer from the host to the gateway. */
export class LiveTraffic {
  readonly #echo: Measurement<EchoStream>;
  readonly #tcp: Measurement<Transfer>;
  #before = { atMs: 0, bytes: 0 };
  #bytesPerSecond = 0;
  #state: TrafficState | undefined;

  private constructor(echo: Measurement<EchoStream>, tcp: Measurement<Transfer>) {
    this.#echo = echo;
    this.#tcp = tcp;
  }

  /** Starts both; one that cannot start is shown as a problem. */
  static async start({ workspace }: Lab): Promise<LiveTraffic> {
    const ends = { from: 'host', to: 'gw', address: TARGET, rate: TCP_BYTES_PER_SECOND };
    const options = { perSecond: ECHO_PER_SECOND };
    const [echo, tcp] = await Promise.all([
      Measurement.start(EchoStream.start(workspace, TARGET, options)),
      Measurement.start(Transfer.start(workspace, ends)),
    ]);
    return new LiveTraffic(echo, tcp);
  }

  /** What follows is counted apart, as since `label`. */
  async mark(label: string): Promise<void> {
    await this.#echo.ask(async (stream) => await stream.mark(label));
  }

  async look(): Promise<TrafficState> {
    const [echo, tcp] = await Promise.all([
      this.#echo.ask(echoStateOf),
      this.#tcp.ask(async (transfer) => this.#tcpState(await transfer.offset())),
    ]);
    this.#state = { echo, tcp };
    return this.#state;
  }

  /** The whole in a sentence; undefined before the first look. */
  summary(): string | undefined {
    if (this.#state === undefined) return undefined;
    const { echo, tcp } = this.#state;
    const echoText =
      'problem' in echo ? echo.problem : `${echo.sent} echo requests, ${echo.lost} lost`;
    const tcpText = 'problem' in tcp ? tcp.problem : `${shortBytes(tcp.arrivedBytes)} over TCP`;
    return `during the live view: ${echoText}; ${tcpText}`;
  }

  #tcpState(bytes: number): TcpState {
    const nowMs = performance.now();
    const { atMs, bytes: bytesBefore } = this.#before;
    if (nowMs - atMs >= SPAN_MS) {
      const isFirst = atMs === 0;
      this.#bytesPerSecond = isFirst ? 0 : ((bytes - bytesBefore) * 1000) / (nowMs - atMs);
      this.#before = { atMs: nowMs, bytes };
    }
    return { target: TARGET, arrivedBytes: bytes, bytesPerSecond: this.#bytesPerSecond };
  }
}

async function echoStateOf(stream: EchoStream): Promise<EchoState> {
  const { sent, lost, underWay, windows } = await stream.peek();
  const window = windows.at(-1);
  const isMarked = window !== undefined && windows.length > 1;
  return {
    target: TARGET,
    perSecond: ECHO_PER_SECOND,
    sent,
    lost: lost - underWay,
    last: isMarked ? { ...window, lost: Math.max(0, window.lost - underWay) } : null,
  };
}

/** A measuring program that may break; from then on it has a problem and is asked no more. */
class Measurement<T> {
  readonly #program: T | undefined;
  #problem: string;

  private constructor(program: T | undefined, problem: string) {
    this.#program = program;
    this.#problem = problem;
  }

  static async start<T>(starting: Promise<T>): Promise<Measurement<T>> {
    try {
      return new Measurement<T>(await starting, '');
    } catch (error) {
      return new Measurement<T>(undefined, messageOf(error));
    }
  }

  async ask<R>(question: (program: T) => Promise<R>): Promise<R | { problem: string }> {
    if (this.#program === undefined || this.#problem !== '') return { problem: this.#problem };
    try {
      return await question(this.#program);
    } catch (error) {
      this.#problem = messageOf(error);
      return { problem: this.#problem };
    }
  }
}
