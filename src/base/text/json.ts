/**
 * JSON whose numbers are exact: integers beyond 2^53 are bigint, and a decimal that a double
 * would change keeps its text.
 *
 * Counters are 64-bit and times have nine decimals; the language's own JSON rounds the first and
 * shortens the second. Written text is plain JSON (RFC 8259); reading gives objects without a
 * prototype, so that no key is special.
 */

import { endOfText } from './nesting.ts';

/** Nesting that is read: no reply of the daemon comes near. */
const JSON_DEPTH_MAX = 64;

/** A number kept as its JSON text, such as "12.500000000". */
export class Decimal {
  readonly text: string;

  constructor(text: string) {
    this.text = text;
  }

  toString(): string {
    return this.text;
  }

  /** For the language's own JSON: the nearest double. */
  toJSON(): number {
    return Number(this.text);
  }
}

/** What `jsonRead` gives. */
export type JsonValue =
  | null
  | boolean
  | number
  | bigint
  | string
  | Decimal
  | JsonValue[]
  | { [key: string]: JsonValue };

/** Seconds with nine decimals from milliseconds. */
export function secondsFromMs(timeMs: number): Decimal {
  return new Decimal((timeMs / 1000).toFixed(9));
}

/**
 * JSON text of `value`; keys whose value is undefined are left out. `indent` > 0 gives one line
 * per element. Throws TypeError for what JSON has no form for (functions, symbols).
 */
export function jsonWrite(value: unknown, indent = 0): string {
  return write(value, indent, '\n');
}

function write(value: unknown, indent: number, lineBreak: string): string {
  if (value === null || value === undefined) return 'null';
  switch (typeof value) {
    case 'bigint':
    case 'boolean':
      return String(value);
    case 'number':
      return Number.isFinite(value) ? String(value) : 'null';
    case 'string':
      return JSON.stringify(value);
    case 'object':
      break;
    default:
      throw new TypeError(`no JSON for a ${typeof value}`);
  }
  if (value instanceof Decimal) return value.text;
  const inner = indent > 0 ? lineBreak + ' '.repeat(indent) : '';
  const outer = indent > 0 ? lineBreak : '';
  // One text that grows: lists of parts cost more than the parts, with ten thousand rows.
  let items = '';
  if (Array.isArray(value)) {
    for (const item of value) {
      items += `${items === '' ? '' : ','}${inner}${write(item, indent, inner)}`;
    }
    return items === '' ? '[]' : `[${items}${outer}]`;
  }
  const separator = indent > 0 ? ': ' : ':';
  for (const key of Object.keys(value)) {
    const item = (value as Record<string, unknown>)[key];
    if (item === undefined) continue;
    const comma = items === '' ? '' : ',';
    items += `${comma}${inner}${JSON.stringify(key)}${separator}${write(item, indent, inner)}`;
  }
  return items === '' ? '{}' : `{${items}${outer}}`;
}

/** The value of JSON text. Throws SyntaxError if `text` is not JSON or nested too deeply. */
export function jsonRead(text: string): JsonValue {
  const reader = new Reader(text);
  const value = reader.value(0);
  reader.end();
  return value;
}

/** The four kinds of token, each a group: punctuation, the quote of a text, number, word. */
const TOKENS = [
  /([{}[\],:])/,
  /(")/,
  /(-?(?:0|[1-9]\d*)(?:\.\d+)?(?:[eE][+-]?\d+)?)/,
  /(true|false|null)/,
];

const TOKEN = new RegExp(`[ \\t\\n\\r]*(?:${TOKENS.map((kind) => kind.source).join('|')})`, 'y');

/** The text of a string token. */
function textOf(token: string): string {
  return JSON.parse(token);
}

/** Recursive descent over the tokens of one text. */
class Reader {
  readonly #text: string;
  #place = 0;

  constructor(text: string) {
    this.#text = text;
  }

  #next(): string {
    TOKEN.lastIndex = this.#place;
    const match = TOKEN.exec(this.#text);
    if (match === null) throw new SyntaxError(`not JSON at character ${this.#place}`);
    this.#place = TOKEN.lastIndex;
    if (match[2] !== undefined) return this.#quoted();
    return match[1] ?? match[3] ?? match[4] ?? '';
  }

  /** The text whose first quote was read. No pattern: of a long text it would exhaust the stack. */
  #quoted(): string {
    const start = this.#place - 1;
    const end = endOfText(this.#text, this.#place);
    if (end >= this.#text.length) throw new SyntaxError(`a text without end at character ${start}`);
    this.#place = end + 1;
    return this.#text.slice(start, this.#place);
  }

  end(): void {
    if (/[^ \t\n\r]/.test(this.#text.slice(this.#place))) {
      throw new SyntaxError(`text after the JSON at character ${this.#place}`);
    }
  }

  value(depth: number): JsonValue {
    return this.#fromToken(this.#next(), depth);
  }

  #fromToken(token: string, depth: number): JsonValue {
    if (depth > JSON_DEPTH_MAX) throw new SyntaxError('JSON is nested too deeply');
    if (token === '{') return this.#object(depth);
    if (token === '[') return this.#array(depth);
    if (token === 'true') return true;
    if (token === 'false') return false;
    if (token === 'null') return null;
    if (token.startsWith('"')) return textOf(token);
    if (/^[}\],:]/.test(token)) throw new SyntaxError(`${token} at character ${this.#place - 1}`);
    return numberOf(token);
  }

  #object(depth: number): JsonValue {
    const object: { [key: string]: JsonValue } = Object.create(null);
    let token = this.#next();
    if (token === '}') return object;
    for (;;) {
      if (!token.startsWith('"')) throw new SyntaxError(`a key is missing at ${this.#place}`);
      if (this.#next() !== ':') throw new SyntaxError(`: is missing at ${this.#place}`);
      object[textOf(token)] = this.value(depth + 1);
      const separator = this.#next();
      if (separator === '}') return object;
      if (separator !== ',') throw new SyntaxError(`, or } is missing at ${this.#place}`);
      token = this.#next();
    }
  }

  #array(depth: number): JsonValue {
    const array: JsonValue[] = [];
    let token = this.#next();
    if (token === ']') return array;
    for (;;) {
      array.push(this.#fromToken(token, depth + 1));
      const separator = this.#next();
      if (separator === ']') return array;
      if (separator !== ',') throw new SyntaxError(`, or ] is missing at ${this.#place}`);
      token = this.#next();
    }
  }
}

function numberOf(text: string): number | bigint | Decimal {
  const value = Number(text);
  if (/^-?\d+$/.test(text)) return Number.isSafeInteger(value) ? value : BigInt(text);
  return String(value) === text ? value : new Decimal(text);
}
