/** The events of a lab's daemon as they come, from the moment the lab is up. */

import { setTimeout as sleep } from 'node:timers/promises';
import { ControlClient } from '../../ctl/client.ts';
import { rowRead } from '../../model/fields.ts';
import { EVENT_OF_NOTHING, EVENT_ROW, type EventRow } from '../../model/rows.ts';
import type { Heard } from './state.ts';

/** Ours: more than the largest terminal has lines. */
const KEPT = 200;
const AGAIN_MS = 500;

/** Keeps the latest events; a broken stream is opened again, and that is shown. */
export class EventHistory {
  /** The latest first. */
  events: readonly Heard[] = [];
  onEvent: () => void = () => undefined;
  readonly #controller = new AbortController();

  constructor(socket: string) {
    void this.#listen(new ControlClient(socket));
  }

  stop(): void {
    this.#controller.abort();
  }

  async #listen(client: ControlClient): Promise<void> {
    const { signal } = this.#controller;
    let hasHeard = false;
    while (!signal.aborted) {
      try {
        await client.events(({ data }) => {
          hasHeard = true;
          this.#keep(rowRead(EVENT_ROW, JSON.parse(data)));
        }, signal);
      } catch (error) {
        // The view shows that the daemon is not reachable; here it is only asked again.
        if (!(error instanceof Error)) throw error;
      }
      if (signal.aborted) return;
      if (hasHeard) this.#keep(BROKEN);
      hasHeard = false;
      await sleep(AGAIN_MS);
    }
  }

  #keep(row: EventRow): void {
    this.events = [{ atMs: performance.now(), row }, ...this.events].slice(0, KEPT);
    this.onEvent();
  }
}

const BROKEN: EventRow = {
  time: '',
  event: 'the stream of events broke: some may be missing here',
  ...EVENT_OF_NOTHING,
};
