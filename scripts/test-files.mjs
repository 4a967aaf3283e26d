/**
 * The stages of the tests and the files of each, found by the sources that exist now; and which
 * programs a file runs, read from its source, so that a missing program leaves out no other file.
 */

import { readdirSync, readFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { LAB_PROGRAMS } from './packages.mjs';
import { root } from './stamps.mjs';

/**
 * Stages in the order in which they run: the cheap and most telling ones first. `programs` are those
 * that every file of a stage needs; `scans` where files differ, and their sources say it. The other
 * stages run no programs, or skip by themselves. `longest` are the files that take longest, which begin
 * first, so that none of them is alone at the end.
 */
export const STAGES = [
  { name: 'tidy', folder: 'tidy', programs: ['git'] },
  { name: 'unit', folder: 'unit' },
  { name: 'prop', folder: 'prop' },
  { name: 'lab', folder: 'lab' },
  { name: 'native', folder: 'native', scans: true },
  {
    name: 'sim',
    folder: 'sim',
    longest: ['order/readers', 'life/soak', 'order/all-interleavings', 'group'],
  },
  { name: 'model', folder: 'model' },
  { name: 'mutants', folder: 'mutants' },
  // These wait for the world longer than they work: three more at a time than there are processors.
  {
    name: 'netns',
    folder: 'netns',
    needsRoot: true,
    programs: LAB_PROGRAMS,
    scans: true,
    waiting: 3,
    longest: [
      ...['lab/live', 'arp/neighbours', 'frames/offloads', 'control/commands', 'host/changed'],
      ...['frames/fuzz', 'group/routes-written', 'group/routers', 'group/routes'],
      ...['lab/signals', 'control/contract-surface', 'group/basic', 'group/absent', 'host/restore'],
      ...['group/addresses', 'process/process-start', 'process/systemd', 'host/undo', 'group/mix'],
      ...['process/contract-process', 'control/reload', 'control/contract-groups'],
    ],
  },
  {
    name: 'timing',
    folder: 'timing',
    needsRoot: true,
    programs: LAB_PROGRAMS,
    scans: true,
    sequential: true,
  },
];

/** Test files of a folder of test/: `source` and `built`, relative to the root. */
export function testFiles(folder) {
  return readdirSync(join(root, 'test', folder), { recursive: true })
    .filter((entry) => entry.endsWith('.test.ts'))
    .sort()
    .map((entry) => ({
      source: `test/${folder}/${entry}`,
      built: `dist/test/${folder}/${entry.replace(/\.ts$/, '.js')}`,
    }));
}

/** `files` of a stage in the order in which they begin. */
export function longestFirst({ folder, longest = [] }, files) {
  const rank = ({ source }) => {
    const at = longest.indexOf(source.slice(`test/${folder}/`.length, -'.test.ts'.length));
    return at === -1 ? longest.length : at;
  };
  return files.toSorted((one, other) => rank(one) - rank(other));
}

/**
 * Those of `programs` that a test file runs: a string of it, or of what it imports, or a command of
 * a shell in that string, begins with the name. Not read are test/tidy, from which others take
 * paths and texts, and src but the lab.
 */
export function programsOf(source, programs) {
  const seen = new Set();
  const texts = [];
  const visit = (path) => {
    if (seen.has(path)) return;
    seen.add(path);
    const text = readFileSync(join(root, path), 'utf8');
    texts.push(text.replace(/^\s*(\/\*\*|\*|\/\/).*$/gm, ''));
    for (const [, to] of text.matchAll(/^(?:import |\} ).*from '(\.[^']+\.ts)';$/gm)) {
      const target = join(dirname(path), to);
      if (/^(test\/(?!tidy\/)|src\/lab\/)/.test(target)) visit(target);
    }
  };
  visit(source);
  return programs.filter((program) => {
    const begins = new RegExp(`['"\`;|&(] *${program}['"\` ]`);
    return texts.some((text) => begins.test(text));
  });
}
