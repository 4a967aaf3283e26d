/**
 * Requests that are wrong, made from right ones: one fault each, or a few, of kinds with names.
 * The same seed makes the same requests. Work on latin1 text: one character a byte.
 */

import type { Rng } from '../../src/base/rng.ts';
import { hostileBody, hostileQuery, hostileSegment, pick } from './hostile.ts';
import type { Verb } from './verbs.ts';

/** A request in the parts that are put together in the end. */
interface Draft {
  readonly method: string;
  readonly path: string;
  readonly version: string;
  readonly headers: readonly string[];
  readonly body: string;
  /** Replaces the body's length where it is given. */
  readonly length?: string;
}

export interface Mutant {
  readonly kind: string;
  readonly bytes: Buffer;
}

const METHODS = ['GET', 'POST', 'PUT', 'PATCH', 'DELETE', 'HEAD', 'OPTIONS', 'TRACE', 'CONNECT'];
const STRANGE_METHODS: readonly string[] = [
  ...'QUERY PROPFIND get GE M-SEARCH PRI'.split(' '),
  ...['G\0T', '', 'X'.repeat(99)],
];
const VERSIONS: readonly string[] = [
  ...'HTTP/1.0 HTTP/0.9 HTTP/1.2 HTTP/2.0 HTTP/9.9 http/1.1'.split(' '),
  ...['HTTP/1.1 ', ''],
];
const LENGTHS: readonly string[] = [
  ...'-1 +2 0x10 1e3 18446744073709551616 99999999999'.split(' '),
  ...['', ' ', '2, 2', '2, 3'],
];
const HEADERS = [
  'expect: 100-continue',
  'expect: the unexpected',
  'upgrade: h2c\r\nconnection: upgrade',
  'upgrade: websocket\r\nconnection: upgrade\r\nsec-websocket-key: x',
  'connection: close',
  'connection: keep-alive, close, te',
  'host: a\r\nhost: b',
  'content-length: 3\r\ncontent-length: 5',
  'transfer-encoding: identity',
  'transfer-encoding: gzip, chunked',
  'transfer-encoding: chunked, gzip',
  'transfer-encoding: \x0bchunked',
  'transfer-encoding : chunked',
  'content-encoding: gzip',
  'content-type: text/xml',
  'content-type: application/json; charset=utf-7',
  'content-type: application/x-www-form-urlencoded',
  'content-type: multipart/form-data; boundary=x',
  'content-type: \xff\xfe',
  'accept: */*;q=-1',
  'accept-encoding: gzip;q=1e9',
  'range: bytes=0-,-1',
  'last-event-id: 18446744073709551616',
  'x: y\r\n folded',
  'x: a\0b',
  ': nameless',
  'no colon at all',
  '__proto__: x',
  'constructor: x',
  'trailer: host',
  'cookie: a=b; a=c; __proto__=d',
];

/** What a fault makes of some parts. */
type Change = (draft: Draft, rng: Rng) => Partial<Draft>;

const JSON_TYPE = 'content-type: application/json';

/** Faults in the meaning of a request. */
const CHANGES: Readonly<Record<string, Change>> = {
  valid: () => ({}),
  method: (_, rng) => ({ method: pick(rng, rng.below(3) === 0 ? STRANGE_METHODS : METHODS) }),
  path: ({ path }, rng) => {
    const parts = path.split('/');
    parts.splice(1 + rng.below(parts.length), rng.below(2), hostileSegment(rng));
    return { path: parts.join('/') };
  },
  query: ({ path }, rng) => ({ path: `${path}?${hostileQuery(rng)}` }),
  version: (_, rng) => ({ version: pick(rng, VERSIONS) }),
  header: ({ headers }, rng) => {
    const more = rng.below(20) > 0 ? [pick(rng, HEADERS)] : manyHeaders(rng);
    return { headers: [...headers, ...more] };
  },
  hostless: ({ headers }) => ({ headers: headers.filter((one) => !one.startsWith('host:')) }),
  length: ({ body }, rng) => {
    const shift = rng.below(9) - 4;
    return { length: rng.below(2) === 0 ? pick(rng, LENGTHS) : String(body.length + shift) };
  },
  body: ({ body, headers }, rng) => ({
    body: hostileBody(rng, body),
    headers: [...headers, JSON_TYPE],
  }),
  chunked: ({ body, headers }, rng) => ({
    body: chunkedBody(body, rng),
    headers: [...headers, JSON_TYPE, 'transfer-encoding: chunked'],
    ...(rng.below(4) > 0 ? { length: 'none' } : {}),
  }),
};

function manyHeaders(rng: Rng): string[] {
  if (rng.below(2) === 0) return [`x: ${'y'.repeat(1 << (8 + rng.below(9)))}`];
  return Array.from({ length: 1 << rng.below(12) }, (_, at) => `x${at}: y`);
}

const CHUNK_SIZES: readonly string[] = [
  ...'0 00 -1 fffffffffffffffff ffffffff 7fffffff g 1;x=y'.split(' '),
  ...['', '5 '],
];
const LAST_CHUNK = '0\r\n\r\n';
const CHUNK_TAILS: readonly string[] = [
  ...[LAST_CHUNK, '0\r\nhost: x\r\n\r\n', '0\r\n', '0\n\n', ''],
  `${LAST_CHUNK}GET / HTTP/1.1\r\n\r\n`,
];

function chunkedBody(body: string, rng: Rng): string {
  let chunks = '';
  for (let at = 0; at < body.length; ) {
    const length = 1 + rng.below(body.length - at);
    const size = rng.below(8) === 0 ? pick(rng, CHUNK_SIZES) : length.toString(16);
    chunks += `${size}\r\n${body.slice(at, at + length)}\r\n`;
    at += length;
  }
  return chunks + (rng.below(3) === 0 ? pick(rng, CHUNK_TAILS) : LAST_CHUNK);
}

/** What is put between two bytes. */
const INSERTED: readonly string[] = [...'\0\r\n \t:%\xff\x7f', '\r\n', '\r\n\r\n'];

/** Faults in the bytes, which know nothing of the meaning. */
const DAMAGES: Readonly<Record<string, (text: string, rng: Rng) => string>> = {
  bytes: (text, rng) => {
    const bytes = Buffer.from(text, 'latin1');
    for (let count = 1 + rng.below(8); count > 0; count--) {
      bytes[rng.below(bytes.length)] = rng.below(256);
    }
    return bytes.toString('latin1');
  },
  bits: (text, rng) => {
    const bytes = Buffer.from(text, 'latin1');
    const at = rng.below(bytes.length);
    bytes[at] = bytes[at]! ^ (1 << rng.below(8));
    return bytes.toString('latin1');
  },
  cut: (text, rng) => text.slice(0, rng.below(text.length)),
  insert: (text, rng) => {
    const at = rng.below(text.length);
    const what = pick(rng, INSERTED);
    return text.slice(0, at) + what.repeat(1 << rng.below(6)) + text.slice(at);
  },
  remove: (text, rng) => {
    const at = rng.below(text.length);
    return text.slice(0, at) + text.slice(at + 1 + rng.below(16));
  },
  repeat: (text, rng) => {
    const at = rng.below(text.length);
    const piece = text.slice(at, at + 1 + rng.below(32));
    return text.slice(0, at) + piece.repeat(2 + rng.below(64)) + text.slice(at);
  },
  garbage: (_, rng) => {
    const bytes = Array.from({ length: 1 + rng.below(256) }, () => rng.below(256));
    return Buffer.from(bytes).toString('latin1');
  },
};

const ALL_CHANGES = Object.values(CHANGES);
const ALL_DAMAGES = Object.values(DAMAGES);
/** Names of all kinds. */
export const KINDS = [...Object.keys(CHANGES), ...Object.keys(DAMAGES), 'pipeline', 'mixed'];

/** Makes one wrong request after another. */
export class Mutator {
  readonly #rng: Rng;
  readonly #verbs: readonly Verb[];

  constructor(rng: Rng, verbs: readonly Verb[]) {
    this.#rng = rng;
    this.#verbs = verbs;
  }

  next(): Mutant {
    const kind = pick(this.#rng, KINDS);
    return { kind, bytes: Buffer.from(this.#textOf(kind), 'latin1') };
  }

  #textOf(kind: string): string {
    const rng = this.#rng;
    const change = CHANGES[kind];
    if (change !== undefined) return this.#drafted([change]);
    const damage = DAMAGES[kind];
    if (damage !== undefined) return damage(this.#drafted([]), rng);
    if (kind === 'pipeline') {
      const requests = Array.from({ length: 2 + rng.below(8) }, () => this.#drafted([]));
      const wrong = this.#drafted([pick(rng, ALL_CHANGES)]);
      return requests.toSpliced(rng.below(requests.length), 0, wrong).join('');
    }
    const several = Array.from({ length: 2 + rng.below(3) }, () => pick(rng, ALL_CHANGES));
    return pick(rng, ALL_DAMAGES)(this.#drafted(several), rng);
  }

  #drafted(changes: readonly Change[]): string {
    const { method, sample } = pick(this.#rng, this.#verbs);
    const { body = '' } = sample;
    const headers = ['host: ipmpd', ...(body === '' ? [] : [JSON_TYPE])];
    let draft: Draft = { method, path: sample.path, version: 'HTTP/1.1', headers, body };
    for (const change of changes) draft = { ...draft, ...change(draft, this.#rng) };
    const length = draft.length ?? String(draft.body.length);
    const framing = length === 'none' ? [] : [`content-length: ${length}`];
    const lines = [`${draft.method} ${draft.path} ${draft.version}`, ...draft.headers, ...framing];
    return `${lines.join('\r\n')}\r\n\r\n${draft.body}`;
  }
}
