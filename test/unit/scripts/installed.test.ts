/**
 * What docs/operations.md installs, without the packages of development: the daemon runs, and the
 * lab reports which package is missing and goes on in the simulator.
 */

import { deepEqual, equal, match, ok } from 'node:assert/strict';
import { execFileSync, fork, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, describe, test } from 'node:test';
import { root, sources } from '../../tidy/source.ts';

const folder = mkdtempSync(join(tmpdir(), 'ipmpd-installed-'));
after(() => rmSync(folder, { recursive: true }));

/** Folders of the packages that `npm ci --omit=dev` brings, by the lock file. */
function productionPackages(): string[] {
  const lock = JSON.parse(readFileSync(join(root, 'package-lock.json'), 'utf8')) as {
    packages: Readonly<Record<string, { readonly dev?: true; readonly optional?: true }>>;
  };
  return Object.entries(lock.packages)
    .filter(([path, { dev, optional }]) => path !== '' && !dev && !optional)
    .map(([path]) => path);
}

function run(program: string, ...argv: string[]) {
  const { status, stdout, stderr } = spawnSync(
    process.execPath,
    [join(folder, `dist/src/${program}.js`), ...argv],
    { encoding: 'utf8', timeout: 60_000, cwd: '/' },
  );
  return { status, stdout, stderr };
}

describe('an installation without the packages of development', () => {
  before(() => {
    const packages = productionPackages();
    ok(packages.includes('node_modules/fastify') && packages.length < 80, `${packages.length}`);
    const paths = ['dist/src', 'native', 'config', 'package.json', ...packages];
    // Links where the file system is the same: it is thousands of files.
    const linked = spawnSync('cp', ['-rl', '--parents', ...paths, folder], { cwd: root });
    if (linked.status !== 0) {
      execFileSync('cp', ['-rf', '--parents', ...paths, folder], { cwd: root });
    }
    for (const name of ['raw-socket', 'nan', 'typescript']) {
      equal(existsSync(join(folder, 'node_modules', name)), false, name);
    }
  });

  test('the daemon prints its version, and checks a configuration', () => {
    const { version } = JSON.parse(readFileSync(join(root, 'package.json'), 'utf8')) as {
      version: string;
    };
    const said = run('ipmpd', '--version');
    deepEqual(said, { status: 0, stdout: said.stdout, stderr: '' });
    ok(said.stdout.includes(version), said.stdout);
    const checked = run('ipmpd', '--config', join(root, 'config/ipmpd.yaml'), '--check');
    deepEqual(checked, { status: 0, stdout: '', stderr: '' });
    equal(run('ipmpadm', '--help').status, 0);
  });

  test('every package that the code outside the lab names is there', () => {
    const named = sources(['src'], ['.ts'])
      .filter(({ path }) => !path.startsWith('src/lab/'))
      .flatMap(({ text }) => [...text.matchAll(/(?:from |import\()'([@#a-z][\w@/.:-]*)'/g)])
      .map((found) => found[1] ?? '');
    const program = [
      `for (const name of ${JSON.stringify([...new Set(named)])}) await import(name);`,
      "await import('./daemon/daemon.js');",
      "process.stdout.write('loaded');",
    ].join('\n');
    ok(named.includes('fastify') && named.includes('pino-pretty'), named.join(' '));
    const path = join(folder, 'dist/src/load-all.mjs');
    writeFileSync(path, program);
    const { stdout, stderr } = spawnSync(process.execPath, [path], { encoding: 'utf8' });
    deepEqual({ stdout, stderr }, { stdout: 'loaded', stderr: '' });
  });

  test('the lab reports that raw-socket is missing, and shows the simulator', () => {
    const { status, stdout, stderr } = run('ipmpadm', 'lab', 'run', '--once');
    equal(stderr, '');
    const [first = ''] = stdout.split('\n');
    match(first, /^SIMULATED: (no lab can be built here|the package raw-socket, .*missing)/);
    equal(status, 0, stdout);
  });

  test('a measurement of the lab ends with that sentence too', async () => {
    const child = fork(join(folder, 'dist/src/lab/measure/prober.js'), ['127.0.0.1'], {
      silent: true,
    });
    const messages: { kind?: string; text?: string }[] = [];
    child.on('message', (message) => messages.push(message as { kind?: string }));
    const [status] = (await once(child, 'close')) as [number | null];
    deepEqual([status, messages.length, messages[0]?.kind], [1, 1, 'error']);
    match(messages[0]?.text ?? '', /^the package raw-socket, .*missing/);
  });
});
