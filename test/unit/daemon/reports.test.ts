/** What the daemon logs: events and reports of the witness, of which each kind has a limit. */

import { deepEqual, equal, match } from 'node:assert/strict';
import { test } from 'node:test';
import { reportViolation } from '../../../src/base/witness.ts';
import { EventLog, logViolations } from '../../../src/daemon/reports.ts';
import type { SystemEvent } from '../../../src/system.ts';
import { TestClock } from '../../tools/clock.ts';
import { testLog } from '../../tools/log.ts';

test('a flood of reports is one line, then the number of the others', () => {
  const { log, taken } = testLog();
  const clock = new TestClock();
  const undo = logViolations(log, clock);
  try {
    for (let i = 0; i < 5; i++) reportViolation('boundary', `driver call ${i}`);
    reportViolation('order', 'kstat before ipsq');
    deepEqual(taken(), []);
    clock.pass(0);
    deepEqual(taken(), ['driver call 0 [boundary]', 'kstat before ipsq [order]']);
    clock.pass(1000);
    deepEqual(taken(), ['4 more [boundary]']);
    reportViolation('boundary', 'driver call 5');
    clock.pass(0);
    deepEqual(taken(), ['driver call 5 [boundary]']);
  } finally {
    undo();
  }
});

const EVENT: SystemEvent = {
  atMs: 0,
  event: 'neighbor-moved',
  group: 'ipmp0',
  ifname: null,
  from: '02:00:00:00:00:01',
  to: '02:00:00:00:00:02',
  cause: 'neighbor-moved',
  detail: '192.0.2.7',
  type: null,
  signature: null,
};

test('[contract 8.5] of what frames cause twenty lines a second, then the number', () => {
  const { log, taken } = testLog();
  const clock = new TestClock();
  const events = new EventLog(log, clock);
  for (let i = 0; i < 1000; i++) events.handleEvent(EVENT);
  const lines = taken();
  equal(lines.length, 20);
  match(String(lines[0]), /^neighbor-moved ipmp0 \S+ -> \S+ \(192\.0\.2\.7\): neighbor-moved$/);
  events.handleEvent({ ...EVENT, event: 'address-defended', cause: 'address-conflict' });
  for (let i = 0; i < 50; i++) events.handleEvent({ ...EVENT, cause: 'link-down' });
  equal(taken().length, 51, 'another cause has lines of its own, and links have no limit');
  clock.pass(1000);
  deepEqual(taken(), ['980 more events: neighbor-moved']);
  events.handleEvent(EVENT);
  equal(taken().length, 1);
  clock.pass(1000);
  deepEqual(taken(), [], 'no line without a number');
});
