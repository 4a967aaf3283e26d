/**
 * What may wait, in its order: so many at a time, the next ones a moment later. So a failover of
 * thousands of addresses neither floods the LAN nor holds anything else up.
 */

import { BROADCASTS_A_MS } from './pace.ts';

const TURN_MS = 1;

/** Items that wait to be sent, at most `limit`. */
export class PacedQueue<T> {
  readonly #limit: number;
  readonly #send: (item: T, nowMs: number) => void;
  #items: T[] = [];
  #done = 0;
  #atMs = Number.POSITIVE_INFINITY;

  constructor(limit: number, send: (item: T, nowMs: number) => void) {
    this.#limit = limit;
    this.#send = send;
  }

  /** Adds an item, to be sent when it is next told the time; false if there is no room. */
  add(item: T, nowMs: number): boolean {
    if (this.#items.length - this.#done >= this.#limit) return false;
    this.#items.push(item);
    if (this.#atMs === Number.POSITIVE_INFINITY) this.#atMs = nowMs;
    return true;
  }

  handleTime(nowMs: number): void {
    if (nowMs < this.#atMs) return;
    const end = Math.min(this.#items.length, this.#done + BROADCASTS_A_MS);
    for (; this.#done < end; this.#done++) this.#send(this.#items[this.#done] as T, nowMs);
    if (this.#done < this.#items.length) {
      this.#atMs = nowMs + TURN_MS;
      return;
    }
    this.#items = [];
    this.#done = 0;
    this.#atMs = Number.POSITIVE_INFINITY;
  }

  pollAt(): number {
    return this.#atMs;
  }
}
