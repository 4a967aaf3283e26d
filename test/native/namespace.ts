/**
 * Tests with real devices: each case runs in a node process of its own, inside a private network
 * and mount namespace that vanish with it. Nothing has to be cleaned up, whatever happens, and
 * a case that leaves something behind which holds its process up fails by its time limit.
 */

import { strictEqual } from 'node:assert/strict';
import { execFileSync, spawn } from 'node:child_process';
import { existsSync, lstatSync, readdirSync, readlinkSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { Worker } from 'node:worker_threads';

const CASE = 'IPMPD_TEST_CASE';
const TIME_LIMIT_MS = 20_000;

/** A sysfs of the new network namespace; names of `ip netns` that stay in the mount namespace. */
const PREPARE = `mount -t sysfs sysfs /sys && mkdir -p /run/netns &&
  mount -t tmpfs tmpfs /run/netns && ip link set lo up && exec "$@"`;

/** Why devices cannot be tested here; undefined if they can. */
function reasonToSkip(): string | undefined {
  if (process.getuid?.() !== 0) return 'needs root: network namespaces and devices';
  if (!existsSync('/dev/net/tun')) return 'needs /dev/net/tun';
  return undefined;
}

/** A test that needs no device, in a file that also has tests in namespaces. */
export function plainTest(name: string, body: () => Promise<void> | void): void {
  if (process.env[CASE] === undefined) test(name, body);
}

/** Declares a test whose body runs alone in a fresh network namespace. */
export function namespaceTest(name: string, body: () => Promise<void> | void): void {
  const wanted = process.env[CASE];
  if (wanted === undefined) {
    test(name, { skip: reasonToSkip() ?? false }, () => runInNamespace(name));
  } else if (wanted === name) {
    void runBody(body);
  }
}

async function runBody(body: () => Promise<void> | void): Promise<void> {
  try {
    await body();
  } catch (error) {
    process.stderr.write(`${error instanceof Error ? error.stack : String(error)}\n`);
    process.exit(1);
  }
}

async function runInNamespace(name: string): Promise<void> {
  const own = [process.execPath, '--enable-source-maps', '--expose-gc', process.argv[1] ?? ''];
  const unshare = ['--net', '--mount', '--propagation', 'private', 'sh', '-c', PREPARE, 'sh'];
  const env: NodeJS.ProcessEnv = { ...process.env, [CASE]: name, LC_ALL: 'C' };
  delete env.NODE_TEST_CONTEXT;
  const child = spawn('unshare', [...unshare, ...own], { env, stdio: ['ignore', 'pipe', 'pipe'] });
  let output = '';
  for (const stream of [child.stdout, child.stderr]) {
    stream.on('data', (data) => {
      output += data;
    });
  }
  const timer = setTimeout(() => child.kill('SIGKILL'), TIME_LIMIT_MS);
  const end = await new Promise<string>((resolve) => {
    child.on('error', (error) => resolve(error.message));
    child.on('close', (status, signal) => resolve(signal ?? `exit status ${status}`));
  });
  clearTimeout(timer);
  strictEqual(end, 'exit status 0', output);
}

/** Runs one command line of words without spaces, and returns what it printed. */
export function run(commandLine: string): string {
  const [program = '', ...args] = commandLine.split(' ');
  return execFileSync(program, args, { encoding: 'utf8', stdio: ['ignore', 'pipe', 'pipe'] });
}

/** How many descriptors of this process lead to a file whose path contains `part`. */
export function openFiles(part: string): number {
  const folder = '/proc/self/fd';
  return readdirSync(folder).filter((fd) => linkTarget(join(folder, fd)).includes(part)).length;
}

/** The descriptor that lists the folder is gone when its own entry is read. */
function linkTarget(path: string): string {
  return lstatSync(path, { throwIfNoEntry: false }) ? readlinkSync(path) : '';
}

/** Waits until `condition` holds, looking each millisecond; returns the milliseconds it took. */
export async function until(
  what: string,
  condition: () => boolean,
  limitMs = 3000,
): Promise<number> {
  const began = process.hrtime.bigint();
  for (;;) {
    const tookMs = Number(process.hrtime.bigint() - began) / 1e6;
    if (condition()) return tookMs;
    if (tookMs > limitMs) throw new Error(`after ${limitMs} ms still waiting for: ${what}`);
    await new Promise((resolve) => setTimeout(resolve, 1));
  }
}

/** A worker that runs `body` with the addon as `native`, `data`, and `post` for its messages. */
export function addonWorker(
  body: string,
  data: object = {},
): { worker: Worker; exit: Promise<number> } {
  const source = `
    const { parentPort, workerData: data } = require('node:worker_threads');
    const post = (message) => parentPort.postMessage(message);
    import(data.addon).then(({ default: native }) => { ${body} });`;
  const workerData = { ...data, addon: import.meta.resolve('#native') };
  const worker = new Worker(source, { eval: true, workerData });
  const exit = new Promise<number>((resolve) => worker.once('exit', resolve));
  return { worker, exit };
}
