/** A rate limit: so many at once, refilled at a steady rate. Owns no clock. */

/** Lets `rate` a second pass in the long run, and `burst` at once. */
export class TokenBucket {
  readonly #ratePerMs: number;
  readonly #burst: number;
  #tokens: number;
  #filledMs = Number.NEGATIVE_INFINITY;

  /** `rate` per second; `burst` at least 1. Full at first. */
  constructor(rate: number, burst: number) {
    this.#ratePerMs = rate / 1000;
    this.#burst = burst;
    this.#tokens = burst;
  }

  /** `take` would succeed now. */
  has(nowMs: number): boolean {
    this.#fill(nowMs);
    return this.#tokens >= 1;
  }

  /** Takes one token; false if there is none. */
  take(nowMs: number): boolean {
    if (!this.has(nowMs)) return false;
    this.#tokens -= 1;
    return true;
  }

  #fill(nowMs: number): void {
    const gained = (nowMs - this.#filledMs) * this.#ratePerMs;
    if (gained > 0) {
      this.#tokens = Math.min(this.#burst, this.#tokens + gained);
      this.#filledMs = nowMs;
    }
  }
}
