/** What a run of the bench is asked for. */

import { parseArgs } from 'node:util';
import { type Candidate, candidates, IPMPD_TWO } from './side-by-side/candidates.ts';
import { FULL_WORKLOADS } from './side-by-side/full.ts';
import { FIRST_PACKET, WORKLOADS, type Workload } from './side-by-side/workloads.ts';

export const USAGE = `usage: npm run bench -- [--quick | --full] [--rounds N] [--seconds S]
                        [--only TEXT]... [--row TEXT]... [--build FOLDER]...
                        [--alternatives] [--json FILE]
       npm run bench -- --kstats | --scale | --failover | --shapes | --priority
  (nothing)  5 rounds of 1 s, at most 15 minutes
  --quick    2 rounds, at most 3 minutes: does everything work?
  --full     one more round with UDP 512 and 1400, connections per second, round trips while TCP
             runs, and an MTU of 9000: 2 minutes more
  --rounds   as many as asked for, however long they take
  --only     candidates whose name contains TEXT; nothing in memory
  --row      workloads whose name contains TEXT, of --full too; nothing in memory
  --build    another compiled checkout that joins in, with one NIC on macvtap
  --alternatives   what was not chosen joins in: io_uring in the relay, two workers in ipmpd
  --json     where the figures go (dist/bench.json)
  --kstats   only a thousand kstats, and forwarding under scrapes: 2 minutes
  --scale    only large hosts: 64 NICs in a group, 512 in all: 3 minutes
  --failover only 50 cuts on each wiring, both families: 8 minutes
  --priority only round trips beside processes that never sleep, by priority: 5 minutes
  --shapes   only whether call sites of the hot path stay monomorphic: 10 seconds
Everything is IPv4: ipmpd does not serve IPv6 yet.
`;

/** Rounds and starts of the daemon, and when no further round may begin. */
const DEFAULT = { rounds: 5, starts: 5, limitMs: 15 * 60_000 };
const QUICK = { rounds: 2, starts: 3, limitMs: 3 * 60_000 };

/** See the usage. */
export interface Options {
  readonly rounds: number;
  readonly seconds: number;
  /** When the last round must be over, since the bench began. */
  readonly limitMs: number;
  /** How often the daemon's start is measured. */
  readonly starts: number;
  readonly json: string;
  readonly chosen: readonly Candidate[];
  readonly workloads: readonly Workload[];
  /** What runs one round after the others. */
  readonly rare: readonly Workload[];
  /** A part is asked for: what runs in memory is left out. */
  readonly isPart: boolean;
  /** One of these instead of everything else. */
  readonly special: Special | undefined;
}

const SPECIALS = ['kstats', 'scale', 'failover', 'shapes', 'priority'] as const;
export type Special = (typeof SPECIALS)[number];

/** Reads the arguments. @throws TypeError */
export function options(argv: readonly string[]): Options {
  const { values } = parseArgs({
    args: [...argv],
    options: {
      quick: { type: 'boolean', default: false },
      full: { type: 'boolean', default: false },
      rounds: { type: 'string' },
      seconds: { type: 'string', default: '1' },
      only: { type: 'string', multiple: true, default: [] },
      row: { type: 'string', multiple: true, default: [] },
      build: { type: 'string', multiple: true, default: [] },
      alternatives: { type: 'boolean', default: false },
      json: { type: 'string', default: 'dist/bench.json' },
      kstats: { type: 'boolean', default: false },
      scale: { type: 'boolean', default: false },
      failover: { type: 'boolean', default: false },
      shapes: { type: 'boolean', default: false },
      priority: { type: 'boolean', default: false },
    },
  });
  const { only, row, json, full } = values;
  const [special, ...others] = SPECIALS.filter((name) => values[name]);
  if (others.length > 0) throw new TypeError(`--${special} and --${others[0]}: one of them`);
  if (values.quick && full) throw new TypeError('--quick and --full: one of them');
  const extent = values.quick ? QUICK : DEFAULT;
  const rounds = values.rounds === undefined ? extent.rounds : natural('--rounds', values.rounds);
  const limitMs = values.rounds === undefined ? extent.limitMs : Number.POSITIVE_INFINITY;
  const chosen = candidates({
    builds: values.build,
    hasAlternatives: values.alternatives,
  }).filter(({ name }) => isAsked(name, only));
  const workloads = WORKLOADS.filter(({ name }) => isAsked(name, row));
  const isRareAsked = full || row.length > 0;
  const rare = isRareAsked ? FULL_WORKLOADS.filter(({ name }) => isAsked(name, row)) : [];
  const isStartAsked = isAsked(FIRST_PACKET.name, row) && isAsked(IPMPD_TWO, only);
  if (chosen.length === 0) throw new TypeError('--only: no candidate has such a name');
  if (workloads.length + rare.length === 0 && !isStartAsked) {
    throw new TypeError('--row: no workload has such a name');
  }
  return {
    rounds,
    seconds: natural('--seconds', values.seconds),
    limitMs,
    starts: isStartAsked ? extent.starts : 0,
    json,
    chosen,
    workloads,
    rare,
    isPart: special !== undefined || only.length + row.length > 0,
    special,
  };
}

/** True if nothing special is asked for, or a part of the name. */
function isAsked(name: string, parts: readonly string[]): boolean {
  return parts.length === 0 || parts.some((part) => name.includes(part));
}

function natural(option: string, text: string): number {
  const value = Number(text);
  if (!Number.isInteger(value) || value < 1) throw new TypeError(`${option}: 1 or more`);
  return value;
}
