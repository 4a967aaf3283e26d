/** Exact JSON, durations, and the nearest word. */
import { deepEqual, equal, throws } from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { durationFormat, durationParse } from '../../../../src/base/text/duration.ts';
import { Decimal, jsonRead, jsonWrite, secondsFromMs } from '../../../../src/base/text/json.ts';
import { editDistance, suggest } from '../../../../src/base/text/suggest.ts';
import { forAll } from '../../../tools/for-all.ts';

test('[contract 4.19] 64-bit integers and nine decimals survive writing and reading', () => {
  const text = '{"a":18446744073709551615,"b":12.500000000,"c":9007199254740993,"d":1.5,"e":-0}';
  const value = jsonRead(text) as Record<string, unknown>;
  equal(value.a, 18446744073709551615n);
  deepEqual(value.b, new Decimal('12.500000000'));
  equal(value.c, 9007199254740993n);
  equal(value.d, 1.5);
  equal(jsonWrite({ ...value, e: 0 }), text.replace('-0', '0'));
  equal(secondsFromMs(1234.5).text, '1.234500000');
  equal(JSON.stringify(secondsFromMs(1500)), '1.5');
});

test('text of the language’s own JSON is read the same, and written the same', () => {
  forAll(100, [fc.jsonValue({ noUnicodeString: false })], (value) => {
    const text = JSON.stringify(value);
    equal(jsonWrite(jsonRead(text)), text.replace(/(?<=[[:,]|^)-0(?=[,\]}]|$)/g, '0'));
  });
});

test('arbitrary text is JSON for both readers or for neither', () => {
  const pieces = fc.constantFrom('{', '}', '[', ']', ':', ',', '"a"', '"\\n"', '1', '-2.5e3', ' ');
  const words = fc.constantFrom('true', 'null', '01', '"', '\\', "'", '\t', '1.', '"\\q"', '"\t"');
  forAll(5000, [fc.array(fc.oneof(pieces, words), { maxLength: 8 })], (parts) => {
    const text = parts.join('');
    equal(isRead(text, jsonRead), isRead(text, JSON.parse), text);
  });
});

function isRead(text: string, read: (text: string) => unknown): boolean {
  try {
    read(text);
    return true;
  } catch {
    return false;
  }
}

test('keys are never special, nesting is bounded, indentation is the usual one', () => {
  const value = jsonRead('{"__proto__":{"x":1},"constructor":2}');
  deepEqual(Object.keys(value as object), ['__proto__', 'constructor']);
  throws(() => jsonRead('['.repeat(100) + ']'.repeat(100)), SyntaxError);
  const sample = { a: [1, { b: null }], c: {}, d: [] };
  equal(jsonWrite(sample, 4), JSON.stringify(sample, null, 4));
  equal(jsonWrite({ a: undefined, b: Number.NaN }), '{"b":null}');
});

test('[contract 3.2] durations: whole numbers with a unit, and back', () => {
  const good: [string, number][] = [
    ['50ms', 50],
    ['1s', 1000],
    ['90s', 90_000],
    ['5m', 300_000],
    ['0ms', 0],
  ];
  for (const [text, ms] of good) equal(durationParse(text), ms);
  for (const text of ['', '1', 's', '1 s', '1.5s', '-1s', '1h', '1S', '1s ', '9999999999ms']) {
    equal(durationParse(text), undefined, text);
  }
  deepEqual([50, 1000, 90_000, 300_000, 0, 1500].map(durationFormat), [
    ...['50ms', '1s', '90s', '5m', '0ms', '1500ms'],
  ]);
});

test('the nearest word is suggested only if it is near', () => {
  const words = ['group', 'interface', 'address', 'neighbor', 'lab'];
  equal(suggest('grup', words), 'group');
  equal(suggest('grp', words), 'group');
  equal(suggest('neighbour', words), 'neighbor');
  equal(suggest('adress', words), 'address');
  equal(suggest('zebra', words), undefined);
  equal(suggest('x', words), undefined);
  equal(suggest('', words), undefined);
  equal(editDistance('ab', 'ba'), 1);
  equal(editDistance('', 'abc'), 3);
});

test('a text of any length is read, however many escapes it has', () => {
  const escapes = 10_000_000;
  const text = jsonRead(`"${'\\n'.repeat(escapes)}"`);
  equal(typeof text === 'string' && text.length, escapes);
});
