/**
 * Events in the daemon's log. Some are caused by frames, so by whoever is on the LAN: of each such
 * cause a number of lines in a while is written, and how many there were beyond it at the end of
 * the while. Who subscribes to events hears all of them.
 */

import type { Clock } from '../host/clock.ts';
import type { Log } from '../host/log.ts';
import type { SystemEvent } from '../system.ts';

// Ours: a whole small LAN may change at once and be seen, and a flood is twenty lines a second.
const WINDOW_MS = 1000;
const LINES_A_WINDOW = 20;

/** What frames of strangers can cause at the rate of their choice. */
const CAUSED_BY_FRAMES: ReadonlySet<SystemEvent['cause']> = new Set<SystemEvent['cause']>([
  'neighbor-moved',
  'neighbor-lost',
  'neighbor-answers',
  'address-conflict',
  'conflict-over',
]);

/** See the head of the file. */
export class EventLog {
  readonly #log: Log;
  readonly #clock: Clock;
  /** Cause -> events since its window began; absent while none is open. */
  readonly #counts = new Map<SystemEvent['cause'], number>();

  constructor(log: Log, clock: Clock) {
    this.#log = log;
    this.#clock = clock;
  }

  handleEvent(event: SystemEvent): void {
    if (CAUSED_BY_FRAMES.has(event.cause) && !this.#hasRoom(event.cause)) return;
    const { atMs: _, ...fields } = event;
    const subject = [event.group, event.ifname].filter((name) => name !== null).join(' ');
    const change = [event.from, event.to].filter((state) => state !== null).join(' -> ');
    const detail = event.detail === null ? '' : ` (${event.detail})`;
    this.#log.info(fields, `${event.event} ${subject} ${change}${detail}: ${event.cause}`);
  }

  #hasRoom(cause: SystemEvent['cause']): boolean {
    const count = this.#counts.get(cause);
    if (count === undefined) this.#clock.after(WINDOW_MS, () => this.#endWindow(cause));
    this.#counts.set(cause, (count ?? 0) + 1);
    return (count ?? 0) < LINES_A_WINDOW;
  }

  #endWindow(cause: SystemEvent['cause']): void {
    const more = (this.#counts.get(cause) ?? 0) - LINES_A_WINDOW;
    this.#counts.delete(cause);
    if (more <= 0) return;
    this.#log.info({ event: 'events-not-logged', cause, more }, `${more} more events: ${cause}`);
  }
}
