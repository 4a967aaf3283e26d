/** How deep JSON is nested, by looking at its characters alone. */

import { equal } from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { isNestedWithin } from '../../../../src/base/text/nesting.ts';
import { forAll } from '../../../tools/for-all.ts';

/** The same by recursion over the value. */
function depthOf(value: unknown): number {
  if (typeof value !== 'object' || value === null) return 0;
  return 1 + Math.max(0, ...Object.values(value).map(depthOf));
}

test('the depth found in a text is that of its value', () => {
  forAll(100, [fc.jsonValue({ maxDepth: 8, noUnicodeString: false })], (value) => {
    const depth = depthOf(value);
    for (const text of [JSON.stringify(value), JSON.stringify(value, null, 2)]) {
      equal(isNestedWithin(text, depth), true, text);
      equal(depth === 0 || !isNestedWithin(text, depth - 1), true, text);
    }
  });
});

test('brackets in texts do not count, whatever escapes precede the quotes', () => {
  for (const text of ['"[[[["', '"\\"[[[["', '"\\\\\\"[[[["', '{"[[":"{{"}', '"[[[[', '"[[[\\']) {
    equal(isNestedWithin(text, 1), true, text);
  }
  for (const text of ['"\\\\"[[', '[["]', '[{', '"a"[[']) {
    equal(isNestedWithin(text, 1), false, text);
  }
});

test('a text of nothing but brackets costs no stack', () => {
  const half = 5_000_000;
  equal(isNestedWithin('['.repeat(half), 16), false);
  equal(isNestedWithin('['.repeat(half), half), true);
  equal(isNestedWithin('[]'.repeat(half), 1), true);
});
