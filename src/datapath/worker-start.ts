/**
 * Messages between the main thread and a worker besides rings and shared words: the start, a
 * few messages, and how their clocks compare.
 *
 * The clock: both threads take performance.now() and process.hrtime() at their start. hrtime is one
 * monotonic clock for the whole process, so the difference of the two differences is the offset
 * between the two performance clocks, and times of a worker compare with the main thread's. A
 * thread that loses its processor between two reads would be wrong by half of that time for its
 * whole life, so the reads are repeated, and the closest ones count.
 */

// Ours
/** Reads of the two clocks: that each of them is interrupted takes a machine that runs nothing. */
const CLOCK_READS = 16;

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

/** The two clocks of a thread, in milliseconds. */
export interface ThreadClocks {
  /** Since the thread began. */
  readonly own: () => number;
  /** One for the whole process. */
  readonly common: () => number;
}

const CLOCKS: ThreadClocks = {
  own: () => performance.now(),
  common: () => {
    const [seconds, nanoseconds] = process.hrtime();
    return seconds * 1e3 + nanoseconds / 1e6;
  },
};

/** hrtime minus performance.now() of the calling thread, in milliseconds. */
export function clockOffset({ own, common }: ThreadClocks = CLOCKS): number {
  let offset = 0;
  let least = Number.POSITIVE_INFINITY;
  for (let read = 0; read < CLOCK_READS; read++) {
    const before = own();
    const between = common();
    const after = own();
    if (after - before >= least) continue;
    least = after - before;
    offset = between - (before + after) / 2;
  }
  return offset;
}
