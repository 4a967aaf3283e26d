/**
 * A thousand kstats collected and rendered: how long it takes, and the longest turn of the main
 * thread meanwhile, in which no frame of the control plane is handled.
 *
 * 100 groups of 8 NICs, 800 NICs and 100 kstats in memory, with the real collector, chain and
 * renderers. Each driver answers in a turn of its own, as one rtnetlink answer after the other.
 */

import { Region } from '../../../src/base/lock.ts';
import { external, type Operation, Scheduler } from '../../../src/base/operation.ts';
import { References } from '../../../src/base/reference.ts';
import { jsonWrite } from '../../../src/base/text/json.ts';
import { setViolationHandler } from '../../../src/base/witness.ts';
import { GroupKstat, type KstatMember, LinkKstat } from '../../../src/stats/collector.ts';
import { GroupCounters } from '../../../src/stats/group-counters.ts';
import {
  collectKstats,
  KstatChain,
  type KstatRecord,
  MemoryKstat,
} from '../../../src/stats/kstat.ts';
import { MetricsRenderer, type MetricsSnapshot } from '../../../src/stats/prometheus.ts';
import {
  interfaceStatistics,
  LINK_COUNTERS_ZERO,
  type LinkCounters,
  linkCountersFrom,
} from '../../../src/stats/schema.ts';
import { addTo, type Rounds } from '../figures.ts';

const nowMs = (): number => performance.now();

const GROUPS = 100;
const MEMBERS = 8;
const IN_MEMORY = 100;

/** Rounds that only warm up (ours). */
const COLD_ROUNDS = 5;

/** The chain of a large machine. */
class LargeChain {
  readonly chain = new KstatChain();
  readonly #scheduler = new Scheduler();
  readonly #region = new Region('illGlobalLock');
  #answer: LinkCounters = LINK_COUNTERS_ZERO;
  #counted = 0n;
  #timer: NodeJS.Timeout | undefined;

  constructor() {
    this.#scheduler.onReady = () => queueMicrotask(() => this.#turn());
    for (let group = 0; group < GROUPS; group++) this.#addGroup(group);
    for (let index = 0; index < IN_MEMORY; index++) {
      const identity = { module: 'ipmpd', instance: 0, name: `memory${index}`, class: 'misc' };
      const copy = () => interfaceStatistics(this.#answer, true);
      this.chain.install(new MemoryKstat(identity, { crtimeMs: 0, nowMs, copy }));
    }
  }

  /** Reads all of them, with counters that have moved. */
  collect(): Promise<KstatRecord[]> {
    this.#counted += 2n ** 40n;
    this.#answer = linkCountersFrom(() => this.#counted);
    return new Promise((resolve, reject) => {
      const task = this.#scheduler.spawn('collect', () => collectKstats(this.chain));
      task.onSettled(() => (task.state === 'done' ? resolve(task.value) : reject(task.error)));
    });
  }

  /** As the daemon's pump does. */
  #turn(): void {
    this.#scheduler.handleTime(nowMs());
    const atMs = this.#scheduler.pollAt();
    clearTimeout(this.#timer);
    if (atMs === Number.POSITIVE_INFINITY) return;
    this.#timer = setTimeout(() => this.#turn(), Math.max(0, atMs - nowMs()));
  }

  #addGroup(group: number): void {
    const counters = new GroupCounters();
    const members = Array.from({ length: MEMBERS }, (_, at) => {
      const nic = group * MEMBERS + at;
      const references = new References('phyint', `net${nic}`);
      this.#addLink(nic, references);
      return { nic, references, counters: counters.join(LINK_COUNTERS_ZERO) };
    });
    const source = {
      region: this.#region,
      counters,
      isRunning: () => true,
      holdMembers: (): KstatMember[] =>
        members.map(({ nic, references, counters }) => ({
          nic,
          ifname: `net${nic}`,
          counters,
          reference: references.hold('kstat'),
        })),
    };
    this.chain.install(new GroupKstat({ ...this.#common(`ipmp${group}`), source }));
  }

  #addLink(nic: number, references: References): void {
    const hold = () => references.hold('kstat');
    const source = { region: this.#region, nic, isUp: () => true, hold };
    this.chain.install(new LinkKstat({ ...this.#common(`net${nic}`), source }));
  }

  #common(name: string) {
    const linkStatistics = (): Operation<LinkCounters> =>
      external<LinkCounters>('driver', (settle) => {
        setImmediate(() => settle.resolve(this.#answer));
        return undefined;
      });
    return { name, crtimeMs: 0, scheduler: this.#scheduler, linkStatistics };
  }
}

/** What the scrape of such a machine shows. */
function snapshotOf(records: readonly KstatRecord[]): MetricsSnapshot {
  const of = (module: string) => records.filter((record) => record.module === module);
  return {
    version: '0',
    groups: of('ipmp').map(({ name, data }) => {
      const fixed = { state: 'ok', interfaces: MEMBERS, active: MEMBERS };
      return { ...fixed, group: name, failureDetectionSeconds: 1, statistics: data };
    }),
    interfaces: of('link').map(({ name, data }) => {
      return { ifname: name, group: 'ipmp0', state: 'ok', isLinkUp: true, statistics: data };
    }),
    addresses: [],
    failovers: [],
    drops: {},
  };
}

/** Milliseconds of `work`, and of the longest turn meanwhile. */
async function timed(work: () => Promise<unknown>): Promise<{ all: number; turn: number }> {
  let turn = 0;
  let isOver = false;
  let before = performance.now();
  const startMs = before;
  const tick = (): void => {
    const now = performance.now();
    turn = Math.max(turn, now - before);
    before = now;
    if (!isOver) setImmediate(tick);
  };
  setImmediate(tick);
  await work();
  const all = performance.now() - startMs;
  isOver = true;
  await new Promise((resolve) => setImmediate(resolve));
  return { all, turn };
}

/** Measures `rounds` times, each part apart: milliseconds. */
export async function measureKstats({ rounds = 15 } = {}): Promise<Rounds> {
  const undo = setViolationHandler(() => undefined);
  const renderer = new MetricsRenderer();
  const large = new LargeChain();
  const values = new Map<string, number[]>();
  let records: KstatRecord[] = [];
  const parts: readonly [string, () => Promise<unknown>][] = [
    ['collected', async () => (records = await large.collect())],
    ['rendered for /metrics', () => renderer.render(snapshotOf(records))],
    ['rendered as JSON', async () => jsonWrite(records)],
  ];
  try {
    for (let round = 0; round < COLD_ROUNDS + rounds; round++) {
      for (const [name, work] of parts) {
        const { all, turn } = await timed(work);
        if (round < COLD_ROUNDS) continue;
        addTo(values, name, all);
        addTo(values, `${name}, longest turn`, turn);
      }
    }
  } finally {
    renderer.close();
    undo();
  }
  return values;
}
