/** Valid configurations, and what chance and malice make of them; all follows from a seed. */

import type { Rng } from '../../src/base/rng.ts';

/** Every key, block and flow style, comments, both families. */
const ALL_KEYS = `# every key there is
control: { socket: /run/ipmpd/ipmpd.sock, group: ipmp }
metrics:
  listen: "[::1]:9437"
  hosts: [a.example, b.example]
log: { level: debug }
datapath: { workers: 2 }
interfaces:
  net0: { uplink: eth0, test-addresses: [192.0.2.21/24, "2001:db8::21/64"] }
  net1: { bridge: br1 }
  net2:
    standby: true  # waits
  net3: { uplink: eth3 }
groups:
  ipmp0:
    interfaces: [net0, net1, net2]
    addresses: [192.0.2.10/24, '2001:db8::10/64']
    routes:
      - { to: default, via: 192.0.2.1 }
      - to: "2001:db8:1::/48"
        via: 2001:db8::1
      - { to: 198.51.100.0/24 }
    name: storage
    static-neighbors:
      - { dst: 192.0.2.1, lladdr: "02:00:00:00:00:01" }
      - { dst: 192.0.2.2, lladdr: "02:00:00:00:00:02", proxy: true }
    multicast: [239.1.2.3, 224.0.0.251]
    failure-detection-time: 500ms
    failback: false
    flap-damping: { ups: 3, within: 2m }
    neighbors: 4096
    probe-targets: [192.0.2.1, "2001:db8::1"]
    transitive-probing: false
    spreading: address
    forwarding: false
    mtu: 9000
  ipmp1: { flap-damping: off, mtu: auto }
tracking: all
`;

/** As large as a site may have it: some ten thousand values in a quarter of the allowed size. */
function largeText(): string {
  const nics = Array.from({ length: 512 }, (_, n) => `  n${n}: { uplink: e${n} }`);
  const groups = Array.from({ length: 64 }, (_, g) => {
    const members = Array.from({ length: 8 }, (_, n) => `n${g * 8 + n}`).join(', ');
    const hosts = Array.from({ length: 40 }, (_, n) => `10.${g}.0.${n + 1}/24`).join(', ');
    return `  g${g}:\n    interfaces: [${members}]\n    addresses: [${hosts}]`;
  });
  return ['interfaces:', ...nics, 'groups:', ...groups, ''].join('\n');
}

/** The same as JSON: another style of the same language. */
const JSON_STYLE = `${JSON.stringify(
  {
    control: { socket: '/run/x.sock' },
    interfaces: { net0: { uplink: 'eth0' }, net1: {} },
    groups: {
      ipmp0: {
        interfaces: ['net0', 'net1'],
        addresses: ['192.0.2.10/24'],
        routes: [{ to: 'default', via: '192.0.2.1' }],
        mtu: 1500,
      },
    },
  },
  null,
  1,
)}\n`;

const ANCHORS = `interfaces: { net0: &tap {}, net1: *tap, net2: *tap }
groups:
  ipmp0: { interfaces: &two [net0, net1], routes: [&gw { to: default, via: 192.0.2.1 }] }
  ipmp1: { interfaces: [net2], routes: [*gw], failure-detection-time: &t 2s }
  ipmp2: { failure-detection-time: *t }
`;

export const SMALL: readonly string[] = [ALL_KEYS, JSON_STYLE, ANCHORS];
export const LARGE: readonly string[] = [largeText()];

const CONTROLS = ['\0', '\x01', '\x07', '\b', '\t', '\v', '\f', '\x1b[2J', '\x7f', '\x85', '\xa0'];
const ODD = ['\ufeff', '\u2028', '\u2029', '\u202e', '\ud7ff', '\ufffd', '\uffff', '😀', 'ä'];

const VALUES = [
  ...['', '~', 'null', 'true', 'no', '0', '-1', '1.5', '1e999', '-0', '0x7fffffff', '0o17', '.nan'],
  ...['.inf', '99999999999999999999999999', '18446744073709551616', '9007199254740993', '1_000'],
  ...['[]', '{}', '[[]]', '{a: }', '{? : }', '"', "'", '|', '>-', '&a', '*a', '*nobody', '&a *a'],
  ...['!!binary aGk=', '!!set {a}', '!x y', '!!float 1', '2001-12-14t21:59:43Z', '10:20:30', '%'],
  ...['@', '`', '#', '- -', '? ?', '<<: *a', '__proto__', 'constructor', '127.0.0.1/8', '::/0'],
  ...['0.0.0.0', '255.255.255.255', '::ffff:1.2.3.4/96', '192.0.2.10/024', '1h', '60m', '61m'],
  ...[
    '5e1ms',
    '01s',
    'eth0',
    'net0',
    'ipmp0',
    'lo',
    '../x',
    '/x',
    'x'.repeat(2000),
    '9'.repeat(400),
  ],
];

type Corruption = (text: Buffer, rng: Rng) => Buffer;

/** What may happen to a file, by name. */
export const CORRUPTIONS: Readonly<Record<string, Corruption>> = {
  'a bit flipped': (text, rng) => {
    const copy = Buffer.from(text);
    const at = rng.below(copy.length);
    copy[at] = (copy[at] ?? 0) ^ (1 << rng.below(8));
    return copy;
  },
  'bytes deleted': (text, rng) => splice(text, rng.below(text.length), 1 + rng.below(12), ''),
  'a byte doubled': (text, rng) => {
    const at = rng.below(text.length);
    return splice(text, at, 0, text.subarray(at, at + 1));
  },
  'a piece elsewhere': (text, rng) => {
    const from = rng.below(text.length);
    return splice(text, rng.below(text.length), 0, text.subarray(from, from + rng.below(60)));
  },
  'cut off': (text, rng) => text.subarray(0, rng.below(text.length)),
  'lines swapped': (text, rng) =>
    inLines(text, (lines) => {
      const [one, other] = [rng.below(lines.length), rng.below(lines.length)];
      [lines[one], lines[other]] = [lines[other] ?? '', lines[one] ?? ''];
    }),
  'a line doubled': (text, rng) =>
    inLines(text, (lines) => {
      const from = rng.below(lines.length);
      lines.splice(rng.below(2) === 0 ? from : rng.below(lines.length), 0, lines[from] ?? '');
    }),
  'a line deleted': (text, rng) =>
    inLines(text, (lines) => lines.splice(rng.below(lines.length), 1)),
  'a line indented': (text, rng) =>
    inLines(text, (lines) => {
      const at = rng.below(lines.length);
      lines[at] = `${rng.below(3) === 0 ? '\t' : ' '.repeat(1 + rng.below(5))}${lines[at]}`;
    }),
  'a value replaced': (text, rng) => atColon(text, rng, (_, rest) => rest.replace(/[^,}\n]*/, '')),
  'a value before another': (text, rng) => atColon(text, rng, (_, rest) => rest),
  'a word in the place of another': (text, rng) => {
    const all = text.toString('latin1');
    const words = wordsOf(all);
    if (words.length === 0) return text;
    return Buffer.from(withWord(all, pick(words, rng), pick(words, rng).text), 'latin1');
  },
  'a control character': (text, rng) => insert(text, rng, pick(CONTROLS, rng)),
  'an odd character': (text, rng) => insert(text, rng, pick(ODD, rng)),
  'bytes that are no UTF-8': (text, rng) => {
    const bytes = pick(['ff', 'c080', 'e282', 'eda080', 'f5808080', '80'], rng);
    return splice(text, rng.below(text.length), 0, Buffer.from(bytes, 'hex'));
  },
  'deep nesting': (text, rng) =>
    insert(text, rng, pick(['[', '{a: ', '- ', '? ', '"'], rng).repeat(1 + rng.below(400))),
  'very deep nesting': (text, rng) =>
    rng.below(40) > 0 ? text : insert(text, rng, pick(['[', '{', '- '], rng).repeat(40_000)),
  'an alias of an alias': (text, rng) => {
    const width = 2 + rng.below(9);
    const level = (n: number): string => `x${n}: &x${n} [${Array(width).fill(`*x${n - 1}`)}]\n`;
    const levels = Array.from({ length: 1 + rng.below(6) }, (_, n) => level(n + 1)).join('');
    return splice(text, rng.below(2) * text.length, 0, `x0: &x0 [1]\n${levels}`);
  },
  'a byte order mark': (text) => Buffer.concat([Buffer.from('\ufeff'), text]),
  'UTF-16': (text, rng) => {
    const units = Buffer.from(`${rng.below(2) === 0 ? '\ufeff' : ''}${text}`, 'utf16le');
    return rng.below(2) === 0 ? units : units.swap16();
  },
  'lines that end in CR LF': (text) =>
    Buffer.from(text.toString('latin1').replaceAll('\n', '\r\n'), 'latin1'),
  'lines that end in CR': (text) =>
    Buffer.from(text.toString('latin1').replaceAll('\n', '\r'), 'latin1'),
};

/** A name, a number, an address as it is in a text. */
interface Word {
  readonly text: string;
  readonly at: number;
  /** Words of one kind can replace each other: `net0` and `eth0`, `192.0.2.1` and `10.0.0.1`. */
  readonly kind: string;
}

function wordsOf(text: string): Word[] {
  return [...text.matchAll(/[\w.:/-]{3,}/g)].map((match) => {
    const kind = match[0].replaceAll(/\d+/g, '0').replaceAll(/[a-z]+/gi, 'a');
    return { text: match[0], at: match.index, kind };
  });
}

function withWord(text: string, word: Word, other: string): string {
  return text.slice(0, word.at) + other + text.slice(word.at + word.text.length);
}

/** The text with each word in the place of each other one of its kind. */
export function* wordsExchanged(text: string): Generator<string> {
  const words = wordsOf(text);
  for (const word of words) {
    const others = words.filter((each) => each.kind === word.kind && each.text !== word.text);
    for (const other of new Set(others.map((each) => each.text))) yield withWord(text, word, other);
  }
}

/** A corrupted configuration, and the names of what happened to it. */
export interface Corrupted {
  readonly bytes: Buffer;
  readonly story: readonly string[];
}

/** One to four corruptions of a valid configuration; a large one now and then. */
export function corrupted(rng: Rng, isLargeAllowed: boolean): Corrupted {
  const isLarge = isLargeAllowed && rng.below(200) === 0;
  let bytes: Buffer = Buffer.from(pick(isLarge ? LARGE : SMALL, rng));
  const story: string[] = [];
  for (let count = 1 + rng.below(4); count > 0 && bytes.length > 0; count -= 1) {
    const name = pick(Object.keys(CORRUPTIONS), rng);
    bytes = CORRUPTIONS[name]?.(bytes, rng) ?? bytes;
    story.push(name);
  }
  return { bytes, story };
}

function pick<T>(choices: readonly T[], rng: Rng): T {
  return choices[rng.below(choices.length)] as T;
}

function splice(text: Buffer, at: number, remove: number, add: string | Buffer): Buffer {
  return Buffer.concat([text.subarray(0, at), Buffer.from(add), text.subarray(at + remove)]);
}

function insert(text: Buffer, rng: Rng, add: string): Buffer {
  return splice(text, rng.below(text.length), 0, add);
}

/** Lets `change` edit the lines; all bytes are kept as they are. */
function inLines(text: Buffer, change: (lines: string[]) => unknown): Buffer {
  const lines = text.toString('latin1').split('\n');
  change(lines);
  return Buffer.from(lines.join('\n'), 'latin1');
}

/** Puts an odd value behind one of the colons that end a key. */
function atColon(text: Buffer, rng: Rng, restOf: (value: string, rest: string) => string): Buffer {
  const all = text.toString('latin1');
  const colons = [...all.matchAll(/: |:\n/g)].map((match) => match.index + 1);
  if (colons.length === 0) return text;
  const at = pick(colons, rng);
  const value = ` ${pick(VALUES, rng)} `;
  return Buffer.from(`${all.slice(0, at)}${value}${restOf(value, all.slice(at))}`, 'latin1');
}
