/**
 * The candidates side by side: all are built first and then take turns. Within a round each
 * workload goes through all of them before the next workload begins, and each round begins with
 * another candidate. Each run waits for a quiet moment.
 */

import { readFileSync } from 'node:fs';
import { setTimeout as sleep } from 'node:timers/promises';
import { addTo } from '../figures.ts';
import { cpuTimeMs, machineHere, quietShare, residentOf } from '../machine.ts';
import type { Options } from '../options.ts';
import { type Results, say } from '../report.ts';
import type { Candidate } from './candidates.ts';
import type { Closable, Field } from './field.ts';
import { compareDigests } from './transfers.ts';
import { type Figure, type Row, RSS_IDLE, RSS_LOADED, type Workload } from './workloads.ts';

/** Ours: what a start leaves behind is collected or settled by then. */
const QUIET_MS = 4000;

/** A candidate at work. */
interface Stand {
  readonly candidate: Candidate;
  readonly field: Field;
  /** The process that carries the frames. */
  readonly pid: number | undefined;
}

/** One run of the bench, as far as devices take part. */
export class Run {
  readonly #asked: Options;
  readonly #open: Closable[];
  readonly #stands: Stand[] = [];
  readonly #rows: Row[] = [];
  readonly #values = new Map<string, Map<string, number[]>>();
  readonly #idleShare: number[] = [];
  #rounds = 0;

  /** `open` gets what must be closed at the end. */
  constructor(asked: Options, open: Closable[]) {
    this.#asked = asked;
    this.#open = open;
  }

  /** Builds all that can take part here and checks that they carry data both ways. */
  async raise(stop: AbortSignal): Promise<void> {
    for (const candidate of this.#asked.chosen) {
      stop.throwIfAborted();
      const reason = await candidate.whyNot?.();
      if (reason !== undefined) {
        say(`left out: ${candidate.name}: ${reason}`);
        continue;
      }
      say(`building: ${candidate.name} (${candidate.what})`);
      const field = candidate.field();
      this.#open.push(field);
      const pid = await candidate.raise(field);
      this.#stands.push({ candidate, field, pid });
    }
    if (this.#stands.length === 0) throw new Error('no candidate can take part here');
    await sleep(QUIET_MS);
    this.#recordMemory(RSS_IDLE);
    for (const { field } of this.#stands) {
      await field.serve();
      await compareDigests(field);
    }
  }

  /** All rounds that are asked for, as far as the time allows; what was measured is kept. */
  async measure(): Promise<void> {
    const { rounds, workloads, rare, limitMs } = this.#asked;
    let longestMs = 0;
    for (let round = 0; round < rounds; round++) {
      const startMs = performance.now();
      if (round > 0 && startMs + longestMs > limitMs) {
        say(`${round} of ${rounds} rounds: the time is up`);
        break;
      }
      await this.#round(round, `round ${round + 1} of ${rounds}`, workloads);
      longestMs = Math.max(longestMs, performance.now() - startMs);
      this.#rounds = round + 1;
    }
    this.#recordMemory(RSS_LOADED);
    await this.#round(0, 'one round', rare);
  }

  /** Adds a figure of `candidate`. */
  record(row: Row, candidate: string, value: number): void {
    const values = this.#values.get(row.name) ?? new Map<string, number[]>();
    if (!this.#values.has(row.name)) this.#rows.push(row);
    this.#values.set(row.name, values);
    addTo(values, candidate, value);
  }

  /** All that was measured so far. */
  results(): Results {
    const names = this.#stands.map(({ candidate }) => candidate.name);
    const measured = [...this.#values.values()].flatMap((rounds) => [...rounds.keys()]);
    return {
      machine: machineHere(),
      rounds: this.#rounds,
      seconds: this.#asked.seconds,
      candidates: [...new Set([...names, ...measured])],
      rows: this.#rows,
      values: this.#values,
      idleShare: this.#idleShare,
    };
  }

  async #round(round: number, title: string, workloads: readonly Workload[]): Promise<void> {
    for (const workload of workloads) {
      say(`${title}: ${workload.name}`);
      for (let turn = 0; turn < this.#stands.length; turn++) {
        const stand = this.#stands[(turn + round) % this.#stands.length]!;
        this.#idleShare.push(await quietShare());
        await this.#turn(workload, stand);
      }
    }
  }

  /** One run of one workload, with what it cost the process that carries the frames. */
  async #turn(workload: Workload, { candidate, field, pid }: Stand): Promise<void> {
    const { cost, rows } = workload;
    const { seconds } = this.#asked;
    const before = pid === undefined ? 0 : cpuTimeMs(pid);
    const figures: Figure[] = await workload.measure(field, seconds);
    for (const { row, value } of figures) {
      this.record(rows.find(({ name }) => name === row)!, candidate.name, value);
    }
    const [first] = figures;
    if (pid === undefined || cost === undefined || first === undefined) return;
    const cpuMs = cpuTimeMs(pid) - before;
    this.record(cost.row, candidate.name, cost.of(cpuMs, first.value, seconds));
  }

  #recordMemory(row: Row): void {
    for (const { candidate, pid } of this.#stands) {
      if (pid === undefined) continue;
      const status = readFileSync(`/proc/${pid}/status`, 'utf8');
      this.record(row, candidate.name, residentOf(status));
    }
  }
}
