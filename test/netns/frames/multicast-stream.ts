/** Numbered multicast datagrams between the namespaces of a lab, and what a receiver lost. */

import type { ChildProcess } from 'node:child_process';
import { until } from '../../../src/lab/until.ts';
import type { TestHost } from '../tools/harness.ts';
import { outputOf, script } from '../tools/programs.ts';

const PROGRAM = script('multicast.py');
const PORT = 6010;

/** What a receiver got; the head of the program explains each field. */
export interface StreamResult {
  readonly received: number;
  readonly duplicates: number;
  readonly disorders: number;
  readonly longestMs: number;
  readonly lastMs: number;
  readonly sources: readonly string[];
}

function start(host: TestHost, role: string, words: readonly (string | number)[]): ChildProcess {
  return host.workspace.start(['python3', PROGRAM, ...words.map(String)], { role });
}

/** Ends the input of a program; what it has printed when it has ended. */
async function finish(child: ChildProcess, output: () => string): Promise<string> {
  child.stdin?.end();
  await until('the program has ended', 10_000, () => child.exitCode !== null);
  return output();
}

/** Sends to each of `groups` from `role`, until `stop`. */
export async function streamSend(
  host: TestHost,
  role: string,
  groups: readonly string[],
  perSecond = 1000,
): Promise<{ stop: () => Promise<void> }> {
  const child = start(host, role, ['send', 'eth0', PORT, perSecond, ...groups]);
  const output = outputOf(child);
  return {
    stop: async () => {
      await finish(child, output);
    },
  };
}

/** A socket that has joined a group. */
export interface StreamReceiver {
  /** Waits for so many more datagrams, roughly. */
  readonly more: (count: number) => Promise<void>;
  readonly stop: () => Promise<StreamResult>;
}

/** A group, and the one source that is wanted, or the one that is not. */
export interface Membership {
  readonly group: string;
  readonly filter?: readonly ['only' | 'except', string];
}

/** Receives a group on the group's device. */
export async function streamReceive(
  host: TestHost,
  { group, filter }: Membership,
): Promise<StreamReceiver> {
  const words = ['receive', 'ipmp0', PORT, group, ...(filter ?? [])];
  const child = start(host, 'host', words);
  const output = outputOf(child);
  const last = (): string => output().trimEnd().split('\n').at(-1) ?? '';
  const count = (): number => Number.parseInt(last(), 10) || 0;
  await until(`${group} is joined`, 10_000, () => output().startsWith('ready\n'));
  return {
    more: async (wanted) => {
      const end = count() + wanted;
      await until(`${wanted} datagrams to ${group}`, 10_000, () => count() >= end);
    },
    stop: async () => {
      await finish(child, output);
      return JSON.parse(last()) as StreamResult;
    },
  };
}
