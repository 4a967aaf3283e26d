/** The rules of the output engine, each by the text that it makes. */

import { deepEqual, equal, throws } from 'node:assert/strict';
import { test } from 'node:test';
import {
  type OutputRow,
  OutputTable,
  parsableText,
  selectFields,
} from '../../../../src/ctl/solaris/ofmt.ts';

const FIELDS = [
  { name: 'NAME', width: 8 },
  { name: 'STATE', width: 7 },
  { name: 'WHERE', width: 10 },
];

function tableOf(rows: readonly OutputRow[], heightOf = (): number | undefined => undefined) {
  const table = new OutputTable(FIELDS, heightOf);
  return rows.map((row) => table.text(row)).join('');
}

const HEADER = 'NAME    STATE  WHERE\n';

test('columns are padded to their widths, the last is not', () => {
  equal(tableOf([{ NAME: 'a', STATE: 'up', WHERE: 'here' }]), `${HEADER}a       up     here\n`);
});

test('an empty value is --, one that cannot be determined is ?', () => {
  equal(tableOf([{ NAME: '', STATE: null, WHERE: '' }]), `${HEADER}--      ?      --\n`);
  equal(parsableText(FIELDS, { NAME: '', STATE: null, WHERE: '' }), ':?:\n');
});

test('an overlong value pushes the row until padding has made up for it', () => {
  // One character less than the column: aligned. As wide: one space, and the rest is pushed.
  for (const [name, state, line] of [
    ['seven77', 'up', 'seven77 up     x'],
    ['eight888', 'up', 'eight888 up    x'],
    ['twelve121212', 'up', 'twelve121212 up x'],
    ['twelve121212', 'offline', 'twelve121212 offline x'],
  ] as const) {
    equal(tableOf([{ NAME: name, STATE: state, WHERE: 'x' }]), `${HEADER}${line}\n`);
  }
});

test('the header stands at the top of every window, and follows its height', () => {
  const rows = (count: number): OutputRow[] =>
    Array.from({ length: count }, () => ({ NAME: 'a', STATE: 'b', WHERE: 'c' }));
  const headersAt = (text: string): number[] =>
    text.split('\n').flatMap((line, at) => (`${line}\n` === HEADER ? [at] : []));
  deepEqual(headersAt(tableOf(rows(23))), [0]);
  deepEqual(headersAt(tableOf(rows(47))), [0, 24, 48]);
  deepEqual(headersAt(tableOf(rows(6), () => 4)), [0, 4]);
  deepEqual(headersAt(tableOf(rows(2), () => 0)), [0]);
  let asked = 0;
  deepEqual(headersAt(tableOf(rows(10), () => (asked++ < 3 ? 24 : 5))), [0, 5, 10]);
  equal(tableOf([]), '');
});

test('for programs: colons between fields, escapes only with several', () => {
  const row = { NAME: '2001:db8::1', STATE: 'a\\b', WHERE: '' };
  equal(parsableText(FIELDS, row), '2001\\:db8\\:\\:1:a\\\\b:\n');
  equal(parsableText(FIELDS.slice(0, 1), row), '2001:db8::1\n');
  equal(parsableText(FIELDS.slice(1, 2), row), 'a\\b\n');
});

test('control characters do not reach the terminal', () => {
  equal(tableOf([{ NAME: 'a\x1b[2J', STATE: 'b\n', WHERE: 'c' }]), `${HEADER}a?[2J   b?     c\n`);
  equal(parsableText(FIELDS, { NAME: 'a\n', STATE: '', WHERE: '' }), 'a?::\n');
});

test('fields are named in any case, shown in the order given, and may be repeated', () => {
  const names = (wanted: string | undefined, isParsable = false): string[] =>
    selectFields(FIELDS, wanted, isParsable).fields.map((field) => field.name);
  deepEqual(names('where,Name,WHERE'), ['WHERE', 'NAME', 'WHERE']);
  deepEqual(names('where,,name', true), ['WHERE', 'NAME']);
  deepEqual(names('all'), ['NAME', 'STATE', 'WHERE']);
});

test('without -o: the leading fields that fit 80 columns; all has no such limit', () => {
  const wide = [40, 39, 1, 1].map((width, at) => ({ name: `F${at}`, width }));
  deepEqual(
    selectFields(wide, undefined, false).fields.map((field) => field.name),
    ['F0', 'F1', 'F2'],
  );
  equal(selectFields(wide, 'all', false).fields.length, 4);
  equal(selectFields([...wide].reverse(), undefined, false).fields.length, 3);
});

test('unknown fields: ignored for people, refused for programs', () => {
  deepEqual(selectFields(FIELDS, 'name,colour,size', false), {
    fields: FIELDS.slice(0, 1),
    unknown: ['colour', 'size'],
  });
  for (const [wanted, isParsable, message] of [
    ['name,colour', true, 'unknown output field(s) colour'],
    ['colour', true, 'no valid output fields'],
    ['colour', false, 'no valid output fields'],
    ['ALL', false, 'no valid output fields'],
    [',', false, 'no valid output fields'],
    [undefined, true, 'output fields must be specified in parsable mode'],
    ['', true, 'output fields must be specified in parsable mode'],
    ['all', true, 'output field "all" is invalid in parsable mode'],
    ['name,name,name,name', false, 'too many output fields: 4, there are only 3'],
  ] as const) {
    throws(() => selectFields(FIELDS, wanted, isParsable), { message });
  }
});
