/**
 * Runs test files with node:test in the order in which they are given: `node --test` sorts them by
 * name, and a long file that begins last keeps one processor while the others are idle.
 *
 *   node --test-timeout=MS scripts/run-tests.mjs CONCURRENCY FILE...
 *
 * `npm test` calls it for each stage (test.mjs) and reads the summary.
 */

import { run } from 'node:test';
import { spec } from 'node:test/reporters';

const [concurrency, ...files] = process.argv.slice(2);
const timeout = Number(process.execArgv.join().match(/--test-timeout=(\d+)/)?.[1]);
// A signal ends the files that run, as it does with `node --test`.
const interruption = new AbortController();
for (const name of ['SIGINT', 'SIGTERM']) process.once(name, () => interruption.abort());
run({ files, concurrency: Number(concurrency), timeout, signal: interruption.signal })
  .on('test:fail', () => {
    process.exitCode = 1;
  })
  .compose(new spec())
  .pipe(process.stdout);
