/**
 * Notifications to the service manager: ready, the groups in a line, alive, reloading, stopping.
 */

import { sleepFor } from '../base/operation.ts';
import type { DatapathPool } from '../datapath/pool.ts';
import { type Clock, monotonicUs } from '../process/clock.ts';
import type { Log } from '../process/log.ts';
import type { ServiceManager } from '../process/service-manager.ts';
import type { System, SystemEvent } from '../system.ts';
import type { Pump } from './pump.ts';
import { Watchdog } from './watchdog.ts';

export interface SupervisionOptions {
  readonly manager: ServiceManager;
  readonly system: Pick<System, 'describeStatus'>;
  readonly pool: Pick<DatapathPool, 'breaths'>;
  readonly pump: Pick<Pump, 'run'>;
  readonly clock: Clock;
  readonly log: Log;
}

/** The reports of one daemon. */
export class Supervision {
  readonly #options: SupervisionOptions;
  #watchdog: Watchdog | undefined;
  #operations = 0;

  constructor(options: SupervisionOptions) {
    this.#options = options;
  }

  /** The daemon serves; from now on it must make progress. */
  start(): void {
    const { manager, clock, log } = this.#options;
    manager.notify({ READY: '1', STATUS: this.#status() });
    const { watchdogMs } = manager;
    if (watchdogMs === undefined) return;
    this.#watchdog = new Watchdog({
      watchdogMs,
      progress: () => this.#progress(),
      stir: () => this.#stir(),
      feed: () => manager.notify({ WATCHDOG: '1' }),
      clock,
      log,
    });
  }

  handleEvent({ event }: SystemEvent): void {
    if (event === 'group-state') this.#options.manager.notify({ STATUS: this.#status() });
  }

  /** The configuration is being read anew. */
  handleReloading(): void {
    const MONOTONIC_USEC = String(monotonicUs());
    this.#options.manager.notify({ RELOADING: '1', MONOTONIC_USEC, STATUS: 'reloading' });
  }

  /** The reload is over, whether it was applied or refused: we serve as before. */
  handleReloaded(): void {
    this.#options.manager.notify({ READY: '1', STATUS: this.#status() });
  }

  /** An orderly stop begins; the watchdog still looks on. */
  handleStopping(): void {
    this.#options.manager.notify({ STOPPING: '1', STATUS: 'stopping' });
  }

  stop(): void {
    this.#watchdog?.stop();
  }

  #progress(): Map<string, number> {
    const workers = this.#options.pool.breaths().map((count, worker): [string, number] => {
      return [`datapath worker ${worker}`, count];
    });
    return new Map([...workers, ['control plane', this.#operations]]);
  }

  /** An operation that begins, waits, and ends: that is what the control plane is there for. */
  #stir(): void {
    void this.#options.pump
      .run('watchdog', () => sleepFor(0))
      .then(() => {
        this.#operations++;
      });
  }

  /** `ipmp0 ok, ipmp1 degraded`. */
  #status(): string {
    const { groups } = this.#options.system.describeStatus();
    if (groups.length === 0) return 'no groups';
    return groups.map(({ group, state }) => `${group} ${state}`).join(', ');
  }
}
