/** Journals of a test: all are closed before their folder goes. */

import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { TestContext } from 'node:test';
import { Journal } from '../../../../src/host/undo/journal.ts';

/** Journals of the test that runs now. */
const opened: Journal[] = [];

/** A path for a journal, in a folder that does not exist yet. */
export function journalPath(context: TestContext): string {
  const folder = mkdtempSync(join(tmpdir(), 'ipmpd-journal-'));
  context.after(async () => {
    for (const journal of opened.splice(0)) await journal.close();
    rmSync(folder, { recursive: true });
  });
  return join(folder, 'run', 'journal');
}

/** Opens a journal, which is closed with the test at the latest. */
export async function openJournal(path: string): Promise<Journal> {
  const journal = await Journal.open(path);
  opened.push(journal);
  return journal;
}
