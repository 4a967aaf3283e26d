/** Locks on open files: one holder, released by the kernel with the last descriptor. */

import { equal, throws } from 'node:assert/strict';
import { closeSync, mkdtempSync, openSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import { failedWith, native } from '../../src/native/addon.ts';

test('of two opens of a file one has the lock, until it is closed', () => {
  const folder = mkdtempSync(join(tmpdir(), 'ipmpd-lock-'));
  try {
    const [first, second] = [0, 1].map(() => openSync(join(folder, 'file'), 'a+')) as [
      number,
      number,
    ];
    equal(native.fileLock(first), true);
    equal(native.fileLock(first), true);
    equal(native.fileLock(second), false);
    closeSync(first);
    equal(native.fileLock(second), true);
    closeSync(second);
    throws(
      () => native.fileLock(second),
      (error) => failedWith(error, 'EBADF'),
    );
  } finally {
    rmSync(folder, { recursive: true });
  }
});
