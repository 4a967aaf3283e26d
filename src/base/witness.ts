/**
 * The witness: the one place to which every violation of the rules of locks and lifetimes is
 * reported. The checks (lock.ts, reference.ts, operation.ts, a boundary) find the violation;
 * here it is named, counted, and its consequence decided.
 *
 * By default, so in tests and in the simulator, a report is fatal: it throws InvariantError, and
 * each holder of a lock or a reference is remembered with its stack. A daemon in production sets a
 * handler that logs; stacks are not kept then, and the operation goes on where that is safe. Where
 * it is not, `VIOLATIONS` says what happens instead.
 *
 * Invariants
 * 1. Each report raises exactly one count, before anything can throw.
 * 2. What is not safe never goes on, whatever the handler does.
 */

import { InvariantError } from './assert.ts';
import { type ErrorCode, OperatorError } from './errors.ts';
import { keysOf, recordOf } from './keys.ts';

/**
 * Kind of violation -> what follows where a report is not fatal: the operation goes on, or is
 * refused with that errno, or the process cannot continue (`stop`).
 */
export const VIOLATIONS = {
  /** A waiting lock is taken against the ranks: a reader of a kstat takes an ipsq, for example. */
  order: 'go on',
  /** A task takes a lock that it owns already, or that a task waiting for it owns. */
  recursion: 'EDEADLK',
  /** A task would wait for itself, through any number of others. */
  deadlock: 'EDEADLK',
  /** A task has ended and owns a lock; the lock is taken from it. */
  'lock-kept': 'go on',
  /** A wait, or something that leaves the process, while a region is open. */
  boundary: 'go on',
  /** A call that may wait for the kernel, a driver or a file, on the thread that serves. */
  blocking: 'go on',
  /** A region is entered while it is open, or its body is one that can wait. */
  region: 'stop',
  /** An object that is on its way out gets another reference. */
  condemned: 'ENOENT',
  /** A lock or a reference is given back twice; the second time does nothing. */
  'double-release': 'go on',
  /** An object is freed that is linked, in use, or not condemned. */
  'early-free': 'go on',
  /** A reference was dropped and never released; it is given back when that is noticed. */
  leak: 'go on',
  /** A published counter would fall; it stays where it was. */
  fall: 'go on',
} as const satisfies Readonly<Record<string, 'go on' | 'stop' | ErrorCode>>;

/** The kinds of violation. */
export type ViolationKind = keyof typeof VIOLATIONS;

/** All kinds, in the order of the table. */
export const VIOLATION_KINDS = keysOf(VIOLATIONS);

/** Where a task took what a report is about; `trace` only while stacks are kept. */
export interface Place {
  /** The task and the object: `read ipmp0 takes kstat ipmp0`. */
  readonly what: string;
  readonly trace: Error | undefined;
}

/** One report. */
export interface Violation {
  readonly kind: ViolationKind;
  /** What is wrong, in one sentence with the names of all concerned. */
  readonly sentence: string;
  readonly places: readonly Place[];
}

/** Receives every violation; may throw, which makes it fatal. Must not do I/O at once. */
export type ViolationHandler = (violation: Violation) => void;

/** Ours: frames kept with a lock or a reference; the scheduler and the lock take four of them. */
const TRACE_FRAMES = 16;
/** Ours: frames of the stack shown for each place. */
const SHOWN_FRAMES = 4;

const counts = recordOf(VIOLATION_KINDS, () => 0);

let handler: ViolationHandler = fatal;
let keepsTraces = true;

/** Reports of each kind since the start of this thread: a flat copy. */
export function violationCounts(): Record<ViolationKind, number> {
  return { ...counts };
}

/**
 * Gives violations to `replacement`, which makes them survivable; undefined: fatal again.
 * Returns what undoes it.
 */
export function setViolationHandler(replacement: ViolationHandler | undefined): () => void {
  const before = { handler, keepsTraces };
  handler = replacement ?? fatal;
  keepsTraces = replacement === undefined;
  return () => {
    ({ handler, keepsTraces } = before);
  };
}

/**
 * Reports a violation. Returns if the operation may go on; else fails with the error that the
 * table names, or with InvariantError.
 */
export function reportViolation(
  kind: ViolationKind,
  sentence: string,
  places: readonly Place[] = [],
): void {
  counts[kind]++;
  handler({ kind, sentence, places });
  const consequence: 'go on' | 'stop' | ErrorCode = VIOLATIONS[kind];
  if (consequence === 'stop') throw new InvariantError(sentence);
  if (consequence !== 'go on') throw new OperatorError(consequence, sentence);
}

/** The stack of the caller for later, while stacks are kept (about 5 µs); formatted when shown. */
export function captureTrace(): Error | undefined {
  if (!keepsTraces) return undefined;
  const before = Error.stackTraceLimit;
  Error.stackTraceLimit = TRACE_FRAMES;
  const trace = new Error('taken');
  Error.stackTraceLimit = before;
  return trace;
}

/** A report as text: the sentence, then a line for each place. */
export function describeViolation({ kind, sentence, places }: Violation): string {
  const lines = places.map(({ what, trace }) => `\n  ${what}${callersOf(trace)}`);
  return `${sentence} [${kind}]${lines.join('')}`;
}

function fatal(violation: Violation): void {
  throw new InvariantError(describeViolation(violation));
}

/** ` at leave (membership.js:118), …`: the callers outside of this folder, nearest first. */
function callersOf(trace: Error | undefined): string {
  const frames = (trace?.stack ?? '').split('\n').flatMap((line) => {
    const found = /at (?:(\S+) )?.*?([^/\s(]+\/[^/\s(]+):(\d+):\d+\)?$/.exec(line);
    if (found === null || line.includes('/src/base/')) return [];
    return [`${found[1] ?? 'top'} (${found[2]}:${found[3]})`];
  });
  return frames.length === 0 ? '' : `, at ${frames.slice(0, SHOWN_FRAMES).join(' < ')}`;
}
