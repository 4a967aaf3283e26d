/**
 * Program: a worker's loop and forwarder under traffic of every kind, for shapes.ts, which starts
 * it with V8's trace. The two empty functions are marks in that trace: V8 writes a line when a
 * function is first called.
 */

import { LoopHarness } from '../../unit/datapath/loop-harness.ts';
import { KINDS } from '../../unit/datapath/traffic.ts';

/** Ours: waits to warm up, seven million frames, and to be watched, three times that. */
const WARM_WAITS = 12_000;
const WATCHED_WAITS = 36_000;

function traceTrafficBegins(): void {}
function traceIsWarm(): void {}

const harness = new LoopHarness(KINDS);
traceTrafficBegins();
harness.run(WARM_WAITS);
const warm = harness.frames();
traceIsWarm();
harness.run(WATCHED_WAITS);
process.stdout.write(`${harness.frames() - warm}\n`);
