/** What a service manager receives, on a notify socket of the test's own. */

import { deepEqual, equal, ok } from 'node:assert/strict';
import { test } from 'node:test';
import { pino } from 'pino';
import { Supervision, type SupervisionOptions } from '../../../src/daemon/supervision.ts';
import { until } from '../../../src/lab/until.ts';
import { hostClock } from '../../../src/process/clock.ts';
import { ServiceManager } from '../../../src/process/service-manager.ts';
import { TestHost } from '../tools/harness.ts';
import { NotifySocket } from '../tools/notify-socket.ts';

/** Looks of the watchdog come every quarter of this. */
const WATCHDOG_MS = 1000;

test('ready, alive, how the groups are, stopping', async () => {
  const manager = new NotifySocket();
  const count = (field: string): number => manager.count(field);
  try {
    await manager.listen();
    const host = await TestHost.raise({
      group: { 'flap-damping': 'off' },
      environment: { NOTIFY_SOCKET: manager.path, WATCHDOG_USEC: String(WATCHDOG_MS * 1000) },
    });
    try {
      await until('it is ready', 5000, () => count('READY=1') === 1);
      await until('it is alive', 10_000, () => count('WATCHDOG=1') >= 4);
      await until('all is well', 5000, () => count('STATUS=ipmp0 ok') > 0);
      await host.topology.cut('eth0');
      await until('the failure is reported', 5000, () => count('STATUS=ipmp0 degraded') > 0);
    } finally {
      await host.lower();
    }
    await until('it stops', 5000, () => count('STOPPING=1') === 1);
    equal(count('READY=1'), 1);
    ok(manager.received.findIndex((message) => message.includes('WATCHDOG=1')) > 0);
  } finally {
    await manager.close();
  }
});

test('reloading, with the time since boot, and ready again', async () => {
  const socket = new NotifySocket();
  try {
    await socket.listen();
    const log = pino({ level: 'silent' });
    const groups = [{ group: 'ipmp0', state: 'degraded' }];
    // Without a watchdog it uses nothing of the daemon but its status.
    const supervision = new Supervision({
      manager: new ServiceManager({ NOTIFY_SOCKET: socket.path }, process.pid, log),
      system: { describeStatus: () => ({ state: 'degraded', groups }) },
      clock: hostClock,
      log,
    } as unknown as SupervisionOptions);
    const before = process.hrtime.bigint() / 1000n;
    supervision.handleReloading();
    supervision.handleReloaded();
    await until('both are received', 5000, () => socket.received.length === 2);
    const [reloading = [], ready] = socket.received;
    const [word, time = '', status] = reloading;
    deepEqual([word, status], ['RELOADING=1', 'STATUS=reloading']);
    const [, microseconds = '0'] = /^MONOTONIC_USEC=(\d+)$/.exec(time) ?? [];
    ok(BigInt(microseconds) >= before, time);
    ok(BigInt(microseconds) <= process.hrtime.bigint() / 1000n, time);
    deepEqual(ready, ['READY=1', 'STATUS=ipmp0 degraded']);
  } finally {
    await socket.close();
  }
});
