/**
 * What the figures are to reach (ours), and whether they did.
 *
 * A goal is `met` when the median reaches it, `open` when only some round did, else `missed`.
 * Ratios are taken round by round.
 */

import { type Rounds, ratioOf, type Spread, spreadOf } from '../figures.ts';
import { DIRECT, IPMPD, IPMPD_TWO, OPEN_VSWITCH, RELAY } from './candidates.ts';
import {
  FIRST_PACKET,
  LATENCY_P50,
  LATENCY_P99,
  type Row,
  RSS_IDLE,
  TCP_IN,
  TCP_OUT,
  TCP_STREAMS_IN,
  TCP_STREAMS_OUT,
  TCP6_IN,
  TCP6_OUT,
  UDP_IN,
  UDP_OUT,
  UDP6_IN,
  UDP6_OUT,
} from './workloads.ts';

/**
 * One goal: the figure of `of`, or its ratio to that of `to`, or to its own in the row `toRow`; the
 * row has what is better.
 */
export interface Goal {
  readonly row: Row;
  readonly of: string;
  readonly to?: string;
  readonly toRow?: Row;
  readonly limit: number;
  /** Judged only where this ratio of the same row is reached; reported always. */
  readonly where?: { readonly of: string; readonly to: string; readonly least: number };
}

/** The kernel's own path is a fair measure where even the relay in C comes near it. */
const NEAR_DIRECT = { of: RELAY, to: DIRECT, least: 0.8 };

export const GOALS: readonly Goal[] = [
  ...each([TCP_OUT, TCP_IN], { of: IPMPD, to: RELAY, limit: 0.95 }),
  ...each([TCP_OUT, TCP_IN], { of: IPMPD, to: DIRECT, limit: 0.75, where: NEAR_DIRECT }),
  ...each([TCP_OUT, TCP_IN], { of: IPMPD, to: OPEN_VSWITCH, limit: 8 }),
  ...each([TCP_STREAMS_OUT, TCP_STREAMS_IN], { of: IPMPD_TWO, to: IPMPD, limit: 0.95 }),
  ...each([UDP_OUT, UDP_IN], { of: IPMPD, to: RELAY, limit: 0.9 }),
  ...each([UDP_OUT, UDP_IN], { of: IPMPD, to: OPEN_VSWITCH, limit: 1.5 }),
  { row: TCP6_OUT, of: IPMPD, toRow: TCP_OUT, limit: 0.97 },
  { row: TCP6_IN, of: IPMPD, toRow: TCP_IN, limit: 0.97 },
  { row: UDP6_OUT, of: IPMPD, toRow: UDP_OUT, limit: 0.97 },
  { row: UDP6_IN, of: IPMPD, toRow: UDP_IN, limit: 0.97 },
  { row: LATENCY_P50, of: IPMPD, to: RELAY, limit: 1.15 },
  { row: LATENCY_P99, of: IPMPD, to: RELAY, limit: 1.5 },
  { row: RSS_IDLE, of: IPMPD_TWO, limit: 120 },
  { row: FIRST_PACKET, of: IPMPD_TWO, limit: 500 },
];

/** The values of all rows, by name. */
export type Values = ReadonlyMap<string, Rounds>;

/** What became of a goal: `unjudged` has its reason. */
export interface Judgement {
  readonly goal: Goal;
  readonly spread: Spread;
  readonly verdict: 'met' | 'open' | 'missed' | 'unjudged';
  readonly reason?: string;
}

/** All goals of which there are figures. */
export function judge(values: Values): Judgement[] {
  return GOALS.flatMap((goal) => {
    const spread = figureOf(values, goal);
    if (spread === undefined) return [];
    const reason = whyNotJudged(values, goal);
    if (reason !== undefined) return [{ goal, spread, verdict: 'unjudged' as const, reason }];
    return [{ goal, spread, verdict: verdictOn(spread, goal) }];
  });
}

/** A goal and what became of it, in one line. */
export function judgementLine({ goal, spread, verdict, reason }: Judgement): string {
  const { row, of, limit } = goal;
  const to = goal.to ?? (goal.toRow && `its ${goal.toRow.name}`);
  const sign = row.isLessBetter ? '<=' : '>=';
  const what = to === undefined ? of : `${of} / ${to}`;
  const figure =
    to === undefined ? `${spread.median.toFixed(0)} ${row.unit}` : ratio(spread.median);
  const why = reason === undefined ? '' : `; not judged: ${reason}`;
  const word = reason === undefined ? verdict : '-';
  return `${word.padEnd(6)}  ${row.name}: ${what} ${figure}, goal ${sign} ${limit}${why}`;
}

/** A goal that the median misses but some round reached is not decided. */
function verdictOn({ median, least, most }: Spread, { row, limit }: Goal): Judgement['verdict'] {
  if (row.isLessBetter ? median <= limit : median >= limit) return 'met';
  return (row.isLessBetter ? least <= limit : most >= limit) ? 'open' : 'missed';
}

function whyNotJudged(values: Values, { row, where }: Goal): string | undefined {
  if (where === undefined) return undefined;
  const spread = figureOf(values, { row, ...where });
  if (spread !== undefined && spread.median >= where.least) return undefined;
  const seen = spread === undefined ? 'unknown' : `${ratio(spread.median)}, not ${where.least}`;
  return `${where.of} / ${where.to} is ${seen}`;
}

function figureOf(values: Values, { row, of, to, toRow }: Omit<Goal, 'limit'>) {
  const rounds = values.get(row.name) ?? new Map<string, number[]>();
  if (toRow !== undefined) {
    const [over = [], under = []] = [rounds.get(of), values.get(toRow.name)?.get(of)];
    return ratioOf(
      new Map([
        ['over', over],
        ['under', under],
      ]),
      'over',
      'under',
    );
  }
  return to === undefined ? spreadOf(rounds.get(of) ?? []) : ratioOf(rounds, of, to);
}

const ratio = (value: number): string => value.toFixed(2);

function each(rows: readonly Row[], goal: Omit<Goal, 'row'>): Goal[] {
  return rows.map((row) => ({ row, ...goal }));
}
