/**
 * What `monitor` shows: one event for each change of state, with its cause (contract 4). Events
 * are queued where the change happens and taken by the shell afterwards, so nothing is ever
 * delivered with a region open.
 */

import { assertNoOpenRegion } from '../../base/lock.ts';
import type { Cause } from '../../model/causes.ts';

/** The kinds of events. `from` and `to` mean what the comment says. */
export type EventName =
  | 'interface-added' /* to: state */
  | 'interface-removed' /* from: state */
  | 'interface-state' /* states of contract 4: ok failed offline absent */
  | 'interface-active' /* active | inactive: may it carry data now */
  | 'interface-link' /* up | down | unknown */
  | 'interface-damped' /* to: seconds until it is looked at again */
  | 'interface-standby' /* on | off */
  | 'group-added'
  | 'group-removed'
  | 'group-renamed' /* names; group: the new one */
  | 'group-state' /* ok degraded failed */
  | 'group-mtu' /* bytes */
  | 'member-added' /* to: state */
  | 'member-removed' /* from: state */
  | 'nominated' /* interfaces: who carries broadcast and multicast */
  | 'address-added' /* to: the address */
  | 'address-removed' /* from: the address */
  | 'address-moved' /* interfaces; detail: the address */
  | 'address-state' /* states of contract 4; detail: the address, and who else uses it */
  | 'address-defended' /* to: the other station; detail: the address */
  | 'neighbor-moved' /* MACs; detail: the neighbour */
  | 'neighbor-state' /* lost, found, set or removed: states of `neighbor show`; detail: as above */
  | 'kstat-installed' /* ids of the chain; detail: module:instance:name */
  | 'kstat-removed' /* the same */
  | 'configuration-changed' /* detail: by which command */
  | 'configuration-reloaded' /* detail: how many changes */
  | 'configuration-refused'; /* detail: the first mistake */

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
