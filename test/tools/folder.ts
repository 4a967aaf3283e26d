/** Folders of tests. */

import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { TestContext } from 'node:test';

/** A new folder, which goes with the test. */
export function testFolder(context: Pick<TestContext, 'after'>): string {
  const folder = mkdtempSync(join(tmpdir(), 'ipmpd-test-'));
  context.after(() => rmSync(folder, { recursive: true, force: true }));
  return folder;
}
