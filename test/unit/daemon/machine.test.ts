/** What the daemon asks of the machine at its start: nothing that it finds there keeps it. */

import { deepEqual, equal, notEqual } from 'node:assert/strict';
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import { pino } from 'pino';
import { readMachineId } from '../../../src/daemon/machine.ts';

test('a machine id that cannot be read is passed over, and said so', () => {
  const folder = mkdtempSync(join(tmpdir(), 'ipmpd-machine-'));
  const lines: string[] = [];
  const log = pino({ level: 'warn' }, { write: (line: string) => lines.push(line) });
  const events = () => lines.splice(0).map((line) => JSON.parse(line).event);
  const [missing, directory, good] = ['missing', 'directory', 'good'].map((name) =>
    join(folder, name),
  );
  try {
    mkdirSync(directory!);
    writeFileSync(good!, 'abc\n');
    equal(readMachineId(log, [missing!, good!]), 'abc');
    deepEqual(events(), []);
    equal(readMachineId(log, [directory!, good!]), 'abc');
    deepEqual(events(), ['machine-id']);
    notEqual(readMachineId(log, [directory!]), readMachineId(log, [missing!]));
    deepEqual(events(), ['machine-id', 'no-machine-id', 'no-machine-id']);
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
});
