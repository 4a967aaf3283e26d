/**
 * What the daemon logs of itself: the priority of its workers, violations of the rules of locks and
 * lifetimes, and how it stopped.
 */

import { describeViolation, setViolationHandler, type ViolationKind } from '../base/witness.ts';
import type { Leftovers } from '../host/undo/undo.ts';
import { native } from '../native/addon.ts';
import { type Clock, hostClock } from '../process/clock.ts';
import type { Log } from '../process/log.ts';

/** Ours: between two lines about the same kind of violation. */
const QUIET_MS = 1000;

/** One line at the start, whether the workers were raised or not (native/priority.c). */
export function logPriority(log: Log, nices: readonly number[]): void {
  const nice = Math.max(...nices);
  const wanted = native.datapathNice;
  if (nice <= wanted) {
    log.info({ event: 'priority', nice, wanted }, `the workers run at nice ${nice}`);
    return;
  }
  log.info(
    { event: 'priority', nice, wanted },
    `the workers run at nice ${nice}: ${wanted} needs Nice=, LimitNICE= or CAP_SYS_NICE`,
  );
}

/**
 * Has violations logged instead of being fatal; each is counted too (ipmpd:0:witness), and the
 * daemon goes on where that is safe. A report may come while a region is open: it is written in the
 * next turn of the event loop. Of each kind one line a second at most. The result undoes it.
 */
export function logViolations(log: Log, clock: Clock = hostClock): () => void {
  /** Kind -> violations since its last line; absent where the next one is written at once. */
  const suppressed = new Map<ViolationKind, number>();

  return setViolationHandler((violation) => {
    const { kind } = violation;
    const count = suppressed.get(kind);
    suppressed.set(kind, count === undefined ? 0 : count + 1);
    if (count !== undefined) return;
    clock.after(0, () => log.error({ event: 'witness', kind }, describeViolation(violation)));
    clock.after(QUIET_MS, () => {
      const more = suppressed.get(kind) ?? 0;
      suppressed.delete(kind);
      if (more > 0) log.error({ event: 'witness', kind, more }, `${more} more [${kind}]`);
    });
  });
}

/** The last line. What is left is in the journal, and the next start tries it again. */
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
