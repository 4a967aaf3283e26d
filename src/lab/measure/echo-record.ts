/**
 * What became of a stream of echo requests: sent, answered, lost, answered twice, and the longest
 * time without an answer, over all and around each marked event.
 *
 * The gap of an event is the longest time between two successive answers of which the later one
 * came after the mark; silence at the end counts up to the last moment of the record.
 *
 * Memory and the time for a summary do not grow with the stream: it may run for days.
 */

/** Counts and gaps of one window of time. Times in milliseconds. */
export interface EchoWindow {
  readonly label: string;
  readonly sent: number;
  readonly lost: number;
  readonly longestGapMs: number;
}

/** Counts and gaps of a whole stream. */
export interface EchoSummary {
  readonly sent: number;
  readonly received: number;
  readonly lost: number;
  /** Of those lost, how many may still be answered: they are younger than a straggler. */
  readonly underWay: number;
  /** Of those lost, how many the sender's kernel refused (no route, no buffer). */
  readonly refused: number;
  readonly duplicates: number;
  readonly longestGapMs: number;
  /**
   * From one mark to the next; the first window, before any mark, is called `start`. The oldest are
   * forgotten when there are too many.
   */
  readonly windows: readonly EchoWindow[];
}

/** A window that counts while time goes by. */
interface Count {
  readonly label: string;
  sent: number;
  answered: number;
  longestGapMs: number;
}

/** Ours: an answer that comes later than this after its request counts as lost by all programs. */
export const STRAGGLERS_MS = 500;

/** Ours: a minute at a thousand requests a second; no answer is that late. */
const REMEMBERED = 1 << 16;
const MAX_WINDOWS = 256;

/** The record of one stream; sequence numbers count from 0 without gaps. */
export class EchoRecord {
  /** By number modulo REMEMBERED: the window of a request without answer, and when it left. */
  readonly #unanswered: (Count | undefined)[] = new Array(REMEMBERED).fill(undefined);
  readonly #sentAtMs = new Float64Array(REMEMBERED);
  readonly #windows: Count[];
  #window: Count;
  /** The last answer; before the first one, when the present window began. */
  #quietSinceMs: number;
  #sent = 0;
  #received = 0;
  #refused = 0;
  #duplicates = 0;
  #longestGapMs = 0;

  constructor(startMs: number) {
    this.#window = newCount('start');
    this.#windows = [this.#window];
    this.#quietSinceMs = startMs;
  }

  /** Number of the next request. */
  get nextSequence(): number {
    return this.#sent;
  }

  /** The request `nextSequence` leaves now. */
  addSent(nowMs: number): void {
    const slot = this.#sent % REMEMBERED;
    this.#unanswered[slot] = this.#window;
    this.#sentAtMs[slot] = nowMs;
    this.#window.sent += 1;
    this.#sent += 1;
  }

  /** A request did not leave: it counts as lost. */
  addRefused(): void {
    this.#refused += 1;
  }

  /** An answer has come; one for a request that was never sent, or long ago, is ignored. */
  addAnswer(sequence: number, nowMs: number): void {
    if (sequence < Math.max(0, this.#sent - REMEMBERED) || sequence >= this.#sent) return;
    const slot = sequence % REMEMBERED;
    const window = this.#unanswered[slot];
    if (window === undefined) {
      this.#duplicates += 1;
      return;
    }
    this.#unanswered[slot] = undefined;
    window.answered += 1;
    this.#received += 1;
    this.#endGap(nowMs);
    this.#quietSinceMs = nowMs;
  }

  /** An event begins now; what follows belongs to it until the next mark. */
  mark(label: string, nowMs: number): void {
    this.#endGap(nowMs);
    if (this.#received === 0) this.#quietSinceMs = nowMs;
    this.#window = newCount(label);
    this.#windows.push(this.#window);
    if (this.#windows.length > MAX_WINDOWS) this.#windows.shift();
  }

  /** The summary as of `nowMs`; requests not answered by then count as lost. */
  summary(nowMs: number): EchoSummary {
    const silenceMs = nowMs - this.#quietSinceMs;
    const windows = this.#windows.map((window) => ({
      label: window.label,
      sent: window.sent,
      lost: window.sent - window.answered,
      longestGapMs:
        window === this.#window ? Math.max(window.longestGapMs, silenceMs) : window.longestGapMs,
    }));
    return {
      sent: this.#sent,
      received: this.#received,
      lost: this.#sent - this.#received,
      underWay: this.#countUnderWay(nowMs),
      refused: this.#refused,
      duplicates: this.#duplicates,
      longestGapMs: Math.max(this.#longestGapMs, silenceMs),
      windows,
    };
  }

  #endGap(nowMs: number): void {
    const gapMs = nowMs - this.#quietSinceMs;
    this.#window.longestGapMs = Math.max(this.#window.longestGapMs, gapMs);
    this.#longestGapMs = Math.max(this.#longestGapMs, gapMs);
  }

  #countUnderWay(nowMs: number): number {
    let count = 0;
    const oldest = Math.max(0, this.#sent - REMEMBERED);
    for (let sequence = this.#sent - 1; sequence >= oldest; sequence -= 1) {
      const slot = sequence % REMEMBERED;
      if (nowMs - (this.#sentAtMs[slot] ?? 0) > STRAGGLERS_MS) break;
      if (this.#unanswered[slot] !== undefined) count += 1;
    }
    return count;
  }
}

function newCount(label: string): Count {
  return { label, sent: 0, answered: 0, longestGapMs: 0 };
}
