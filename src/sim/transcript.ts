/**
 * What happened in a world, one line each, with its virtual time; and a digest of it all, which
 * is the same for every run of the same seed.
 */

import type { Agenda } from './agenda.ts';

/** Lines kept; older ones only count for the digest (ours). */
const LINES_MAX = 20_000;

/** Offset basis and prime of the 32-bit FNV-1a hash. */
const DIGEST_START = 0x811c9dc5;
const DIGEST_FACTOR = 0x01000193;

/** The story of one run. */
export class Transcript {
  /** Shows each line as it is written. */
  onLine: ((line: string) => void) | undefined;
  readonly #agenda: Agenda;
  #lines: string[] = [];
  #written = 0;
  #digest = DIGEST_START;

  constructor(agenda: Agenda) {
    this.#agenda = agenda;
  }

  /** The last lines, oldest first. */
  get lines(): readonly string[] {
    return this.#lines;
  }

  /** How many lines were written. */
  get written(): number {
    return this.#written;
  }

  /** Eight hexadecimal digits that depend on every line written. */
  get digest(): string {
    return (this.#digest >>> 0).toString(16).padStart(8, '0');
  }

  /** Writes what `who` did or saw. */
  write(who: string, what: string): void {
    const line = `${this.#agenda.nowMs.toFixed(3).padStart(11)} ms  ${who.padEnd(8)} ${what}`;
    for (let i = 0; i < line.length; i++) {
      this.#digest = Math.imul(this.#digest ^ line.charCodeAt(i), DIGEST_FACTOR);
    }
    this.#written++;
    this.#lines.push(line);
    if (this.#lines.length > 2 * LINES_MAX) this.#lines = this.#lines.slice(-LINES_MAX);
    this.onLine?.(line);
  }
}
