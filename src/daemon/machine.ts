/** What the daemon asks of the machine once, at its start. */

import { randomBytes } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { availableParallelism } from 'node:os';
import { errnoOf } from '../base/errors.ts';
import type { Log } from '../process/log.ts';

/** Ours: a core is left to the control plane, and more workers than this have not been measured. */
const WORKERS_AUTO_MAX = 4;

/** systemd's machine-id(5), and what dbus kept before it. */
const MACHINE_ID_FILES = ['/etc/machine-id', '/var/lib/dbus/machine-id'];

/** `workers: auto`: one per core but one, at least one. */
export function workersForMachine(): number {
  return Math.min(WORKERS_AUTO_MAX, Math.max(1, availableParallelism() - 1));
}

/**
 * What makes our MACs differ from another machine's; random, which is logged, if none can be
 * read. `files` are for tests.
 */
export function readMachineId(log: Log, files: readonly string[] = MACHINE_ID_FILES): string {
  for (const path of files) {
    try {
      const text = readFileSync(path, 'utf8').trim();
      if (text !== '') return text;
    } catch (error) {
      const code = errnoOf(error);
      if (code !== 'ENOENT') log.warn({ event: 'machine-id', file: path, code }, String(error));
    }
  }
  log.warn(
    { event: 'no-machine-id', files },
    'no machine id: the MACs of TAPs and groups will differ after each start',
  );
  return randomBytes(16).toString('hex');
}

/** Changes to the host are written down beside the control socket, which is one per daemon. */
export function journalPathFor(socketPath: string): string {
  return `${socketPath}.journal`;
}
