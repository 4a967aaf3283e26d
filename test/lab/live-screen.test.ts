/** What the screen sends, on a terminal that is as strict as the real ones. */

import { deepEqual, equal, ok } from 'node:assert/strict';
import { EventEmitter } from 'node:events';
import { test } from 'node:test';
import type { ReadStream, WriteStream } from 'node:tty';
import fc from 'fast-check';
import { renderLive } from '../../src/lab/live/render.ts';
import { Screen } from '../../src/lab/live/screen.ts';
import { lineText } from '../../src/lab/live/text.ts';
import { calm, crowded, cut } from './live-states.ts';
import { TestTerminal } from './terminal.ts';

/** Both streams of a terminal, as the screen sees them. */
class Streams extends EventEmitter {
  columns: number;
  rows: number;
  terminal: TestTerminal;
  isRaw = false;
  written = 0;
  destroyed = false;

  constructor(width: number, height: number) {
    super();
    this.columns = width;
    this.rows = height;
    this.terminal = new TestTerminal(width, height);
  }

  write(text: string): boolean {
    this.written += text.length;
    this.terminal.write(text);
    return true;
  }

  setRawMode(isRaw: boolean): void {
    this.isRaw = isRaw;
  }

  setEncoding(): void {
    this.emit('encoding');
  }

  resume(): void {
    this.emit('resume');
  }

  pause(): void {
    this.emit('pause');
  }
}

/** A screen that has entered its terminal; `asked` counts the drawings that it asks for. */
function entered(width = 80, height = 24) {
  const streams = new Streams(width, height);
  const asked = { draws: 0 };
  const screen = new Screen({
    input: streams as unknown as ReadStream,
    output: streams as unknown as WriteStream,
    hasColour: true,
    onChange: () => {
      asked.draws += 1;
    },
    onInput: () => undefined,
    onGone: () => undefined,
  });
  screen.enter();
  return { streams, screen, asked };
}

const STATES = [calm(), cut(), crowded(), cut({ screen: 'help' }), calm({ daemon: null })];

test('after any pictures the terminal shows the last one', () => {
  const sizes = fc.tuple(fc.integer({ min: 1, max: 130 }), fc.integer({ min: 1, max: 50 }));
  const pictures = fc.array(fc.nat(STATES.length - 1), { minLength: 1, maxLength: 6 });
  fc.assert(
    fc.property(sizes, pictures, ([width, height], numbers) => {
      const { streams, screen } = entered(width, height);
      for (const number of numbers) {
        const lines = renderLive(STATES[number]!, width, height);
        screen.draw(lines);
        const expected = lines.map((line) => lineText(line, false).replace(/ +$/, ''));
        deepEqual(streams.terminal.lines, expected);
      }
      screen.leave();
    }),
  );
});

test('a picture that has not changed is not written', () => {
  const { streams, screen } = entered();
  screen.draw(renderLive(cut(), 80, 24));
  const before = streams.written;
  screen.draw(renderLive(cut(), 80, 24));
  equal(streams.written, before);
  screen.draw(renderLive(cut({ notice: null }), 80, 24));
  ok(streams.written - before < 300, 'one line was written');
  screen.forget();
  screen.draw(renderLive(cut(), 80, 24));
  ok(streams.written - before > 1000, 'all of it was written');
  screen.leave();
});

test('the terminal is as before, and all listeners are removed', () => {
  const listeners = (): number[] =>
    ['SIGCONT', 'exit', 'uncaughtExceptionMonitor'].map((name) => process.listenerCount(name));
  const before = listeners();
  const { streams, screen } = entered();
  const { terminal } = streams;
  deepEqual([terminal.isAlternate, terminal.isCursorShown, streams.isRaw], [true, false, true]);
  screen.leave();
  screen.leave();
  deepEqual([terminal.isAlternate, terminal.isCursorShown, streams.isRaw], [false, true, false]);
  deepEqual(listeners(), before);
  const { written } = streams;
  screen.draw(renderLive(calm(), 80, 24));
  equal(streams.written, written);
});

test('another size of the window is drawn at once', () => {
  const { streams, screen, asked } = entered();
  screen.draw(renderLive(cut(), 80, 24));
  Object.assign(streams, { columns: 120, rows: 40, terminal: new TestTerminal(120, 40) });
  streams.emit('resize');
  equal(asked.draws, 1);
  const { width, height } = screen.size;
  screen.draw(renderLive(cut(), width, height));
  const expected = renderLive(cut(), 120, 40).map((line) => lineText(line, false));
  deepEqual(streams.terminal.lines, expected);
  screen.leave();
});
