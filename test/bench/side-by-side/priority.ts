/**
 * `npm run bench -- --priority`: echo round trips beside processes that never sleep, with and
 * without what the daemon and its unit ask of the scheduler. One daemon for all cases, whose
 * threads and group are changed from outside between them; the order changes with each round.
 *
 * Two surroundings: all in one group, where nice values count between the daemon and the others;
 * and the daemon in a group of its own, as a service has it where the manager divides by weight, so
 * that only weights count between groups. ping has a real-time priority: it never waits.
 */

import { execFileSync } from 'node:child_process';
import { once } from 'node:events';
import { readdirSync, readFileSync } from 'node:fs';
import { cpus } from 'node:os';
import { setTimeout as sleep } from 'node:timers/promises';
import { pingCommand } from '../../../src/lab/measure/ping.ts';
import { addTo, quantile, type Rounds, ratioOf } from '../figures.ts';
import { table } from '../report.ts';
import { raiseOne } from './candidates.ts';
import { CpuGroup } from './cpu-group.ts';
import { type Closable, type Field, HOST, type Print } from './field.ts';
import { pingTimes } from './transfers.ts';

const ROUNDS = 5;
const ECHOES = 1000;
/** Ours: a worker falls asleep between two of them. */
const INTERVAL_S = 0.005;
/** Ours: for all of them; beside others ping sends less often than it is asked to. */
const LIMIT_S = 60;
/** Ours: after a change of weight or nice value, until the scheduler has levelled what it owes. */
const SETTLE_MS = 500;
/** Ours: processes that never sleep, for each processor, and their limit in seconds of it. */
const HOGS_PER_CPU = 4;
const HOG = 'ulimit -t 900; while :; do :; done';
/** The weight of a service that asks for nothing. */
const WEIGHT = 100;
/** Ours: one turn of another process; what a listener notices; the last echo of a test's ping. */
const LIMITS_MS = [5, 20, 50];
/** Ours: above it a worker had no processor. One such stall delays several echoes. */
const STALL_MS = 20;

/** What one case asks of the scheduler. */
interface Case {
  readonly name: string;
  /** Of the datapath's threads; all others have 0. */
  readonly nice: number;
  /** Of the daemon's own group; undefined: it shares the group of the others. */
  readonly weight?: number;
}

const SHARED = [0, -5, -10, -15].map((nice): Case => ({ name: `one group, nice ${nice}`, nice }));
const APART = [WEIGHT, 10 * WEIGHT].flatMap((weight) =>
  [0, -10].map((nice): Case => {
    return { name: `own group, weight ${weight}, nice ${nice}`, nice, weight };
  }),
);

/** The daemon in its field, its own group, and the one that it shares with the others. */
interface Stand {
  readonly field: Field;
  readonly pid: number;
  readonly own: CpuGroup;
  readonly shared: CpuGroup;
}

/** Round-trip times in milliseconds. @throws WrongTransfer, CommandError */
async function measure({ field, pid, own, shared }: Stand, { nice, weight }: Case) {
  if (weight !== undefined) own.setWeight(weight);
  (weight === undefined ? shared : own).take(pid);
  for (const task of readdirSync(`/proc/${pid}/task`)) {
    const name = readFileSync(`/proc/${pid}/task/${task}/comm`, 'latin1');
    const value = name.startsWith('ipmpd-') ? nice : 0;
    execFileSync('renice', ['-n', String(value), '-p', task], { stdio: 'ignore' });
  }
  await sleep(SETTLE_MS);
  const args = ['-w', String(LIMIT_S)];
  const command = pingCommand(HOST, { count: ECHOES, intervalS: INTERVAL_S, args });
  const text = await field.workspace.runIn('peer', ['chrt', '-f', '1', ...command]);
  return pingTimes(text, ECHOES).map((us) => us / 1000);
}

/** Runs all cases and prints them. @throws WrongTransfer, CommandError, Error without cgroups */
export async function benchPriority(open: Closable[], print: Print): Promise<void> {
  const { field, pid } = await raiseOne(open);
  await field.workspace.addNamespace('others', { ipv6: false });
  const hogs = Array.from({ length: HOGS_PER_CPU * cpus().length }, () =>
    field.workspace.start(['sh', '-c', HOG], { role: 'others' }),
  );
  await Promise.all(hogs.map((hog) => once(hog, 'spawn')));
  const stand = { field, pid, own: new CpuGroup('daemon'), shared: new CpuGroup('others') };
  // As many shares as they would have as processes of their own.
  stand.shared.setWeight(WEIGHT * (hogs.length + 1));
  for (const hog of hogs) stand.shared.take(hog.pid ?? 0);
  try {
    for (const cases of [SHARED, APART])
      print(renderCases(await rounds(stand, cases), hogs.length));
  } finally {
    await field.workspace.close();
    // All processes have ended.
    for (const group of [stand.own, stand.shared]) group.remove();
  }
}

/** Case -> the times of each round. */
async function rounds(stand: Stand, cases: readonly Case[]): Promise<Map<string, number[][]>> {
  const times = new Map<string, number[][]>();
  for (let round = 0; round < ROUNDS; round++) {
    const at = round % cases.length;
    for (const one of [...cases.slice(at), ...cases.slice(0, at)]) {
      addTo(times, one.name, await measure(stand, one));
    }
  }
  return times;
}

/** The table of one surrounding; ratios are of the p99 to the first case, round by round. */
function renderCases(times: ReadonlyMap<string, readonly number[][]>, hogs: number): string {
  const heading = [
    `${ROUNDS} x ${ECHOES} echoes, ${hogs} others`,
    ...LIMITS_MS.map((limit) => `over ${limit} ms`),
    ...['stalls', 'p99', 'p99.9', 'max ms', 'ratio of p99'],
  ];
  const [[first = ''] = []] = times;
  const p99: Rounds = new Map([...times].map(([name, all]) => [name, all.map(quantileOf(0.99))]));
  const lines = [...times].map(([name, all]) => {
    const pooled = all.flat();
    return [
      name,
      ...LIMITS_MS.map((limit) => String(pooled.filter((time) => time > limit).length)),
      String(stalls(pooled)),
      ...[0.99, 0.999, 1].map((share) => quantileOf(share)(pooled).toFixed(1)),
      ratioOf(p99, name, first)?.median.toFixed(2) ?? '-',
    ];
  });
  return table([heading, ...lines]);
}

/** Rows of echoes over the limit, in the order in which they were answered. */
function stalls(times: readonly number[]): number {
  return times.filter((time, at) => time > STALL_MS && (times[at - 1] ?? 0) <= STALL_MS).length;
}

function quantileOf(share: number): (values: readonly number[]) => number {
  return (values) => quantile(values, share);
}
