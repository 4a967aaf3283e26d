/** The priority of a thread of the datapath: raised where that is allowed, left alone elsewhere. */

import { deepStrictEqual, strictEqual, throws } from 'node:assert/strict';
import { execFileSync, spawnSync } from 'node:child_process';
import { test } from 'node:test';
import { native } from '../../src/native/addon.ts';

const ADDON = new URL('../../src/native/addon.js', import.meta.url).href;
/** Prints what the call returned and what the kernel has: field 19 of stat, and the name. */
const RAISE = `import { readFileSync } from 'node:fs';
  const { native } = await import(${JSON.stringify(ADDON)});
  const nice = native.threadRaise('ipmpd-test');
  const stat = readFileSync('/proc/thread-self/stat', 'utf8');
  const [, name, rest] = /\\((.*)\\) (.*)/.exec(stat);
  console.log(JSON.stringify([nice, Number(rest.split(' ')[16]), name]));`;

const UNPRIVILEGED = ['setpriv', '--bounding-set', '-sys_nice'];
const NO_ROOT = process.getuid?.() === 0 ? false : 'needs root: CAP_SYS_NICE is to be dropped';
const NO_LIMIT =
  spawnSync('prlimit', ['--nice=30', 'true']).status === 0
    ? false
    : 'needs CAP_SYS_RESOURCE: RLIMIT_NICE is to be raised';

function raised(...wrapper: string[]): unknown {
  const argv = [...wrapper, process.execPath, '--input-type=module', '-e', RAISE];
  return JSON.parse(execFileSync(argv[0] ?? '', argv.slice(1), { encoding: 'utf8' }));
}

test('with CAP_SYS_NICE the thread is raised and has its name', { skip: NO_ROOT }, () => {
  strictEqual(native.datapathNice, -10);
  deepStrictEqual(raised('nice', '-n', '0'), [-10, -10, 'ipmpd-test']);
});

test('without it the thread stays as it is, and that is no error', { skip: NO_ROOT }, () => {
  deepStrictEqual(raised(...UNPRIVILEGED), [0, 0, 'ipmpd-test']);
  deepStrictEqual(raised('nice', '-n', '5', ...UNPRIVILEGED), [5, 5, 'ipmpd-test']);
});

test('RLIMIT_NICE is enough', { skip: NO_ROOT || NO_LIMIT }, () => {
  deepStrictEqual(raised('prlimit', '--nice=30', ...UNPRIVILEGED), [-10, -10, 'ipmpd-test']);
  deepStrictEqual(raised('prlimit', '--nice=29', ...UNPRIVILEGED), [0, 0, 'ipmpd-test']);
});

test('a higher priority stays', { skip: NO_ROOT }, () => {
  deepStrictEqual(raised('nice', '-n', '-15'), [-15, -15, 'ipmpd-test']);
});

test('names have 1 to 15 octets', () => {
  throws(() => native.threadRaise('ipmpd-0123456789'), /name: string of suitable length/);
  throws(() => native.threadRaise(''), /name/);
});
