/** Echo for the stack's own addresses, and everything that is not answered. */

import { deepEqual, equal } from 'node:assert/strict';
import { test } from 'node:test';
import { ECHO_RATE } from '../../../src/ip/icmp.ts';
import { MAC_BROADCAST } from '../../../src/wire/addr.ts';
import type { IcmpMessage } from '../../../src/wire/icmp.ts';
import { type FrameFields, icmpMessage, ipv4Frame } from '../../tools/frames.ts';
import { hexFormat } from '../../tools/hex.ts';
import {
  DATA,
  GATEWAY,
  GATEWAY_MAC,
  GROUP_MAC,
  ip,
  mac,
  NET0,
  NET1,
  TEST,
  World,
} from './harness.ts';

function echo(given: Partial<FrameFields & IcmpMessage> = {}): Uint8Array {
  const { type = 8, data = Uint8Array.of(1, 2, 3, 4, 5), ...fields } = given;
  const macs = { destinationMac: NET1, sourceMac: GATEWAY_MAC };
  const ends = { source: GATEWAY, destination: TEST, protocol: 1, timeToLive: 1 };
  const message = { type, code: 0, identifier: 0x1234, sequence: 9, data };
  return ipv4Frame({ ...macs, ...ends, ...fields }, icmpMessage(message));
}

function worldWithTest(): World {
  const world = new World();
  world.addTest(TEST, 1);
  return world;
}

test('golden: an echo from the wire is answered by the NIC that received it', () => {
  const world = worldWithTest();
  world.wire(1, echo());
  const [answer, ...rest] = world.take();
  deepEqual(rest, []);
  equal(answer!.port, 'net1');
  equal(
    hexFormat(answer!.frame),
    '525400000001' +
      '020000000002' +
      '0800' + //
      '450000210000400040' +
      '01' +
      'b6c5' +
      'c0000215' +
      'c0000201' +
      '0000' +
      'e4bc' +
      '1234' +
      '0009' +
      '0102030405',
  );
});

test('an echo of the host is answered up to the host', () => {
  const world = worldWithTest();
  world.addData(DATA, 0);
  world.host(echo({ sourceMac: GROUP_MAC, source: DATA }));
  const [answer] = world.take();
  deepEqual([answer!.port, answer!.destination, answer!.source], ['host', GROUP_MAC, NET1]);
});

test('frames that are never answered (T9, T10), each with its reason', () => {
  const world = worldWithTest();
  world.addData(DATA, 0);
  const refused: [Uint8Array, string][] = [
    [echo({ destinationMac: MAC_BROADCAST }), 'local_destination'],
    [echo({ destinationMac: mac('01:00:5e:00:00:01') }), 'local_destination'],
    [echo({ destination: ip('192.0.2.255') }), 'local_destination'],
    [echo({ destination: ip('224.0.0.1') }), 'local_destination'],
    [echo({ destination: DATA }), 'local_destination'],
    [echo({ destinationMac: NET0 }), 'local_destination'],
    [echo({ source: 0 }), 'local_source'],
    [echo({ source: ip('127.0.0.1') }), 'local_source'],
    [echo({ source: ip('224.0.0.9') }), 'local_source'],
    [echo({ source: ip('255.255.255.255') }), 'local_source'],
    [echo({ source: TEST }), 'local_source'],
    [echo({ source: DATA }), 'local_source'],
    [echo({ sourceMac: MAC_BROADCAST }), 'local_source'],
    [echo({ sourceMac: 0 }), 'local_source'],
    [echo({ fragment: 0x2000 }), 'local_fragment'],
    [echo({ fragment: 0x0001 }), 'local_fragment'],
    [echo({ type: 0 }), 'local_protocol'],
    [echo({ type: 13 }), 'local_protocol'],
    [echo({ protocol: 17 }), 'local_protocol'],
    [echo({ options: Uint8Array.from([131, 7, 4, 1, 2, 3, 4, 0]) }), 'source_route'],
    [echo({ options: Uint8Array.from([137, 7, 4, 1, 2, 3, 4, 0]) }), 'source_route'],
    [echo({ options: Uint8Array.from([7, 39, 4, 0]) }), 'bad_ipv4_header'],
    [echo().subarray(0, 40), 'bad_ipv4_header'],
    [echo().subarray(0, 13), 'runt'],
  ];
  for (const [frame, reason] of refused) {
    const before = world.drops.get(reason as 'runt') ?? 0;
    world.wire(1, frame);
    equal(world.drops.get(reason as 'runt'), before + 1, reason);
  }
  const badIp = echo();
  badIp[24] = badIp[24]! ^ 0xff;
  const badIcmp = echo();
  badIcmp[36] = badIcmp[36]! ^ 0xff;
  world.wire(1, badIp);
  world.wire(1, badIcmp);
  equal(world.dropped('local_checksum'), 2);
  world.wire(0, echo());
  equal(world.dropped('local_destination'), 7);
  deepEqual(world.take(), []);
});

test('an address that is not up is silent; options are left out of the answer', () => {
  const world = worldWithTest();
  world.ipifs.get(TEST)!.state = 'duplicate';
  world.wire(1, echo());
  equal(world.dropped('address_tentative'), 1);
  world.ipifs.get(TEST)!.state = 'up';
  const request = echo({ options: Uint8Array.from([1, 1, 1, 0]) });
  world.wire(1, request);
  const [answer] = world.take();
  equal(answer!.frame.length, request.length - 4);
});

test('a flood of echo requests is answered at the rate, never with more bytes', () => {
  const world = worldWithTest();
  const request = echo();
  let bytes = 0;
  for (let i = 0; i < 20_000; i++) {
    world.wire(1, request);
    if (i % 10 === 0) world.advance(1);
    for (const one of world.take()) bytes += one.frame.length;
  }
  const { echoReplies } = world.lan.counters;
  equal(echoReplies <= ECHO_RATE * 3 + 1 && echoReplies >= ECHO_RATE * 2, true, `${echoReplies}`);
  equal(bytes, echoReplies * request.length);
  equal(world.dropped('local_rate_limited'), 20_000 - echoReplies);
});
