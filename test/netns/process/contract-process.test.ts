/**
 * The daemon as a process, in a namespace without any device: arguments, exit statuses, signals,
 * its log, the place of its socket, and the lab as a command.
 */

import { deepEqual, equal, match, ok } from 'node:assert/strict';
import { chmodSync, existsSync, lstatSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { after, before, describe, test } from 'node:test';
import { getJson } from '../../../src/lab/api.ts';
import { type CommandResult, execute } from '../../../src/lab/command.ts';
import { until } from '../../../src/lab/until.ts';
import { Workspace } from '../../../src/lab/workspace.ts';
import { root } from '../../tidy/source.ts';
import { program, Running } from '../tools/programs.ts';

const IPMPD = program('ipmpd');
const IPMPADM = program('ipmpadm');
const READY_MS = 20_000;

let workspace: Workspace;

before(async () => {
  workspace = new Workspace();
  await workspace.addNamespace('host', { ipv6: false });
});
after(() => workspace?.close());

/** Runs `ipmpd` to its end, in the namespace. */
async function ipmpd(...args: readonly string[]): Promise<CommandResult> {
  const inside = ['ip', 'netns', 'exec', workspace.namespaceOf('host')];
  return await execute([...inside, 'timeout', '30', process.execPath, IPMPD, ...args]);
}

function fileWith(name: string, configuration: object): string {
  const path = join(workspace.folder, name);
  writeFileSync(path, JSON.stringify(configuration));
  return path;
}

/** Waits until the daemon answers on a socket. */
async function answers(socket: string): Promise<void> {
  await until(`an answer on ${socket}`, READY_MS, async () => {
    return existsSync(socket) && (await getJson(socket, '/readyz')) !== undefined;
  });
}

const QUIET = { metrics: { listen: 'off' } };

describe('ipmpd as a process', () => {
  test('[contract 2.3] --version, and what is a wrong use', async () => {
    const { version } = JSON.parse(readFileSync(join(root, 'package.json'), 'utf8'));
    deepEqual(await ipmpd('--version'), { status: 0, stdout: `${version}\n`, stderr: '' });
    for (const words of ['--nonsense', 'word', '--config', '--log-level loud', '--check=yes']) {
      const { status, stdout, stderr } = await ipmpd(...words.split(' '));
      deepEqual([status, stdout], [2, ''], words);
      match(stderr, /^error: /, words);
    }
  });

  test('[contract 2.2, 3.1] --check of the default files: good 0, wrong 2', async () => {
    // A file system of its own over /etc: what the machine has there is not touched.
    const check = async (main: string, dropIn: string): Promise<CommandResult> => {
      const script = `mount -t tmpfs none /etc && mkdir -p /etc/ipmpd/ipmpd.d &&
        echo "$1" > /etc/ipmpd/ipmpd.yaml && echo "$2" > /etc/ipmpd/ipmpd.d/10-more.yaml &&
        env -i "$3" "$4" --check`;
      const argv = ['unshare', '-m', 'sh', '-c', script, '-'];
      return await execute([...argv, main, dropIn, process.execPath, IPMPD]);
    };
    deepEqual(await check('groups: { ipmp0: }', 'log: { level: debug }'), {
      status: 0,
      stdout: '',
      stderr: '',
    });
    deepEqual(await check('grups: {}', 'log:\n  level: loud'), {
      status: 2,
      stdout: '',
      stderr:
        '/etc/ipmpd/ipmpd.yaml:1: grups: unknown key, did you mean groups? (one of control, ' +
        'metrics, log, datapath, interfaces, groups, tracking)\n' +
        '/etc/ipmpd/ipmpd.d/10-more.yaml:2: log.level: "loud" is not valid (one of trace, debug, ' +
        'info, warn, error, fatal)\n',
    });
  });

  test('[contract 2.4] what prevents the start is logged, and ends it with 1', async () => {
    const open = join(workspace.folder, 'open');
    mkdirSync(open);
    chmodSync(open, 0o777);
    const refused = await ipmpd(
      ...['--config', fileWith('quiet.yaml', QUIET), '--socket', join(open, 'ipmpd.sock')],
    );
    equal(refused.status, 1, refused.stdout);
    match(refused.stdout, /"level":60.*"event":"start-failed".*may be written by others.*EPERM/s);
  });

  test('[contract 3.16] metrics.listen on an address that comes later', async () => {
    const later = { metrics: { listen: '203.0.113.1:9437' } };
    const socket = join(workspace.folder, 'later.sock');
    const argv = [process.execPath, IPMPD, '--config', fileWith('later.yaml', later)];
    const daemon = new Running(workspace, [...argv, '--socket', socket]);
    await answers(socket);
    const refusal = 'metrics.listen: cannot listen on 203.0.113.1:9437: EADDRNOTAVAIL';
    match(daemon.output, new RegExp(`"level":50.*"event":"metrics-refused".*${refusal}`));
    const status = [process.execPath, IPMPADM, '--socket', socket, 'status'];
    deepEqual(await execute(status), {
      status: 0,
      stdout: `ok: no groups\nproblem: ${refusal}\n`,
      stderr: '',
    });
    await workspace.ip('host', ['address add 203.0.113.1/32 dev lo']);
    await until('scrapers are served', READY_MS, async () => {
      const argv = ['curl', '-s', '-m', '5', 'http://203.0.113.1:9437/metrics'];
      return (await workspace.runIn('host', argv)).includes('ipmpd_build_info');
    });
    equal((await execute(status)).stdout, 'ok: no groups\n');
    await workspace.ip('host', ['address del 203.0.113.1/32 dev lo']);
    equal(await daemon.end('SIGTERM'), 0);
  });

  test('[contract 2.4] an uncaught exception ends the daemon with 1', async () => {
    const fault = 'data:text/javascript,setTimeout(() => { throw new Error("planted") }, 1500)';
    const socket = join(workspace.folder, 'thrown.sock');
    const argv = ['env', `NODE_OPTIONS=--import=${encodeURI(fault)}`, process.execPath, IPMPD];
    const config = fileWith('quiet.yaml', QUIET);
    const daemon = new Running(workspace, [...argv, '--config', config, '--socket', socket]);
    equal(await daemon.ended, 1, daemon.output);
    match(daemon.output, /planted/);
  });

  for (const signal of ['SIGTERM', 'SIGINT'] as const) {
    test(`[contract 2.3, 2.4, 2.5, 3.21, 5.5] ${signal} ends it in order`, async () => {
      // The configured socket, then another by argument; a narrow umask changes neither.
      const isGiven = signal === 'SIGINT';
      const socket = join(workspace.folder, signal, 'run', 'ipmpd.sock');
      const control = { socket: isGiven ? '/nonexistent/ipmpd.sock' : socket };
      const config = fileWith(`${signal}.yaml`, { ...QUIET, control });
      const args = ['--config', config, ...(isGiven ? ['--socket', socket] : [])];
      const shell = ['sh', '-c', 'umask 077; exec "$@"', '-', process.execPath, IPMPD];
      const daemon = new Running(workspace, [...shell, ...args, '--log-level', 'error']);
      await answers(socket);
      const modeOf = (path: string): number => lstatSync(path).mode & 0o777;
      equal(modeOf(join(workspace.folder, signal)), 0o755);
      equal(modeOf(join(workspace.folder, signal, 'run')), 0o755);
      equal(modeOf(socket), 0o666);
      equal(await daemon.end(signal), 0);
      equal(daemon.output, '', 'errors alone are logged');
      equal(lstatSync(socket, { throwIfNoEntry: false }), undefined);
    });
  }

  test('[contract 2.1] JSON lines on stdout, readable text on a terminal', async () => {
    const args = ['--config', fileWith('quiet.yaml', QUIET)];
    const socket = join(workspace.folder, 'lines.sock');
    const daemon = new Running(workspace, [process.execPath, IPMPD, ...args, '--socket', socket]);
    await answers(socket);
    equal(await daemon.end('SIGTERM'), 0);
    const lines = daemon.output.trimEnd().split('\n');
    const logged = lines.map((line) => JSON.parse(line) as { event?: string; startMs?: object });
    ok(
      logged.some(({ event }) => event === 'stopped'),
      daemon.output,
    );
    const ready = logged.find(({ event }) => event === 'ready');
    const stages = Object.entries(ready?.startMs ?? {});
    deepEqual(
      stages.map(([stage]) => stage),
      ['loaded', 'workers', 'host', 'devices', 'surface'],
    );
    ok(
      stages.every(([, atMs], i) => atMs >= (stages[i - 1]?.[1] ?? 1)),
      daemon.output,
    );

    const place = join(workspace.folder, 'text.sock');
    const pidFile = join(workspace.folder, 'text.pid');
    const quoted = [process.execPath, IPMPD, ...args, '--socket', place].join("' '");
    const shell = `echo $$ > '${pidFile}'; exec '${quoted}'`;
    const terminal = new Running(workspace, ['script', '-qefc', shell, '/dev/null']);
    await answers(place);
    equal(await terminal.end('SIGTERM', Number(readFileSync(pidFile, 'utf8'))), 0);
    match(terminal.output, /\[\d\d:\d\d:\d\d\.\d{3}\].*INFO.*ipmpd \S+ serves 0 groups/);
    ok(!terminal.output.includes('"level"'), terminal.output);
  });
});

test('[contract 2.8] the four executables are those that package.json names', async () => {
  const { bin } = JSON.parse(readFileSync(join(root, 'package.json'), 'utf8'));
  const names = ['ipmpd', 'ipmpadm', 'ipmpstat', 'if_mpadm'];
  deepEqual(Object.keys(bin), names);
  deepEqual(
    names.map((name) => join(root, bin[name])),
    names.map(program),
  );
  for (const name of names) {
    match(
      readFileSync(join(root, bin[name]), 'utf8'),
      /^#!\/usr\/bin\/env -S node --inspect-port=0\.0\.0\.1:9229\n/,
    );
  }
});

test('[contract 4.15, 4.21] config check: each error with its line, and status 1', async () => {
  const file = join(workspace.folder, 'checked.yaml');
  const check = (): Promise<CommandResult> =>
    execute([process.execPath, IPMPADM, 'config', 'check', file]);
  writeFileSync(file, 'groups: { ipmp0: }\n');
  deepEqual(await check(), { status: 0, stdout: `${file}: good\n`, stderr: '' });
  writeFileSync(file, 'groups:\n  ipmp0: { mtu: 12 }\n');
  const { status, stderr } = await check();
  equal(status, 1);
  equal(
    stderr,
    `${file}:2: groups.ipmp0.mtu: 12 is not valid (auto, or a whole number from 1280 to 65535)\n`,
  );
});

test('[contract 4.16] lab up leaves a lab that works, lab down removes it', async () => {
  // A folder of its own: other labs of this machine stay.
  const folder = join(workspace.folder, 'tmp');
  mkdirSync(folder);
  // The lab that stays keeps stderr open: a pipe there would end with the lab only.
  const lab = (verb: string): Promise<CommandResult> => {
    const argv = ['sh', '-c', '"$@" 2> "$TMPDIR/stderr"', '-', process.execPath, IPMPADM];
    return execute(['env', `TMPDIR=${folder}`, ...argv, 'lab', verb]);
  };
  const up = await lab('up');
  try {
    equal(up.status, 0, readFileSync(join(folder, 'stderr'), 'utf8'));
    const socket = /--socket (\S+) status/.exec(up.stdout)?.[1] ?? '';
    ok(socket.startsWith(folder), up.stdout);
    const status = await execute([process.execPath, IPMPADM, '--socket', socket, 'status']);
    match(status.stdout, /^ipmp0: ok active net0,net1/);
  } finally {
    const down = await lab('down');
    deepEqual([down.status, /^removed ipmp-/.test(down.stdout)], [0, true], down.stdout);
  }
  const again = await lab('down');
  deepEqual([again.status, again.stdout], [0, 'no lab is up\n']);
  equal((await lab('sideways')).status, 2);
});
