/** `npm start` on a real terminal: the live view, its keys, and what is left when it is over. */

import { deepEqual, equal, match, ok } from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, test } from 'node:test';
import { execute } from '../../../src/lab/command.ts';
import { namespaceNames } from '../../../src/lab/owner.ts';
import { until } from '../../../src/lab/until.ts';
import { root } from '../../tidy/source.ts';
import { TerminalProgram } from '../tools/terminal.ts';

const LARGE = { rows: 24, columns: 80 };

describe('npm start on a terminal', () => {
  let terminal: TerminalProgram;
  let lab: string;

  const waitFor = async (pattern: RegExp): Promise<void> => {
    try {
      await until(`${pattern} on the screen`, 20_000, () => pattern.test(terminal.text));
    } catch (error) {
      throw new Error(`${(error as Error).message}; the screen:\n${terminal.text}`);
    }
  };

  beforeEach(async () => {
    terminal = new TerminalProgram(['npm', 'start'], LARGE);
    await until('the live view', 120_000, () => terminal.screen.isAlternate);
    lab = labOf(terminal);
    await waitFor(/^ IPMP lab .* ok$/m);
    ok((await left(lab)).length > 4, 'the lab is found by its name');
  });

  afterEach(async () => {
    await terminal.close();
    await until('nothing is left', 20_000, async () => (await left(lab)).length === 0);
  });

  test('keys cut and repair, the window changes, q leaves', async () => {
    await waitFor(/^1 net0 {2}eth0 +ok +up +yes .*\d/m);
    await waitFor(/^ +\S+ {2}ipmp0 +group-state +degraded -> ok \(members-equal\)/m);
    await waitFor(/^ {2}TCP +[\d.]+ MB\/s to/m);
    deepEqual(terminal.screen.isCursorShown, false);

    terminal.press('c');
    await waitFor(/which cable\? +1 cut eth0 +2 cut eth1/);
    terminal.press('1');
    await waitFor(/^1 net0 {2}eth0 cut {2}failed +down +no /m);
    await waitFor(/^ IPMP lab .* degraded$/m);
    await waitFor(/^ +\S+ {2}net0 +interface-state +ok -> failed \(link-down\)/m);
    await waitFor(/^ +since the cut of eth0: \d+ lost, longest gap \d+ ms/m);
    await waitFor(/^ {2}192\.0\.2\.10\/24 +ipmp0 +up +net1 +net1$/m);

    terminal.press(' ');
    await waitFor(/ paused {2}degraded$/m);
    terminal.press('1');
    await waitFor(/eth0 is repaired$/m);
    match(terminal.text, /^1 net0 {2}eth0 cut/m);
    terminal.press(' ');
    await waitFor(/^1 net0 {2}eth0 +ok +up +yes /m);

    terminal.resize(40, 120);
    await waitFor(/flags, why/);
    terminal.press('?');
    await waitFor(/^ from another terminal$/m);
    terminal.press('x');
    await waitFor(/flags, why/);

    terminal.press('q');
    const ended = await terminal.ended;
    // On a crowded machine the demonstration before may have reported a gap that is too long.
    const wasRight = !/^ {2}WRONG/m.test(terminal.output);
    deepEqual(ended, { exit: wasRight ? 0 : 1, restored: true });
    const after = terminal.output.slice(terminal.output.lastIndexOf('\x1b[?1049l'));
    match(after, /during the live view: \d+ echo requests, \d+ lost/);
    match(after, /ok {4}ipmpd stopped with exit status 0; left behind in the host: nothing/);
    deepEqual([terminal.screen.isAlternate, terminal.screen.isCursorShown], [false, true]);
    deepEqual(await left(lab), []);
  });

  test('the daemon is killed: the screen and the exit status show it', async () => {
    const socket = join(tmpdir(), lab, 'ipmpd.sock');
    const { stdout } = await execute(['pgrep', '-f', `ipmpd.js.*${socket}$`]);
    process.kill(Number(stdout.trim()), 'SIGKILL');
    await waitFor(/ipmpd has ended \(SIGKILL\)$/m);
    terminal.press('\x03');
    deepEqual(await terminal.ended, { exit: 1, restored: true });
    deepEqual(terminal.screen.isAlternate, false);
  });

  test('the terminal closes: the lab is removed', async () => {
    terminal.hangUp();
    await terminal.ended;
    await until('nothing is left', 20_000, async () => (await left(lab)).length === 0);
  });

  test('a signal ends it: the terminal is as before', async () => {
    const [, pid] = /^ipmp-(\d+)-/.exec(lab) ?? [];
    process.kill(Number(pid), 'SIGTERM');
    const { restored } = await terminal.ended;
    equal(restored, true);
    deepEqual([terminal.screen.isAlternate, terminal.screen.isCursorShown], [false, true]);
    deepEqual(await left(lab), []);
  });
});

test('a terminal that closes before the live view ends the lab', async () => {
  const program = join(root, 'dist/src/ipmpadm.js');
  const terminal = new TerminalProgram([process.execPath, program, 'lab', 'run'], LARGE);
  try {
    await until('traffic', 120_000, () => terminal.output.includes('echo requests a second'));
    const lab = labOf(terminal);
    terminal.hangUp();
    equal((await terminal.ended).exit, 130, 'as a signal ends it, and not SIGABRT');
    await until('nothing is left', 20_000, async () => (await left(lab)).length === 0);
  } finally {
    await terminal.close();
  }
});

test('an exception gives the terminal back before its message is printed', async () => {
  const program = join(root, 'dist/test/netns/programs/throwing.js');
  const terminal = new TerminalProgram([process.execPath, program], LARGE);
  try {
    await until('the screen', 20_000, () => terminal.text.startsWith('press a key'));
    terminal.press('x');
    deepEqual(await terminal.ended, { exit: 1, restored: true });
    const after = terminal.output.slice(terminal.output.lastIndexOf('\x1b[?1049l'));
    match(after, /Error: thrown on purpose/);
    deepEqual([terminal.screen.isAlternate, terminal.screen.isCursorShown], [false, true]);
  } finally {
    await terminal.close();
  }
});

test('a reader that closes its end ends the lab', async () => {
  const program = spawn('npm', ['start', '--', '--once'], {
    cwd: root,
    stdio: ['ignore', 'pipe', 'ignore'],
  });
  const closed = once(program, 'close') as Promise<[number]>;
  let output = '';
  program.stdout.setEncoding('utf8').on('data', (text: string) => {
    output += text;
  });
  await until('the name of the lab', 120_000, () => output.includes('-*)'));
  program.stdout.destroy();
  const [status] = await closed;
  equal(status, 130);
  deepEqual(await left(labOf({ output })), []);
});

/** The name that the lab has printed. */
function labOf({ output }: { readonly output: string }): string {
  const name = /\((ipmp-\d+-\d+-\d+)-\*\)/.exec(output)?.[1] ?? '';
  match(name, /^ipmp-/);
  return name;
}

/** Names of everything that is left of a lab. */
async function left(lab: string): Promise<string[]> {
  const processes = readdirSync('/proc')
    .filter((name) => /^\d+$/.test(name))
    .filter((pid) => commandLineOf(pid).includes(lab));
  return [
    ...(await namespaceNames()).filter((name) => name.startsWith(`${lab}-`)),
    ...(existsSync(join(tmpdir(), lab)) ? [lab] : []),
    ...processes.map((pid) => `process ${pid}: ${commandLineOf(pid)}`),
  ];
}

function commandLineOf(pid: string): string {
  try {
    return readFileSync(`/proc/${pid}/cmdline`, 'utf8').replaceAll('\0', ' ');
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException;
    if (code === 'ENOENT' || code === 'ESRCH') return '';
    throw error;
  }
}
