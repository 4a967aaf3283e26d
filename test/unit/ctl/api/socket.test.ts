/**
 * The place of the control socket: what other users or processes may have put there (T18), what
 * the server makes of it, and what it leaves behind. A server that does not start gives the reason
 * and has touched nothing: no inode, mode, owner, content or time has changed, and nothing new
 * is there.
 */
import { deepEqual, equal, match, ok, rejects } from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import {
  chmodSync,
  chownSync,
  linkSync,
  lstatSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  readlinkSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { createServer, type Server } from 'node:net';
import { dirname, join } from 'node:path';
import { type TestContext, test } from 'node:test';
import { OperatorError } from '../../../../src/base/errors.ts';
import { systemGroupId } from '../../../../src/ctl/api/socket.ts';
import { exchange, requestBytes } from '../../../siege/raw-http.ts';
import { testFolder } from '../../../tools/folder.ts';
import { ControlHarness, controlHarness } from './harness.ts';

const NOBODY = 65534;

/** A place for a plant: `run` is the socket's directory, which exists; `path` the socket. */
interface Ground {
  readonly top: string;
  readonly run: string;
  path: string;
  /** Called in the end. */
  readonly cleanUp: (() => unknown)[];
}

/** Everything below `directory`, as far as it can be seen without opening a device or a socket. */
function pictureOf(directory: string): string[] {
  return (readdirSync(directory, { recursive: true }) as string[]).sort().map((name) => {
    const path = join(directory, name);
    const stat = lstatSync(path);
    const { dev, ino, mode, nlink, uid, gid, size, mtimeMs, ctimeMs } = stat;
    const inside = stat.isFile() ? readFileSync(path, 'utf8') : '';
    const target = stat.isSymbolicLink() ? readlinkSync(path) : '';
    const fields = { dev, ino, mode, nlink, uid, gid, size, mtimeMs, ctimeMs, inside, target };
    return JSON.stringify({ name, ...fields });
  });
}

function listenAt(path: string, ground: Ground): Promise<Server> {
  const server = createServer((socket) => socket.on('error', () => socket.destroy()));
  ground.cleanUp.push(() => server.close());
  return new Promise((resolve) => server.listen(path, () => resolve(server)));
}

/** A socket without a listener. */
function plantStale(path: string): void {
  const script = `require('net').createServer().listen(${JSON.stringify(path)}, () =>
    process.kill(process.pid, 'SIGKILL'))`;
  try {
    execFileSync(process.execPath, ['-e', script], { stdio: 'ignore' });
  } catch (error) {
    equal((error as { signal: string }).signal, 'SIGKILL');
  }
}

/** The name under which the server binds first. */
function temporaryOf({ run }: Ground): string {
  return join(run, `.ipmpd.sock.${process.pid}`);
}

function precious(ground: Ground): string {
  const file = join(ground.top, 'precious');
  writeFileSync(file, 'precious');
  return file;
}

/** Puts something else in the place of the directory. */
function replaceRun({ run }: Ground, by: (run: string) => unknown): void {
  rmSync(run, { recursive: true });
  by(run);
}

const NO_SOCKET = 'EEXIST RUN/ipmpd.sock exists and is not a socket';
const NO_FIRST_SOCKET = `EEXIST RUN/.ipmpd.sock.${process.pid} exists and is not a socket`;
const FOREIGN_SOCKET = `EEXIST RUN/ipmpd.sock belongs to user ${NOBODY}`;
const WRITABLE = 'EPERM RUN may be written by others';

const PLANTED: readonly (readonly [
  what: string,
  plant: (ground: Ground) => unknown,
  refusal: string,
])[] = [
  ['a file', ({ path }) => writeFileSync(path, 'x'), NO_SOCKET],
  ['a second name of a file', (ground) => linkSync(precious(ground), ground.path), NO_SOCKET],
  ['a symlink to a file', (ground) => symlinkSync(precious(ground), ground.path), NO_SOCKET],
  ['a dangling symlink', ({ top, path }) => symlinkSync(join(top, 'not', 'x'), path), NO_SOCKET],
  [
    'a symlink to a stale socket',
    ({ top, path }) => {
      plantStale(join(top, 'stale'));
      symlinkSync(join(top, 'stale'), path);
    },
    NO_SOCKET,
  ],
  [
    'a symlink to a live socket',
    async (ground) => {
      await listenAt(join(ground.top, 'live'), ground);
      symlinkSync(join(ground.top, 'live'), ground.path);
    },
    NO_SOCKET,
  ],
  ['a directory', ({ path }) => mkdirSync(path), NO_SOCKET],
  ['a fifo', ({ path }) => execFileSync('mkfifo', [path]), NO_SOCKET],
  ['a device node', ({ path }) => execFileSync('mknod', [path, 'c', '1', '3']), NO_SOCKET],
  [
    'a stale socket of another user',
    ({ path }) => {
      plantStale(path);
      chownSync(path, NOBODY, NOBODY);
    },
    FOREIGN_SOCKET,
  ],
  [
    'a live socket of another user',
    async (ground) => {
      const server = await listenAt(ground.path, ground);
      server.on('connection', () => ok(false, 'no connection is made to it'));
      chownSync(ground.path, NOBODY, NOBODY);
    },
    FOREIGN_SOCKET,
  ],
  [
    'a live socket of another program',
    (ground) => listenAt(ground.path, ground),
    `EBUSY process ${process.pid} listens on RUN/ipmpd.sock already`,
  ],
  ['a file at the first name', (at) => writeFileSync(temporaryOf(at), 'x'), NO_FIRST_SOCKET],
  [
    'a symlink at the first name',
    (ground) => symlinkSync(precious(ground), temporaryOf(ground)),
    NO_FIRST_SOCKET,
  ],
  ['a directory that all may write', ({ run }) => chmodSync(run, 0o777), WRITABLE],
  ['a directory as /tmp, with the sticky bit', ({ run }) => chmodSync(run, 0o1777), WRITABLE],
  ['a directory that the group may write', ({ run }) => chmodSync(run, 0o775), WRITABLE],
  [
    'a directory of another user',
    ({ run }) => chownSync(run, NOBODY, NOBODY),
    `EPERM RUN belongs to user ${NOBODY}`,
  ],
  [
    'a symlink as directory',
    (ground) => {
      mkdirSync(join(ground.top, 'elsewhere'));
      replaceRun(ground, (run) => symlinkSync(join(ground.top, 'elsewhere'), run));
    },
    'EPERM RUN is not a directory',
  ],
  [
    'a dangling symlink as directory',
    (ground) => replaceRun(ground, (run) => symlinkSync(join(ground.top, 'elsewhere'), run)),
    'EPERM RUN cannot be made: E',
  ],
  [
    'a file as directory',
    (ground) => replaceRun(ground, (run) => writeFileSync(run, 'x')),
    'EPERM RUN cannot be made: E',
  ],
  [
    'a file above the directory',
    (ground) => {
      writeFileSync(join(ground.top, 'file'), 'x');
      ground.path = join(ground.top, 'file', 'run', 'ipmpd.sock');
    },
    'EPERM TOP/file/run cannot be made: ENOTDIR',
  ],
];

async function onGround(t: TestContext, body: (ground: Ground) => Promise<void>): Promise<void> {
  const top = testFolder(t);
  const run = join(top, 'run');
  mkdirSync(run, { mode: 0o755 });
  const ground: Ground = { top, run, path: join(run, 'ipmpd.sock'), cleanUp: [] };
  try {
    await body(ground);
  } finally {
    for (const step of ground.cleanUp) step();
  }
}

/** Starts a server whose socket is to be `socketPath`. */
async function start(socketPath: string): Promise<ControlHarness> {
  const daemon = new ControlHarness();
  Object.defineProperty(daemon, 'socketPath', { value: socketPath });
  try {
    await daemon.start();
  } catch (error) {
    await daemon[Symbol.asyncDispose]();
    throw error;
  }
  return daemon;
}

/** Code and sentence of the refusal to start; a server that does start is stopped. */
async function refusalOf({ path, run, top }: Ground): Promise<string> {
  try {
    await using daemon = await start(path);
    return `${daemon.socketPath} was taken`;
  } catch (error) {
    if (!(error instanceof OperatorError)) throw error;
    const sentence = error.message.replace(/^cannot open the control socket: /, '');
    return `${error.code} ${sentence.replace(run, 'RUN').replace(top, 'TOP')}`;
  }
}

for (const [what, plant, refusal] of PLANTED) {
  const isForRoot = /another user|device node/.test(what) && process.geteuid?.() !== 0;
  test(`planted: ${what}`, { skip: isForRoot && 'needs root' }, async (t) => {
    await onGround(t, async (ground) => {
      await plant(ground);
      const before = pictureOf(ground.top);
      const given = await refusalOf(ground);
      equal(/made: E/.test(refusal) ? given.slice(0, refusal.length) : given, refusal);
      deepEqual(pictureOf(ground.top), before);
    });
  });
}

async function serves(path: string): Promise<boolean> {
  const { judgement } = await exchange(path, requestBytes('GET', '/v1/groups'));
  return judgement.kind === 'valid';
}

test('planted: a live daemon, which goes on', async (t) => {
  await onGround(t, async (ground) => {
    await using first = await start(ground.path);
    const before = pictureOf(ground.top);
    ok((await refusalOf(ground)).startsWith('EBUSY '));
    deepEqual(pictureOf(ground.top), before);
    ok(await serves(first.socketPath));
  });
});

test('planted: a stale socket, and that of a killed predecessor of our process id', async (t) => {
  await onGround(t, async (ground) => {
    plantStale(ground.path);
    plantStale(temporaryOf(ground));
    const { ino } = lstatSync(ground.path);
    await using daemon = await start(ground.path);
    ok(lstatSync(ground.path).ino !== ino);
    deepEqual(readdirSync(ground.run), ['ipmpd.sock']);
    ok(await serves(daemon.socketPath));
  });
});

test('a path too long for a socket is refused, and nothing is bound elsewhere', async (t) => {
  await onGround(t, async (ground) => {
    ground.path = join(ground.run, `${'x'.repeat(100)}.sock`);
    match(await refusalOf(ground), /^ENAMETOOLONG .* is too long by \d+ bytes$/);
    deepEqual(readdirSync(ground.run), []);
  });
});

test('the directories that are made may be entered by all, whatever the umask is', async (t) => {
  await onGround(t, async ({ top }) => {
    const umask = process.umask(0o077);
    try {
      await using daemon = await start(join(top, 'a', 'b', 'ipmpd.sock'));
      for (const directory of ['a', 'a/b']) {
        equal(lstatSync(join(top, directory)).mode & 0o7777, 0o755, directory);
      }
      equal(lstatSync(daemon.socketPath).mode & 0o7777, 0o666);
    } finally {
      process.umask(umask);
    }
  });
});

test('[contract 5.5] the socket appears complete: directory 0755, socket 0666', async () => {
  await using daemon = await controlHarness();
  const directory = dirname(daemon.socketPath);
  equal(lstatSync(directory).mode & 0o777, 0o755);
  equal(lstatSync(daemon.socketPath).mode & 0o777, 0o666);
  deepEqual(readdirSync(directory), ['ipmpd.sock']);
  await daemon.stop();
  deepEqual(readdirSync(directory), []);
});

test('at the end only our own socket is removed', async () => {
  await using daemon = await controlHarness();
  rmSync(daemon.socketPath);
  writeFileSync(daemon.socketPath, 'of another program');
  await daemon.stop();
  equal(readFileSync(daemon.socketPath, 'utf8'), 'of another program');
});

test('the number of a system group', async (t) => {
  await onGround(t, async ({ path }) => {
    writeFileSync(path, 'root:x:0:\nipmp:x:977:alice,bob\nbad:x::\n');
    equal(await systemGroupId('ipmp', path), 977);
    equal(await systemGroupId('root', path), 0);
    equal(await systemGroupId('nosuch', path), undefined);
    equal(await systemGroupId('bad', path), undefined);
    equal(await systemGroupId('root', `${path}.not-there`), undefined);
    const refusal = { code: 'EIO', message: `${dirname(path)} cannot be read: EISDIR` };
    await rejects(systemGroupId('root', dirname(path)), refusal);
  });
});
