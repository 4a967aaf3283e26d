/**
 * `npm run bench`: ipmpd against the kernel's own path, the smallest relay in C and Open vSwitch;
 * before that, the forwarder alone in memory, and what the rules of locks and lifetimes cost; then
 * how long a daemon takes to its first packet, and last the candidates in turn (run.ts). Every
 * transfer is checked.
 *
 * Exit status: 0 measured; 1 a candidate failed or a transfer was wrong; 2 usage; 130 interrupted.
 */

import { writeFileSync } from 'node:fs';
import { findGround } from '../../src/lab/ground.ts';
import { removeLeftovers } from '../../src/lab/owner.ts';
import type { Rounds } from './figures.ts';
import { missingPrograms } from './machine.ts';
import { type Options, options, type Special, USAGE } from './options.ts';
import { measureForwarder } from './parts/forwarder.ts';
import { measureLocks } from './parts/locks.ts';
import { benchKstats } from './parts/scrape.ts';
import { benchShapes } from './parts/shapes.ts';
import { firstPacketMs, measureStarts, startCosts } from './parts/start.ts';
import { render, renderCosts, say, toJson } from './report.ts';
import { benchFailover, benchScale } from './scale/scale.ts';
import { IPMPD_TWO } from './side-by-side/candidates.ts';
import type { Closable, Print } from './side-by-side/field.ts';
import { benchPriority } from './side-by-side/priority.ts';
import { Run } from './side-by-side/run.ts';
import { FIRST_PACKET } from './side-by-side/workloads.ts';

const INTERRUPTED = 130;

/** What is measured instead of everything else. */
const SPECIALS: Readonly<Record<Special, (open: Closable[], print: Print) => Promise<void>>> = {
  kstats: benchKstats,
  scale: benchScale,
  failover: benchFailover,
  priority: benchPriority,
  shapes: (_open, print) => benchShapes(print),
};

/** Why devices cannot be measured here; undefined if they can. */
async function whyNot(): Promise<string | undefined> {
  const ground = await findGround();
  if (ground.kind !== 'root' || ground.wiring !== 'macvtap') {
    return 'the rest needs root, and a kernel that lets it make namespaces, TAPs and macvtaps';
  }
  const missing = missingPrograms();
  return missing.length === 0 ? undefined : `the rest needs ${missing.join(', ')}`;
}

/** All measurements that need devices. @throws WrongTransfer, CommandError */
async function benchDevices(
  asked: Options,
  open: Closable[],
  stop: AbortSignal,
  inMemory: Readonly<Record<string, Rounds>>,
): Promise<void> {
  const run = new Run(asked, open);
  const starts = await measureStarts(open, asked.starts);
  for (const one of starts) run.record(FIRST_PACKET, IPMPD_TWO, firstPacketMs(one));
  const start = startCosts(starts);
  process.stdout.write(renderCosts([`start of ${IPMPD_TWO}`, 'ms since exec'], start));
  if (asked.workloads.length + asked.rare.length > 0) {
    await run.raise(stop);
    await run.measure();
  }
  const results = run.results();
  writeFileSync(
    asked.json,
    `${JSON.stringify(toJson(results, { ...inMemory, start }), null, 2)}\n`,
  );
  process.stdout.write(`${render(results)}the figures: ${asked.json}\n`);
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
  const costs = {
    forwarder: asked.isPart ? new Map() : measureForwarder(),
    locks: asked.isPart ? new Map() : measureLocks(),
  };
  process.stdout.write(renderCosts(['forwarder in memory', 'ns/frame'], costs.forwarder));
  process.stdout.write(renderCosts(['locks and lifetimes', 'ns each'], costs.locks));
  const refusal = asked.special === 'shapes' ? undefined : await whyNot();
  if (refusal !== undefined) {
    say(`bench: ${refusal}`);
    return 1;
  }
  const open: Closable[] = [];
  const stop = new AbortController();
  const close = async (): Promise<void> => {
    await Promise.all(open.map(({ workspace }) => workspace.close()));
  };
  for (const name of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) {
    process.on(name, () => {
      stop.abort();
      void close().then(() => process.exit(INTERRUPTED));
    });
  }
  try {
    for (const name of await removeLeftovers()) say(`removed what a killed run has left: ${name}`);
    if (asked.special === undefined) {
      await benchDevices(asked, open, stop.signal, costs);
    } else {
      await SPECIALS[asked.special](open, (text) => process.stdout.write(text));
    }
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
