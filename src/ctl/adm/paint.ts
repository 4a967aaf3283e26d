/**
 * Colours of a terminal, with iproute2's meanings: names cyan, IPv4 addresses magenta, IPv6
 * addresses blue, MACs yellow, states by how good they are. Without colour every function gives
 * its text back.
 */

export interface Paint {
  /** Of a group or an interface. */
  name(text: string): string;
  address(text: string): string;
  lladdr(text: string): string;
  state(text: string): string;
}

const RED = 31;
const GREEN = 32;
const YELLOW = 33;
const BLUE = 34;
const MAGENTA = 35;
const CYAN = 36;

const GOOD = ['ok', 'up', 'reachable', 'permanent', 'alive'];
const BAD = ['failed', 'down', 'duplicate', 'dead'];

function ink(color: number, text: string): string {
  return text === '' ? '' : `\u001b[${color}m${text}\u001b[0m`;
}

export const PLAIN: Paint = {
  name: (text) => text,
  address: (text) => text,
  lladdr: (text) => text,
  state: (text) => text,
};

export const COLOR: Paint = {
  name: (text) => ink(CYAN, text),
  address: (text) => ink(text.includes(':') ? BLUE : MAGENTA, text),
  lladdr: (text) => ink(YELLOW, text),
  state: (text) => {
    const word = text.toLowerCase();
    if (GOOD.includes(word)) return ink(GREEN, text);
    return ink(BAD.includes(word) ? RED : YELLOW, text);
  },
};

const ESCAPE = '\u001b';

/** Columns that a text takes on the terminal. */
export function visibleLength(text: string): number {
  const [first = '', ...rest] = text.split(ESCAPE);
  return rest.reduce((sum, part) => sum + part.length - part.indexOf('m') - 1, first.length);
}
