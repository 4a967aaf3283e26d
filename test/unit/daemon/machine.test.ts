/** What the daemon reads of the machine at its start: nothing there keeps it from starting. */

import { deepEqual, equal, notEqual } from 'node:assert/strict';
import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { readMachineId } from '../../../src/daemon/machine.ts';
import { testFolder } from '../../tools/folder.ts';
import { testLog } from '../../tools/log.ts';

test('a machine id that cannot be read is passed over, and logged', (t) => {
  const folder = testFolder(t);
  const { log, taken } = testLog('warn');
  const [missing, directory, good] = ['missing', 'directory', 'good'].map((name) =>
    join(folder, name),
  ) as [string, string, string];
  mkdirSync(directory);
  writeFileSync(good, 'abc\n');
  equal(readMachineId(log, [missing, good]), 'abc');
  deepEqual(taken('event'), []);
  equal(readMachineId(log, [directory, good]), 'abc');
  deepEqual(taken('event'), ['machine-id']);
  notEqual(readMachineId(log, [directory]), readMachineId(log, [missing]));
  deepEqual(taken('event'), ['machine-id', 'no-machine-id', 'no-machine-id']);
});
