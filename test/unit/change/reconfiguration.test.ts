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
class Stage {
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

  static async open(): Promise<Stage> {
    const folder = mkdtempSync(join(tmpdir(), 'ipmpd-reconfiguration-'));
    const file = join(folder, 'ipmpd.yaml');
    writeFileSync(file, MAIN);
    const store = await ConfigStore.open(file, null);
    ok(store instanceof ConfigStore);
    return new Stage(folder, file, store);
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

async function started(): Promise<Stage> {
  const stage = await Stage.open();
  await stage.reconfiguration.start();
  deepEqual(stage.taken(), [
    'add interface net0',
    'add interface net1',
    'add group ipmp0',
    'add net0 to ipmp0',
    'open net0',
    'open net1',
    'open ipmp0',
  ]);
  return stage;
}

test('a start does what it can, shows the rest, and the next reload tries it again', async () => {
  using stage = await Stage.open();
  stage.refused.add('add net0 to ipmp0');
  await stage.reconfiguration.start();
  deepEqual(stage.taken(), [
    'add interface net0',
    'add interface net1',
    'add group ipmp0',
    'open net0',
    'open net1',
    'open ipmp0',
  ]);
  const problem = 'add net0 to ipmp0: no (ENOBUFS)';
  deepEqual(stage.reconfiguration.problems, [problem]);
  deepEqual(await stage.reconfiguration.reload(), {
    changes: [],
    problems: [problem],
    warnings: [],
  });
  stage.refused.clear();
  const row = { changes: ['add net0 to ipmp0'], problems: [], warnings: [] };
  deepEqual(await stage.reconfiguration.reload(), row);
  deepEqual(stage.reconfiguration.problems, []);
});

test('a device that is not there is a problem of the reload that asks for it', async () => {
  using stage = await started();
  stage.waiting.set('net2', new OperatorError('ENODEV', 'there is no device eth9'));
  stage.write(MAIN.replace('net1: {}', 'net1: {}, net2: { uplink: eth9 }'));
  deepEqual(await stage.reconfiguration.reload(), {
    changes: ['add interface net2', 'open net2'],
    problems: ['net2: there is no device eth9; waiting for it'],
    warnings: [],
  });
  deepEqual(await stage.reconfiguration.reload(), {
    changes: [],
    problems: [],
    warnings: ['net2: there is no device eth9; waiting for it'],
  });
});

test('a stop ends a start between two changes', async () => {
  using stage = await Stage.open();
  stage.isStopping = true;
  await stage.reconfiguration.start();
  deepEqual(stage.taken(), []);
});

test('a command makes the difference of its edits, and tells of it', async () => {
  using stage = await started();
  await stage.reconfiguration.change('add net1', false, () => ({ edits: [WITH_NET1] }));
  deepEqual(stage.taken(), ['add net1 to ipmp0']);
  deepEqual(stage.reconfiguration.config.groups[0]?.interfaces, ['net0', 'net1']);
  deepEqual(stage.news, [
    { event: 'configuration-changed', cause: 'configured', detail: 'add net1' },
  ]);
});

test('a refused command is undone, and nothing is told, remembered or saved', async () => {
  using stage = await started();
  stage.refused.add('add address 192.0.2.11/24 to ipmp0');
  const both = stage.reconfiguration.change('both', true, () => ({ edits: [WITH_NET1, WITH_11] }));
  await rejects(both, { code: 'ENOBUFS' });
  deepEqual(stage.taken(), ['add net1 to ipmp0', 'take net1 out of ipmp0']);
  deepEqual(stage.reconfiguration.config.groups[0]?.interfaces, ['net0']);
  deepEqual(stage.store.config.groups[0]?.interfaces, ['net0']);
  deepEqual(stage.news, []);
  const after = await ConfigStore.open(stage.file, null);
  ok(after instanceof ConfigStore);
  deepEqual(after.config.groups[0]?.interfaces, ['net0']);
});

test('a wrong edit reaches nobody', async () => {
  using stage = await started();
  const edit = { path: ['groups', 'ipmp0', 'mtu'], value: 3 };
  await rejects(
    stage.reconfiguration.change('x', false, () => ({ edits: [edit] })),
    { code: 'EINVAL' },
  );
  deepEqual(stage.taken(), []);
});

test('commands are carried out one after another, each on what the one before left', async () => {
  using stage = await started();
  let open = (): void => undefined;
  stage.gate = new Promise((resolve) => {
    open = resolve;
  });
  const seen: string[][] = [];
  const first = stage.reconfiguration.change('first', false, (config) => {
    seen.push([...(config.groups[0]?.interfaces ?? [])]);
    return { edits: [WITH_NET1] };
  });
  const second = stage.reconfiguration.change('second', false, (config) => {
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
  using stage = await started();
  stage.refused.add('add address 192.0.2.11/24 to ipmp0');
  stage.write(MAIN.replace('[192.0.2.10/24]', '[192.0.2.10/24, 192.0.2.11/24], failback: false'));
  deepEqual(await stage.reconfiguration.reload(), {
    changes: ['change ipmp0: failback'],
    problems: ['add address 192.0.2.11/24 to ipmp0: no (ENOBUFS)'],
    warnings: [],
  });
  stage.refused.clear();
  const again = await stage.reconfiguration.reload();
  deepEqual(again, { changes: ['add address 192.0.2.11/24 to ipmp0'], problems: [], warnings: [] });
  deepEqual(await stage.reconfiguration.reload(), { changes: [], problems: [], warnings: [] });
});

test('a broken file changes nothing, and a command afterwards works', async () => {
  using stage = await started();
  stage.write('groups: [');
  await rejects(stage.reconfiguration.reload(), { code: 'EINVAL' });
  deepEqual(stage.taken(), []);
  equal(stage.news.at(-1)?.event, 'configuration-refused');
  await stage.reconfiguration.change('add net1', false, () => ({ edits: [WITH_NET1] }));
  deepEqual(stage.taken(), ['add net1 to ipmp0']);
});

test('what commands have changed outlives a reload', async () => {
  using stage = await started();
  await stage.reconfiguration.change('add net1', false, () => ({ edits: [WITH_NET1] }));
  stage.taken();
  stage.write(MAIN.replace('net1: {}', 'net1: {}, net2: {}'));
  await stage.reconfiguration.reload();
  deepEqual(stage.taken(), ['add interface net2', 'open net2']);
});

test('what needs a restart is said at every reload until then', async () => {
  using stage = await started();
  stage.write(`${MAIN}datapath: { workers: 3 }\n`);
  const expected = {
    changes: [],
    problems: ['datapath.workers takes effect at the next start'],
    warnings: [],
  };
  deepEqual(await stage.reconfiguration.reload(), expected);
  deepEqual(await stage.reconfiguration.reload(), expected);
});

test('what could not be added takes with it what needs it, and nothing else', async () => {
  using stage = await started();
  stage.refused.add('add interface net2');
  const members = MAIN.replace('net1: {}', 'net1: {}, net2: {}').replace('[net0]', '[net0, net2]');
  stage.write(members.replace('192.0.2.10/24]', '192.0.2.10/24], failback: false'));
  deepEqual(await stage.reconfiguration.reload(), {
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
  using stage = await started();
  stage.refused.add('add address 192.0.2.11/24 to ipmp0');
  stage.write(MAIN.replace('[192.0.2.10/24]', '[192.0.2.10/24, 192.0.2.11/24]'));
  await stage.reconfiguration.reload();
  stage.taken();
  await stage.reconfiguration.change('add net1', false, () => ({ edits: [WITH_NET1] }));
  deepEqual(stage.taken(), ['add net1 to ipmp0']);
  // Said again, what is wanted already is what is missing.
  const again = stage.reconfiguration.change('again', false, () => ({ edits: [WITH_11] }));
  await rejects(again, { code: 'ENOBUFS' });
  stage.refused.clear();
  await stage.reconfiguration.change('again', false, () => ({ edits: [WITH_11] }));
  deepEqual(stage.taken(), ['add address 192.0.2.11/24 to ipmp0']);
});

test('a command that says what is so already changes nothing, but can be saved', async () => {
  using stage = await started();
  const same = { path: ['groups', 'ipmp0', 'interfaces'], value: ['net0'] };
  await stage.reconfiguration.change('same', false, () => ({ edits: [same] }));
  deepEqual([stage.taken(), stage.news], [[], []]);
  await stage.reconfiguration.change('same', true, () => ({ edits: [same] }));
  stage.write(MAIN.replace('[net0]', '[]'));
  const after = await ConfigStore.open(stage.file, null);
  ok(after instanceof ConfigStore);
  deepEqual(after.config.groups[0]?.interfaces, ['net0']);
});

test('who asks while the daemon stops is refused', async () => {
  using stage = await started();
  stage.isStopping = true;
  await rejects(
    stage.reconfiguration.change('x', false, () => ({ edits: [WITH_NET1] })),
    { code: 'EAGAIN' },
  );
  await stage.reconfiguration.idle();
});

test('what stays wanted is a problem of the reload, and goes with the configuration', async () => {
  using stage = await started();
  const sentence = 'add route default via 192.0.2.1 to ipmp0';
  stage.held.add(sentence);
  stage.write(MAIN.replace('10/24]', '10/24], routes: [{ to: default, via: 192.0.2.1 }]'));
  const { problems } = await stage.reconfiguration.reload();
  deepEqual([stage.taken(), problems], [[sentence], [`${sentence}: held (EEXIST)`]]);
  stage.write(MAIN);
  await stage.reconfiguration.reload();
  deepEqual(stage.taken(), ['remove route default via 192.0.2.1 from ipmp0']);
});

test('saved commands and a reload follow one another, their waits for files included', async () => {
  using stage = await started();
  const seen: unknown[] = [];
  const { reconfiguration } = stage;
  const add = (): Promise<void> =>
    reconfiguration.change('add net1', true, () => ({ edits: [WITH_NET1] }));
  const address = reconfiguration.change('address', true, ({ groups }) => {
    seen.push(groups[0]?.interfaces);
    return { edits: [WITH_11] };
  });
  const after = [add(), reconfiguration.reload(), add()];
  await Promise.all([address, ...after]);
  deepEqual(stage.taken(), ['add address 192.0.2.11/24 to ipmp0', 'add net1 to ipmp0']);
  const { interfaces, addresses } = stage.store.config.groups[0] ?? {};
  const again = await ConfigStore.open(stage.file, null);
  ok(again instanceof ConfigStore);
  deepEqual(again.config.groups[0], stage.store.config.groups[0]);
  deepEqual([seen, interfaces], [[['net0']], ['net0', 'net1']]);
  deepEqual(addresses, ['192.0.2.10/24', '192.0.2.11/24']);
  deepEqual(readdirSync(join(stage.folder, 'ipmpd.d')), ['50-ipmpadm.yaml']);
});

test('a stop that begins while the saved file is read refuses the change', async () => {
  using stage = await started();
  const change = stage.reconfiguration.change('add net1', true, () => {
    stage.isStopping = true;
    return { edits: [WITH_NET1] };
  });
  await rejects(change, { code: 'EAGAIN' });
  deepEqual([stage.taken(), stage.news], [[], []]);
  deepEqual(readdirSync(stage.folder), ['ipmpd.yaml']);
});
