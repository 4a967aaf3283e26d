/**
 * Which offloads are switched on and off together: by default few steps in which every two settings
 * of every two devices meet once at least, and both extremes; or all combinations of one switched
 * off at each device.
 */

import { Rng } from '../../../src/base/rng.ts';

/** Ours: rows tried for each that is taken; more make the plan no shorter. */
const CANDIDATES = 40;

/** What `ethtool -K` switches, and what `ethtool -k` calls it. */
export const OFFLOADS = {
  tx: 'tx-checksumming',
  rx: 'rx-checksumming',
  sg: 'scatter-gather',
  tso: 'tcp-segmentation-offload',
  gso: 'generic-segmentation-offload',
  gro: 'generic-receive-offload',
  'tx-udp-segmentation': 'tx-udp-segmentation',
} as const;

export type Offload = keyof typeof OFFLOADS;

export const MTUS = [1500, 9000, 1280] as const;

/** An offload of a place (`group`, `member`, `uplink`, `peer`) that can be switched. */
export interface Switch {
  readonly place: string;
  readonly offload: Offload;
}

/** One step: which of the switches are off, and the MTU of everything. */
export interface Step {
  readonly mtu: number;
  /** One for each switch, in their order. */
  readonly isOff: readonly boolean[];
}

/** Each parameter is a switch with two values; the last one is the MTU with three. */
type Row = readonly number[];

/** Steps in which any two values of any two parameters meet, after one with all and one without. */
export function pairwisePlan(switches: readonly Switch[]): Step[] {
  const rng = new Rng(1);
  const levels = [...switches.map(() => 2), MTUS.length];
  const missing = new Set(allPairs(levels));
  const rows: Row[] = [];
  const take = (row: Row): void => {
    for (const pair of pairsOf(row)) missing.delete(pair);
    rows.push(row);
  };
  take([...switches.map(() => 0), 0]);
  take([...switches.map(() => 1), 1]);
  while (missing.size > 0) take(bestRow(rng, levels, missing));
  return rows.map((row) => ({
    mtu: MTUS[row.at(-1) ?? 0] ?? MTUS[0],
    isOff: row.slice(0, -1).map((value) => value === 1),
  }));
}

/** Every way to switch one offload off at each place, or none, or all of it, with every MTU. */
export function fullPlan(switches: readonly Switch[]): Step[] {
  let rows: ReadonlyMap<Switch, boolean>[] = [new Map()];
  for (const place of new Set(switches.map((each) => each.place))) {
    const here = switches.filter((each) => each.place === place);
    const choices = [[], here, ...here.map((each) => [each])];
    rows = rows.flatMap((row) =>
      choices.map((off) => new Map([...row, ...here.map((s) => [s, off.includes(s)] as const)])),
    );
  }
  return MTUS.flatMap((mtu) =>
    rows.map((row) => ({ mtu, isOff: switches.map((each) => row.get(each) ?? false) })),
  );
}

/** Some steps of a plan, in any order: `count` of them, or all. */
export function samplePlan(plan: readonly Step[], count: number, seed: number): Step[] {
  const rng = new Rng(seed);
  const rest = [...plan];
  return Array.from({ length: Math.min(count, plan.length) }, () => {
    const at = rng.below(rest.length);
    const step = rest[at]!;
    rest[at] = rest.at(-1)!;
    rest.pop();
    return step;
  });
}

/** Greedy: of some rows, each grown around a missing pair, the one with most missing pairs. */
function bestRow(rng: Rng, levels: readonly number[], missing: ReadonlySet<string>): Row {
  const rows = Array.from({ length: CANDIDATES }, () => grownRow(rng, levels, missing));
  const gain = (row: Row): number => pairsOf(row).filter((pair) => missing.has(pair)).length;
  return rows.reduce((best, row) => (gain(row) > gain(best) ? row : best));
}

/** Parameters in any order, each with the value that makes most missing pairs with those before. */
function grownRow(rng: Rng, levels: readonly number[], missing: ReadonlySet<string>): Row {
  const [first = ''] = missing;
  const known = new Map(
    first.split(' ').map((each) => each.split('=').map(Number) as [number, number]),
  );
  const rest = [...levels.keys()].filter((parameter) => !known.has(parameter));
  while (rest.length > 0) {
    const [parameter = 0] = rest.splice(rng.below(rest.length), 1);
    const gain = (value: number): number =>
      [...known].filter(([p, v]) => missing.has(pairName(p, v, parameter, value))).length;
    const gains = [...Array(levels[parameter]).keys()].map(gain);
    const best = gains.flatMap((each, value) => (each === Math.max(...gains) ? [value] : []));
    known.set(parameter, best[rng.below(best.length)] ?? 0);
  }
  return levels.map((_, parameter) => known.get(parameter) ?? 0);
}

function allPairs(levels: readonly number[]): string[] {
  const values = (parameter: number): number[] => [...Array(levels[parameter]).keys()];
  return levels.flatMap((_, left) =>
    [...levels.keys()]
      .slice(left + 1)
      .flatMap((right) =>
        values(left).flatMap((a) => values(right).map((b) => pairName(left, a, right, b))),
      ),
  );
}

function pairsOf(row: Row): string[] {
  return row.flatMap((a, left) =>
    row.slice(left + 1).map((b, more) => pairName(left, a, left + 1 + more, b)),
  );
}

function pairName(p: number, v: number, q: number, w: number): string {
  return p < q ? `${p}=${v} ${q}=${w}` : `${q}=${w} ${p}=${v}`;
}
