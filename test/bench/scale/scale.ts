/**
 * `npm run bench -- --scale` and `--failover`: failover of one of 64 NICs with 64 and with 4096
 * addresses, the control plane with 512 NICs, and 50 cuts on each wiring, in both families at once.
 * All on real devices.
 *
 * Longest turns are those of the daemon's main thread, in its own processor time and on the wall:
 * on a machine that others use as well, the second also contains them.
 */

import { quietShare } from '../machine.ts';
import { say, table } from '../report.ts';
import type { Closable, Print } from '../side-by-side/field.ts';
import { measureControl, type Step } from './control.ts';
import { CUT_WIRINGS, CUTS, type Cuts, measureCuts, middleAndWorst } from './cuts.ts';
import { type Failover, measureFailovers } from './failover.ts';

/** What the longest turn of the main thread may take (ours). */
const TURN_GOAL_MS = 10;

/** Large hosts. `open` gets what must be closed. @throws CommandError, WaitedTooLong */
export async function benchScale(open: Closable[], print: Print): Promise<void> {
  print(failoverTable(await measureFailovers(open)));
  await quietShare();
  print(controlTable(await measureControl(open)));
}

/** Cuts. `open` gets what must be closed. @throws CommandError, WaitedTooLong */
export async function benchFailover(open: Closable[], print: Print): Promise<void> {
  const all: Cuts[] = [];
  for (const wiring of CUT_WIRINGS) {
    say(`${CUTS} cuts: ${wiring}`);
    await quietShare();
    all.push(...(await measureCuts(open, wiring)));
  }
  print(cutTable(all));
}

function failoverTable(failovers: readonly Failover[]): string {
  const head = ['64 NICs, addresses', 'moved', 'lost', 'steered in, ms', 'announced', 'by, ms'];
  const kernel = 'lost by the kernel';
  const lines = failovers.map((one) => [
    String(one.addresses),
    String(one.moved),
    String(one.lost),
    one.steeredMs.toFixed(1),
    `${one.announced}`,
    `${one.firstMs.toFixed(1)} .. ${one.lastMs.toFixed(1)}`,
    String(one.overflown),
    turnText(one.processorMs),
    turnText(one.wallMs),
  ]);
  return table([[...head, kernel, ...TURN_HEAD], ...lines]);
}

function controlTable(steps: readonly Step[]): string {
  const head = ['64 groups of 8 NICs', 'ms', ...TURN_HEAD, ''];
  const lines = steps.map(({ name, tookMs, processorMs, wallMs, note }) => [
    name,
    tookMs.toFixed(tookMs < 100 ? 1 : 0),
    turnText(processorMs),
    turnText(wallMs),
    note + (processorMs > TURN_GOAL_MS ? `  (over ${TURN_GOAL_MS} ms)` : ''),
  ]);
  return table([head, ...lines]);
}

function cutTable(all: readonly Cuts[]): string {
  const gap = 'longest gap, median / worst, ms';
  const head = [`${CUTS} cuts`, 'its own', gap, 'without a cut', 'lost in all', 'by repairs'];
  const lines = all.map(({ wiring, family, gaps, calm, lost, lostByRepairs }) => [
    `${wiring}, IPv${family}`,
    String(gaps.length),
    middleAndWorst(gaps),
    middleAndWorst(calm),
    String(lost),
    String(lostByRepairs),
  ]);
  return table([head, ...lines]);
}

const TURN_HEAD = ['longest turn, ms of processor', 'on the wall'];

function turnText(ms: number): string {
  return Number.isNaN(ms) ? '-' : ms.toFixed(1);
}
