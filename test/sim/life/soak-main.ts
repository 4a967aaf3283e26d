/**
 * `npm run soak`: seeds of trouble in numbers.
 *
 *   npm run soak -- --seeds 10000 [--from 1]     that many lives, one after the other
 *   npm run soak -- --seed 7 --transcript        one life, line by line (--frames: all of it)
 *   npm run soak -- --seed 7 --shorten           the steps of a failing one that matter, as JSON
 *   npm run soak -- --play FILE [--transcript]   the schedule in a file
 *   npm run soak -- --cycles 10000               plumb and unplumb against 64 readers
 *
 * Exit status 0 if no invariant was broken, 1 if one was, 2 for bad arguments.
 */

import { readFileSync } from 'node:fs';
import { parseArgs } from 'node:util';
import { contest } from '../order/readers.ts';
import type { LifeOptions } from './life.ts';
import { drawSchedule, type Schedule } from './schedule.ts';
import { liveOnce, liveSeed, shorten } from './soak.ts';

const REPORT_EVERY_MS = 30_000;

const print = (line: string): void => void process.stdout.write(`${line}\n`);

function main(): number {
  const { values } = parseArgs({
    options: {
      seeds: { type: 'string', default: '1000' },
      from: { type: 'string', default: '1' },
      seed: { type: 'string' },
      transcript: { type: 'boolean', default: false },
      frames: { type: 'boolean', default: false },
      shorten: { type: 'boolean', default: false },
      play: { type: 'string' },
      cycles: { type: 'string' },
    },
  });
  const { seed, play, cycles } = values;
  if (cycles !== undefined) {
    const tally = contest(wholeNumber(cycles), wholeNumber(seed ?? values.from));
    for (const [what, count] of Object.entries(tally)) print(`${what.padEnd(20)} ${count}`);
    return 0;
  }
  if (play === undefined && seed === undefined) {
    return soak(wholeNumber(values.from), wholeNumber(values.seeds));
  }
  const schedule =
    play === undefined
      ? drawSchedule(wholeNumber(seed ?? ''))
      : (JSON.parse(readFileSync(play, 'utf8')) as Schedule);
  if (values.shorten) {
    print(JSON.stringify(shorten(schedule), undefined, 1));
    return 0;
  }
  const isTold = values.transcript || values.frames;
  return one(schedule, isTold ? { onLine: print, showsFrames: values.frames } : undefined);
}

function one(schedule: Schedule, options: LifeOptions | undefined): number {
  try {
    const { digest, durationMs } = liveOnce(schedule, options);
    print(`well: ${(durationMs / 1000).toFixed(1)} s of virtual time, digest ${digest}`);
    return 0;
  } catch (error) {
    const { message } = error as Error;
    print(options === undefined ? message : message.split('\n')[0]!);
    return 1;
  }
}

function soak(from: number, count: number): number {
  const beganMs = performance.now();
  let reportedMs = beganMs;
  let failed = 0;
  let virtualMs = 0;
  const ends = new Map<string, number>();
  for (let seed = from; seed < from + count; seed++) {
    try {
      const outcome = liveSeed(seed);
      virtualMs += outcome.durationMs;
      for (const [end, times] of outcome.ends) ends.set(end, (ends.get(end) ?? 0) + times);
    } catch (error) {
      failed++;
      print((error as Error).message);
    }
    if (performance.now() - reportedMs < REPORT_EVERY_MS) continue;
    reportedMs = performance.now();
    print(`${seed - from + 1} of ${count}, ${failed} failed`);
  }
  for (const [end, times] of [...ends].sort()) print(`${String(times).padStart(9)}  ${end}`);
  const seconds = ((performance.now() - beganMs) / 1000).toFixed(0);
  const virtual = (virtualMs / 1000).toFixed(0);
  print(
    `seeds ${from} to ${from + count - 1}: ${failed} failed; ${virtual} s lived in ${seconds} s`,
  );
  return failed === 0 ? 0 : 1;
}

function wholeNumber(text: string): number {
  if (/^\d{1,9}$/.test(text)) return Number(text);
  throw new TypeError(`"${text}" is not a whole number`);
}

try {
  process.exitCode = main();
} catch (error) {
  process.stderr.write(`${(error as Error).message}\n`);
  process.exitCode = error instanceof TypeError ? 2 : 1;
}
