/** The configuration over a daemon's life: proposed, committed, saved, read again, shown. */

import { deepEqual, equal, ok, rejects } from 'node:assert/strict';
import { readdirSync, rmSync, writeFileSync } from 'node:fs';
import { test } from 'node:test';
import { OperatorError } from '../../../src/base/errors.ts';
import type { ConfigValue } from '../../../src/config/document.ts';
import type { ConfigEdit } from '../../../src/config/layers.ts';
import { configSchema } from '../../../src/config/load.ts';
import { settingValue } from '../../../src/config/setting.ts';
import { configEntries } from '../../../src/config/show.ts';
import type { ConfigStore, Proposal } from '../../../src/config/store.ts';
import { Files, good } from './files.ts';

const MAIN = `log: { level: warn }
interfaces:
  net0: { uplink: eth0 }
  net1: { uplink: eth1, standby: true }
groups:
  ipmp0:
    interfaces: [net0]
    addresses: [192.0.2.10/24]
    mtu: 1400
`;

const MTU = { path: ['groups', 'ipmp0', 'mtu'], value: 1300 };
const REMOVED = { path: ['groups', 'ipmp0'], value: 'removed' };

function group(store: ConfigStore): Record<string, unknown> {
  return { ...store.config.groups.find(({ name }) => name === 'ipmp0') };
}

/** Proposes `edit` and commits it. */
async function change(store: ConfigStore, edit: ConfigEdit, isSaved: boolean): Promise<void> {
  await store.commit(await store.propose([edit], isSaved));
}

/** Reads the files again and commits what they hold. */
async function reload(store: ConfigStore): Promise<Proposal> {
  const proposal = good<Proposal>(await store.reread());
  await store.commit(proposal);
  return proposal;
}

function originOf(store: ConfigStore, key: string): string | undefined {
  const entries = [...configEntries(store.effective, configSchema())];
  return entries.find((entry) => entry.key === key)?.origin;
}

test('a proposal changes nothing; a committed one lasts as long as the store', async () => {
  using files = new Files(MAIN);
  const store = await files.open();
  const proposal = await store.propose([MTU], false);
  equal(group(store).mtu, 1400);
  await store.commit(proposal);
  equal(group(store).mtu, 1300);
  equal(originOf(store, 'groups.ipmp0.mtu'), 'command');
  deepEqual(readdirSync(files.folder), ['ipmpd.yaml']);
  equal(group(await files.open()).mtu, 1400);
});

test('[contract 8.1] a wrong edit is refused by name, value and what is allowed', async () => {
  using files = new Files(MAIN);
  const store = await files.open();
  const wrong = { path: ['groups', 'ipmp0', 'mtu'], value: 9 };
  await rejects(store.propose([wrong], true), {
    code: 'EINVAL',
    message: 'groups.ipmp0.mtu: 9 is not valid (auto, or a whole number from 1280 to 65535)',
  });
  equal(group(store).mtu, 1400);
  deepEqual(readdirSync(files.folder), ['ipmpd.yaml']);
});

test('[contract 4.17] saved changes survive a restart, comments survive edits', async () => {
  using files = new Files(MAIN);
  const store = await files.open();
  await change(store, MTU, true);
  const written = files.savedText();
  ok(written.startsWith('# Written by "ipmpadm --save"'), written);
  equal(originOf(store, 'groups.ipmp0.mtu'), `${files.saved}:4`);
  equal(group(await files.open()).mtu, 1300);

  writeFileSync(files.saved, written.replace('mtu: 1300', 'mtu: 1310 # for the tunnel'));
  const again = await files.open();
  await change(again, { path: ['groups', 'ipmp0', 'failback'], value: false }, true);
  ok(files.savedText().includes('mtu: 1310 # for the tunnel'), files.savedText());
  deepEqual([group(await files.open()).mtu, group(await files.open()).failback], [1310, false]);
});

test('a saved removal leaves its mark only where another file has what to remove', async () => {
  using files = new Files(MAIN);
  const store = await files.open();
  const create = store.creation('groups', 'ipmp7', { interfaces: [] });
  await change(store, create, true);
  await change(store, { path: ['groups', 'ipmp7'], value: 'removed' }, true);
  ok(!files.savedText().includes('ipmp7'), files.savedText());
  await change(store, REMOVED, true);
  ok(files.savedText().includes('ipmp0: removed'), files.savedText());
  deepEqual((await files.open()).config.groups, []);
});

test('an entry made anew has no keys of an earlier one of its name', async () => {
  using files = new Files(MAIN);
  const store = await files.open();
  await change(store, REMOVED, false);
  deepEqual(store.config.groups, []);
  await change(store, store.creation('groups', 'ipmp0', { interfaces: ['net1'] }), true);
  for (const one of [store, await files.open()]) {
    const { mtu, addresses, interfaces } = group(one);
    deepEqual({ mtu, addresses, interfaces }, { mtu: 'auto', addresses: [], interfaces: ['net1'] });
  }
});

test('a change that would make the saved files wrong by themselves is refused', async () => {
  using files = new Files(MAIN);
  const store = await files.open();
  await change(store, store.creation('interfaces', 'net5', {}), false);
  const join5 = { path: ['groups', 'ipmp0', 'interfaces'], value: ['net0', 'net5'] };
  await rejects(
    store.propose([join5], true),
    (error: unknown) =>
      error instanceof OperatorError &&
      error.code === 'EINVAL' &&
      error.message.startsWith('what is saved would be wrong: ') &&
      error.message.includes('there is no interface net5'),
  );
  await change(store, join5, false);
  deepEqual(group(store).interfaces, ['net0', 'net5']);
});

test('a drop-in on top of the saved one undoes no command before the next start', async () => {
  using files = new Files(MAIN);
  files.dropIn('90-site.yaml', 'groups: { ipmp0: { mtu: 1500 } }\n');
  const store = await files.open();
  await change(store, MTU, true);
  equal(group(store).mtu, 1300);
  equal(originOf(store, 'groups.ipmp0.mtu'), 'command');
  equal(group(await files.open()).mtu, 1500);
});

test('a saved file that was changed meanwhile is not written over', async () => {
  using files = new Files(MAIN);
  const store = await files.open();
  await change(store, MTU, true);
  writeFileSync(files.saved, 'log: { level: debug }\n');
  await rejects(store.propose([MTU], true), { code: 'EBUSY' });
  equal(files.savedText(), 'log: { level: debug }\n');
  await reload(store);
  await change(store, MTU, true);
  equal((await files.open()).config.log.level, 'debug');
});

test('of unchanged files nothing is parsed again', async () => {
  using files = new Files(MAIN);
  files.dropIn('10-site.yaml', 'log: { level: debug }\n');
  const store = await files.open();
  const read = async () => (await reload(store)).layers.files.map(({ document }) => document);
  const [main, dropIn] = await read();
  equal((await read())[0], main);
  files.dropIn('10-site.yaml', 'log: { level: warn }\n');
  const after = await read();
  equal(after[0], main);
  ok(after[1] !== dropIn);
  equal(store.config.log.level, 'warn');
});

test('a commit counts in the turn of the call, not when its file is written', async () => {
  using files = new Files(MAIN);
  const store = await files.open();
  const proposal = await store.propose([MTU], true);
  const written = store.commit(proposal);
  equal(group(store).mtu, 1300);
  await written;
  deepEqual(readdirSync(files.dropIns), ['50-ipmpadm.yaml']);
});

test('EIO: in force, but not saved; the old file stays whole', async () => {
  using files = new Files(MAIN);
  const store = await files.open();
  await change(store, MTU, true);
  const before = files.savedText();
  const next = await store.propose([{ path: ['groups', 'ipmp0', 'mtu'], value: 1350 }], true);
  rmSync(files.dropIns, { recursive: true });
  writeFileSync(files.dropIns, 'a file where the folder should be');
  await rejects(store.commit(next), { code: 'EIO' });
  equal(group(store).mtu, 1350);
  ok(before.includes('1300'));
  rmSync(files.dropIns);
  const proposal = await reload(store);
  equal(proposal.effective.config.groups[0]?.mtu, 1350, 'a reload does not undo it');
});

test('a drop-in of one’s own making: empty is as good as absent, aliases are refused', async () => {
  using files = new Files(MAIN);
  files.dropIn('50-ipmpadm.yaml', '---\n');
  const store = await files.open();
  await change(store, MTU, true);
  equal(group(await files.open()).mtu, 1300);
  const text = 'groups: { ipmp0: &base { mtu: 1400 }, ipmp1: *base }\n';
  files.dropIn('50-ipmpadm.yaml', text);
  const other = await files.open();
  await rejects(other.propose([MTU], true), { code: 'EINVAL', message: /has aliases/ });
  equal(files.savedText(), text);
});

test('reading again keeps what commands have changed, and refuses broken files', async () => {
  using files = new Files(MAIN);
  const store = await files.open({ log: { level: 'trace' } });
  await change(store, MTU, false);
  writeFileSync(files.main, MAIN.replace('192.0.2.10', '192.0.2.11').replace('warn', 'error'));
  await reload(store);
  const { mtu, addresses } = group(store);
  deepEqual({ mtu, addresses }, { mtu: 1300, addresses: ['192.0.2.11/24'] });
  equal(store.config.log.level, 'trace');
  equal(originOf(store, 'log.level'), 'argument');

  writeFileSync(files.main, 'groups: [');
  ok('errors' in (await store.reread()));
  equal(group(store).mtu, 1300);
});

test('[contract 4.14] every value is shown with where it comes from', async () => {
  using files = new Files(MAIN);
  const entries = [...configEntries((await files.open()).effective, configSchema())];
  const shown = entries.map(({ key, value, origin }) => [key, value, origin]);
  const main = files.main;
  for (const expected of [
    ['control.socket', '/run/ipmpd/ipmpd.sock', 'default'],
    ['log.level', 'warn', `${main}:1`],
    ['interfaces.net0.uplink', 'eth0', `${main}:3`],
    ['interfaces.net0.standby', false, 'default'],
    ['groups.ipmp0.addresses', ['192.0.2.10/24'], `${main}:8`],
    ['groups.ipmp0.flap-damping', { ups: 2, within: '60s' }, 'default'],
    ['tracking', 'groups', 'default'],
  ]) {
    ok(
      shown.some((row) => JSON.stringify(row) === JSON.stringify(expected)),
      `${JSON.stringify(expected)} is among ${JSON.stringify(shown)}`,
    );
  }
  ok(!shown.some(([key]) => key === 'interfaces.net0.bridge'), 'no value where there is none');
});

test('values of a command line are read as in the file, and as people write them', () => {
  for (const [key, text, value] of [
    ['mtu', '1500', 1500],
    ['mtu', 'auto', 'auto'],
    ['mtu', '{', '{'],
    ['mtu', 1400, 1400],
    ['failback', 'on', true],
    ['failback', 'no', false],
    ['failback', 'true', true],
    ['flap-damping', 'off', 'off'],
    ['flap-damping', '{ups: 3, within: 30s}', { ups: 3, within: '30s' }],
    ['addresses', '192.0.2.1/24, 192.0.2.2/24', ['192.0.2.1/24', '192.0.2.2/24']],
    ['addresses', '[192.0.2.1/24]', ['192.0.2.1/24']],
    ['addresses', '', []],
    ['failure-detection-time', '2s', '2s'],
  ] satisfies [string, ConfigValue, ConfigValue][]) {
    const read = settingValue(configSchema(), 'group', key, text);
    deepEqual(JSON.parse(JSON.stringify(read)), value, `${key} ${text}`);
  }
});
