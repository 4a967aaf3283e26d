/** Texts of addresses and of places to listen at. */

import { equal } from 'node:assert/strict';
import { test } from 'node:test';
import { listenFormat, listenParse } from '../../../src/model/prefix.ts';

test('a place to listen at is shown as it is written, with brackets for IPv6 alone', () => {
  for (const text of ['127.0.0.1:9437', '[::1]:9437', '[2001:db8:1:2:3:4:5:6]:65535']) {
    const listen = listenParse(text);
    equal(listen === undefined || listen === null ? listen : listenFormat(listen), text);
  }
});
