/**
 * Runs one Promela model through spin: text -> verifier in C -> verdict and number of states.
 * Each run has a temporary folder of its own, which is removed on every path.
 */

import { execFile, spawnSync } from 'node:child_process';
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { root } from '../tidy/source.ts';

const run = promisify(execFile);

/** No run of ours comes near; what does has become another model. */
const RUN_TIMEOUT_MS = 120_000;
const MEMORY_MIB = 3000;
const DEPTH_MAX = 1_000_000;

/** The release that the recorded numbers of states belong to; another one may count otherwise. */
export const RECORDED_WITH = 'Spin Version 6.5.2';

/**
 * What is searched for: `safety` is a deadlock or a failed assertion, `served` a run in which the
 * claim `all_served` does not come true although every process that can go on finally does.
 */
export type Search = 'safety' | 'served';

/** How the verifier is built and called for each search. */
const SEARCHES: Record<Search, { compile: readonly string[]; call: readonly string[] }> = {
  safety: { compile: ['-DSAFETY', '-DNOCLAIM'], call: [] },
  served: { compile: ['-DNFAIR=8'], call: ['-a', '-f', '-N', 'all_served'] },
};

/** `text` of a model with its parameters (`READERS=2`). */
export interface Model {
  readonly text: string;
  readonly defines: readonly string[];
}

/** The result of the verifier. */
export interface Verdict {
  /** `holds`, `deadlock`, `a task is never served`, or the assertion that failed. */
  readonly outcome: string;
  /** States stored until then. */
  readonly states: number;
}

/** The release of spin; undefined where spin or a C compiler is missing. */
export function spinVersion(): string | undefined {
  const spin = spawnSync('spin', ['-V'], { encoding: 'utf8' });
  const cc = spawnSync('cc', ['--version']);
  if (spin.status !== 0 || cc.status !== 0) return undefined;
  return /^Spin Version [\d.]+/m.exec(spin.stdout)?.[0] ?? 'unknown';
}

/** The text of a model of this folder. */
export function modelText(name: string): Promise<string> {
  return readFile(join(root, 'test/model', name), 'utf8');
}

/** Searches all runs of `model`. Fails if the search itself could not be completed. */
export function verify(model: Model, search: Search): Promise<Verdict> {
  return inFolder(async (folder) => {
    const { compile, call } = SEARCHES[search];
    await build(folder, model, compile);
    const args = [`-m${DEPTH_MAX}`, ...call];
    const { stdout } = await run('./pan', args, { cwd: folder, timeout: RUN_TIMEOUT_MS });
    return verdictOf(stdout);
  });
}

/** The shortest run of `model` into a mistake: the lines that the model prints on the way. */
export function shortestTrace(model: Model): Promise<string[]> {
  return inFolder(async (folder) => {
    await build(folder, model, ['-DSAFETY', '-DNOCLAIM', '-DBFS']);
    await run('./pan', [], { cwd: folder, timeout: RUN_TIMEOUT_MS });
    const defines = model.defines.map((define) => `-D${define}`);
    const { stdout } = await run('spin', ['-t', '-T', ...defines, 'model.pml'], { cwd: folder });
    const [trail = ''] = stdout.split('spin: trail ends');
    const told = lines(trail).filter((line) => !line.startsWith('spin:'));
    const waiting = [...stdout.matchAll(/proc\s+\d+ \((\w+):/g)].map((found) => found[1]);
    return [...told, `now all wait: ${waiting.toReversed().join(', ')}`];
  });
}

async function build(folder: string, model: Model, compile: readonly string[]): Promise<void> {
  await writeFile(join(folder, 'model.pml'), model.text);
  const defines = model.defines.map((define) => `-D${define}`);
  await run('spin', [...defines, '-a', 'model.pml'], { cwd: folder });
  const flags = ['-O0', '-w', `-DMEMLIM=${MEMORY_MIB}`, ...compile];
  await run('cc', [...flags, '-o', 'pan', 'pan.c'], { cwd: folder });
}

/** Reads what a verifier has printed. */
export function verdictOf(output: string): Verdict {
  const errors = /errors: (\d+)/.exec(output)?.[1];
  const states = /^\s*(\d+) states, stored/m.exec(output)?.[1];
  const isCutShort = /max search depth too small|reached -DMEMLIM|out of memory/.test(output);
  if (errors === undefined || states === undefined || isCutShort) {
    throw new Error(`the search was not completed:\n${output}`);
  }
  return { outcome: errors === '0' ? 'holds' : mistakeOf(output), states: Number(states) };
}

function mistakeOf(output: string): string {
  const found = /^pan:1: (.*) \(at depth \d+\)$/m.exec(output)?.[1] ?? '';
  if (found.startsWith('invalid end state')) return 'deadlock';
  if (found.startsWith('acceptance cycle')) return 'a task is never served';
  const assertion = /^assertion violated\s+(.*)$/.exec(found)?.[1];
  if (assertion === undefined) throw new Error(`a mistake of an unknown kind:\n${output}`);
  return `assert ${assertion.replaceAll(/\s+/g, '')}`;
}

function lines(text: string): string[] {
  return text.split('\n').flatMap((line) => (line.trim() === '' ? [] : [line.trim()]));
}

async function inFolder<T>(body: (folder: string) => Promise<T>): Promise<T> {
  const folder = await mkdtemp(join(tmpdir(), 'ipmpd-model-'));
  try {
    return await body(folder);
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
}
