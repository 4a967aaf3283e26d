/** The priority of the daemon's threads: as the kernel has it, and as the log shows it. */

import { deepEqual, equal } from 'node:assert/strict';
import { writeFileSync } from 'node:fs';
import { getPriority } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import { socketOf } from '../../../src/lab/daemon-process.ts';
import { until } from '../../../src/lab/until.ts';
import { Workspace } from '../../../src/lab/workspace.ts';
import { readThreads } from '../../tools/threads.ts';
import { hostTest } from '../tools/harness.ts';
import { nicesIn, program, Running } from '../tools/programs.ts';

const RAISED = -10;
/** Of pino. */
const INFO = 30;

function nicesOf(pid: number | undefined): Record<string, number> {
  return nicesIn(readThreads(pid, 'stat').join(''), pid);
}

function prioritiesIn(log: string): unknown[] {
  const lines = log.split('\n').filter((line) => line.includes('"event":"priority"'));
  return lines.map((line) => {
    const { level, nice, wanted } = JSON.parse(line) as Record<string, unknown>;
    return { level, nice, wanted };
  });
}

hostTest(
  'workers and carrier watch are raised, the main thread is not',
  { top: { datapath: { workers: 2 } } },
  async (host) => {
    deepEqual(nicesOf(host.daemon.process.pid), {
      main: getPriority(),
      'ipmpd-worker0': RAISED,
      'ipmpd-worker1': RAISED,
      'ipmpd-carrier': RAISED,
      'ipmpd-verify': RAISED,
    });
    deepEqual(prioritiesIn(host.daemon.log), [{ level: INFO, nice: RAISED, wanted: RAISED }]);
  },
);

test('where that is not allowed the daemon works as it is, and logs it once', async () => {
  const workspace = new Workspace();
  try {
    await workspace.addNamespace('host', { ipv6: false });
    const file = join(workspace.folder, 'ipmpd.yaml');
    writeFileSync(file, JSON.stringify({ metrics: { listen: 'off' } }));
    const unprivileged = ['setpriv', '--bounding-set', '-sys_nice', process.execPath];
    const options = ['--config', file, '--socket', socketOf(workspace)];
    const daemon = new Running(workspace, [...unprivileged, program('ipmpd'), ...options]);
    await until('it is ready', 20_000, () => daemon.output.includes('"event":"ready"'));
    const { main = Number.NaN, ...named } = nicesOf(daemon.pid);
    equal(main, getPriority());
    deepEqual(new Set(Object.values(named)), new Set([main]));
    deepEqual(prioritiesIn(daemon.output), [{ level: INFO, nice: main, wanted: RAISED }]);
    equal(await daemon.end('SIGTERM'), 0);
  } finally {
    await workspace.close();
  }
});
