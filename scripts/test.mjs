/**
 * `npm test`: set-up, then every test, stage by stage.
 *
 *   npm test                       everything
 *   npm test -- unit sim           these stages (tidy, unit, prop ...: see test-files.mjs)
 *   npm test -- timing failover    of these stages, the files whose name contains a word
 *
 * The last line is `N passed, N failed, N skipped`; exit status 0 only if a test was executed and
 * none failed.
 */

import { spawn } from 'node:child_process';
import { availableParallelism } from 'node:os';
import { join } from 'node:path';
import { setUpOrExit } from './setup.mjs';
import { root } from './stamps.mjs';
import { longestFirst, programsOf, STAGES, testFiles } from './test-files.mjs';

/** Ours: no single test may take longer; the longest (fuzz over real devices) takes a minute. */
const TEST_TIMEOUT_MS = 300_000;

const words = process.argv.slice(2);
const names = STAGES.map((stage) => stage.name);
const chosen = words.filter((word) => names.includes(word));
const filters = words.filter((word) => !names.includes(word));
if (filters.some((word) => word.startsWith('-'))) {
  process.stderr.write(`usage: npm test -- [${names.join('|')}]... [part of a file name]...\n`);
  process.exit(2);
}

const missing = await setUpOrExit('test');
const total = { passed: 0, failed: 0, skipped: 0 };
let running;
let interrupted;
for (const signal of ['SIGINT', 'SIGTERM']) {
  process.on(signal, () => {
    interrupted = signal;
    running?.kill('SIGINT');
  });
}

for (const stage of STAGES) {
  if (chosen.length > 0 && !chosen.includes(stage.name)) continue;
  const found = testFiles(stage.folder).filter(
    (file) => filters.length === 0 || filters.some((word) => file.source.includes(word)),
  );
  if (found.length === 0 || interrupted) continue;
  process.stdout.write(`\n${stage.name}: ${found.length} files\n`);
  const files = leaveOut(stage, found);
  total.skipped += found.length - files.length;
  if (files.length === 0) continue;
  const began = process.hrtime.bigint();
  const counts = await runStage(stage, files);
  const seconds = Number(process.hrtime.bigint() - began) / 1e9;
  for (const key of Object.keys(total)) total[key] += counts[key];
  process.stdout.write(`${stage.name}: ${sentence(counts)} in ${seconds.toFixed(1)} s\n`);
}
if (interrupted) process.stdout.write(`\ninterrupted by ${interrupted}\n`);
const isEmpty = total.passed + total.failed === 0;
if (isEmpty) process.stdout.write(`no test was executed: ${words.join(' ')}\n`);
process.stdout.write(`\n${sentence(total)}\n`);
process.exitCode = total.failed === 0 && !interrupted && !isEmpty ? 0 : 1;

function sentence({ passed, failed, skipped }) {
  return `${passed} passed, ${failed} failed, ${skipped} skipped`;
}

/** The files of a stage that can run here; the others are counted, and the reason is printed. */
function leaveOut(stage, files) {
  const names = missing.map(({ program }) => program);
  const lacking = (stage.programs ?? []).filter((program) => names.includes(program));
  if (stage.needsRoot && process.getuid() !== 0) lacking.push('root');
  if (lacking.length > 0) {
    const why = `it needs what is missing here: ${lacking.join(', ')}`;
    process.stdout.write(`${stage.name}: ${files.length} files skipped: ${why}\n`);
    return [];
  }
  if (!stage.scans) return files;
  return files.filter(({ source }) => {
    const needed = programsOf(source, names);
    if (needed.length === 0) return true;
    process.stdout.write(
      `${source}: skipped: it runs what is missing here: ${needed.join(', ')}\n`,
    );
    return false;
  });
}

/** Runs the files of one stage with node:test and counts by its closing summary. */
function runStage(stage, files) {
  const concurrency = stage.sequential ? 1 : availableParallelism() + (stage.waiting ?? 0);
  const args = [
    `--test-timeout=${TEST_TIMEOUT_MS}`,
    join(root, 'scripts/run-tests.mjs'),
    String(concurrency),
    ...longestFirst(stage, files).map((file) => join(root, file.built)),
  ];
  return new Promise((resolve) => {
    const child = spawn(process.execPath, args, {
      cwd: root,
      stdio: ['ignore', 'pipe', 'inherit'],
      detached: true,
    });
    running = child;
    const counts = new Map();
    let rest = '';
    child.stdout.setEncoding('utf8').on('data', (chunk) => {
      process.stdout.write(chunk);
      const lines = (rest + chunk).split('\n');
      rest = lines.pop();
      for (const line of lines) {
        const [, name, count] = /^\S+ (pass|fail|cancelled|skipped|todo) (\d+)$/.exec(line) ?? [];
        if (name !== undefined) counts.set(name, Number(count));
      }
    });
    child.on('close', (status) => {
      running = undefined;
      resolve(countsOf(counts, status));
    });
  });
}

/**
 * The numbers of the summary lines, by their names; a run that ended otherwise than by failing tests has
 * failed too.
 */
function countsOf(counts, status) {
  const count = (name) => counts.get(name) ?? 0;
  if (!counts.has('pass')) return { passed: 0, failed: 1, skipped: 0 };
  const failed = count('fail') + count('cancelled');
  const skipped = count('skipped') + count('todo');
  return { passed: count('pass'), failed: status !== 0 && failed === 0 ? 1 : failed, skipped };
}
