/** Mutants that make a call which may wait on the thread that serves (src/base/serving.ts). */

import type { Mutant } from './mutants.ts';

/** One for each kind of call. */
export const WAITING: readonly Mutant[] = [
  {
    fault: 'a driver is called on the main thread',
    edits: [
      {
        file: 'src/sim/drivers.js',
        find: 'onAnotherThread(() => this.#call(ifname, mood));',
        replace: 'this.#call(ifname, mood);',
      },
    ],
    check: {
      file: 'sim/group',
      title: 'a driver that keeps its caller keeps a thread, and its own kstat stale',
    },
    caughtBy: 'witness [blocking]',
  },
  {
    fault: 'the counters of a device are read on the main thread',
    edits: [
      {
        file: 'src/host/counters.js',
        find: 'native.later.filesRead(',
        replace: 'native.filesRead(',
      },
    ],
    check: { file: 'unit/host/counters', title: 'a thread that serves reads counters elsewhere' },
    caughtBy: 'witness [blocking]',
  },
  {
    fault: 'a setting of the kernel is written on the main thread',
    edits: [
      {
        file: 'src/host/silence/sysctl.js',
        find: 'native.later.fileWrite(',
        replace: 'native.fileWrite(',
      },
    ],
    check: { file: 'unit/host/counters', title: 'a thread that serves writes settings elsewhere' },
    caughtBy: 'witness [blocking]',
  },
];
