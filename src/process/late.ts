/**
 * Reports of slow calls: one when a call is late, one when it has been answered after all. No call
 * is given up for being late: the kernel cannot cancel it, and its late success counts.
 */

import type { Clock } from './clock.ts';
import type { HostLog } from './log.ts';

/** Ours: thousands of times what an answer takes, unless the configuration lock is held. */
export const LATE_MS = 1000;

/** A call of the kernel or of a driver that takes long. */
export interface LateCall {
  /** `set up of net0`. */
  readonly what: string;
  readonly isAnswered: boolean;
  /** Since it was made. */
  readonly afterMs: number;
}

/** Called when a call is late, and when it has been answered, however it ended. */
export type LateHandler = (call: LateCall) => void;

/** Logs what is late, and that it has been answered. */
export function logLate(log: HostLog, { what, isAnswered, afterMs }: LateCall): void {
  const fields = { event: isAnswered ? 'answered' : 'unanswered', what, afterMs };
  if (isAnswered) log.info(fields, `${what}: answered after ${Math.round(afterMs)} ms`);
  else log.warn(fields, `${what}: not answered yet; packets, failovers and the API go on`);
}

/** The result of `call`; `onLate` is called if it takes longer than LATE_MS. */
export async function reportingLate<T>(
  what: string,
  clock: Clock,
  onLate: LateHandler,
  call: Promise<T>,
): Promise<T> {
  const atMs = clock.nowMs();
  let isLate = false;
  const timer = clock.after(LATE_MS, () => {
    isLate = true;
    onLate({ what, isAnswered: false, afterMs: LATE_MS });
  });
  try {
    return await call;
  } finally {
    timer.cancel();
    if (isLate) onLate({ what, isAnswered: true, afterMs: clock.nowMs() - atMs });
  }
}
