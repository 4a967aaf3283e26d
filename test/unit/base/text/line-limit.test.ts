/** Lines that others cause: so many in a while, then how many more there were. */

import { deepEqual } from 'node:assert/strict';
import { test } from 'node:test';
import { LineLimit } from '../../../../src/base/text/line-limit.ts';

test('twenty lines of each kind in a second, then the number of the others', () => {
  const due: (() => void)[] = [];
  const told: string[] = [];
  const limit = new LineLimit<string>(
    (delayMs, body) => {
      deepEqual(delayMs, 1000);
      due.push(body);
    },
    (kind, count) => told.push(`${count} more of ${kind}`),
  );
  const admitted = (kind: string, count: number): number =>
    Array.from({ length: count }, () => limit.admits(kind)).filter(Boolean).length;
  deepEqual([admitted('a', 50), admitted('b', 20)], [20, 20]);
  for (const body of due.splice(0)) body();
  deepEqual(told, ['30 more of a']);
  deepEqual(admitted('a', 1), 1, 'a new window');
});
