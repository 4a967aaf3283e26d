/** The words after object and verb, taken apart by the command's row of the table. */
import { suggest } from '../../base/text/suggest.ts';
import { type Command, isOption, type Parameter } from './command.ts';
import { isOptionWord, OPTIONS } from './options.ts';
import { commandForm, parameterForm } from './usage.ts';

/** What is wrong with a command line; caught by `parseArguments` alone. */
export class UsageError extends Error {
  readonly hint: string;

  constructor(message: string, hint: string) {
    super(message);
    this.hint = hint;
  }
}

/** The values of a command's parameters by their keys; a mark that is there has one empty text. */
export type Values = ReadonlyMap<string, readonly string[]>;

/** Takes `words` apart. Throws UsageError. */
export function parseParameters(command: Command, words: readonly string[]): Values {
  const taken = new Map<Parameter, string[]>();
  const rest = [...words];
  for (let given = rest.shift(); given !== undefined; given = rest.shift()) {
    const [head, inline] = isOption(given) ? splitOnce(given, '=') : [given, undefined];
    const named = command.parameters.find(({ keyword }) => keyword !== '' && keyword === head);
    if (named !== undefined) {
      add(command, taken, named, valueAfter(command, named, inline, rest));
      continue;
    }
    const placed = command.parameters.find(
      (parameter) => parameter.keyword === '' && countOf(taken, parameter) < parameter.most,
    );
    if (isOption(given) || placed === undefined) throw unknown(command, given);
    add(command, taken, placed, given);
  }
  checkWhole(command, taken);
  return new Map([...taken].map(([parameter, values]) => [parameter.key, values]));
}

function countOf(taken: ReadonlyMap<Parameter, string[]>, parameter: Parameter): number {
  return taken.get(parameter)?.length ?? 0;
}

function valueAfter(
  command: Command,
  { keyword, value }: Parameter,
  inline: string | undefined,
  rest: string[],
): string {
  if (value === '') {
    if (inline === undefined) return '';
    throw misuse(command, `${keyword} takes no value`);
  }
  const given = inline ?? rest.shift();
  if (given !== undefined && given !== '') return given;
  throw misuse(command, `${keyword} needs its ${value}`);
}

function add(
  command: Command,
  taken: Map<Parameter, string[]>,
  parameter: Parameter,
  value: string,
): void {
  const { keyword, most, settings } = parameter;
  if (value === '' && parameter.value !== '') {
    throw misuse(command, `${parameter.value} is empty`);
  }
  const values = taken.get(parameter) ?? [];
  if (values.length >= most) {
    const much = most === 1 ? 'stands twice' : `stands more than ${most} times`;
    throw misuse(command, `${keyword} ${much}`);
  }
  if (settings !== undefined) checkSetting(command, parameter, values, value);
  taken.set(parameter, [...values, value]);
}

/** `key=value` with a key that there is, each once. */
function checkSetting(
  command: Command,
  { settings = [], value: form }: Parameter,
  before: readonly string[],
  given: string,
): void {
  const [key, value] = splitOnce(given, '=');
  const keys = settings.map((setting) => setting.key);
  if (!keys.includes(key)) {
    throw new UsageError(`${command.name}: there is no key "${key}"`, nearest(key, keys));
  }
  if (value === undefined || value === '') {
    const allowed = settings.find((setting) => setting.key === key)?.allowed ?? '';
    throw new UsageError(`${command.name}: "${given}" is not ${form}`, `${key}: ${allowed}`);
  }
  if (before.some((text) => splitOnce(text, '=')[0] === key)) {
    throw misuse(command, `${key} stands twice`);
  }
}

/** A word that has no place. */
function unknown(command: Command, given: string): UsageError {
  const form = usageForm(command);
  const keywords = command.parameters.map(({ keyword }) => keyword).filter((text) => text !== '');
  if (isOption(given)) {
    const option = splitOnce(given, '=')[0];
    const isGlobal = OPTIONS.some((candidate) => isOptionWord(candidate, option));
    const meant = suggest(option, keywords.filter(isOption));
    if (meant !== undefined && option.length > 2) {
      return new UsageError(`${command.name} has no option ${option}`, `did you mean ${meant}?`);
    }
    const place = `options stand before the object: ipmpadm ${given} ${command.name}`;
    return new UsageError(`${command.name} has no option ${option}`, isGlobal ? place : form);
  }
  const plain = keywords.filter((keyword) => !isOption(keyword));
  if (plain.length === 0) {
    return misuse(command, `"${given}" is too much`);
  }
  const meant = suggest(given, plain);
  const hint = meant === undefined ? form : `did you mean ${meant}?`;
  return new UsageError(`${command.name}: there is no parameter "${given}"`, hint);
}

function checkWhole(command: Command, taken: ReadonlyMap<Parameter, string[]>): void {
  for (const parameter of command.parameters) {
    if (countOf(taken, parameter) < parameter.least) {
      throw misuse(command, `${parameterForm(parameter)} is missing`);
    }
    const { keyword, excludes } = parameter;
    const isTwo = [...taken.keys()].some((other) => other.keyword === excludes);
    if (excludes !== undefined && taken.has(parameter) && isTwo) {
      throw misuse(command, `${keyword} and ${excludes} exclude each other`);
    }
  }
}

/** What is wrong, with the usage of the command as hint. */
function misuse(command: Command, problem: string): UsageError {
  return new UsageError(`${command.name}: ${problem}`, usageForm(command));
}

function usageForm(command: Command): string {
  return `usage: ${commandForm(command)}`;
}

/** What `word` was probably meant to be, or all that it may be. */
export function nearest(word: string, names: readonly string[]): string {
  const meant = suggest(word, names);
  return meant === undefined ? `one of ${names.join(', ')}` : `did you mean ${meant}?`;
}

/** The text before the first `separator`, and after it if there is one. */
export function splitOnce(text: string, separator: string): [string, string | undefined] {
  const at = text.indexOf(separator);
  return at < 0 ? [text, undefined] : [text.slice(0, at), text.slice(at + 1)];
}
