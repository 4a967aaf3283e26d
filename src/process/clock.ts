/**
 * The one clock of the daemon: monotonic milliseconds and timers. Everything above takes times as
 * arguments; everything in this folder takes a Clock, so that tests may bring their own.
 */

/** A timer that has not fired yet; cancelling one that has is harmless. */
export interface Timer {
  cancel(): void;
}

/** The host's time. */
export interface Clock {
  /** Monotonic milliseconds with fraction; the origin is arbitrary. */
  nowMs(): number;
  /** Runs `body` once, `delayMs` from now. The timer alone does not keep the process alive. */
  after(delayMs: number, body: () => void): Timer;
}

/**
 * The kernel's monotonic clock since the process began, and timers of the main thread's event loop.
 */
export const hostClock: Clock = {
  nowMs: () => performance.now(),
  after: (delayMs, body) => {
    const handle = setTimeout(body, delayMs);
    handle.unref();
    return { cancel: () => clearTimeout(handle) };
  },
};

/** The kernel's CLOCK_MONOTONIC in microseconds, for programs that share it with us. */
export function monotonicUs(): bigint {
  return process.hrtime.bigint() / 1000n;
}

/** Wall-clock time as RFC 3339 with microseconds, for output only (contract 4). */
export function wallTime(nowMs: number = hostClock.nowMs()): string {
  const microseconds = Math.round((performance.timeOrigin + nowMs) * 1000);
  const seconds = Math.floor(microseconds / 1_000_000);
  const fraction = String(microseconds - seconds * 1_000_000).padStart(6, '0');
  return `${new Date(seconds * 1000).toISOString().slice(0, 19)}.${fraction}Z`;
}
