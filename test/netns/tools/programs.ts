/** The programs of the project, and what a running child prints. */

import type { ChildProcess } from 'node:child_process';
import type { Readable } from 'node:stream';
import { fileURLToPath } from 'node:url';
import type { Workspace } from '../../../src/lab/workspace.ts';

/** The compiled file of an executable. */
export const program = (name: string): string =>
  fileURLToPath(new URL(`../../../src/${name}.js`, import.meta.url));

/** A source file of test/netns/programs that is not compiled. */
export const script = (name: string): string =>
  fileURLToPath(new URL(`../../../../test/netns/programs/${name}`, import.meta.url));

/** Everything that a child has printed so far, errors included. */
export function outputOf(child: ChildProcess): () => string {
  let text = '';
  for (const stream of [child.stdout, child.stderr]) {
    stream?.setEncoding('utf8').on('data', (chunk: string) => {
      text += chunk;
    });
  }
  return () => text;
}

/** Calls `onLine` with each whole line of a stream. */
export function forEachLine(stream: Readable | null, onLine: (line: string) => void): void {
  let rest = '';
  stream?.setEncoding('utf8').on('data', (chunk: string) => {
    const lines = (rest + chunk).split('\n');
    rest = lines.pop() ?? '';
    for (const line of lines) onLine(line);
  });
}

/** A program that runs in the host's namespace, what it has printed, and how it ended. */
export class Running {
  readonly process: ChildProcess;
  /** The exit status; null after a signal. */
  readonly ended: Promise<number | null>;
  readonly #output: () => string;

  constructor(workspace: Workspace, argv: readonly string[]) {
    this.process = workspace.start(argv, { role: 'host', orderly: true });
    this.#output = outputOf(this.process);
    this.ended = new Promise((resolve) => this.process.once('close', resolve));
  }

  get pid(): number {
    return this.process.pid ?? 0;
  }

  get output(): string {
    return this.#output();
  }

  /** Ends it by `signal` and waits for the end. */
  async end(signal: NodeJS.Signals, pid = this.pid): Promise<number | null> {
    process.kill(pid, signal);
    return await this.ended;
  }
}

/** Threads of the daemon with a priority; others come and go, and have none of their own. */
const DATAPATH_THREAD = /^ipmpd-(worker\d+|carrier|verify)$/;

/**
 * Nice values of a process: of its main thread, and of those with a priority. `stats` is the text
 * of all its `/proc/PID/task/TID/stat` (proc(5), field 19).
 */
export function nicesIn(stats: string, pid: number | string | undefined): Record<string, number> {
  const nices: Record<string, number> = {};
  for (const line of stats.split('\n')) {
    const [, task, name = '', rest = ''] = /^(\d+) \((.*)\) (.*)/.exec(line) ?? [];
    const nice = Number(rest.split(' ')[16]);
    if (task === String(pid)) nices.main = nice;
    else if (DATAPATH_THREAD.test(name)) nices[name] = nice;
  }
  return nices;
}

/** What the kernel of a namespace has lost, as its counters have it. */
export async function lossesOf(workspace: Workspace, role: string): Promise<string> {
  const wanted = 'Reasm|Drop|Discard|Icmp6?(In|Out)Echo';
  const counters = await workspace.runIn(role, ['sh', '-c', `nstat -asz | grep -E "${wanted}"`]);
  const links = await workspace.runIn(role, ['ip', '-s', 'link']);
  const raw = await workspace.runIn(role, ['cat', '/proc/net/raw', '/proc/net/raw6']);
  const full = raw.replaceAll(/.* 0 *\n/g, '');
  return `${role}:\n${counters.replaceAll(/.* 0 +0\.0\n/g, '')}${links}${full}`;
}
