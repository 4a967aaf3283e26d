/** The picture of the README is what its record draws. */

import { equal, ok } from 'node:assert/strict';
import { test } from 'node:test';
import { drawFailover } from '../../picture/draw.ts';
import type { FailoverRecord } from '../../picture/record.ts';
import { fileText } from '../../tools/page.ts';

test('docs/failover.svg is drawn from docs/failover.json', () => {
  const record: FailoverRecord = JSON.parse(fileText('docs/failover.json'));
  equal(fileText('docs/failover.svg'), drawFailover(record), 'npm run picture');
});

test('the record shows a failover: one NIC carries before the cut, the other after it', () => {
  const { samples, cut, repair }: FailoverRecord = JSON.parse(fileText('docs/failover.json'));
  const busiest = (fromMs: number, toMs: number): string | undefined => {
    const sums = new Map<string, number>();
    for (const { packets } of samples.filter(({ atMs }) => atMs > fromMs && atMs < toMs)) {
      for (const [nic, count] of Object.entries(packets)) {
        sums.set(nic, (sums.get(nic) ?? 0) + count);
      }
    }
    return [...sums].sort(([, left], [, right]) => right - left)[0]?.[0];
  };
  const [before, after] = [busiest(0, cut.atMs), busiest(cut.atMs, repair.atMs)];
  ok(before !== undefined && after !== undefined && before !== after, `${before}, ${after}`);
});
