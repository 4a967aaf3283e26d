/** Events: the ring, the streams from it, and the stream over a real socket. */

import { deepEqual, equal, match, ok } from 'node:assert/strict';
import { test } from 'node:test';
import { setTimeout as delay } from 'node:timers/promises';
import {
  EVENT_QUEUE_BYTES,
  EVENTS_KEPT,
  EventHub,
  type EventSink,
} from '../../../../src/ctl/api/events.ts';
import { EVENT_OF_NOTHING, type EventRow } from '../../../../src/model/rows.ts';

import {
  ask,
  ControlHarness,
  codeOf,
  controlHarness,
  RawClient,
  until,
  WALL_TIME,
} from './harness.ts';

/** A subscriber that keeps everything; `takes` false: it reads nothing any more. */
class Reader implements EventSink {
  text = '';
  takes = true;
  queued = 0;
  isEnded = false;
  isAborted = false;

  write(text: string): void {
    this.text += text;
    if (!this.takes) this.queued += text.length;
  }

  end(text: string): void {
    this.write(text);
    this.isEnded = true;
  }

  abort(): void {
    this.isAborted = true;
  }

  queuedBytes(): number {
    return this.queued;
  }

  /** `name id why`, one for each event. */
  get received(): string[] {
    return this.text.split('\n\n').flatMap((block) => {
      const fields = new Map(block.split('\n').map((line) => [line.split(': ')[0], line]));
      const data = fields.get('data')?.slice('data: '.length);
      if (data === undefined) return [];
      const { event, cause, detail } = JSON.parse(data) as EventRow;
      equal(fields.get('event'), `event: ${event}`);
      return [`${event} ${fields.get('id')?.slice('id: '.length) ?? '-'} ${cause ?? detail}`];
    });
  }
}

/** A hub, and the source of its events. */
class Stage {
  publish: (row: Partial<EventRow>) => void = () => undefined;
  isSubscribed = false;
  readonly hub: EventHub;

  constructor(run = 'aa') {
    const base = { time: 't', event: 'e', ...EVENT_OF_NOTHING };
    this.hub = new EventHub({
      run,
      wallTime: () => 'now',
      subscribe: (listener) => {
        this.isSubscribed = true;
        this.publish = (row) => listener({ ...base, ...row });
        return () => {
          this.isSubscribed = false;
        };
      },
    });
  }

  many(count: number, from = 1): void {
    for (let at = from; at < from + count; at++) this.publish({ cause: `c${at}` });
  }
}

test('a subscriber gets new events, and an id before any event', () => {
  const stage = new Stage();
  stage.many(2);
  const reader = new Reader();
  stage.hub.open(reader);
  equal(reader.text, ': subscribed\nid: aa-2\n\n');
  stage.many(2, 3);
  deepEqual(reader.received, ['e aa-3 c3', 'e aa-4 c4']);
});

test('a subscriber that returns goes on after its last id: nothing twice, nothing missed', () => {
  const stage = new Stage();
  stage.many(10);
  for (const [after, first] of [
    ['aa-0', 1],
    ['aa-7', 8],
    ['aa-10', 11],
  ] as const) {
    const reader = new Reader();
    stage.hub.open(reader, {}, after);
    const expected = Array.from(
      { length: 11 - first },
      (_, at) => `e aa-${first + at} c${first + at}`,
    );
    deepEqual(reader.received, expected, after);
  }
});

test('an id that is no longer known: missed first, then what comes', () => {
  const stage = new Stage();
  stage.many(EVENTS_KEPT + 5);
  const newest = EVENTS_KEPT + 5;
  const missed = [`missed aa-${newest} events since that id are no longer known`];
  for (const after of ['bb-7', 'aa-4', `aa-${newest + 1}`, 'aa-999999999999999']) {
    const reader = new Reader();
    stage.hub.open(reader, {}, after);
    deepEqual(reader.received, missed, after);
    ok(reader.text.includes('"time":"now"'));
  }
  // The oldest event kept is number 6.
  const reader = new Reader();
  stage.hub.open(reader, {}, 'aa-5');
  equal(reader.received.length, EVENTS_KEPT);
  equal(reader.received[0], 'e aa-6 c6');
});

test('filters: only events that have these values, replayed ones too', () => {
  const stage = new Stage();
  const reader = new Reader();
  stage.hub.open(reader, { group: 'g', event: 'x' });
  const rows = [
    { group: 'g', event: 'x', ifname: 'n', cause: '1' },
    { group: 'h', event: 'x', cause: '2' },
    { group: 'g', event: 'y', cause: '3' },
    { event: 'x', cause: '4' },
  ];
  for (const row of rows) stage.publish(row);
  deepEqual(reader.received, ['x aa-1 1']);
  const again = new Reader();
  stage.hub.open(again, { ifname: 'n' }, 'aa-0');
  deepEqual(again.received, ['x aa-1 1']);
});

test('a subscriber that waits costs its queue and no more, and goes on where it was', () => {
  const stage = new Stage();
  const reader = new Reader();
  const stream = stage.hub.open(reader);
  reader.takes = false;
  stage.many(EVENTS_KEPT);
  ok(reader.queued < EVENT_QUEUE_BYTES + 200, `${reader.queued} bytes are queued`);
  const before = reader.received.length;
  ok(before < EVENTS_KEPT);
  reader.takes = true;
  reader.queued = 0;
  stream.pump();
  equal(reader.received.length, EVENTS_KEPT);
  equal(reader.received.at(-1), `e aa-${EVENTS_KEPT} c${EVENTS_KEPT}`);
});

test('a subscriber behind the oldest event loses its stream; the notice moves no id', () => {
  const stage = new Stage();
  const slow = new Reader();
  const quick = new Reader();
  slow.takes = false;
  slow.queued = EVENT_QUEUE_BYTES;
  const stream = stage.hub.open(slow);
  stage.hub.open(quick);
  stage.many(EVENTS_KEPT);
  deepEqual([slow.isEnded, stage.hub.size], [false, 2]);
  stage.many(1, EVENTS_KEPT + 1);
  deepEqual([slow.isEnded, stream.isOver, stage.hub.size], [true, true, 1]);
  deepEqual(slow.received, ['overrun - the subscriber reads too slowly']);
  equal(quick.received.length, EVENTS_KEPT + 1);
});

test('silence: a comment if the subscriber reads, the end if it has not read the last', () => {
  const stage = new Stage();
  const reader = new Reader();
  const stream = stage.hub.open(reader);
  stream.handleSilence();
  match(reader.text, /\n\n: alive\n\n$/);
  reader.queued = 1;
  stream.handleSilence();
  deepEqual([reader.isAborted, stream.isOver, stage.hub.size], [true, true, 0]);
});

test('close ends the subscription and all streams', () => {
  const stage = new Stage();
  const stream = stage.hub.open(new Reader());
  stage.hub.close();
  deepEqual([stage.isSubscribed, stream.isOver, stage.hub.size], [false, true, 0]);
});

/** A stream over the socket; resolves when it is subscribed, or refused. */
async function listen(daemon: ControlHarness, query = '', header = ''): Promise<RawClient> {
  const head = `GET /v1/events${query} HTTP/1.1\r\nhost: x\r\n${header}\r\n`;
  const client = await RawClient.open(daemon.socketPath, head);
  await until(() => /: subscribed|"error"/.test(client.text), 'the stream begins');
  return client;
}

function idsOf({ text }: RawClient): string[] {
  return [...text.matchAll(/^id: (\S+)$/gm)].map(([, id = '']) => id);
}

test('[contract 5.2] over HTTP: resume by header and by query, filters, wrong ids', async () => {
  await using daemon = await controlHarness();
  const first = await listen(daemon);
  match(first.text, /content-type: text\/event-stream\r\n/i);
  for (const cause of ['one', 'two', 'three']) daemon.backend.publish(cause);
  await until(() => first.text.includes('three'), 'the event comes');
  const [start = '', one = ''] = idsOf(first);
  match(start, /^[0-9a-f]{12}-0$/);
  first.socket.destroy();
  for (const [query, header] of [
    [`?after=${one}`, ''],
    ['', `Last-Event-ID: ${one}\r\n`],
    [`?after=${start}`, `Last-Event-ID: ${one}\r\n`],
  ] as const) {
    const again = await listen(daemon, query, header);
    await until(() => again.text.includes('three'), 'it goes on');
    deepEqual([again.text.includes('one'), again.text.includes('two')], [false, true]);
    again.socket.destroy();
  }
  const filtered = await listen(daemon, `?ifname=net7&group=ipmp0&after=${start}`);
  daemon.backend.publish('four', { ifname: 'net7' });
  await until(() => filtered.text.includes('four'), 'its own event comes');
  ok(!filtered.text.includes('three'));
  filtered.socket.destroy();
  const stranger = await listen(daemon, '?after=0123456789ab-1');
  match(
    stranger.text,
    new RegExp(`event: missed\ndata: \\{"time":"${WALL_TIME}","event":"missed"`),
  );
  stranger.socket.destroy();
  for (const query of ['after=x', 'after=-1', 'group=!', 'event=X', 'x=1', 'after=a-1&after=a-2']) {
    const refusal = await ask(daemon, `/v1/events?${query}`);
    deepEqual([refusal.status, codeOf(refusal)], [400, 'EINVAL'], query);
  }
});

test('a restarted daemon has another run', async () => {
  await using daemon = await controlHarness();
  const before = await listen(daemon);
  await daemon.stop();
  await daemon.start();
  const after = await listen(daemon, `?after=${idsOf(before)[0]}`);
  match(after.text, /event: missed/);
  after.socket.destroy();
});

test('streams are limited; requests and root still find room', async () => {
  await using daemon = await controlHarness();
  const streams: RawClient[] = [];
  const open = async (uid: number): Promise<boolean> => {
    daemon.credentials = { pid: 1, uid, gid: uid, groups: [] };
    const stream = await listen(daemon);
    if (stream.text.includes(': subscribed')) streams.push(stream);
    else {
      match(stream.text, /^HTTP\/1\.1 503 [\s\S]*"EAGAIN"/);
      stream.socket.destroy();
    }
    return stream.text.includes(': subscribed');
  };
  for (let at = 0; at < 24; at++) equal(await open(1001 + (at % 2)), true, `stream ${at}`);
  equal(await open(1003), false);
  for (let at = 0; at < 8; at++) equal(await open(0), true);
  equal(await open(0), false);
  equal((await ask(daemon, '/v1/groups')).status, 200);
  for (const { socket } of streams) socket.destroy();
  let isOpen = false;
  for (let round = 0; round < 100 && !isOpen; round++) isOpen = await open(1003);
  ok(isOpen, 'a closed stream makes room');
  for (const { socket } of streams) socket.destroy();
});

test('silence is tested by a comment, and the stream is not idle for it', async () => {
  await using daemon = new ControlHarness();
  daemon.heartbeatMs = 20;
  await daemon.start();
  const stream = await listen(daemon);
  await until(() => stream.text.split(': alive').length > 3, 'it is tested again and again');
  daemon.backend.publish('still here');
  await until(() => stream.text.includes('still here'), 'the event comes');
  stream.socket.destroy();
});

test('[contract 5.7] a slow subscriber gets a notice and its end; others get all', async () => {
  await using daemon = await controlHarness();
  const slow = await listen(daemon);
  const quick = await listen(daemon);
  slow.socket.pause();
  const long = 'x'.repeat(1000);
  let published = 0;
  while (!slow.text.includes('overrun') && published < 10_000) {
    for (let at = 0; at < 100; at++) daemon.backend.publish(`${long}${published++}`);
    await delay(0);
    // It reads again only after the overrun, so that the notice arrives.
    if (published === EVENTS_KEPT * 3 - ((EVENTS_KEPT * 3) % 100)) slow.socket.resume();
  }
  match(slow.text, /event: overrun\ndata: \{[^\n]*"detail":"the subscriber reads too slowly"/);
  daemon.backend.publish('the last one');
  await until(() => quick.text.includes('the last one'), 'the quick one gets all');
  equal(quick.text.split('event: interface-state').length - 1, published + 1);
  quick.socket.destroy();
});
