/**
 * What became of a stream of echo requests: sent, answered, lost, answered twice, and the longest
 * time without an answer, over all and around each marked event.
 *
 * The gap of an event is the longest time between two successive answers of which the later one
 * came after the mark; silence at the end counts up to the last moment of the record.
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
  readonly duplicates: number;
  readonly longestGapMs: number;
  /** From one mark to the next; the first window, before any mark, is called `start`. */
  readonly windows: readonly EchoWindow[];
}

interface Mark {
  readonly label: string;
  readonly atMs: number;
}

/** Ours: an hour at a thousand requests a second; memory stays below 60 MB. */
export const MAX_REQUESTS = 3_600_000;

/** The record of one stream; sequence numbers count from 0 without gaps. */
export class EchoRecord {
  readonly #sentAtMs: number[] = [];
  readonly #answeredAtMs: number[] = [];
  readonly #arrivalsMs: number[] = [];
  readonly #marks: Mark[];
  #duplicates = 0;

  constructor(startMs: number) {
    this.#marks = [{ label: 'start', atMs: startMs }];
  }

  /** Number of the next request. */
  get nextSequence(): number {
    return this.#sentAtMs.length;
  }

  get isFull(): boolean {
    return this.nextSequence >= MAX_REQUESTS;
  }

  /** The request `nextSequence` leaves now. */
  addSent(nowMs: number): void {
    this.#sentAtMs.push(nowMs);
  }

  /** An answer has come; one for a request that was never sent is ignored. */
  addAnswer(sequence: number, nowMs: number): void {
    if (sequence < 0 || sequence >= this.nextSequence) return;
    if (this.#answeredAtMs[sequence] !== undefined) {
      this.#duplicates += 1;
      return;
    }
    this.#answeredAtMs[sequence] = nowMs;
    this.#arrivalsMs.push(nowMs);
  }

  /** An event begins now; what follows belongs to it until the next mark. */
  mark(label: string, nowMs: number): void {
    this.#marks.push({ label, atMs: nowMs });
  }

  /** The summary as of `nowMs`; requests not answered by then count as lost. */
  summary(nowMs: number): EchoSummary {
    const windows = this.#marks.map((mark, index) =>
      this.#window(mark, this.#marks[index + 1]?.atMs ?? nowMs),
    );
    const sent = this.nextSequence;
    const received = this.#arrivalsMs.length;
    return {
      sent,
      received,
      lost: sent - received,
      duplicates: this.#duplicates,
      longestGapMs: Math.max(...windows.map((window) => window.longestGapMs)),
      windows,
    };
  }

  #window(mark: Mark, endMs: number): EchoWindow {
    let sent = 0;
    let lost = 0;
    for (const [sequence, atMs] of this.#sentAtMs.entries()) {
      if (atMs < mark.atMs || atMs >= endMs) continue;
      sent += 1;
      if (this.#answeredAtMs[sequence] === undefined) lost += 1;
    }
    return { label: mark.label, sent, lost, longestGapMs: this.#longestGap(mark.atMs, endMs) };
  }

  #longestGap(fromMs: number, endMs: number): number {
    let longest = 0;
    let previous = fromMs;
    for (const atMs of this.#arrivalsMs) {
      if (atMs < fromMs) {
        previous = atMs;
        continue;
      }
      longest = Math.max(longest, Math.min(atMs, endMs) - previous);
      if (atMs >= endMs) return longest;
      previous = atMs;
    }
    return Math.max(longest, endMs - previous);
  }
}
