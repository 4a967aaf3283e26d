/**
 * What `monitor` shows: one event for each change of state, with its cause (contract 4). Events
 * are queued where the change happens and taken by the shell afterwards, so nothing is ever
 * delivered with a region open.
 */

import { assertNoOpenRegion } from '../../base/lock.ts';
import type { Cause } from '../../model/causes.ts';
import type { EventName } from '../../model/events.ts';
import type { InterfaceType } from '../../model/states.ts';

/** One change of state. */
export interface SystemEvent {
  /** Monotonic milliseconds. */
  readonly atMs: number;
  readonly event: EventName;
  readonly group: string | null;
  readonly ifname: string | null;
  readonly from: string | null;
  readonly to: string | null;
  readonly cause: Cause;
  /** What `from` and `to` do not say: mostly the address concerned. */
  readonly detail: string | null;
  /** Of the interface; null without one. */
  readonly type: InterfaceType | null;
  /** Of the group, or of the interface without one, after this (docs/law.md row 107). */
  readonly signature: string | null;
}

/**
 * A first-in first-out queue towards the shell, with a limit; what does not fit is lost and
 * counted. It is a boundary: with a region open nothing may be put into it.
 */
export class Fifo<T> {
  /** What it carries: `event`. */
  readonly what: string;
  readonly limit: number;
  #items: T[] = [];
  #head = 0;
  #lost = 0;

  constructor(what: string, limit: number) {
    this.what = what;
    this.limit = limit;
  }

  get size(): number {
    return this.#items.length - this.#head;
  }

  /** How many items did not fit. */
  get lost(): number {
    return this.#lost;
  }

  /** Appends; answers whether there was room. */
  push(item: T): boolean {
    assertNoOpenRegion(this.what);
    if (this.size >= this.limit) {
      this.#lost++;
      return false;
    }
    this.#items.push(item);
    return true;
  }

  /** Takes the oldest, undefined when empty. */
  shift(): T | undefined {
    if (this.#head >= this.#items.length) return undefined;
    const item = this.#items[this.#head];
    this.#head++;
    if (this.#head > 1024 && this.#head * 2 > this.#items.length) {
      this.#items = this.#items.slice(this.#head);
      this.#head = 0;
    }
    return item;
  }
}
