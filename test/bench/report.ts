/** The table, the ratios, and whether they may be judged. */

import { DIRECT, IPMPD, RELAY } from './candidates.ts';
import { type Rounds, ratioOf, type Spread, spreadOf } from './figures.ts';
import { IDLE_SHARE_MAX, type Machine } from './machine.ts';
import {
  LATENCY_P50,
  LATENCY_P99,
  type Row,
  TCP_IN,
  TCP_OUT,
  UDP_IN,
  UDP_OUT,
} from './workloads.ts';

/** Ours: below this share of the kernel's own path the yardstick itself is broken. */
const RELAY_SHARE_MIN = 0.5;

/** What ipmpd with one NIC on macvtap is to reach, as a ratio to the relay in C (ours). */
const GOALS: readonly { readonly row: Row; readonly ratio: number }[] = [
  { row: TCP_OUT, ratio: 0.95 },
  { row: TCP_IN, ratio: 0.95 },
  { row: UDP_OUT, ratio: 0.9 },
  { row: UDP_IN, ratio: 0.9 },
  { row: LATENCY_P50, ratio: 1.15 },
  { row: LATENCY_P99, ratio: 1.5 },
];

/** All that was measured. */
export interface Results {
  readonly machine: Machine;
  readonly rounds: number;
  readonly seconds: number;
  readonly candidates: readonly string[];
  readonly rows: readonly Row[];
  /** By name of the row. */
  readonly values: ReadonlyMap<string, Rounds>;
  /** Share of the processors in use before each run, while nothing was measured. */
  readonly idleShare: readonly number[];
}

/** Why the ratios of this run say nothing; empty if they do say something. */
export function objections(results: Results): string[] {
  const found: string[] = [];
  const share = spreadOf(results.idleShare)?.median ?? 0;
  if (share > IDLE_SHARE_MAX) {
    found.push(`others used ${percent(share)} of the processors between the runs (median)`);
  }
  for (const row of results.rows.filter(({ isTcp }) => isTcp)) {
    const ratio = ratioFor(results, row, RELAY, DIRECT)?.median;
    if (ratio === undefined || ratio >= RELAY_SHARE_MIN) continue;
    found.push(`${row.name}: the relay in C reaches ${ratio.toFixed(2)} of the direct path only`);
  }
  return found;
}

/** The report as text. */
export function render(results: Results): string {
  return [
    ...describe(results),
    '',
    ...figureTable(results),
    '',
    ...ratioTable(results),
    '',
    ...judgement(results),
    '',
  ].join('\n');
}

/** What something costs in memory alone: nanoseconds for one, one value a round. */
export interface Cost {
  readonly name: string;
  readonly values: readonly number[];
}

/** Costs in memory as text, under their heading; empty if none were measured. */
export function renderCosts(heading: readonly [string, string], costs: readonly Cost[]): string {
  if (costs.length === 0) return '';
  const lines = costs.map(({ name, values }) => [name, cell(spreadOf(values))]);
  return `${columns([[...heading], ...lines]).join('\n')}\n\n`;
}

const costToJson = ({ name, values }: Cost): unknown => ({ name, values, ...spreadOf(values) });

/** The report as a value for JSON. */
export function toJson(
  results: Results,
  costs: Readonly<Record<string, readonly Cost[]>>,
): unknown {
  const { machine, rounds, seconds, idleShare } = results;
  return {
    machine,
    rounds,
    seconds,
    idleShare,
    objections: objections(results),
    ...Object.fromEntries(
      Object.entries(costs).map(([what, rows]) => [what, rows.map(costToJson)]),
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
    `${rounds} rounds of ${seconds} s each, candidates in turn; median [least .. most]`,
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
  return columns([['ratio', ...all.map(([over, under]) => `${over} / ${under}`)], ...lines]);
}

function judgement(results: Results): string[] {
  const found = objections(results);
  if (found.length > 0) {
    return ['no judgement:', ...found.map((objection) => `  ${objection}`)];
  }
  return GOALS.flatMap(({ row, ratio: goal }) => {
    const ratio = ratioFor(results, row, IPMPD, RELAY);
    if (ratio === undefined) return [];
    const sign = row.isLessBetter ? '<=' : '>=';
    const said = `${IPMPD} / ${RELAY} ${ratio.median.toFixed(2)}, goal ${sign} ${goal}`;
    return [`${verdictOn(ratio, goal, row.isLessBetter)}  ${row.name}: ${said}`];
  });
}

/** A goal that the median misses but some round reached is not decided. */
function verdictOn({ median, least, most }: Spread, goal: number, isLessBetter: boolean): string {
  if (isLessBetter ? median <= goal : median >= goal) return 'met   ';
  return (isLessBetter ? least <= goal : most >= goal) ? 'open  ' : 'missed';
}

/** Every ipmpd to the relay, and every candidate but the direct one to that, as far as they ran. */
function pairs({ candidates }: Results): [string, string][] {
  const others = candidates.filter((name) => name !== DIRECT);
  const daemons = others.filter((name) => name !== RELAY);
  const all = [
    ...daemons.map((name): [string, string] => [name, RELAY]),
    ...others.map((name): [string, string] => [name, DIRECT]),
  ];
  return all.filter(([, under]) => candidates.includes(under));
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
  return `${median} [${least} .. ${most}]`;
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
