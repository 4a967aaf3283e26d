/**
 * The import ladder. A room may import itself, what its row names, and
 * nothing else; `node:*` and packages stay in the rooms that touch the world.
 */

import { deepEqual, equal, ok } from 'node:assert/strict';
import { dirname, join, normalize } from 'node:path';
import { test } from 'node:test';
import { fileText, pageText } from '../tools/page.ts';
import { drawing, LADDER, roomOf } from './ladder.ts';
import { none, sources } from './source.ts';

/** Rooms that may use the operating system through `node:*`. */
const NODE_ROOMS = [
  /^src\/(host|lab|process)\//,
  /^src\/(ipmpd|ipmpadm)\.ts$/,
  /^src\/config\/load\.ts$/,
  /^src\/daemon\/(daemon|machine)\.ts$/,
  /^src\/ctl\/client\.ts$/,
  /^src\/ctl\/api\/(namespace-lock|server|socket)\.ts$/,
  /^src\/ctl\/adm\/(main|monitor)\.ts$/,
  /^src\/ctl\/solaris\/host-names\.ts$/,
  /^src\/stats\/prometheus\.ts$/,
  /^src\/native\/addon\.ts$/,
  /^src\/datapath\/(worker|pool)\.ts$/,
];

interface Import {
  readonly from: string;
  readonly to: string;
}

function importsOf(path: string, text: string): Import[] {
  const found = text.matchAll(/(?:from\s+|import\s*\(\s*|^import\s+)'([^']+)'/gm);
  return [...found].map((match) => ({ from: path, to: match[1] ?? '' }));
}

function allImports(): Import[] {
  return sources(['src'], ['.ts']).flatMap((file) => importsOf(file.path, file.text));
}

const inSrc = (path: string): string | undefined =>
  path.startsWith('src/') ? path.slice('src/'.length) : undefined;

function isAllowed({ from, to }: Import): boolean {
  const [source, target] = [from, normalize(join(dirname(from), to))].map(inSrc);
  if (source === undefined || target === undefined) return false;
  const room = roomOf(source);
  const below = LADDER[room] ?? [];
  return roomOf(target) === room || below.includes(roomOf(target)) || below.includes(target);
}

test('every room of src is in the ladder', () => {
  const rooms = new Set(
    sources(['src'], ['.ts']).map((file) => roomOf(file.path.slice('src/'.length))),
  );
  none([...rooms].filter((room) => LADDER[room] === undefined));
});

test('imports go down the ladder', () => {
  const upward = allImports().filter((entry) => entry.to.startsWith('.') && !isAllowed(entry));
  none(upward);
});

test('node:* is imported only in the rooms that use the operating system', () => {
  const offending = allImports().filter(
    ({ from, to }) => to.startsWith('node:') && !NODE_ROOMS.some((room) => room.test(from)),
  );
  none(offending);
});

test('the ladder itself has no circle', () => {
  const rank = (room: string, seen: readonly string[]): number => {
    ok(!seen.includes(room), `${[...seen, room].join(' -> ')}`);
    const below = (LADDER[room] ?? []).map(roomOf);
    return 1 + Math.max(0, ...below.map((entry) => rank(entry, [...seen, room])));
  };
  for (const room of Object.keys(LADDER)) rank(room, []);
});

test('docs/architecture.md shows the ladder as it is', () => {
  const page = fileText('docs/architecture.md');
  const made = page.replace(/(?<=<!-- ladder -->\n```\n)[\s\S]*?(?=```)/, drawing());
  equal(pageText('docs/architecture.md', made), made, 'IPMPD_WRITE_DOCS=1 npm test -- tidy ladder');
  ok(made.includes(drawing()));
});

test('the reader of imports sees every form', () => {
  const text = "import { a } from './a.ts';\nimport './b.ts';\nconst c = await import('./c.ts');";
  deepEqual(
    importsOf('src/x.ts', text).map((entry) => entry.to),
    ['./a.ts', './b.ts', './c.ts'],
  );
});
