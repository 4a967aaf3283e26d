/** Changes of the configuration on a daemon that a test plays: order, refusals, the way back. */

import { deepEqual, equal, ok, rejects } from 'node:assert/strict';
import { mkdtempSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import { pino } from 'pino';
import { OperatorError } from '../../../src/base/errors.ts';
import { changeSentence, StillWanted } from '../../../src/change/changes.ts';
import { type ConfigurationNews, Reconfiguration } from '../../../src/change/reconfiguration.ts';
import { ConfigStore } from '../../../src/config/store.ts';

const MAIN = `interfaces: { net0: {}, net1: {} }
groups:
  ipmp0: { interfaces: [net0], addresses: [192.0.2.10/24] }
`;

const WITH_NET1 = { path: ['groups', 'ipmp0', 'interfaces'], value: ['net0', 'net1'] };
const WITH_11 = {
  path: ['groups', 'ipmp0', 'addresses'],
  value: ['192.0.2.10/24', '192.0.2.11/24'],
};

/** A reconfiguration over a file; changes are written down, and refused where a test says. */
class Harness {
  readonly folder: string;
  readonly file: string;
  readonly done: string[] = [];
  readonly news: ConfigurationNews[] = [];
  /** Sentences of changes that are refused. */
  readonly refused = new Set<string>();
  /** Sentences of changes that are in force, though what they are about is not there yet. */
  readonly held = new Set<string>();
  /** Resolved before a change is made; none: at once. */
  gate: Promise<void> | undefined;
  isStopping = false;
  /** Devices that are not attached, and why. */
  readonly waiting = new Map<string, OperatorError>();
  readonly reconfiguration: Reconfiguration;
  /** What a reload puts back. */
  restored: string[] = [];
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
      restore: async () => this.restored,
    });
  }

  write(text: string): void {
    writeFileSync(this.file, text);
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

test('a start does what it can, shows the rest, and the next reload tries it again', async () => {
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
  deepEqual(await harness.reconfiguration.reload(), {
    changes: [],
    problems: [problem],
    warnings: [],
  });
  harness.refused.clear();
  const row = { changes: ['add net0 to ipmp0'], problems: [], warnings: [] };
  deepEqual(await harness.reconfiguration.reload(), row);
  deepEqual(harness.reconfiguration.problems, []);
});

test('a device that is not there is a problem of the reload that asks for it', async () => {
  using harness = await started();
  harness.waiting.set('net2', new OperatorError('ENODEV', 'there is no device eth9'));
  harness.write(MAIN.replace('net1: {}', 'net1: {}, net2: { uplink: eth9 }'));
  deepEqual(await harness.reconfiguration.reload(), {
    changes: ['add interface net2', 'open net2'],
    problems: ['net2: there is no device eth9; waiting for it'],
    warnings: [],
  });
  deepEqual(await harness.reconfiguration.reload(), {
    changes: [],
    problems: [],
    warnings: ['net2: there is no device eth9; waiting for it'],
  });
});

test('a stop ends a start between two changes', async () => {
  using harness = await Harness.open();
  harness.isStopping = true;
  await harness.reconfiguration.start();
  deepEqual(harness.taken(), []);
});

test('a command makes the difference of its edits, and tells of it', async () => {
  using harness = await started();
  await harness.reconfiguration.change('add net1', false, () => ({ edits: [WITH_NET1] }));
  deepEqual(harness.taken(), ['add net1 to ipmp0']);
  deepEqual(harness.reconfiguration.config.groups[0]?.interfaces, ['net0', 'net1']);
  deepEqual(harness.news, [
    { event: 'configuration-changed', cause: 'configured', detail: 'add net1' },
  ]);
});

test('a refused command is undone, and nothing is told, remembered or saved', async () => {
  using harness = await started();
  harness.refused.add('add address 192.0.2.11/24 to ipmp0');
  const both = harness.reconfiguration.change('both', true, () => ({
    edits: [WITH_NET1, WITH_11],
  }));
  await rejects(both, { code: 'ENOBUFS' });
  deepEqual(harness.taken(), ['add net1 to ipmp0', 'take net1 out of ipmp0']);
  deepEqual(harness.reconfiguration.config.groups[0]?.interfaces, ['net0']);
  deepEqual(harness.store.config.groups[0]?.interfaces, ['net0']);
  deepEqual(harness.news, []);
  const after = await ConfigStore.open(harness.file, null);
  ok(after instanceof ConfigStore);
  deepEqual(after.config.groups[0]?.interfaces, ['net0']);
});

test('a wrong edit reaches nobody', async () => {
  using harness = await started();
  const edit = { path: ['groups', 'ipmp0', 'mtu'], value: 3 };
  await rejects(
    harness.reconfiguration.change('x', false, () => ({ edits: [edit] })),
    { code: 'EINVAL' },
  );
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
  deepEqual(await harness.reconfiguration.reload(), {
    changes: ['change ipmp0: failback'],
    problems: ['add address 192.0.2.11/24 to ipmp0: no (ENOBUFS)'],
    warnings: [],
  });
  harness.refused.clear();
  const again = await harness.reconfiguration.reload();
  deepEqual(again, { changes: ['add address 192.0.2.11/24 to ipmp0'], problems: [], warnings: [] });
  deepEqual(await harness.reconfiguration.reload(), { changes: [], problems: [], warnings: [] });
});

test('a broken file changes nothing, and a command afterwards works', async () => {
  using harness = await started();
  harness.write('groups: [');
  await rejects(harness.reconfiguration.reload(), { code: 'EINVAL' });
  deepEqual(harness.taken(), []);
  equal(harness.news.at(-1)?.event, 'configuration-refused');
  await harness.reconfiguration.change('add net1', false, () => ({ edits: [WITH_NET1] }));
  deepEqual(harness.taken(), ['add net1 to ipmp0']);
});

test('what commands have changed outlives a reload', async () => {
  using harness = await started();
  await harness.reconfiguration.change('add net1', false, () => ({ edits: [WITH_NET1] }));
  harness.taken();
  harness.write(MAIN.replace('net1: {}', 'net1: {}, net2: {}'));
  await harness.reconfiguration.reload();
  deepEqual(harness.taken(), ['add interface net2', 'open net2']);
});

test('what needs a restart is said at every reload until then', async () => {
  using harness = await started();
  harness.write(`${MAIN}datapath: { workers: 3 }\n`);
  const expected = {
    changes: [],
    problems: ['datapath.workers takes effect at the next start'],
    warnings: [],
  };
  deepEqual(await harness.reconfiguration.reload(), expected);
  deepEqual(await harness.reconfiguration.reload(), expected);
});

test('what could not be added takes with it what needs it, and nothing else', async () => {
  using harness = await started();
  harness.refused.add('add interface net2');
  const members = MAIN.replace('net1: {}', 'net1: {}, net2: {}').replace('[net0]', '[net0, net2]');
  harness.write(members.replace('192.0.2.10/24]', '192.0.2.10/24], failback: false'));
  deepEqual(await harness.reconfiguration.reload(), {
    changes: ['change ipmp0: failback'],
    problems: [
      'add interface net2: no (ENOBUFS)',
      'add net2 to ipmp0: there is no net2',
      'open net2: there is no net2',
    ],
    warnings: [],
  });
});

test('what a reload could not apply keeps no command about something else', async () => {
  using harness = await started();
  harness.refused.add('add address 192.0.2.11/24 to ipmp0');
  harness.write(MAIN.replace('[192.0.2.10/24]', '[192.0.2.10/24, 192.0.2.11/24]'));
  await harness.reconfiguration.reload();
  harness.taken();
  await harness.reconfiguration.change('add net1', false, () => ({ edits: [WITH_NET1] }));
  deepEqual(harness.taken(), ['add net1 to ipmp0']);
  // Said again, what is wanted already is what is missing.
  const again = harness.reconfiguration.change('again', false, () => ({ edits: [WITH_11] }));
  await rejects(again, { code: 'ENOBUFS' });
  harness.refused.clear();
  await harness.reconfiguration.change('again', false, () => ({ edits: [WITH_11] }));
  deepEqual(harness.taken(), ['add address 192.0.2.11/24 to ipmp0']);
});

test('a command that says what is so already changes nothing, but can be saved', async () => {
  using harness = await started();
  const same = { path: ['groups', 'ipmp0', 'interfaces'], value: ['net0'] };
  await harness.reconfiguration.change('same', false, () => ({ edits: [same] }));
  deepEqual([harness.taken(), harness.news], [[], []]);
  await harness.reconfiguration.change('same', true, () => ({ edits: [same] }));
  harness.write(MAIN.replace('[net0]', '[]'));
  const after = await ConfigStore.open(harness.file, null);
  ok(after instanceof ConfigStore);
  deepEqual(after.config.groups[0]?.interfaces, ['net0']);
});

test('who asks while the daemon stops is refused', async () => {
  using harness = await started();
  harness.isStopping = true;
  await rejects(
    harness.reconfiguration.change('x', false, () => ({ edits: [WITH_NET1] })),
    { code: 'EAGAIN' },
  );
  await harness.reconfiguration.idle();
});

test('what stays wanted is a problem of the reload, and goes with the configuration', async () => {
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
