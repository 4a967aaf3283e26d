/**
 * The thread that serves, and what it must not do: make a call that may wait for the kernel's
 * configuration lock, for a driver, or for a file system.
 *
 *   beginServing ──> everything that may wait is made elsewhere ──> endServing
 *
 * Before the daemon serves and after it has ended nothing is kept waiting by such a call, except
 * the start and the end themselves. A worker of the datapath serves frames and makes none either,
 * but it has no API and reads no file; it is watched by its heartbeat. Modelled in
 * test/model/main-thread.pml.
 *
 * Each such call asserts that it may wait (`assertMayWait`): the addon's calls that are made at
 * once (src/native/addon.ts), and in tests the file system of Node (process/file-watch.ts).
 */

import { reportViolation } from './witness.ts';

let isServing = false;

/** From now on a call that may wait is a violation on this thread. */
export function beginServing(): void {
  isServing = true;
}

/** This thread may wait again. */
export function endServing(): void {
  isServing = false;
}

/** Runs `body` as another thread would: for worlds in which there is only one. */
export function onAnotherThread<T>(body: () => T): T {
  const wasServing = isServing;
  isServing = false;
  try {
    return body();
  } finally {
    isServing = wasServing;
  }
}

/** A boundary: `what` may wait, so it is not called on a thread that serves. */
export function assertMayWait(what: string): void {
  if (isServing) reportViolation('blocking', `${what} may wait, on the thread that serves`);
}
