/** What each run of `ipmpadm` needs: its process, exit statuses, and how it complains. */

import { OperatorError } from '../../base/errors.ts';
import { type JsonValue, jsonWrite } from '../../base/text/json.ts';
import { isJsonObject } from '../../model/fields.ts';
import type { ControlClient } from '../client.ts';
import { COLOR, type Paint, PLAIN } from './paint.ts';
import type { ParsedCommand, ParsedOptions } from './parse.ts';
import type { Row } from './views.ts';

/** Exit statuses (contract 4). */
export const EXIT_DONE = 0;
export const EXIT_REFUSED = 1;
export const EXIT_USAGE = 2;
export const EXIT_UNREACHABLE = 3;
export const EXIT_DEGRADED = 4;
export const EXIT_FAILED = 5;

/** Spaces per level with `-p`, as iproute2 writes them. */
const PRETTY_INDENT = 4;

/** What the command line needs of the process, and of rooms that ctl/ does not know. */
export interface CommandLine {
  readonly version: string;
  /** The path of the socket without `--socket`. */
  readonly defaultSocket: string;
  /** Output goes to a terminal that shows colours, and NO_COLOR is not set. */
  readonly isColorful: boolean;
  print(text: string): void;
  complain(text: string): void;
  /** All errors of a configuration file, printable; empty if it is good. */
  checkConfig(file: string): Promise<readonly string[]>;
  lab(words: readonly string[]): Promise<number>;
  /** From now on an interruption is announced by this signal instead of ending the process. */
  interruption(): AbortSignal;
}

/** One command on its way. */
export interface Call extends ParsedCommand {
  readonly line: CommandLine;
  readonly client: ControlClient;
  readonly paint: Paint;
}

/** Colours on a terminal, or with `--color`; JSON is never painted. */
export function paintFor(line: CommandLine, { color }: ParsedOptions): Paint {
  if (color === 'never') return PLAIN;
  return color === 'always' || line.isColorful ? COLOR : PLAIN;
}

/** The one value of a parameter, if it was given. */
export function given(call: Call, key: string): string | undefined {
  return call.values.get(key)?.[0];
}

export function isJson({ options }: Call): boolean {
  return options.set.has('json');
}

export function printJson({ line, options }: Call, value: unknown): void {
  line.print(`${jsonWrite(value, options.set.has('pretty') ? PRETTY_INDENT : 0)}\n`);
}

/** What went wrong, as it is printed. */
export interface Complaint {
  readonly code: string;
  readonly message: string;
  readonly hint: string | undefined;
  /** Whether text shows the code too; JSON always does. */
  readonly withCode: boolean;
}

export function complain(line: CommandLine, json: boolean, complaint: Complaint): void {
  const { code, message, hint, withCode } = complaint;
  if (json) {
    line.complain(`${jsonWrite({ error: { code, message, hint: hint ?? null } })}\n`);
    return;
  }
  line.complain(`ipmpadm: ${message}${withCode ? ` (${code})` : ''}\n`);
  if (hint !== undefined) line.complain(`  ${hint}\n`);
}

export function rowsOf(value: JsonValue | undefined): Row[] {
  if (!Array.isArray(value)) throw new OperatorError('EIO', 'the daemon replied with no list');
  return value.map(rowOf);
}

export function rowOf(value: JsonValue | undefined): Row {
  if (!isJsonObject(value)) throw new OperatorError('EIO', 'the daemon replied with no row');
  return value;
}

/** A list of sentences; empty if there is none. */
export function sentencesOf(value: JsonValue | undefined): string[] {
  return Array.isArray(value) ? value.map(String) : [];
}
