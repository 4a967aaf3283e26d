/** Echo for the stack's own addresses, and everything that is not answered, in both families. */

import { deepEqual, equal, ok } from 'node:assert/strict';
import { test } from 'node:test';
import { ECHO_RATE, LocalIcmp } from '../../../src/ip/icmp.ts';
import type { Ill } from '../../../src/ip/object/ill.ts';
import { Ipif } from '../../../src/ip/object/ipif.ts';
import { Phyint } from '../../../src/ip/object/phyint.ts';
import type { DropReason } from '../../../src/stats/drop-reasons.ts';
import { type IpAddress, ipParse, MAC_BROADCAST } from '../../../src/wire/addr.ts';
import { ETHERTYPE_ARP } from '../../../src/wire/ethernet.ts';
import type { IcmpMessage } from '../../../src/wire/icmp.ts';
import { ipv4TypeOfService } from '../../../src/wire/ipv4.ts';
import { ipv6TrafficClass } from '../../../src/wire/ipv6.ts';
import { icmpMessage, icmpv6Frame, ipv4Frame } from '../../tools/frames.ts';
import { hexFormat, hexParse } from '../../tools/hex.ts';
import { LINUX_ECHO_REPLY, LINUX_ECHO_REQUEST } from '../../tools/linux-frames.ts';
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

/** What differs from an echo request of the gateway to the test address. */
interface EchoFields extends Partial<IcmpMessage> {
  readonly destinationMac?: number;
  readonly sourceMac?: number;
  readonly source?: string;
  readonly destination?: string;
  /** Type of service, or traffic class. */
  readonly class?: number;
  readonly protocol?: number;
  /** What follows the fixed header: options of IPv4, extension headers of IPv6, as hexadecimal. */
  readonly extra?: string;
  /** IPv4 alone. */
  readonly fragment?: number;
}

/** One family: its addresses, and how a request is made and its answer looks. */
interface FamilyRow {
  readonly name: string;
  readonly test: string;
  readonly data: string;
  readonly gateway: string;
  readonly unspecified: string;
  readonly request: number;
  readonly reply: number;
  /** Places of the hop limit and of the ICMP message in a frame without options. */
  readonly hopLimitAt: number;
  readonly icmpAt: number;
  classOf(frame: Uint8Array): number;
  echo(given?: EchoFields): Uint8Array;
}

const PAYLOAD = Uint8Array.of(1, 2, 3, 4, 5);
const MACS = { destinationMac: NET1, sourceMac: GATEWAY_MAC };

function message(type: number, given: EchoFields): IcmpMessage {
  const { code = 0, identifier = 0x1234, sequence = 9, data = PAYLOAD } = given;
  return { type: given.type ?? type, code, identifier, sequence, data };
}

function macs(given: EchoFields): typeof MACS {
  const { destinationMac = NET1, sourceMac = GATEWAY_MAC } = given;
  return { destinationMac, sourceMac };
}

const IPV4: FamilyRow = {
  name: 'IPv4',
  test: '192.0.2.21',
  data: '192.0.2.10',
  gateway: '192.0.2.1',
  unspecified: '0.0.0.0',
  request: 8,
  reply: 0,
  hopLimitAt: 22,
  icmpAt: 34,
  classOf: (frame) => ipv4TypeOfService(frame, 14),
  echo(given = {}) {
    const { source = this.gateway, destination = this.test, protocol = 1 } = given;
    const { class: typeOfService = 0, fragment = 0, extra = '' } = given;
    const ends = { source: ip(source), destination: ip(destination) };
    const header = { protocol, typeOfService, fragment, options: hexParse(extra), timeToLive: 1 };
    return ipv4Frame({ ...macs(given), ...ends, ...header }, icmpMessage(message(8, given)));
  },
};

const IPV6: FamilyRow = {
  name: 'IPv6',
  test: '2001:db8::21',
  data: '2001:db8::10',
  gateway: '2001:db8::1',
  unspecified: '::',
  request: 128,
  reply: 129,
  hopLimitAt: 21,
  icmpAt: 54,
  classOf: (frame) => ipv6TrafficClass(frame, 14),
  echo(given = {}) {
    const { source = this.gateway, destination = this.test, protocol = 58 } = given;
    const { class: trafficClass = 0, extra = '' } = given;
    const ends = { source: ipv6(source), destination: ipv6(destination) };
    const header = { nextHeader: protocol, trafficClass, flowLabel: 0x12345, hopLimit: 1 };
    const extensions = hexParse(extra);
    return icmpv6Frame({ ...macs(given), ...ends, ...header }, message(128, given), extensions);
  },
};

const FAMILIES = [IPV4, IPV6];

function ipv6(text: string): bigint {
  const address = ipParse(text);
  if (typeof address !== 'bigint') throw new RangeError(text);
  return address;
}

/** Two NICs with a test address on the second, and what was sent. */
class Stack {
  readonly counters = { echoReplies: 0 };
  readonly sent: { port: string; frame: Uint8Array }[] = [];
  readonly ills: Ill[];
  readonly ipif: Ipif;
  readonly icmp: LocalIcmp;

  constructor(family: FamilyRow) {
    this.ills = [NET0, NET1].map((physAddr, nic) => {
      const phyint = new Phyint({ name: `net${nic}`, nic });
      phyint.physAddr = physAddr;
      return phyint.ill;
    });
    // The gate looks an address up and does not read it in what it finds.
    this.ipif = Ipif.test(TEST, 24, this.ills[1]!);
    this.ipif.state = 'up';
    const data = Ipif.data(DATA, 24);
    data.state = 'up';
    data.bind(this.ills[1]!);
    const ipifs = new Map<IpAddress | undefined, Ipif>([
      [ipParse(family.test), this.ipif],
      [ipParse(family.data), data],
    ]);
    this.icmp = new LocalIcmp({
      membership: { findIpif: (address) => ipifs.get(address) },
      output: {
        toWire: (ill, frame) => this.sent.push({ port: ill.phyint.name, frame }),
        toHost: (frame) => this.sent.push({ port: 'host', frame }),
      },
      counters: this.counters,
    });
  }

  wire(frame: Uint8Array, nic = 1, nowMs = 0): string {
    return this.icmp.handleWireFrame(this.ills[nic]!, frame, nowMs);
  }
}

test('golden: an echo from the wire is answered by the NIC that received it', () => {
  const world = new World();
  world.addTest(TEST, 1);
  const ends = { source: GATEWAY, destination: TEST, protocol: 1, timeToLive: 1 };
  const asked = { type: 8, code: 0, identifier: 0x1234, sequence: 9, data: PAYLOAD };
  world.wire(1, ipv4Frame({ ...MACS, ...ends }, icmpMessage(asked)));
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
  world.addData(DATA, 0);
  world.host(
    ipv4Frame({ ...MACS, sourceMac: GROUP_MAC, ...ends, source: DATA }, icmpMessage(asked)),
  );
  const [up] = world.take();
  deepEqual([up!.port, up!.destination, up!.source], ['host', GROUP_MAC, NET1]);
  world.wire(1, ipv4Frame({ ...MACS, ...ends }, icmpMessage(asked)).subarray(0, 13));
  equal(world.dropped('runt'), 1);
});

test('golden: an echo of Linux over IPv6 is answered as Linux does, but for the flow label', () => {
  const stack = new Stack({ ...IPV6, test: '2001:db8::2' });
  equal(stack.wire(LINUX_ECHO_REQUEST), 'answered');
  const expected = LINUX_ECHO_REPLY.slice();
  expected.set([0x60, 0, 0, 0], 14);
  deepEqual(
    stack.sent.map(({ port, frame }) => [port, hexFormat(frame)]),
    [['net1', hexFormat(expected)]],
  );
});

for (const family of FAMILIES) {
  test(`${family.name}: an echo is answered to the MAC that asked, in its class`, () => {
    const stack = new Stack(family);
    equal(stack.wire(family.echo({ class: 0x2a })), 'answered');
    const fromHost = { sourceMac: GROUP_MAC, source: family.data };
    equal(stack.icmp.handleHostFrame(family.echo(fromHost), 0), 'answered');
    deepEqual(
      stack.sent.map(({ port }) => port),
      ['net1', 'host'],
    );
    // An answer is the request in the other direction, but for its type, hop limit and label.
    const ends = { source: family.test, destination: family.gateway };
    const type = family.reply;
    const expected = family.echo({
      ...ends,
      destinationMac: GATEWAY_MAC,
      sourceMac: NET1,
      class: 0x2a,
      type,
    });
    const { frame } = stack.sent[0]!;
    equal(frame.length, expected.length);
    equal(frame[family.hopLimitAt], 64);
    equal(family.classOf(frame), 0x2a);
    deepEqual(frame.subarray(0, 12), expected.subarray(0, 12));
    deepEqual(frame.subarray(family.icmpAt), expected.subarray(family.icmpAt));
    equal(stack.counters.echoReplies, 2);
  });

  test(`${family.name}: frames that are never answered (T9, T10), each with its reason`, () => {
    const stack = new Stack(family);
    const { test: own, data } = family;
    const refused: [EchoFields, DropReason][] = [
      [{ destinationMac: MAC_BROADCAST }, 'local_destination'],
      [{ destinationMac: mac('01:00:5e:00:00:01') }, 'local_destination'],
      [{ destinationMac: mac('33:33:00:00:00:01') }, 'local_destination'],
      [{ destination: data }, 'local_destination'],
      [{ destinationMac: NET0 }, 'local_destination'],
      [{ source: family.unspecified }, 'local_source'],
      [{ source: own }, 'local_source'],
      [{ source: data }, 'local_source'],
      [{ sourceMac: MAC_BROADCAST }, 'local_source'],
      [{ sourceMac: 0 }, 'local_source'],
      [{ type: family.reply }, 'local_protocol'],
      [{ type: 13 }, 'local_protocol'],
      [{ code: 1 }, 'local_protocol'],
      [{ protocol: 17 }, 'local_protocol'],
    ];
    for (const [fields, reason] of refused) {
      equal(stack.wire(family.echo(fields)), reason, JSON.stringify(fields));
    }
    equal(stack.wire(family.echo(), 0), 'local_destination');
    const fromItself = family.echo({ source: own });
    equal(stack.icmp.handleHostFrame(fromItself, 0), 'local_source');
    const badSum = family.echo();
    badSum[family.icmpAt + 2] = badSum[family.icmpAt + 2]! ^ 0xff;
    equal(stack.wire(badSum), 'local_checksum');
    const other = family.echo();
    other[13] = ETHERTYPE_ARP & 0xff;
    equal(stack.wire(other), 'unknown_ethertype');
    stack.ipif.state = 'duplicate';
    equal(stack.wire(family.echo()), 'address_tentative');
    deepEqual(stack.sent, []);
  });

  test(`${family.name}: a flood of echo requests is answered at the rate, never longer`, () => {
    const stack = new Stack(family);
    const request = family.echo();
    let limited = 0;
    for (let i = 0; i < 20_000; i++) {
      if (stack.wire(request, 1, i / 10) === 'local_rate_limited') limited++;
    }
    const { echoReplies } = stack.counters;
    ok(echoReplies <= ECHO_RATE * 3 + 1 && echoReplies >= ECHO_RATE * 2, `${echoReplies}`);
    equal(stack.sent.length, echoReplies);
    ok(stack.sent.every(({ frame }) => frame.length === request.length));
    equal(limited, 20_000 - echoReplies);
  });
}

/** What each family has before the message, and what becomes of it. */
const FRONTS: [FamilyRow, EchoFields, string][] = [
  [IPV4, { destination: '192.0.2.255' }, 'local_destination'],
  [IPV4, { destination: '224.0.0.1' }, 'local_destination'],
  [IPV4, { source: '127.0.0.1' }, 'local_source'],
  [IPV4, { source: '224.0.0.9' }, 'local_source'],
  [IPV4, { source: '255.255.255.255' }, 'local_source'],
  [IPV4, { fragment: 0x2000 }, 'local_fragment'],
  [IPV4, { fragment: 0x0001 }, 'local_fragment'],
  [IPV4, { extra: '83070401 02030400' }, 'source_route'],
  [IPV4, { extra: '89070401 02030400' }, 'source_route'],
  [IPV4, { extra: '07270400' }, 'bad_ipv4_header'],
  [IPV4, { extra: '01010100' }, 'answered'],
  [IPV6, { destination: 'ff02::1' }, 'local_destination'],
  [IPV6, { destination: 'ff02::1:ff00:21' }, 'local_destination'],
  [IPV6, { source: '::1' }, 'local_source'],
  [IPV6, { source: 'ff02::1' }, 'local_source'],
  [IPV6, { source: '::ffff:192.0.2.1' }, 'local_source'],
  [IPV6, { source: 'fe80::1' }, 'answered'],
  [IPV6, { protocol: 44, extra: '3a000001 00000007' }, 'local_fragment'],
  [IPV6, { protocol: 44, extra: '3a000008 00000007' }, 'local_fragment'],
  [IPV6, { protocol: 44, extra: '3aff0000 00000007' }, 'answered'],
  [IPV6, { protocol: 43, extra: '3a000001 00000000' }, 'source_route'],
  [IPV6, { protocol: 43, extra: '3a000000 00000000' }, 'answered'],
  [IPV6, { protocol: 43, extra: '3a000401 00000000' }, 'local_protocol'],
  [IPV6, { protocol: 43, extra: '3a000400 00000000' }, 'answered'],
  [IPV6, { protocol: 0, extra: '3a000502 00000100' }, 'answered'],
  [IPV6, { protocol: 0, extra: '3a000104 00000000' }, 'answered'],
  [IPV6, { protocol: 60, extra: '3a000000 00000000' }, 'answered'],
  [IPV6, { protocol: 60, extra: '3a000104 00000000' }, 'answered'],
  [IPV6, { protocol: 60, extra: '3a003e04 00000000' }, 'answered'],
  [IPV6, { protocol: 60, extra: `3a02${'1e00'.repeat(8)} 010401020304` }, 'answered'],
  [IPV6, { protocol: 60, extra: `3a02${'1e00'.repeat(9)} 01020000` }, 'local_protocol'],
  [IPV6, { protocol: 60, extra: '3a01 0105 0000000000 1e05 0000000000' }, 'answered'],
  [IPV6, { protocol: 0, extra: '3a01 0106 000000000000 0104 00000000' }, 'local_protocol'],
  [IPV6, { protocol: 0, extra: `3a01 ${'00'.repeat(14)}` }, 'local_protocol'],
  [IPV6, { protocol: 60, extra: '3a007e04 00000000' }, 'local_protocol'],
  [IPV6, { protocol: 60, extra: '3a00be04 00000000' }, 'local_protocol'],
  [IPV6, { protocol: 60, extra: '3a00fe04 00000000' }, 'local_protocol'],
  [IPV6, { protocol: 60, extra: '3a000105 00000000' }, 'local_protocol'],
  [IPV6, { protocol: 60, extra: '3a000102 00000001' }, 'local_protocol'],
  [IPV6, { protocol: 51, extra: '3a020000 000000070000000100000000' }, 'local_protocol'],
  [IPV6, { protocol: 60, extra: '3aff0104 00000000' }, 'bad_ipv6_header'],
  [IPV6, { protocol: 60, extra: '00000104 000000003a000104 00000000' }, 'bad_ipv6_header'],
];

test('what stands in front of the message decides, and is left out of the answer', () => {
  for (const [family, fields, end] of FRONTS) {
    const stack = new Stack(family);
    const request = family.echo(fields);
    const title = `${family.name} ${JSON.stringify(fields)}`;
    equal(stack.wire(request), end, title);
    const extra = hexParse(fields.extra ?? '').length;
    const expected = end === 'answered' ? [request.length - extra] : [];
    deepEqual(
      stack.sent.map(({ frame }) => frame.length),
      expected,
      title,
    );
  }
});

test('a header that cannot be read is refused, in each family by its own reason', () => {
  for (const family of FAMILIES) {
    const stack = new Stack(family);
    const reason = `bad_${family.name.toLowerCase()}_header`;
    equal(stack.wire(family.echo().subarray(0, 40)), reason);
    const version = family.echo();
    version[14] = version[14]! ^ 0x10;
    equal(stack.wire(version), reason);
  }
  const sum = IPV4.echo();
  sum[24] = sum[24]! ^ 0xff;
  equal(new Stack(IPV4).wire(sum), 'local_checksum');
});
