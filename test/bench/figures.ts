/** Figures of repeated runs: medians, spread, and ratios of what ran next to each other. */

/** A set of values in three numbers. */
export interface Spread {
  readonly median: number;
  readonly least: number;
  readonly most: number;
}

/** Values by what they are of, a candidate, say; position `i` of every list is round `i`. */
export type Rounds = ReadonlyMap<string, readonly number[]>;

/** Adds a value to the list of `name`, which is begun if there is none. */
export function addTo<T>(lists: Map<string, T[]>, name: string, value: T): void {
  lists.set(name, [...(lists.get(name) ?? []), value]);
}

/** Median, least and most of `values`; undefined if there are none. */
export function spreadOf(values: readonly number[]): Spread | undefined {
  if (values.length === 0) return undefined;
  const sorted = [...values].sort((a, b) => a - b);
  return { median: middle(sorted), least: sorted[0]!, most: sorted.at(-1)! };
}

/**
 * `over` / `under` round by round: on a machine whose speed drifts, only what ran within one round
 * may be compared. Undefined if they have no round in common.
 */
export function ratioOf(rounds: Rounds, over: string, under: string): Spread | undefined {
  const below = rounds.get(under) ?? [];
  const ratios = (rounds.get(over) ?? [])
    .slice(0, below.length)
    .map((value, round) => value / below[round]!);
  return spreadOf(ratios);
}

/** The value below which `share` (0 to 1) of `values` lie. @throws RangeError if there are none. */
export function quantile(values: readonly number[], share: number): number {
  if (values.length === 0) throw new RangeError('a quantile of nothing');
  const sorted = [...values].sort((a, b) => a - b);
  return sorted[Math.min(sorted.length - 1, Math.floor(share * sorted.length))]!;
}

function middle(sorted: readonly number[]): number {
  const half = sorted.length >> 1;
  return sorted.length % 2 === 1 ? sorted[half]! : (sorted[half - 1]! + sorted[half]!) / 2;
}
