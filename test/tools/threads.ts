/** What the kernel shows of the threads of a process (proc(5)). */

import { readdirSync, readFileSync } from 'node:fs';
import { errnoOf } from '../../src/base/errors.ts';

/** `/proc/PID/task/TID/FILE` of each thread; one that ends meanwhile is left out. */
export function readThreads(pid: number | undefined, file: 'stat' | 'status'): string[] {
  return readdirSync(`/proc/${pid}/task`).flatMap((task) => {
    try {
      return [readFileSync(`/proc/${pid}/task/${task}/${file}`, 'latin1')];
    } catch (error) {
      const isGone = ['ENOENT', 'ESRCH'].includes(errnoOf(error) ?? '');
      if (isGone) return [];
      throw error;
    }
  });
}
