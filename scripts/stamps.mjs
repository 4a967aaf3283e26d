/**
 * What makes set-up quick and safe to repeat: a stamp (digest of the inputs) for each step that was
 * done, and one lock, so that two set-ups of the same checkout wait for each other.
 */

import { createHash } from 'node:crypto';
import { mkdirSync, readdirSync, readFileSync, renameSync, statSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:net';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';

/** The root of the checkout. */
export const root = fileURLToPath(new URL('..', import.meta.url)).replace(/\/$/, '');

const STATE = join(root, 'build');
const STAMPS = join(STATE, 'stamps.json');

/** Ours: a set-up from nothing takes about a minute; a wait longer than this is given up. */
const LOCK_WAIT_MS = 600_000;
const LOCK_POLL_MS = 100;

/** Digest of files (relative to the root; folders by their files, recursively) and of `extra`. */
export function digest(paths, endings, extra = '') {
  const hash = createHash('sha256').update(extra);
  for (const file of paths.flatMap((path) => filesUnder(path, endings)).sort()) {
    hash.update(`\0${file}\0`).update(readFileSync(join(root, file)));
  }
  return hash.digest('hex');
}

function filesUnder(path, endings) {
  const found = statSync(join(root, path), { throwIfNoEntry: false });
  if (found === undefined) return [];
  if (!found.isDirectory()) return [path];
  return readdirSync(join(root, path), { withFileTypes: true }).flatMap((entry) => {
    const child = `${path}/${entry.name}`;
    if (entry.isDirectory()) {
      return entry.name === 'build' ? [] : filesUnder(child, endings);
    }
    return endings.some((ending) => entry.name.endsWith(ending)) ? [child] : [];
  });
}

/** All stamps that were written, by name of step. A broken file counts as none. */
export function readStamps() {
  try {
    return JSON.parse(readFileSync(STAMPS, 'utf8'));
  } catch (error) {
    if (error.code === 'ENOENT' || error instanceof SyntaxError) return {};
    throw error;
  }
}

/** Records that `step` was done with these inputs, atomically. */
export function writeStamp(step, value) {
  mkdirSync(STATE, { recursive: true });
  const next = `${STAMPS}.${process.pid}`;
  writeFileSync(next, `${JSON.stringify({ ...readStamps(), [step]: value }, null, 2)}\n`);
  renameSync(next, STAMPS);
}

/**
 * Runs `body` as the only set-up of this checkout; `onWait` is called once if another one runs.
 * The lock is the name of an abstract Unix socket: the kernel gives it back when its holder dies.
 */
export async function withLock(onWait, body) {
  const giveUpAt = Date.now() + LOCK_WAIT_MS;
  let lock = await takeLock();
  if (lock === undefined) onWait();
  while (lock === undefined) {
    if (Date.now() > giveUpAt) throw new Error('another set-up of this checkout takes too long');
    await sleep(LOCK_POLL_MS);
    lock = await takeLock();
  }
  try {
    return await body();
  } finally {
    lock.close();
  }
}

function takeLock() {
  const name = `\0ipmpd-set-up-${createHash('sha256').update(root).digest('hex').slice(0, 32)}`;
  return new Promise((resolve, reject) => {
    const server = createServer((socket) => socket.destroy());
    server.once('error', (error) =>
      error.code === 'EADDRINUSE' ? resolve(undefined) : reject(error),
    );
    server.listen(name, () => resolve(server));
  });
}
