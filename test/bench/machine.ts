/** What the figures were taken on, and how busy others keep it. */

import { execFileSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { cpus, loadavg, release } from 'node:os';
import { setTimeout as sleep } from 'node:timers/promises';

/** Ours: so much of the machine others may use, and no more load than that at the start. */
export const OTHERS_SHARE_MAX = 0.2;
export const LOAD_PER_CPU_MAX = 0.5;

const SAMPLE_MS = 500;

/** From linux/jiffies.h: what /proc counts in, on every architecture that Node runs on. */
const TICK_MS = 10;

/** What a reader needs to place a figure. */
export interface Machine {
  readonly cpus: number;
  readonly cpuModel: string;
  readonly kernel: string;
  readonly node: string;
  readonly iperf3: string;
  /** Load average of the last minute when the bench began. */
  readonly load: number;
}

/** Describes this machine. */
export function machineHere(): Machine {
  return {
    cpus: cpus().length,
    cpuModel: cpus()[0]?.model.trim() ?? 'unknown',
    kernel: release(),
    node: process.version,
    iperf3: execFileSync('iperf3', ['--version'], { encoding: 'utf8' }).split('\n')[0] ?? '',
    load: loadavg()[0] ?? 0,
  };
}

/** The share of all processors (0 to 1) that is in use while nothing is measured. */
export async function shareInUse(): Promise<number> {
  const before = ticks();
  await sleep(SAMPLE_MS);
  const after = ticks();
  return (after.used - before.used) / Math.max(1, after.all - before.all);
}

/** Processor time that a process has used so far, all threads, in milliseconds. */
export function cpuTimeMs(pid: number): number {
  const stat = readFileSync(`/proc/${pid}/stat`, 'utf8');
  const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ');
  return (Number(fields[11]) + Number(fields[12])) * TICK_MS;
}

function ticks(): { used: number; all: number } {
  let used = 0;
  let all = 0;
  for (const { times } of cpus()) {
    const busy = times.user + times.nice + times.sys + times.irq;
    used += busy;
    all += busy + times.idle;
  }
  return { used, all };
}
