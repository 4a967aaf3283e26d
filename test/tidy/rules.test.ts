/** The house rules that a program can check; each failure names the replacement. */

import { deepEqual, ok } from 'node:assert/strict';
import { dirname } from 'node:path';
import { test } from 'node:test';
import { none, type SourceFile, sources } from './source.ts';

/** Ours: the longest file and line that a reader takes in without scrolling for ever. */
const MAX_FILE_LINES = 400;
const MAX_LINE_LENGTH = 100;
const MAX_FUNCTION_LINES = 70;

/** A word that has a better one: where it is banned, and what to use. */
interface Ban {
  readonly pattern: RegExp;
  readonly except: RegExp;
  readonly instead: string;
}

const TIME_ROOMS = /^src\/(process\/clock|datapath\/worker|lab\/)/;

const BANS: readonly Ban[] = [
  { pattern: /\bDate\b[.(]/, except: TIME_ROOMS, instead: 'a `nowMs` argument' },
  { pattern: /\bperformance\.now\b/, except: TIME_ROOMS, instead: 'a `nowMs` argument' },
  { pattern: /\bMath\.random\b/, except: /^$/, instead: 'base/rng.ts' },
  { pattern: /(?<!\.)\bset(Timeout|Interval)\(/, except: TIME_ROOMS, instead: 'process/clock.ts' },
  { pattern: /\bconsole\./, except: /^src\/lab\//, instead: 'the log, or process.stdout in ctl' },
  { pattern: /: any\b|\bas any\b/, except: /^$/, instead: 'a type' },
  { pattern: /@ts-(ignore|expect-error|nocheck)/, except: /^$/, instead: 'a fix' },
  { pattern: /\b(TODO|FIXME|XXX|HACK)\b/, except: /^$/, instead: 'an issue, or the thing itself' },
  { pattern: /catch( \(\w*\))? \{\s*\}/, except: /^$/, instead: 'a handled error' },
];

/** Columns between the stops of a tab, with which C is indented. */
const TAB = 8;

const typescript = (): SourceFile[] => sources(['src', 'test', 'native'], ['.ts']);
const c = (): SourceFile[] => sources(['native'], ['.c', '.h']);
const code = (): SourceFile[] => sources(['src'], ['.ts']);

test(`files have at most ${MAX_FILE_LINES} lines: split by reason`, () => {
  const all = [...typescript(), ...c()];
  const long = all.filter((file) => file.lines.length > MAX_FILE_LINES + 1);
  none(long.map((file) => `${file.path}: ${file.lines.length}`));
});

test(`lines have at most ${MAX_LINE_LENGTH} characters`, () => {
  const long = [...typescript(), ...c()].flatMap((file) =>
    file.lines.flatMap((line, index) =>
      columns(line) > MAX_LINE_LENGTH ? [`${file.path}:${index + 1}`] : [],
    ),
  );
  none(long);
});

/** The width of a line, as an editor shows it. */
function columns(line: string): number {
  let width = 0;
  for (const character of line) width += character === '\t' ? TAB - (width % TAB) : 1;
  return width;
}

/** Calls of C that report a status: N-API, libuv, threads, and those of the system. */
const FAMILIES = String.raw`(?:napi_(?!fatal_error)|uv_(?!close)|pthread_|sig|clock_)\w+`;
const SYSTEM = 'bind|close|closedir|epoll_ctl|fcntl|flock|ioctl|munmap|read|setsockopt|write';
const STATUS = new RegExp(String.raw`^\s*(${FAMILIES}|${SYSTEM})\(`);

test('C: no statement drops the status of a call', () => {
  const dropped = c().flatMap((file) =>
    file.lines.flatMap((line, index) => {
      const before = file.lines[index - 1]?.trim() ?? '';
      const isStatement = /^$|[;{}:]$|\*\/$|^else$|\)$/.test(before) && !/^(&&|\|\|)/.test(before);
      const call = isStatement ? STATUS.exec(line)?.[1] : undefined;
      return call === undefined ? [] : [`${file.path}:${index + 1}: ${call}`];
    }),
  );
  none(dropped);
});

/** Exports that tests call and src does not: no program does the same fast enough. */
const TOOLS_OF_TESTS = ['tapSetCarrier'];

test('the addon exports what src calls', () => {
  const [types] = sources(['native/index.d.ts'], ['.d.ts']);
  const [, body = ''] = /interface WaitingCalls (\{[\s\S]*)/.exec(types?.text ?? '') ?? [];
  const names = [...body.matchAll(/^ {2}(?:readonly )?(\w+)[:(]/gm)].map(([, name = '']) => name);
  ok(names.includes('deviceOpen') && names.includes('burstMax'), names.join(' '));
  const text = code()
    .map((file) => file.text)
    .join('\n');
  const unused = names.filter((name) => !new RegExp(`\\b${name}\\b`).test(text));
  deepEqual(unused, TOOLS_OF_TESTS);
});

/** Files of one level: a listing is read at a glance. */
const MAX_FOLDER_FILES = 17;

test(`a folder has at most ${MAX_FOLDER_FILES} files: make drawers`, () => {
  const counts = new Map<string, number>();
  for (const { path } of typescript()) {
    const folder = dirname(path);
    counts.set(folder, (counts.get(folder) ?? 0) + 1);
  }
  none([...counts].filter(([, count]) => count > MAX_FOLDER_FILES));
});

/** At the edges of what the compiler can know: results of generators, keys of records. */
const MAX_CASTS = 24;

test(`src has at most ${MAX_CASTS} casts: check the value, or declare its type`, () => {
  const casts = code().flatMap(({ path, text }) => {
    const plain = text
      .replace(/\/\*[\s\S]*?\*\/|^\s*\/\/.*$/gm, '')
      .replace(/'(?:[^'\\\n]|\\.)*'|`(?:[^`\\]|\\.)*`/g, "''")
      .replace(/^(?:import|export) [^;]*? from '';$/gm, '');
    return [...plain.matchAll(/[\w)\]}'] as (?!const\b)\w+/g)].map(([cast]) => `${path}: ${cast}`);
  });
  ok(casts.length > 0 && casts.length <= MAX_CASTS, casts.join('\n'));
});

test('every file of src opens with a comment that gives its reason', () => {
  const bare = code().filter((file) => !/^(#!.*\n\n?)?\/\*\*/.test(file.text));
  none(bare.map((file) => file.path));
});

test('banned words of src have their replacement used', () => {
  const found = code().flatMap((file) =>
    file.lines.flatMap((line, index) =>
      BANS.filter((ban) => !ban.except.test(file.path) && ban.pattern.test(stripComment(line))).map(
        (ban) => `${file.path}:${index + 1}: use ${ban.instead}`,
      ),
    ),
  );
  none(found);
});

test('no barrel: a file that only hands names on is not there', () => {
  const barrels = code().filter((file) => /^export (\*|\{[^}]*\}) from/m.test(file.text));
  none(barrels.map((file) => file.path));
});

test(`functions of src have fewer than ${MAX_FUNCTION_LINES} lines`, () => {
  none(code().flatMap(longFunctions));
});

function stripComment(line: string): string {
  return line.replace(/^\s*(\/\/|\*|\/\*).*$/, '').replace(/\s\/\/ .*$/, '');
}

/** Top-level functions and methods by their indentation: the formatter makes it reliable. */
function longFunctions(file: SourceFile): string[] {
  const opening =
    /^( {0,2})((export|async|static|private) )*(\*|function\*? |get |set )?[\w#]+\(.*[{(]$/;
  return file.lines.flatMap((line, start) => {
    const indent = opening.exec(line)?.[1];
    if (indent === undefined) return [];
    const end = file.lines.findIndex((l, at) => at > start && l.startsWith(`${indent}}`));
    return end - start >= MAX_FUNCTION_LINES ? [`${file.path}:${start + 1}: ${end - start}`] : [];
  });
}
