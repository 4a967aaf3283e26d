/** Pieces of requests that have broken programs before: path segments, queries, JSON bodies. */

import type { Rng } from '../../src/base/rng.ts';

export function pick<T>(rng: Rng, list: readonly T[]): T {
  return list[rng.below(list.length)]!;
}

/** Sizes from 1 to about 2^`bits`, small ones as likely as large ones. */
function size(rng: Rng, bits: number): number {
  const most = 1 << (1 + rng.below(bits));
  return 1 + rng.below(most);
}

const SEGMENTS: readonly string[] = [
  ...'. .. ... %2e %2e%2e %2f %2F..%2F %5c %00 %0a %0d%0a %20 % %z %zz %u0041 %ff'.split(' '),
  ...'%c0%ae %e2%82 %f0%9f%92%a9 __proto__ constructor prototype toString'.split(' '),
  ...'hasOwnProperty null undefined :name * ? # #x ;x=y {name} $ref `id` $(id) | &&'.split(' '),
  ...'-1 0 1e9 NaN ipmp0 IPMP0 net0 lo eth0:1 a/b 192.0.2.1 192.0.2.1%2F33 0.0.0.0'.split(' '),
  ...'999.1.1.1 01.02.03.04 :: ::1%25lo fe80::1 1:2:3:4:5:6:7:8:9 2001:db8::%2F129'.split(' '),
  ...'ff:ff:ff:ff:ff:ff offline rename interfaces http: http://evil.example ~ "'.split(' '),
  ...'<script> %ef%bb%bf'.split(' '),
  ...['', '\xff', '\xc3\xa9', '\0', '9'.repeat(30), 'a b', '\\', '\\..\\', "'", '\u00ad'],
];

/** One segment of a path. */
export function hostileSegment(rng: Rng): string {
  if (rng.below(12) > 0) return pick(rng, SEGMENTS);
  return pick(rng, ['a', '%41', '.', '%', '/', '../', '%2e']).repeat(size(rng, 12));
}

const NAMES: readonly string[] = [
  ...'pattern save after group event __proto__ constructor x []'.split(' '),
  ...[''],
];
const VALUES: readonly string[] = [
  ...'true false 1 TRUE null %00 %zz %ff * *:*:*:* ::: :::: [ [! []] [z-a] [a-z ?'.split(' '),
  ...'%5b%21 ipmp link:0:net0:*64 -1 18446744073709551616'.split(' '),
  ...['', '\\', '*a'.repeat(60), '?*'.repeat(120), '[a-'.repeat(80), 'a'.repeat(256)],
  ...['a'.repeat(257)],
];

/** The text after the question mark. */
export function hostileQuery(rng: Rng): string {
  const count = rng.below(10) === 0 ? size(rng, 10) : 1 + rng.below(3);
  const pairs = Array.from({ length: count }, () => {
    const name = pick(rng, NAMES) + pick(rng, ['', '', '', '[]', '[x]', '[__proto__][x]', '.x']);
    return rng.below(8) === 0 ? name : `${name}=${pick(rng, VALUES)}`;
  });
  return pairs.join(pick(rng, ['&', '&', '&', ';', '&&', '?']));
}

const SCALARS: readonly string[] = [
  ...'null true false 0 -0 1 -1 1.5 1e400 -1e400 1e-400 4294967296 9007199254740993'.split(' '),
  ...'18446744073709551616 0x10 01 +1 .5 1. NaN Infinity undefined "" "x" "ipmp0"'.split(' '),
  ...'"net0" "192.0.2.1/24" "off" [] {} [null] {"x":1} ["a","a"] {"toString":1}'.split(' '),
  ...'{"length":1e9} " { ['.split(' '),
  ...['9'.repeat(400), '"\\u0000"', '"\\ud800"', '"\\uZZZZ"', '"\0"', '"\xff\xfe"', '"\xc0\xae"'],
  ...['"\xed\xa0\x80"', '"\xe2\x82"', "'x'", ''],
];

const KEYS: readonly string[] = [
  ...'name to interfaces uplink bridge standby address dst lladdr proxy file text'.split(' '),
  ...'spreading mtu failure-detection-time test-addresses forwarding __proto__'.split(' '),
  ...'constructor prototype toString valueOf hasOwnProperty toJSON a.b $ref $id then'.split(' '),
  ...'length'.split(' '),
  ...['', ' ', '\\u0000', '\xff'],
];

/** Characters of a JSON string, in their allowed forms. */
const CHARACTERS = ['x', '\\n', '\\u0041', '\xe9'];

/** A body in place of the valid JSON text `body`. */
export function hostileBody(rng: Rng, body: string): string {
  switch (rng.below(14)) {
    case 0:
      return '['.repeat(size(rng, 16));
    case 1: {
      const depth = size(rng, 14);
      return '['.repeat(depth) + ']'.repeat(depth);
    }
    case 2: {
      const depth = size(rng, 12);
      return `${'{"a":'.repeat(depth)}1${'}'.repeat(depth)}`;
    }
    case 3:
      return `{${Array.from({ length: size(rng, 13) }, (_, at) => `"k${at}":1`).join()}}`;
    case 4:
      return `{"${pick(rng, KEYS)}":"${pick(rng, CHARACTERS).repeat(size(rng, 14))}"}`;
    case 5:
      return `{"${pick(rng, KEYS)}":${'9'.repeat(size(rng, 15))}}`;
    case 6:
      return pick(rng, SCALARS);
    case 7:
      return `\xef\xbb\xbf${body}`;
    case 8:
      return body.slice(0, rng.below(body.length + 1)) + pick(rng, SCALARS);
    case 9:
      return `${body}${body}`;
    case 10:
      // A value of the valid body is another one.
      return body.replace(/:("[^"]*"|true|false|\d+)/, `:${pick(rng, SCALARS)}`);
    case 11:
      // A key more, which may be one that is there already.
      return body.replace('{', `{"${pick(rng, KEYS)}":${pick(rng, SCALARS)},`);
    case 12:
      return '{"__proto__":{"uid":0},"constructor":{"prototype":{"role":"root"}}}';
    default:
      return anyObject(rng, 3);
  }
}

function anyObject(rng: Rng, depth: number): string {
  const entries = Array.from({ length: rng.below(6) }, () => {
    const isDeep = depth > 0 && rng.below(4) === 0;
    return `"${pick(rng, KEYS)}":${isDeep ? anyObject(rng, depth - 1) : pick(rng, SCALARS)}`;
  });
  return `{${entries.join()}}`;
}
