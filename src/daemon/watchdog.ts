/**
 * The watchdog: the service manager is notified for as long as the daemon is alive. It is fed
 * by progress alone: every worker of the datapath has taken a breath since the last look, and an
 * operation of the control plane has run to its end. A timer that still fires proves neither.
 *
 * Invariants
 * 1. No notification is sent in a period in which one source made no progress.
 * 2. A source that stands still is logged once, and once when it goes on.
 */

import type { Clock, Timer } from '../process/clock.ts';
import type { Log } from '../process/log.ts';

/** Looks in one watchdog time: a single one that is late does not kill us. */
const LOOKS = 4;
/** A worker without traffic breathes ten times a second: looks must not be more frequent. */
const PERIOD_MIN_MS = 250;

export interface WatchdogOptions {
  /** What the service manager waits for, in milliseconds. */
  readonly watchdogMs: number;
  /** Name of a source -> its count, which moves while it makes progress. */
  readonly progress: () => ReadonlyMap<string, number>;
  /** Asks the sources that do not move by themselves to move, until the next look. */
  readonly stir: () => void;
  readonly feed: () => void;
  readonly clock: Clock;
  readonly log: Log;
}

/** Looks until it is stopped. */
export class Watchdog {
  readonly #options: WatchdogOptions;
  readonly #periodMs: number;
  #before: ReadonlyMap<string, number>;
  #stuck: ReadonlySet<string> = new Set();
  #timer: Timer | undefined;

  constructor(options: WatchdogOptions) {
    this.#options = options;
    this.#periodMs = Math.max(PERIOD_MIN_MS, options.watchdogMs / LOOKS);
    this.#before = options.progress();
    this.#begin();
  }

  stop(): void {
    this.#timer?.cancel();
  }

  #begin(): void {
    this.#options.stir();
    this.#timer = this.#options.clock.after(this.#periodMs, () => {
      this.#look();
      this.#begin();
    });
  }

  #look(): void {
    const { progress, feed } = this.#options;
    const now = progress();
    const stuck = new Set(
      [...now.keys()].filter((name) => now.get(name) === this.#before.get(name)),
    );
    this.#report(stuck);
    this.#before = now;
    this.#stuck = stuck;
    if (stuck.size === 0) feed();
  }

  #report(stuck: ReadonlySet<string>): void {
    const { log } = this.#options;
    for (const source of stuck) {
      if (!this.#stuck.has(source)) log.error({ event: 'no-progress', source }, `${source} hangs`);
    }
    for (const source of this.#stuck) {
      if (!stuck.has(source)) log.warn({ event: 'progress', source }, `${source} goes on`);
    }
  }
}
