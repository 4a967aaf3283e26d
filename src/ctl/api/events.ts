/**
 * Events to subscribers, as server-sent events, from one ring of recent events.
 *
 * The publisher puts an event into the ring and is done. A subscriber takes events from there as
 * fast as it reads, so it costs neither memory nor the others' time. One that falls behind the
 * oldest event kept gets a last event, `overrun`, and its stream ends.
 *
 * An event's id is the run of the daemon and its number in that run. A subscriber that names the
 * last id it has seen goes on after it; if what follows is no longer kept, or the id is of another
 * run, its first event is `missed`. In both cases it knows that it must read all rows again.
 */

import { jsonWrite } from '../../base/text/json.ts';
import { EVENT_OF_NOTHING, type EventRow } from '../../model/rows.ts';

/** Recent events kept: about ten seconds of the worst storm that is planned for (T21), 400 KiB. */
export const EVENTS_KEPT = 1024;

/** Written bytes that a subscriber has not taken yet; then it waits for its turn in the ring. */
export const EVENT_QUEUE_BYTES = 64 * 1024;

/** Where a subscriber's bytes go. */
export interface EventSink {
  write(text: string): void;
  /** Sends `text` and then ends. */
  end(text: string): void;
  /** Ends at once. */
  abort(): void;
  /** Bytes written that the peer has not taken yet. */
  queuedBytes(): number;
}

/** What a subscriber wants: events that have these values, all of them if empty. */
export interface EventFilter {
  readonly group?: string;
  readonly ifname?: string;
  readonly event?: string;
}

interface KeptEvent {
  readonly row: EventRow;
  readonly text: string;
}

/** One event in the form of server-sent events; without `id` it does not move the resume point. */
function eventText(row: EventRow, id?: string): string {
  const first = id === undefined ? '' : `id: ${id}\n`;
  return `${first}event: ${row.event}\ndata: ${jsonWrite(row)}\n\n`;
}

export interface EventHubOptions {
  /** The run of the daemon: no other run has the same. */
  readonly run: string;
  /** RFC 3339 with microseconds. */
  readonly wallTime: () => string;
  readonly subscribe: (listener: (event: EventRow) => void) => () => void;
}

/** The ring, and all subscribers. */
export class EventHub {
  readonly #run: string;
  readonly #wallTime: () => string;
  readonly #unsubscribe: () => void;
  readonly #streams = new Set<EventStream>();
  readonly #ring: KeptEvent[] = [];
  /** Events are numbered from 1; event n lies at n % EVENTS_KEPT. */
  #next = 1;

  constructor({ run, wallTime, subscribe }: EventHubOptions) {
    this.#run = run;
    this.#wallTime = wallTime;
    this.#unsubscribe = subscribe((row) => this.#handleEvent(row));
  }

  /** Subscribers at present. */
  get size(): number {
    return this.#streams.size;
  }

  /** The number of the event that will come next. */
  get next(): number {
    return this.#next;
  }

  /** The number of the oldest event kept; `next` if none is. */
  get oldest(): number {
    return Math.max(1, this.#next - EVENTS_KEPT);
  }

  /** An event that is kept. */
  event(number: number): KeptEvent {
    return this.#ring[number % EVENTS_KEPT]!;
  }

  /**
   * A new subscriber. `after`: the last id that it has seen; undefined: it wants what comes now.
   */
  open(sink: EventSink, filter: EventFilter = {}, after?: string): EventStream {
    const from = after === undefined ? this.#next : this.#numberAfter(after);
    const start = from ?? this.#next;
    const stream = new EventStream(this, sink, filter, start, this.#wallTime);
    this.#streams.add(stream);
    // A comment at once marks the start of the subscription; the id is there before any event.
    sink.write(`: subscribed\nid: ${this.#run}-${start - 1}\n\n`);
    if (from === undefined) {
      const detail = 'events since that id are no longer known';
      const row = notice('missed', this.#wallTime(), detail);
      sink.write(eventText(row, `${this.#run}-${start - 1}`));
    }
    stream.pump();
    return stream;
  }

  /** The stream is over. */
  forget(stream: EventStream): void {
    this.#streams.delete(stream);
  }

  /** The server stops: no more events, all streams end. */
  close(): void {
    this.#unsubscribe();
    for (const stream of this.#streams) stream.close();
  }

  /** Undefined if events are missing since then. */
  #numberAfter(id: string): number | undefined {
    const at = id.lastIndexOf('-');
    const number = Number(id.slice(at + 1)) + 1;
    const isKnown = id.slice(0, at) === this.#run && number >= this.oldest && number <= this.#next;
    return isKnown ? number : undefined;
  }

  #handleEvent(row: EventRow): void {
    const text = eventText(row, `${this.#run}-${this.#next}`);
    this.#ring[this.#next % EVENTS_KEPT] = { row, text };
    this.#next++;
    for (const stream of this.#streams) stream.pump();
  }
}

function notice(event: string, time: string, detail: string): EventRow {
  return { time, event, ...EVENT_OF_NOTHING, detail };
}

/** One subscriber's stream, from its first byte to its end. */
export class EventStream {
  readonly #hub: EventHub;
  readonly #sink: EventSink;
  readonly #filter: EventFilter;
  readonly #wallTime: () => string;
  #next: number;
  #isOver = false;

  constructor(
    hub: EventHub,
    sink: EventSink,
    filter: EventFilter,
    next: number,
    wallTime: () => string,
  ) {
    this.#hub = hub;
    this.#sink = sink;
    this.#filter = filter;
    this.#next = next;
    this.#wallTime = wallTime;
  }

  get isOver(): boolean {
    return this.#isOver;
  }

  /** Writes what is there while the subscriber takes it. */
  pump(): void {
    if (this.#isOver) return;
    if (this.#next < this.#hub.oldest) {
      this.close();
      const detail = 'the subscriber reads too slowly';
      this.#sink.end(eventText(notice('overrun', this.#wallTime(), detail)));
      return;
    }
    while (this.#next < this.#hub.next && this.#sink.queuedBytes() < EVENT_QUEUE_BYTES) {
      const { row, text } = this.#hub.event(this.#next++);
      if (matches(this.#filter, row)) this.#sink.write(text);
    }
  }

  /** A while without a byte in either direction: a peer that is there takes a comment. */
  handleSilence(): void {
    if (this.#isOver) return;
    if (this.#sink.queuedBytes() > 0) {
      this.close();
      this.#sink.abort();
    } else this.#sink.write(': alive\n\n');
  }

  /** The subscriber has gone, or the server stops. */
  close(): void {
    this.#isOver = true;
    this.#hub.forget(this);
  }
}

function matches({ group, ifname, event }: EventFilter, row: EventRow): boolean {
  return (
    (group === undefined || row.group === group) &&
    (ifname === undefined || row.ifname === ifname) &&
    (event === undefined || row.event === event)
  );
}
