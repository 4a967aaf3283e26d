/**
 * Operations that wait, and the scheduler that runs them.
 *
 * An operation is a generator: it yields a Wait (for a time, a lock, a driver, a reference
 * count) and goes on when the wait ends. Between two yields nothing else runs, so a plain
 * function is a section that cannot be interrupted, and the choice of the next ready task is
 * the only source of interleaving: by default first come, first served; in tests anything.
 *
 *   spawn ──> ready ──> running ──> done | failed        settled: callbacks run once
 *               ▲          │ yield
 *               └─ waiting ◄┘ ──> cancelled
 *
 * The scheduler owns no clock: `handleTime` moves it, `pollAt` is the time of the next call.
 * Promises do not occur here.
 *
 * Modelled in test/model/new-order.pml.
 *
 * Invariants
 * 1. A wait ends exactly once: later answers are ignored.
 * 2. No task runs, and no wait begins, while a region is open.
 * 3. A settled task holds no lock.
 * 4. A cancelled task's `finally` blocks and `using` releases run at once and do not wait.
 * 5. No wait begins that closes a circle of waiting tasks.
 */

import { assert } from './assert.ts';
import { DeadlineQueue } from './deadline.ts';
import { isMistake, OperatorError } from './errors.ts';
import { assertNoOpenRegion, type Held } from './lock.ts';
import { describeCycle } from './wait-graph.ts';
import { Waker } from './waker.ts';
import { reportViolation } from './witness.ts';

/** One reason to wait. `begin` runs once, with the waiting task's waker. */
export interface Wait {
  readonly label: string;
  begin(waker: Waker): void;
}

/** Something that may wait; used with `yield*`. */
export type Operation<T> = Generator<Wait, T, unknown>;

/** How one of several concurrent operations ended. */
export type Outcome<T> = { ok: true; value: T } | { ok: false; error: unknown };

/** `running` covers ready and waiting as well: everything before the end. */
export type TaskState = 'running' | 'done' | 'failed' | 'cancelled';

/** Steps of one `run` after which it must be a livelock: far above any honest burst of work. */
const RUN_STEPS_MAX = 10_000_000;

/** The task whose step runs now in this thread, of whichever scheduler. */
let runningTask: Task<unknown> | undefined;

/** The task whose step runs now in this thread; undefined outside of any. */
export function currentTask(): Task<unknown> | undefined {
  return runningTask;
}

/** One operation on its way. Made by `Scheduler.spawn`. */
export class Task<T> {
  readonly label: string;
  readonly scheduler: Scheduler;
  /** The task that waits until this one has ended. */
  readonly parent: Task<unknown> | undefined;
  /** The waiting locks this task owns, in the order of taking. Written by lock.ts. */
  readonly held: Held[] = [];
  /** The wait whose result the task has not taken yet. */
  waiting: Waker | undefined;
  #state: TaskState = 'running';
  #value: T | undefined;
  #error: unknown;
  #body: Operation<T>;
  #callbacks: (() => void)[] = [];

  constructor(
    scheduler: Scheduler,
    label: string,
    body: Operation<T>,
    parent: Task<unknown> | undefined,
  ) {
    this.scheduler = scheduler;
    this.label = label;
    this.#body = body;
    this.parent = parent;
  }

  get state(): TaskState {
    return this.#state;
  }

  /** The result; only of a task that is done. */
  get value(): T {
    assert(this.#state === 'done', `the value of ${this.label}, which is ${this.#state}`);
    return this.#value as T;
  }

  /** Why it failed or was cancelled; undefined otherwise. */
  get error(): unknown {
    return this.#error;
  }

  /** Calls `callback` once when the task has settled; at once if it has already. */
  onSettled(callback: (task: Task<T>) => void): void {
    if (this.#state === 'running') this.#callbacks.push(() => callback(this));
    else callback(this);
  }

  /** Ends the task where it waits, releasing what it holds. Nothing happens if it has settled. */
  cancel(): void {
    if (this.#state !== 'running') return;
    assert(this.scheduler.current !== this, `${this.label} cancels itself`);
    this.scheduler.forget(this);
    this.waiting?.cancel();
    this.waiting = undefined;
    const left = this.#body.return(undefined as T);
    assert(left.done === true, `${this.label} waits while it is being cancelled`);
    this.#settle('cancelled', undefined, new OperatorError('ECANCELED'));
  }

  /** Goes on until the next wait or the end. Called by the scheduler alone. */
  step(input: Outcome<unknown>): void {
    this.waiting = undefined;
    let result: IteratorResult<Wait, T>;
    try {
      result = input.ok ? this.#body.next(input.value) : this.#body.throw(input.error);
    } catch (error) {
      this.#settle('failed', undefined, error);
      if (isMistake(error)) throw error;
      return;
    }
    if (result.done === true) {
      this.#settle('done', result.value, undefined);
      return;
    }
    const waker = new Waker(this, this.scheduler);
    this.waiting = waker;
    try {
      assertNoOpenRegion(result.value.label);
      result.value.begin(waker);
      const cycle = waker.isSettled ? undefined : describeCycle(waker);
      if (cycle !== undefined) reportViolation('deadlock', cycle);
    } catch (error) {
      waker.refuse(error);
    }
  }

  #settle(state: TaskState, value: T | undefined, error: unknown): void {
    for (const held of isMistake(error) ? [] : [...this.held]) {
      reportViolation('lock-kept', `${this.label} ends with a lock held: ${held.lock.name}`, [
        held.place,
      ]);
      held.release();
    }
    this.#state = state;
    this.#value = value;
    this.#error = error;
    const callbacks = this.#callbacks;
    this.#callbacks = [];
    for (const callback of callbacks) callback();
  }
}

/** Options of a scheduler. */
export interface SchedulerOptions {
  /** Picks the next of `readyCount` ready tasks (0 = longest ready); default: always 0. */
  choose?: (readyCount: number) => number;
  /** Where the clock begins, in monotonic milliseconds. */
  nowMs?: number;
}

/** Runs tasks, one step at a time, in virtual or real time. */
export class Scheduler {
  /** Deadlines of waits. */
  readonly timers = new DeadlineQueue<() => void>();
  /** Called when something became runnable outside `run`; the owner then calls `run` soon. */
  onReady: (() => void) | undefined;
  #choose: (readyCount: number) => number;
  #nowMs: number;
  #ready: { task: Task<unknown>; input: Outcome<unknown> }[] = [];
  #current: Task<unknown> | undefined;
  #running = false;

  constructor(options: SchedulerOptions = {}) {
    this.#choose = options.choose ?? (() => 0);
    this.#nowMs = options.nowMs ?? 0;
  }

  /** The time of the last `handleTime`. */
  get nowMs(): number {
    return this.#nowMs;
  }

  /** The task whose step runs now. */
  get current(): Task<unknown> | undefined {
    return this.#current;
  }

  /** How many tasks could go on at once. */
  get readyCount(): number {
    return this.#ready.length;
  }

  /**
   * Makes a task of `body`; its first step runs in the next `run`. `parent` waits for its end, by
   * `Waker.spawnPart`.
   */
  spawn<T>(label: string, body: () => Operation<T>, parent?: Task<unknown>): Task<T> {
    const task = new Task<T>(this, label, body(), parent);
    this.resume(task as Task<unknown>, { ok: true, value: undefined });
    return task;
  }

  /**
   * Runs until no task is ready; returns the steps done. Inside a step it returns 0 at once: the
   * outer run goes on with what became ready. Our own mistakes come out as exceptions.
   */
  run(): number {
    if (this.#running) return 0;
    assertNoOpenRegion('run');
    this.#running = true;
    const outer = runningTask;
    let steps = 0;
    try {
      while (this.#ready.length > 0) {
        assert(steps < RUN_STEPS_MAX, 'tasks keep each other ready for ever');
        const picked = this.#ready.length === 1 ? 0 : this.#choose(this.#ready.length);
        const next = this.#ready.splice(picked, 1)[0];
        assert(next !== undefined, `choice ${picked} of ready tasks`);
        this.#current = next.task;
        runningTask = next.task;
        next.task.step(next.input);
        steps++;
      }
    } finally {
      runningTask = outer;
      this.#current = undefined;
      this.#running = false;
    }
    return steps;
  }

  /** Moves the clock to `nowMs` (never back), ends the waits that are due, and runs. */
  handleTime(nowMs: number): void {
    if (nowMs > this.#nowMs) this.#nowMs = nowMs;
    for (;;) {
      const expire = this.timers.popDue(this.#nowMs);
      if (expire === undefined) break;
      expire();
    }
    this.run();
  }

  /** When `handleTime` must be called next: now if a task is ready, Infinity if none waits. */
  pollAt(): number {
    return this.#ready.length > 0 ? this.#nowMs : this.timers.nextAtMs();
  }

  /** Puts a task whose wait ended among the ready ones. For Waker. */
  resume(task: Task<unknown>, input: Outcome<unknown>): void {
    this.#ready.push({ task, input });
    if (!this.#running) this.onReady?.();
  }

  /** Takes a task that is being cancelled out of the ready ones. For Task. */
  forget(task: Task<unknown>): void {
    this.#ready = this.#ready.filter((entry) => entry.task !== task);
  }
}

/** Waits once; the waker's value is the result. */
export function* suspend<T>(wait: Wait): Operation<T> {
  return (yield wait) as T;
}

/** Waits for `durationMs` of the scheduler's time. */
export function* sleepFor(durationMs: number): Operation<void> {
  yield {
    label: 'sleep',
    begin: (waker) => {
      waker.expireAt(waker.scheduler.nowMs + durationMs, () => waker.resolve(undefined));
    },
  };
}

/** Both ways in which something outside may end its wait. */
export interface Settle<T> {
  resolve(value: T): void;
  reject(error: unknown): void;
}

/**
 * Waits for something outside: `start` begins it, settles it now or later, and may return how
 * to call it off. At `deadlineMs` (absolute) it is called off and the operation fails with
 * ETIMEDOUT. This is the boundary to drivers: no region may be open.
 */
export function* external<T>(
  label: string,
  start: (settle: Settle<T>) => (() => void) | undefined,
  deadlineMs = Number.POSITIVE_INFINITY,
): Operation<T> {
  const result = yield {
    label,
    begin: (waker) => {
      let answered = false;
      const callOff = start({
        resolve: (value) => {
          answered = true;
          waker.resolve(value);
        },
        reject: (error) => {
          answered = true;
          waker.reject(error);
        },
      });
      waker.onCancel(() => {
        if (!answered) callOff?.();
      });
      waker.expireAt(deadlineMs, () => {
        waker.refuse(new OperatorError('ETIMEDOUT', `${label}: no answer in time`));
      });
    },
  };
  return result as T;
}

/** Runs all `operations` concurrently; the outcomes are in the order of the arguments. */
export function* allOf<T>(operations: Operation<T>[]): Operation<Outcome<T>[]> {
  if (operations.length === 0) return [];
  const result = yield {
    label: 'all of',
    begin: (waker) => {
      const outcomes = new Array<Outcome<T>>(operations.length);
      let pending = operations.length;
      const parent = waker.task.label;
      const tasks = operations.map((operation, index) =>
        waker.spawnPart(`${parent}/${index}`, () => operation),
      );
      waker.blockers = { relation: 'waits for its part', tasks: () => tasks };
      waker.onCancel(() => {
        for (const task of tasks) task.cancel();
      });
      tasks.forEach((task, index) => {
        task.onSettled((settled) => {
          outcomes[index] =
            settled.state === 'done'
              ? { ok: true, value: settled.value }
              : { ok: false, error: settled.error };
          if (--pending === 0) waker.resolve(outcomes);
        });
      });
    },
  };
  return result as Outcome<T>[];
}
