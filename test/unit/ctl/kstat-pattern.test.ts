/** Patterns of kstats: what each form matches, against regular expressions, and what it costs. */

import { equal, ok } from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { kstatPatternParse } from '../../../src/ctl/kstat-pattern.ts';

function matches(glob: string, name: string): boolean | undefined {
  return kstatPatternParse(`::${glob}`)?.matchesKstat('ipmp', 0, name);
}

for (const [glob, name, expected] of [
  ['', 'ipmp0', true],
  ['*', 'ipmp0', true],
  ['ipmp0', 'ipmp0', true],
  ['ipmp', 'ipmp0', false],
  ['ipmp?', 'ipmp0', true],
  ['ipmp?', 'ipmp', false],
  ['*0', 'ipmp10', true],
  ['i*m*0', 'ipmp10', true],
  ['ipmp[0-3]', 'ipmp3', true],
  ['ipmp[0-3]', 'ipmp4', false],
  ['ipmp[!0-3]', 'ipmp4', true],
  ['ipmp[!0-3]', 'ipmp3', false],
  ['net[135]', 'net3', true],
  ['net[0-', 'net[0-', true],
  ['net[]', 'net[]', true],
  ['a.c', 'abc', false],
  ['(a|b)+', 'aab', false],
] as const) {
  test(`"${glob}" and "${name}"`, () => equal(matches(glob, name), expected));
}

test('parts: module, instance, name, statistic; no more, and not too long', () => {
  const pattern = kstatPatternParse('li*:0:net0:*64');
  ok(pattern !== undefined);
  ok(pattern.matchesKstat('link', 0, 'net0') && pattern.matchesStatistic('obytes64'));
  ok(!pattern.matchesKstat('link', 1, 'net0') && !pattern.matchesKstat('ipmp', 0, 'net0'));
  ok(!pattern.matchesStatistic('obytes'));
  equal(kstatPatternParse('a:b:c:d:e'), undefined);
  equal(kstatPatternParse('a'.repeat(257)), undefined);
});

test('stars and questions match as in a regular expression', () => {
  const word = fc.string({ unit: fc.constantFrom('a', 'b', '*', '?'), maxLength: 8 });
  const text = fc.string({ unit: fc.constantFrom('a', 'b'), maxLength: 8 });
  fc.assert(
    fc.property(word, text, (glob, name) => {
      const source = glob.replaceAll('*', '.*').replaceAll('?', '.');
      equal(matches(glob, name), glob === '' || new RegExp(`^${source}$`).test(name));
    }),
    { numRuns: 2000 },
  );
});

test('a pattern made to be slow is not', () => {
  const began = process.cpuUsage().user;
  for (let round = 0; round < 1000; round++)
    equal(matches('*a'.repeat(100), 'a'.repeat(60)), false);
  const tookMs = (process.cpuUsage().user - began) / 1000;
  ok(tookMs < 1000, `${tookMs} ms for a thousand`);
});
