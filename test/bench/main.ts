/**
 * `npm run bench`: ipmpd against the kernel's own path and against the smallest relay in C; before
 * that, the forwarder alone in memory, and what the rules of locks and lifetimes cost.
 *
 * All candidates are built first and then take turns: within a round each workload goes through all
 * of them before the next workload begins, and each round begins with another candidate. Only what
 * ran within one round is compared. Each run waits for a quiet moment; every transfer is checked.
 *
 * Exit status: 0 measured; 1 a candidate failed or a transfer was wrong; 2 usage; 130 interrupted.
 */

import { writeFileSync } from 'node:fs';
import { parseArgs } from 'node:util';
import { findGround } from '../../src/lab/ground.ts';
import { removeLeftovers } from '../../src/lab/owner.ts';
import { type Candidate, candidates } from './candidates.ts';
import type { Field } from './field.ts';
import { measureForwarder } from './forwarder.ts';
import { measureLocks } from './locks.ts';
import { cpuTimeMs, machineHere, missingPrograms, quietShare } from './machine.ts';
import { type Results, render, renderCosts, toJson } from './report.ts';
import { benchKstats } from './scrape.ts';
import { compareDigests, type Figure, WORKLOADS, type Workload } from './workloads.ts';

const USAGE = `usage: npm run bench -- [--quick] [--rounds N] [--seconds S] [--only TEXT]...
                        [--row TEXT]... [--build FOLDER]... [--json FILE]
       npm run bench -- --kstats
  --quick    3 rounds of 1 s: under 3 minutes; else 9 rounds of 1 s: 6 minutes
  --only     candidates whose name contains TEXT; nothing in memory
  --row      workloads whose name contains TEXT; nothing in memory
  --build    another compiled checkout that joins in, with one NIC on macvtap
  --json     where the figures go (dist/bench.json)
  --kstats   only a thousand kstats, and forwarding under scrapes: 2 minutes
`;

const INTERRUPTED = 130;

interface Options {
  readonly rounds: number;
  readonly seconds: number;
  readonly json: string;
  readonly chosen: readonly Candidate[];
  readonly workloads: readonly Workload[];
  /** A part is asked for: what runs in memory is left out. */
  readonly isPart: boolean;
  /** kstats and scrapes instead of everything else. */
  readonly isKstats: boolean;
}

interface Stand {
  readonly candidate: Candidate;
  readonly field: Field;
  /** The process that carries the frames. */
  pid: number | undefined;
}

function options(argv: readonly string[]): Options {
  const { values } = parseArgs({
    args: [...argv],
    options: {
      quick: { type: 'boolean', default: false },
      rounds: { type: 'string' },
      seconds: { type: 'string' },
      only: { type: 'string', multiple: true, default: [] },
      row: { type: 'string', multiple: true, default: [] },
      build: { type: 'string', multiple: true, default: [] },
      json: { type: 'string', default: 'dist/bench.json' },
      kstats: { type: 'boolean', default: false },
    },
  });
  const chosen = candidates(values.build).filter(({ name }) => isAsked(name, values.only));
  const workloads = WORKLOADS.filter(({ name }) => isAsked(name, values.row));
  const rounds = Number(values.rounds ?? (values.quick ? 3 : 9));
  const seconds = Number(values.seconds ?? 1);
  if (!Number.isInteger(rounds) || rounds < 1) throw new TypeError('--rounds: 1 or more');
  if (!Number.isInteger(seconds) || seconds < 1) throw new TypeError('--seconds: 1 or more');
  if (chosen.length === 0) throw new TypeError('--only: no candidate has such a name');
  if (workloads.length === 0) throw new TypeError('--row: no workload has such a name');
  const isPart = values.kstats || values.only.length + values.row.length > 0;
  const { json, kstats: isKstats } = values;
  return { rounds, seconds, json, chosen, workloads, isPart, isKstats };
}

/** True if nothing special is asked for, or a part of the name. */
function isAsked(name: string, parts: readonly string[]): boolean {
  return parts.length === 0 || parts.some((part) => name.includes(part));
}

function say(line: string): void {
  process.stderr.write(`${line}\n`);
}

async function raise(
  stands: Stand[],
  chosen: readonly Candidate[],
  stop: AbortSignal,
): Promise<void> {
  for (const candidate of chosen) {
    stop.throwIfAborted();
    say(`building: ${candidate.name} (${candidate.what})`);
    const stand: Stand = { candidate, field: candidate.field(), pid: undefined };
    stands.push(stand);
    stand.pid = await candidate.raise(stand.field);
    await stand.field.serve();
    await compareDigests(stand.field);
  }
}

async function measure(stands: readonly Stand[], asked: Options): Promise<Results> {
  const { rounds, seconds, workloads } = asked;
  const machine = machineHere();
  const rows = workloads.flatMap(({ rows, cost }) =>
    cost === undefined ? rows : [...rows, cost.row],
  );
  const values = new Map(rows.map((row) => [row.name, new Map<string, number[]>()]));
  const idleShare: number[] = [];
  for (let round = 0; round < rounds; round++) {
    for (const workload of workloads) {
      say(`round ${round + 1} of ${rounds}: ${workload.name}`);
      for (let turn = 0; turn < stands.length; turn++) {
        const stand = stands[(turn + round) % stands.length]!;
        idleShare.push(await quietShare());
        for (const { row, value } of await run(workload, stand, seconds)) {
          const list = values.get(row)?.get(stand.candidate.name) ?? [];
          values.get(row)?.set(stand.candidate.name, [...list, value]);
        }
      }
    }
  }
  const names = stands.map(({ candidate }) => candidate.name);
  return { machine, rounds, seconds, candidates: names, rows, values, idleShare };
}

/** One run of one workload, with what it cost the process that carries the frames. */
async function run(workload: Workload, { field, pid }: Stand, seconds: number): Promise<Figure[]> {
  const { cost } = workload;
  const before = pid === undefined ? 0 : cpuTimeMs(pid);
  const figures = await workload.measure(field, seconds);
  const [first] = figures;
  if (pid === undefined || cost === undefined || first === undefined) return figures;
  const used = cost.of(cpuTimeMs(pid) - before, first.value, seconds);
  return [...figures, { row: cost.row.name, value: used }];
}

/** Why devices cannot be measured here; undefined if they can. */
async function whyNot(): Promise<string | undefined> {
  const ground = await findGround();
  if (ground.kind !== 'root' || ground.wiring !== 'macvtap') {
    return 'the rest needs root, and a kernel that lets it make namespaces, TAPs and macvtaps';
  }
  const missing = missingPrograms();
  return missing.length === 0 ? undefined : `the rest needs ${missing.join(', ')}`;
}

/** The bench from argv to exit status. */
async function benchMain(argv: readonly string[]): Promise<number> {
  let asked: Options;
  try {
    asked = options(argv);
  } catch (error) {
    process.stderr.write(`bench: ${(error as Error).message}\n${USAGE}`);
    return 2;
  }
  const costs = asked.isPart
    ? { forwarder: [], locks: [] }
    : { forwarder: measureForwarder(), locks: measureLocks() };
  process.stdout.write(renderCosts(['forwarder in memory', 'ns/frame'], costs.forwarder));
  process.stdout.write(renderCosts(['locks and lifetimes', 'ns each'], costs.locks));
  const refusal = await whyNot();
  if (refusal !== undefined) {
    say(`bench: ${refusal}`);
    return 1;
  }
  const stands: Stand[] = [];
  const fields: Field[] = [];
  const stop = new AbortController();
  const close = async (): Promise<void> => {
    const all = [...fields, ...stands.map(({ field }) => field)];
    await Promise.all(all.map(({ workspace }) => workspace.close()));
  };
  for (const name of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) {
    process.on(name, () => {
      stop.abort();
      void close().then(() => process.exit(INTERRUPTED));
    });
  }
  try {
    for (const name of await removeLeftovers()) say(`removed what a killed run has left: ${name}`);
    if (asked.isKstats) {
      await benchKstats(fields, (text) => process.stdout.write(text));
      return 0;
    }
    await raise(stands, asked.chosen, stop.signal);
    const results = await measure(stands, asked);
    writeFileSync(asked.json, `${JSON.stringify(toJson(results, costs), null, 2)}\n`);
    process.stdout.write(`${render(results)}the figures: ${asked.json}\n`);
    return 0;
  } catch (error) {
    if (stop.signal.aborted) return INTERRUPTED;
    say(`bench: ${(error as Error).message}`);
    return 1;
  } finally {
    await close();
  }
}

process.exitCode = await benchMain(process.argv.slice(2));
