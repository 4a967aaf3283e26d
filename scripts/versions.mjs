/**
 * `npm run versions`: what the README has a user run, with each Node.js that is supported.
 *
 *   npm run versions               the oldest and the newest, and every LTS between them
 *   npm run versions -- 24 26.1    these versions, as npm names them
 *
 * npm brings each Node.js, with its headers, and an npm of its time into build/node-versions/. A
 * copy of the checkout (what git knows or would add) is set up in a temporary folder, and the steps
 * run there, one after the other. Each prints a line; the exit status is 1 if one failed. A warning
 * of Node.js (a deprecation, say) is a failure too. The whole output is in build/node-versions/logs/.
 */

import { spawn, spawnSync } from 'node:child_process';
import { cpSync, createWriteStream, mkdirSync, mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { root } from './stamps.mjs';

/** Node.js, oldest first, and the npm that came with it: they differ in scripts of packages. */
const NPM_OF = new Map([
  ['20.19', '10'],
  ['22', '10'],
  ['24', '11'],
  ['26', '11'],
]);

/** The steps, in their order. The last two are what is installed for the daemon alone. */
const STEPS = [
  ['npm', 'run', 'build'],
  ['npm', 'start', '--', '--once'],
  ['npm', 'test', '--', 'unit'],
  ['npm', 'ci', '--omit=dev', '--omit=optional', '--no-audit', '--no-fund'],
  ['node', 'dist/src/ipmpd.js', '--version'],
];

/** Ours: the unit tests take two minutes on two processors, and ten where others work too. */
const STEP_TIMEOUT_MS = 900_000;

/** What Node.js writes before a warning of its own. */
const WARNING = /^\(node:\d+\) .*Warning.*$/m;

/** The first line of a demonstration without devices; why, as a rule, is the machine's affair. */
const SIMULATED = /^SIMULATED: (.*)$/m;

const STORE = join(root, 'build/node-versions');
const LOGS = join(STORE, 'logs');

let running;
let interrupted;
for (const signal of ['SIGINT', 'SIGTERM']) {
  process.on(signal, () => {
    interrupted = signal;
    endRunning('SIGINT');
  });
}

/** Signals the step that runs and what it has started; one that has just ended is no error. */
function endRunning(signal) {
  if (running === undefined) return;
  try {
    process.kill(-running.pid, signal);
  } catch (error) {
    if (error.code !== 'ESRCH') throw error;
  }
}

/** The environment of a step: that Node.js first, and nothing that an npm around us has set. */
function environmentOf(bin) {
  const own = Object.entries(process.env).filter(([name]) => !/^(npm_|NODE$|INIT_CWD$)/.test(name));
  return { ...Object.fromEntries(own), PATH: `${bin}:${process.env.PATH}` };
}

/** Brings Node.js and npm. Returns the folder of their programs. @throws Error if npm cannot */
function fetchNode(version) {
  const folder = join(STORE, version);
  mkdirSync(folder, { recursive: true });
  const npm = NPM_OF.get(version) ?? NPM_OF.get(version.split('.')[0]) ?? 'latest';
  const wanted = [`node-linux-${process.arch}@${version}`, `npm@${npm}`];
  const quiet = ['--no-audit', '--no-fund', '--no-save', '--no-package-lock', '--ignore-scripts'];
  const done = spawnSync('npm', ['install', '--prefix', folder, ...quiet, ...wanted], {
    encoding: 'utf8',
  });
  if (done.status === 0) return join(folder, 'node_modules/.bin');
  throw new Error(`npm cannot bring ${wanted.join(', ')}: ${done.stderr || done.error?.message}`);
}

/** A copy of the checkout as a clone of it would be, with changes that are not committed. */
function copyCheckout(folder) {
  const listed = spawnSync('git', ['ls-files', '-z', '-co', '--exclude-standard'], {
    cwd: root,
    encoding: 'utf8',
  });
  if (listed.status !== 0) throw new Error(`git ls-files: ${listed.stderr}`);
  const deleted = spawnSync('git', ['ls-files', '-z', '-d'], { cwd: root, encoding: 'utf8' });
  const gone = new Set(deleted.stdout.split('\0'));
  for (const file of listed.stdout.split('\0').filter((name) => name !== '' && !gone.has(name))) {
    mkdirSync(join(folder, dirname(file)), { recursive: true });
    cpSync(join(root, file), join(folder, file), { verbatimSymlinks: true });
  }
  // Some tests ask git which files there are.
  const made = spawnSync('git', ['init', '--quiet'], { cwd: folder, encoding: 'utf8' });
  if (made.status !== 0) throw new Error(`git init: ${made.stderr}`);
}

/** Runs a step; the result is undefined, or what is wrong with it, and what was said. */
function runStep(argv, { cwd, env, log }) {
  const [program, ...args] = argv;
  return new Promise((resolve) => {
    const file = createWriteStream(log);
    const child = spawn(program, args, {
      cwd,
      env,
      stdio: ['ignore', 'pipe', 'pipe'],
      detached: true,
    });
    running = child;
    let end;
    const timer = setTimeout(() => {
      end = `not done in ${STEP_TIMEOUT_MS / 1000} s`;
      endRunning('SIGKILL');
    }, STEP_TIMEOUT_MS);
    child.stdout.pipe(file, { end: false });
    child.stderr.pipe(file, { end: false });
    child.on('error', (error) => {
      end = error.message;
    });
    child.on('close', (status, signal) => {
      clearTimeout(timer);
      running = undefined;
      file.end(() =>
        resolve(end ?? (status === 0 ? undefined : `exit status ${status ?? signal}`)),
      );
    });
  });
}

/** A step that ended well has still failed if Node.js warned, or if the lab lacked a package. */
function verdict(trouble, text) {
  if (trouble !== undefined) return { failed: true, result: trouble };
  const [warning] = WARNING.exec(text) ?? [];
  if (warning !== undefined) return { failed: true, result: warning };
  const [, why] = SIMULATED.exec(text) ?? [];
  if (why?.startsWith('the package')) return { failed: true, result: why };
  return { failed: false, result: why === undefined ? 'ok' : `ok, simulated: ${why}` };
}

function row(version, step, seconds, result) {
  const columns = [version.padEnd(10), step.padEnd(46), seconds.padStart(7)];
  process.stdout.write(`${columns.join('  ')}  ${result}\n`);
}

/** All steps with one version; without the first no other can be. Returns whether all did well. */
async function tryVersion(version) {
  const bin = fetchNode(version);
  const env = environmentOf(bin);
  const exact = spawnSync('node', ['--version'], { env, encoding: 'utf8' }).stdout.trim();
  const npm = spawnSync('npm', ['--version'], { env, encoding: 'utf8', cwd: STORE }).stdout.trim();
  const folder = mkdtempSync(join(tmpdir(), 'ipmpd-versions-'));
  let isGood = true;
  try {
    copyCheckout(folder);
    for (const [at, argv] of STEPS.entries()) {
      const step = argv.join(' ').replace(/ --no-.*$/, '');
      const log = join(LOGS, `${version}-${at + 1}.log`);
      const began = process.hrtime.bigint();
      const trouble = await runStep(argv, { cwd: folder, env, log });
      if (interrupted) return false;
      const seconds = (Number(process.hrtime.bigint() - began) / 1e9).toFixed(1);
      const text = readFileSync(log, 'utf8');
      const { failed, result } = verdict(trouble, text);
      row(exact, at === 0 ? `${step} (npm ${npm})` : step, seconds, result);
      if (!failed) continue;
      isGood = false;
      process.stdout.write(`${text.trimEnd().split('\n').slice(-40).join('\n')}\n`);
      if (at === 0) break;
    }
    return isGood;
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}

const asked = process.argv.slice(2);
if (asked.some((word) => !/^\d+(\.\d+){0,2}$/.test(word))) {
  process.stderr.write('usage: npm run versions -- [version of Node.js]...\n');
  process.exit(2);
}
mkdirSync(LOGS, { recursive: true });
row('version', 'step', 'seconds', 'result');
let failures = 0;
for (const version of asked.length > 0 ? asked : NPM_OF.keys()) {
  if (interrupted) break;
  try {
    if (!(await tryVersion(version))) failures += 1;
  } catch (error) {
    failures += 1;
    row(version, 'npm install', '', error.message);
  }
}
if (interrupted) process.stdout.write(`interrupted by ${interrupted}\n`);
process.exitCode = failures === 0 && !interrupted ? 0 : 1;
