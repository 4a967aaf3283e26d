/**
 * The import ladder: who may import whom. A room may import itself, what its row names, and
 * nothing else; `node:*` and packages stay in the rooms that touch the world.
 */

import { deepEqual, ok } from 'node:assert/strict';
import { dirname, join, normalize } from 'node:path';
import { test } from 'node:test';
import { sources } from './source.ts';

/**
 * Room -> rooms or single files below it. A room is a folder of src/ or a file of it; a file that
 * bears the name of a folder (config.ts, daemon.ts) is that room's face and belongs to it.
 */
const LADDER: Record<string, readonly string[]> = {
  base: [],
  wire: ['base'],
  stats: ['base'],
  config: ['base', 'wire/addr.ts'],
  datapath: ['wire', 'stats', 'base'],
  ip: ['wire', 'stats', 'base'],
  ipmp: ['ip', 'wire', 'stats', 'base'],
  'projection.ts': ['ipmp', 'ip', 'datapath/fib.ts', 'wire', 'base'],
  'system.ts': ['projection.ts', 'ipmp', 'ip', 'datapath/fib.ts', 'stats', 'wire', 'base'],
  ctl: ['stats', 'base'],
  host: ['datapath/native.ts', 'datapath/tap.ts', 'wire', 'base'],
  sim: ['system.ts', 'datapath', 'stats', 'wire', 'base'],
  lab: ['sim', 'host', 'ctl', 'config', 'wire', 'base'],
  daemon: ['system.ts', 'host', 'ctl', 'datapath', 'stats', 'config', 'wire', 'base'],
  'ipmpd.ts': ['daemon'],
  'ipmpadm.ts': ['ctl', 'lab', 'config', 'host/terminals.ts', 'host/version.ts', 'base'],
  'ipmpstat.ts': ['ctl', 'base'],
  'if_mpadm.ts': ['ctl', 'base'],
};

/** Rooms that may speak to the operating system through `node:*`. */
const NODE_ROOMS = [
  /^src\/host\//,
  /^src\/lab\//,
  /^src\/(ipmpd|ipmpadm|daemon|config|daemon\/machine)\.ts$/,
  /^src\/ctl\/(namespace-lock|server|client|socket|main|monitor|host-names)\.ts$/,
  /^src\/stats\/prometheus\.ts$/,
  /^src\/datapath\/(tap|worker|pool|native)\.ts$/,
];

interface Import {
  readonly from: string;
  readonly to: string;
}

function roomOf(path: string): string {
  const [, first = ''] = path.split('/');
  const folder = first.replace(/\.ts$/, '');
  return LADDER[folder] === undefined ? first : folder;
}

function importsOf(path: string, text: string): Import[] {
  const found = text.matchAll(/(?:from\s+|import\s*\(\s*|^import\s+)'([^']+)'/gm);
  return [...found].map((match) => ({ from: path, to: match[1] ?? '' }));
}

function allImports(): Import[] {
  return sources(['src'], ['.ts']).flatMap((file) => importsOf(file.path, file.text));
}

function isAllowed({ from, to }: Import): boolean {
  const target = normalize(join(dirname(from), to));
  if (!target.startsWith('src/')) return false;
  const room = roomOf(from);
  if (roomOf(target) === room) return true;
  const below = LADDER[room] ?? [];
  return below.includes(roomOf(target)) || below.includes(target.slice('src/'.length));
}

test('every room of src stands in the ladder', () => {
  const rooms = new Set(sources(['src'], ['.ts']).map((file) => roomOf(file.path)));
  deepEqual(
    [...rooms].filter((room) => LADDER[room] === undefined),
    [],
  );
});

test('imports go down the ladder', () => {
  const upward = allImports().filter((entry) => entry.to.startsWith('.') && !isAllowed(entry));
  deepEqual(upward, []);
});

test('node:* is imported only where the operating system is spoken to', () => {
  const offending = allImports().filter(
    ({ from, to }) => to.startsWith('node:') && !NODE_ROOMS.some((room) => room.test(from)),
  );
  deepEqual(offending, []);
});

test('the ladder itself has no circle', () => {
  const rank = (room: string, seen: readonly string[]): number => {
    ok(!seen.includes(room), `${[...seen, room].join(' -> ')}`);
    const below = (LADDER[room] ?? []).map((entry) => entry.split('/')[0] ?? '');
    return 1 + Math.max(0, ...below.map((entry) => rank(entry, [...seen, room])));
  };
  for (const room of Object.keys(LADDER)) rank(room, []);
});

test('the reader of imports sees every form', () => {
  const text = "import { a } from './a.ts';\nimport './b.ts';\nconst c = await import('./c.ts');";
  deepEqual(
    importsOf('src/x.ts', text).map((entry) => entry.to),
    ['./a.ts', './b.ts', './c.ts'],
  );
});
