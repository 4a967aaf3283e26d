/**
 * Notifications to the service manager that started us, sd_notify(3): ready, reloading, stopping,
 * alive. Without one (NOTIFY_SOCKET is not set) nothing is sent. A failure to send is logged once
 * and changes nothing else: the network matters more than its supervision.
 */

import { native } from '../native/addon.ts';
import type { Log } from './log.ts';

/** Fields of sd_notify(3) that we use. */
export interface ServiceState {
  readonly READY?: '1';
  /** READY ends it. */
  readonly RELOADING?: '1';
  /** Belongs to RELOADING since systemd 253; older ones pass over it. */
  readonly MONOTONIC_USEC?: string;
  readonly STOPPING?: '1';
  readonly WATCHDOG?: '1';
  /** One line for `systemctl status`. */
  readonly STATUS?: string;
}

/** The environment that a service manager sets, see sd_notify(3) and sd_watchdog_enabled(3). */
type Environment = Readonly<
  Partial<Record<'NOTIFY_SOCKET' | 'WATCHDOG_USEC' | 'WATCHDOG_PID', string>>
>;

/** The service manager, or none. */
export class ServiceManager {
  /** It kills us after so long without a notification, in milliseconds; undefined: it does not. */
  readonly watchdogMs: number | undefined;
  readonly #socket: string | undefined;
  readonly #log: Log;
  #hasFailed = false;

  constructor(environment: Environment, pid: number, log: Log) {
    const { NOTIFY_SOCKET, WATCHDOG_USEC, WATCHDOG_PID } = environment;
    const isForUs = WATCHDOG_PID === undefined || Number(WATCHDOG_PID) === pid;
    const milliseconds = Number(WATCHDOG_USEC ?? 0) / 1000;
    const hasWatchdog = Boolean(NOTIFY_SOCKET) && isForUs && milliseconds > 0;
    this.watchdogMs = hasWatchdog ? milliseconds : undefined;
    this.#socket = NOTIFY_SOCKET || undefined;
    this.#log = log;
  }

  /** Sends `state`; line breaks of a STATUS become spaces. */
  notify(state: ServiceState): void {
    if (this.#socket === undefined) return;
    const lines = Object.entries(state).map(([name, value]: [string, string]) => {
      return `${name}=${value.replaceAll(/\s+/g, ' ')}`;
    });
    try {
      native.datagramSend(this.#socket, lines.join('\n'));
    } catch (error) {
      if (this.#hasFailed) return;
      this.#hasFailed = true;
      this.#log.warn(
        { event: 'service-manager-deaf', socket: this.#socket, err: error },
        'the service manager cannot be notified',
      );
    }
  }
}
