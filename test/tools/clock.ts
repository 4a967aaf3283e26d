/** Time for tests: it stands until a test lets it pass. */

import { DeadlineQueue } from '../../src/base/deadline.ts';
import type { Clock, Timer } from '../../src/process/clock.ts';

/** See the head of the file. */
export class TestClock implements Clock {
  /** The delay of each timer, as they were set. */
  readonly delays: number[] = [];
  readonly #timers = new DeadlineQueue<() => void>();
  #nowMs = 0;

  readonly nowMs = (): number => this.#nowMs;

  readonly after = (delayMs: number, body: () => void): Timer => {
    this.delays.push(delayMs);
    const deadline = this.#timers.schedule(this.#nowMs + delayMs, body);
    return { cancel: () => this.#timers.cancel(deadline) };
  };

  /** Timers that have neither expired nor been cancelled. */
  get pending(): number {
    return this.#timers.size;
  }

  /** Timers that are due then expire, in their order. */
  pass(ms: number): void {
    this.#nowMs += ms;
    let body = this.#timers.popDue(this.#nowMs);
    for (; body !== undefined; body = this.#timers.popDue(this.#nowMs)) body();
  }
}
