/** Calls on threads of their own: results, errors, one that hangs, and the end of the process. */

import { deepEqual, equal, match, rejects, throws } from 'node:assert/strict';
import { execFileSync, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { createWriteStream, writeFileSync } from 'node:fs';
import { open } from 'node:fs/promises';
import { join } from 'node:path';
import { type TestContext, test } from 'node:test';
import { failedWith, native } from '../../src/native/addon.ts';
import { testFolder } from '../tools/folder.ts';
import { addonWorker } from './namespace.ts';

const { later } = native;
/** More than have threads at one time. */
const MANY = 200;
/** Ours: a program that does nothing but load the addon ends in a tenth of it. */
const EXIT_MS = 5000;

/** A folder with a pipe: an open for reading waits for a writer. */
class Pipe {
  readonly folder;
  readonly path;

  constructor(t: TestContext) {
    this.folder = testFolder(t);
    this.path = join(this.folder, 'pipe');
    execFileSync('mkfifo', [this.path]);
  }

  read(): Promise<string> {
    return later.filesRead(this.folder, 'pipe');
  }

  /** Lets the readers go on, and waits for them. */
  async release(readers: readonly Promise<string>[]): Promise<void> {
    const writer = createWriteStream(this.path);
    const closed = once(writer, 'close');
    writer.end('x');
    await Promise.all([closed, ...readers]);
  }
}

test('the texts of several files, one after the other', async (t) => {
  const folder = testFolder(t);
  writeFileSync(join(folder, 'a'), 'one\n');
  writeFileSync(join(folder, 'b'), 'two\n');
  equal(await later.filesRead(folder, 'a b a'), 'one\ntwo\none\n');
  await later.fileWrite(join(folder, 'a'), 'ONE\n');
  equal(native.filesRead(folder, 'a'), 'ONE\n');
  deepEqual((await later.folderList(folder)).split('\n').sort(), ['', 'a', 'b']);
  writeFileSync(join(folder, 'a'), 'x'.repeat(5000));
  await rejects(later.filesRead(folder, 'a'), { code: 'EFBIG', syscall: 'read' });
});

test('a failed call has errno, name and call; a wrong argument throws at once', async () => {
  await rejects(later.filesRead('/nowhere/at/all', 'a'), { code: 'ENOENT', syscall: 'open' });
  await rejects(later.deviceClose(-1), (error) => failedWith(error, 'EBADF') && error.errno === 9);
  throws(() => later.deviceClose('x' as unknown as number), { code: 'ERR_INVALID_ARG_TYPE' });
  throws(() => later.filesRead('/proc\0self', 'comm'), /folder: string without an octet 0/);
});

test('calls that hang keep their threads; others of both lanes go on', async (t) => {
  const pipe = new Pipe(t);
  const hanging = Array.from({ length: 20 }, () => pipe.read());
  match(await later.filesRead('/proc/self', 'status'), /^Name:/);
  await rejects(later.deviceClose(-1), { code: 'EBADF' });
  await pipe.release(hanging);
});

test('more calls than there are threads wait their turn, and none is lost', async () => {
  const texts = Array.from({ length: MANY }, () => later.filesRead('/proc/self', 'comm'));
  const seen = new Set(await Promise.all(texts));
  equal(seen.size, 1);
});

test('a call under way keeps the process, but not its end', (t) => {
  const pipe = new Pipe(t);
  const addon = JSON.stringify(import.meta.resolve('#native'));
  const hang = `native.later.filesRead(${JSON.stringify(pipe.folder)}, 'pipe')`;
  const run = (body: string, timeout: number) =>
    spawnSync(
      process.execPath,
      ['--input-type=module', '-e', `import native from ${addon};\n${body}`],
      { timeout, killSignal: 'SIGKILL' },
    );
  equal(run(`${hang}; process.exit(3);`, EXIT_MS).status, 3);
  equal(run(`${hang};`, 1000).signal, 'SIGKILL', 'it waits for the answer');
  equal(run(`await native.later.folderList('/');`, EXIT_MS).status, 0);
  equal(run(`${hang}; native.laterAbandon(); ${hang};`, EXIT_MS).status, 0);
});

test('a worker ends although a call of it hangs', async (t) => {
  const pipe = new Pipe(t);
  const { worker } = addonWorker(
    `native.later.filesRead(data.folder, 'pipe');
    post('hangs');`,
    { folder: pipe.folder },
  );
  await once(worker, 'message');
  // Opens when the call reads: one that waits for a thread would be called off by the end.
  const writer = await open(pipe.path, 'w');
  equal(await worker.terminate(), 1);
  await writer.close();
});

test('a call for which there is no thread is refused as a Promise', () => {
  const addon = JSON.stringify(import.meta.resolve('#native'));
  const body = `
    import { spawnSync } from 'node:child_process';
    import { readFileSync } from 'node:fs';
    import native from ${addon};
    const limit = (words) => spawnSync('prlimit', ['--pid', String(process.pid), ...words]);
    const [, size] = /^VmSize:\\s*(\\d+) kB$/m.exec(readFileSync('/proc/self/status', 'latin1'));
    limit(['--as=' + Number(size) * 1024 + ':unlimited']);
    const call = native.later.folderList('/');
    const end = call.then(() => 'done', ({ code, syscall }) => code + ' ' + syscall);
    limit(['--as=unlimited:unlimited']);
    process.stdout.write(await end);
    process.stdout.write(typeof (await native.later.folderList('/')));`;
  const words = ['--input-type=module', '-e', body];
  const { stdout, stderr } = spawnSync(process.execPath, words, { timeout: EXIT_MS });
  equal(String(stdout), 'EAGAIN pthread_createstring', String(stderr));
});
