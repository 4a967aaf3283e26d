/**
 * A stream of echo requests at a steady pace, and what became of each: answered, answered twice,
 * lost; and the longest time without an answer around each marked event.
 */

import type { IpAddress } from '../../wire/addr.ts';
import type { Agenda, Appointment } from '../agenda.ts';

/** What happened between two marks. */
export interface EchoWindow {
  readonly label: string;
  readonly sent: number;
  readonly lost: number;
  /** Longest time between two answers of which the later one came in this window. */
  readonly longestGapMs: number;
}

/** What happened altogether. */
export interface EchoResult {
  readonly sent: number;
  readonly answered: number;
  readonly lost: number;
  readonly duplicates: number;
  readonly windows: readonly EchoWindow[];
}

/** The sender, the target, how often. */
export interface EchoStreamOptions {
  readonly agenda: Agenda;
  readonly source: IpAddress;
  readonly destination: IpAddress;
  readonly intervalMs: number;
  /** Sends request number `index`, counted from 0. */
  send(index: number): void;
}

/** A running or finished stream. */
export class EchoStream {
  readonly source: IpAddress;
  readonly destination: IpAddress;
  readonly #options: EchoStreamOptions;
  readonly #sentMs: number[] = [];
  readonly #answeredMs: (number | undefined)[] = [];
  readonly #arrivalsMs: number[] = [];
  readonly #marks: { label: string; atMs: number }[];
  #duplicates = 0;
  #next: Appointment | undefined;

  constructor(options: EchoStreamOptions) {
    this.#options = options;
    this.source = options.source;
    this.destination = options.destination;
    this.#marks = [{ label: 'start', atMs: options.agenda.nowMs }];
    this.#next = options.agenda.after(0, () => this.#sendNext());
  }

  /** No more requests; answers under way still count. */
  stop(): void {
    this.#options.agenda.cancel(this.#next);
    this.#next = undefined;
  }

  /** From now on belongs to the window `label`. */
  mark(label: string): void {
    this.#marks.push({ label, atMs: this.#options.agenda.nowMs });
  }

  /** An answer to request `index` has come. */
  handleAnswer(index: number): void {
    if (index >= this.#sentMs.length) return;
    if (this.#answeredMs[index] !== undefined) {
      this.#duplicates++;
      return;
    }
    this.#answeredMs[index] = this.#options.agenda.nowMs;
    this.#arrivalsMs.push(this.#options.agenda.nowMs);
  }

  /** The counts so far; requests without an answer count as lost. */
  result(): EchoResult {
    const sent = this.#sentMs.length;
    const answered = this.#arrivalsMs.length;
    const lost = sent - answered;
    const windows = this.#marks.map((_mark, index) => this.#window(index));
    return { sent, answered, lost, duplicates: this.#duplicates, windows };
  }

  /** The window of the last mark named `label`. */
  window(label: string): EchoWindow | undefined {
    const index = this.#marks.findLastIndex((mark) => mark.label === label);
    return index < 0 ? undefined : this.#window(index);
  }

  #sendNext(): void {
    const { agenda, intervalMs, send } = this.#options;
    const index = this.#sentMs.length;
    this.#sentMs.push(agenda.nowMs);
    this.#answeredMs.push(undefined);
    this.#next = agenda.after(intervalMs, () => this.#sendNext());
    send(index);
  }

  #window(markIndex: number): EchoWindow {
    const { label, atMs: fromMs } = this.#marks[markIndex]!;
    const untilMs = this.#marks[markIndex + 1]?.atMs ?? Number.POSITIVE_INFINITY;
    let sent = 0;
    let lost = 0;
    for (const [index, sentMs] of this.#sentMs.entries()) {
      if (sentMs < fromMs || sentMs >= untilMs) continue;
      sent++;
      if (this.#answeredMs[index] === undefined) lost++;
    }
    return { label, sent, lost, longestGapMs: this.#longestGap(fromMs, untilMs) };
  }

  #longestGap(fromMs: number, untilMs: number): number {
    let longest = 0;
    let before = fromMs;
    for (const atMs of this.#arrivalsMs) {
      if (atMs >= untilMs) break;
      if (atMs >= fromMs) longest = Math.max(longest, atMs - before);
      before = atMs;
    }
    const lastSentMs = this.#sentMs.at(-1) ?? fromMs;
    const endMs = Math.min(untilMs, Math.max(lastSentMs, before));
    return Math.max(longest, endMs - Math.max(before, Math.min(fromMs, endMs)));
  }
}
