/**
 * What the tools that came from Solaris have in common: options in the manner of getopt(3), and
 * how they end. Every refusal is one line on stderr and exit status 1, wrong usage included.
 */
import { OperatorError } from '../../base/errors.ts';
import { CONTROL_SOCKET } from '../../model/paths.ts';
import { ControlClient, UnreachableError } from '../client.ts';

const EXIT_DONE = 0;
const EXIT_FATAL = 1;

/** The tool cannot do what it was asked to; the message goes to stderr. */
export class FatalError extends Error {}

/** The words of the command line make no command. */
export class UsageError extends Error {}

/** What a tool needs of its process. */
export interface ToolProcess {
  print(text: string): void;
  complain(text: string): void;
}

/** The words of a command line: options with their values in the order given, then operands. */
export interface ToolWords {
  readonly options: readonly (readonly [letter: string, value: string])[];
  readonly operands: readonly string[];
  readonly socket: string;
}

/** One tool: its letters as getopt(3) takes them, and what it does. */
export interface Tool {
  readonly name: string;
  readonly usage: string;
  readonly letters: string;
  run(words: ToolWords, client: ControlClient): Promise<void>;
}

/** Runs `tool` with `words`, those after its name; the result is the exit status. */
export async function toolMain(
  tool: Tool,
  words: readonly string[],
  process: ToolProcess,
): Promise<number> {
  if (words.includes('--help')) {
    process.print(tool.usage);
    return EXIT_DONE;
  }
  try {
    const parsed = getopt(words, tool.letters);
    await tool.run(parsed, new ControlClient(parsed.socket));
    return EXIT_DONE;
  } catch (error) {
    process.complain(complaintOf(tool, error));
    return EXIT_FATAL;
  }
}

function complaintOf(tool: Tool, error: unknown): string {
  if (error instanceof UsageError) {
    return `${error.message === '' ? '' : `${tool.name}: ${error.message}\n`}${tool.usage}`;
  }
  if (error instanceof UnreachableError) {
    const why = error.message.replace(/^cannot reach/, 'cannot contact');
    return `${tool.name}: fatal: ${why} -- is IPMP in use?\n`;
  }
  if (error instanceof OperatorError || error instanceof FatalError) {
    return `${tool.name}: fatal: ${error.message}\n`;
  }
  throw error;
}

/**
 * Splits words by `letters`; a letter before a colon takes a value. `--socket PATH` is known to
 * every tool. Throws UsageError.
 */
export function getopt(words: readonly string[], letters: string): ToolWords {
  const options: [string, string][] = [];
  const rest = [...words];
  let socket = CONTROL_SOCKET;
  const valueFrom = (inline: string, name: string): string => {
    const value = inline === '' ? rest.shift() : inline;
    if (value === undefined) throw new UsageError(`option ${name} needs a value`);
    return value;
  };
  while (rest[0]?.startsWith('-') && rest[0] !== '-') {
    const word = rest.shift() ?? '';
    if (word === '--') break;
    if (/^--socket(=|$)/.test(word)) {
      socket = valueFrom(word.slice('--socket='.length), '--socket');
      continue;
    }
    for (let at = 1; at < word.length; at++) {
      const letter = word[at] ?? '';
      const place = letters.indexOf(letter);
      if (place < 0 || letter === ':') throw new UsageError(`there is no option ${word}`);
      const takesValue = letters[place + 1] === ':';
      options.push([letter, takesValue ? valueFrom(word.slice(at + 1), `-${letter}`) : '']);
      if (takesValue) break;
    }
  }
  return { options, operands: rest, socket };
}
