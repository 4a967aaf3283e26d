/**
 * Worlds full of trouble, one for each seed. A failure names its seed and shows the end of its
 * story; `IPMPD_SIM_SEED=n` runs that one alone, `IPMPD_SIM_SEEDS=n` runs more of them.
 */

import { equal } from 'node:assert/strict';
import { test } from 'node:test';
import { Chaos } from './chaos.ts';

/** Ours: half a minute of a core. */
const SEEDS = 30;
const STORY_LINES = 40;

function seeds(): number[] {
  const one = process.env.IPMPD_SIM_SEED;
  if (one !== undefined) return [Number(one)];
  return Array.from({ length: Number(process.env.IPMPD_SIM_SEEDS ?? SEEDS) }, (_, i) => i + 1);
}

function story(chaos: Chaos | undefined): string {
  return chaos?.world.transcript.lines.slice(-STORY_LINES).join('\n') ?? 'it never began';
}

/** Runs one seed; the error of a failure says which, and what had happened. */
function live(seed: number): string {
  let chaos: Chaos | undefined;
  try {
    chaos = new Chaos(seed);
    chaos.trouble();
    chaos.heal();
    const complaints = chaos.complaints();
    if (complaints.length > 0) throw new Error(`after the repair: ${complaints.join('; ')}`);
    return chaos.world.transcript.digest;
  } catch (error) {
    throw new Error(`IPMPD_SIM_SEED=${seed}: ${error}\n${story(chaos)}`, { cause: error });
  }
}

for (const seed of seeds()) {
  test(`seed ${seed}: nothing is ever wrong, and all is well at the end`, () => {
    live(seed);
  });
}

/** Seeds that once found something: what it was. */
const FOUND: readonly (readonly [number, string])[] = [
  [90, 'a neighbour that comes back with another MAC after everything was down'],
];

for (const [seed, what] of process.env.IPMPD_SIM_SEED === undefined ? FOUND : []) {
  test(`seed ${seed}: ${what}`, () => {
    live(seed);
  });
}

test('a seed tells the same story twice', () => {
  equal(live(1), live(1));
});
