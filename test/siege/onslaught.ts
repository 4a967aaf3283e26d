/** Many wrong requests at once against one socket, and what became of them. */

import { setTimeout as sleep } from 'node:timers/promises';
import type { Mutant } from './mutate.ts';
import { type ExchangeOptions, exchange } from './raw-http.ts';

/** A daemon whose backlog is full refuses for so long at most. */
const BUSY_MS = 10_000;

/** Replies and ends that are as they should be. */
const GOOD: readonly string[] = ['valid', 'refused', 'closed'];

export interface Outcome {
  /** What became of the requests: judgement -> count. */
  readonly tally: ReadonlyMap<string, number>;
  /** Kind of request -> count. */
  readonly kinds: ReadonlyMap<string, number>;
  /** Errno name -> count. */
  readonly codes: ReadonlyMap<string, number>;
  /** The first of those that got none of the three good ends, in words. */
  readonly faults: readonly string[];
}

export interface OnslaughtOptions extends Pick<ExchangeOptions, 'open'> {
  readonly socketPath: string;
  readonly next: () => Mutant;
  readonly count: number;
  readonly parallel: number;
}

/** Sends `count` requests, each on a connection of its own. Fails when the listener is gone. */
export async function onslaught(options: OnslaughtOptions): Promise<Outcome> {
  const { next, count, parallel } = options;
  const tally = new Map<string, number>();
  const kinds = new Map<string, number>();
  const codes = new Map<string, number>();
  const faults: string[] = [];
  let left = count;
  const attacker = async (): Promise<void> => {
    while (left > 0) {
      left--;
      const { kind, bytes } = next();
      const { judgement } = await exchangePatiently(options, bytes);
      add(kinds, kind);
      add(tally, judgement.kind);
      if (judgement.code !== undefined) add(codes, judgement.code);
      if (!GOOD.includes(judgement.kind) && faults.length < 5) {
        const text = JSON.stringify(bytes.toString('latin1', 0, 400));
        faults.push(`${judgement.kind} for ${kind}: ${text}`);
      }
    }
  };
  await Promise.all(Array.from({ length: parallel }, attacker));
  return { tally, kinds, codes, faults };
}

function add(counts: Map<string, number>, key: string): void {
  counts.set(key, (counts.get(key) ?? 0) + 1);
}

async function exchangePatiently(options: OnslaughtOptions, bytes: Buffer) {
  const giveUpAtMs = performance.now() + BUSY_MS;
  for (;;) {
    try {
      return await exchange(options.socketPath, bytes, options);
    } catch (error) {
      const isBusy = (error as NodeJS.ErrnoException).code === 'EAGAIN';
      if (!isBusy || performance.now() > giveUpAtMs) throw error;
      await sleep(5);
    }
  }
}
