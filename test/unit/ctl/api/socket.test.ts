/** The socket's place: twelve states that the daemon may find there, and what it leaves behind. */
import { deepEqual, equal, match, rejects } from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import {
  chmodSync,
  existsSync,
  lstatSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { createServer, type Server } from 'node:net';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { test } from 'node:test';
import { OperatorError } from '../../../../src/base/errors.ts';
import { SocketPlace, systemGroupId } from '../../../../src/ctl/api/socket.ts';
import { controlHarness } from './harness.ts';

const peerCredentials = () => ({ pid: 4711, uid: 0, gid: 0, groups: [] });

/** Runs `body` with a path in a fresh directory, which is removed afterwards. */
async function inDirectory(body: (path: string) => Promise<void>): Promise<void> {
  const directory = mkdtempSync(join(tmpdir(), 'ipmpd-socket-'));
  try {
    await body(join(directory, 'ipmpd.sock'));
  } finally {
    rmSync(directory, { recursive: true, force: true });
  }
}

function listenAt(path: string): Promise<Server> {
  const server = createServer();
  return new Promise((resolve) => server.listen(path, () => resolve(server)));
}

/** A socket file that nobody listens on. */
async function plantStale(path: string): Promise<void> {
  const script = `require('net').createServer().listen(${JSON.stringify(path)}, () =>
    process.kill(process.pid, 'SIGKILL'))`;
  try {
    execFileSync(process.execPath, ['-e', script], { stdio: 'ignore' });
  } catch (error) {
    equal((error as { signal: string }).signal, 'SIGKILL');
  }
}

async function prepared(path: string): Promise<string> {
  try {
    await new SocketPlace(path).prepare(peerCredentials);
    return 'taken';
  } catch (error) {
    if (!(error instanceof OperatorError)) throw error;
    return `${error.code}: ${error.message.replace(dirname(path), 'DIR')}`;
  }
}

const CANNOT = 'cannot open the control socket:';

const STATES: readonly (readonly [
  what: string,
  plant: (path: string) => Promise<unknown> | unknown,
  outcome: string,
])[] = [
  ['nothing', () => undefined, 'taken'],
  ['no directory', (path) => rmSync(dirname(path), { recursive: true }), 'taken'],
  ['a stale socket', plantStale, 'taken'],
  ['a live daemon', listenAt, `EBUSY: ${CANNOT} process 4711 listens on DIR/ipmpd.sock already`],
  [
    'a file',
    (path) => writeFileSync(path, 'precious'),
    `EEXIST: ${CANNOT} DIR/ipmpd.sock exists and is not a socket`,
  ],
  [
    'a directory',
    (path) => mkdirSync(path),
    `EEXIST: ${CANNOT} DIR/ipmpd.sock exists and is not a socket`,
  ],
  [
    'a fifo',
    (path) => execFileSync('mkfifo', [path]),
    `EEXIST: ${CANNOT} DIR/ipmpd.sock exists and is not a socket`,
  ],
  [
    'a symlink to a file',
    (path) => symlinkSync('/etc/passwd', path),
    `EEXIST: ${CANNOT} DIR/ipmpd.sock exists and is not a socket`,
  ],
  [
    'a dangling symlink',
    (path) => symlinkSync('/nonexistent/x', path),
    `EEXIST: ${CANNOT} DIR/ipmpd.sock exists and is not a socket`,
  ],
  [
    'a directory that all may write',
    (path) => chmodSync(dirname(path), 0o777),
    `EPERM: ${CANNOT} DIR may be written by others`,
  ],
  [
    'a directory that the group may write',
    (path) => chmodSync(dirname(path), 0o775),
    `EPERM: ${CANNOT} DIR may be written by others`,
  ],
];

for (const [what, plant, outcome] of STATES) {
  test(`found: ${what}`, async () => {
    await inDirectory(async (path) => {
      const planted = await plant(path);
      const before = existsSync(dirname(path)) ? readdirSync(dirname(path)) : [];
      equal(await prepared(path), outcome);
      if (outcome !== 'taken') deepEqual(readdirSync(dirname(path)), before);
      (planted as Server | undefined)?.close?.();
    });
  });
}

test('found: a socket of another user', { skip: process.geteuid?.() !== 0 }, async () => {
  await inDirectory(async (path) => {
    await plantStale(path);
    execFileSync('chown', ['65534', path]);
    equal(await prepared(path), `EEXIST: ${CANNOT} DIR/ipmpd.sock belongs to user 65534`);
  });
});

test('found: a symlink as directory', async () => {
  await inDirectory(async (path) => {
    const link = join(dirname(path), 'link');
    symlinkSync('/tmp', link);
    match(await prepared(join(link, 'x.sock')), /^EPERM: .* is not a directory$/);
  });
});

test('[contract 5.5] the socket appears complete: directory 0755, socket 0666', async () => {
  await using daemon = await controlHarness();
  const directory = dirname(daemon.socketPath);
  equal(lstatSync(directory).mode & 0o777, 0o755);
  equal(lstatSync(daemon.socketPath).mode & 0o777, 0o666);
  deepEqual(readdirSync(directory), ['ipmpd.sock']);
  await rejects(daemon.start(), { code: 'EBUSY' });
  await daemon.stop();
  deepEqual(readdirSync(directory), []);
});

test('at the end only our own socket is removed', async () => {
  await using daemon = await controlHarness();
  rmSync(daemon.socketPath);
  writeFileSync(daemon.socketPath, 'somebody else’s');
  await daemon.stop();
  equal(readFileSync(daemon.socketPath, 'utf8'), 'somebody else’s');
});

test('the number of a system group', async () => {
  await inDirectory(async (path) => {
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
