/**
 * One result shared by all requests of about the same time, made again when it is old: a storm of
 * scrapes costs one collection (T23).
 */

/** How long a text is valid: at most four collections a second. */
export const SHARED_MS = 250;

/** What is made at most once in `forMs` milliseconds, never twice at a time. */
export class Shared<Made> {
  readonly #make: () => Promise<Made>;
  readonly #forMs: number;
  readonly #nowMs: () => number;
  #begunMs = Number.NEGATIVE_INFINITY;
  #made: Promise<Made> | undefined;
  #isMaking = false;

  /** `nowMs` is a monotonic clock. The age counts from the beginning of the making. */
  constructor(make: () => Promise<Made>, forMs: number, nowMs: () => number) {
    this.#make = make;
    this.#forMs = forMs;
    this.#nowMs = nowMs;
  }

  /** The shared result; a failure goes to every caller that waits for it, and is not kept. */
  get(): Promise<Made> {
    const nowMs = this.#nowMs();
    const isYoung = this.#isMaking || nowMs - this.#begunMs < this.#forMs;
    if (this.#made !== undefined && isYoung) return this.#made;
    const made = this.#make();
    this.#made = made;
    this.#begunMs = nowMs;
    this.#isMaking = true;
    made.then(
      () => {
        this.#isMaking = false;
      },
      () => {
        this.#isMaking = false;
        this.#made = undefined;
      },
    );
    return made;
  }
}

/** Text that is made at most every 250 ms, for any number of requests. */
export class SharedText extends Shared<string> {
  constructor(render: () => Promise<string>, nowMs: () => number) {
    super(render, SHARED_MS, nowMs);
  }
}
