/**
 * `npm run bench -- --shapes`: whether the call sites of the hot path stay monomorphic. A worker's
 * loop and forwarder run in a process of their own while V8 traces itself; its trace is read for
 * accesses that have met several shapes, and for code that was discarded after it was warm.
 *
 * Code that meets a branch for the first time is compiled once more: one such deoptimisation is
 * how V8 learns, and is listed. A second one of the same place means that it learns nothing.
 */

import { execFile } from 'node:child_process';
import { createReadStream, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { type Shapes, type TraceQuery, TraceReader } from './trace.ts';

const PROGRAM = fileURLToPath(new URL('./shapes-run.js', import.meta.url));

/** What runs for each frame. */
const HOT_PATH: TraceQuery = {
  files: /\/src\/(datapath\/|wire\/|base\/bytes\.)/,
  begin: 'traceTrafficBegins',
  warm: 'traceIsWarm',
};

/** Runs the compiled `program` under V8's trace. @throws Error if it fails */
export async function traceShapes(
  program: string,
  query: TraceQuery,
): Promise<{ shapes: Shapes; output: string }> {
  const folder = mkdtempSync(join(tmpdir(), 'ipmpd-shapes-'));
  const file = join(folder, 'v8.log');
  const flags = ['--log-ic', '--log-code', '--log-deopt', '--no-logfile-per-isolate'];
  try {
    const argv = [...flags, `--logfile=${file}`, program];
    // V8 reports deoptimisations on standard output too: a line of our own comes last.
    const { stdout } = await promisify(execFile)(process.execPath, argv);
    const reader = new TraceReader(query);
    for await (const line of createInterface(createReadStream(file))) reader.line(line);
    return { shapes: reader.shapes(), output: stdout.trimEnd().split('\n').at(-1) ?? '' };
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}

/** False if the hot path has a megamorphic site, or code that is discarded again and again. */
export function shapesAreGood({ severalShapes, deoptsAfter }: Shapes): boolean {
  return !severalShapes.some((site) => site.isMegamorphic) && !deoptsAfter.some((d) => d.times > 1);
}

/** The report. */
export function renderShapes(shapes: Shapes, frames: string): string {
  const { sites, severalShapes, optimised, deoptsBefore, deoptsAfter } = shapes;
  const several = severalShapes.map(({ where, what, isMegamorphic }) => {
    return `  ${isMegamorphic ? 'MEGAMORPHIC' : 'polymorphic'}  ${where}  ${what}`;
  });
  const deopts = deoptsAfter.map(({ where, why, times }) => `  ${times} times  ${where}  ${why}`);
  return [
    `accesses and calls of the hot path: ${sites}, with several shapes: ${several.length}`,
    ...several,
    `functions optimised: ${optimised}; discarded while warming up: ${deoptsBefore}`,
    `discarded in ${frames} frames after that: ${deopts.length}`,
    ...deopts,
    '',
  ].join('\n');
}

/** Measures and prints. @throws Error if a site is megamorphic or code is discarded again */
export async function benchShapes(print: (text: string) => void): Promise<void> {
  const { shapes, output } = await traceShapes(PROGRAM, HOT_PATH);
  print(renderShapes(shapes, output));
  if (!shapesAreGood(shapes)) throw new Error('the hot path does not keep its shapes');
}
