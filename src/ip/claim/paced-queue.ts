/**
 * Frames that may wait, in their order, at the pace of their LAN (pace.ts). So a failover of
 * thousands of addresses neither floods the LAN nor holds anything else up.
 */

import type { Pace } from './pace.ts';

/** Items that wait to be sent, at most `limit`. */
export class PacedQueue<T> {
  readonly #limit: number;
  readonly #pace: Pace;
  readonly #send: (item: T) => void;
  #items: T[] = [];
  #done = 0;
  #atMs = Number.POSITIVE_INFINITY;

  constructor(limit: number, pace: Pace, send: (item: T) => void) {
    this.#limit = limit;
    this.#pace = pace;
    this.#send = send;
  }

  /** Adds an item, to be sent at the next `handleTime`; false if there is no room. */
  add(item: T, nowMs: number): boolean {
    if (this.#items.length - this.#done >= this.#limit) return false;
    this.#items.push(item);
    if (this.#atMs === Number.POSITIVE_INFINITY) this.#atMs = nowMs;
    return true;
  }

  handleTime(nowMs: number): void {
    if (nowMs < this.#atMs) return;
    while (this.#done < this.#items.length && this.#pace.hasRoom(false, nowMs)) {
      this.#send(this.#items[this.#done++]!);
      this.#pace.noteSent();
    }
    if (this.#done < this.#items.length) return;
    this.#items = [];
    this.#done = 0;
    this.#atMs = Number.POSITIVE_INFINITY;
  }

  pollAt(): number {
    return Math.max(this.#atMs, this.#pace.roomAtMs(false));
  }
}
