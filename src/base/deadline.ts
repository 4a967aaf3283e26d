/**
 * A queue of deadlines: a binary heap ordered by time, and among equal times by the order of
 * scheduling, so that a run in virtual time is the same every time. It owns no clock; its owner
 * asks when the next deadline is and takes what is due.
 */

import { assert } from './assert.ts';

const GONE = -1;

/** One scheduled value; handed back by `schedule`, given to `cancel`. */
export class Deadline<T> {
  /** When it is due, in monotonic milliseconds. */
  readonly atMs: number;
  readonly value: T;
  /** Order among equal times. */
  readonly sequence: number;
  /** Place in the heap; negative once it was taken or cancelled. Owned by the queue. */
  place: number;

  constructor(atMs: number, value: T, sequence: number, place: number) {
    this.atMs = atMs;
    this.value = value;
    this.sequence = sequence;
    this.place = place;
  }
}

/** Values ordered by the time at which they are due. */
export class DeadlineQueue<T> {
  #heap: Deadline<T>[] = [];
  #nextSequence = 0;

  /** How many deadlines are pending. */
  get size(): number {
    return this.#heap.length;
  }

  /** Adds `value`, due at `atMs`; Infinity means never and is refused. */
  schedule(atMs: number, value: T): Deadline<T> {
    assert(Number.isFinite(atMs), `deadline at ${atMs}`);
    const deadline = new Deadline(atMs, value, this.#nextSequence++, this.#heap.length);
    this.#heap.push(deadline);
    this.#rise(deadline);
    return deadline;
  }

  /** Takes the deadline out; does nothing if it is no longer pending. */
  cancel(deadline: Deadline<T>): void {
    if (deadline.place === GONE) return;
    assert(this.#heap[deadline.place] === deadline, 'deadline of another queue');
    this.#remove(deadline);
  }

  /** When the earliest deadline is due; Infinity if there is none. */
  nextAtMs(): number {
    return this.#heap[0]?.atMs ?? Number.POSITIVE_INFINITY;
  }

  /** Takes the earliest value that is due at `nowMs`; undefined if none is. */
  popDue(nowMs: number): T | undefined {
    const first = this.#heap[0];
    if (first === undefined || first.atMs > nowMs) return undefined;
    this.#remove(first);
    return first.value;
  }

  #remove(deadline: Deadline<T>): void {
    const last = this.#heap.pop()!;
    if (last !== deadline) {
      this.#put(last, deadline.place);
      this.#sink(last);
      this.#rise(last);
    }
    deadline.place = GONE;
  }

  #put(deadline: Deadline<T>, place: number): void {
    this.#heap[place] = deadline;
    deadline.place = place;
  }

  #rise(deadline: Deadline<T>): void {
    while (deadline.place > 0) {
      const place = deadline.place;
      const parent = this.#heap[(place - 1) >> 1]!;
      if (!isBefore(deadline, parent)) return;
      this.#put(deadline, parent.place);
      this.#put(parent, place);
    }
  }

  #sink(deadline: Deadline<T>): void {
    for (;;) {
      const place = deadline.place;
      const left = this.#heap[2 * place + 1];
      const right = this.#heap[2 * place + 2];
      if (left === undefined) return;
      const child = right !== undefined && isBefore(right, left) ? right : left;
      if (!isBefore(child, deadline)) return;
      this.#put(deadline, child.place);
      this.#put(child, place);
    }
  }
}

function isBefore<T>(left: Deadline<T>, right: Deadline<T>): boolean {
  if (left.atMs !== right.atMs) return left.atMs < right.atMs;
  return left.sequence < right.sequence;
}
