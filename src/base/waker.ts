/**
 * The end of a wait, once: with a value, an error, or by cancellation. Made by a task for each of
 * its waits and handed to whatever it waits for.
 */

import { assert } from './assert.ts';
import type { Deadline } from './deadline.ts';
import type { Operation, Scheduler, Task } from './operation.ts';
import type { Blockers } from './wait-graph.ts';

/** One wait of one task. */
export class Waker {
  readonly task: Task<unknown>;
  readonly scheduler: Scheduler;
  /** The tasks whose progress could end the wait; undefined: no task in particular. */
  blockers: Blockers | undefined;
  #settled = false;
  #deadline: Deadline<() => void> | undefined;
  #undo: (() => void) | undefined;

  constructor(task: Task<unknown>, scheduler: Scheduler) {
    this.task = task;
    this.scheduler = scheduler;
  }

  /** True once the wait has ended in any way. */
  get isSettled(): boolean {
    return this.#settled;
  }

  /** Ends the wait with `value`. */
  resolve(value: unknown): void {
    if (this.#settle()) this.scheduler.resume(this.task, { ok: true, value });
  }

  /** Ends the wait by throwing `error` into the operation. */
  reject(error: unknown): void {
    if (this.#settle()) this.scheduler.resume(this.task, { ok: false, error });
  }

  /**
   * Ends the wait by throwing `error`, and calls off what has been begun: once, also if the task is
   * cancelled before it has taken the error.
   */
  refuse(error: unknown): void {
    if (!this.#settle()) return;
    this.#callOff();
    this.scheduler.resume(this.task, { ok: false, error });
  }

  /** Runs `expire` at `atMs` unless the wait has ended before; it must end the wait. */
  expireAt(atMs: number, expire: () => void): void {
    if (this.#settled || atMs === Number.POSITIVE_INFINITY) return;
    assert(this.#deadline === undefined, 'a wait has one deadline');
    this.#deadline = this.scheduler.timers.schedule(atMs, expire);
  }

  /** Runs `undo` if the task is cancelled before it has taken the wait's result. */
  onCancel(undo: () => void): void {
    this.#undo = undo;
  }

  /** Makes a task on which this wait depends: what it takes, it takes on behalf of the waiter. */
  spawnPart<T>(label: string, body: () => Operation<T>): Task<T> {
    return this.scheduler.spawn(label, body, this.task);
  }

  /** Ends the wait because its task ends. */
  cancel(): void {
    this.#settle();
    this.#callOff();
  }

  #callOff(): void {
    const undo = this.#undo;
    this.#undo = undefined;
    undo?.();
  }

  #settle(): boolean {
    if (this.#settled) return false;
    this.#settled = true;
    if (this.#deadline !== undefined) this.scheduler.timers.cancel(this.#deadline);
    return true;
  }
}
