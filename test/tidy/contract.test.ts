/** Every item of docs/contract.md has a test that bears its number. */

import { deepEqual, ok } from 'node:assert/strict';
import { test } from 'node:test';
import { sources } from './source.ts';

const ITEM = /^- (\d+\.\d+) /gm;
const MARK = /\[contract ((?:\d+\.\d+)(?:, \d+\.\d+)*)\]/g;

const page = sources(['docs'], ['.md']).find(({ path }) => path === 'docs/contract.md');
const items = [...(page?.text ?? '').matchAll(ITEM)].map((match) => match[1] ?? '');
const marked = sources(['test'], ['.ts'])
  .filter(({ path }) => path.endsWith('.test.ts'))
  .flatMap(({ text }) => [...text.matchAll(MARK)])
  .flatMap((match) => (match[1] ?? '').split(', '));

test('every item of the contract has a test that bears its number', () => {
  ok(items.length > 60, `${items.length} items`);
  deepEqual(
    items.filter((item) => !marked.includes(item)),
    [],
  );
});

test('no test bears a number that the contract does not have', () => {
  deepEqual(
    marked.filter((number) => !items.includes(number)),
    [],
  );
});
