/**
 * Program: the served harness in a process of its own; it watches how long its loop stands still.
 *
 * It sends its parent `socketPath`, then answers each message with the longest stall since the
 * last one and its resident memory. A stall is processor time of the main thread between two turns
 * of the loop: a machine that gives the time to others is not the server's fault.
 */

import { closeSync, openSync, readSync } from 'node:fs';
import { controlHarness } from '../unit/ctl/api/harness.ts';

const TURN_MS = 1;

export interface ServedReport {
  readonly longestStallMs: number;
  readonly residentBytes: number;
}

/** Nanoseconds of processor time are the first word of this file. */
const statistics = openSync(`/proc/self/task/${process.pid}/schedstat`, 'r');
const text = Buffer.alloc(64);

function processorMs(): number {
  const length = readSync(statistics, text, 0, text.length, 0);
  return Number(text.toString('latin1', 0, length).split(' ')[0]) / 1e6;
}

let longestStallMs = 0;
let lastMs = processorMs();
setInterval(() => {
  const nowMs = processorMs();
  longestStallMs = Math.max(longestStallMs, nowMs - lastMs);
  lastMs = nowMs;
}, TURN_MS);

const daemon = await controlHarness();
process.on('message', () => {
  process.send?.({ longestStallMs, residentBytes: process.memoryUsage.rss() });
  longestStallMs = 0;
});
process.on('disconnect', async () => {
  await daemon[Symbol.asyncDispose]();
  closeSync(statistics);
  process.exit(0);
});
process.send?.({ socketPath: daemon.socketPath });
