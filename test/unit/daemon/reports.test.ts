/** Reports of the witness in a daemon: logged later, one line a second of each kind. */

import { deepEqual } from 'node:assert/strict';
import { Writable } from 'node:stream';
import { test } from 'node:test';
import { pino } from 'pino';
import { reportViolation } from '../../../src/base/witness.ts';
import { logViolations } from '../../../src/daemon/reports.ts';

test('a flood of reports is one line, then the number of the others', () => {
  const lines: string[] = [];
  const sink = new Writable({
    write: (chunk: Buffer, _encoding, done) => {
      lines.push((JSON.parse(chunk.toString()) as { msg: string }).msg);
      done();
    },
  });
  const due: (() => void)[] = [];
  const undo = logViolations(pino(sink), {
    nowMs: () => 0,
    after: (_delayMs, body) => {
      due.push(body);
      return { cancel: () => undefined };
    },
  });
  const pass = (): void => {
    for (const body of due.splice(0)) body();
  };
  try {
    for (let i = 0; i < 5; i++) reportViolation('boundary', `driver call ${i}`);
    reportViolation('order', 'kstat before ipsq');
    deepEqual(lines, []);
    pass();
    deepEqual(lines, [
      'driver call 0 [boundary]',
      '4 more [boundary]',
      'kstat before ipsq [order]',
    ]);
    reportViolation('boundary', 'driver call 5');
    pass();
    deepEqual(lines.slice(3), ['driver call 5 [boundary]']);
  } finally {
    undo();
  }
});
