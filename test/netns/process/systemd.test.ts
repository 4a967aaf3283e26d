/**
 * The unit: judged by systemd-analyze; installed by the commands of docs/operations.md, and run by
 * a real systemd in namespaces of its own.
 */

import { deepEqual, doesNotMatch, equal, match, ok } from 'node:assert/strict';
import { type ChildProcess, execFileSync, spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { describe, test } from 'node:test';
import { until } from '../../../src/lab/until.ts';
import { root } from '../../tidy/source.ts';
import { nicesIn } from '../tools/programs.ts';

const UNIT = join(root, 'systemd/ipmpd.service');
const BOOT = join(root, 'test/netns/programs/systemd-root.sh');

/** Tenths, as `systemd-analyze security` counts: 96 without any restriction, 21 as it is. */
const EXPOSURE_MAX = 21;

const CONFIGURATION = `
interfaces: { net0: { uplink: eth0 }, net1: { uplink: eth1 } }
groups: { ipmp0: { interfaces: [net0, net1], addresses: [192.0.2.10/24] } }
`;

const FILES: Readonly<Record<string, string>> = {
  'machine-id': '0123456789abcdef0123456789abcdef\n',
  passwd: 'root:x:0:0:root:/root:/bin/sh\nnobody:x:65534:65534::/:/bin/false\n',
  group: 'root:x:0:\nnogroup:x:65534:\n',
  'systemd/system/test.target': '[Unit]\nDefaultDependencies=no\n',
  // Ten seconds, as in production, would be ten seconds of waiting here.
  'systemd/system/ipmpd.service.d/test.conf': '[Service]\nWatchdogSec=2s\n',
  'ipmpd/ipmpd.yaml': CONFIGURATION,
};

/** The shell commands that the page gives under a heading. */
function commandsOf(heading: string): string {
  const page = readFileSync(join(root, 'docs/operations.md'), 'utf8');
  const section = page.split(`\n## ${heading}\n`)[1]?.split('\n## ')[0] ?? '';
  const blocks = [...section.matchAll(/^```sh\n(.*?)^```$/gms)].map((match) => match[1] ?? '');
  equal(blocks.length, 1, `one block under ${heading}`);
  return blocks[0] ?? '';
}

/** One boot, with short ways to ask. */
class Machine {
  readonly #folder = mkdtempSync(join(tmpdir(), 'ipmpd-systemd-'));
  #process: ChildProcess | undefined;
  #init = '';

  /** Resolves when systemd answers. */
  async boot(): Promise<void> {
    for (const [name, text] of Object.entries(FILES)) {
      const path = join(this.#folder, 'etc', name);
      mkdirSync(join(path, '..'), { recursive: true });
      writeFileSync(path, text);
    }
    mkdirSync(join(this.#folder, 'new'));
    const argv = [BOOT, this.#folder, root, process.execPath];
    const fresh = ['-m', '-p', '-u', '-i', '-n', '-C', '--fork', '--kill-child'];
    const child = spawn('unshare', [...fresh, 'bash', ...argv], {
      stdio: ['ignore', 'ignore', 'inherit'],
    });
    this.#process = child;
    await until('systemd answers', 30_000, () => {
      if (child.exitCode !== null) throw new Error(`the boot ended with ${child.exitCode}`);
      this.#init = readFileSync(`/proc/${child.pid}/task/${child.pid}/children`, 'utf8').trim();
      return this.#init !== '' && this.run('systemctl', 'is-active', 'test.target') === 'active\n';
    });
  }

  /** Runs the commands of a section of the page, in the checkout; each must do. */
  follow(heading: string): void {
    const shell = ['bash', '-exc', `cd /checkout\n${commandsOf(heading)}`];
    const { status, stdout, stderr } = this.#enter(shell);
    equal(status, 0, `${heading}: ${stdout}${stderr}`);
  }

  /** Runs a command inside; its standard output. */
  run(...argv: string[]): string {
    return this.#enter(argv).stdout;
  }

  /** One property of the unit; empty while systemd does not answer. */
  show(property: string): string {
    return this.run('systemctl', 'show', 'ipmpd', '--value', '--property', property).trim();
  }

  /** Nice values of the daemon's main thread and of its named ones. */
  nices(): Record<string, number> {
    const pid = this.show('MainPID');
    return nicesIn(this.run('sh', '-c', `cat /proc/${pid}/task/*/stat`), pid);
  }

  /** What lies in the network namespace. */
  devices(): string[] {
    const rows = JSON.parse(this.run('ip', '-json', 'link', 'show') || '[]') as {
      ifname: string;
    }[];
    return rows.map(({ ifname }) => ifname).sort();
  }

  configure(text: string): void {
    equal(this.#enter(['tee', '/etc/ipmpd/ipmpd.yaml'], text).status, 0);
  }

  /** As a PID 1, systemd heeds no SIGTERM; with its parent gone it is killed. */
  async close(): Promise<void> {
    const child = this.#process;
    if (child !== undefined && child.exitCode === null) {
      const closed = once(child, 'close');
      child.kill('SIGKILL');
      await closed;
    }
    rmSync(this.#folder, { recursive: true, force: true });
  }

  #enter(argv: string[], input = ''): { stdout: string; stderr: string; status: number | null } {
    const all = ['-t', this.#init, '-a', ...argv];
    const env = { PATH: '/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin', HOME: '/root' };
    return spawnSync('nsenter', all, { encoding: 'utf8', input, env });
  }
}

describe('the unit', () => {
  test('systemd-analyze verify finds nothing', () => {
    const folder = mkdtempSync(join(tmpdir(), 'ipmpd-unit-'));
    try {
      const path = join(folder, 'ipmpd.service');
      const text = readFileSync(UNIT, 'utf8');
      match(text, /^ExecStart=\/usr\/bin\/ipmpd$/m);
      writeFileSync(path, text.replaceAll(/\/usr\/bin\/ipmp(d|adm)/g, process.execPath));
      const { stderr, status } = spawnSync('systemd-analyze', ['verify', path], {
        encoding: 'utf8',
      });
      const ours = stderr.split('\n').filter((line) => line.includes('ipmpd'));
      deepEqual({ status, ours }, { status: 0, ours: [] });
    } finally {
      rmSync(folder, { recursive: true });
    }
  });

  test(`its exposure is at most ${EXPOSURE_MAX / 10}`, () => {
    const argv = ['security', '--offline=yes', `--threshold=${EXPOSURE_MAX}`, '--no-pager', UNIT];
    execFileSync('systemd-analyze', argv, { stdio: ['ignore', 'ignore', 'pipe'] });
    const page = readFileSync(join(root, 'docs/operations.md'), 'utf8');
    ok(page.includes(`an exposure of ${EXPOSURE_MAX / 10} `), 'the page has the same figure');
  });

  test('installed, started, killed, reloaded, upgraded and stopped as the page says', async () => {
    const machine = new Machine();
    try {
      await machine.boot();
      machine.follow('Install');
      machine.follow('Start');
      equal(machine.show('ActiveState'), 'active');
      const devices = machine.devices();
      ok(devices.includes('ipmp0') && devices.includes('net0'), devices.join(' '));
      const isWell = (): boolean => machine.show('StatusText') === 'ipmp0 ok';
      await until('the group works', 10_000, isWell);
      const raised = { 'ipmpd-carrier': -10, 'ipmpd-verify': -10, 'ipmpd-worker0': -10 };
      deepEqual(machine.nices(), { main: 0, ...raised }, 'and its datapath comes first');
      equal(machine.show('CPUWeight'), '1000');

      const before = machine.show('MainPID');
      machine.run('kill', '-STOP', before);
      await until('the watchdog has it restarted', 20_000, () => {
        const now = machine.show('MainPID');
        return now !== before && now !== '0' && machine.show('ActiveState') === 'active';
      });
      ok(Number(machine.show('NRestarts')) >= 1);
      await until('the group works again', 10_000, isWell);
      deepEqual(machine.devices(), devices);

      const reloaded = machine.show('MainPID');
      const reload = ['bash', '-c', 'systemctl reload ipmpd 2>/dev/null; echo $?'];
      equal(machine.run(...reload), '0\n');
      machine.run('cp', '/etc/ipmpd/ipmpd.yaml', '/root/good.yaml');
      machine.configure('groups: [\n');
      equal(machine.run(...reload), '1\n', 'a broken file fails the reload');
      machine.run('cp', '/root/good.yaml', '/etc/ipmpd/ipmpd.yaml');
      equal(machine.run(...reload), '0\n');
      deepEqual([machine.show('ActiveState'), machine.show('MainPID')], ['active', reloaded]);
      machine.run('systemctl', 'kill', '-s', 'KILL', 'ipmpd');
      await until('killed, it comes again', 20_000, () => {
        return machine.show('MainPID') !== reloaded && machine.show('ActiveState') === 'active';
      });
      await until('the group works after a kill', 10_000, isWell);
      deepEqual(machine.devices(), devices);

      machine.follow('Install');
      machine.follow('Crash and upgrade');
      equal(machine.show('ActiveState'), 'active');
      await until('the group works after an upgrade', 10_000, isWell);
      deepEqual(machine.devices(), devices);

      machine.run('systemctl', 'stop', 'ipmpd');
      deepEqual(
        [machine.show('ActiveState'), machine.show('Result'), machine.show('ExecMainStatus')],
        ['inactive', 'success', '0'],
      );
      deepEqual(machine.devices(), ['eth0', 'eth1', 'far0', 'far1', 'lo']);

      machine.configure('groups: { ipmp0: { colour: red } }\n');
      machine.run('systemctl', 'start', 'ipmpd');
      await until('a wrong configuration is not tried again', 10_000, () => {
        return machine.show('SubState') === 'failed' && machine.show('ExecMainStatus') === '2';
      });
      equal(machine.show('NRestarts'), '0');
    } finally {
      await machine.close();
    }
  });

  test('the journal outlives a unit that is given up, and one killed at its stop', async () => {
    const machine = new Machine();
    const bare = ['eth0', 'eth1', 'far0', 'far1', 'lo'];
    const isTaken = (): boolean => {
      const nics = machine.run('ip', 'link', 'show', 'eth0');
      return machine.devices().includes('net0') && nics.includes('NOARP');
    };
    const isFailed = (): boolean => machine.show('ActiveState') === 'failed';
    const startAndStop = (): void => {
      machine.configure(CONFIGURATION);
      machine.run('systemctl', 'start', 'ipmpd');
      equal(machine.show('ActiveState'), 'active');
      machine.run('systemctl', 'stop', 'ipmpd');
      deepEqual(machine.devices(), bare);
      doesNotMatch(machine.run('ip', 'link', 'show', 'eth0'), /NOARP/);
    };
    try {
      await machine.boot();
      machine.follow('Install');
      machine.run('systemctl', 'start', 'ipmpd');
      machine.configure('groups: [\n');
      machine.run('systemctl', 'kill', '-s', 'KILL', 'ipmpd');
      await until('a wrong file: given up', 20_000, isFailed);
      ok(isTaken(), 'nothing is put back yet');
      startAndStop();

      const hurry = '/run/systemd/system/ipmpd.service.d/hurry.conf';
      machine.run('mkdir', '-p', dirname(hurry));
      machine.run('sh', '-c', `printf '[Service]\\nTimeoutStopSec=1ms\\n' > ${hurry}`);
      machine.run('systemctl', 'daemon-reload');
      // On a busy machine a stop may be over before systemd gets to its timer: then once more.
      await until('killed at its stop', 60_000, () => {
        machine.run('systemctl', 'start', 'ipmpd');
        machine.run('systemctl', 'stop', 'ipmpd');
        return isFailed();
      });
      match(machine.run('ls', '/run/ipmpd'), /journal/, 'how far it came is written there');
      machine.run('rm', hurry);
      machine.run('systemctl', 'daemon-reload');
      startAndStop();
    } finally {
      await machine.close();
    }
  });
});
