/** Memory of the processes that carry the frames: what each has resident. */

import { readFileSync } from 'node:fs';
import { setTimeout as sleep } from 'node:timers/promises';
import { row } from '../side-by-side/workloads.ts';

/** Ours: what a start leaves behind is collected or settled by then. */
const QUIET_MS = 4000;

export const RSS_IDLE = row('resident, idle', 'MB', { isLessBetter: true });
export const RSS_LOADED = row('resident, after load', 'MB', { isLessBetter: true });

/** Lets all be idle for a while. */
export async function calm(): Promise<void> {
  await sleep(QUIET_MS);
}

/** Resident memory of a process in megabytes (VmRSS). @throws ENOENT */
export function residentMb(pid: number): number {
  return residentOf(readFileSync(`/proc/${pid}/status`, 'utf8'));
}

/** The same from the text of /proc/PID/status, which counts in KiB. @throws TypeError */
export function residentOf(status: string): number {
  const found = /^VmRSS:\s+(\d+) kB$/m.exec(status)?.[1];
  if (found === undefined)
    throw new TypeError('no VmRSS: a process of the kernel, or one that ended');
  return (Number(found) * 1024) / 1e6;
}
