/**
 * What the kernel refused and may grant later: changes that could not be put back, nftables rules
 * that could not be written, routes of the configuration. Tried again while the daemon lives, and a
 * few times more at its stop.
 */

import { OperatorError } from '../../base/errors.ts';
import type { Clock } from '../../process/clock.ts';
import type { HostLog } from '../../process/log.ts';
import type { Serial } from '../../process/serial.ts';
import type { GroupDevice } from '../group/device.ts';
import type { Silencer } from '../silence/silence.ts';
import type { Changes } from './restore.ts';

/** Ours: between two attempts to set a route that was refused. */
const ROUTES_MS = 5000;

/** Ours: at the stop, what could not be put back is tried again after these pauses. */
const STOP_PAUSES_MS = [100, 500, 1500];

/** Ours: a kernel that takes longer to refuse is left to the next start. */
const STOP_MAX_MS = 5000;

/** What is tried again, and in which order with other changes of the host. */
export interface RetriesOptions {
  readonly changes: Changes;
  readonly silencer: Silencer;
  readonly groups: () => Iterable<GroupDevice>;
  readonly serial: Serial;
  readonly clock: Clock;
  readonly log: HostLog;
}

/** See the head of the file. */
export class Retries {
  readonly #options: RetriesOptions;
  #routesAtMs = 0;
  #isBusy = false;

  constructor(options: RetriesOptions) {
    this.#options = options;
  }

  /** Once a second. */
  handleTick(): void {
    if (this.#isBusy) return;
    this.#isBusy = true;
    void this.#options.serial.run(() => this.#tryAll());
  }

  /** Takes back everything; what fails is tried again for a while. */
  async undoAll(): Promise<void> {
    const { changes, clock } = this.#options;
    const endMs = clock.nowMs() + STOP_MAX_MS;
    await changes.undoAll();
    for (const pauseMs of STOP_PAUSES_MS) {
      if (changes.leftovers().failed.length === 0 || clock.nowMs() > endMs) return;
      await new Promise<void>((resolve) => {
        clock.after(pauseMs, resolve);
      });
      await changes.undoAll();
    }
  }

  async #tryAll(): Promise<void> {
    const { changes, silencer, groups, clock, log } = this.#options;
    const nowMs = clock.nowMs();
    try {
      await changes.retry(nowMs);
      await silencer.retry();
      if (nowMs < this.#routesAtMs) return;
      this.#routesAtMs = nowMs + ROUTES_MS;
      for (const group of groups()) await group.retryRoutes();
    } catch (error) {
      if (!(error instanceof OperatorError)) throw error;
      log.warn({ code: error.code }, `it will be tried again: ${error.message}`);
    } finally {
      this.#isBusy = false;
    }
  }
}
