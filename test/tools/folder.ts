/** Folders of tests, and a process that can open no file. */

import { equal } from 'node:assert/strict';
import { closeSync, mkdtempSync, openSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { TestContext } from 'node:test';
import { errnoOf } from '../../src/base/errors.ts';

/** A new folder, which goes with the test. */
export function testFolder(context: Pick<TestContext, 'after'>): string {
  const folder = mkdtempSync(join(tmpdir(), 'ipmpd-test-'));
  context.after(() => rmSync(folder, { recursive: true, force: true }));
  return folder;
}

/** Runs `body` while this process has no descriptor left. */
export async function withoutDescriptors(body: () => Promise<void>): Promise<void> {
  const opened: number[] = [];
  try {
    for (;;) opened.push(openSync('/dev/null', 'r'));
  } catch (error) {
    equal(errnoOf(error), 'EMFILE');
    await body();
  } finally {
    for (const fd of opened) closeSync(fd);
  }
}
