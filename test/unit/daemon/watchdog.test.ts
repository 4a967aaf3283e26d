/** The watchdog is fed by progress, and by nothing else. */

import { deepEqual, equal } from 'node:assert/strict';
import { test } from 'node:test';
import { Watchdog } from '../../../src/daemon/watchdog.ts';
import { ServiceManager } from '../../../src/process/service-manager.ts';
import { TestClock } from '../../tools/clock.ts';
import { testLog } from '../../tools/log.ts';

/** A watchdog, its sources, and the log. */
class Stage {
  readonly clock = new TestClock();
  readonly counts = new Map([
    ['worker 0', 0],
    ['control plane', 0],
  ]);
  fed = 0;
  stirred = 0;
  readonly log = testLog();
  readonly watchdog: Watchdog;

  constructor(watchdogMs: number) {
    this.watchdog = new Watchdog({
      watchdogMs,
      progress: () => new Map(this.counts),
      stir: () => this.stirred++,
      feed: () => this.fed++,
      log: this.log.log,
      clock: this.clock,
    });
  }

  /** The next look, after these sources have made progress. */
  look(...moved: string[]): void {
    for (const name of moved) this.counts.set(name, (this.counts.get(name) ?? 0) + 1);
    this.clock.pass(this.clock.delays[0] ?? 0);
  }
}

test('fed only if every source made progress since the last look', () => {
  const stage = new Stage(10_000);
  stage.look('worker 0', 'control plane');
  equal(stage.fed, 1);
  stage.look('worker 0');
  stage.look('worker 0');
  stage.look();
  equal(stage.fed, 1);
  stage.look('control plane');
  equal(stage.fed, 1);
  stage.look('worker 0', 'control plane');
  equal(stage.fed, 2);
  deepEqual(stage.log.taken(), [
    'control plane hangs',
    'worker 0 hangs',
    'control plane goes on',
    'worker 0 goes on',
  ]);
  equal(stage.stirred, 7);
});

test('looks four times in the watchdog time, but never more often than a worker breathes', () => {
  deepEqual(new Stage(10_000).clock.delays, [2500]);
  deepEqual(new Stage(100).clock.delays, [250]);
});

test('a watchdog that is stopped feeds nothing more', () => {
  const stage = new Stage(10_000);
  stage.watchdog.stop();
  stage.look('worker 0', 'control plane');
  equal(stage.fed, 0);
});

test('the watchdog time counts only if the service manager names this process', () => {
  const { log } = testLog();
  const watchdogMs = (environment: Record<string, string>): number | undefined =>
    new ServiceManager(environment, 42, log).watchdogMs;
  const NOTIFY_SOCKET = '/run/systemd/notify';
  equal(watchdogMs({ NOTIFY_SOCKET, WATCHDOG_USEC: '10000000' }), 10_000);
  equal(watchdogMs({ NOTIFY_SOCKET, WATCHDOG_USEC: '10000000', WATCHDOG_PID: '42' }), 10_000);
  equal(watchdogMs({ NOTIFY_SOCKET, WATCHDOG_USEC: '10000000', WATCHDOG_PID: '41' }), undefined);
  equal(watchdogMs({ NOTIFY_SOCKET, WATCHDOG_USEC: 'x' }), undefined);
  equal(watchdogMs({ WATCHDOG_USEC: '10000000' }), undefined);
  equal(watchdogMs({}), undefined);
});

test('a service manager that is absent is logged once', () => {
  const { log, taken } = testLog();
  const manager = new ServiceManager({ NOTIFY_SOCKET: '/nowhere/notify' }, 42, log);
  manager.notify({ READY: '1' });
  manager.notify({ WATCHDOG: '1' });
  deepEqual(taken(), ['the service manager cannot be notified']);
  new ServiceManager({}, 42, log).notify({ READY: '1' });
  deepEqual(taken(), []);
});
