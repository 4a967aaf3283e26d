/** A property: a predicate over arbitrary values. fast-check prints the seed of one that fails. */

import fc from 'fast-check';

/** Asserts that `holds` does not throw for `runs` drawn lists of its arguments. */
export function forAll<Values extends [unknown, ...unknown[]]>(
  runs: number,
  arbitraries: { [At in keyof Values]: fc.Arbitrary<Values[At]> },
  holds: (...values: Values) => void,
): void {
  fc.assert(fc.property<Values>(...arbitraries, holds), { numRuns: runs });
}
