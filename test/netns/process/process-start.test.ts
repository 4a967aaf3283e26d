/**
 * The first and the last moments of the programs: signals that come before anything is loaded, a
 * reader or a terminal that goes away, and the debugger that must never open.
 */

import { deepEqual, equal, match, ok } from 'node:assert/strict';
import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import {
  chmodSync,
  existsSync,
  mkdirSync,
  readFileSync,
  readlinkSync,
  writeFileSync,
} from 'node:fs';
import { join } from 'node:path';
import { after, before, test } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { execute } from '../../../src/lab/command.ts';
import { until } from '../../../src/lab/until.ts';
import { Workspace } from '../../../src/lab/workspace.ts';

const program = (name: string): string =>
  fileURLToPath(new URL(`../../../src/${name}.js`, import.meta.url));
/** SIGUSR1 in a mask of /proc/PID/status. */
const USR1 = 1n << 9n;
const ROUNDS = 3;
const PATIENCE_MS = 20_000;

let workspace: Workspace;
let config: string;

before(async () => {
  workspace = new Workspace();
  await workspace.addNamespace('host', { ipv6: false });
  config = join(workspace.folder, 'quiet.yaml');
  writeFileSync(config, JSON.stringify({ metrics: { listen: 'off' } }));
});
after(() => workspace?.close());

function daemonArguments(name: string): string[] {
  return ['--config', config, '--socket', join(workspace.folder, name, 'ipmpd.sock')];
}

/** Runs a program by its first line, as an installed one is run. */
function startByFirstLine(name: string, ...args: readonly string[]): ChildProcess {
  const file = program(name);
  chmodSync(file, 0o755);
  return workspace.start([file, ...args], { role: 'host', orderly: true });
}

function outputOf(child: ChildProcess): () => string {
  let text = '';
  for (const stream of [child.stdout, child.stderr]) {
    stream?.setEncoding('utf8').on('data', (chunk: string) => {
      text += chunk;
    });
  }
  return () => text;
}

/** Waits until the process, whatever it was before, is Node and takes SIGUSR1. */
async function takesSignals(child: ChildProcess): Promise<void> {
  await until('SIGUSR1 is taken', PATIENCE_MS, () => {
    const status = readFileSync(`/proc/${child.pid}/status`, 'latin1');
    const mask = /^SigCgt:\s*([0-9a-f]+)$/m.exec(status)?.[1] ?? '0';
    return (BigInt(`0x${mask}`) & USR1) !== 0n;
  });
}

/** Nothing once the process has ended. */
function connectionsOf(pid: number): string {
  try {
    return readFileSync(`/proc/${pid}/net/tcp`, 'latin1');
  } catch (error) {
    if (!['ENOENT', 'ESRCH', 'EINVAL'].includes(String((error as NodeJS.ErrnoException).code))) {
      throw error;
    }
    return '';
  }
}

/** TCP ports on which somebody listens in the namespace of a process. */
function listening(pid: number): number[] {
  const [, ...rows] = connectionsOf(pid).trimEnd().split('\n');
  return rows.flatMap((row) => {
    const [, local = '', , state] = row.trim().split(/\s+/);
    return state === '0A' ? [Number.parseInt(local.split(':')[1] ?? '', 16)] : [];
  });
}

test('[contract 2.7] SIGUSR1 from the first moment on opens no debugger', async () => {
  for (let round = 0; round < ROUNDS; round++) {
    const daemon = startByFirstLine('ipmpd', ...daemonArguments(`usr1-${round}`));
    const output = outputOf(daemon);
    const ended = once(daemon, 'close');
    await takesSignals(daemon);
    const seen = new Set<number>();
    while (!output().includes('"event":"dump-statistics"')) {
      daemon.kill('SIGUSR1');
      for (const port of listening(daemon.pid ?? 0)) seen.add(port);
      equal(daemon.exitCode, null, output());
      await sleep(0);
    }
    daemon.kill('SIGTERM');
    deepEqual(await ended, [0, null], output());
    deepEqual([...seen], []);
    ok(!output().includes('Debugger listening'), output());
  }
});

for (const tool of ['ipmpadm', 'ipmpstat', 'if_mpadm']) {
  test(`SIGUSR1 opens no debugger in ${tool}`, async () => {
    const child = startByFirstLine(tool, '--socket', '/nonexistent/sock', '-d', 'net0');
    const output = outputOf(child);
    const ended = once(child, 'close');
    const seen = new Set<number>();
    await takesSignals(child);
    while (child.exitCode === null && child.signalCode === null) {
      child.kill('SIGUSR1');
      for (const port of listening(child.pid ?? 0)) seen.add(port);
      await sleep(0);
    }
    await ended;
    deepEqual([...seen], []);
    ok(!output().includes('Debugger listening'), output());
  });
}

test('[contract 2.5] TERM before anything is loaded ends it with 0', async () => {
  for (let round = 0; round < ROUNDS; round++) {
    const daemon = startByFirstLine('ipmpd', ...daemonArguments(`term-${round}`));
    const output = outputOf(daemon);
    const ended = once(daemon, 'close');
    // The last of its handlers that are installed together.
    await takesOwnSignals(daemon);
    daemon.kill('SIGTERM');
    deepEqual(await ended, [0, null], output());
  }
});

/** Waits for the handlers of the program itself: SIGTERM is not taken by Node. */
async function takesOwnSignals(child: ChildProcess): Promise<void> {
  await until('SIGTERM is taken', PATIENCE_MS, () => {
    const status = readFileSync(`/proc/${child.pid}/status`, 'latin1');
    const mask = BigInt(`0x${/^SigCgt:\s*([0-9a-f]+)$/m.exec(status)?.[1] ?? '0'}`);
    return (mask & (1n << 14n)) !== 0n && (mask & 1n) !== 0n && (mask & USR1) !== 0n;
  });
}

test('[contract 2.5] TERM before it serves: it does not serve after that', async () => {
  for (let round = 0; round < ROUNDS; round++) {
    const journal = join(workspace.folder, `late-${round}`, 'ipmpd.sock.journal');
    const daemon = startByFirstLine('ipmpd', ...daemonArguments(`late-${round}`));
    const output = outputOf(daemon);
    const ended = once(daemon, 'close');
    // Loading what serves the socket takes most of the time from here on.
    await until('it may change the host', PATIENCE_MS, () => existsSync(journal));
    daemon.kill('SIGTERM');
    deepEqual(await ended, [0, null], output());
    const [signal, ready] = ['signal', 'ready'].map((name) =>
      output().indexOf(`"event":"${name}"`),
    );
    ok(ready === -1 || Number(ready) < Number(signal), output());
  }
});

test('[contract 2.6] HUP before it serves is a reload when it does', async () => {
  const daemon = startByFirstLine('ipmpd', ...daemonArguments('hup'));
  const output = outputOf(daemon);
  const ended = once(daemon, 'close');
  await takesOwnSignals(daemon);
  daemon.kill('SIGHUP');
  await until('it has reloaded', PATIENCE_MS, () => output().includes('"event":"reloaded"'));
  daemon.kill('SIGTERM');
  deepEqual(await ended, [0, null], output());
});

test('[contract 2.4] a start that fails ends with 1 also when nobody reads stdout', async () => {
  const open = join(workspace.folder, 'open');
  mkdirSync(open);
  chmodSync(open, 0o777);
  const words = [process.execPath, program('ipmpd'), '--config', config, '--socket'];
  const script = `{ "$@" 2>/dev/null; echo $? > "$STATUS"; } | true`;
  const status = join(workspace.folder, 'status');
  const argv = ['sh', '-c', script, '-', ...words, join(open, 'ipmpd.sock')];
  const inside = ['ip', 'netns', 'exec', workspace.namespaceOf('host')];
  const run = await execute(['env', `STATUS=${status}`, 'timeout', '60', ...inside, ...argv]);
  equal(run.status, 0, run.stderr);
  equal(readFileSync(status, 'utf8'), '1\n');
});

test('[contract 2.4] TERM after the terminal is gone ends it with 0', async () => {
  const pidFile = join(workspace.folder, 'terminal.pid');
  const statusFile = join(workspace.folder, 'terminal.status');
  const words = [process.execPath, program('ipmpd'), ...daemonArguments('terminal')];
  // The shell outlives its terminal, to tell how the daemon ended.
  const shell = `trap '' HUP; ${words.map((word) => `'${word}'`).join(' ')} &
    echo $! > '${pidFile}'; wait $!; echo $? > '${statusFile}'`;
  const terminal = spawn(
    'ip',
    ['netns', 'exec', workspace.namespaceOf('host'), 'script', '-qec', shell, '/dev/null'],
    { stdio: ['ignore', 'pipe', 'inherit'] },
  );
  const output = outputOf(terminal);
  await until('it serves', PATIENCE_MS, () => /serves 0 groups/.test(output()));
  terminal.kill('SIGKILL');
  const pid = Number(readFileSync(pidFile, 'utf8'));
  await until('the terminal is gone', PATIENCE_MS, () => {
    return readlinkSync(`/proc/${pid}/fd/1`).endsWith('(deleted)');
  });
  process.kill(pid, 'SIGTERM');
  const status = await until('it has ended', PATIENCE_MS, () => {
    const text = readFileSync(statusFile, 'utf8');
    return text === '' ? undefined : text;
  });
  match(String(status), /^0$/m);
});
