/**
 * Events to subscribers, as server-sent events, with a bounded queue for each.
 *
 * A subscriber that reads slower than events happen must cost neither memory nor the others'
 * time: when its queue is full it gets one last event, `overrun`, and its stream ends. It then
 * knows that it has missed something, and asks anew.
 */
import { jsonWrite } from '../base/json.ts';
import type { EventRow } from './backend.ts';

/**
 * Unsent bytes of one subscriber: about 500 events; times 64 clients it stays below 16 MiB (T21).
 */
export const EVENT_QUEUE_BYTES = 128 * 1024;

/** Where a subscriber's bytes go. */
export interface EventSink {
  write(text: string): void;
  /** Sends `text` and then ends. */
  end(text: string): void;
  /** Bytes written that the peer has not taken yet. */
  queuedBytes(): number;
}

/** One event in the form of server-sent events. */
export function eventText(name: string, data: unknown): string {
  return `event: ${name}\ndata: ${jsonWrite(data)}\n\n`;
}

/** One subscriber's stream, from its first byte to its end. */
export class EventStream {
  readonly #sink: EventSink;
  #unsubscribe: (() => void) | undefined;
  #isOver = false;

  /**
   * Writes a comment at once, so that the subscriber knows from when on it will hear everything.
   */
  constructor(sink: EventSink, subscribe: (listener: (event: EventRow) => void) => () => void) {
    this.#sink = sink;
    this.#unsubscribe = subscribe((event) => this.#handleEvent(event));
    sink.write(': subscribed\n\n');
  }

  get isOver(): boolean {
    return this.#isOver;
  }

  /** The subscriber has gone, or the server stops. */
  close(): void {
    this.#isOver = true;
    this.#unsubscribe?.();
    this.#unsubscribe = undefined;
  }

  #handleEvent(event: EventRow): void {
    if (this.#isOver) return;
    if (this.#sink.queuedBytes() <= EVENT_QUEUE_BYTES) {
      this.#sink.write(eventText(event.event, event));
      return;
    }
    const { time } = event;
    const cause = 'the subscriber reads too slowly';
    const notice = { time, event: 'overrun', group: null, ifname: null, from: null, to: null };
    this.close();
    this.#sink.end(eventText('overrun', { ...notice, cause }));
  }
}
