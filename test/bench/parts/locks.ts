/**
 * What the rules of locks and lifetimes cost where they are watched always: each thing alone, with
 * the witness as a daemon has it (no stacks are kept), and once with stacks as in tests.
 */

import { acquire, assertNoOpenRegion, Region, WaitLock } from '../../../src/base/lock.ts';
import { Scheduler } from '../../../src/base/operation.ts';
import { References } from '../../../src/base/reference.ts';
import { setViolationHandler } from '../../../src/base/witness.ts';
import type { Cost } from '../report.ts';

/** Rounds that only warm up (ours). */
const COLD_ROUNDS = 3;
/** Repetitions between two looks at the clock. */
const TIMES = 2000;

interface Thing {
  readonly name: string;
  readonly values: number[];
  readonly keepsStacks: boolean;
  repeat(times: number): void;
}

function thing(name: string, repeat: (times: number) => void, keepsStacks = false): Thing {
  return { name, values: [], keepsStacks, repeat };
}

function things(): Thing[] {
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
  return [
    thing('boundary asserted', (times) => {
      for (let i = 0; i < times; i++) assertNoOpenRegion('bench');
    }),
    thing('region entered and left', (times) => {
      for (let i = 0; i < times; i++) region.write(() => entered++);
    }),
    thing('lock taken and released', own),
    thing('reference held and released', hold),
    thing('lock, stacks kept', own, true),
    thing('reference, stacks kept', hold, true),
  ];
}

/** Measures all in turn, `runMs` milliseconds a round each: nanoseconds for one. */
export function measureLocks({ rounds = 9, runMs = 20 } = {}): Cost[] {
  const all = things();
  for (let round = 0; round < COLD_ROUNDS + rounds; round++) {
    for (const { values, keepsStacks, repeat } of all) {
      const undo = setViolationHandler(keepsStacks ? undefined : () => undefined);
      let times = 0;
      const start = performance.now();
      let now = start;
      for (; now - start < runMs; now = performance.now()) {
        repeat(TIMES);
        times += TIMES;
      }
      undo();
      if (round >= COLD_ROUNDS) values.push(((now - start) * 1e6) / times);
    }
  }
  return all.map(({ name, values }) => ({ name, values }));
}
