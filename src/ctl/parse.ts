/**
 * From the words of a command line to one command with its options, or to what is wrong with
 * them. Pure: nothing is connected, opened or printed here, so `help` and every usage error work
 * without a daemon.
 */
import { suggest } from '../base/suggest.ts';
import {
  COMMANDS,
  type Command,
  OPTIONS,
  type OptionDescription,
  type OptionKey,
  objectNames,
  usageText,
} from './commands.ts';

/** The options of a command line; `socket` is the path, if given. */
export interface ParsedOptions {
  readonly set: ReadonlySet<OptionKey>;
  readonly socket: string | undefined;
}

export type Parsed =
  | {
      readonly kind: 'command';
      readonly command: Command;
      readonly options: ParsedOptions;
      readonly parameters: readonly string[];
      readonly flags: ReadonlySet<string>;
    }
  | { readonly kind: 'help'; readonly text: string }
  | { readonly kind: 'version' }
  | {
      readonly kind: 'wrong';
      readonly message: string;
      readonly hint: string;
      readonly json: boolean;
    };

/** What is wrong with a command line; caught by `parseArguments` alone. */
class UsageError extends Error {
  readonly hint: string;

  constructor(message: string, hint: string) {
    super(message);
    this.hint = hint;
  }
}

/** Parses the words after the program's name. */
export function parseArguments(words: readonly string[]): Parsed {
  const set = new Set<OptionKey>();
  try {
    return parse(words, set);
  } catch (error) {
    if (!(error instanceof UsageError)) throw error;
    return { kind: 'wrong', message: error.message, hint: error.hint, json: set.has('json') };
  }
}

function parse(words: readonly string[], set: Set<OptionKey>): Parsed {
  const rest = [...words];
  let socket: string | undefined;
  while (rest[0]?.startsWith('-')) {
    const [word = '', inline] = splitOnce(rest.shift() ?? '', '=');
    const option = findOption(word);
    set.add(option.key);
    if (option.value === undefined) {
      if (inline !== undefined) throw new UsageError(`option ${word} takes no value`, seeHelp());
      continue;
    }
    socket = inline ?? rest.shift();
    if (socket === undefined || socket === '') {
      throw new UsageError(`option ${word} needs its ${option.value}`, seeHelp());
    }
  }
  if (set.has('help')) return { kind: 'help', text: usageText() };
  if (set.has('version')) return { kind: 'version' };
  const object = rest.shift();
  if (object === undefined) throw new UsageError('an object is missing', oneOf(objectNames()));
  if (isHelp(object)) return { kind: 'help', text: usageText() };
  return parseObject(object, rest, { set, socket });
}

function parseObject(word: string, rest: string[], options: ParsedOptions): Parsed {
  const object = complete('object', word, objectNames());
  const commands = COMMANDS.filter((entry) => entry.object === object);
  const verbs = commands.map((entry) => entry.verb);
  let verb = '';
  if (!verbs.includes('')) {
    const given = rest.shift();
    if (given !== undefined && isHelp(given)) return { kind: 'help', text: usageText(object) };
    if (given === undefined && !verbs.includes('show')) {
      throw new UsageError(`${object}: a verb is missing`, oneOf(verbs));
    }
    verb = given === undefined ? 'show' : complete('verb', given, verbs, object);
  }
  const command = commands.find((entry) => entry.verb === verb);
  if (command === undefined) throw new UsageError(`${object}: a verb is missing`, oneOf(verbs));
  if (rest.some(isHelp)) return { kind: 'help', text: usageText(object, verb) };
  return parseParameters(command, rest, options);
}

function parseParameters(command: Command, rest: string[], options: ParsedOptions): Parsed {
  const flags = new Set<string>();
  const parameters: string[] = [];
  const form = usageForm(command);
  for (const word of rest) {
    if (!word.startsWith('-') || command.object === 'lab') parameters.push(word);
    else if (command.flags.includes(word)) flags.add(word);
    else {
      const isGlobal = OPTIONS.some((option) => matches(option, word));
      const hint = isGlobal
        ? `options stand before the object: ipmpadm ${word} ${command.name}`
        : form;
      throw new UsageError(`${command.name} has no option ${word}`, hint);
    }
  }
  if (parameters.length < command.least) {
    throw new UsageError(`${command.name}: ${command.parameters} is missing`, form);
  }
  if (parameters.length > command.most) {
    const extra = parameters[command.most] ?? '';
    throw new UsageError(`${command.name}: "${extra}" is too much`, form);
  }
  const isDeviceFilter = command.parameters === '[dev NAME]' && parameters.length > 0;
  if (isDeviceFilter && (parameters[0] !== 'dev' || parameters.length !== 2)) {
    throw new UsageError(`${command.name}: "${parameters.join(' ')}" is not dev NAME`, form);
  }
  return { kind: 'command', command, options, parameters, flags };
}

function usageForm(command: Command): string {
  return `usage: ${command.name} ${command.parameters}`.trim();
}

function isHelp(word: string): boolean {
  return word === 'help' || word === '--help' || word === '-h' || word === '-help';
}

function findOption(word: string): OptionDescription {
  const option = OPTIONS.find((candidate) => matches(candidate, word));
  if (option !== undefined) return option;
  const names = OPTIONS.map((candidate) => `--${candidate.name}`);
  const meant = suggest(word, names);
  throw new UsageError(
    `there is no option ${word}`,
    meant === undefined ? seeHelp() : `did you mean ${meant}?`,
  );
}

/** As in iproute2: one minus sign or two, and any beginning of the name from its shortest form. */
function matches(option: OptionDescription, word: string): boolean {
  const name = word.replace(/^--?/, '');
  if (name === 'version' && option.key === 'version') return true;
  return name.startsWith(option.shortest) && option.name.startsWith(name);
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
  const meant = suggest(word, names);
  const hint = meant === undefined ? oneOf(names) : `did you mean ${meant}?`;
  throw new UsageError(`${place}there is no ${what} "${word}"`, hint);
}

function oneOf(names: readonly string[]): string {
  return `one of ${names.join(', ')}`;
}

function seeHelp(): string {
  return 'see: ipmpadm help';
}

function splitOnce(text: string, separator: string): [string, string | undefined] {
  const at = text.indexOf(separator);
  return at < 0 ? [text, undefined] : [text.slice(0, at), text.slice(at + 1)];
}
