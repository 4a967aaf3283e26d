/**
 * Which address goes where: the pure planner (docs/law.md rows 38, 40, 41). It sees only counts,
 * in the order of the active list, and answers with indexes into it.
 *
 * Rules
 * 1. A homeless address goes to the emptiest member, the first in the list on ties.
 * 2. A newcomer takes from the fullest until one more would put it ahead (`mine + 1 >= fullest`).
 * 3. A removal is followed by at most one move, into the member that lost the address, and only
 *    if another has more than one address more.
 * 4. Nothing else moves.
 *
 * Invariants: no address is left without a member while there is one; a rule never makes a member
 * exceed another by more than one that it did not exceed before.
 */

/** One move of the fullest member's most recently bound address. */
export interface Steal {
  readonly from: number;
  readonly to: number;
}

/** The plan for one change of the active members. */
export interface Plan {
  /** Where each homeless address goes, in their order. */
  readonly placements: readonly number[];
  /** Moves from old members to newcomers, in order. */
  readonly steals: readonly Steal[];
}

/** The emptiest member: index of the first smallest count; -1 if there is none. */
export function emptiest(counts: readonly number[]): number {
  let best = -1;
  let bestCount = Number.POSITIVE_INFINITY;
  for (let i = 0; i < counts.length; i++) {
    const count = counts[i]!;
    if (count < bestCount) {
      best = i;
      bestCount = count;
    }
  }
  return best;
}

/** The fullest member: index of the first largest count; -1 if there is none. */
export function fullest(counts: readonly number[]): number {
  let best = -1;
  let bestCount = -1;
  for (let i = 0; i < counts.length; i++) {
    const count = counts[i]!;
    if (count > bestCount) {
      best = i;
      bestCount = count;
    }
  }
  return best;
}

/**
 * Plans a change: `counts` of the members that are active afterwards (newcomers have 0),
 * `homeless` addresses to place, and which members are `newcomers`. Homeless addresses are placed
 * first, so that no address moves twice.
 */
export function planChange(
  counts: readonly number[],
  homeless: number,
  newcomers: readonly number[],
): Plan {
  const now = [...counts];
  const placements: number[] = [];
  if (now.length === 0) return { placements, steals: [] };
  for (let i = 0; i < homeless; i++) {
    const to = emptiest(now);
    placements.push(to);
    now[to] = now[to]! + 1;
  }
  const steals: Steal[] = [];
  for (const to of newcomers) {
    for (;;) {
      const from = fullest(now);
      if (now[to]! + 1 >= now[from]!) break;
      now[from] = now[from]! - 1;
      now[to] = now[to]! + 1;
      steals.push({ from, to });
    }
  }
  return { placements, steals };
}

/** After member `lost` has lost an address: which one gives it one, or undefined (rule 3). */
export function planRemoval(counts: readonly number[], lost: number): Steal | undefined {
  const from = fullest(counts);
  if (from < 0 || counts[from]! <= counts[lost]! + 1) return undefined;
  return { from, to: lost };
}
