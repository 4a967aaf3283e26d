/** The watchdog is fed by progress, and by nothing else. */

import { deepEqual, equal } from 'node:assert/strict';
import { Writable } from 'node:stream';
import { test } from 'node:test';
import { pino } from 'pino';
import { Watchdog } from '../../../src/daemon/watchdog.ts';
import { ServiceManager } from '../../../src/process/service-manager.ts';

/** A clock with one timer, and a log that is kept. */
class Stage {
  readonly delays: number[] = [];
  readonly lines: string[] = [];
  readonly counts = new Map([
    ['worker 0', 0],
    ['control plane', 0],
  ]);
  fed = 0;
  stirred = 0;
  readonly log = pino(
    new Writable({
      write: (chunk: Buffer, _encoding, done) => {
        this.lines.push((JSON.parse(chunk.toString()) as { msg: string }).msg);
        done();
      },
    }),
  );
  readonly watchdog: Watchdog;
  #due: (() => void) | undefined;

  constructor(watchdogMs: number) {
    this.watchdog = new Watchdog({
      watchdogMs,
      progress: () => new Map(this.counts),
      stir: () => this.stirred++,
      feed: () => this.fed++,
      log: this.log,
      clock: {
        nowMs: () => 0,
        after: (delayMs, body) => {
          this.delays.push(delayMs);
          this.#due = body;
          return { cancel: () => (this.#due = undefined) };
        },
      },
    });
  }

  /** The next look, after these sources have made progress. */
  look(...moved: string[]): void {
    for (const name of moved) this.counts.set(name, (this.counts.get(name) ?? 0) + 1);
    this.#due?.();
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
  deepEqual(stage.lines, [
    'control plane hangs',
    'worker 0 hangs',
    'control plane goes on',
    'worker 0 goes on',
  ]);
  equal(stage.stirred, 7);
});

test('looks four times in the watchdog time, but never more often than a worker breathes', () => {
  deepEqual(new Stage(10_000).delays, [2500]);
  deepEqual(new Stage(100).delays, [250]);
});

test('a watchdog that is stopped says nothing more', () => {
  const stage = new Stage(10_000);
  stage.watchdog.stop();
  stage.look('worker 0', 'control plane');
  equal(stage.fed, 0);
});

test('the watchdog time is ours only if the service manager means us', () => {
  const { log } = new Stage(1000);
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

test('a service manager that is not there is told of once, in the log', () => {
  const stage = new Stage(1000);
  const manager = new ServiceManager({ NOTIFY_SOCKET: '/nowhere/notify' }, 42, stage.log);
  manager.notify({ READY: '1' });
  manager.notify({ WATCHDOG: '1' });
  deepEqual(stage.lines, ['the service manager cannot be notified']);
  new ServiceManager({}, 42, stage.log).notify({ READY: '1' });
  equal(stage.lines.length, 1);
});
