/** The machine: what it is, how busy others keep it, and what a process takes of it. */

import { execFileSync, spawnSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { cpus, release } from 'node:os';
import { setTimeout as sleep } from 'node:timers/promises';

/** Programs that the bench runs. */
const PROGRAMS = ['ip', 'iperf3', 'ping', 'ss', 'setpriv', 'timeout', 'cc', 'chrt', 'renice'];

/** Ours: above this share of the processors in use, others disturb. */
export const IDLE_SHARE_MAX = 0.2;
/** Ours: how long one look at the processors takes, and how many are made for a quiet moment. */
const SAMPLE_MS = 100;
const SAMPLES_MAX = 15;

/** From linux/jiffies.h: what /proc counts in, on every architecture that Node runs on. */
const TICK_MS = 10;

/** What a reader needs to place a figure. */
export interface Machine {
  readonly cpus: number;
  readonly cpuModel: string;
  readonly kernel: string;
  readonly node: string;
  readonly iperf3: string;
}

/** Describes this machine. */
export function machineHere(): Machine {
  return {
    cpus: cpus().length,
    cpuModel: cpus()[0]?.model.trim() ?? 'unknown',
    kernel: release(),
    node: process.version,
    iperf3: execFileSync('iperf3', ['--version'], { encoding: 'utf8' }).split('\n')[0] ?? '',
  };
}

/** What the bench needs and does not find. */
export function missingPrograms(): string[] {
  return PROGRAMS.filter(
    (program) => spawnSync('sh', ['-c', `command -v ${program}`]).status !== 0,
  );
}

/**
 * Waits for a quiet moment, at most a second and a half. Returns the share of all processors (0 to
 * 1) last seen in use while nothing was measured: by others, and by idle candidates.
 */
export async function quietShare(): Promise<number> {
  let share = 1;
  for (let i = 0; i < SAMPLES_MAX && share > IDLE_SHARE_MAX; i++) {
    const before = ticks();
    await sleep(SAMPLE_MS);
    const after = ticks();
    share = (after.used - before.used) / Math.max(1, after.all - before.all);
  }
  return share;
}

/** Processor time that a process has used so far, all threads, in milliseconds. */
export function cpuTimeMs(pid: number): number {
  const stat = readFileSync(`/proc/${pid}/stat`, 'utf8');
  const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ');
  return (Number(fields[11]) + Number(fields[12])) * TICK_MS;
}

/** Resident megabytes (VmRSS) by the text of /proc/PID/status, in KiB there. @throws TypeError */
export function residentOf(status: string): number {
  const found = /^VmRSS:\s+(\d+) kB$/m.exec(status)?.[1];
  if (found === undefined) throw new TypeError('no VmRSS: of the kernel, or a process that ended');
  return (Number(found) * 1024) / 1e6;
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
