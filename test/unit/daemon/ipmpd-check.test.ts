/** `ipmpd` and `ipmpd --check` with files that cannot be used: the errors, and status 2. */

import { deepEqual, equal, ok } from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { mkdirSync, mkdtempSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, describe, test } from 'node:test';
import { root } from '../../tidy/source.ts';

const IPMPD = join(root, 'dist/src/ipmpd.js');
const folder = mkdtempSync(join(tmpdir(), 'ipmpd-check-'));
after(() => rmSync(folder, { recursive: true }));

/** Content of a file -> the errors, without the name of the file. */
const BROKEN: Readonly<Record<string, readonly [content: string | Buffer, ...lines: string[]]>> = {
  mistakes: [
    'groups:\n  ipmp0:\n    mtu: 12\ncolour: red\n',
    ':3: groups.ipmp0.mtu: 12 is not valid (auto, or a whole number from 1280 to 65535)',
    ':4: colour: unknown key ' +
      '(one of control, metrics, log, datapath, interfaces, groups, tracking)',
  ],
  'no YAML': [
    'log: {}\ngroups: [\n',
    ':3: is not valid YAML: Flow sequence in block collection must be sufficiently in...',
  ],
  'no text': [Buffer.from([0x7f, 0x45, 0x4c, 0x46, 0xff]), ':1: is not UTF-8 (text in UTF-8)'],
  'too large': ['#'.repeat(300_000), ': the file is too large (at most 256 KiB)'],
};

function run(...args: string[]) {
  const { status, stdout, stderr } = spawnSync(process.execPath, [IPMPD, ...args], {
    encoding: 'utf8',
    timeout: 60_000,
  });
  return { status, stdout, stderr };
}

describe('[contract 2.2, 2.4, 8.1] a file that cannot be used', () => {
  for (const [name, [content, ...lines]] of Object.entries(BROKEN)) {
    test(name, () => {
      const file = join(folder, `${name.replaceAll(' ', '-')}.yaml`);
      writeFileSync(file, content);
      const stderr = lines.map((line) => `${file}${line}\n`).join('');
      deepEqual(run('--config', file, '--check'), { status: 2, stdout: '', stderr });
      // As a service: refused before anything is touched, with the status that is not tried again.
      const below = join(folder, 'run');
      mkdirSync(below, { recursive: true });
      const service = run('--config', file, '--socket', join(below, 'ipmpd.sock'));
      deepEqual({ ...service, stdout: '' }, { status: 2, stdout: '', stderr });
      const [line = '', ...more] = service.stdout.trimEnd().split('\n');
      const { level, event, errors } = JSON.parse(line);
      const told = { level: 60, event: 'start-failed', errors: stderr.trimEnd().split('\n') };
      deepEqual([{ level, event, errors }, more], [told, []], 'the log has it too');
      deepEqual(readdirSync(below), []);
    });
  }

  test('one that is not there, a folder, a device', () => {
    for (const [path, why] of [
      [join(folder, 'nothing.yaml'), 'ENOENT'],
      [folder, 'EINVAL'],
      ['/dev/zero', 'EINVAL'],
    ] as const) {
      const { status, stderr } = run('--config', path);
      equal(status, 2);
      equal(stderr, `${path}: cannot be read: ${why} (a readable file)\n`);
    }
  });
});

test('a file that can be used: 0, and no output', () => {
  deepEqual(run('--config', join(root, 'config/ipmpd.yaml'), '--check'), {
    status: 0,
    stdout: '',
    stderr: '',
  });
});

test('an unknown option: 2, and its name', () => {
  const { status, stderr } = run('--colour');
  equal(status, 2);
  ok(stderr.includes('--colour'), stderr);
});
