/**
 * The table of neighbour cache entries and its limits (T6: a scan by or through the host
 * must not push out the neighbours that are in use).
 *
 * Entries that may make room are in three queues, oldest first, in the order in which they are
 * given up: those that failed, those that were only ever claimed, and stale ones that once
 * answered. Entries in use (REACHABLE, PROBE), being asked or set by the operator are in
 * none. An address that a claim alone would add never pushes out one that answered. Gateways are
 * passed over.
 *
 * Invariants
 * 1. At most `limit` entries; at most `incompleteLimit` of them new ones being asked. When the
 *    limit is lowered, those in use beyond it stay until they may make room, and none is added.
 * 2. An entry is in the queue that its state names, or in none.
 * 3. The count of a MAC is the number of entries that have it.
 */

import { assert } from '../../base/assert.ts';
import { NEIGHBOR_LIMIT_MAX, NEIGHBOR_LIMIT_MIN } from '../../model/limits.ts';
import type { IpAddress, Mac } from '../../wire/addr.ts';
import { Nce } from './nce.ts';

// Ours
/** Entries per LAN, unless the operator chooses. */
export const NEIGHBOR_LIMIT_DEFAULT = 1024;
/** Entries being asked at a time (T6), and never more than a quarter of the table. */
export const INCOMPLETE_LIMIT = 256;
/** Gateways passed over in one search for room; more of them mean there is none. */
const GATEWAYS_PASSED = 16;

/** Why an entry may be added: the host or the stack needs it, or a station claimed it. */
export type Admission = 'needed' | 'claimed';

/** The entries of one LAN. */
export class NeighborCache {
  #limit = 0;
  readonly #isGateway: (address: IpAddress) => boolean;
  readonly #entries = new Map<IpAddress, Nce>();
  readonly #macUsers = new Map<Mac, number>();
  readonly #failed = new Set<Nce>();
  readonly #claimed = new Set<Nce>();
  readonly #stale = new Set<Nce>();
  readonly #incomplete = new Set<Nce>();
  /** Called with an entry that is about to leave the table. */
  readonly #onRemoved: (nce: Nce) => void;

  constructor(
    limit: number,
    isGateway: (address: IpAddress) => boolean,
    onRemoved: (nce: Nce) => void,
  ) {
    this.#isGateway = isGateway;
    this.#onRemoved = onRemoved;
    this.setLimit(limit);
  }

  get limit(): number {
    return this.#limit;
  }

  get incompleteLimit(): number {
    return Math.min(INCOMPLETE_LIMIT, this.#limit >> 2);
  }

  /** Another limit; entries that may make room do so at once. */
  setLimit(limit: number): void {
    assert(limit >= NEIGHBOR_LIMIT_MIN && limit <= NEIGHBOR_LIMIT_MAX, `neighbor limit ${limit}`);
    this.#limit = limit;
    while (this.#entries.size > limit) if (!this.#makeRoom('needed')) return;
  }

  get size(): number {
    return this.#entries.size;
  }

  /** Entries without a MAC that are being asked. */
  get incompleteCount(): number {
    return this.#incomplete.size;
  }

  get(address: IpAddress): Nce | undefined {
    return this.#entries.get(address);
  }

  entries(): IterableIterator<Nce> {
    return this.#entries.values();
  }

  /** Some entry has this MAC. */
  isMacUsed(mac: Mac): boolean {
    return this.#macUsers.has(mac);
  }

  /** There is room for another entry that is being asked. */
  mayAsk(): boolean {
    return this.#incomplete.size < this.incompleteLimit;
  }

  /** A new entry in state NONE, or undefined when no other may give way. */
  add(address: IpAddress, admission: Admission): Nce | undefined {
    assert(!this.#entries.has(address), 'the neighbour is in the table');
    while (this.#entries.size >= this.limit) if (!this.#makeRoom(admission)) return undefined;
    const nce = new Nce(address);
    this.#entries.set(address, nce);
    return nce;
  }

  remove(nce: Nce): void {
    assert(this.#entries.get(nce.address) === nce, 'the neighbour is in the table');
    this.#onRemoved(nce);
    this.#leaveQueues(nce);
    this.setMac(nce, 0);
    this.#entries.delete(nce.address);
  }

  setMac(nce: Nce, mac: Mac): void {
    if (nce.mac === mac) return;
    if (nce.mac !== 0) {
      const left = this.#macUsers.get(nce.mac)! - 1;
      if (left === 0) this.#macUsers.delete(nce.mac);
      else this.#macUsers.set(nce.mac, left);
    }
    if (mac !== 0) this.#macUsers.set(mac, (this.#macUsers.get(mac) ?? 0) + 1);
    nce.mac = mac;
  }

  /**
   * Puts the entry into the queue of its state, at its young end; to be called on each change.
   * While the table is over its limit an entry that may make room now does so, perhaps this one.
   */
  touch(nce: Nce): void {
    this.#leaveQueues(nce);
    if (nce.state === 'FAILED') this.#failed.add(nce);
    if (nce.state === 'STALE') (nce.everConfirmed ? this.#stale : this.#claimed).add(nce);
    if (nce.state === 'INCOMPLETE' && nce.mac === 0) this.#incomplete.add(nce);
    if (this.#entries.size > this.#limit) this.#makeRoom('needed');
  }

  #leaveQueues(nce: Nce): void {
    this.#failed.delete(nce);
    this.#claimed.delete(nce);
    this.#stale.delete(nce);
    this.#incomplete.delete(nce);
  }

  #makeRoom(admission: Admission): boolean {
    const queues = [this.#failed, this.#claimed];
    if (admission === 'needed') queues.push(this.#stale);
    for (const queue of queues) {
      const victim = this.#oldest(queue);
      if (victim === undefined) continue;
      this.remove(victim);
      return true;
    }
    return false;
  }

  #oldest(queue: Set<Nce>): Nce | undefined {
    let passed = 0;
    for (const nce of queue) {
      if (!this.#isGateway(nce.address)) return nce;
      if (++passed > GATEWAYS_PASSED) return undefined;
    }
    return undefined;
  }
}
