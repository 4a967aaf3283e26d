/** Changes of the configuration over an applier of the test: order, refusals, the way back. */

import { deepEqual, equal, ok, rejects } from 'node:assert/strict';
import { mkdtempSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import { pino } from 'pino';
import { OperatorError } from '../../../src/base/errors.ts';
import { changeSentence, StillWanted } from '../../../src/change/changes.ts';
import { type ConfigurationNews, Reconfiguration } from '../../../src/change/reconfiguration.ts';
import type { ConfigEdit } from '../../../src/config/layers.ts';
import { ConfigStore } from '../../../src/config/store.ts';
import type { ReloadRow } from '../../../src/model/rows.ts';

const MAIN = `interfaces: { net0: {}, net1: {} }
groups:
  ipmp0: { interfaces: [net0], addresses: [192.0.2.10/24] }
`;

const WITH_NET1 = { path: ['groups', 'ipmp0', 'interfaces'], value: ['net0', 'net1'] };
const WITH_11 = {
  path: ['groups', 'ipmp0', 'addresses'],
  value: ['192.0.2.10/24', '192.0.2.11/24'],
};

/** A reconfiguration over a file; changes are recorded, and refused as a test sets it. */
class Harness {
  readonly folder: string;
  readonly file: string;
  readonly done: string[] = [];
  readonly news: ConfigurationNews[] = [];
  /** Sentences of changes that are refused. */
  readonly refused = new Set<string>();
  /** Sentences of changes that are in force, though their object is not there yet. */
  readonly held = new Set<string>();
  /** Resolved before a change is made; none: at once. */
  gate: Promise<void> | undefined;
  isStopping = false;
  /** Devices that are not attached, and why. */
  readonly waiting = new Map<string, OperatorError>();
  readonly reconfiguration: Reconfiguration;
  readonly store: ConfigStore;

  static async open(): Promise<Harness> {
    const folder = mkdtempSync(join(tmpdir(), 'ipmpd-reconfiguration-'));
    const file = join(folder, 'ipmpd.yaml');
    writeFileSync(file, MAIN);
    const store = await ConfigStore.open(file, null);
    ok(store instanceof ConfigStore);
    return new Harness(folder, file, store);
  }

  private constructor(folder: string, file: string, store: ConfigStore) {
    this.folder = folder;
    this.file = file;
    this.store = store;
    this.reconfiguration = new Reconfiguration({
      store,
      applier: {
        apply: async (change) => {
          await this.gate;
          const sentence = changeSentence(change);
          if (this.refused.has(sentence)) throw new OperatorError('ENOBUFS', 'no');
          this.done.push(sentence);
          if (this.held.has(sentence)) throw new StillWanted('EEXIST', 'held');
        },
      },
      log: pino({ level: 'silent' }),
      tell: (news) => this.news.push(news),
      isStopping: () => this.isStopping,
      refusalOf: (name) => this.waiting.get(name),
      restore: async () => [],
    });
  }

  write(text: string): void {
    writeFileSync(this.file, text);
  }

  change(label: string, save: boolean, ...edits: readonly ConfigEdit[]): Promise<void> {
    return this.reconfiguration.change(label, save, () => ({ edits }));
  }

  /** A reload reports this, and nothing else. */
  async reloads(expected: Partial<ReloadRow>): Promise<void> {
    const nothing = { changes: [], problems: [], warnings: [] };
    deepEqual(await this.reconfiguration.reload(), { ...nothing, ...expected });
  }

  /** Members that the saved configuration has. */
  async saved(): Promise<readonly string[] | undefined> {
    const store = await ConfigStore.open(this.file, null);
    ok(store instanceof ConfigStore);
    return store.config.groups[0]?.interfaces;
  }

  /** What was done since the last time. */
  taken(): string[] {
    return this.done.splice(0);
  }

  [Symbol.dispose](): void {
    rmSync(this.folder, { recursive: true });
  }
}

async function started(): Promise<Harness> {
  const harness = await Harness.open();
  await harness.reconfiguration.start();
  deepEqual(harness.taken(), [
    'add interface net0',
    'add interface net1',
    'add group ipmp0',
    'add net0 to ipmp0',
    'open net0',
    'open net1',
    'open ipmp0',
  ]);
  return harness;
}

test('a start applies what it can; the next reload tries the rest again', async () => {
  using harness = await Harness.open();
  harness.refused.add('add net0 to ipmp0');
  await harness.reconfiguration.start();
  deepEqual(harness.taken(), [
    'add interface net0',
    'add interface net1',
    'add group ipmp0',
    'open net0',
    'open net1',
    'open ipmp0',
  ]);
  const problem = 'add net0 to ipmp0: no (ENOBUFS)';
  deepEqual(harness.reconfiguration.problems, [problem]);
  await harness.reloads({ problems: [problem] });
  harness.refused.clear();
  await harness.reloads({ changes: ['add net0 to ipmp0'] });
  deepEqual(harness.reconfiguration.problems, []);
});

test('an absent device is a problem of the reload that adds it, later a warning', async () => {
  using harness = await started();
  harness.waiting.set('net2', new OperatorError('ENODEV', 'there is no device eth9'));
  harness.write(MAIN.replace('net1: {}', 'net1: {}, net2: { uplink: eth9 }'));
  await harness.reloads({
    changes: ['add interface net2', 'open net2'],
    problems: ['net2: there is no device eth9; waiting for it'],
  });
  await harness.reloads({ warnings: ['net2: there is no device eth9; waiting for it'] });
});

test('a stop ends a start between two changes', async () => {
  using harness = await Harness.open();
  harness.isStopping = true;
  await harness.reconfiguration.start();
  deepEqual(harness.taken(), []);
});

test('a command applies the difference of its edits, and causes an event', async () => {
  using harness = await started();
  await harness.change('add net1', false, WITH_NET1);
  deepEqual(harness.taken(), ['add net1 to ipmp0']);
  deepEqual(harness.reconfiguration.config.groups[0]?.interfaces, ['net0', 'net1']);
  deepEqual(harness.news, [
    { event: 'configuration-changed', cause: 'configured', detail: 'add net1' },
  ]);
});

test('a refused command is undone: no event, and nothing is kept or saved', async () => {
  using harness = await started();
  harness.refused.add('add address 192.0.2.11/24 to ipmp0');
  await rejects(harness.change('both', true, WITH_NET1, WITH_11), { code: 'ENOBUFS' });
  deepEqual(harness.taken(), ['add net1 to ipmp0', 'take net1 out of ipmp0']);
  deepEqual(harness.reconfiguration.config.groups[0]?.interfaces, ['net0']);
  deepEqual(harness.store.config.groups[0]?.interfaces, ['net0']);
  deepEqual(harness.news, []);
  deepEqual(await harness.saved(), ['net0']);
});

test('an invalid edit is not applied', async () => {
  using harness = await started();
  const edit = { path: ['groups', 'ipmp0', 'mtu'], value: 3 };
  await rejects(harness.change('x', false, edit), { code: 'EINVAL' });
  deepEqual(harness.taken(), []);
});

test('commands are carried out one after another, each on what the one before left', async () => {
  using harness = await started();
  let open = (): void => undefined;
  harness.gate = new Promise((resolve) => {
    open = resolve;
  });
  const seen: string[][] = [];
  const first = harness.reconfiguration.change('first', false, (config) => {
    seen.push([...(config.groups[0]?.interfaces ?? [])]);
    return { edits: [WITH_NET1] };
  });
  const second = harness.reconfiguration.change('second', false, (config) => {
    seen.push([...(config.groups[0]?.interfaces ?? [])]);
    return { edits: [] };
  });
  await new Promise((resolve) => setImmediate(resolve));
  deepEqual(seen, [['net0']], 'the second waits');
  open();
  await Promise.all([first, second]);
  deepEqual(seen, [['net0'], ['net0', 'net1']]);
});

test('a reload applies what differs, and reports what could not be applied', async () => {
  using harness = await started();
  harness.refused.add('add address 192.0.2.11/24 to ipmp0');
  harness.write(MAIN.replace('[192.0.2.10/24]', '[192.0.2.10/24, 192.0.2.11/24], failback: false'));
  await harness.reloads({
    changes: ['change ipmp0: failback'],
    problems: ['add address 192.0.2.11/24 to ipmp0: no (ENOBUFS)'],
  });
  harness.refused.clear();
  await harness.reloads({ changes: ['add address 192.0.2.11/24 to ipmp0'] });
  await harness.reloads({});
});

test('a broken file changes nothing, and a command afterwards works', async () => {
  using harness = await started();
  harness.write('groups: [');
  await rejects(harness.reconfiguration.reload(), { code: 'EINVAL' });
  deepEqual(harness.taken(), []);
  equal(harness.news.at(-1)?.event, 'configuration-refused');
  await harness.change('add net1', false, WITH_NET1);
  deepEqual(harness.taken(), ['add net1 to ipmp0']);
});

test('a reload keeps what commands have changed', async () => {
  using harness = await started();
  await harness.change('add net1', false, WITH_NET1);
  harness.taken();
  harness.write(MAIN.replace('net1: {}', 'net1: {}, net2: {}'));
  await harness.reconfiguration.reload();
  deepEqual(harness.taken(), ['add interface net2', 'open net2']);
});

test('a change that needs a restart is a problem of every reload until then', async () => {
  using harness = await started();
  harness.write(`${MAIN}datapath: { workers: 3 }\n`);
  const problems = ['datapath.workers takes effect at the next start'];
  await harness.reloads({ problems });
  await harness.reloads({ problems });
});

test('a refused change prevents those that need it, and no other', async () => {
  using harness = await started();
  harness.refused.add('add interface net2');
  const members = MAIN.replace('net1: {}', 'net1: {}, net2: {}').replace('[net0]', '[net0, net2]');
  harness.write(members.replace('192.0.2.10/24]', '192.0.2.10/24], failback: false'));
  await harness.reloads({
    changes: ['change ipmp0: failback'],
    problems: [
      'add interface net2: no (ENOBUFS)',
      'add net2 to ipmp0: there is no net2',
      'open net2: there is no net2',
    ],
  });
});

test('a problem of a reload does not prevent commands on other objects', async () => {
  using harness = await started();
  harness.refused.add('add address 192.0.2.11/24 to ipmp0');
  harness.write(MAIN.replace('[192.0.2.10/24]', '[192.0.2.10/24, 192.0.2.11/24]'));
  await harness.reconfiguration.reload();
  harness.taken();
  await harness.change('add net1', false, WITH_NET1);
  deepEqual(harness.taken(), ['add net1 to ipmp0']);
  // The repeated edit is wanted already, but not in force.
  const again = harness.change('again', false, WITH_11);
  await rejects(again, { code: 'ENOBUFS' });
  harness.refused.clear();
  await harness.change('again', false, WITH_11);
  deepEqual(harness.taken(), ['add address 192.0.2.11/24 to ipmp0']);
});

test('a command without a difference changes nothing, but can be saved', async () => {
  using harness = await started();
  const same = { path: ['groups', 'ipmp0', 'interfaces'], value: ['net0'] };
  await harness.change('same', false, same);
  deepEqual([harness.taken(), harness.news], [[], []]);
  await harness.change('same', true, same);
  harness.write(MAIN.replace('[net0]', '[]'));
  deepEqual(await harness.saved(), ['net0']);
});

test('requests during shutdown are refused', async () => {
  using harness = await started();
  harness.isStopping = true;
  await rejects(harness.change('x', false, WITH_NET1), { code: 'EAGAIN' });
  await harness.reconfiguration.idle();
});

test('a change that stays wanted is a problem, and is removed with its configuration', async () => {
  using harness = await started();
  const sentence = 'add route default via 192.0.2.1 to ipmp0';
  harness.held.add(sentence);
  harness.write(MAIN.replace('10/24]', '10/24], routes: [{ to: default, via: 192.0.2.1 }]'));
  const { problems } = await harness.reconfiguration.reload();
  deepEqual([harness.taken(), problems], [[sentence], [`${sentence}: held (EEXIST)`]]);
  harness.write(MAIN);
  await harness.reconfiguration.reload();
  deepEqual(harness.taken(), ['remove route default via 192.0.2.1 from ipmp0']);
});

test('saved commands and a reload follow one another, their waits for files included', async () => {
  using harness = await started();
  const seen: unknown[] = [];
  const { reconfiguration } = harness;
  const add = (): Promise<void> =>
    reconfiguration.change('add net1', true, () => ({ edits: [WITH_NET1] }));
  const address = reconfiguration.change('address', true, ({ groups }) => {
    seen.push(groups[0]?.interfaces);
    return { edits: [WITH_11] };
  });
  const after = [add(), reconfiguration.reload(), add()];
  await Promise.all([address, ...after]);
  deepEqual(harness.taken(), ['add address 192.0.2.11/24 to ipmp0', 'add net1 to ipmp0']);
  const { interfaces, addresses } = harness.store.config.groups[0] ?? {};
  const again = await ConfigStore.open(harness.file, null);
  ok(again instanceof ConfigStore);
  deepEqual(again.config.groups[0], harness.store.config.groups[0]);
  deepEqual([seen, interfaces], [[['net0']], ['net0', 'net1']]);
  deepEqual(addresses, ['192.0.2.10/24', '192.0.2.11/24']);
  deepEqual(readdirSync(join(harness.folder, 'ipmpd.d')), ['50-ipmpadm.yaml']);
});

test('a stop that begins while the saved file is read refuses the change', async () => {
  using harness = await started();
  const change = harness.reconfiguration.change('add net1', true, () => {
    harness.isStopping = true;
    return { edits: [WITH_NET1] };
  });
  await rejects(change, { code: 'EAGAIN' });
  deepEqual([harness.taken(), harness.news], [[], []]);
  deepEqual(readdirSync(harness.folder), ['ipmpd.yaml']);
});
