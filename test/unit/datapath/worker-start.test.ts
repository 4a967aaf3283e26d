/** How the clocks of two threads compare. */

import { equal, ok } from 'node:assert/strict';
import { test } from 'node:test';
import { clockOffset } from '../../../src/datapath/worker-start.ts';

test('a thread that loses its processor between two reads compares its clocks all the same', () => {
  for (const calm of [0, 7, 15]) {
    let nowMs = 1000;
    let reads = 0;
    const offset = clockOffset({
      own: () => {
        const isCalm = Math.floor(reads / 2) === calm;
        // The second read of a pair comes late, but for one pair.
        if (reads++ % 2 === 1) nowMs += isCalm ? 0.001 : 5 + reads;
        return nowMs;
      },
      common: () => nowMs + 123,
    });
    ok(Math.abs(offset - 123) < 0.001, `${offset} in read ${calm}`);
  }
});

test('the offset of the real clocks is the same each time', () => {
  equal(Math.abs(clockOffset() - clockOffset()) < 1, true);
});
