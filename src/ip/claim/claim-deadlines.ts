/**
 * When the claims of one LAN are next to be handled, at the pace of the LAN (pace.ts).
 *
 * First announcements of series wait in a queue of their own and pass all others: peers send to a
 * dead NIC until they receive one.
 */

import { DeadlineQueue } from '../../base/deadline.ts';
import type { Claim } from './dad.ts';
import type { Pace } from './pace.ts';

/** The deadlines of all claims of one LAN. */
export class ClaimDeadlines {
  readonly #pace: Pace;
  /** First announcements of series that may not begin yet; all other deadlines. */
  readonly #first = new DeadlineQueue<Claim>();
  readonly #queue = new DeadlineQueue<Claim>();

  constructor(pace: Pace) {
    this.#pace = pace;
  }

  /** First announcements that wait. */
  get firstCount(): number {
    return this.#first.size;
  }

  /** A first announcement may leave now: none waits that was there before. */
  isFirstNext(nowMs: number): boolean {
    return this.#first.nextAtMs() > nowMs && this.#pace.hasRoom(true, nowMs);
  }

  schedule(claim: Claim, atMs: number): void {
    this.cancel(claim);
    claim.isFirst = claim.state === 'announcing' && claim.sent === 0;
    claim.deadline = this.#queueOf(claim).schedule(atMs, claim);
  }

  cancel(claim: Claim): void {
    if (claim.deadline !== undefined) this.#queueOf(claim).cancel(claim.deadline);
    claim.deadline = undefined;
  }

  /** The next claim that is due, if the pace lets it send; its deadline is over. */
  takeDue(nowMs: number): Claim | undefined {
    const claim = this.#takeDue(this.#first, nowMs) ?? this.#takeDue(this.#queue, nowMs);
    if (claim !== undefined) claim.deadline = undefined;
    return claim;
  }

  pollAt(): number {
    return Math.min(this.#nextAtMs(this.#first), this.#nextAtMs(this.#queue));
  }

  #takeDue(queue: DeadlineQueue<Claim>, nowMs: number): Claim | undefined {
    if (queue.nextAtMs() > nowMs) return undefined;
    return this.#pace.hasRoom(queue === this.#first, nowMs) ? queue.popDue(nowMs) : undefined;
  }

  #nextAtMs(queue: DeadlineQueue<Claim>): number {
    return Math.max(queue.nextAtMs(), this.#pace.roomAtMs(queue === this.#first));
  }

  #queueOf(claim: Claim): DeadlineQueue<Claim> {
    return claim.isFirst ? this.#first : this.#queue;
  }
}
