/** ICMPv6 over frames of Linux: read, written again, and checksums that cover the addresses. */

import { deepEqual, equal } from 'node:assert/strict';
import { test } from 'node:test';
import { icmpIdentifier, icmpParse, icmpSequence } from '../../../src/wire/icmp.ts';
import {
  ICMPV6_ECHO_REPLY,
  ICMPV6_ECHO_REQUEST,
  icmpv6Code,
  icmpv6Emit,
  icmpv6IsMld,
  icmpv6IsNeighborDiscovery,
  icmpv6IsValid,
  icmpv6Type,
  icmpv6VerifyChecksum,
} from '../../../src/wire/icmpv6.ts';
import { hexFormat, hexParse } from '../../tools/hex.ts';
import { LINUX_ECHO_REPLY, LINUX_ECHO_REQUEST } from '../../tools/linux-frames.ts';

const IP = 14;
const ICMP = 54;

test('echo: golden messages, there and back, with their checksums', () => {
  const rows = [
    [LINUX_ECHO_REQUEST, ICMPV6_ECHO_REQUEST],
    [LINUX_ECHO_REPLY, ICMPV6_ECHO_REPLY],
  ] as const;
  for (const [golden, type] of rows) {
    const length = golden.length - ICMP;
    equal(icmpv6IsValid(golden, ICMP, length), true);
    const data = hexParse('0001020304');
    const values = { type, code: 0, identifier: 0x5364, sequence: 1, data };
    deepEqual(icmpParse(golden, ICMP, length), values);
    deepEqual([icmpv6Type(golden, ICMP), icmpv6Code(golden, ICMP)], [type, 0]);
    deepEqual([icmpIdentifier(golden, ICMP), icmpSequence(golden, ICMP)], [0x5364, 1]);
    equal(icmpv6VerifyChecksum(golden, ICMP, length, IP), true);
    const frame = new Uint8Array(golden.length + 1).fill(0xa5);
    frame.set(golden.subarray(0, ICMP));
    icmpv6Emit(frame, ICMP, values, IP);
    equal(hexFormat(frame), `${hexFormat(golden)}a5`);
  }
});

test('the checksum covers the addresses, the length and every byte of the message', () => {
  const length = LINUX_ECHO_REQUEST.length - ICMP;
  for (let place = IP + 8; place < LINUX_ECHO_REQUEST.length; place++) {
    const frame = LINUX_ECHO_REQUEST.slice();
    frame[place] = frame[place]! ^ 0x10;
    equal(icmpv6VerifyChecksum(frame, ICMP, length, IP), false, `byte ${place}`);
  }
  const longer = Uint8Array.of(...LINUX_ECHO_REQUEST, 0);
  equal(icmpv6VerifyChecksum(longer, ICMP, length + 1, IP), false);
});

test('the gate at its limits', () => {
  equal(icmpv6IsValid(LINUX_ECHO_REQUEST, ICMP, 8), true);
  equal(icmpv6IsValid(LINUX_ECHO_REQUEST, ICMP, 7), false);
  equal(icmpv6IsValid(LINUX_ECHO_REQUEST, ICMP, LINUX_ECHO_REQUEST.length - ICMP + 1), false);
});

test('types are sorted into neighbour discovery, listener discovery and others', () => {
  const types = Array.from({ length: 256 }, (_, type) => type);
  deepEqual(types.filter(icmpv6IsNeighborDiscovery), [133, 134, 135, 136, 137]);
  deepEqual(types.filter(icmpv6IsMld), [130, 131, 132, 143]);
});
