/**
 * One rendering shared by all who ask at about the same time: a scrape storm costs one collection
 * (T23).
 */

/** How long a rendering is good for: four collections a second at most. */
const SHARED_MS = 250;

/** Text that is made at most every 250 ms, however many ask. */
export class SharedText {
  readonly #render: () => Promise<string>;
  readonly #nowMs: () => number;
  #madeAtMs = Number.NEGATIVE_INFINITY;
  #text: Promise<string> | undefined;

  /** `nowMs` is a monotonic clock. */
  constructor(render: () => Promise<string>, nowMs: () => number) {
    this.#render = render;
    this.#nowMs = nowMs;
  }

  /** The shared text; a failed rendering fails for those who waited for it and is not kept. */
  get(): Promise<string> {
    const nowMs = this.#nowMs();
    if (this.#text !== undefined && nowMs - this.#madeAtMs < SHARED_MS) return this.#text;
    const text = this.#render();
    this.#text = text;
    this.#madeAtMs = nowMs;
    text.catch(() => {
      if (this.#text === text) this.#text = undefined;
    });
    return text;
  }
}
