/**
 * Everything at once on real devices, for a while: members leave and join, addresses come and go,
 * links are cut and repaired, traffic flows both ways, kstats are read and metrics scraped without
 * pause. Every request is answered, no counter falls, TCP is intact, and in the end what
 * nftables counted at every door is what the daemon counted.
 *
 * `IPMPD_MIX_SECONDS=60 npm test -- netns mix` for longer.
 */

import { deepEqual, equal, ok } from 'node:assert/strict';
import { setTimeout as sleep } from 'node:timers/promises';
import { OperatorError } from '../../../src/base/errors.ts';
import { Rng } from '../../../src/base/rng.ts';
import { ControlClient } from '../../../src/ctl/client.ts';
import { ANSWER_MS, getJson } from '../../../src/lab/api.ts';
import { GROUP } from '../../../src/lab/configuration.ts';
import { EchoStream, Transfer } from '../../../src/lab/measure/measure.ts';
import { LANS } from '../../../src/lab/topology.ts';
import { until } from '../../../src/lab/until.ts';
import { type KstatRow, lawBreaches } from '../../tools/conservation.ts';
import {
  compareGateway,
  compareHostDoors,
  type DoorReading,
  hangDoors,
  readDoorsAtRest,
} from '../tools/doors.ts';
import { hostTest, type TestHost } from '../tools/harness.ts';
import { metricsOf } from '../tools/scrape.ts';

const SECONDS = Number(process.env.IPMPD_MIX_SECONDS ?? 20);
const SEED = Number(process.env.IPMPD_MIX_SEED ?? 1);
const READERS = 6;
const SCRAPE_MS = 100;
/** Added and deleted beside those of the configuration. */
const EXTRA = LANS.flatMap(({ data, prefixLength }) =>
  [12, 13, 14].map((last) => `${data[0].replace(/10$/, String(last))}/${prefixLength}`),
);
const BYTES_PER_SECOND = 1_000_000;
/** How long traffic flows without faults, in the end. */
const CALM_MS = 2000;
/** Announcements of moves that were held back have been made by then. */
const WARM_WITHIN_MS = 20_000;

/** What happened how often. */
type Tally = Map<string, number>;

/** The mix: each actor does its own thing until the time is over. */
class Mix {
  readonly #host: TestHost;
  readonly #client: ControlClient;
  readonly #rng = new Rng(SEED);
  readonly #endMs = performance.now() + SECONDS * 1000;
  readonly tally: Tally = new Map();

  constructor(host: TestHost) {
    this.#host = host;
    this.#client = new ControlClient(host.daemon.socket);
  }

  /** Runs all actors to their ends. @throws the first error of any of them */
  async run(): Promise<void> {
    const readers = Array.from({ length: READERS }, () => this.#reader());
    await Promise.all([
      ...readers,
      this.#scraper(),
      this.#members(),
      this.#addresses(),
      this.#links(),
    ]);
  }

  /** Puts everything back that an actor may have left otherwise. */
  async settle(): Promise<void> {
    const { topology, daemon } = this.#host;
    for (const link of [...topology.uplinks, 'isl']) await topology.repair(link);
    for (const name of topology.members) {
      await this.#join(`/v1/groups/${GROUP}/interfaces/${name}`);
    }
    await daemon.waitUntilOk(20_000);
  }

  get #isOver(): boolean {
    return performance.now() >= this.#endMs;
  }

  #count(what: string): void {
    this.tally.set(what, (this.tally.get(what) ?? 0) + 1);
  }

  async #pause(mostMs: number): Promise<void> {
    await sleep(this.#rng.uniform(0, mostMs));
  }

  /** A request that must be answered in time, be it by a refusal; answers its code. */
  async #ask(method: 'PUT' | 'DELETE', path: string): Promise<string> {
    const beganMs = performance.now();
    let answer = 'done';
    try {
      await this.#client.request(method, path);
    } catch (error) {
      if (!(error instanceof OperatorError)) throw error;
      answer = error.code;
    }
    const tookMs = performance.now() - beganMs;
    ok(tookMs < ANSWER_MS, `${method} ${path} took ${tookMs} ms`);
    return answer;
  }

  /** One at a time leaves and comes back; in between a deletion of the group is refused. */
  async #members(): Promise<void> {
    const { members } = this.#host.topology;
    while (!this.#isOver) {
      const path = `/v1/groups/${GROUP}/interfaces/${members[this.#rng.below(members.length)]}`;
      this.#count(`leave ${await this.#ask('DELETE', path)}`);
      await this.#pause(200);
      const refused = await this.#ask('DELETE', `/v1/groups/${GROUP}`);
      equal(refused, 'EBUSY');
      this.#count(`delete group ${refused}`);
      await Promise.all([this.#join(path), this.#join(path)]);
      await this.#pause(500);
    }
  }

  /**
   * Joins until it is a member. On a crowded machine the driver may not give the counters in time,
   * and without them a join is refused.
   */
  async #join(path: string): Promise<void> {
    await until(`PUT ${path}`, ANSWER_MS, async () => {
      const answer = await this.#ask('PUT', path);
      this.#count(`join ${answer}`);
      if (answer !== 'done') equal(answer, 'ETIMEDOUT');
      return answer === 'done';
    });
  }

  async #addresses(): Promise<void> {
    const present = new Set<string>();
    while (!this.#isOver) {
      const address = EXTRA[this.#rng.below(EXTRA.length)]!;
      const verb = present.has(address) ? 'del' : 'add';
      const command = `address ${verb} ${address} dev ${GROUP}`;
      await this.#host.workspace.ip('host', [command]);
      if (verb === 'add') present.add(address);
      else present.delete(address);
      this.#count(`address ${verb}`);
      await this.#pause(400);
    }
  }

  async #links(): Promise<void> {
    const { topology } = this.#host;
    const links = [...topology.uplinks, 'isl'];
    while (!this.#isOver) {
      const link = links[this.#rng.below(links.length)]!;
      await topology.cut(link);
      this.#count(`cut ${link}`);
      await this.#pause(300);
      await topology.repair(link);
      await this.#pause(600);
    }
  }

  async #reader(): Promise<void> {
    const watch = new Watch();
    while (!this.#isOver) {
      const rows = (await getJson(this.#host.daemon.socket, '/v1/kstats')) as Kstat[];
      for (const { module, name, crtime, data } of rows) {
        if (module === 'ipmpd') continue;
        const key = `${module}:${name} of ${crtime}`;
        for (const [statistic, value] of Object.entries(data)) {
          if (statistic.endsWith('64')) watch.see(`${key} ${statistic}`, BigInt(value));
        }
      }
      this.#count('kstat reads');
      await this.#pause(20);
    }
  }

  async #scraper(): Promise<void> {
    const watch = new Watch();
    while (!this.#isOver) {
      const metrics = await metricsOf(this.#host.daemon.socket);
      for (const [series, value] of metrics.counters) watch.see(series, value);
      this.#count('scrapes');
      await sleep(SCRAPE_MS);
    }
  }
}

/** A kstat as the API shows it. */
interface Kstat extends KstatRow {
  readonly crtime: number;
}

/** What one reader has seen of each counter: none may fall. */
class Watch {
  readonly #seen = new Map<string, bigint>();

  see(counter: string, value: bigint): void {
    const before = this.#seen.get(counter) ?? 0n;
    ok(value >= before, `${counter} falls from ${before} to ${value}`);
    this.#seen.set(counter, value);
  }
}

/** Traffic of the kinds that the daemon treats differently. */
class Traffic {
  readonly #echoes: readonly EchoStream[];
  readonly #transfers: readonly Transfer[];

  static async start({ workspace }: TestHost): Promise<Traffic> {
    const echoes: EchoStream[] = [];
    const transfers: Transfer[] = [];
    for (const { gateways, data } of LANS) {
      const [gateway] = gateways;
      echoes.push(await EchoStream.start(workspace, gateway, { perSecond: 250 }));
      echoes.push(await EchoStream.start(workspace, data[1], { role: 'gw', perSecond: 250 }));
      const ends = { from: 'host', to: 'gw', address: gateway, rate: BYTES_PER_SECOND };
      transfers.push(await Transfer.start(workspace, ends));
    }
    return new Traffic(echoes, transfers);
  }

  private constructor(echoes: readonly EchoStream[], transfers: readonly Transfer[]) {
    this.#echoes = echoes;
    this.#transfers = transfers;
  }

  /** Ends it; returns the echoes of each stream. @throws if a byte of TCP is wrong */
  async stop(): Promise<{ sent: number[]; lost: number[]; bytes: number[] }> {
    const bytes: number[] = [];
    for (const transfer of this.#transfers) {
      const { sent, received } = await transfer.finish();
      deepEqual(received, sent, 'both ends of a transfer');
      ok(sent.bytes > 0);
      bytes.push(sent.bytes);
    }
    const ends = await Promise.all(this.#echoes.map((stream) => stream.stop()));
    const of = (what: 'sent' | 'lost'): number[] => ends.map((end) => end[what]);
    return { sent: of('sent'), lost: of('lost'), bytes };
  }
}

function expectEqual(comparisons: ReturnType<typeof compareHostDoors>): void {
  const wrong = comparisons.filter(({ seen, counted }) => seen !== counted);
  deepEqual(wrong, [], 'nftables and the daemon');
  for (const { what, seen } of comparisons) ok(seen > 0, `nothing: ${what}`);
}

/** Makes the gateway and the switches learn where each address is. */
async function warmUp(host: TestHost): Promise<void> {
  await host.workspace.ip('gw', ['neigh flush dev eth0']);
  for (const { data } of LANS) {
    for (const address of data) await host.waitForPing('gw', address, WARM_WITHIN_MS);
  }
}

/** The witness of the daemon has reported nothing. */
function expectNoReport({ rows }: DoorReading): void {
  const witness = rows.find(({ module, name }) => module === 'ipmpd' && name === 'witness');
  const reports = Object.entries(witness?.data ?? {}).filter(([, count]) => Number(count) !== 0);
  deepEqual(reports, []);
}

hostTest(
  `everything at once for ${SECONDS} s, seed ${SEED}`,
  {
    ipv6: true,
    group: { 'flap-damping': 'off' },
    environment: { IPMPD_WITNESS: 'fatal' },
  },
  async (host, t) => {
    await hangDoors(host);
    const before = await readDoorsAtRest(host);
    const traffic = await Traffic.start(host);
    const mix = new Mix(host);
    await mix.run();
    await mix.settle();
    const echoes = await traffic.stop();
    const after = await readDoorsAtRest(host);
    const tally = [...mix.tally].sort().map(([what, count]) => `${what} ${count}`);
    t.diagnostic(`${tally.join(', ')}; echoes and TCP ${JSON.stringify(echoes)}`);
    const doors = compareHostDoors(host, before, after);
    t.diagnostic(`with faults: ${JSON.stringify(doors)} ${JSON.stringify(after.overflowed)}`);
    expectEqual(doors);
    deepEqual(lawBreaches(after.rows), []);

    await warmUp(host);
    const start = await readDoorsAtRest(host);
    const calm = await Traffic.start(host);
    await sleep(CALM_MS);
    deepEqual((await calm.stop()).lost, [0, 0, 0, 0]);
    const end = await readDoorsAtRest(host);
    const ends = [...compareHostDoors(host, start, end), ...compareGateway(host, start, end)];
    t.diagnostic(`without faults: ${JSON.stringify(ends)}`);
    expectEqual(ends);
    deepEqual(lawBreaches(end.rows), []);
    expectNoReport(end);
  },
);
