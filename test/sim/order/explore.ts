/**
 * Every way in which a small scenario can go: depth first over its choices. A run is given a
 * function that chooses; it must depend on nothing else. The first run takes the first of each
 * choice; each run after it differs from the one before in the last choice that has another left.
 */

import { ok } from 'node:assert/strict';

/** Picks one of `count` possibilities, by number. */
export type Choose = (count: number) => number;

interface Choice {
  taken: number;
  readonly count: number;
}

/**
 * Runs `scenario` once for every sequence of choices and returns how many there were. An error
 * names the sequence that led to it. More than `limit` is a mistake of the scenario.
 */
export function exploreAll(scenario: (choose: Choose) => void, limit: number): number {
  const path: Choice[] = [];
  for (let runs = 1; ; runs++) {
    ok(runs <= limit, `more than ${limit} interleavings`);
    runOnce(scenario, path);
    for (;;) {
      const last = path.at(-1);
      if (last === undefined) return runs;
      if (++last.taken < last.count) break;
      path.pop();
    }
  }
}

/** Runs a scenario along `path`, which grows by the choices that are new. */
function runOnce(scenario: (choose: Choose) => void, path: Choice[]): void {
  const known = path.length;
  let depth = 0;
  const choose = (count: number): number => {
    if (depth >= path.length) path.push({ taken: 0, count });
    const choice = path[depth++]!;
    ok(choice.count === count, 'the scenario depends on something else');
    return choice.taken;
  };
  try {
    scenario(choose);
  } catch (error) {
    const taken = path.map((choice) => choice.taken);
    throw new Error(`after the choices [${taken}]: ${error}`, { cause: error });
  }
  ok(depth >= known, 'the scenario made fewer choices than before');
}
