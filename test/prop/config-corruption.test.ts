/**
 * Corrupted configurations: each is refused with reasons that have the right form, or accepted and
 * then holds; never an exception, never a message without bound. What bounds the time is work: the
 * hostile files below took minutes or a gigabyte before their work was bounded.
 *
 * `IPMPD_CORRUPTIONS=100000` does so many (some minutes), `IPMPD_CORRUPTION_SEED` others.
 */

import { deepEqual, equal, ok } from 'node:assert/strict';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, test } from 'node:test';
import { Rng } from '../../src/base/rng.ts';
import { type ConfigError, configErrorFormat } from '../../src/config/document.ts';
import { configFromSources, loadConfig } from '../../src/config/load.ts';
import { CORRUPTIONS, corrupted, LARGE, SMALL, wordsExchanged } from './config-corruption.ts';
import { violations } from './config-invariants.ts';

const COUNT = Number(process.env.IPMPD_CORRUPTIONS ?? 1500);
const SEED = Number(process.env.IPMPD_CORRUPTION_SEED ?? 20_260_101);

/** Bounds of the messages about a broken file: some screens of errors, no line without end. */
const ERRORS_MAX = 501;
const LINE_MAX = 2000;
/** Far from what is usual (a second), near to what work without bound takes (minutes). */
const PATIENCE_MS = 60_000;

const folder = mkdtempSync(join(tmpdir(), 'ipmpd-corruption-'));
const file = join(folder, 'ipmpd.yaml');
after(() => rmSync(folder, { recursive: true }));

/** What is wrong with the answer to a file of `bytes`; and whether it was refused. */
async function examine(bytes: Buffer): Promise<{ problems: string[]; isRefused: boolean }> {
  writeFileSync(file, bytes);
  let result: Awaited<ReturnType<typeof loadConfig>>;
  try {
    result = await loadConfig(file);
  } catch (error) {
    return { problems: [`it threw ${String(error)}`], isRefused: false };
  }
  if (!('errors' in result)) return { problems: violations(result.config), isRefused: false };
  const { errors } = result;
  const lines = bytes.toString('latin1').split('\n').length;
  const problems = errors.flatMap((error) => problemsOf(error, lines));
  if (errors.length === 0 || errors.length > ERRORS_MAX) problems.push(`${errors.length} errors`);
  return { problems, isRefused: true };
}

function problemsOf(error: ConfigError, lines: number): string[] {
  const text = configErrorFormat(error);
  const { line, what } = error;
  return [
    ...(error.file === file ? [] : [`the file is ${error.file}`]),
    ...(Number.isInteger(line) && line >= 0 && line <= lines ? [] : [`line ${line} of ${lines}`]),
    ...(what.trim() === '' ? ['no reason'] : []),
    ...(text.length <= LINE_MAX ? [] : [`a message of ${text.length} characters`]),
    ...(/^[^\p{C}\p{Zl}\p{Zp}]*$/u.test(text) ? [] : [`not printable: ${JSON.stringify(text)}`]),
  ];
}

/** Examines, and on a problem shows all that is needed to see it again. */
async function mustHold(bytes: Buffer, story: string): Promise<boolean> {
  const { problems, isRefused } = await examine(bytes);
  if (problems.length === 0) return isRefused;
  const shown = JSON.stringify(bytes.toString('latin1').slice(0, 4000));
  throw new Error(`${story}: ${problems.slice(0, 5).join('; ')}\n${shown}`);
}

test('every file is valid before it is corrupted', async () => {
  for (const text of [...SMALL, ...LARGE]) {
    const result = configFromSources([{ file, text }]);
    deepEqual('errors' in result ? result.errors.map(configErrorFormat) : [], []);
    equal(await mustHold(Buffer.from(text), 'as it is'), false);
  }
});

test(`[contract 8.1] ${COUNT} corrupted files, seed ${SEED}`, async () => {
  let refused = 0;
  const seen = new Set<string>();
  for (let n = 0; n < COUNT; n += 1) {
    const { bytes, story } = corrupted(new Rng(SEED + n), COUNT >= 1000);
    for (const name of story) seen.add(name);
    if (await mustHold(bytes, `seed ${SEED + n}, ${story.join(', ')}`)) refused += 1;
  }
  ok(refused > COUNT / 2 && refused < COUNT, `${refused} of ${COUNT} were refused`);
  if (COUNT >= 1000) deepEqual([...seen].sort(), Object.keys(CORRUPTIONS).sort());
});

test('every truncation', async () => {
  for (const [index, text] of SMALL.entries()) {
    const bytes = Buffer.from(text);
    const step = COUNT >= 100_000 ? 1 : 3;
    for (let length = 0; length < bytes.length; length += step) {
      await mustHold(bytes.subarray(0, length), `the first ${length} bytes of ${index}`);
    }
  }
});

test('every byte flipped', async () => {
  for (const [index, text] of SMALL.entries()) {
    for (let at = 0; at < text.length; at += 1) {
      if (COUNT < 100_000 && at % 3 !== 0) continue;
      const bytes = Buffer.from(text);
      bytes[at] = (bytes[at] ?? 0) ^ (1 << (at % 8));
      await mustHold(bytes, `byte ${at} of ${index}`);
    }
  }
});

test('every word in the place of every other of its kind: what agreed is so no more', async () => {
  let count = 0;
  for (const text of SMALL) {
    for (const changed of wordsExchanged(text)) {
      await mustHold(Buffer.from(changed), 'a word in the place of another');
      count += 1;
    }
  }
  ok(count > 300, `${count} files`);
});

/** A file of the largest size, made of one thing again and again. */
function full(head: string, piece: string | ((n: number) => string), tail = ''): string {
  const pieces = [head];
  let room = FILE_BYTES - head.length - tail.length;
  for (let n = 0; ; n += 1) {
    const next = typeof piece === 'string' ? piece : piece(n);
    room -= next.length;
    if (room < 0) return [...pieces, tail].join('');
    pieces.push(next);
  }
}

const FILE_BYTES = 256 * 1024;
const ALL_SIXTY_FOUR = Array.from({ length: 64 }, (_, n) => n);

/** Files that are as much work as their size allows. */
const HOSTILE: Readonly<Record<string, () => string>> = {
  'aliases of one anchor': () => full('a: &a 1\nl: [', '*a,', ']'),
  'an anchor and an alias in turn': () => full('', (n) => `- &a${n} x\n- *a${n}\n`),
  'aliases of aliases': () =>
    full('x0: &x0 [1]\n', (n) => `x${n + 1}: &x${n + 1} [${`*x${n},`.repeat(10)}]\n`),
  'aliases of themselves': () => full('a: &a [', '*a,', ']'),
  'aliases of a long text': () =>
    full(`a: &a "${'x'.repeat(100_000)}"\ngroups: { g: { addresses: [`, '*a,', ']}}'),
  'aliases of a text that is long to show': () =>
    full(`a: &a "${'\\u0001'.repeat(16_000)}"\ngroups: { g: { addresses: [`, '*a,', ']}}'),
  'many keys': () => full('interfaces:\n', (n) => `  a${n}:\n`),
  'one key again and again': () => full('interfaces:\n', '  a:\n'),
  'keys below a long key': () => full(`? ${'k'.repeat(100_000)}\n: {`, (n) => `a${n}: ,`, '}'),
  'keys that are no text': () => full('{', '[a]: b,', '}'),
  'very long names': () => full('interfaces:\n', (n) => `  ${'n'.repeat(1000)}${n}:\n`),
  'unknown members, similar to all': () => {
    const nics = Array.from({ length: 512 }, (_, n) => `  abcdefghij${n}:\n`).join('');
    const members = (g: number) => ALL_SIXTY_FOUR.map((n) => `abcdefgh${g}x${n}`).join(',');
    const groups = ALL_SIXTY_FOUR.map((g) => `  g${g}: { interfaces: [${members(g)}] }\n`);
    return `interfaces:\n${nics}groups:\n${groups.join('')}`;
  },
  'wrong things in a list of different ones': () =>
    full('groups: { g: { probe-targets: [', (n) => `{a: ${n}},`, ']}}'),
  'wrong addresses': () => full('groups: { g: { addresses: [', (n) => `"::${n}",`, ']}}'),
  brackets: () => full('', '['),
  braces: () => full('', '{a: '),
  dashes: () => full('', '- '),
  'question marks': () => full('', '? '),
  colons: () => full('', ': '),
  quotes: () => full('', '"'),
  tabs: () => full('', '\t'),
  tags: () => full('', '!'),
  documents: () => full('', '---\n'),
  comments: () => full('', '#\n'),
  'nested blocks': () => full('', (n) => `${' '.repeat(n)}a:\n`),
  'a long number': () => full('tracking: ', '9'),
  'empty lines': () => full('tracking: |\n', '\n'),
};

for (const [name, make] of Object.entries(HOSTILE)) {
  test(`hostile: ${name}`, async () => {
    const text = make();
    ok(text.length <= FILE_BYTES, `${text.length} bytes`);
    const beganMs = performance.now();
    await mustHold(Buffer.from(text), name);
    const tookMs = performance.now() - beganMs;
    ok(tookMs < PATIENCE_MS, `${tookMs.toFixed(0)} ms`);
  });
}

/** One level of each way in which YAML nests, and the innermost value. */
const NESTED: Readonly<Record<string, readonly [level: (n: number) => string, inner: string]>> = {
  brackets: [() => '[', ''],
  braces: [() => '{', ''],
  'braces with keys': [() => '{a: ', ''],
  dashes: [() => '- ', 'a'],
  'question marks': [() => '? ', 'a'],
  colons: [() => ': ', 'a'],
  'keys in a line': [() => 'a: ', 'a'],
  anchors: [() => '&a [', ''],
  tags: [() => '!!map {', ''],
  'dashes with brackets': [() => '- [', ''],
  'indented keys': [(n) => `${' '.repeat(n)}a:\n`, ''],
  'indented dashes': [(n) => `${' '.repeat(n)}-\n`, ''],
};

for (const [name, [level, inner]] of Object.entries(NESTED)) {
  test(`nesting is refused at its line, before nodes are made: ${name}`, async () => {
    for (const levels of [20, 600, 100_000]) {
      let text = '';
      for (let n = 0; n < levels && text.length < FILE_BYTES - 1000; n++) text += level(n);
      const [error] = (await loadBroken(Buffer.from(text + inner))) ?? [];
      const line = level(0).includes('\n') ? 19 : 1;
      deepEqual(
        [error?.what, error?.allowed, error?.line],
        ['is nested too deeply', 'at most 16 levels', line],
      );
    }
  });
}

test('words without end are refused before nodes are made of them', async () => {
  const [error] = (await loadBroken(Buffer.from(full('[', ',')))) ?? [];
  deepEqual([error?.what, error?.allowed], ['is too much', 'at most 100000 words']);
});

test('a file that is larger than allowed is refused before it is read as YAML', async () => {
  for (const piece of ['[', 'ä', '\n']) {
    const bytes = Buffer.from(piece.repeat(FILE_BYTES + 1));
    const [error] = ((await loadBroken(bytes)) ?? []) as ConfigError[];
    equal(error?.what, 'the file is too large');
  }
});

test('text that is not UTF-8 is refused with its line', async () => {
  const [error] = (await loadBroken(Buffer.from('log: {}\n# \xff\ntracking: x\n', 'latin1'))) ?? [];
  deepEqual([error?.line, error?.what], [2, 'is not UTF-8']);
});

test('an alias without an anchor before it is no empty value', async () => {
  const [error] = (await loadBroken(Buffer.from('log: {}\ngroups: *nobody\n'))) ?? [];
  const text = error === undefined ? '' : configErrorFormat(error);
  equal(text, `${file}:2: groups: is an alias (one whose anchor comes before it)`);
});

test('an alias means the last anchor before it, in parts that an alias repeats too', async () => {
  const text = `
interfaces: { a0: &x { standby: &s true }, b0: { standby: *s }, c0: *x }
groups: { g0: { failback: &s false, forwarding: *s } }
`;
  const result = configFromSources([{ file, text }]);
  if ('errors' in result) throw new Error(result.errors.map(configErrorFormat).join('\n'));
  const { interfaces, groups } = result.config;
  deepEqual(
    interfaces.map((nic) => nic.standby),
    [true, true, true],
  );
  deepEqual([groups[0]?.failback, groups[0]?.forwarding], [false, false]);
});

async function loadBroken(bytes: Buffer): Promise<readonly ConfigError[] | undefined> {
  await mustHold(bytes, 'broken');
  const result = await loadConfig(file);
  return 'errors' in result ? result.errors : undefined;
}
