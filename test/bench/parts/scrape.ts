/**
 * `npm run bench -- --kstats`: a thousand kstats in memory, then what a scrape costs while
 * frames are forwarded. Round by round, the same daemon with and without a client that
 * reads `/metrics` and all kstats ten times a second; the order changes with each round.
 */

import { request } from 'node:http';
import { setTimeout as sleep } from 'node:timers/promises';
import { socketOf } from '../../../src/lab/daemon-process.ts';
import { quantile, type Rounds, ratioOf, spreadOf } from '../figures.ts';
import { quietShare } from '../machine.ts';
import { type Cost, renderCosts } from '../report.ts';
import { candidates, IPMPD } from '../side-by-side/candidates.ts';
import type { Field } from '../side-by-side/field.ts';
import { ping, pingTimes } from '../side-by-side/transfers.ts';
import { measureKstats } from './kstats.ts';

const SCRAPE_MS = 100;
const PATHS = ['/metrics', '/v1/kstats'];
const PINGS = 2000;
const ROUNDS = 9;

const WITHOUT = 'without';
const WITH = 'with scrapes';
/** Of the p99 with scrapes to that without (ours). */
const GOAL = 1.1;

/** Runs both parts and prints them. @throws WrongTransfer, CommandError */
export async function benchKstats(
  fields: Pick<Field, 'workspace'>[],
  print: (text: string) => void,
): Promise<void> {
  print(renderCosts(['1,000 kstats', 'ms'], await measureKstats()));
  const candidate = candidates({}).find(({ name }) => name === IPMPD)!;
  const field = candidate.field();
  fields.push(field);
  await candidate.raise(field);
  const rounds = await measureScrapes(field);
  const costs: Cost[] = [...rounds].map(([name, values]) => ({ name, values }));
  print(renderCosts(['round trip p99', 'us'], costs));
  const ratio = ratioOf(rounds, WITH, WITHOUT);
  const { median = 0, least = 0, most = 0 } = ratio ?? spreadOf([0])!;
  const range = `[${least.toFixed(2)} .. ${most.toFixed(2)}]`;
  print(`with / without: ${median.toFixed(2)} ${range} (goal: at most ${GOAL})\n`);
}

async function measureScrapes(field: Field): Promise<Rounds> {
  const rounds = new Map<string, number[]>([
    [WITHOUT, []],
    [WITH, []],
  ]);
  for (let round = 0; round < ROUNDS; round++) {
    const order = round % 2 === 0 ? [WITHOUT, WITH] : [WITH, WITHOUT];
    for (const name of order) {
      await quietShare();
      rounds.get(name)?.push(await (name === WITH ? scraped(field) : p99(field)));
    }
  }
  return rounds;
}

/** The 99th percentile of round trips at 1 kHz, in microseconds. */
async function p99(field: Field): Promise<number> {
  return quantile(pingTimes(await ping(field, PINGS), PINGS), 0.99);
}

/** The same during scrapes. */
async function scraped(field: Field): Promise<number> {
  const over = new AbortController();
  const scraping = scrape(socketOf(field.workspace), over.signal);
  try {
    return await p99(field);
  } finally {
    over.abort();
    await scraping;
  }
}

async function scrape(socketPath: string, over: AbortSignal): Promise<void> {
  while (!over.aborted) {
    for (const path of PATHS) await get(socketPath, path);
    await sleep(SCRAPE_MS);
  }
}

/** Reads a reply to its end and forgets it. */
function get(socketPath: string, path: string): Promise<void> {
  return new Promise((resolve, reject) => {
    const asking = request({ socketPath, path }, (response) => {
      response.on('error', reject).on('end', resolve).resume();
    });
    asking.on('error', reject).end();
  });
}
