/**
 * Messages between the main thread and a worker besides rings and shared words: the start, a
 * few messages, and how their clocks compare.
 *
 * The clock: both threads take performance.now() and process.hrtime() at their start. hrtime is one
 * monotonic clock for the whole process, so the difference of the two differences is the offset
 * between the two performance clocks, and times of a worker compare with the main thread's.
 */

/** What a worker is started with. */
export interface WorkerStart {
  readonly worker: number;
  readonly memory: SharedArrayBuffer;
  readonly punts: SharedArrayBuffer;
  readonly injections: SharedArrayBuffer;
  readonly commands: SharedArrayBuffer;
  /** Eventfd that ends a wait. */
  readonly wakeFd: number;
  /** clockOffset() of the main thread. */
  readonly clockOffsetMs: number;
}

/** A message from a worker to the main thread. */
export type WorkerMessage =
  | { readonly kind: 'ready'; readonly nice: number }
  | { readonly kind: 'bell' }
  | { readonly kind: 'port-error'; readonly port: number; readonly errno: number };

/** hrtime minus performance.now() of the calling thread, in milliseconds. */
export function clockOffset(): number {
  const before = performance.now();
  const [seconds, nanoseconds] = process.hrtime();
  const after = performance.now();
  return seconds * 1e3 + nanoseconds / 1e6 - (before + after) / 2;
}
