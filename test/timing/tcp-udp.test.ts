/**
 * TCP and UDP in volume, both ways, in the three wirings; then both families at once while NICs
 * fail, go offline, leave and come back.
 *
 * `IPMPD_SURVIVE=100 IPMPD_SURVIVE_SEED=7 npm test -- timing tcp-udp` for a longer walk, and
 * another; `IPMPD_OFFLINES=20` for more rounds of going offline.
 */

import { deepEqual, ok } from 'node:assert/strict';
import { describe, type TestContext, test } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import { type EchoStream, Transfer } from '../../src/lab/measure/measure.ts';
import { LANS, type Lan, type Wiring } from '../../src/lab/topology.ts';
import { until } from '../../src/lab/until.ts';
import type { Family } from '../../src/wire/addr.ts';
import { describeOn, type TestHost, UNDAMPED, WIRINGS } from '../netns/tools/harness.ts';
import { sourceTo } from './source.ts';
import { Walk } from './walk.ts';

/** Ours: far below what any machine reaches with super-frames, far above without them. */
const LEAST_TCP_BITS = 300e6;

const SURVIVE_STEPS = Number(process.env.IPMPD_SURVIVE ?? 6);
const SURVIVE_SEED = Number(process.env.IPMPD_SURVIVE_SEED ?? 1);
const OFFLINES = Number(process.env.IPMPD_OFFLINES ?? 1);
/** Bytes a second of each of the transfers that survive. */
const TRANSFER_RATE = 1_000_000;
/** Linux doubles the time to the next retransmission with each that is lost. */
const RESUMED_WITHIN_MS = 10_000;
/** Before the first mark: the first answers wait until the neighbour is known (echo-record.ts). */
const START = 'start';
/** Long enough for a packet that went the wrong way to count for this action. */
const AFTER_ACTION_MS = 100;

const OPTIONS = { ipv6: true, nics: 3, ...UNDAMPED };

/** What flows, each with its name. */
type Named<S> = readonly (readonly [name: string, stream: S])[];

interface PathEnds {
  readonly family: Family;
  readonly gateway: string;
  readonly other: string;
}

interface Iperf {
  readonly end: {
    readonly sum_received?: { readonly bits_per_second: number };
    readonly sum?: { readonly bits_per_second: number; readonly lost_percent: number };
  };
}

async function iperf(host: TestHost, to: string, args: readonly string[]): Promise<Iperf> {
  const server = host.workspace.start(['iperf3', '-s', '-1', '-B', to], { role: 'gw' });
  await until('iperf3 listens', 5000, async () => {
    return (await host.run('gw', ['ss', '-Hltn', 'sport', '=', ':5201'])) !== '';
  });
  const text = await host.run('host', ['iperf3', '-J', '-c', to, '-t', '1', ...args]);
  await host.workspace.stop(server);
  return JSON.parse(text) as Iperf;
}

describeOn(WIRINGS, 'volume', OPTIONS, (host, wiring) => {
  for (const lan of LANS) describe(`IPv${lan.family}`, () => volume(host, wiring, lan));

  test(`TCP of both families survives ${SURVIVE_STEPS} random steps`, (t) => survive(host, t));

  test('offline and online lose none of a thousand echo requests a second each way', (t) =>
    loseNothing(host, t));
});

function volume(host: TestHost, wiring: Wiring, { gateways: [gateway] }: Lan): void {
  for (const [name, args] of [
    ['TCP out', []],
    ['TCP in', ['-R']],
    ['TCP out, four streams', ['-P', '4']],
  ] as const) {
    test(name, async (t) => {
      const bits = (await iperf(host, gateway, args)).end.sum_received?.bits_per_second ?? 0;
      t.diagnostic(`${wiring} ${name}: ${(bits / 1e9).toFixed(2)} Gbit/s`);
      ok(bits > LEAST_TCP_BITS, `${bits} bit/s`);
    });
  }

  for (const [name, args] of [
    ['UDP out', []],
    ['UDP in', ['-R']],
  ] as const) {
    test(name, async () => {
      const { sum } = (await iperf(host, gateway, ['-u', '-b', '20M', '-l', '1200', ...args])).end;
      ok((sum?.bits_per_second ?? 0) > 18e6, JSON.stringify(sum));
      ok((sum?.lost_percent ?? 100) < 2, JSON.stringify(sum));
    });
  }
}

/** Of each family: the gateway, and the data address that the host does not send from to it. */
async function endsOf(host: TestHost): Promise<readonly PathEnds[]> {
  return await Promise.all(
    host.topology.lans.map(async ({ family, gateways: [gateway], data }) => {
      const source = await sourceTo(host, gateway);
      return { family, gateway, other: data.find((address) => address !== source) ?? '' };
    }),
  );
}

/** Transfers in both directions of each family. */
async function startTransfers(host: TestHost): Promise<Named<Transfer>> {
  const planned = (await endsOf(host)).flatMap(({ family, gateway, other }) => [
    { name: `IPv${family} out`, from: 'host', to: 'gw', address: gateway },
    { name: `IPv${family} in`, from: 'gw', to: 'host', address: other },
  ]);
  return await startAll(planned, (plan) =>
    Transfer.start(host.workspace, { ...plan, rate: TRANSFER_RATE }),
  );
}

/** Echo requests from both ends in each family; each answer is a packet the other way. */
async function startEchoes(host: TestHost): Promise<Named<EchoStream>> {
  const planned = (await endsOf(host)).flatMap(({ family, gateway, other }) => [
    { name: `IPv${family} out`, role: 'host', target: gateway },
    { name: `IPv${family} in`, role: 'gw', target: other },
  ]);
  return await startAll(planned, ({ target, role }) => host.echo(target, { role }));
}

async function startAll<P extends { name: string }, S>(
  plans: readonly P[],
  start: (plan: P) => Promise<S>,
): Promise<Named<S>> {
  return await Promise.all(plans.map(async (plan) => [plan.name, await start(plan)] as const));
}

/** Each transfer goes on from now; how long the last one took to. */
async function growth(transfers: Named<Transfer>, after: string): Promise<number> {
  const beganMs = performance.now();
  const grow = async ([name, transfer]: Named<Transfer>[number]): Promise<void> => {
    const before = await transfer.offset();
    await until(`bytes of ${name} arrive after ${after}`, RESUMED_WITHIN_MS, async () => {
      return (await transfer.offset()) > before;
    });
  };
  await Promise.all(transfers.map(grow));
  return performance.now() - beganMs;
}

async function survive(host: TestHost, t: TestContext): Promise<void> {
  const transfers = await startTransfers(host);
  const walk = new Walk(host, SURVIVE_SEED);
  let longestMs = await growth(transfers, 'the start');
  for (let step = 0; step < SURVIVE_STEPS; step++) {
    const done = await walk.step();
    longestMs = Math.max(longestMs, await growth(transfers, `step ${step}, ${done}`));
  }
  await walk.end();
  const finish = async ([name, transfer]: Named<Transfer>[number]): Promise<string> => {
    const { sent, received } = await transfer.finish();
    deepEqual(received, sent, name);
    return `${name} ${sent.bytes} bytes`;
  };
  const accounts = await Promise.all(transfers.map(finish));
  const walked = `seed ${SURVIVE_SEED}: ${JSON.stringify(walk.tally)}`;
  t.diagnostic(`${walked}; longest wait ${longestMs.toFixed(0)} ms; ${accounts.join(', ')}`);
}

async function loseNothing(host: TestHost, t: TestContext): Promise<void> {
  const echoes = await startEchoes(host);
  const walk = new Walk(host, 0);
  for (let round = 0; round < OFFLINES; round++) {
    for (const member of host.topology.members) {
      for (const action of ['offline', 'online'] as const) {
        const label = `${action} ${member}, round ${round}`;
        await Promise.all(echoes.map(([, echo]) => echo.mark(label)));
        await walk.act(action, member);
        await sleep(AFTER_ACTION_MS);
      }
    }
  }
  // Where packets were lost is asked while the sockets of the streams are there.
  const soFar = await Promise.all(echoes.map(([, echo]) => echo.peek()));
  const isLossy = soFar.some(({ lost, underWay }) => lost > underWay);
  const where = isLossy ? await host.losses() : '';
  const lossesOf = async ([name, echo]: Named<EchoStream>[number]): Promise<object[]> => {
    const { sent, refused, duplicates, windows, longestGapMs } = await echo.stop();
    const wrong = windows.filter(({ label, lost }) => label !== START && lost > 0);
    const lost = wrong.reduce((sum, window) => sum + window.lost, 0);
    t.diagnostic(`${name}: ${sent} sent, ${lost} lost, longest gap ${longestGapMs.toFixed(1)} ms`);
    return lost + duplicates === 0 ? [] : [{ name, refused, duplicates, wrong }];
  };
  const seen = (await Promise.all(echoes.map(lossesOf))).flat();
  deepEqual(seen, [], `${JSON.stringify(seen)}\n${where}`);
}
