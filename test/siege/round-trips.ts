/**
 * Round trips through the group, a thousand a second, as the host's own ping times them: by stamps
 * of the kernel, so that a late reader does not make a late answer.
 */

import type { ChildProcess } from 'node:child_process';
import { quantile } from '../bench/figures.ts';
import type { TestHost } from '../netns/tools/harness.ts';

export interface RoundTrips {
  readonly sent: number;
  readonly lost: number;
  readonly p50Ms: number;
  readonly p99Ms: number;
  readonly steadyP99Ms: number;
  readonly maxMs: number;
}

/** Ours: a crowded machine stalls now and then, and in most parts of a run it does not. */
const PARTS = 7;

/** The 99th percentile in the middle one of the parts of a run; `values` in their order. */
export function steadyP99(values: readonly number[]): number {
  const length = Math.ceil(values.length / PARTS);
  const parts = Array.from({ length: PARTS }, (_, at) =>
    quantile(values.slice(at * length, (at + 1) * length), 0.99),
  );
  return quantile(parts, 0.5);
}

/** A running ping from the host. */
export class PingStream {
  readonly #child: ChildProcess;
  readonly #ended: Promise<void>;
  #text = '';

  constructor(host: TestHost, target: string) {
    // The measure must not be what waits for a processor.
    const argv = ['nice', '-n', '-15', 'ping', '-n', '-i', '0.001', target];
    this.#child = host.workspace.start(argv, { role: 'host' });
    this.#child.stdout?.setEncoding('utf8').on('data', (text: string) => {
      this.#text += text;
    });
    this.#ended = new Promise((resolve) => this.#child.once('close', () => resolve()));
  }

  /** Stops it as Ctrl-C would, and reads what it has printed. */
  async stop(): Promise<RoundTrips> {
    this.#child.kill('SIGINT');
    await this.#ended;
    const times = [...this.#text.matchAll(/ time=([\d.]+) ms/g)].map(([, time]) => Number(time));
    const [, sent = Number.NaN, received = Number.NaN] =
      /(\d+) packets transmitted, (\d+) received/.exec(this.#text)?.map(Number) ?? [];
    return {
      sent,
      // The last one may be on its way when the signal comes.
      lost: Math.max(0, sent - received - 1),
      p50Ms: quantile(times, 0.5),
      p99Ms: quantile(times, 0.99),
      steadyP99Ms: steadyP99(times),
      maxMs: Math.max(...times),
    };
  }
}

/** The limit for a p99 under siege: twice the calm one, or some milliseconds more. */
export function limitOf(calmMs: number, moreMs: number): number {
  return Math.max(2 * calmMs, calmMs + moreMs);
}
