/**
 * Virtual time: a clock that moves only when it is moved, and what is due at which moment.
 *
 * Everything in the simulated world that takes time (a frame in a cable, a timer of a station)
 * is one entry. Entries due at the same moment happen in the order in which they were made, so a
 * run depends on its seed alone.
 */

import { assert } from '../base/assert.ts';
import { type Deadline, DeadlineQueue } from '../base/deadline.ts';

/** Something that will happen, and can be called off until then. */
export type Appointment = Deadline<() => void>;

/** The clock of a world and everything that is to come. */
export class Agenda {
  #nowMs: number;
  readonly #queue = new DeadlineQueue<() => void>();

  constructor(startMs = 0) {
    this.#nowMs = startMs;
  }

  /** Virtual monotonic milliseconds. */
  get nowMs(): number {
    return this.#nowMs;
  }

  /** When the next entry is due; Infinity if nothing is to come. */
  nextAtMs(): number {
    return this.#queue.nextAtMs();
  }

  /** `what` happens at `atMs`, or now if that is past. */
  at(atMs: number, what: () => void): Appointment {
    return this.#queue.schedule(Math.max(atMs, this.#nowMs), what);
  }

  /** `what` happens `delayMs` from now. */
  after(delayMs: number, what: () => void): Appointment {
    return this.at(this.#nowMs + delayMs, what);
  }

  /** Calls an entry off; nothing happens if it is past or undefined. */
  cancel(appointment: Appointment | undefined): void {
    if (appointment !== undefined) this.#queue.cancel(appointment);
  }

  /** Lets everything until `untilMs` happen, each at its time; the clock never goes back. */
  advance(untilMs: number): void {
    assert(untilMs >= this.#nowMs, `the clock would go back from ${this.#nowMs} to ${untilMs}`);
    for (;;) {
      const nextMs = this.#queue.nextAtMs();
      if (nextMs > untilMs) break;
      this.#nowMs = nextMs;
      this.#queue.popDue(nextMs)?.();
    }
    this.#nowMs = untilMs;
  }
}
