/**
 * Every numbered invariant at the head of a file has its guard: a test that would
 * fail, or a checker that watches all simulated worlds. The list is printed. It is that of the
 * rooms which the simulator runs.
 */

import { deepEqual, ok } from 'node:assert/strict';
import { test } from 'node:test';
import { sources } from './source.ts';

const ROOMS = ['base', 'datapath', 'ip', 'ipmp', 'sim', 'stats'];

/** File of a test, and words of its title; of a checker, its name. */
type Guard = readonly [file: string, words: string];

const watched = (name: string): Guard => ['test/sim/check/checkers.ts', name];
const lived = (name: string): Guard => ['test/sim/life/life.ts', name];
const entries: Guard = ['test/sim/entries.test.ts', 'deadlines, waiting askers and MACs'];
const agreement: Guard = ['test/prop/system.test.ts', 'words, tables and rows in agreement'];
const noise: Guard = ['test/unit/ip/prop.test.ts', 'arbitrary frames, moves and times'];
const cacheProperty: Guard = ['test/prop/neighbors.test.ts', 'limits, queues by state, users'];
const redirects: Guard = ['test/prop/neighbors.test.ts', 'no chain, bounded, and the output'];
const conserved: Guard = ['test/prop/datapath.test.ts', 'none is lost or counted twice'];

/** File of src/ -> for each of its invariants, in their order, its guard. */
const GUARDS: Readonly<Record<string, readonly Guard[]>> = {
  'base/lock.ts': [
    ['test/unit/base/lock.test.ts', 'locks are taken in rising rank'],
    ['test/unit/base/lock.test.ts', 'a region is not entered twice'],
    ['test/unit/base/lock.test.ts', 'boundaries refuse an open region'],
  ],
  'base/operation.ts': [
    ['test/unit/base/operation.test.ts', 'the first answer counts, later ones are ignored'],
    ['test/unit/base/lock.test.ts', 'boundaries refuse an open region'],
    ['test/unit/base/lock.test.ts', 'a lock kept at the end of its task'],
    ['test/unit/base/operation.test.ts', 'cancelling runs finally blocks at once'],
    ['test/unit/base/witness.test.ts', 'a circle of three'],
  ],
  'base/reference.ts': [
    ['test/unit/base/lock.test.ts', 'released once, none after condemnation'],
    ['test/unit/base/lock.test.ts', 'drained waits for the last reference'],
    ['test/unit/base/witness.test.ts', 'references are counted by kind'],
    ['test/unit/base/witness.test.ts', 'is fatal by default'],
  ],
  'base/witness.ts': [
    ['test/unit/base/witness.test.ts', 'reported once, counted once'],
    ['test/unit/base/witness.test.ts', 'where to go on is not safe'],
  ],
  'datapath/forwarder.ts': [
    conserved,
    ['test/prop/datapath.test.ts', 'a million frames leave nothing on the heap'],
    ['test/unit/datapath/shared.test.ts', 'a worker never sees a torn table'],
  ],
  'ip/claim/dad.ts': [entries, entries],
  'ip/lan.ts': [
    watched('ownMacOnly'),
    ['test/unit/ip/neighbor/neighbors.test.ts', 'answered from memory, at most 15 s'],
    ['test/unit/ip/limits.test.ts', 'unsolicited claims of 256 addresses add nothing'],
    noise,
  ],
  'ip/neighbor/nce.ts': [entries, entries, entries, entries],
  'ip/neighbor/cache.ts': [cacheProperty, cacheProperty, cacheProperty],
  'ip/neighbor/redirect.ts': [redirects, redirects, redirects],
  'ipmp/object/illgrp.ts': [
    agreement,
    watched('nominationStays'),
    watched('neverUnbound'),
    agreement,
  ],
  'sim/lan/cable.ts': [['test/sim/network.test.ts', 'every frame is counted']],
  'stats/collector.ts': [
    watched('countersNeverFall'),
    ['test/unit/base/lock.test.ts', 'boundaries refuse an open region'],
    lived('nothingLeft'),
  ],
  'stats/group-counters.ts': [
    ['test/unit/stats/collector.test.ts', 'what is published never falls'],
    lived('accountsAgree'),
  ],
};

/** The numbered invariants of a head comment, first lines only. */
function invariantsOf(text: string): string[] {
  const head = /^(?:#!.*\n\n?)?\/\*\*([\s\S]*?)\*\//.exec(text)?.[1] ?? '';
  const from = head.search(/\bInvariants\b/);
  if (from < 0) return [];
  const plain = head.slice(from).replace(/\n \*/g, '\n');
  return [...plain.matchAll(/(?<=\n {1,2}|[\s:.])(?:(\d+)\. |\((\d+)\) )([A-Za-z`][^(\n]*)/g)].map(
    ([, dotted, bracketed, sentence]) => `${dotted ?? bracketed} ${sentence}`,
  );
}

/** The titles of the tests of a file that run, and the names under which a checker fails. */
function guardsOf(text: string): string[] {
  const guards = /^\s*(?:test|testFamilies|it)\(\s*(['"`])(.*?)\1,|this\.#fail\(\s*'(\w+)'/gm;
  return [...text.matchAll(guards)].map(([, , title, checker]) => title ?? checker ?? '');
}

test('every numbered invariant has a test or a checker', (t) => {
  const found = new Map(
    sources(
      ROOMS.map((room) => `src/${room}`),
      ['.ts'],
    ).flatMap((file): [string, string[]][] => {
      const invariants = invariantsOf(file.text);
      return invariants.length === 0 ? [] : [[file.path.slice('src/'.length), invariants]];
    }),
  );
  deepEqual([...found.keys()].sort(), Object.keys(GUARDS).sort(), 'files with invariants');
  const tests = new Map(sources(['test'], ['.ts']).map((file) => [file.path, file.text]));
  for (const [file, invariants] of found) {
    const guards = GUARDS[file] ?? [];
    const numbers = invariants.map((line) => Number.parseInt(line, 10));
    deepEqual(
      numbers,
      [...guards.keys()].map((index) => index + 1),
      `numbers in ${file}`,
    );
    for (const [index, [where, words]] of guards.entries()) {
      const isThere = guardsOf(tests.get(where) ?? '').some((guard) => guard.includes(words));
      ok(isThere, `${where} has neither a test nor a checker "${words}"`);
      t.diagnostic(`${file} ${invariants[index]}: ${where}, ${words}`);
    }
  }
});
