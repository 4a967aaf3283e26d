/**
 * Lines of a log that others can cause at the rate of their choice: of each kind so many in a
 * while are written, and at its end how many there were beyond that. Owns no clock.
 */

// Ours: a whole small LAN may change at once and be seen, and a flood is twenty lines a second.
const WINDOW_MS = 1000;
const LINES_A_WINDOW = 20;

/** Calls `body` once after some milliseconds. */
type After = (delayMs: number, body: () => void) => unknown;

/** One limit over kinds of lines. Remembers a kind only while its window is open. */
export class LineLimit<K> {
  readonly #after: After;
  readonly #tellMore: (kind: K, count: number) => void;
  /** Kind -> lines since its window began. */
  readonly #counts = new Map<K, number>();

  /** `tellMore` is called at the end of a window in which `count` lines were too many. */
  constructor(after: After, tellMore: (kind: K, count: number) => void) {
    this.#after = after;
    this.#tellMore = tellMore;
  }

  /** Whether one more line of this kind may be written now. */
  admits(kind: K): boolean {
    const count = this.#counts.get(kind);
    if (count === undefined) this.#after(WINDOW_MS, () => this.#endWindow(kind));
    this.#counts.set(kind, (count ?? 0) + 1);
    return (count ?? 0) < LINES_A_WINDOW;
  }

  #endWindow(kind: K): void {
    const more = (this.#counts.get(kind) ?? 0) - LINES_A_WINDOW;
    this.#counts.delete(kind);
    if (more > 0) this.#tellMore(kind, more);
  }
}
