/**
 * Lines to a descriptor whose reader may be slow, or gone: written in order, by a thread of Node's
 * own, so that the daemon never waits for the reader. What waits is bounded, and is written before
 * an orderly end.
 *
 * A write that fails costs its lines and nothing else: the next line is tried anew, since a full
 * disk may have room again. A reader that is gone for good (a closed pipe, a lost terminal) costs a
 * failing write a line. (pino's own stream tries such a write again for ever, in a loop that no
 * signal ends, when a fatal line or the end of the process has it flush.)
 */

import { write, writeSync } from 'node:fs';
import { errnoOf } from '../base/errors.ts';
import { hostClock } from './clock.ts';

/** Bytes that wait for the reader (ours): the report of SIGUSR1 on the largest host has room. */
const WAITING_BYTES_MAX = 16 * 1024 * 1024;

/** Bytes in one write: a quarter of a pipe. */
const CHUNK_BYTES = 16 * 1024;

/** A descriptor that does not block and is full (ours): how soon it is tried again, how often. */
const AGAIN_MS = 20;
const AGAIN_AT_EXIT = 50;

/** Writes to one descriptor. */
export class LineWriter {
  readonly #fd: number;
  /** Called when everything is written again after lines were lost. */
  onRecovered: ((lost: number) => void) | undefined;
  #waiting: string[] = [];
  #waitingBytes = 0;
  #isWriting = false;
  /** Lines for which the descriptor was full; they are tried again in a moment. */
  #held: Buffer | undefined;
  #lost = 0;

  constructor(fd: number) {
    this.#fd = fd;
    process.on('exit', () => this.#writeAtExit());
  }

  /** Lines lost since everything was written last. */
  get lost(): number {
    return this.#lost;
  }

  /** Takes one line, or some; a line that finds no room is lost. */
  write(line: string): void {
    const length = Buffer.byteLength(line);
    if (this.#waitingBytes + length > WAITING_BYTES_MAX) {
      this.#lost++;
      return;
    }
    this.#waiting.push(line);
    this.#waitingBytes += length;
    if (!this.#isWriting) this.#writeNext();
  }

  #writeNext(): void {
    let count = 0;
    let length = 0;
    while (count < this.#waiting.length && length < CHUNK_BYTES) {
      length += Buffer.byteLength(this.#waiting[count++] ?? '');
    }
    const lines = this.#waiting.splice(0, count);
    this.#writeChunk(Buffer.from(lines.join('')), lines.length);
  }

  #writeChunk(bytes: Buffer, lines: number): void {
    this.#isWriting = true;
    this.#held = undefined;
    write(this.#fd, bytes, (error, written) => {
      if (error === null && written < bytes.length) {
        this.#waitingBytes -= written;
        this.#writeChunk(bytes.subarray(written), lines);
        return;
      }
      if (error?.code === 'EAGAIN') {
        this.#held = bytes;
        hostClock.after(AGAIN_MS, () => this.#writeChunk(bytes, lines));
        return;
      }
      this.#isWriting = false;
      this.#waitingBytes -= bytes.length;
      if (error !== null) this.#lost += lines;
      if (this.#waiting.length > 0) this.#writeNext();
      else if (error === null && this.#lost > 0) this.#recover();
    });
  }

  #recover(): void {
    const lost = this.#lost;
    this.#lost = 0;
    this.onRecovered?.(lost);
  }

  /** The process ends by a failure: what waits is written now, unless the reader is gone. */
  #writeAtExit(): void {
    const waiting = Buffer.from(this.#waiting.splice(0).join(''));
    let rest = this.#held === undefined ? waiting : Buffer.concat([this.#held, waiting]);
    for (let tries = 0; rest.length > 0 && tries < AGAIN_AT_EXIT; ) {
      try {
        rest = rest.subarray(writeSync(this.#fd, rest));
      } catch (error) {
        if (errnoOf(error) !== 'EAGAIN') return;
        tries++;
        Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, AGAIN_MS);
      }
    }
  }
}
