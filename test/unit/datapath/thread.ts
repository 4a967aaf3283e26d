/** The other thread of shared.test.ts: one role a run, named in workerData. */

import { parentPort, workerData } from 'node:worker_threads';
import { counterAdd } from '../../../src/datapath/counters.ts';
import { FrameRing } from '../../../src/datapath/ring.ts';
import {
  tableOffset,
  WORD_GENERATION,
  WORKER_HELD,
  workerOffset,
} from '../../../src/datapath/tables/layout.ts';
import { ADDRESS_NONE, addressFind, nicEntry } from '../../../src/datapath/tables/lookup.ts';

interface Roles {
  count: { memory: SharedArrayBuffer; steps: number };
  produce: { memory: SharedArrayBuffer; frames: number };
  read: { memory: SharedArrayBuffer; shared: Int32Array };
}

const ROLES: { [R in keyof Roles]: (data: Roles[R]) => unknown } = {
  count({ memory, steps }) {
    const words = new Int32Array(memory);
    for (let i = 0; i < steps; i++) counterAdd(words, 0, 3 * 2 ** 30 + 1);
    return steps;
  },

  produce({ memory, frames }) {
    const ring = new FrameRing(memory);
    const frame = Uint8Array.from({ length: 1024 }, (_, i) => i);
    for (let n = 0; n < frames; ) {
      if (ring.push(n & 511, frame, n & 255, (n * 7) % 300, n / 4)) n++;
    }
    return frames;
  },

  read({ memory, shared }) {
    const words = new Int32Array(memory);
    const held = workerOffset(0) + WORKER_HELD;
    let torn = 0;
    while (Atomics.load(shared, 0) === 0) {
      let generation = 0;
      do {
        generation = Atomics.load(words, WORD_GENERATION);
        Atomics.store(words, held, generation);
      } while (Atomics.load(words, WORD_GENERATION) !== generation);
      const table = tableOffset(generation);
      const round = words[nicEntry(table, 0) + 3]! & 0xff;
      for (let nic = 0; nic < 64; nic++) {
        if ((words[nicEntry(table, nic) + 3]! & 0xff) !== round) torn++;
      }
      const isEmpty = words[nicEntry(table, 0)] === 0;
      if (!isEmpty && addressFind(words, table, 0, round) === ADDRESS_NONE) torn++;
      if (Atomics.add(shared, 1, 1) % 3 === 0) Atomics.store(words, held, 0);
    }
    Atomics.store(words, held, 0);
    return torn;
  },
};

const { role, ...data } = workerData as { role: keyof Roles };
const run = ROLES[role] as (data: unknown) => unknown;
parentPort?.postMessage(run(data));
