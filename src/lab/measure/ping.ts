/**
 * The system's ping, judged by sequence numbers.
 *
 * `-W` is no limit for each answer: ping(8) counts it only while nothing was answered at all.
 * After the first answer the last request has twice the longest round trip and no more (at least
 * one interval), so an answer that is whole but late by the scheduler counts as lost. With `-w`,
 * ping asks on until `count` answers have arrived or the time is over. A flow keeps its order: a
 * late answer comes before those to later requests, and a lost one leaves a gap in the numbers.
 */

import type { Workspace } from '../workspace.ts';

// Ours
/** Requests by default. */
export const PING_COUNT = 3;
/** Time for answers beyond the time in which the requests are sent. */
const ANSWER_S = 4;
/** Time for the answer of a single request. */
const SINGLE_S = 2;

export interface PingOptions {
  readonly count?: number;
  readonly intervalS?: number;
  /** No answer is expected: seconds to wait for one. */
  readonly silenceS?: number;
  readonly args?: readonly string[];
}

/** How many of the requests 1 to `count` were answered, and how many answers were copies. */
export interface PingResult {
  readonly answered: number;
  readonly duplicates: number;
}

/** The command line. Unless `silenceS` is given it sends more than `count` while it waits. */
export function pingCommand(
  target: string,
  { count = PING_COUNT, intervalS = 0.05, silenceS, args = [] }: PingOptions = {},
): string[] {
  const single = silenceS ?? (count === 1 ? SINGLE_S : undefined);
  const wait =
    single === undefined
      ? ['-w', String(Math.ceil(count * intervalS) + ANSWER_S)]
      : ['-W', String(single)];
  return ['ping', '-n', '-c', String(count), '-i', String(intervalS), ...wait, ...args, target];
}

/** Reads what ping has printed about its requests 1 to `count`. */
export function pingResult(text: string, count: number): PingResult {
  const answered = new Set<number>();
  let duplicates = 0;
  for (const line of text.split('\n')) {
    const sequence = Number(/bytes from .* icmp_seq=(\d+) /.exec(line)?.[1]);
    if (Number.isNaN(sequence)) continue;
    if (answered.has(sequence)) duplicates++;
    answered.add(sequence);
  }
  return { answered: [...answered].filter((sequence) => sequence <= count).length, duplicates };
}

/** Pings in the namespace of `role`; returns what ping has printed. */
export async function pingText(
  workspace: Workspace,
  role: string,
  target: string,
  options: PingOptions = {},
): Promise<string> {
  // ping ends with status 1 when an answer is missing; the shell makes that no error here.
  const shell = ['sh', '-c', '"$@" || test $? = 1', '-'];
  return await workspace.runIn(role, [...shell, ...pingCommand(target, options)]);
}
