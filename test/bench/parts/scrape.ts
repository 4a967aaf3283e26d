/**
 * `npm run bench -- --kstats`: a thousand kstats in memory, then what a scrape costs while
 * frames are forwarded. Round by round, the same daemon with and without a client that
 * reads `/metrics` and all kstats ten times a second; the order changes with each round.
 */

import { setTimeout as sleep } from 'node:timers/promises';
import { getText } from '../../../src/lab/api.ts';
import { socketOf } from '../../../src/lab/daemon-process.ts';
import { addTo, quantile, type Rounds, ratioOf } from '../figures.ts';
import { quietShare } from '../machine.ts';
import { renderCosts } from '../report.ts';
import { raiseOne } from '../side-by-side/candidates.ts';
import type { Closable, Field, Print } from '../side-by-side/field.ts';
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
export async function benchKstats(open: Closable[], print: Print): Promise<void> {
  print(renderCosts(['1,000 kstats', 'ms'], await measureKstats()));
  const { field } = await raiseOne(open);
  const rounds = await measureScrapes(field);
  print(renderCosts(['round trip p99', 'us'], rounds));
  const { median = 0, least = 0, most = 0 } = ratioOf(rounds, WITH, WITHOUT) ?? {};
  const range = `[${least.toFixed(2)} .. ${most.toFixed(2)}]`;
  print(`with / without: ${median.toFixed(2)} ${range} (goal: at most ${GOAL})\n`);
}

async function measureScrapes(field: Field): Promise<Rounds> {
  const rounds = new Map<string, number[]>();
  for (let round = 0; round < ROUNDS; round++) {
    for (const name of round % 2 === 0 ? [WITHOUT, WITH] : [WITH, WITHOUT]) {
      await quietShare();
      addTo(rounds, name, await (name === WITH ? scraped(field) : p99(field)));
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
    for (const path of PATHS) await getText(socketPath, path);
    await sleep(SCRAPE_MS);
  }
}
