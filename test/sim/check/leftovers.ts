/** What is left of a world in which everything has been unplumbed: it should be nothing. */

import { referenceCounts } from '../../../src/base/reference.ts';
import { MAX_SLOTS } from '../../../src/datapath/tables/fib.ts';
import {
  ACTIVE_LOW,
  LIVE_GROUP_WORDS,
  PLACEMENT,
  TABLE_WORDS,
  tableOffset,
  WORD_GENERATION,
} from '../../../src/datapath/tables/layout.ts';
import { MAX_GROUPS } from '../../../src/model/limits.ts';
import type { SimWorld } from '../../../src/sim/world.ts';

/** Live words of the forwarding path: where they begin, and how many there are. */
const LIVE_WORDS: readonly (readonly [string, number, number])[] = [
  ['active and nominated members', ACTIVE_LOW, MAX_GROUPS * LIVE_GROUP_WORDS],
  ['placement slots', PLACEMENT, MAX_SLOTS],
];

/** One sentence for each thing left. `heldBefore`: references that are not this world's. */
export function leftovers(world: SimWorld, heldBefore: Readonly<Record<string, number>>): string[] {
  const { system, datapath } = world;
  const found: string[] = [];
  const expectNone = (what: string, count: number): void => {
    if (count !== 0) found.push(`${count} ${what}`);
  };
  for (const [kind, count] of Object.entries(referenceCounts())) {
    expectNone(`references to a ${kind}`, count - (heldBefore[kind] ?? 0));
  }
  expectNone('interfaces', system.describeInterfaces().length);
  expectNone('groups', system.describeGroups().length);
  expectNone('addresses', system.describeAddresses().length);
  expectNone('neighbours', system.describeNeighbors().length);
  const kstats = system.kstats.list().filter(({ module }) => module !== 'ipmpd');
  expectNone(`kstats (${kstats.map(({ name }) => name)})`, kstats.length);
  expectNone('ready tasks', system.scheduler.readyCount);
  const pollAt = system.pollAt();
  if (pollAt !== Number.POSITIVE_INFINITY) found.push(`a deadline at ${pollAt.toFixed(3)} ms`);
  expectNone('ports with a device', datapath.attached);
  const words = new Int32Array(datapath.memory);
  const used = (from: number, count: number): number => {
    let sum = 0;
    for (let at = from; at < from + count; at++) if (words[at] !== 0) sum++;
    return sum;
  };
  for (const [what, from, count] of LIVE_WORDS) expectNone(`words of ${what}`, used(from, count));
  const table = tableOffset(words[WORD_GENERATION]!);
  expectNone('words of the forwarding table', used(table, TABLE_WORDS));
  return found;
}
