/** The last line of the log: whether the host is as it was found, and if not, what is left. */

import type { Leftovers } from '../host/undo/undo.ts';
import type { Log } from '../process/log.ts';

/** Says how the stop ended. What is left is in the journal, and the next start tries it again. */
export function logStop(log: Log, { failed, unseen }: Leftovers): void {
  if (unseen.length > 0) {
    const names = unseen.join(', ');
    const message = `not here, moved to another network namespace or deleted: ${names}`;
    log.warn({ event: 'stop-unseen', changes: unseen }, message);
  }
  if (failed.length === 0) {
    log.info({ event: 'stopped' }, 'stopped, everything is put back');
    return;
  }
  const count = `${failed.length} ${failed.length === 1 ? 'change' : 'changes'}`;
  log.error(
    { event: 'stopped', changes: failed, hint: 'the next start tries it again' },
    `stopped, ${count} could not be put back: ${failed.join('; ')}`,
  );
}
