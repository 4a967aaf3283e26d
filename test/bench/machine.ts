/** What the figures were taken on, and how busy others keep it. */

import { execFileSync } from 'node:child_process';
import { cpus, loadavg, release } from 'node:os';
import { setTimeout as sleep } from 'node:timers/promises';

/** Ours: so much of the machine others may use, and no more load than that at the start. */
export const OTHERS_SHARE_MAX = 0.2;
export const LOAD_PER_CPU_MAX = 0.5;

const SAMPLE_MS = 500;

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
