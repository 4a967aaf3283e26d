/**
 * What the rules of locks and lifetimes cost where they are watched always: each thing alone, with
 * the witness as a daemon has it (no stacks are kept), and once with stacks as in tests.
 */

import { acquire, assertNoOpenRegion, Region, WaitLock } from '../../../src/base/lock.ts';
import { Scheduler } from '../../../src/base/operation.ts';
import { References } from '../../../src/base/reference.ts';
import { setViolationHandler } from '../../../src/base/witness.ts';
import { addTo, type Rounds } from '../figures.ts';

/** Rounds that only warm up (ours). */
const COLD_ROUNDS = 3;
/** Repetitions between two looks at the clock. */
const TIMES = 2000;

/** What is measured: its name, what repeats it, and whether stacks are kept. */
type Thing = readonly [string, (times: number) => void, 'stacks kept'?];

function things(): readonly Thing[] {
  const region = new Region('region');
  const lock = new WaitLock('kstat', 'lock');
  const references = new References('bench', 'object');
  const scheduler = new Scheduler();
  let entered = 0;
  const own = (times: number): void => {
    scheduler.spawn('owner', function* () {
      for (let i = 0; i < times; i++) (yield* acquire(lock)).release();
    });
    scheduler.run();
  };
  const hold = (times: number): void => {
    for (let i = 0; i < times; i++) references.hold('bench').release();
  };
  const assertBoundary = (times: number): void => {
    for (let i = 0; i < times; i++) assertNoOpenRegion('bench');
  };
  const enter = (times: number): void => {
    for (let i = 0; i < times; i++) region.write(() => entered++);
  };
  return [
    ['boundary asserted', assertBoundary],
    ['region entered and left', enter],
    ['lock taken and released', own],
    ['reference held and released', hold],
    ['lock, stacks kept', own, 'stacks kept'],
    ['reference, stacks kept', hold, 'stacks kept'],
  ];
}

/** Measures all in turn, `runMs` milliseconds a round each: nanoseconds for one. */
export function measureLocks({ rounds = 9, runMs = 20 } = {}): Rounds {
  const all = things();
  const values = new Map<string, number[]>();
  for (let round = 0; round < COLD_ROUNDS + rounds; round++) {
    for (const [name, repeat, stacks] of all) {
      const undo = setViolationHandler(stacks ? undefined : () => undefined);
      let times = 0;
      const start = performance.now();
      let now = start;
      for (; now - start < runMs; now = performance.now()) {
        repeat(TIMES);
        times += TIMES;
      }
      undo();
      if (round >= COLD_ROUNDS) addTo(values, name, ((now - start) * 1e6) / times);
    }
  }
  return values;
}
