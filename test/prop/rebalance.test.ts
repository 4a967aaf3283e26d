/** The pure planner: properties over arbitrary groups and changes (docs/law.md rows 38 to 41). */

import { deepEqual, equal, ok } from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { emptiest, fullest, planChange, planRemoval } from '../../src/ipmp/decide/rebalance.ts';
import { forAll } from '../tools/for-all.ts';

const counts = fc.array(fc.nat(40), { minLength: 1, maxLength: 12 });

interface Change {
  readonly old: readonly number[];
  readonly newcomers: number;
  readonly homeless: number;
}

const change: fc.Arbitrary<Change> = fc.record({
  old: fc.array(fc.nat(40), { maxLength: 12 }),
  newcomers: fc.nat(4),
  homeless: fc.nat(60),
});

interface Applied {
  readonly before: readonly number[];
  readonly placed: readonly number[];
  readonly after: readonly number[];
  readonly steals: number;
  /** The giver of the last stolen address. */
  readonly lastFrom: number | undefined;
}

function apply({ old, newcomers, homeless }: Change): Applied | undefined {
  const before = [...old, ...new Array<number>(newcomers).fill(0)];
  if (before.length === 0) return undefined;
  const fresh = before.map((_, at) => at).slice(old.length);
  const plan = planChange(before, homeless, fresh);
  equal(plan.placements.length, homeless, 'none is left unbound');
  const placed = [...before];
  for (const to of plan.placements) placed[to] = (placed[to] ?? Number.NaN) + 1;
  const after = [...placed];
  for (const { from, to } of plan.steals) {
    ok(fresh.includes(to), 'only newcomers take');
    after[from] = (after[from] ?? Number.NaN) - 1;
    after[to] = (after[to] ?? Number.NaN) + 1;
    ok((after[from] ?? -1) >= 0);
  }
  const lastFrom = plan.steals.at(-1)?.from;
  return { before, placed, after, steals: plan.steals.length, lastFrom };
}

const sum = (list: readonly number[]): number => list.reduce((total, one) => total + one, 0);

test('no address is lost, invented, or unbound while a member is there', () => {
  forAll(100, [change], (given) => {
    const applied = apply(given);
    if (applied === undefined) return;
    equal(sum(applied.after), sum(given.old) + given.homeless);
    ok(applied.after.every(Number.isInteger));
  });
});

test('placing homeless addresses creates no difference of more than one', () => {
  forAll(100, [change], (given) => {
    const applied = apply(given);
    if (applied === undefined) return;
    const { before, placed } = applied;
    const low = Math.min(...placed);
    placed.forEach((count, at) => {
      if (count !== before[at]) ok(count <= low + 1, `${before} -> ${placed}`);
    });
  });
});

test('newcomers end within one of the fullest, and never ahead of a donor', () => {
  forAll(100, [change], (given) => {
    const applied = apply(given);
    if (applied === undefined || given.newcomers === 0) return;
    const { after } = applied;
    const newest = after.at(-1) ?? 0;
    ok(Math.max(...after) - newest <= 1, `${after}`);
  });
});

test('moves are minimal: without the last one the newcomer would be behind by more', () => {
  forAll(100, [change], (given) => {
    const applied = apply({ ...given, newcomers: 1 });
    if (applied === undefined) return;
    const { after, placed, steals, lastFrom } = applied;
    const mine = after.at(-1) ?? 0;
    equal(mine - (placed.at(-1) ?? 0), steals, 'each move serves the newcomer');
    if (lastFrom === undefined) return;
    const undone = after.map((count, at) => (at === lastFrom ? count + 1 : count));
    ok(Math.max(...undone) - (mine - 1) > 1, `${placed} -> ${after}`);
  });
});

test('a level group stays level through any change', () => {
  forAll(100, [fc.nat(30), fc.integer({ min: 1, max: 8 }), change], (base, size, given) => {
    const applied = apply({ ...given, old: new Array<number>(size).fill(base) });
    if (applied === undefined) return;
    ok(Math.max(...applied.after) - Math.min(...applied.after) <= 1, `${applied.after}`);
  });
});

test('a removal is followed by at most one move, only from more than one ahead', () => {
  forAll(100, [counts, fc.nat(11)], (list, pick) => {
    const lost = pick % list.length;
    const move = planRemoval(list, lost);
    const mine = list[lost] ?? 0;
    const most = Math.max(...list);
    equal(move !== undefined, most > mine + 1);
    if (move === undefined) return;
    equal(move.to, lost);
    equal(list[move.from], most);
  });
});

test('ties go to the first in the list', () => {
  equal(emptiest([2, 1, 1]), 1);
  equal(emptiest([0, 0]), 0);
  equal(emptiest([]), -1);
  equal(fullest([1, 2, 2]), 1);
  equal(fullest([]), -1);
  deepEqual(planChange([1, 0, 0], 3, []).placements, [1, 2, 0]);
  deepEqual(planChange([3, 3, 0], 0, [2]).steals, [
    { from: 0, to: 2 },
    { from: 1, to: 2 },
  ]);
  deepEqual(planChange([1, 1, 0], 0, [2]).steals, [], 'nothing where each has at most one');
  deepEqual(planChange([], 5, []), { placements: [], steals: [] });
});
