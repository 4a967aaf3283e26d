/**
 * Preloaded into a daemon (`NODE_OPTIONS=--import`): reports how long its main thread was busy
 * without a break, on the wall and in its own processor time. A machine that gives the time to
 * others is not the daemon's fault, so both are reported.
 *
 * A client of the socket IPMPD_BENCH_TURNS gets the longest turns since its last question.
 * With IPMPD_BENCH_PROFILE, a folder, each such span is also written there as a profile.
 */

import { openSync, readSync, writeFileSync } from 'node:fs';
import { Session } from 'node:inspector';
import { createServer } from 'node:net';
import { join } from 'node:path';
import { isMainThread } from 'node:worker_threads';

/** Of the timer between whose calls a turn lies. */
const TICK_MS = 1;
/** Of the profile, in microseconds. */
const SAMPLE_US = 200;

/** Longest turns, in milliseconds. */
export interface Turns {
  readonly wallMs: number;
  readonly processorMs: number;
}

function watch(socketPath: string, profileFolder: string | undefined): void {
  // Nanoseconds of processor time are the first word of this file.
  const statistics = openSync(`/proc/self/task/${process.pid}/schedstat`, 'r');
  const text = Buffer.alloc(64);
  const processorMs = (): number => {
    const length = readSync(statistics, text, 0, text.length, 0);
    return Number(text.toString('latin1', 0, length).split(' ')[0]) / 1e6;
  };
  let longest = { wallMs: 0, processorMs: 0 };
  let last = { wallMs: performance.now(), processorMs: processorMs() };
  const look = (): void => {
    const now = { wallMs: performance.now(), processorMs: processorMs() };
    longest = {
      wallMs: Math.max(longest.wallMs, now.wallMs - last.wallMs - TICK_MS),
      processorMs: Math.max(longest.processorMs, now.processorMs - last.processorMs),
    };
    last = now;
  };
  setInterval(look, TICK_MS).unref();
  const session = profileFolder === undefined ? undefined : startProfile();
  let profiles = 0;
  const writeProfile = (): void => {
    const file = join(profileFolder ?? '', `${String(profiles++).padStart(2, '0')}.cpuprofile`);
    session?.post('Profiler.stop', (error, result) => {
      if (error === null) writeFileSync(file, JSON.stringify(result.profile));
    });
  };
  process.once('exit', writeProfile);
  const server = createServer((socket) => {
    look();
    const turns: Turns = longest;
    socket.end(JSON.stringify(turns));
    writeProfile();
    session?.post('Profiler.start');
    last = { wallMs: performance.now(), processorMs: processorMs() };
    longest = { wallMs: 0, processorMs: 0 };
  });
  server.listen(socketPath).unref();
}

function startProfile(): Session {
  const session = new Session();
  session.connect();
  session.post('Profiler.enable');
  session.post('Profiler.setSamplingInterval', { interval: SAMPLE_US });
  session.post('Profiler.start');
  return session;
}

const { IPMPD_BENCH_TURNS: socketPath, IPMPD_BENCH_PROFILE: profileFolder } = process.env;
if (isMainThread && socketPath !== undefined && process.argv[1]?.endsWith('ipmpd.js')) {
  watch(socketPath, profileFolder);
}
