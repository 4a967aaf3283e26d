/** Text of others on a terminal. */

import { equal } from 'node:assert/strict';
import { test } from 'node:test';
import { printable } from '../../src/base/printable.ts';

test('what steers a terminal is shown, and lines stay lines', () => {
  equal(printable('there is no interface n\u001b[31m\n'), 'there is no interface n\\u{1b}[31m\n');
  equal(printable('\u0007\r\t\u009b\u2028\u202e'), '\\u{7}\\u{d}\\u{9}\\u{9b}\\u{2028}\\u{202e}');
  equal(printable('Zürich, 東京 – “ok”'), 'Zürich, 東京 – “ok”');
});
