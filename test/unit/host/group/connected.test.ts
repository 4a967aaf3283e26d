/** Which connected routes follow from addresses, and which of them are not there. */

import { deepEqual } from 'node:assert/strict';
import { test } from 'node:test';
import {
  isConnected,
  lackingConnected,
  networkText,
} from '../../../../src/host/group/connected.ts';
import type { HostAddress } from '../../../../src/host/kernel/records.ts';

const PERMANENT = 0x80;
const SECONDARY = 0x01;
const NOPREFIXROUTE = 0x200;

function address(text: string, prefixLength: number, flags = 0): HostAddress {
  const family = text.includes(':') ? 6 : 4;
  return { family, address: text, prefixLength, flags: PERMANENT | flags, scope: 0 };
}

test('each network of the addresses has one connected route, with the first as its source', () => {
  const addresses = [
    address('192.0.2.10', 24),
    address('192.0.2.11', 24, SECONDARY),
    address('198.51.100.1', 24, NOPREFIXROUTE),
    address('203.0.113.7', 32),
    address('203.0.113.130', 25),
    address('2001:db8::1', 64),
  ];
  const lacking = lackingConnected(addresses, []);
  deepEqual(
    lacking.map((route) => [networkText(route), route.source]),
    [
      ['192.0.2.0/24', '192.0.2.10'],
      ['203.0.113.128/25', '203.0.113.130'],
    ],
  );
  deepEqual(lacking.map(isConnected), [true, true]);
  deepEqual(lackingConnected(addresses, lacking), []);
  deepEqual(lackingConnected(addresses, lacking.slice(1)), lacking.slice(0, 1));
});
