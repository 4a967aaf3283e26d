/** The priority of the daemon's threads: as the kernel has it, and as the log tells it. */

import { deepEqual, equal } from 'node:assert/strict';
import type { ChildProcess } from 'node:child_process';
import { readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { getPriority } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import { fileURLToPath } from 'node:url';
import { socketOf } from '../../../src/lab/daemon-process.ts';
import { until } from '../../../src/lab/until.ts';
import { Workspace } from '../../../src/lab/workspace.ts';
import { DATAPATH_THREAD, TestHost } from '../tools/harness.ts';

const IPMPD = fileURLToPath(new URL('../../../src/ipmpd.js', import.meta.url));
const RAISED = -10;
/** Of pino. */
const INFO = 30;

/** Nice values of a process: of its main thread, and of the named ones (proc(5), field 19). */
function nicesOf({ pid }: ChildProcess): { main: number; named: Record<string, number> } {
  const named: Record<string, number> = {};
  let main = Number.NaN;
  for (const task of readdirSync(`/proc/${pid}/task`)) {
    const stat = readFileSync(`/proc/${pid}/task/${task}/stat`, 'utf8');
    const [, name = '', rest = ''] = /\((.*)\) (.*)/.exec(stat) ?? [];
    const nice = Number(rest.split(' ')[16]);
    if (task === String(pid)) main = nice;
    else if (DATAPATH_THREAD.test(name)) named[name] = nice;
  }
  return { main, named };
}

function prioritiesIn(log: string): unknown[] {
  const lines = log.split('\n').filter((line) => line.includes('"event":"priority"'));
  return lines.map((line) => {
    const { level, nice, wanted } = JSON.parse(line) as Record<string, unknown>;
    return { level, nice, wanted };
  });
}

test('workers and carrier watch are raised, the main thread is not', async () => {
  const host = await TestHost.raise({ top: { datapath: { workers: 2 } } });
  try {
    deepEqual(nicesOf(host.daemon.process), {
      main: getPriority(),
      named: {
        'ipmpd-worker0': RAISED,
        'ipmpd-worker1': RAISED,
        'ipmpd-carrier': RAISED,
        'ipmpd-verify': RAISED,
      },
    });
    deepEqual(prioritiesIn(host.daemon.log), [{ level: INFO, nice: RAISED, wanted: RAISED }]);
  } finally {
    await host.lower();
  }
});

test('where that is not allowed the daemon works as it is, and says so once', async () => {
  const workspace = new Workspace();
  try {
    await workspace.addNamespace('host', { ipv6: false });
    const file = join(workspace.folder, 'ipmpd.yaml');
    const socket = socketOf(workspace);
    writeFileSync(file, JSON.stringify({ metrics: { listen: 'off' } }));
    const unprivileged = ['setpriv', '--bounding-set', '-sys_nice'];
    const argv = [process.execPath, IPMPD, '--config', file, '--socket', socket];
    const daemon = workspace.start([...unprivileged, ...argv], { role: 'host', orderly: true });
    let log = '';
    daemon.stdout?.setEncoding('utf8').on('data', (text: string) => {
      log += text;
    });
    await until('it is ready', 20_000, () => log.includes('"event":"ready"'));
    const { main, named } = nicesOf(daemon);
    equal(main, getPriority());
    deepEqual(new Set(Object.values(named)), new Set([main]));
    deepEqual(prioritiesIn(log), [{ level: INFO, nice: main, wanted: RAISED }]);
    const ended = new Promise((resolve) => daemon.once('exit', resolve));
    daemon.kill('SIGTERM');
    equal(await ended, 0);
  } finally {
    await workspace.close();
  }
});
