/**
 * A disk that does not answer: the thread that asks goes on, and is answered when the disk answers.
 * The disk is played by Node's own threads for files, all of which wait for FIFOs.
 */

import { deepEqual, equal } from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { closeSync, constants, openSync, rmSync } from 'node:fs';
import { open } from 'node:fs/promises';
import { join } from 'node:path';
import { test } from 'node:test';
import { nextTurn } from '../../../src/base/turns.ts';
import { systemGroupId } from '../../../src/ctl/api/socket.ts';
import { Files } from './files.ts';

/** Of Node for files, by default. */
const THREADS = Number(process.env.UV_THREADPOOL_SIZE ?? 4);
/** More than any of the calls takes when nothing keeps it waiting. */
const TURNS = 200;

const MAIN = 'interfaces: { net0: {} }\ngroups: { ipmp0: { interfaces: [net0] } }\n';
const EDIT = { path: ['groups', 'ipmp0', 'mtu'], value: 1300 };

/** Makes all file operations of this process wait until `answer` is called. */
function silentDisk(folder: string): { answer: () => Promise<void> } {
  const paths = Array.from({ length: THREADS }, (_, n) => join(folder, `fifo${n}`));
  execFileSync('mkfifo', paths);
  // What is asked for later waits behind these.
  const readers = paths.map((path) => open(path, constants.O_RDONLY));
  return {
    answer: async () => {
      const writers = paths.map((path) => openSync(path, constants.O_RDWR));
      for (const reader of readers) await (await reader).close();
      for (const writer of writers) closeSync(writer);
      for (const path of paths) rmSync(path);
    },
  };
}

async function isHeldUp(folder: string, ask: () => Promise<unknown>): Promise<boolean> {
  const disk = silentDisk(folder);
  let isAnswered = false;
  const asked = ask().finally(() => {
    isAnswered = true;
  });
  for (let turn = 0; turn < TURNS; turn++) await nextTurn();
  const wasHeldUp = !isAnswered;
  await disk.answer();
  await asked;
  return wasHeldUp;
}

test('a disk that does not answer keeps what needs it waiting, and nothing else', async () => {
  using files = new Files(MAIN);
  const store = await files.open();
  const proposal = await store.propose([EDIT], true);
  const asks: Record<string, () => Promise<unknown>> = {
    start: () => files.open(),
    reload: () => store.reread(),
    propose: () => store.propose([EDIT], true),
    save: () => store.commit(proposal),
    operators: () => systemGroupId('root'),
    // Only what needs a file waits for one.
    command: () => store.propose([EDIT], false),
  };
  const held: string[] = [];
  for (const [name, ask] of Object.entries(asks)) {
    if (await isHeldUp(files.folder, ask)) held.push(name);
  }
  deepEqual(held, ['start', 'reload', 'propose', 'save', 'operators']);
  equal((await files.open()).config.groups[0]?.mtu, 1300);
});
