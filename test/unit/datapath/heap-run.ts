/**
 * Program: runs frames through the datapath and prints what was allocated meanwhile. Started by
 * heap.test.ts with --expose-gc, in a process of its own, since whatever else a process
 * does is on the same heap; and with --no-concurrent-recompilation, so that the compiler is done
 * after so many frames and not after a while.
 *
 *     datapath-heap-run.js FRAMES PART...    so many frames of each part: a key of PARTS
 *
 * It prints one JSON line of Run for each part, and stops after one that made garbage.
 */

import { PerformanceObserver } from 'node:perf_hooks';
import { setTimeout as sleep } from 'node:timers/promises';
import { GROUP_PORT_BASE } from '../../../src/model/limits.ts';
import { LoopHarness } from './loop-harness.ts';
import { KINDS, type Kind } from './traffic.ts';

/** What a run was like. */
export interface Run {
  readonly name: string;
  readonly frames: number;
  readonly ms: number;
  /** Bytes by which the heap grew while it ran, before anything was collected. */
  readonly allocated: number;
  /** Bytes by which it had grown after everything superfluous was collected. */
  readonly kept: number;
  /** Garbage collections while it ran. */
  readonly collections: number;
  /** Frames handed out by the end that they must come to, and what the counters say. */
  readonly expected: Readonly<Record<string, number>>;
  readonly counted: Readonly<Record<string, number>>;
}

/** The kinds of frames that run together. */
const PARTS: Readonly<Record<string, (kind: Kind) => boolean>> = {
  mixed: () => true,
  'forwarded out': ({ end, port }) => end === 'forwarded' && port >= GROUP_PORT_BASE,
  'forwarded in': ({ end, port }) => end === 'forwarded' && port < GROUP_PORT_BASE,
  punted: ({ end }) => end === 'punted',
  dropped: ({ end }) => end !== 'forwarded' && end !== 'punted',
};

/** Ours: waits of one round of warming up, and rounds at most: some ten million frames. */
const ROUND = 128;
const ROUNDS_MAX = 120;
/** Rounds in a row that allocate nothing: then the compilers are done. */
const CALM_ROUNDS = 16;
/** Ours: more than the question costs, less than an object for each hundred frames. */
const CALM_BYTES = 1024;
/** Ours: by then the observer has received the collections. */
const OBSERVED_MS = 20;

const collections: number[] = [];
const observer = new PerformanceObserver((list) => {
  for (const { startTime } of list.getEntries()) collections.push(startTime);
});
observer.observe({ entryTypes: ['gc'] });

function collect(): void {
  const { gc } = globalThis as { gc?: () => void };
  if (gc === undefined) throw new Error('start me with --expose-gc');
  gc();
  gc();
}

function heapUsed(): number {
  return process.memoryUsage().heapUsed;
}

/** Runs until nothing is compiled any more; false if it goes on allocating. */
function warmUp(harness: LoopHarness): boolean {
  let calm = 0;
  for (let round = 0; round < ROUNDS_MAX && calm < CALM_ROUNDS; round++) {
    const before = heapUsed();
    harness.run(ROUND);
    calm = heapUsed() - before < CALM_BYTES ? calm + 1 : 0;
  }
  return calm === CALM_ROUNDS;
}

async function measure(name: string, kinds: readonly Kind[], frames: number): Promise<Run> {
  const harness = new LoopHarness(kinds);
  const isCalm = warmUp(harness);
  const warmFrames = harness.frames();
  harness.run(ROUND);
  const perWait = (harness.frames() - warmFrames) / ROUND;
  // What it takes on average; bursts differ, so a little may be left to do.
  const waits = Math.ceil(frames / perWait);
  collect();
  // The collector discards code that has not run lately; and this is the first long run.
  if (isCalm) {
    harness.run(ROUND * CALM_ROUNDS);
    warmUp(harness);
  }
  await sleep(OBSERVED_MS);
  const before = { frames: harness.frames(), heap: heapUsed() };
  const begin = performance.now();
  harness.run(waits);
  while (harness.frames() - before.frames < frames) harness.run(ROUND);
  const end = performance.now();
  const allocated = heapUsed() - before.heap;
  collect();
  const kept = heapUsed() - before.heap;
  await sleep(OBSERVED_MS);
  return {
    name,
    frames: harness.frames() - before.frames,
    ms: end - begin,
    allocated,
    kept,
    collections: collections.filter((at) => at >= begin && at <= end).length,
    ...ends(harness),
  };
}

/** What the frames must have come to, and have, since the harness began. */
function ends({ ports, counters }: LoopHarness): Pick<Run, 'expected' | 'counted'> {
  const expected: Record<string, number> = {};
  for (const { kinds, given } of ports.values()) {
    for (const [index, { end }] of kinds.entries()) {
      if (given[index] === 0) continue;
      expected[end] = (expected[end] ?? 0) + given[index]!;
    }
  }
  const counted: Record<string, number> = {};
  const { forwarded, punted, injectedDropped } = counters.totals();
  for (const [reason, count] of counters.drops()) {
    if (count > 0n) counted[reason] = Number(count);
  }
  // A device without room is no fault of the forwarder: it has sent the frame on its way.
  const full = (counted.transmit_full ?? 0) - Number(injectedDropped);
  delete counted.transmit_full;
  if (forwarded > 0n) counted.forwarded = Number(forwarded) + full;
  // Nor is a full queue, nor the rate of a station's ARP.
  const untaken = (counted.punt_full ?? 0) + (counted.punt_rate_limited ?? 0);
  if (punted > 0n) counted.punted = Number(punted) + untaken;
  delete counted.punt_full;
  delete counted.punt_rate_limited;
  return { expected, counted };
}

const [frames, ...parts] = process.argv.slice(2);
for (const part of parts) {
  const run = await measure(part, KINDS.filter(PARTS[part]!), Number(frames));
  process.stdout.write(`${JSON.stringify(run)}\n`);
  if (run.collections > 0) break;
}
