/**
 * Mutated requests by the hundred thousand (T20): nothing crashes, each one gets a valid reply, a
 * refusal with a code, or the end of its connection, and the loop of the server never stands still
 * for long. Against the served harness as root, where every verb is open; against the real daemon
 * as a user with read access alone.
 *
 * `IPMPD_MUTATIONS=1000000 npm test -- timing mutations` for more,
 * `IPMPD_MUTATIONS_SEED=2` for others.
 */

import { deepEqual, equal, ok } from 'node:assert/strict';
import { type ChildProcess, fork } from 'node:child_process';
import { once } from 'node:events';
import { chmodSync } from 'node:fs';
import { test } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import { Rng } from '../../src/base/rng.ts';
import { getJson } from '../../src/lab/api.ts';
import { LAN } from '../../src/lab/topology.ts';
import { quantile } from '../bench/figures.ts';
import { hostTest, type TestHost } from '../netns/tools/harness.ts';
import { metricsOf } from '../netns/tools/scrape.ts';
import { KINDS, type Mutant, Mutator } from '../siege/mutate.ts';
import { type Outcome, onslaught } from '../siege/onslaught.ts';
import type { ServedReport } from '../siege/served.ts';
import { connectAs } from '../siege/users.ts';
import { VERBS, type Verb } from '../siege/verbs.ts';

const COUNT = Number(process.env.IPMPD_MUTATIONS ?? 10_000);
const SEED = Number(process.env.IPMPD_MUTATIONS_SEED ?? 1);
/** Below the limit of clients. */
const PARALLEL = 32;
/** Below that of one user. */
const PARALLEL_OF_ONE_USER = 12;
const WARM_UP = 2000;
const STALL_MS = 20;
/** Ours: a heap breathes by half of that; a kilobyte left by each of 100,000 would show. */
const GROWTH_MIB = 64;
/** Collections are shared for a quarter of a second. */
const SCRAPE_MS = 300;
const NOBODY = { uid: 65534, gid: 65534, groups: [] };

function described({ tally, codes }: Outcome): string {
  return JSON.stringify({ ...Object.fromEntries(tally), ...Object.fromEntries(codes) });
}

/** All kinds came, and the three good ends and no other. */
function judge(outcome: Outcome, count: number): void {
  deepEqual(outcome.faults, []);
  deepEqual([...outcome.kinds.keys()].sort(), [...KINDS].sort());
  const share = (end: string): number => (outcome.tally.get(end) ?? 0) / count;
  ok(share('valid') > 0.02 && share('refused') > 0.2, described(outcome));
  ok((outcome.codes.get('EAGAIN') ?? 0) < count / 50, 'few find no room');
}

async function report(child: ChildProcess): Promise<ServedReport> {
  const answered = once(child, 'message');
  child.send('report');
  const [answer] = (await answered) as [ServedReport];
  return answer;
}

const UNLIMITED = { timeout: Number.POSITIVE_INFINITY };
const PROGRAM = new URL('../siege/served.js', import.meta.url);

test(`${COUNT} mutated requests of root, seed ${SEED}`, UNLIMITED, async (t) => {
  const child = fork(PROGRAM, { stdio: 'inherit' });
  const [{ socketPath }] = (await once(child, 'message')) as [{ socketPath: string }];
  try {
    const { next } = mutationsOf(SEED);
    await onslaught({ socketPath, next, count: WARM_UP, parallel: PARALLEL });
    const before = await report(child);
    const beganMs = performance.now();
    const outcome = await onslaught({ socketPath, next, count: COUNT, parallel: PARALLEL });
    const seconds = (performance.now() - beganMs) / 1000;
    const after = await report(child);
    const grownMib = (after.residentBytes - before.residentBytes) / (1 << 20);
    t.diagnostic(
      `${seconds.toFixed(1)} s, longest stall ${after.longestStallMs.toFixed(1)} ms of processor ` +
        `time, resident ${grownMib.toFixed(1)} MiB more; ${described(outcome)}`,
    );
    judge(outcome, COUNT);
    equal(child.exitCode, null);
    ok(after.longestStallMs <= STALL_MS, `the loop stood still for ${after.longestStallMs} ms`);
  } finally {
    child.disconnect();
    await once(child, 'exit');
  }
});

function mutationsOf(seed: number, verbs: readonly Verb[] = VERBS): { next: () => Mutant } {
  const mutator = new Mutator(new Rng(seed), verbs);
  return { next: () => mutator.next() };
}

/** The largest lag of the daemon's loop since the last call, and its resident memory. */
async function lagOf(host: TestHost): Promise<{ lagMs: number; residentMib: number }> {
  const { text } = await metricsOf(host.daemon.socket);
  const gauge = (name: string): number => {
    return Number(new RegExp(`^${name} (\\S+)$`, 'm').exec(text)?.[1]);
  };
  return {
    lagMs: gauge('ipmpd_event_loop_lag_seconds') * 1000,
    residentMib: gauge('process_resident_memory_bytes') / (1 << 20),
  };
}

hostTest(
  `${COUNT / 10} mutated requests of a user to the real daemon, seed ${SEED}`,
  {},
  async (host, t) => {
    chmodSync(host.workspace.folder, 0o711);
    const socketPath = host.daemon.socket;
    const open = (path: string) => connectAs(NOBODY, path);
    // A scrape takes the lag that was seen: no other may.
    const verbs = VERBS.filter(({ path }) => path !== '/metrics');
    const { next } = mutationsOf(SEED, verbs);
    const common = { socketPath, next, open, parallel: PARALLEL_OF_ONE_USER };
    const configured = await getJson(socketPath, '/v1/groups');
    await onslaught({ ...common, count: WARM_UP / 2 });
    const before = await lagOf(host);
    const lagsMs: number[] = [];
    let isOver = false;
    const scraping = (async () => {
      for (; !isOver; await sleep(SCRAPE_MS)) lagsMs.push((await lagOf(host)).lagMs);
    })();
    const outcome = await onslaught({ ...common, count: COUNT / 10 });
    isOver = true;
    await scraping;
    const after = await lagOf(host);
    lagsMs.push(after.lagMs);
    const grownMib = after.residentMib - before.residentMib;
    const [usualMs = 0, mostMs = 0] = [0.5, 1].map((share) => quantile(lagsMs, share));
    t.diagnostic(
      `largest lag in ${SCRAPE_MS} ms: usually ${usualMs.toFixed(1)} ms, at most ` +
        `${mostMs.toFixed(1)} ms; resident ${grownMib.toFixed(1)} MiB more; ${described(outcome)}`,
    );
    judge(outcome, COUNT / 10);
    deepEqual(await getJson(socketPath, '/v1/groups'), configured, 'nothing has changed');
    await host.expectPing('host', LAN.gateways[0]);
    // The clock on the wall also counts what the machine gives to others, now and then.
    ok(usualMs <= STALL_MS, `lag of ${usualMs} ms`);
    ok(grownMib <= GROWTH_MIB, `${grownMib} MiB more`);
  },
);
