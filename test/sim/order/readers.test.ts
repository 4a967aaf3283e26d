/** 64 readers against plumbing without pause; `npm run soak -- --cycles 100000` for more. */

import { ok } from 'node:assert/strict';
import { test } from 'node:test';
import { contest, READERS } from './readers.ts';

const CYCLES = 5000;
const SEED = 20_261_123;

test(`${READERS} readers, ${CYCLES} cycles of plumb and unplumb, seed ${SEED}`, (t) => {
  const tally = contest(CYCLES, SEED);
  t.diagnostic(JSON.stringify(tally));
  for (const name of ['groupCycles', 'data', 'stale', 'gone', 'unanswered'] as const) {
    ok(tally[name] > CYCLES / 100, `${name}: ${tally[name]}`);
  }
  ok(tally.longestReadMs <= 200.01, `a read took ${tally.longestReadMs} ms`);
});
