/**
 * The terminal while the live view has it: alternate screen, keys one by one, no cursor.
 *
 * It is given back on every way out: `leave()` is also called when an exception ends the process
 * (before its message is printed, which would vanish with the alternate screen) and at exit. After
 * a stop and SIGCONT the screen is taken anew, since shells put the terminal back.
 *
 * Only lines that have changed are written, each at its place and in one write for all, so nothing
 * flickers. A line that reaches the last column is not cleared behind its end: terminals that wait
 * there with the wrap would clear its last character.
 */

import type { ReadStream, WriteStream } from 'node:tty';
import { type Line, lineText, lineWidth } from './text.ts';

/** xterm's private modes: alternate screen, cursor. */
const ENTER = '\x1b[?1049h\x1b[?25l\x1b[H\x1b[2J';
const LEAVE = '\x1b[0m\x1b[?25h\x1b[?1049l';
const CLEAR_TO_END = '\x1b[K';
const CLEAR = '\x1b[2J';

export interface ScreenOptions {
  readonly input: ReadStream;
  readonly output: WriteStream;
  readonly hasColour: boolean;
  /** Draw now: the window has another size, or what it shows was lost. */
  readonly onChange: () => void;
  readonly onInput: (text: string) => void;
  /** The terminal is not there any more. */
  readonly onGone: () => void;
}

/** Taken by `enter`, given back by `leave`. */
export class Screen {
  readonly #options: ScreenOptions;
  #shown: string[] = [];
  #isEntered = false;

  constructor(options: ScreenOptions) {
    this.#options = options;
  }

  /** A terminal without a size (0) is taken for the usual one. */
  get size(): { readonly width: number; readonly height: number } {
    const { columns, rows } = this.#options.output;
    return { width: columns || 80, height: rows || 24 };
  }

  enter(): void {
    const { input, output } = this.#options;
    this.#isEntered = true;
    input.setEncoding('utf8');
    input.setRawMode(true);
    input.on('data', this.#onData);
    input.on('end', this.#onGone);
    input.on('error', this.#onGone);
    input.resume();
    output.on('resize', this.#onResize);
    output.on('error', this.#onGone);
    process.on('SIGCONT', this.#onContinue);
    process.on('uncaughtExceptionMonitor', this.#onExit);
    process.on('exit', this.#onExit);
    output.write(ENTER);
  }

  /** May be called more than once. */
  leave(): void {
    if (!this.#isEntered) return;
    this.#isEntered = false;
    const { input, output } = this.#options;
    input.off('data', this.#onData);
    input.off('end', this.#onGone);
    output.off('resize', this.#onResize);
    process.off('SIGCONT', this.#onContinue);
    process.off('uncaughtExceptionMonitor', this.#onExit);
    process.off('exit', this.#onExit);
    output.write(LEAVE);
    setRaw(input, false);
    input.pause();
  }

  /** Shows `lines`, none longer than the screen is wide, from the top; what is below is cleared. */
  draw(lines: readonly Line[]): void {
    if (!this.#isEntered) return;
    const { output, hasColour } = this.#options;
    const { width, height } = this.size;
    const texts = lines.slice(0, height).map((line) => {
      const isFull = lineWidth(line) >= width;
      return lineText(line, hasColour) + (isFull ? '' : CLEAR_TO_END);
    });
    while (texts.length < height) texts.push(CLEAR_TO_END);
    const changed = texts.flatMap((text, row) =>
      text === this.#shown[row] ? [] : [`\x1b[${row + 1};1H${text}`],
    );
    this.#shown = texts;
    if (changed.length > 0) output.write(changed.join(''));
  }

  /** The screen may have changed: all of it is written by the next `draw`. */
  forget(): void {
    this.#shown = [];
    if (this.#isEntered) this.#options.output.write(CLEAR);
  }

  readonly #onData = (chunk: string): void => this.#options.onInput(chunk);

  readonly #onGone = (): void => this.#options.onGone();

  readonly #onResize = (): void => {
    this.forget();
    this.#options.onChange();
  };

  readonly #onContinue = (): void => {
    setRaw(this.#options.input, false);
    setRaw(this.#options.input, true);
    this.#options.output.write(ENTER);
    this.#shown = [];
    this.#options.onChange();
  };

  readonly #onExit = (): void => this.leave();
}

/** A terminal that has gone has no mode to be set. */
function setRaw(input: ReadStream, isRaw: boolean): void {
  if (!input.destroyed) input.setRawMode(isRaw);
}
