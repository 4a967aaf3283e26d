/** The stages of the tests and the files of each, found by the sources that exist now. */

import { readdirSync } from 'node:fs';
import { join } from 'node:path';
import { root } from './stamps.mjs';

/** Stages in the order in which they run: the cheap and most telling ones first. */
export const STAGES = [
  { name: 'tidy', folder: 'tidy' },
  { name: 'unit', folder: 'unit' },
  { name: 'prop', folder: 'prop' },
  { name: 'lab', folder: 'lab' },
  { name: 'native', folder: 'native' },
  { name: 'sim', folder: 'sim' },
  { name: 'model', folder: 'model' },
  { name: 'mutants', folder: 'mutants' },
  { name: 'fuzz', folder: 'fuzz' },
  // These wait for the world as long as they work: two more at a time than there are processors.
  { name: 'netns', folder: 'netns', needsRoot: true, waiting: 2 },
  { name: 'timing', folder: 'timing', sequential: true, needsRoot: true },
];

/** Test files of a folder of test/: `source` and `built`, relative to the root. */
export function testFiles(folder) {
  let entries = [];
  try {
    entries = readdirSync(join(root, 'test', folder), { recursive: true });
  } catch (error) {
    if (error.code !== 'ENOENT') throw error;
  }
  return entries
    .filter((entry) => entry.endsWith('.test.ts'))
    .sort()
    .map((entry) => ({
      source: `test/${folder}/${entry}`,
      built: `dist/test/${folder}/${entry.replace(/\.ts$/, '.js')}`,
    }));
}
