/** Whether the host says what it said before: flat records in a fixed order of fields. */

import { findInTurns } from '../../base/turns.ts';

/** Compares records, by their text. */
export function isSame(left: unknown, right: unknown): boolean {
  return left === right || JSON.stringify(left) === JSON.stringify(right);
}

/** Compares lists of any length, in turns and up to the first difference. */
export async function isSameList<Row>(
  left: readonly Row[],
  right: readonly Row[],
): Promise<boolean> {
  // Of thousands of addresses some come or go: that needs no text.
  if (left.length !== right.length) return false;
  const other = await findInTurns(left.keys(), (at) => {
    return isSame(left[at], right[at]) ? undefined : at;
  });
  return other === undefined;
}
