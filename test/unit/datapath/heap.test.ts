/**
 * The datapath allocates nothing per frame. Ten million frames of every kind go through a worker's
 * loop and forwarder: out and in, three groups, five NICs, all ways of spreading, super-frames,
 * frames for the control plane, drops of most reasons, injections, a device that is full now and
 * then, a link that comes and goes. Meanwhile the heap grows by less than a byte for each hundred
 * frames, and nothing is collected; so it is no garbage that goes unseen either.
 *
 * The clock of these runs shows whole milliseconds. One that shows fractions, as the daemon's
 * does, makes an object of 16 bytes with each reading; it is read for frames to the control plane.
 */

import { deepEqual, equal, ok } from 'node:assert/strict';
import { execFile } from 'node:child_process';
import { type TestContext, test } from 'node:test';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import type { Run } from './heap-run.ts';

/** Ours: a run that does not end is ended; it takes seconds. */
const RUN_MAX_MS = 120_000;

const PROGRAM = fileURLToPath(new URL('./heap-run.js', import.meta.url));
/** Ours: a function that is compiled once more takes 80 KB; one byte a frame would be far more. */
const NOISE_BYTES = 128 * 1024;

async function run(frames: number, parts: readonly string[]): Promise<Run[]> {
  const argv = ['--expose-gc', '--no-concurrent-recompilation', PROGRAM, String(frames), ...parts];
  const { stdout } = await promisify(execFile)(process.execPath, argv, { timeout: RUN_MAX_MS });
  return stdout
    .trimEnd()
    .split('\n')
    .map((line) => JSON.parse(line) as Run);
}

function assertFlat(t: TestContext, one: Run, frames: number): void {
  const { name, allocated, kept, collections } = one;
  const nanoseconds = ((one.ms * 1e6) / one.frames).toFixed(0);
  t.diagnostic(`${name}: ${one.frames} frames, ${nanoseconds} ns each, ${allocated} bytes`);
  ok(one.frames >= frames, `${name}: ${one.frames} frames`);
  deepEqual(one.counted, one.expected, name);
  equal(collections, 0, `${name}: garbage was collected`);
  ok(allocated < NOISE_BYTES, `${name}: ${allocated} bytes for ${one.frames} frames`);
  ok(kept < NOISE_BYTES, `${name}: ${kept} bytes kept of ${one.frames} frames`);
}

test('ten million frames of all kinds allocate nothing', async (t) => {
  const [all] = await run(10_000_000, ['mixed']);
  assertFlat(t, all!, 10_000_000);
});

test('no way through the forwarder allocates', async (t) => {
  const parts = ['forwarded out', 'forwarded in', 'punted', 'dropped'];
  const runs = await run(500_000, parts);
  for (const one of runs) assertFlat(t, one, 500_000);
  equal(runs.length, parts.length);
});
