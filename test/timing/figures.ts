/** Figures of repeated measurements. */

import { ok } from 'node:assert/strict';

/** The project's own limit for the median of the longest gaps of failovers. */
export const MEDIAN_GAP_MS = 10;
/** Ours: what a failover may add on a machine so busy that an undisturbed stream has gaps too. */
const ADDED_GAP_MS = 8;

/** The middle value; of an even number, the larger of the two in the middle. */
export function median(values: readonly number[]): number {
  const sorted = [...values].sort((a, b) => a - b);
  return sorted[Math.floor(sorted.length / 2)] ?? Number.NaN;
}

/**
 * Asserts the limit for failovers. `calm` are gaps of the same stream while nothing was cut: on a
 * busy machine they alone may come near the limit, and then what the failover adds is judged.
 */
export function assertFailoverGaps(gaps: readonly number[], calm: readonly number[]): void {
  const limit = Math.max(MEDIAN_GAP_MS, median(calm) + ADDED_GAP_MS);
  const [gap, undisturbed] = [median(gaps), median(calm)].map((value) => value.toFixed(1));
  ok(median(gaps) <= limit, `median gap ${gap} ms, undisturbed ${undisturbed} ms`);
}
