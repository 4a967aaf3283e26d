/**
 * Reports of the witness in production: each is counted (ipmpd:0:witness) and logged, and the
 * daemon goes on where that is safe. A report may come while a region is open, so it is kept and
 * written in the next turn of the event loop; of each kind one line a second at most.
 */

import { describeViolation, setViolationHandler, type ViolationKind } from '../base/witness.ts';
import { type Clock, hostClock } from '../process/clock.ts';
import type { Log } from '../process/log.ts';

/** Ours: between two lines about the same kind of violation. */
const QUIET_MS = 1000;

/** Has violations logged instead of being fatal; returns what undoes it. */
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
