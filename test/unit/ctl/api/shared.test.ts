/** A shared result: how long it is valid, and what is kept of a failure. */

import { deepEqual, equal, rejects } from 'node:assert/strict';
import { test } from 'node:test';
import { Shared } from '../../../../src/ctl/api/shared.ts';

/** Makings in the order of their beginning, each ended by the test. */
class Bench {
  readonly makings: { resolve: (made: number) => void; reject: (error: Error) => void }[] = [];
  nowMs = 0;
  readonly shared = new Shared(
    () => new Promise<number>((resolve, reject) => this.makings.push({ resolve, reject })),
    1000,
    () => this.nowMs,
  );
}

test('a result is valid for its time, counted from the beginning of its making', async () => {
  const bench = new Bench();
  const first = bench.shared.get();
  bench.nowMs = 600;
  bench.makings[0]?.resolve(1);
  equal(await first, 1);
  bench.nowMs = 999;
  equal(await bench.shared.get(), 1);
  bench.nowMs = 1000;
  const second = bench.shared.get();
  bench.makings[1]?.resolve(2);
  equal(await second, 2);
  equal(bench.makings.length, 2);
});

test('what takes longer than its time is not begun twice', async () => {
  const bench = new Bench();
  const first = bench.shared.get();
  bench.nowMs = 5000;
  const second = bench.shared.get();
  equal(bench.makings.length, 1);
  bench.makings[0]?.resolve(1);
  deepEqual(await Promise.all([first, second]), [1, 1]);
  const third = bench.shared.get();
  bench.makings[1]?.resolve(2);
  equal(await third, 2);
});

test('a failure goes to the callers that waited for it', async () => {
  const bench = new Bench();
  const asked = [bench.shared.get(), bench.shared.get()];
  bench.makings[0]?.reject(new Error('no'));
  for (const one of asked) await rejects(one, { message: 'no' });
  const again = bench.shared.get();
  bench.makings[1]?.resolve(2);
  equal(await again, 2);
});
