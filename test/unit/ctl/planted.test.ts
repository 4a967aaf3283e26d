/**
 * What others may have put where the control socket is to be (T18): the server does not start, says
 * why, and has touched nothing: no inode, mode, owner, content or time has changed, and nothing new
 * stands there.
 */
import { deepEqual, equal, ok, rejects } from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import {
  chmodSync,
  chownSync,
  linkSync,
  lstatSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  readlinkSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { createServer, type Server } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import { exchange, requestBytes } from '../../siege/raw-http.ts';
import { ControlHarness } from './api/harness.ts';

const NOBODY = 65534;

/** Where a plant may grow: `run` is the socket's directory, which exists; `path` the socket. */
interface Ground {
  readonly top: string;
  readonly run: string;
  readonly path: string;
  /** Called in the end. */
  readonly cleanUp: (() => unknown)[];
}

/** Everything below `directory`, as far as one can see it without opening a door. */
function pictureOf(directory: string): string[] {
  return (readdirSync(directory, { recursive: true }) as string[]).sort().map((name) => {
    const path = join(directory, name);
    const { dev, ino, mode, nlink, uid, gid, size, mtimeMs, ctimeMs } = lstatSync(path);
    const stat = lstatSync(path);
    const inside = stat.isFile() ? readFileSync(path, 'utf8') : '';
    const target = stat.isSymbolicLink() ? readlinkSync(path) : '';
    return JSON.stringify({
      name,
      ...{ dev, ino, mode, nlink, uid, gid, size, mtimeMs, ctimeMs, inside, target },
    });
  });
}

function listenAt(path: string, ground: Ground): Promise<Server> {
  const server = createServer((socket) => socket.on('error', () => socket.destroy()));
  ground.cleanUp.push(() => server.close());
  return new Promise((resolve) => server.listen(path, () => resolve(server)));
}

/** A socket that nobody listens on. */
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

const NO_SOCKET = ['EEXIST', /exists and is not a socket/] as const;
const FIRST_NAME = ['EEXIST', /\.ipmpd\.sock\.\d+ exists and is not a socket/] as const;
const FOREIGN_SOCKET = ['EEXIST', /belongs to user 65534/] as const;
const WRITABLE = ['EPERM', /may be written by others/] as const;

const STATES: readonly (readonly [
  what: string,
  plant: (ground: Ground) => unknown,
  code: string,
  sentence: RegExp,
])[] = [
  ['a file', ({ path }) => writeFileSync(path, 'x'), ...NO_SOCKET],
  [
    'a second name of a precious file',
    (ground) => linkSync(precious(ground), ground.path),
    ...NO_SOCKET,
  ],
  ['a symlink to a file', (ground) => symlinkSync(precious(ground), ground.path), ...NO_SOCKET],
  [
    'a dangling symlink',
    ({ top, path }) => symlinkSync(join(top, 'not', 'there'), path),
    ...NO_SOCKET,
  ],
  [
    'a symlink to a stale socket',
    ({ top, path }) => {
      plantStale(join(top, 'stale'));
      symlinkSync(join(top, 'stale'), path);
    },
    ...NO_SOCKET,
  ],
  [
    'a symlink to a live socket',
    async (ground) => {
      await listenAt(join(ground.top, 'live'), ground);
      symlinkSync(join(ground.top, 'live'), ground.path);
    },
    ...NO_SOCKET,
  ],
  ['a directory', ({ path }) => mkdirSync(path), ...NO_SOCKET],
  ['a fifo', ({ path }) => execFileSync('mkfifo', [path]), ...NO_SOCKET],
  ['a device node', ({ path }) => execFileSync('mknod', [path, 'c', '1', '3']), ...NO_SOCKET],
  [
    'a stale socket of somebody else',
    ({ path }) => {
      plantStale(path);
      chownSync(path, NOBODY, NOBODY);
    },
    ...FOREIGN_SOCKET,
  ],
  [
    'a live socket of somebody else',
    async (ground) => {
      const server = await listenAt(ground.path, ground);
      server.on('connection', () => ok(false, 'nobody speaks to it'));
      chownSync(ground.path, NOBODY, NOBODY);
    },
    ...FOREIGN_SOCKET,
  ],
  [
    'a live socket of another program',
    async (ground) => listenAt(ground.path, ground),
    'EBUSY',
    /process \d+ listens on .* already/,
  ],
  [
    'a file in the way of the first name',
    (ground) => writeFileSync(temporaryOf(ground), 'x'),
    ...FIRST_NAME,
  ],
  [
    'a symlink in the way of the first name',
    (ground) => symlinkSync(precious(ground), temporaryOf(ground)),
    ...FIRST_NAME,
  ],
  ['a directory that all may write', ({ run }) => chmodSync(run, 0o777), ...WRITABLE],
  [
    'a directory that all may write, with the sticky bit',
    ({ run }) => chmodSync(run, 0o1777),
    ...WRITABLE,
  ],
  ['a directory that the group may write', ({ run }) => chmodSync(run, 0o775), ...WRITABLE],
  [
    'a directory of somebody else',
    ({ run }) => chownSync(run, NOBODY, NOBODY),
    'EPERM',
    /belongs to user 65534/,
  ],
  [
    'a symlink as directory',
    ({ top, run }) => {
      mkdirSync(join(top, 'elsewhere'));
      rmSync(run, { recursive: true });
      symlinkSync(join(top, 'elsewhere'), run);
    },
    'EPERM',
    /is not a directory/,
  ],
  [
    'a dangling symlink as directory',
    ({ top, run }) => {
      rmSync(run, { recursive: true });
      symlinkSync(join(top, 'elsewhere'), run);
    },
    'EPERM',
    /cannot be made: E/,
  ],
  [
    'a file as directory',
    ({ run }) => {
      rmSync(run, { recursive: true });
      writeFileSync(run, 'x');
    },
    'EPERM',
    /cannot be made: E/,
  ],
];

async function onGround(body: (ground: Ground) => Promise<void>): Promise<void> {
  const top = mkdtempSync(join(tmpdir(), 'ipmpd-planted-'));
  const run = join(top, 'run');
  mkdirSync(run, { mode: 0o755 });
  const ground: Ground = { top, run, path: join(run, 'ipmpd.sock'), cleanUp: [] };
  try {
    await body(ground);
  } finally {
    for (const step of ground.cleanUp) step();
    rmSync(top, { recursive: true, force: true });
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

/** The refusal to start; a server that does start is stopped, and that fails the test. */
async function refusalOf(socketPath: string): Promise<never> {
  await using daemon = await start(socketPath);
  throw new Error(`${daemon.socketPath} was taken`);
}

const isRoot = process.geteuid?.() === 0;

for (const [what, plant, code, message] of STATES) {
  test(`planted: ${what}`, { skip: !isRoot && 'owners and device nodes need root' }, async () => {
    await onGround(async (ground) => {
      await plant(ground);
      const before = pictureOf(ground.top);
      await rejects(refusalOf(ground.path), { name: 'OperatorError', code, message });
      deepEqual(pictureOf(ground.top), before);
    });
  });
}

async function serves(path: string): Promise<boolean> {
  const { judgement } = await exchange(path, requestBytes('GET', '/v1/groups'));
  return judgement.kind === 'valid';
}

test('planted: a live daemon, which goes on', async () => {
  await onGround(async ({ top, path }) => {
    await using first = await start(path);
    const before = pictureOf(top);
    await rejects(refusalOf(path), { code: 'EBUSY' });
    deepEqual(pictureOf(top), before);
    ok(await serves(first.socketPath));
  });
});

test('planted: a stale socket, and that of a killed predecessor of our process id', async () => {
  await onGround(async (ground) => {
    plantStale(ground.path);
    plantStale(temporaryOf(ground));
    const { ino } = lstatSync(ground.path);
    await using daemon = await start(ground.path);
    ok(lstatSync(ground.path).ino !== ino);
    deepEqual(readdirSync(ground.run), ['ipmpd.sock']);
    ok(await serves(daemon.socketPath));
  });
});

test('a path too long for a socket is refused, and nothing is bound elsewhere', async () => {
  await onGround(async ({ run }) => {
    const path = join(run, `${'x'.repeat(100)}.sock`);
    await rejects(refusalOf(path), { code: 'ENAMETOOLONG', message: /is too long by \d+ bytes$/ });
    deepEqual(readdirSync(run), []);
  });
});

test('the directories that are made may be entered by all, whatever the umask is', async () => {
  await onGround(async ({ top }) => {
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

test('a file above the directory', async () => {
  await onGround(async ({ top }) => {
    writeFileSync(join(top, 'file'), 'x');
    const before = pictureOf(top);
    const failing = refusalOf(join(top, 'file', 'run', 'ipmpd.sock'));
    await rejects(failing, { code: 'EPERM', message: /run cannot be made: ENOTDIR/ });
    deepEqual(pictureOf(top), before);
  });
});
