/** Figures, rates and keys of the live view. */

import { deepEqual, equal, ok } from 'node:assert/strict';
import { describe, test } from 'node:test';
import fc from 'fast-check';
import { jsonRead } from '../../src/base/text/json.ts';
import { shortAge, shortBytes, shortNumber } from '../../src/lab/live/figures.ts';
import { keysOf } from '../../src/lab/live/keys.ts';
import { RateMeter } from '../../src/lab/live/rates.ts';
import { rowsRead } from '../../src/model/fields.ts';
import { KSTAT_ROW, type KstatRow } from '../../src/model/rows.ts';

describe('figures', () => {
  const NUMBERS: readonly (readonly [number, string])[] = [
    [0, '0'],
    [0.4, '0'],
    [999.4, '999'],
    [999.5, '1.00k'],
    [1234, '1.23k'],
    [9994, '9.99k'],
    [9996, '10.0k'],
    [99_949, '99.9k'],
    [99_951, '100k'],
    [999_499, '999k'],
    [999_500, '1.00M'],
    [1.8446744073709552e19, '18.4E'],
  ];
  for (const [value, text] of NUMBERS) {
    test(`${value} is ${text}`, () => equal(shortNumber(value), text));
  }

  test('bytes have a unit', () => {
    deepEqual([0, 812, 8_120_000].map(shortBytes), ['0 B', '812 B', '8.12 MB']);
  });

  const AGES: readonly (readonly [number, string])[] = [
    [-5, '0.0s'],
    [9940, '9.9s'],
    [9960, '10s'],
    [59_499, '59s'],
    [59_500, '1m00s'],
    [187_000, '3m07s'],
    [3_599_400, '59m59s'],
    [3_599_600, '1h00m'],
    [86_399_000, '23h59m'],
    [86_400_000, '1d00h'],
    [360_000_000, '4d04h'],
  ];
  for (const [ms, text] of AGES) {
    test(`${ms} ms are ${text}`, () => equal(shortAge(ms), text));
  }

  test('five columns are enough for a number, seven for bytes', () => {
    fc.assert(
      fc.property(fc.double({ min: 0, max: 2 ** 64, noNaN: true }), (value) => {
        ok(shortNumber(value).length <= 5, shortNumber(value));
        ok(shortBytes(value).length <= 7, shortBytes(value));
      }),
    );
  });
});

describe('rates', () => {
  /** A reading as the daemon's JSON has it. */
  function reading(
    seconds: string,
    bytes: bigint,
    { crtime = '1.5', stale = false } = {},
  ): readonly KstatRow[] {
    const counters = `"rbytes64":${bytes},"ipackets64":${bytes / 100n},"obytes64":0,"opackets64":7`;
    const head = `"module":"link","instance":0,"name":"net0","class":"net","crtime":${crtime}`;
    const text = `[{${head},"snaptime":${seconds},"stale":${stale},"data":{${counters}}}]`;
    return rowsRead(KSTAT_ROW, jsonRead(text));
  }

  const inBytes = (meter: RateMeter, rows: readonly KstatRow[]): number | undefined =>
    meter.handleKstats(rows).get('link:net0')?.inBytes;

  test('the difference by the time between', () => {
    const meter = new RateMeter();
    equal(inBytes(meter, reading('10.000000000', 1000n)), undefined);
    deepEqual(meter.handleKstats(reading('12.000000000', 5000n)).get('link:net0'), {
      inBytes: 2000,
      inPackets: 20,
      outBytes: 0,
      outPackets: 0,
    });
  });

  test('exact where a double is not', () => {
    const meter = new RateMeter();
    const large = 2n ** 63n;
    inBytes(meter, reading('10.000000000', large));
    equal(inBytes(meter, reading('11.000000000', large + 3n)), 3);
  });

  test('readings close together leave the rate as it was', () => {
    const meter = new RateMeter();
    inBytes(meter, reading('10.0', 0n));
    equal(inBytes(meter, reading('11.0', 1000n)), 1000);
    equal(inBytes(meter, reading('11.1', 9000n)), 1000);
    equal(inBytes(meter, reading('12.0', 9000n)), 8000);
  });

  test('a kstat created anew, or read from memory, has none', () => {
    const meter = new RateMeter();
    inBytes(meter, reading('10.0', 5000n));
    equal(inBytes(meter, reading('11.0', 10n, { crtime: '10.5' })), undefined);
    equal(inBytes(meter, reading('12.0', 110n, { crtime: '10.5' })), 100);
    equal(inBytes(meter, reading('13.0', 110n, { crtime: '10.5', stale: true })), undefined);
    equal(inBytes(meter, reading('14.0', 510n, { crtime: '10.5' })), undefined);
    equal(inBytes(meter, []), undefined);
  });
});

describe('keys', () => {
  const KEYS: readonly (readonly [string, readonly string[]])[] = [
    ['q', ['q']],
    ['c1', ['c', '1']],
    ['\x03', ['interrupt']],
    ['\x1b', ['escape']],
    ['\x0c', ['redraw']],
    ['\x1b[A\x1b[1;5Bq', ['q']],
    ['\x1bOPq', ['q']],
    ['\x1b[200~pasted', ['p', 'a', 's', 't', 'e', 'd']],
    ['\x00\x1a\r\nq', ['q']],
    ['\x1b\x1b', ['escape', 'escape']],
  ];
  for (const [text, keys] of KEYS) {
    test(JSON.stringify(text), () => deepEqual(keysOf(text), keys));
  }
});
