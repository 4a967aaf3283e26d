/**
 * What the daemon logs: its events, the priority of its workers, violations of the rules of locks
 * and lifetimes, and how it stopped.
 */

import { LineLimit } from '../base/text/line-limit.ts';
import { describeViolation, setViolationHandler, type ViolationKind } from '../base/witness.ts';
import type { Leftovers } from '../host/undo/undo.ts';
import { native } from '../native/addon.ts';
import { type Clock, hostClock } from '../process/clock.ts';
import type { Log } from '../process/log.ts';
import type { SystemEvent } from '../system.ts';

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

/** Causes that any station of the LAN can bring about with frames, at a rate of its choice. */
const CAUSED_BY_FRAMES: ReadonlySet<SystemEvent['cause']> = new Set<SystemEvent['cause']>([
  'neighbor-moved',
  'neighbor-lost',
  'neighbor-answers',
  'address-conflict',
  'conflict-over',
]);

/**
 * Events in the log. Of each cause that frames have, some lines are written in a while, and at its
 * end the number of the others. Subscribers to events get all of them.
 */
export class EventLog {
  readonly #log: Log;
  readonly #limit: LineLimit<SystemEvent['cause']>;

  constructor(log: Log, clock: Clock) {
    this.#log = log;
    this.#limit = new LineLimit(clock.after, (cause, more) =>
      log.info({ event: 'events-not-logged', cause, more }, `${more} more events: ${cause}`),
    );
  }

  handleEvent(event: SystemEvent): void {
    if (CAUSED_BY_FRAMES.has(event.cause) && !this.#limit.admits(event.cause)) return;
    const { atMs: _, ...fields } = event;
    const subject = [event.group, event.ifname].filter((name) => name !== null).join(' ');
    const change = [event.from, event.to].filter((state) => state !== null).join(' -> ');
    const detail = event.detail === null ? '' : ` (${event.detail})`;
    this.#log.info(fields, `${event.event} ${subject} ${change}${detail}: ${event.cause}`);
  }
}
