/**
 * Events in the daemon's log. Some are caused by frames, so by whoever is on the LAN: of each such
 * cause a number of lines in a while is written, and how many there were beyond it at the end of
 * the while. Who subscribes to events hears all of them.
 */

import { LineLimit } from '../base/text/line-limit.ts';
import type { Clock } from '../process/clock.ts';
import type { Log } from '../process/log.ts';
import type { SystemEvent } from '../system.ts';

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
  readonly #limit: LineLimit<SystemEvent['cause']>;

  constructor(log: Log, clock: Clock) {
    this.#log = log;
    this.#limit = new LineLimit(clock.after, (cause, more) =>
      log.info({ event: 'events-not-logged', cause, more }, `${more} more events: ${cause}`),
    );
  }

  handleEvent(event: SystemEvent): void {
    if (CAUSED_BY_FRAMES.has(event.cause) && !this.#limit.admits(event.cause)) return;
    const { atMs: _, ...fields } = event;
    const subject = [event.group, event.ifname].filter((name) => name !== null).join(' ');
    const change = [event.from, event.to].filter((state) => state !== null).join(' -> ');
    const detail = event.detail === null ? '' : ` (${event.detail})`;
    this.#log.info(fields, `${event.event} ${subject} ${change}${detail}: ${event.cause}`);
  }
}
