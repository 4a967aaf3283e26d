/** Events in the log: those that frames cause are limited, all others are written. */

import { deepEqual, equal, match } from 'node:assert/strict';
import { Writable } from 'node:stream';
import { test } from 'node:test';
import { pino } from 'pino';
import { EventLog } from '../../../src/daemon/reports.ts';
import type { SystemEvent } from '../../../src/system.ts';

const EVENT: SystemEvent = {
  atMs: 0,
  event: 'neighbor-moved',
  group: 'ipmp0',
  ifname: null,
  from: '02:00:00:00:00:01',
  to: '02:00:00:00:00:02',
  cause: 'neighbor-moved',
  detail: '192.0.2.7',
};

test('[contract 8.5] of what frames cause twenty lines a second, then the number', () => {
  const lines: string[] = [];
  const sink = new Writable({
    write: (chunk: Buffer, _encoding, done) => {
      lines.push((JSON.parse(chunk.toString()) as { msg: string }).msg);
      done();
    },
  });
  const due: (() => void)[] = [];
  const log = new EventLog(pino(sink), {
    nowMs: () => 0,
    after: (_delayMs, body) => {
      due.push(body);
      return { cancel: () => undefined };
    },
  });
  const pass = (): void => {
    for (const body of due.splice(0)) body();
  };

  for (let i = 0; i < 1000; i++) log.handleEvent(EVENT);
  equal(lines.length, 20);
  match(lines[0] ?? '', /^neighbor-moved ipmp0 \S+ -> \S+ \(192\.0\.2\.7\): neighbor-moved$/);
  log.handleEvent({ ...EVENT, event: 'address-defended', cause: 'address-conflict' });
  for (let i = 0; i < 50; i++) log.handleEvent({ ...EVENT, cause: 'link-down' });
  equal(lines.length, 71, 'another cause has lines of its own, and links are not limited');
  pass();
  deepEqual(lines.slice(71), ['980 more events: neighbor-moved']);
  log.handleEvent(EVENT);
  equal(lines.length, 73);
  pass();
  equal(lines.length, 73, 'nothing is said of none');
});
