/**
 * From the words of a command line to one command with its options, or to what is wrong with
 * them. Pure: nothing is connected, opened or printed here, so `help` and every usage error work
 * without a daemon.
 */
import type { Command } from './command.ts';
import { COMMANDS, objectNames } from './commands.ts';
import { isOptionWord, OPTIONS, type OptionDescription, type OptionKey } from './options.ts';
import { nearest, parseParameters, splitOnce, UsageError, type Values } from './parameters.ts';
import { usageText } from './usage.ts';

/** The options of a command line. */
export interface ParsedOptions {
  readonly set: ReadonlySet<OptionKey>;
  /** The path, if given. */
  readonly socket: string | undefined;
  /** `always`, `auto`, `never`. */
  readonly color: string;
}

/** A command with all that was given to it. */
export interface ParsedCommand {
  readonly kind: 'command';
  readonly command: Command;
  readonly options: ParsedOptions;
  readonly values: Values;
  /** The words after object and verb as they were given. */
  readonly words: readonly string[];
}

export type Parsed =
  | ParsedCommand
  | { readonly kind: 'help'; readonly text: string }
  | { readonly kind: 'version' }
  | {
      readonly kind: 'wrong';
      readonly message: string;
      readonly hint: string;
      readonly json: boolean;
    };

/** Options while they are collected. */
interface OptionsInHand {
  readonly set: Set<OptionKey>;
  socket: string | undefined;
  color: string;
}

/** Parses the words after the program's name. */
export function parseArguments(words: readonly string[]): Parsed {
  const options: OptionsInHand = { set: new Set(), socket: undefined, color: 'auto' };
  try {
    return parse(words, options);
  } catch (error) {
    if (!(error instanceof UsageError)) throw error;
    const json = options.set.has('json');
    return { kind: 'wrong', message: error.message, hint: error.hint, json };
  }
}

function parse(words: readonly string[], options: OptionsInHand): Parsed {
  const rest = [...words];
  while (rest[0]?.startsWith('-')) takeOption(rest, options);
  const { set } = options;
  if (set.has('help')) return { kind: 'help', text: usageText() };
  if (set.has('version')) return { kind: 'version' };
  const object = rest.shift();
  if (object === undefined) throw new UsageError('an object is missing', oneOf(objectNames()));
  return isHelp(object) ? helpAbout(rest) : parseObject(object, rest, options);
}

/** Takes one option, and its value, from the beginning of `rest`. */
function takeOption(rest: string[], options: OptionsInHand): void {
  const [word, inline] = splitOnce(rest.shift() ?? '', '=');
  const { key, value, choices } = findOption(word);
  options.set.add(key);
  if (choices !== undefined) {
    const chosen = inline ?? choices[0] ?? '';
    if (!choices.includes(chosen)) {
      throw new UsageError(`option ${word} has no "${chosen}"`, nearest(chosen, choices));
    }
    options.color = chosen;
    return;
  }
  if (value === undefined) {
    if (inline === undefined) return;
    throw new UsageError(`option ${word} takes no value`, seeHelp());
  }
  options.socket = inline ?? rest.shift();
  if (options.socket === undefined || options.socket === '') {
    throw new UsageError(`option ${word} needs its ${value}`, seeHelp());
  }
}

/** `help group set`: as `group set help`. */
function helpAbout(words: readonly string[]): Parsed {
  const [object, verb] = words;
  if (object === undefined || isHelp(object)) return { kind: 'help', text: usageText() };
  const name = complete('object', object, objectNames());
  const verbs = COMMANDS.filter((entry) => entry.object === name).map((entry) => entry.verb);
  if (verb === undefined || isHelp(verb) || verbs.includes('')) {
    return { kind: 'help', text: usageText(name, verbs.includes('') ? '' : undefined) };
  }
  return { kind: 'help', text: usageText(name, complete('verb', verb, verbs, name)) };
}

function parseObject(word: string, rest: string[], options: ParsedOptions): Parsed {
  const object = complete('object', word, objectNames());
  const commands = COMMANDS.filter((entry) => entry.object === object);
  const verbs = commands.map((entry) => entry.verb);
  let verb = '';
  if (!verbs.includes('')) {
    const given = rest.shift();
    if (given !== undefined && isHelp(given)) return helpAbout([object]);
    if (given === undefined && !verbs.includes('show')) {
      throw new UsageError(`${object}: a verb is missing`, oneOf(verbs));
    }
    verb = given === undefined ? 'show' : complete('verb', given, verbs, object);
  }
  const command = commands.find((entry) => entry.verb === verb);
  if (command === undefined) throw new UsageError(`${object}: a verb is missing`, oneOf(verbs));
  if (rest.some(isHelp)) return { kind: 'help', text: usageText(object, verb) };
  const values = command.isOpaque === true ? new Map() : parseParameters(command, rest);
  return { kind: 'command', command, options, values, words: rest };
}

function isHelp(word: string): boolean {
  return word === 'help' || word === '--help' || word === '-h' || word === '-help';
}

function findOption(word: string): OptionDescription {
  const option = OPTIONS.find((candidate) => isOptionWord(candidate, word));
  if (option !== undefined) return option;
  const hint = nearest(
    word,
    OPTIONS.map((candidate) => `--${candidate.name}`),
  );
  throw new UsageError(`there is no option ${word}`, hint.startsWith('did you') ? hint : seeHelp());
}

function complete(what: string, word: string, names: readonly string[], object?: string): string {
  if (names.includes(word)) return word;
  const found = names.filter((name) => word !== '' && name.startsWith(word));
  const [only] = found;
  if (only !== undefined && found.length === 1) return only;
  const place = object === undefined ? '' : `${object}: `;
  if (found.length > 1) {
    throw new UsageError(`${place}${what} "${word}" is ambiguous`, oneOf(found));
  }
  throw new UsageError(`${place}there is no ${what} "${word}"`, nearest(word, names));
}

function oneOf(names: readonly string[]): string {
  return `one of ${names.join(', ')}`;
}

function seeHelp(): string {
  return 'see: ipmpadm help';
}
