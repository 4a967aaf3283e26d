/** Properties of wire/: round trips, checksums, and any bytes against every getter. */

import { deepEqual, equal, ok } from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { readU16, writeU16 } from '../../src/base/bytes.ts';
import {
  ipv4Format,
  ipv4Parse,
  ipv6Format,
  ipv6Parse,
  ipv6Read,
  ipv6Write,
  macFormat,
  macParse,
  macRead,
  macWrite,
  prefixParse,
} from '../../src/wire/addr.ts';
import { arpEmit, arpFrame, arpIsValid, arpParse } from '../../src/wire/arp.ts';
import {
  checksumAdd,
  checksumComplement,
  checksumFold,
  checksumUpdate,
} from '../../src/wire/checksum.ts';
import { frameDescribe } from '../../src/wire/describe/describe.ts';
import { ethernetEmit, ethernetParse } from '../../src/wire/ethernet.ts';
import { icmpEmit, icmpIsValid, icmpParse, icmpVerifyChecksum } from '../../src/wire/icmp.ts';
import {
  ipv4HeaderEmit,
  ipv4HeaderParse,
  ipv4IsValid,
  ipv4VerifyChecksum,
} from '../../src/wire/ipv4.ts';
import {
  IPV6_HEADER_LENGTH,
  ipv6HeaderEmit,
  ipv6HeaderParse,
  ipv6IsValid,
  ipv6TotalLength,
  ipv6Walk,
  ipv6WalkCreate,
} from '../../src/wire/ipv6.ts';
import {
  udpDestinationPort,
  udpIsValid,
  udpLength,
  udpSourcePort,
  udpVerifyChecksum,
} from '../../src/wire/udp.ts';
import { forAll } from '../tools/for-all.ts';
import { icmpMessage, ipv4Frame, udpDatagram } from '../tools/frames.ts';
import * as linux from '../tools/linux-frames.ts';

const mac = fc.nat(0xffffff).chain((high) => fc.nat(0xffffff).map((low) => high * 2 ** 24 + low));
const address = fc.nat(0xffff).chain((high) => fc.nat(0xffff).map((low) => high * 65536 + low));
const address6 = fc.bigInt({ min: 0n, max: 2n ** 128n - 1n });
const u16 = fc.nat(0xffff);
const u8 = fc.nat(0xff);
const data = fc.uint8Array({ maxLength: 200 });
const place = fc.nat(20);

/** Records as our parsers make them: with the ordinary prototype. */
function plain<T extends object>(model: { [K in keyof T]: fc.Arbitrary<T[K]> }): fc.Arbitrary<T> {
  return fc.record<T>(model, { noNullPrototype: true });
}

/** A buffer of 0xa5 in which `emit` may write `length` bytes from `offset` and no other. */
function emitted(offset: number, length: number, emit: (bytes: Uint8Array) => void): Uint8Array {
  const bytes = new Uint8Array(offset + length + 8).fill(0xa5);
  const second = new Uint8Array(offset + length + 8).fill(0x5a);
  emit(bytes);
  emit(second);
  deepEqual(bytes.subarray(offset, offset + length), second.subarray(offset, offset + length));
  ok(bytes.subarray(0, offset).every((byte) => byte === 0xa5));
  ok(bytes.subarray(offset + length).every((byte) => byte === 0xa5));
  return bytes;
}

test('texts of addresses go there and back', () => {
  forAll(100, [mac, address, address6], (m, a, six) => {
    equal(macParse(macFormat(m)), m);
    equal(ipv4Parse(ipv4Format(a)), a);
    equal(ipv6Parse(ipv6Format(six)), six);
    equal(
      ipv6Read(
        emitted(1, 16, (buffer) => ipv6Write(buffer, 1, six)),
        1,
      ),
      six,
    );
    const bytes = emitted(1, 6, (buffer) => macWrite(buffer, 1, m));
    equal(macRead(bytes, 1), m);
  });
});

test('ipv6: headers go there and back, and any packet is walked or refused', () => {
  const nibbles = fc.nat(0xfffff);
  const header = plain({
    trafficClass: u8,
    flowLabel: nibbles,
    payloadLength: u16,
    nextHeader: u8,
    hopLimit: u8,
    source: address6,
    destination: address6,
  });
  forAll(100, [place, header], (offset, record) => {
    const bytes = emitted(offset, IPV6_HEADER_LENGTH, (buffer) =>
      ipv6HeaderEmit(buffer, offset, record),
    );
    deepEqual(ipv6HeaderParse(bytes, offset), record);
  });
  const walk = ipv6WalkCreate();
  const kind = fc.constantFrom(0, 17, 43, 44, 51, 60, 58, 6);
  forAll(2000, [header, kind, data, fc.array(kind)], (record, first, payload, kinds) => {
    const bytes = new Uint8Array(IPV6_HEADER_LENGTH + payload.length + 3);
    const payloadLength = payload.length;
    ipv6HeaderEmit(bytes, 0, { ...record, nextHeader: first, payloadLength });
    // Next headers and lengths that are plausible, so that walks go on.
    for (const [at, next] of kinds.entries()) {
      if (8 * at + 1 >= payload.length) break;
      payload[8 * at] = next;
      payload[8 * at + 1] = payload[8 * at + 1]! & 1;
    }
    bytes.set(payload, IPV6_HEADER_LENGTH);
    ok(ipv6IsValid(bytes, 0, bytes.length));
    if (!ipv6Walk(bytes, 0, walk)) return;
    ok(walk.offset >= IPV6_HEADER_LENGTH && walk.offset <= ipv6TotalLength(bytes, 0));
    ok(walk.isFragment || !walk.isLaterFragment);
  });
});

test('any text is a prefix or is refused', () => {
  forAll(1000, [fc.oneof(fc.string(), fc.stringMatching(/^[0-9a-f:./]{0,30}$/))], (text) => {
    const prefix = prefixParse(text);
    if (prefix === undefined) return;
    deepEqual(prefixParse(`${prefix.address}/${prefix.prefixLength}`), prefix);
  });
});

test('records go there and back, every byte is written, no other byte is touched', () => {
  const ethernet = plain({ destination: mac, source: mac, type: u16 });
  forAll(100, [place, ethernet], (offset, header) => {
    const bytes = emitted(offset, 14, (buffer) => ethernetEmit(buffer, offset, header));
    deepEqual(ethernetParse(bytes, offset), header);
  });
  const arp = plain({
    operation: u16,
    senderMac: mac,
    senderAddress: address,
    targetMac: mac,
    targetAddress: address,
  });
  forAll(100, [place, arp], (offset, packet) => {
    const bytes = emitted(offset, 28, (buffer) => arpEmit(buffer, offset, packet));
    equal(arpIsValid(bytes, offset, 28), true);
    deepEqual(arpParse(bytes, offset), packet);
    deepEqual(arpParse(arpFrame(1, 2, packet), 14), packet);
  });
  const icmp = plain({ type: u8, code: u8, identifier: u16, sequence: u16, data });
  forAll(100, [place, icmp], (offset, message) => {
    const length = 8 + message.data.length;
    const bytes = emitted(offset, length, (buffer) => icmpEmit(buffer, offset, message));
    equal(icmpIsValid(bytes, offset, length), true);
    equal(icmpVerifyChecksum(bytes, offset, length), true);
    deepEqual(icmpParse(bytes, offset, length), message);
  });
});

test('a UDP datagram is read as it was written, and its checksum is found right', () => {
  forAll(100, [place, u16, u16, data, address, address], (offset, from, to, sent, one, other) => {
    const datagram = udpDatagram(from, to, sent, { source: one, destination: other });
    const bytes = new Uint8Array(offset + datagram.length + 8);
    bytes.set(datagram, offset);
    equal(udpIsValid(bytes, offset, datagram.length), true);
    equal(udpVerifyChecksum(bytes, offset, one, other), true);
    deepEqual([udpSourcePort(bytes, offset), udpDestinationPort(bytes, offset)], [from, to]);
    equal(udpLength(bytes, offset), datagram.length);
  });
});

test('ipv4 headers go there and back, with options, and every flipped bit breaks the sum', () => {
  const header = plain({
    typeOfService: u8,
    totalLength: fc.integer({ min: 60, max: 1000 }),
    identification: u16,
    fragment: u16,
    timeToLive: u8,
    protocol: u8,
    source: address,
    destination: address,
    options: fc
      .nat(10)
      .chain((words) => fc.uint8Array({ minLength: 4 * words, maxLength: 4 * words })),
  });
  forAll(100, [place, header, u8], (offset, values, flip) => {
    const length = 20 + values.options.length;
    const bytes = emitted(offset, length, (buffer) => ipv4HeaderEmit(buffer, offset, values));
    const datagram = new Uint8Array(offset + values.totalLength);
    datagram.set(bytes.subarray(0, offset + length));
    equal(ipv4IsValid(datagram, offset, values.totalLength), true);
    deepEqual(ipv4HeaderParse(datagram, offset), values);
    equal(ipv4VerifyChecksum(datagram, offset), true);
    const bit = 8 + (flip % (8 * (length - 1)));
    datagram[offset + (bit >> 3)]! ^= 1 << (bit & 7);
    equal(ipv4VerifyChecksum(datagram, offset), false);
  });
});

test('an updated checksum equals a new one', () => {
  forAll(100, [fc.uint8Array({ minLength: 4, maxLength: 64 }), fc.nat(), u16], (raw, at, word) => {
    const bytes = raw.subarray(0, raw.length & ~1);
    writeU16(bytes, 0, 0);
    const check = checksumComplement(checksumAdd(0, bytes, 0, bytes.length));
    const offset = 2 + 2 * (at % (bytes.length / 2 - 1));
    const before = readU16(bytes, offset);
    writeU16(bytes, offset, word);
    writeU16(bytes, 0, checksumUpdate(check, before, word));
    const sum = checksumFold(checksumAdd(0, bytes, 0, bytes.length));
    ok(sum === 0xffff || (sum === 0 && bytes.every((byte) => byte === 0)), `${sum}`);
  });
});

test('a checksum may be added up in pieces of even length', () => {
  forAll(100, [fc.uint8Array({ minLength: 2, maxLength: 3000 }), fc.nat()], (bytes, at) => {
    const cut = 2 * (at % (bytes.length >> 1));
    const first = checksumAdd(0, bytes, 0, cut);
    const whole = checksumAdd(0, bytes, 0, bytes.length);
    equal(checksumAdd(first, bytes, cut, bytes.length - cut), whole);
  });
});

/** Bytes that are likely to get past the gates: a frame of ours with some bytes exchanged. */
const mutated = fc
  .tuple(fc.constantFrom(...samples()), fc.array(fc.tuple(fc.nat(99), u8), { maxLength: 6 }))
  .map(([sample, changes]) => {
    const bytes = sample.slice();
    for (const [at, value] of changes) bytes[at % bytes.length] = value;
    return bytes;
  });

function samples(): Uint8Array[] {
  const arp = arpFrame(0xffffffffffff, 0x020000000001, {
    operation: 1,
    senderMac: 0x020000000001,
    senderAddress: 0xc000020a,
    targetMac: 0,
    targetAddress: 0xc0000201,
  });
  const datagram = (protocol: number, payload: Uint8Array): Uint8Array => {
    const macs = { destinationMac: 1, sourceMac: 2 };
    return ipv4Frame({ ...macs, source: 0xc000020a, destination: 0xc0000201, protocol }, payload);
  };
  const asked = { type: 8, code: 0, identifier: 1, sequence: 2, data: new Uint8Array(56) };
  const message = new Uint8Array(244);
  message.set([1, 1, 6, 0]);
  message.set([0x63, 0x82, 0x53, 0x63], 236);
  const dhcp = datagram(17, udpDatagram(68, 67, message));
  const others = [datagram(6, new Uint8Array(20)), datagram(17, new Uint8Array(4))];
  const last = datagram(99, new Uint8Array(1));
  return [arp, datagram(1, icmpMessage(asked)), dhcp, ...others, last, ...linuxSamples()];
}

/** Frames of IPv6; the last one is an advertisement from beyond the link. */
function linuxSamples(): Uint8Array[] {
  const routed = linux.LINUX_ADVERTISEMENT.slice();
  routed[14 + 7] = 64;
  return [...Object.values(linux), routed];
}

const LINUX_LINES: readonly string[] = [
  '2001:db8::2 > 2001:db8::1 nd advertisement of 2001:db8::2 (02:00:00:00:00:02) ' +
    'solicited override',
  '2001:db8::1 > fe80::ff:fe00:2 nd advertisement of 2001:db8::1 solicited',
  ':: > ff02::1:ff00:1 nd solicitation for 2001:db8::1 nonce be26e6887a5f',
  '2001:db8::2 > 2001:db8::1 icmpv6 echo reply 21348/1',
  '2001:db8::1 > 2001:db8::2 icmpv6 echo request 21348/1',
  '2001:db8::1 > 2001:db8::2 protocol 17 later fragment',
  ':: > ff02::16 mld v2 report of 1 records hop limit 1',
  'fe80::3 > 2001:db8::1 nd redirect of 2001:db8:9::9 to fe80::ff:fe00:2 (02:00:00:00:00:02)',
  'fe80::3 > 2001:db8::1 nd advertisement of fe80::3 (02:00:00:00:00:03) router solicited override',
  'fe80::ff:fe00:2 > ff02::2 nd router solicitation (02:00:00:00:00:02)',
  '2001:db8::1 > ff02::1:ff00:2 nd solicitation for 2001:db8::2 (02:00:00:00:00:01)',
  '2001:db8::1 > 2001:db8::2 udp 49152 > 53, 3 bytes',
  'fe80::ff:fe00:2 > 2001:db8::1 nd solicitation for 2001:db8::1 (02:00:00:00:00:02)',
  'fe80::3 > ff02::1 nd router advertisement lifetime 1800 s, 2 prefixes, mtu ' +
    '1400 (02:00:00:00:00:03)',
  '2001:db8::2 > 2001:db8::1 nd advertisement (nd_bad_hop_limit)',
];

test('the samples are described as what they are', () => {
  deepEqual(
    samples().map((frame) => frameDescribe(frame).replace(/^\S+ > \S+ /, '')),
    [
      'arp request for 192.0.2.1 from 192.0.2.10 (02:00:00:00:00:01)',
      '192.0.2.10 > 192.0.2.1 icmp echo request 1/2',
      '192.0.2.10 > 192.0.2.1 udp 68 > 67 dhcp request of ' +
        '00:00:00:00:00:00 (0.0.0.0), unicast answer',
      '192.0.2.10 > 192.0.2.1 tcp, 20 bytes',
      '192.0.2.10 > 192.0.2.1 malformed udp, 4 bytes',
      '192.0.2.10 > 192.0.2.1 protocol 99, 1 bytes',
      ...LINUX_LINES,
    ],
  );
});

test('any bytes are described in one short printable line, and none is changed', () => {
  const any = fc.oneof(fc.uint8Array({ maxLength: 128 }), mutated);
  forAll(5000, [any, fc.nat(40), fc.nat(300)], (bytes, offset, length) => {
    const before = bytes.slice();
    for (const line of [frameDescribe(bytes), frameDescribe(bytes, offset, length)]) {
      ok(/^[\x20-\x7e]{1,240}$/.test(line), JSON.stringify(line));
      ok(!line.includes('NaN') && !line.includes('undefined'), line);
    }
    deepEqual(bytes, before);
  });
});

test('every length of every sample is described', () => {
  for (const sample of samples()) {
    for (let length = 0; length <= sample.length; length++) {
      const line = frameDescribe(sample.subarray(0, length));
      ok(line.length > 0 && !line.includes('NaN') && !line.includes('undefined'), line);
    }
  }
});
