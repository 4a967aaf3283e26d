/**
 * Every mutant of mutants.ts is caught, and the unmutated copy is not: each in a copy of the code
 * that no other uses meanwhile, two at a time. What caught it is printed.
 *
 * A mutant that does not load, or whose test is not found, counts as survived: only the failure
 * of the named test, or an error of the compiler, is a catch.
 */

import { match, ok } from 'node:assert/strict';
import { execFile } from 'node:child_process';
import { cpSync, mkdtempSync, readFileSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, describe, test } from 'node:test';
import { VIOLATION_KINDS } from '../../src/base/witness.ts';
import { patched } from '../tools/patches.ts';
import { type Check, MUTANTS, type Mutant } from './mutants.ts';

const ROOT = join(import.meta.dirname, '../../..');
const COPIES = mkdtempSync(join(tmpdir(), 'ipmpd-mutants-'));
/** Ours: far above what a check takes; a mutant may also never end. */
const CHECK_TIMEOUT_MS = 60_000;

after(() => rmSync(COPIES, { recursive: true, force: true }));

/** The output of a process, and whether it ended well. */
interface Ending {
  readonly isGood: boolean;
  readonly output: string;
}

function run(args: readonly string[], cwd: string): Promise<Ending> {
  // A test file that finds itself run by another one reports to it instead of to its output.
  const { NODE_TEST_CONTEXT: _, ...env } = process.env;
  return new Promise((resolve) => {
    const options = { cwd, env, timeout: CHECK_TIMEOUT_MS, maxBuffer: 1 << 26 };
    execFile(process.execPath, args, options, (error, stdout, stderr) => {
      resolve({ isGood: error === null, output: stdout + stderr });
    });
  });
}

/** Copies that are in use by no mutant, unedited: two of each kind are made at most. */
const unused: Readonly<Record<'compiled' | 'source', string[]>> = { compiled: [], source: [] };

function newCopy(isSource: boolean): string {
  const copy = mkdtempSync(join(COPIES, 'copy-'));
  const from = isSource ? ROOT : join(ROOT, 'dist');
  const isWanted = (path: string): boolean => !/\.(map|tsbuildinfo|d\.ts)$/.test(path);
  for (const folder of isSource ? ['src'] : ['src', 'test']) {
    cpSync(join(from, folder), join(copy, folder), { recursive: true, filter: isWanted });
  }
  for (const file of ['package.json', 'tsconfig.base.json']) {
    cpSync(join(ROOT, file), join(copy, file));
  }
  for (const folder of ['node_modules', 'native']) {
    symlinkSync(join(ROOT, folder), join(copy, folder));
  }
  return copy;
}

/** Runs `body` over a copy of the compiled code or of the source, with `mutant`; undoes it. */
async function inCopy<T>(
  mutant: Mutant | undefined,
  isSource: boolean,
  body: (copy: string) => Promise<T>,
): Promise<T> {
  const copies = unused[isSource ? 'source' : 'compiled'];
  const copy = copies.pop() ?? newCopy(isSource);
  const path = join(copy, mutant?.file ?? 'package.json');
  const before = readFileSync(path, 'utf8');
  try {
    if (mutant !== undefined) writeFileSync(path, patched(before, mutant));
    return await body(copy);
  } finally {
    writeFileSync(path, before);
    copies.push(copy);
  }
}

/** Runs the test of `check` alone. */
async function runCheck(copy: string, { file, title }: Check): Promise<Ending> {
  const pattern = `^${title.replace(/[.*+?^${}()|[\]\\]/g, '\\$&')}$`;
  const path = join(copy, `test/${file}.test.js`);
  const args = [`--test-name-pattern=${pattern}`, '--test-reporter=tap', path];
  const ending = await run(args, copy);
  ok(ending.output.includes(`ok 1 -`), `${file} has not run: ${ending.output.slice(0, 2000)}`);
  ok(ending.output.includes(`- ${title}\n`), `${file} has no test of the title: ${title}`);
  return ending;
}

/** Has the compiler look at `files` and what they import. */
function compile(copy: string, files: readonly string[]): Promise<Ending> {
  const config = { extends: './tsconfig.base.json', compilerOptions: OPTIONS, files };
  writeFileSync(join(copy, 'tsconfig.json'), JSON.stringify(config));
  return run([join(ROOT, 'node_modules/typescript/bin/tsc'), '-p', 'tsconfig.json'], copy);
}

const OPTIONS = { noEmit: true, composite: false, incremental: false, declaration: false };
const SOURCES = MUTANTS.map(({ file }) => file).filter((file) => file.endsWith('.ts'));

/** The check that failed, and its sentence; undefined: none. */
async function catcherOf(mutant: Mutant): Promise<[string, string] | undefined> {
  const { file, check } = mutant;
  const ending = await inCopy(mutant, check === undefined, (copy) =>
    check === undefined ? compile(copy, [file]) : runCheck(copy, check),
  );
  if (ending.isGood) return undefined;
  if (check === undefined) {
    match(ending.output, /error TS2\d{3}/);
    return ['type system', /error TS.*/.exec(ending.output)?.[0] ?? ''];
  }
  const errors = errorsOf(ending.output);
  ok(!/SyntaxError|ReferenceError/.test(ending.output), `a mutant that is no program: ${errors}`);
  const kind = VIOLATION_KINDS.find((each) => errors.includes(`[${each}]`));
  if (kind === undefined) return ['checker', `${check.file}, ${check.title}: ${errors}`];
  const sentence = errors.split('\n').find((line) => line.includes(`[${kind}]`)) ?? '';
  return [`witness [${kind}]`, sentence.trim()];
}

/** The message of the first failure in a report in TAP, which may have several lines. */
function errorsOf(tap: string): string {
  const [, indent = '', first = ''] = /\n( +)error: (.*)\n/.exec(tap) ?? [];
  if (!first.startsWith('|')) return first;
  const after = tap
    .slice(tap.indexOf(`${indent}error: ${first}`))
    .split('\n')
    .slice(1);
  const end = after.findIndex((line) => line !== '' && !line.startsWith(`${indent}  `));
  return after.slice(0, end).join('\n').trim();
}

describe('mutants', { concurrency: 2 }, () => {
  for (const mutant of MUTANTS) {
    test(mutant.fault, async (t) => {
      const caught = await catcherOf(mutant);
      ok(caught !== undefined, `it survives ${mutant.check?.title ?? 'the compiler'}`);
      t.diagnostic(`${caught[0]}: ${caught[1].replaceAll('\n', ' ').slice(0, 240)}`);
      ok(caught[0].startsWith(mutant.caughtBy), `caught by ${caught.join(': ')}`);
    });
  }
  test('without an edit no check fails', async () => {
    const checks = MUTANTS.flatMap(({ check }) => (check === undefined ? [] : [check]));
    // One of each file: all have just passed in stages `unit` and `sim`, over the same code.
    for (const check of new Map(checks.map((each) => [each.file, each])).values()) {
      const run = await inCopy(undefined, false, (copy) => runCheck(copy, check));
      ok(run.isGood, run.output.slice(0, 4000));
    }
  });
  test('without an edit the compiler is content', async () => {
    const { isGood, output } = await inCopy(undefined, true, (copy) => compile(copy, SOURCES));
    ok(isGood, output);
  });
});
