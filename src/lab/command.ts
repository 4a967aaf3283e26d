/** Runs a program to its end and returns its output. */

import { spawn } from 'node:child_process';

/** A command ended otherwise than with status 0. */
export class CommandError extends Error {
  readonly status: number | null;
  readonly output: string;

  constructor(commandLine: string, status: number | null, output: string) {
    super(`${commandLine}: exit status ${status}${output === '' ? '' : `: ${output}`}`);
    this.name = 'CommandError';
    this.status = status;
    this.output = output;
  }
}

/** What a command gave back. `status` is null when a signal ended it or it could not start. */
export interface CommandResult {
  readonly status: number | null;
  readonly stdout: string;
  readonly stderr: string;
}

/** Folders of administrators' programs, which are not in every PATH. */
const PATH = `${process.env.PATH ?? ''}:/usr/sbin:/sbin:/usr/bin:/bin`;

/** The environment of every program of the lab: messages in English, a complete PATH. */
export function environment(extra: Record<string, string> = {}): NodeJS.ProcessEnv {
  return { ...process.env, PATH, LC_ALL: 'C', ...extra };
}

/**
 * Runs `argv` with `input` on its standard input. It has a session of its own, so that a Ctrl-C on
 * the terminal does not tear it down halfway: the lab decides when things end.
 */
export function execute(argv: readonly string[], input = ''): Promise<CommandResult> {
  const [program = '', ...args] = argv;
  return new Promise((resolve) => {
    const child = spawn(program, args, {
      env: environment(),
      stdio: ['pipe', 'pipe', 'pipe'],
      detached: true,
    });
    let stdout = '';
    let stderr = '';
    child.stdout.setEncoding('utf8').on('data', (text: string) => {
      stdout += text;
    });
    child.stderr.setEncoding('utf8').on('data', (text: string) => {
      stderr += text;
    });
    child.on('error', (error) => resolve({ status: null, stdout, stderr: error.message }));
    child.on('close', (status) => resolve({ status, stdout, stderr }));
    // A program that ends without reading its input is judged by its status, not by this.
    child.stdin.on('error', () => child.stdin.destroy());
    child.stdin.end(input);
  });
}

/**
 * As `execute`, returning standard output.
 *
 * @throws CommandError when the program does not end with status 0
 */
export async function run(argv: readonly string[], input = ''): Promise<string> {
  const { status, stdout, stderr } = await execute(argv, input);
  if (status !== 0) throw new CommandError(argv.join(' '), status, (stderr || stdout).trim());
  return stdout;
}
