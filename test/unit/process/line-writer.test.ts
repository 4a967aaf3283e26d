/** Lines to a reader that goes, comes back, or takes its time. */

import { equal, ok } from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { closeSync, constants, mkdtempSync, openSync, readSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import { until } from '../../../src/lab/until.ts';
import { LineWriter } from '../../../src/process/line-writer.ts';

const WAIT_MS = 20_000;

/** A pipe with a name: a reader that does not wait, and what was written to it. */
class Pipe {
  readonly #folder = mkdtempSync(join(tmpdir(), 'ipmpd-lines-'));
  readonly #path = join(this.#folder, 'pipe');
  #reader: number;
  readonly writer: number;

  constructor() {
    execFileSync('mkfifo', [this.#path]);
    this.#reader = this.#open();
    this.writer = openSync(this.#path, constants.O_WRONLY | constants.O_NONBLOCK);
  }

  #open(): number {
    return openSync(this.#path, constants.O_RDONLY | constants.O_NONBLOCK);
  }

  /** The reader goes: a write fails with EPIPE. */
  leave(): void {
    closeSync(this.#reader);
  }

  comeBack(): void {
    this.#reader = this.#open();
  }

  /** What has arrived since the last time. */
  read(): string {
    const bytes = Buffer.alloc(1 << 20);
    try {
      return bytes.toString('latin1', 0, readSync(this.#reader, bytes));
    } catch (error) {
      equal((error as NodeJS.ErrnoException).code, 'EAGAIN');
      return '';
    }
  }

  [Symbol.dispose](): void {
    closeSync(this.#reader);
    closeSync(this.writer);
    rmSync(this.#folder, { recursive: true });
  }
}

test('lines for a reader that is gone are lost, counted; the next reader gets more', async () => {
  using pipe = new Pipe();
  const lines = new LineWriter(pipe.writer);
  const told: number[] = [];
  lines.onRecovered = (lost) => told.push(lost);
  pipe.leave();
  lines.write('one\n');
  lines.write('two\n');
  await until('both are lost', WAIT_MS, () => lines.lost === 2);
  pipe.comeBack();
  let text = '';
  let written = 0;
  await until('a line arrives', WAIT_MS, () => {
    lines.write('more\n');
    written++;
    text += pipe.read();
    return text.includes('more');
  });
  // What is still under way must not meet another pipe behind the same number.
  await until('all of them arrive', WAIT_MS, () => {
    text += pipe.read();
    return text.split('more\n').length - 1 === written;
  });
  await until('the loss is reported', WAIT_MS, () => told.length > 0);
  equal(told.join(), '2');
  ok(!/one|two/.test(text), text);
});

test('a pipe that is full and does not block is tried again: all arrives, in order', async () => {
  using pipe = new Pipe();
  const lines = new LineWriter(pipe.writer);
  const count = 20_000;
  for (let n = 0; n < count; n++) lines.write(`line ${n}\n`);
  let text = '';
  await until('all arrives', WAIT_MS, () => {
    text += pipe.read();
    return text.endsWith(`line ${count - 1}\n`);
  });
  equal(text, Array.from({ length: count }, (_, n) => `line ${n}\n`).join(''));
});
