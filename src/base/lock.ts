/**
 * The two kinds of lock, and their rules.
 *
 * A **waiting lock** (`ipsq`, `kstat`) may be held across a wait: one owner, first come, first
 * served. A **region** (`illGlobalLock`, `neigh`) is a plain function that runs to its end in
 * one turn; it cannot wait, so no cycle of waiting can pass through it.
 *
 *   rank 1 ipsq  ──>  rank 2 kstat          waiting locks: only upwards
 *   region: everything that waits, or leaves the process, happens outside (a boundary)
 *
 * Modelled in test/model/new-order.pml; what must not come back: test/model/old-order.pml.
 *
 * Invariants (checked always; witness.ts has the consequence of each violation)
 * 1. A task takes waiting locks in rising rank, never one it owns, never with a region open. What
 *    is owned by a task that waits for it counts as its own.
 * 2. A region is not entered while it is open, and its body returns no generator or Promise.
 * 3. At a boundary no region is open.
 */

import { assert } from './assert.ts';
import { OperatorError } from './errors.ts';
import type { Operation, Task } from './operation.ts';
import type { Blockers } from './wait-graph.ts';
import type { Waker } from './waker.ts';
import { captureTrace, type Place, reportViolation } from './witness.ts';

/** Rank of each class of waiting lock; a task takes them in rising order. */
const RANKS = { ipsq: 1, kstat: 2 } as const;

/** The classes of waiting locks. */
export type LockClass = keyof typeof RANKS;

/** The regions open in this thread, outermost first: at most one of each name. */
const openRegions: Region[] = [];

/** A lock that may be held across waits. Taken with `yield* acquire(lock)`. */
export class WaitLock {
  readonly lockClass: LockClass;
  readonly name: string;
  /** Tasks waiting for the lock, first come, first served. Written by this file alone. */
  readonly queue: { waker: Waker; held: Held }[] = [];
  /** The present possession. Written by this file alone. */
  held: Held | undefined;

  constructor(lockClass: LockClass, name: string) {
    this.lockClass = lockClass;
    this.name = name;
  }

  /** The task that owns the lock. */
  get owner(): Task<unknown> | undefined {
    return this.held?.task;
  }
}

/** Possession of a waiting lock: released exactly once, best by `using`. */
export class Held {
  readonly lock: WaitLock;
  readonly task: Task<unknown>;
  readonly #trace: Error | undefined;
  #released = false;

  constructor(lock: WaitLock, task: Task<unknown>, trace: Error | undefined) {
    this.lock = lock;
    this.task = task;
    this.#trace = trace;
  }

  /** The task that took it, and where. */
  get place(): Place {
    return { what: `${this.task.label} takes ${this.lock.name}`, trace: this.#trace };
  }

  /** Gives the lock to the next waiting task, if there is one. */
  release(): void {
    if (this.#released) {
      reportViolation('double-release', `${this.lock.name} is released twice`, [this.place]);
      return;
    }
    this.#released = true;
    assert(this.lock.held === this, `${this.lock.name} is owned by another task`);
    const place = this.task.held.indexOf(this);
    assert(place >= 0, `${this.lock.name} is not among the locks of ${this.task.label}`);
    this.task.held.splice(place, 1);
    this.lock.held = undefined;
    const next = this.lock.queue.shift();
    if (next !== undefined) {
      grant(next.held);
      next.waker.resolve(next.held);
    }
  }

  [Symbol.dispose](): void {
    if (!this.#released) this.release();
  }
}

/**
 * Waits until the lock is ours. Fails with ETIMEDOUT if it is not by `deadlineMs` (absolute).
 * The result is released by its owner, on every path: `using own = yield* acquire(lock)`.
 */
export function* acquire(lock: WaitLock, deadlineMs = Number.POSITIVE_INFINITY): Operation<Held> {
  const trace = captureTrace();
  const result = yield {
    label: `acquire ${lock.name}`,
    begin: (waker) => {
      const held = new Held(lock, waker.task, trace);
      checkOrder(held);
      const entry = { waker, held };
      waker.onCancel(() => {
        if (lock.held === held) held.release();
        else removeFrom(lock.queue, entry);
      });
      if (lock.held === undefined) {
        grant(held);
        waker.resolve(held);
        return;
      }
      lock.queue.push(entry);
      waker.blockers = new OwnerOf(lock);
      waker.expireAt(deadlineMs, () => {
        waker.refuse(new OperatorError('ETIMEDOUT', `${lock.name} is still in use`));
      });
    },
  };
  return result as Held;
}

function grant(held: Held): void {
  held.lock.held = held;
  held.task.held.push(held);
}

function removeFrom<T>(list: T[], entry: T): void {
  const place = list.indexOf(entry);
  assert(place >= 0, 'a waiting task is not in the queue');
  list.splice(place, 1);
}

/** The edge of the wait graph that a queue makes. */
class OwnerOf implements Blockers {
  readonly #lock: WaitLock;

  constructor(lock: WaitLock) {
    this.#lock = lock;
  }

  get relation(): string {
    return `waits for ${this.#lock.name}, owned by`;
  }

  tasks(): Task<unknown>[] {
    return this.#lock.held === undefined ? [] : [this.#lock.held.task];
  }
}

/** Compares a wanted lock with all that the task, and every task that waits for it, owns. */
function checkOrder(wanted: Held): void {
  for (let owner: Task<unknown> | undefined = wanted.task; owner; owner = owner.parent) {
    for (const held of owner.held) checkPair(held, wanted);
  }
}

function checkPair(held: Held, wanted: Held): void {
  const places = [held.place, wanted.place];
  const { lock, task } = wanted;
  if (held.lock === lock) {
    reportViolation('recursion', `${task.label} takes ${lock.name} twice`, places);
  } else if (RANKS[held.lock.lockClass] >= RANKS[lock.lockClass]) {
    const owner = held.task === task ? 'it' : `${held.task.label}, which waits for it,`;
    const own = `${held.lock.name} (${held.lock.lockClass})`;
    const sentence = `${task.label} takes ${lock.name} (${lock.lockClass}) while ${owner} owns`;
    reportViolation('order', `${sentence} ${own}`, places);
  }
}

/** What a region's body may return: anything but something that waits. */
export type Settled<T> = T extends PromiseLike<unknown> | Generator<unknown, unknown, never>
  ? never
  : T;

/** A section that runs to its end in one turn. Reading and writing exclude each other alike. */
export class Region {
  readonly name: string;
  /** Monotonic milliseconds for measuring; undefined where the figure is not used. */
  clock: (() => number) | undefined;
  /** The longest time between entering and leaving, in milliseconds. */
  longestHoldMs = 0;
  #isOpen = false;

  constructor(name: string, clock?: () => number) {
    this.name = name;
    this.clock = clock;
  }

  /** True while a body runs. */
  get isOpen(): boolean {
    return this.#isOpen;
  }

  /** Runs `body`, which only looks, and returns what it returns. */
  read<T>(body: () => Settled<T>): T {
    return this.#enter(body);
  }

  /** Runs `body`, which may change what the region guards, and returns what it returns. */
  write<T>(body: () => Settled<T>): T {
    return this.#enter(body);
  }

  #enter<T>(body: () => Settled<T>): T {
    if (this.#isOpen) reportViolation('region', `${this.name} is entered again`);
    const enteredMs = this.clock?.();
    this.#isOpen = true;
    openRegions.push(this);
    try {
      const result = body();
      if (waits(result)) reportViolation('region', `a body of ${this.name} can wait`);
      return result;
    } finally {
      openRegions.pop();
      this.#isOpen = false;
      if (enteredMs !== undefined && this.clock !== undefined) {
        this.longestHoldMs = Math.max(this.longestHoldMs, this.clock() - enteredMs);
      }
    }
  }
}

function waits(result: unknown): boolean {
  if (typeof result !== 'object' || result === null) return false;
  const candidate = result as { then?: unknown; next?: unknown; throw?: unknown };
  if (typeof candidate.then === 'function') return true;
  return typeof candidate.next === 'function' && typeof candidate.throw === 'function';
}

/** Asserts at a boundary that this thread is in no region at all. */
export function assertNoOpenRegion(boundary: string): void {
  const open = openRegions[0];
  if (open !== undefined) reportViolation('boundary', `${boundary} with ${open.name} held`);
}
