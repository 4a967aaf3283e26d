/**
 * The first and the last moments of the programs: signals that come before anything is loaded, a
 * reader or a terminal that closes, and the debugger that must never open.
 */

import { deepEqual, equal, match, ok } from 'node:assert/strict';
import { spawn } from 'node:child_process';
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
import { execute } from '../../../src/lab/command.ts';
import { until } from '../../../src/lab/until.ts';
import { Workspace } from '../../../src/lab/workspace.ts';
import { outputOf, program, Running } from '../tools/programs.ts';

const USR1 = 1n << 9n;
/** SIGHUP, SIGUSR1 and SIGTERM, whose handlers the program installs together. */
const ALL_OWN = 1n | USR1 | (1n << 14n);
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

/** Starts a program by its first line, as an installed one is run. */
function startByFirstLine(name: string, ...args: readonly string[]): Running {
  const file = program(name);
  chmodSync(file, 0o755);
  return new Running(workspace, [file, ...args]);
}

/** Waits until the process is Node and handles these signals (a mask of /proc/PID/status). */
async function handles(daemon: Running, signals: bigint): Promise<void> {
  await until('the signals are handled', PATIENCE_MS, () => {
    const status = readFileSync(`/proc/${daemon.pid}/status`, 'latin1');
    const mask = /^SigCgt:\s*([0-9a-f]+)$/m.exec(status)?.[1] ?? '0';
    return (BigInt(`0x${mask}`) & signals) === signals;
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

/** TCP ports that are listened on in the namespace of a process. */
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
    await handles(daemon, USR1);
    const seen = new Set<number>();
    while (!daemon.output.includes('"event":"dump-statistics"')) {
      daemon.process.kill('SIGUSR1');
      for (const port of listening(daemon.pid)) seen.add(port);
      equal(daemon.process.exitCode, null, daemon.output);
      await sleep(0);
    }
    equal(await daemon.end('SIGTERM'), 0, daemon.output);
    deepEqual([...seen], []);
    ok(!daemon.output.includes('Debugger listening'), daemon.output);
  }
});

for (const tool of ['ipmpadm', 'ipmpstat', 'if_mpadm']) {
  test(`SIGUSR1 opens no debugger in ${tool}`, async () => {
    const child = startByFirstLine(tool, '--socket', '/nonexistent/sock', '-d', 'net0');
    const seen = new Set<number>();
    await handles(child, USR1);
    while (child.process.exitCode === null && child.process.signalCode === null) {
      child.process.kill('SIGUSR1');
      for (const port of listening(child.pid)) seen.add(port);
      await sleep(0);
    }
    await child.ended;
    deepEqual([...seen], []);
    ok(!child.output.includes('Debugger listening'), child.output);
  });
}

test('[contract 2.5] TERM before anything is loaded ends it with 0', async () => {
  for (let round = 0; round < ROUNDS; round++) {
    const daemon = startByFirstLine('ipmpd', ...daemonArguments(`term-${round}`));
    await handles(daemon, ALL_OWN);
    equal(await daemon.end('SIGTERM'), 0, daemon.output);
  }
});

test('[contract 2.5] TERM before it serves: it does not serve after that', async () => {
  for (let round = 0; round < ROUNDS; round++) {
    const journal = join(workspace.folder, `late-${round}`, 'ipmpd.sock.journal');
    const daemon = startByFirstLine('ipmpd', ...daemonArguments(`late-${round}`));
    // Loading what serves the socket takes most of the time from here on.
    await until('it may change the host', PATIENCE_MS, () => existsSync(journal));
    equal(await daemon.end('SIGTERM'), 0, daemon.output);
    const [signal, ready] = ['signal', 'ready'].map((name) =>
      daemon.output.indexOf(`"event":"${name}"`),
    );
    ok(ready === -1 || Number(ready) < Number(signal), daemon.output);
  }
});

test('[contract 2.6] HUP before it serves is a reload when it does', async () => {
  const daemon = startByFirstLine('ipmpd', ...daemonArguments('hup'));
  await handles(daemon, ALL_OWN);
  daemon.process.kill('SIGHUP');
  await until('it has reloaded', PATIENCE_MS, () => daemon.output.includes('"event":"reloaded"'));
  equal(await daemon.end('SIGTERM'), 0, daemon.output);
});

test('[contract 2.4] a start that fails ends with 1 also when stdout has no reader', async () => {
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
  // The shell outlives its terminal, to write down how the daemon ended.
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
