/**
 * What a large host must not do: keep the main thread for long, or compare everything with
 * everything. Counts of turns, of calls and of requests, never times.
 */

import { deepEqual, equal, match, ok } from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { test } from 'node:test';
import { OperatorError } from '../../../src/base/errors.ts';
import { WaitLock } from '../../../src/base/lock.ts';
import { Scheduler, sleepFor } from '../../../src/base/operation.ts';
import { jsonWrite } from '../../../src/base/text/json.ts';
import { nextTurn, type Steps } from '../../../src/base/turns.ts';
import { difference } from '../../../src/change/difference.ts';
import { documentRead, documentSteps } from '../../../src/config/document.ts';
import { configFromSources, effectiveConfig, effectiveSteps } from '../../../src/config/load.ts';
import { Pump, type PumpOutlets } from '../../../src/daemon/pump.ts';
import type { Injection } from '../../../src/datapath/pool.ts';
import type { NetlinkClient } from '../../../src/host/kernel/netlink.ts';
import type { Request } from '../../../src/host/kernel/netlink-message.ts';
import { SilenceTable } from '../../../src/host/silence/nftables.ts';
import { hostClock } from '../../../src/process/clock.ts';
import { collectKstats, KstatChain, type KstatReading } from '../../../src/stats/kstat.ts';
import type { System } from '../../../src/system.ts';
import { neighborRow } from '../../tools/rows.ts';
import { turnsOf } from '../base/turns-of.ts';
import { ask, controlHarness } from '../ctl/api/harness.ts';
import { Bench } from '../system/bench.ts';

const NEIGHBOR = neighborRow('10.0.0.1', { lladdr: '02:00:00:00:00:01', state: 'STALE' });

test('a list of thousands is written in turns, as it would be at once', async () => {
  await using daemon = await controlHarness();
  const texts = Array.from({ length: 5000 }, (_, at) => `number ${at}`);
  const rows = texts.map((cause_text) => ({ ...NEIGHBOR, cause_text }));
  daemon.backend.neighbors = async () => rows;
  const turns = await turnsOf(async () => {
    const reply = await ask(daemon, '/v1/neighbors');
    equal(reply.text, jsonWrite(rows));
    match(reply.type, /^application\/json/);
  });
  ok(turns >= 5000 / 50, `${turns} turns`);
});

test('of a long chain of kstats some are read at a time, and a hung driver delays few', () => {
  const scheduler = new Scheduler();
  const chain = new KstatChain();
  const begunAtMs: number[] = [];
  for (let at = 0; at < 100; at++) {
    const identity = { module: 'link', instance: 0, name: `net${at}`, class: 'net' };
    const reading: KstatReading = { data: {}, snaptimeMs: at, stale: false };
    chain.install({
      ...identity,
      crtimeMs: 0,
      owner: new WaitLock('kstat', identity.name),
      *read() {
        begunAtMs.push(scheduler.nowMs);
        if (at === 50) throw new OperatorError('EIO', 'it cannot be read');
        yield* sleepFor(at === 70 ? 1000 : 7);
        return reading;
      },
      retire: () => undefined,
    });
  }
  const task = scheduler.spawn('collect', () => collectKstats(chain));
  scheduler.run();
  while (task.state === 'running') scheduler.handleTime(scheduler.pollAt());
  deepEqual(
    [0, 7, 14, 21, 41].map((atMs) => begunAtMs.filter((begun) => begun === atMs).length),
    [20, 20, 20, 20, 20],
  );
  deepEqual(
    task.value.map(({ name }) => name),
    Array.from({ length: 100 }, (_, at) => `net${at}`).filter((name) => name !== 'net50'),
  );
});

/** The configuration that has these groups. */
function configOf(groups: object) {
  const result = configFromSources([{ file: 'x.yaml', text: JSON.stringify({ groups }) }]);
  if ('errors' in result) throw new Error(JSON.stringify(result.errors[0]));
  return result.config;
}

/** How often JSON.stringify, by which parts are compared, is called meanwhile. */
function textsOf(work: () => void): number {
  const { stringify } = JSON;
  let count = 0;
  JSON.stringify = ((...args: Parameters<typeof stringify>) => {
    count++;
    return stringify(...args);
  }) as typeof stringify;
  try {
    work();
  } finally {
    JSON.stringify = stringify;
  }
  return count;
}

test('the difference of two configurations looks at each part once, not at all pairs', () => {
  const config = (size: number, first: number) => {
    const numbers = Array.from({ length: size }, (_, at) => first + at);
    const addresses = numbers.map((at) => `10.0.${at >> 8}.${at & 255}/16`);
    const neighbors = numbers.map((at) => ({
      dst: `10.1.${at >> 8}.${at & 255}`,
      lladdr: '02:00:00:00:00:01',
    }));
    return configOf({ ipmp0: { addresses, 'static-neighbors': neighbors } });
  };
  const [small, large] = [100, 800].map((size) => {
    const [before, after] = [config(size, 1), config(size, 1 + size / 2)];
    let changes = 0;
    const texts = textsOf(() => {
      changes = difference(before, after).length;
    });
    equal(changes, 2 * size);
    return texts;
  });
  ok(large! <= 8 * small!, `${small} texts for 100, ${large} for 800`);
});

test('equal configurations are compared without a look at their parts', () => {
  const addresses = Array.from({ length: 800 }, (_, at) => `10.${at >> 8}.${at & 255}.1/8`);
  const [before, after] = [configOf({ ipmp0: { addresses } }), configOf({ ipmp0: { addresses } })];
  const texts = textsOf(() => deepEqual(difference(before, after), []));
  ok(texts < 20, `${texts} texts`);
});

/** Does work that may be interrupted: how often it could be, and its result. */
function stepsOf<T>(work: Steps<T>): { steps: number; value: T } {
  for (let steps = 0; ; steps++) {
    const { done, value } = work.next();
    if (done === true) return { steps, value };
  }
}

test('a large configuration is checked in steps, group by group', () => {
  const numbers = Array.from({ length: 50 }, (_, group) => group);
  const groups = numbers.map((at) => [`ipmp${at}`, { addresses: [`10.0.0.${at + 1}/8`] }]);
  const text = JSON.stringify({ groups: Object.fromEntries(groups) });
  const document = documentRead('x.yaml', text);
  if ('errors' in document) throw new Error(JSON.stringify(document.errors[0]));
  const files = [{ file: 'x.yaml', text, document }];
  const layers = { files, commands: null, arguments: null };
  const { steps, value } = stepsOf(effectiveSteps(layers));
  deepEqual(value, effectiveConfig(layers));
  ok('config' in value && value.config.groups.length === 50);
  ok(steps >= 100, `${steps} steps`);
});

test('one more silenced device costs its own rules, however many there are', async () => {
  const sent: number[] = [];
  const client = {
    batch: async (_what: string, requests: readonly Request[]) => {
      sent.push(requests.length);
      return [];
    },
  } as unknown as NetlinkClient;
  const table = new SilenceTable(client, () => undefined);
  for (let nic = 0; nic < 5; nic++) await table.add(`eth${nic}`, 'nic');
  await table.add('eth3', 'nic');
  await table.add('br0', 'bridge');
  // Beginning and end of a batch; both tables, made anew, and the chain of NICs; of a NIC a rule
  // there and a chain of its own with one, of a bridge only that.
  deepEqual(sent, [2 + 6 + 1 + 3, 5, 5, 5, 5, 4]);
});

const OUTLETS: PumpOutlets = {
  transmit: () => 'taken',
  request: () => undefined,
  event: () => undefined,
  fail: (error) => {
    throw error;
  },
};

test('many events are passed on in several turns, in order, all before the stop ends', async () => {
  const bench = new Bench();
  bench.build(2);
  const told: string[] = [];
  let turns = 0;
  const pump = new Pump(bench.system, hostClock, {
    ...OUTLETS,
    event: ({ event, to }) => {
      if (event === 'address-added') told.push(String(to));
    },
  });
  const list = Array.from({ length: 100 }, (_, at) => `192.0.2.${at + 1}`);
  pump.input(() => bench.addresses(...list));
  pump.afterEvents(() => told.push('the news of them'));
  const wanted = [...list.map((address) => `${address}/24`), 'the news of them'];
  ok(told.length < 50, 'each address has two events');
  for (; told.length < 75; turns++) await nextTurn();
  ok(turns >= 2);
  pump.stop();
  deepEqual(told, wanted);
  pump.afterEvents(() => told.push('at once'));
  equal(told.at(-1), 'at once');
});

/** A pump over a system that has frames for the ports 0, 1, 2 ... to send. */
function pumpOf(frames: number, transmit: (port: number) => Injection): Pump {
  const left = Array.from({ length: frames }, (_, port) => ({ port, frame: new Uint8Array(60) }));
  const system = {
    scheduler: {},
    handleTime: () => undefined,
    pollTransmit: () => left.shift(),
    pollHostRequest: () => undefined,
    pollEvent: () => undefined,
    pollAt: () => Number.POSITIVE_INFINITY,
  } as unknown as System;
  return new Pump(system, hostClock, { ...OUTLETS, transmit });
}

test('frames that find no room on their way to a worker wait, and keep their order', async () => {
  const [frames, perTurn] = [100, 16];
  let room = perTurn;
  const tried: number[] = [];
  const taken: number[] = [];
  const pump = pumpOf(frames, (port) => {
    tried.push(port);
    if (room === 0) return 'full';
    room--;
    taken.push(port);
    return 'taken';
  });
  pump.input(() => undefined);
  const wanted = Array.from({ length: frames }, (_, port) => port);
  deepEqual(tried, wanted.slice(0, perTurn + 1), 'those behind it are not tried');
  for (; taken.length < frames; room = perTurn) await nextTurn();
  deepEqual(taken, wanted);
  equal(pump.lostFrames, 0n);
  pump.stop();
});

test('a frame that a worker refuses is lost and counted; the others are sent', () => {
  const taken: number[] = [];
  const pump = pumpOf(3, (port) => {
    if (port === 1) return 'refused';
    taken.push(port);
    return 'taken';
  });
  pump.input(() => undefined);
  deepEqual(taken, [0, 2]);
  equal(pump.lostFrames, 1n);
  pump.stop();
});

test('a large file is read in steps', () => {
  const addresses = Array.from({ length: 1000 }, (_, at) => `192.0.2.${at}`);
  const text = JSON.stringify({ groups: { ipmp0: { addresses } } });
  const { steps, value } = stepsOf(documentSteps('x.yaml', text));
  deepEqual(value, documentRead('x.yaml', text));
  ok(steps >= 5, `${steps} steps`);
});

/** A log that waits for its reader would wait for ever. */
const LOG_PATIENCE_MS = 20_000;
const LOG = import.meta.resolve('../../../src/process/log.js');

test('a log without a reader blocks no writer, and loses nothing that has room', async (t) => {
  const script = `
    const { createLog } = await import(${JSON.stringify(LOG)});
    const log = await createLog('info');
    for (let line = 0; line < 5000; line++) log.info({ line }, 'x'.repeat(100));
    process.stderr.write('done');
  `;
  const child = spawn(process.execPath, ['--input-type=module', '-e', script], {
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  t.after(() => child.kill('SIGKILL'));
  const patience = setTimeout(() => child.kill('SIGKILL'), LOG_PATIENCE_MS);
  const [word] = await Promise.race([once(child.stderr, 'data'), once(child, 'exit')]);
  clearTimeout(patience);
  equal(String(word), 'done');
  let text = '';
  child.stdout.setEncoding('utf8').on('data', (chunk: string) => {
    text += chunk;
  });
  await once(child, 'close');
  const lines = text.trimEnd().split('\n');
  deepEqual(
    lines.map((line) => JSON.parse(line).line),
    Array.from({ length: 5000 }, (_, line) => line),
  );
});
