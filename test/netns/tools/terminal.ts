/** A program on a real pseudo terminal (programs/terminal.py), and what its screen shows. */

import { type ChildProcess, spawn } from 'node:child_process';
import { TestTerminal } from '../../lab/terminal.ts';
import { root } from '../../tidy/source.ts';
import { forEachLine, script } from './programs.ts';

const PROGRAM = script('terminal.py');

/** How a program has ended; the status is negative for a signal. */
export interface TerminalExit {
  readonly exit: number;
  /** The terminal's modes are as before; null after a hang-up. */
  readonly restored: boolean | null;
}

/** One running program with its terminal. */
export class TerminalProgram {
  /** Everything that was ever written, controls included. */
  output = '';
  screen: TestTerminal;
  readonly ended: Promise<TerminalExit>;
  readonly #process: ChildProcess;

  constructor(argv: readonly string[], size: { rows: number; columns: number }) {
    const { rows, columns } = size;
    this.screen = new TestTerminal(columns, rows);
    this.#process = spawn('python3', [PROGRAM, String(rows), String(columns), ...argv], {
      cwd: root,
      stdio: ['pipe', 'pipe', 'inherit'],
      env: { ...process.env, TERM: 'xterm-256color', NO_COLOR: undefined },
    });
    this.ended = new Promise((resolve) => {
      forEachLine(this.#process.stdout, (line) => {
        const message = JSON.parse(line) as { output?: string } & TerminalExit;
        if (message.output === undefined) resolve(message);
        else this.#show(message.output);
      });
      this.#process.on('close', () => resolve({ exit: Number.NaN, restored: null }));
    });
  }

  /** What the screen shows, as one text. */
  get text(): string {
    return this.screen.lines.join('\n');
  }

  press(keys: string): void {
    this.#send({ keys });
  }

  resize(rows: number, columns: number): void {
    this.screen = new TestTerminal(columns, rows);
    this.screen.isAlternate = true;
    this.#send({ size: [rows, columns] });
  }

  /** The terminal hangs up, as when its window is closed. */
  hangUp(): void {
    this.#send({ hang_up: true });
  }

  /** Ends what is left of it. */
  async close(): Promise<void> {
    this.#process.kill('SIGKILL');
    await this.ended;
  }

  #show(text: string): void {
    this.output += text;
    this.screen.write(text);
  }

  #send(message: unknown): void {
    this.#process.stdin?.write(`${JSON.stringify(message)}\n`);
  }
}
