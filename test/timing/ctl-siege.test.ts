/**
 * The control socket of the real daemon under siege while traffic flows: ten thousand requests at
 * once (T22), and clients that are stuck (T21). Other clients are answered as before, and the
 * datapath is not affected.
 *
 * `IPMPD_SIEGE_SECONDS=60 npm test -- timing siege` for a longer siege of the stuck,
 * `IPMPD_SIEGE_CLIENTS=10000` for all requests at the very same time.
 */

import { equal, ok } from 'node:assert/strict';
import { type ChildProcess, fork } from 'node:child_process';
import { once } from 'node:events';
import { chmodSync, readFileSync } from 'node:fs';
import { setPriority } from 'node:os';
import { join } from 'node:path';
import { before, describe, type TestContext, test } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import { OperatorError } from '../../src/base/errors.ts';
import type { JsonValue } from '../../src/base/text/json.ts';
import { ControlClient } from '../../src/ctl/client.ts';
import { GROUP } from '../../src/lab/configuration.ts';
import { LAN } from '../../src/lab/topology.ts';
import { quantile } from '../bench/figures.ts';
import { TestHost, UNDAMPED } from '../netns/tools/harness.ts';
import { exchange, requestBytes } from '../siege/raw-http.ts';
import { limitOf, PingStream, steadyP99 } from '../siege/round-trips.ts';
import { StuckClients } from '../siege/stuck.ts';
import { connectAs, type Identity } from '../siege/users.ts';

const REQUESTS = 10_000;
/** Far more than are served at one time. */
const CLIENTS = Number(process.env.IPMPD_SIEGE_CLIENTS ?? 1000);
const WITHIN_MS = 10_000;
const WARM_UP = 2000;
/** Few, so that none waits for long: these take the processors from the daemon. */
const WARM_UP_CLIENTS = 50;
const CALM_MS = 1500;
/** Ours: so many times as long as with a server that does nothing. */
const SLOWER = 6;
const STUCK_SECONDS = Number(process.env.IPMPD_SIEGE_SECONDS ?? 4);
/** Of a round trip through the group. */
const ROUND_TRIP_MORE_MS = 5;
/** Ours: of an answer; its client does other things too. */
const ANSWER_MORE_MS = 10;
const GROWTH_MIB = 16;
/** Ours: between two requests of one of the others. */
const OTHERS_MS = 10;
const FLAP_MS = 250;

type Check = (value: JsonValue | undefined) => boolean;

/** Requests with what is a right answer to each; a refusal is its code. */
const ASKED: readonly (readonly ['GET' | 'DELETE', string, Check | string])[] = [
  ['GET', '/v1/groups', (rows) => rowOf(rows, 'group', GROUP)?.state === 'ok'],
  ['GET', '/v1/interfaces', (rows) => rowOf(rows, 'ifname', 'net1')?.group === GROUP],
  ['GET', '/v1/addresses', (rows) => (rows as JsonValue[]).length === LAN.data.length],
  ['GET', '/v1/status', (row) => (row as { state: string }).state === 'ok'],
  ['GET', '/v1/kstats?pattern=ipmp', (rows) => rowOf(rows, 'name', GROUP)?.class === 'net'],
  ['DELETE', `/v1/groups/${GROUP}`, 'EBUSY'],
  ['DELETE', '/v1/groups/nosuch0', 'ENOENT'],
  ['GET', '/v1/nothing', 'ENOENT'],
];

function rowOf(rows: JsonValue | undefined, key: string, value: string) {
  const list = rows as readonly { readonly [key: string]: JsonValue }[];
  return list.find((row) => row[key] === value);
}

async function isRight(client: ControlClient, at: number): Promise<boolean> {
  const [method, path, right] = ASKED[at % ASKED.length]!;
  try {
    const value = await client.request(method, path);
    return typeof right !== 'string' && right(value);
  } catch (error) {
    if (!(error instanceof OperatorError)) throw error;
    return error.code === right;
  }
}

/** `count` requests by `clients` at once; how long it took and how many answers were right. */
async function storm(ask: (at: number) => Promise<boolean>, count: number, clients: number) {
  let next = 0;
  let right = 0;
  const beganMs = performance.now();
  const one = async (): Promise<void> => {
    while (next < count) if (await ask(next++)) right++;
  };
  await Promise.all(Array.from({ length: clients }, one));
  return { tookMs: performance.now() - beganMs, right };
}

/** The same by a server that does nothing: what the machine gives at this moment. */
async function stormOfNothing(host: TestHost): Promise<number> {
  const path = join(host.workspace.folder, 'nothing.sock');
  const child: ChildProcess = fork(new URL('../siege/machine.js', import.meta.url), [path]);
  try {
    await once(child, 'message');
    const client = new ControlClient(path);
    const ask = async () => (await client.request('GET', '/')) !== undefined;
    const { tookMs } = await storm(ask, REQUESTS / 10, CLIENTS);
    return tookMs * 10;
  } finally {
    child.disconnect();
    await once(child, 'exit');
  }
}

function residentBytes(host: TestHost): number {
  const text = readFileSync(`/proc/${host.daemon.process.pid}/status`, 'utf8');
  return Number(/^VmRSS:\s+(\d+) kB$/m.exec(text)?.[1]) * 1024;
}

const ROOT: Identity = { uid: 0, gid: 0, groups: [0] };
const plain = (uid: number): Identity => ({ uid, gid: uid, groups: [] });
/** The clients that ask while 64 are stuck. */
const OTHERS = [ROOT, plain(60_777)];

/** Sends requests of one user until `isOver`; returns how long each answer took, ms. */
async function timesOf(host: TestHost, as: Identity, isOver: () => boolean): Promise<number[]> {
  const open = (path: string) => connectAs(as, path);
  const times: number[] = [];
  const bytes = requestBytes('GET', '/v1/groups');
  while (!isOver()) {
    const beganMs = performance.now();
    for (;;) {
      const { reply } = await exchange(host.daemon.socket, bytes, { patienceMs: 20_000, open });
      if (reply?.status === 200) break;
      ok(reply?.status === 503, `status ${reply?.status}`);
      await sleep(10);
    }
    times.push(performance.now() - beganMs);
    await sleep(OTHERS_MS);
  }
  return times;
}

function inMs(ms: number): () => boolean {
  const endMs = performance.now() + ms;
  return () => performance.now() > endMs;
}

/** The second NIC loses its link and gets it back, again and again: events flow. */
async function flap(host: TestHost, isOver: () => boolean): Promise<void> {
  while (!isOver()) {
    await host.topology.cut('eth1');
    await sleep(FLAP_MS / 2);
    await host.topology.repair('eth1');
    await sleep(FLAP_MS / 2);
  }
}

/** How long the others wait for their answers while events flow. */
async function timesOfOthers(host: TestHost, isOver: () => boolean): Promise<number[][]> {
  const [, ...times] = await Promise.all([
    flap(host, isOver),
    ...OTHERS.map((as) => timesOf(host, as, isOver)),
  ]);
  return times;
}

/** The same, and the daemon's memory at most, while 64 clients of `users` are stuck. */
async function timesUnderSiege(host: TestHost, users: readonly Identity[], t: TestContext) {
  const isOver = inMs(STUCK_SECONDS * 1000);
  let mostBytes = 0;
  const weigh = async (): Promise<void> => {
    for (; !isOver(); await sleep(100)) mostBytes = Math.max(mostBytes, residentBytes(host));
  };
  const stuck = new StuckClients(host.daemon.socket, users, 64 / users.length);
  try {
    const [times] = await Promise.all([timesOfOthers(host, isOver), weigh()]);
    t.diagnostic(`${STUCK_SECONDS} s, ${JSON.stringify(stuck.tally)}`);
    ok(stuck.tally.connected >= 64);
    return { mostBytes, times };
  } finally {
    stuck.close();
  }
}

/** In milliseconds, with tenths. */
function figuresOf(times: readonly number[]) {
  const tenths = (ms: number): number => Math.round(ms * 10) / 10;
  const [p50 = 0, p99 = 0, most = 0] = [0.5, 0.99, 1].map((share) => quantile(times, share));
  return {
    p50: tenths(p50),
    p99: tenths(p99),
    steadyP99: tenths(steadyP99(times)),
    most: tenths(most),
  };
}

async function besiege(t: TestContext, host: TestHost, users: readonly Identity[]): Promise<void> {
  const before = await timesOfOthers(host, inMs(CALM_MS));
  const beforeBytes = residentBytes(host);
  const { mostBytes, times } = await timesUnderSiege(host, users, t);
  const after = await timesOfOthers(host, inMs(CALM_MS));
  await host.daemon.waitUntilOk();
  const grownMib = (mostBytes - beforeBytes) / (1 << 20);
  const figures = times.map((each, at) => ({
    asked: each.length,
    calm: figuresOf([...before[at]!, ...after[at]!]),
    stuck: figuresOf(each),
  }));
  t.diagnostic(`at most ${grownMib.toFixed(1)} MiB more; others: ${JSON.stringify(figures)}`);
  for (const { calm, stuck } of figures) {
    const limitMs = limitOf(calm.steadyP99, ANSWER_MORE_MS);
    ok(stuck.steadyP99 <= limitMs, `p99 ${stuck.steadyP99} ms, limit ${limitMs} ms`);
  }
  ok(grownMib <= GROWTH_MIB, `${grownMib} MiB more`);
}

describe('the control socket under siege', () => {
  const host = TestHost.ofSuite(UNDAMPED);

  before(async () => {
    chmodSync(host.workspace.folder, 0o711);
    // The heap of a daemon that has just begun grows by whatever it does.
    const client = new ControlClient(host.daemon.socket);
    await storm((at) => isRight(client, at), WARM_UP, WARM_UP_CLIENTS);
  });

  test(`${REQUESTS} requests by ${CLIENTS} at once`, async (t) => {
    const calmPing = new PingStream(host, LAN.gateways[0]);
    await sleep(CALM_MS);
    const calm = await calmPing.stop();
    // The clients are not to take the processors from the server.
    setPriority(10);
    try {
      const machineMs = await stormOfNothing(host);
      const client = new ControlClient(host.daemon.socket);
      const ping = new PingStream(host, LAN.gateways[0]);
      const { tookMs, right } = await storm((at) => isRight(client, at), REQUESTS, CLIENTS);
      const stormy = await ping.stop();
      t.diagnostic(
        `${right} right answers in ${(tookMs / 1000).toFixed(1)} s (a server that does nothing: ` +
          `${(machineMs / 1000).toFixed(1)} s); round trips ${JSON.stringify({ calm, stormy })}`,
      );
      equal(right, REQUESTS);
      ok(tookMs <= Math.max(WITHIN_MS, SLOWER * machineMs), `${tookMs} ms`);
      equal(stormy.lost, 0, 'lost on the way');
      const limitMs = limitOf(calm.steadyP99Ms, ROUND_TRIP_MORE_MS);
      ok(stormy.steadyP99Ms <= limitMs, `p99 ${stormy.steadyP99Ms} ms, limit ${limitMs} ms`);
    } finally {
      setPriority(0);
    }
  });

  test('[contract 5.7] 64 stuck clients of four users', async (t) => {
    await besiege(t, host, [60_001, 60_002, 60_003, 60_004].map(plain));
  });

  test('64 stuck clients of root', async (t) => {
    await besiege(t, host, [ROOT]);
  });
});
