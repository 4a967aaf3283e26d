/**
 * Values as text, and the colours of a terminal, with iproute2's meanings: names cyan, IPv4
 * addresses magenta, IPv6 addresses blue, MACs yellow, states by how good they are.
 */
import { Decimal, type JsonValue } from '../../base/text/json.ts';

/** A field of a row; undefined if the row does not have it. */
type Value = JsonValue | undefined;

/** Each gives the text of a value, in its colour; without colour the plain text. */
export interface Paint {
  /** Of a group or an interface. */
  name(value: Value): string;
  address(value: Value): string;
  lladdr(value: Value): string;
  state(value: Value): string;
}

/**
 * A value as text; null and absent fields are empty. Control characters do not reach the
 * terminal.
 */
export function text(value: Value): string {
  if (value === null || value === undefined) return '';
  if (value instanceof Decimal) return value.text;
  const plain = typeof value === 'object' ? '' : String(value);
  return plain.replace(/\p{Cc}/gu, '?');
}

/** The texts of a list, joined by commas; empty for what is no list. */
export function list(value: Value, paint: (item: Value) => string = text): string {
  return Array.isArray(value) ? value.map((item) => paint(item)).join(',') : '';
}

const RED = 31;
const GREEN = 32;
const YELLOW = 33;
const BLUE = 34;
const MAGENTA = 35;
const CYAN = 36;

const GOOD = ['ok', 'up', 'reachable', 'permanent', 'alive'];
const BAD = ['failed', 'down', 'duplicate', 'dead'];

function ink(color: number, value: Value): string {
  const plain = text(value);
  return plain === '' ? '' : `\u001b[${color}m${plain}\u001b[0m`;
}

export const PLAIN: Paint = { name: text, address: text, lladdr: text, state: text };

export const COLOR: Paint = {
  name: (value) => ink(CYAN, value),
  address: (value) => ink(text(value).includes(':') ? BLUE : MAGENTA, value),
  lladdr: (value) => ink(YELLOW, value),
  state: (value) => {
    const word = text(value).toLowerCase();
    if (GOOD.includes(word)) return ink(GREEN, value);
    return ink(BAD.includes(word) ? RED : YELLOW, value);
  },
};

const ESCAPE = '\u001b';

/** Columns that a text takes on the terminal. */
export function visibleLength(text: string): number {
  const [first = '', ...rest] = text.split(ESCAPE);
  return rest.reduce((sum, part) => sum + part.length - part.indexOf('m') - 1, first.length);
}
