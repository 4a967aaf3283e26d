/** Locks on open files: one holder, released by the kernel with the last descriptor. */

import { equal, throws } from 'node:assert/strict';
import { closeSync, openSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { native } from '../../src/native/addon.ts';
import { testFolder } from '../tools/folder.ts';

test('of two opens of a file one has the lock, until it is closed', (t) => {
  const path = join(testFolder(t), 'file');
  const [first, second] = [openSync(path, 'a+'), openSync(path, 'a+')];
  equal(native.fileLock(first), true);
  equal(native.fileLock(first), true);
  equal(native.fileLock(second), false);
  closeSync(first);
  equal(native.fileLock(second), true);
  closeSync(second);
  throws(() => native.fileLock(second), { code: 'EBADF' });
});
