/** What a service manager hears, on a notify socket of the test's own. */

import { equal, ok } from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import { until } from '../../src/lab/until.ts';
import { TestHost } from './harness.ts';

/** Prints each datagram that comes to the path sys.argv[1] as one line of JSON. */
const MANAGER = `
import json, socket, sys
receiver = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
receiver.bind(sys.argv[1])
print('[]', flush=True)
while True:
    print(json.dumps(receiver.recv(4096).decode().split('\\n')), flush=True)
`;

/** Looks of the watchdog come every quarter of this. */
const WATCHDOG_MS = 1000;

test('ready, alive, how the groups are, stopping', async () => {
  const folder = mkdtempSync(join(tmpdir(), 'ipmpd-service-'));
  const socket = join(folder, 'notify');
  const manager = spawn('python3', ['-c', MANAGER, socket], {
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  const heard: string[][] = [];
  let rest = '';
  manager.stdout.setEncoding('utf8').on('data', (chunk: string) => {
    const lines = (rest + chunk).split('\n');
    rest = lines.pop() ?? '';
    for (const line of lines) heard.push(JSON.parse(line) as string[]);
  });
  const count = (field: string): number => heard.filter((state) => state.includes(field)).length;
  try {
    await until('the manager listens', 5000, () => heard.length === 1);
    const host = await TestHost.raise({
      group: { 'flap-damping': 'off' },
      environment: { NOTIFY_SOCKET: socket, WATCHDOG_USEC: String(WATCHDOG_MS * 1000) },
    });
    try {
      await until('it is ready', 5000, () => count('READY=1') === 1);
      await until('it is alive', 10_000, () => count('WATCHDOG=1') >= 4);
      await until('all is well', 5000, () => count('STATUS=ipmp0 ok') > 0);
      await host.topology.cut('eth0');
      await until('the failure is told', 5000, () => count('STATUS=ipmp0 degraded') > 0);
    } finally {
      await host.lower();
    }
    await until('it stops', 5000, () => count('STOPPING=1') === 1);
    equal(count('READY=1'), 1);
    ok(heard.findIndex((state) => state.includes('WATCHDOG=1')) > 1);
  } finally {
    manager.kill();
    await once(manager, 'close');
    rmSync(folder, { recursive: true });
  }
});
