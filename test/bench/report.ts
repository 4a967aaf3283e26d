/** The table, the ratios, and whether they may be judged. */

import { type Rounds, ratioOf, type Spread, spreadOf } from './figures.ts';
import { IDLE_SHARE_MAX, type Machine } from './machine.ts';
import { DIRECT, IPMPD, OPEN_VSWITCH, RELAY } from './side-by-side/candidates.ts';
import { judge, judgementLine, type Values } from './side-by-side/goals.ts';
import type { Row } from './side-by-side/workloads.ts';

/** Ours: below this share of the kernel's own path the yardstick itself is broken. */
const RELAY_SHARE_MIN = 0.5;

/** All that was measured. */
export interface Results {
  readonly machine: Machine;
  readonly rounds: number;
  readonly seconds: number;
  readonly candidates: readonly string[];
  readonly rows: readonly Row[];
  readonly values: Values;
  /** Share of the processors in use before each run, while nothing was measured. */
  readonly idleShare: readonly number[];
}

/** Why the ratios of this run have no meaning; empty if they have one. */
export function objections(results: Results): string[] {
  const found: string[] = [];
  const share = spreadOf(results.idleShare)?.median ?? 0;
  if (share > IDLE_SHARE_MAX) {
    found.push(`others used ${percent(share)} of the processors between the runs (median)`);
  }
  for (const row of results.rows.filter(({ isYardstick }) => isYardstick)) {
    const ratio = ratioFor(results, row, RELAY, DIRECT)?.median;
    if (ratio === undefined || ratio >= RELAY_SHARE_MIN) continue;
    found.push(`${row.name}: the relay in C reaches ${ratio.toFixed(2)} of the direct path only`);
  }
  return found;
}

/** The report as text. */
export function render(results: Results): string {
  const parts = [describe, figureTable, ratioTable, judgement].map((part) => part(results));
  return parts.flatMap((lines) => (lines.length === 0 ? [] : [...lines, ''])).join('\n');
}

/** Costs as text, under their heading; empty if none were measured. */
export function renderCosts(heading: readonly [string, string], costs: Rounds): string {
  if (costs.size === 0) return '';
  return table([heading, ...[...costs].map(([name, values]) => [name, cell(spreadOf(values))])]);
}

/** The report as a value for JSON; `costs` are what was measured beside the candidates. */
export function toJson(results: Results, costs: Readonly<Record<string, Rounds>>): unknown {
  const { machine, rounds, seconds, idleShare } = results;
  return {
    machine,
    rounds,
    seconds,
    idleShare,
    objections: objections(results),
    goals: judge(results.values).map(({ goal, spread, ...judgement }) => ({
      ...judgement,
      ...goal,
      row: goal.row.name,
      ...spread,
    })),
    ...Object.fromEntries(
      Object.entries(costs).map(([what, rounds]) => [
        what,
        [...rounds].map(([name, values]) => ({ name, values, ...spreadOf(values) })),
      ]),
    ),
    rows: results.rows.map((row) => ({
      row: row.name,
      unit: row.unit,
      candidates: Object.fromEntries(
        results.candidates.map((name) => {
          const values = valuesOf(results, row, name);
          return [name, { values, ...spreadOf(values) }];
        }),
      ),
      ratios: Object.fromEntries(
        pairs(results).map(([over, under]) => [
          `${over} / ${under}`,
          ratioFor(results, row, over, under),
        ]),
      ),
    })),
  };
}

function describe({ machine, rounds, seconds, idleShare }: Results): string[] {
  const share = spreadOf(idleShare);
  const idle =
    share === undefined ? 'unknown' : `${percent(share.median)} (at most ${percent(share.most)})`;
  return [
    `${machine.cpus} x ${machine.cpuModel}, Linux ${machine.kernel}, Node ${machine.node}, ` +
      `${machine.iperf3}`,
    `rounds of ${seconds} s: ${rounds}, candidates in turn; median [least .. most]`,
    `processors in use while nothing was measured: ${idle}`,
  ];
}

function figureTable(results: Results): string[] {
  const lines = results.rows.map((row) => [
    `${row.name}, ${row.unit}`,
    ...results.candidates.map((name) => cell(spreadOf(valuesOf(results, row, name)))),
  ]);
  return columns([['', ...results.candidates], ...lines]);
}

function ratioTable(results: Results): string[] {
  const all = pairs(results);
  const lines = results.rows.map((row) => [
    row.name,
    ...all.map(([over, under]) => cell(ratioFor(results, row, over, under), 2)),
  ]);
  const shown = lines.filter(([, ...ratios]) => ratios.some((ratio) => ratio !== '-'));
  if (shown.length === 0) return [];
  return columns([['ratio', ...all.map(([over, under]) => `${over} / ${under}`)], ...shown]);
}

function judgement(results: Results): string[] {
  const found = objections(results);
  if (found.length > 0) {
    return ['no judgement:', ...found.map((objection) => `  ${objection}`)];
  }
  return judge(results.values).map(judgementLine);
}

/** The yardsticks to the direct path, ipmpd to each of them, other wirings and builds to it. */
function pairs({ candidates }: Results): [string, string][] {
  const yardsticks = [DIRECT, RELAY, OPEN_VSWITCH];
  const others = candidates.filter((name) => name !== IPMPD && !yardsticks.includes(name));
  const all: [string, string][] = [
    [RELAY, DIRECT],
    [OPEN_VSWITCH, DIRECT],
    ...yardsticks.map((under): [string, string] => [IPMPD, under]),
    ...others.map((over): [string, string] => [over, IPMPD]),
  ];
  return all.filter((pair) => pair.every((name) => candidates.includes(name)));
}

function ratioFor(results: Results, row: Row, over: string, under: string): Spread | undefined {
  return ratioOf(results.values.get(row.name) ?? new Map(), over, under);
}

function valuesOf(results: Results, row: Row, name: string): readonly number[] {
  return results.values.get(row.name)?.get(name) ?? [];
}

function cell(spread: Spread | undefined, digits?: number): string {
  if (spread === undefined) return '-';
  const places = digits ?? (spread.median < 100 ? 1 : 0);
  const [median, least, most] = [spread.median, spread.least, spread.most].map((value) =>
    value.toFixed(places),
  );
  return least === most ? `${median}` : `${median} [${least} .. ${most}]`;
}

/** Lines of cells as a table with an empty line after it. */
export function table(lines: readonly (readonly string[])[]): string {
  return `${columns(lines).join('\n')}\n\n`;
}

/** What the bench does at the moment, for its user; standard output has the results. */
export function say(line: string): void {
  process.stderr.write(`${line}\n`);
}

function columns(lines: readonly (readonly string[])[]): string[] {
  const widths = (lines[0] ?? []).map((_, at) =>
    Math.max(...lines.map((line) => line[at]?.length ?? 0)),
  );
  return lines.map((line) =>
    line
      .map((text, at) => text.padEnd(widths[at] ?? 0))
      .join('  ')
      .trimEnd(),
  );
}

function percent(share: number): string {
  return `${(share * 100).toFixed(0)} %`;
}
