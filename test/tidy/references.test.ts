/** What comments, titles and pages refer to is in the repository: rows, threats, items, files. */

import { deepEqual, ok } from 'node:assert/strict';
import { dirname, normalize } from 'node:path';
import { test } from 'node:test';
import { none, type SourceFile, sources } from './source.ts';

const PAGES = ['docs', 'README.md', 'CONTRIBUTING.md'];
const ROOMS = ['src', 'test', 'native', 'scripts'];

const code = sources(ROOMS, ['.ts', '.mjs', '.c', '.h', '.pml']);
const pages = sources(PAGES, ['.md']);
const texts = [...code, ...pages].map(({ path, text }) => ({ path, text: joined(text) }));
const known = sources([...ROOMS, 'docs', 'config', 'systemd', '*.md', 'LICENSE'], ['']).map(
  ({ path }) => path,
);

/** The text with comments of several lines on one line. */
function joined(text: string): string {
  return text.replace(/\n[ \t]*(?:\*|\/\/)?[ \t]+/g, ' ');
}

function numbersOf(page: string, pattern: RegExp): Set<string> {
  const text = pages.find(({ path }) => path === `docs/${page}`)?.text ?? '';
  return new Set([...text.matchAll(pattern)].map(([, number = '']) => number));
}

/** Every number that `pattern` finds and that `numbers` lacks, with its file. */
function missing(pattern: RegExp, numbers: ReadonlySet<string>): string[] {
  return texts.flatMap(({ path, text }) =>
    [...text.matchAll(pattern)]
      .flatMap(([, list = '']) => list.match(/T?\d+(?:\.\d+)?/g) ?? [])
      .filter((number) => !numbers.has(number))
      .map((number) => `${path}: ${number}`),
  );
}

test('each row of the law that is referred to exists', () => {
  const rows = numbersOf('law.md', /^\| (\d+) \|/gm);
  deepEqual(
    [...rows].map(Number),
    [...rows.keys()].map((_, index) => index + 1),
  );
  ok(rows.size > 100, `${rows.size} rows`);
  none(missing(/\blaw\.md rows? (\d+(?:(?:, | and | to )\d+)*)/g, rows));
});

test('each threat that is referred to exists', () => {
  none(missing(/\b(T\d{1,2})\b/g, numbersOf('threats.md', /^\| (T\d+) \|/gm)));
});

const items = numbersOf('contract.md', /^- (\d+\.\d+) /gm);

test('every item of the contract has a test that bears its number', () => {
  const marks = sources(['test'], ['.test.ts']).flatMap(({ text }) => [
    ...text.matchAll(/\[contract ((?:\d+\.\d+)(?:, \d+\.\d+)*)\]/g),
  ]);
  const marked = new Set(marks.flatMap(([, list = '']) => list.split(', ')));
  ok(items.size > 60, `${items.size} items`);
  none([...items].filter((item) => !marked.has(item)));
});

test('each chapter and item of the contract that is referred to exists', () => {
  const chapters = numbersOf('contract.md', /^## (\d+)\. /gm);
  const list = /\bcontract (\d+(?:\.\d+)?(?:(?:, | and )\d+(?:\.\d+)?)*)/g;
  none(missing(list, new Set([...items, ...chapters])));
});

test('nothing refers to a document that is not in the repository', () => {
  const outside = /\bsemantics \(?\d|\breliability T\d/;
  none(texts.filter(({ text }) => outside.test(text)).map(({ path }) => path));
});

test('each file that a comment or a page names exists', () => {
  const named = /(?<![\w./*-])(?:[\w-]+\/)*[\w-]+(?:\.test|\.d)?\.(?:ts|mjs|pml|md)\b/g;
  const inC = /\b(?:native|test)\/[\w/-]+\.[ch]\b/g;
  const found = [...code.map(commentsOf), ...pages].flatMap(({ path, text }) =>
    [...text.matchAll(named), ...text.matchAll(inC)].map(([name]) => ({ path, name })),
  );
  ok(found.length > 400, `${found.length} names`);
  const isThere = (name: string): boolean => known.some((one) => `/${one}`.endsWith(`/${name}`));
  none(found.filter(({ name }) => !isThere(name)).map(({ path, name }) => `${path}: ${name}`));
});

test('each link of a page leads to a file', () => {
  const links = pages.flatMap(({ path, text }) =>
    [...text.matchAll(/\]\((?!https?:)([^)#]+)/g)].map(([, to = '']) => ({
      path,
      to: normalize(`${dirname(path)}/${to}`),
    })),
  );
  const isThere = (to: string): boolean =>
    known.some((one) => one === to || one.startsWith(`${to}/`));
  none(links.filter(({ to }) => !isThere(to)).map(({ path, to }) => `${path}: ${to}`));
});

function commentsOf({ path, text }: SourceFile): { path: string; text: string } {
  const comments = text.match(/\/\*[\s\S]*?\*\/|(?<=^|\s)\/\/.*$/gm) ?? [];
  return { path, text: comments.join('\n') };
}
