/**
 * Arbitrary and mutated frames from both sides, mixed with moves and time: nothing throws, all
 * tables stay within their limits, every frame ends in one place, and the invariants at the heads
 * of the files hold.
 */

import { equal } from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { REDIRECT_LIMIT } from '../../../src/ip/neighbor/redirect.ts';
import { Ipif } from '../../../src/ip/object/ipif.ts';
import {
  IPV6_ALL_NODES,
  type IpAddress,
  ipv6Parse,
  ipv6SolicitedNode,
} from '../../../src/wire/addr.ts';
import { arpFrame } from '../../../src/wire/arp.ts';
import { ETHERTYPE_ARP, ethernetType } from '../../../src/wire/ethernet.ts';
import { icmpv6FillChecksum } from '../../../src/wire/icmpv6.ts';
import { ndSolicitationFrame } from '../../../src/wire/nd-frames.ts';
import { forAll } from '../../tools/for-all.ts';
import {
  beginDetection,
  DATA,
  GATEWAY,
  GATEWAY_MAC,
  GROUP_MAC,
  ip,
  mac,
  NET0,
  NET1,
  OTHER_MAC,
  TEST,
  World,
} from './harness.ts';
import { ndPacket } from './nd-messages.ts';

const MACS = [
  GATEWAY_MAC,
  OTHER_MAC,
  GROUP_MAC,
  NET0,
  NET1,
  mac('ff:ff:ff:ff:ff:ff'),
  mac('01:00:5e:00:00:01'),
  0,
];
const ADDRESSES = [DATA, DATA + 1, TEST, GATEWAY, ip('192.0.2.2'), 0, ip('127.0.0.1')];

/** Before the addresses of IPv6, whose last 32 bits are those of IPv4. */
const SIX = ipv6Parse('2001:db8::')!;

const anyMac = fc.oneof(fc.constantFrom(...MACS), fc.nat(2 ** 31 - 1));
const anyAddress = fc.oneof(
  fc.constantFrom(...ADDRESSES),
  fc.nat(300).map((n) => ip('192.0.2.0') + n),
);

/** ARP with values that matter, sometimes with a few bytes spoilt or cut. */
const arp = fc
  .record({
    destination: anyMac,
    source: anyMac,
    operation: fc.constantFrom(1, 1, 2, 2, 0, 3),
    senderMac: anyMac,
    senderAddress: anyAddress,
    targetMac: anyMac,
    targetAddress: anyAddress,
    spoilt: fc.option(fc.tuple(fc.nat(41), fc.nat(255)), { freq: 8 }),
    length: fc.option(fc.nat(60), { freq: 12 }),
  })
  .map(({ destination, source, spoilt, length, ...packet }) => {
    const frame = arpFrame(destination, source, packet);
    if (spoilt !== null) frame[spoilt[0]] = spoilt[1];
    return length === null ? frame : frame.slice(0, length);
  });

const IP = 14;
const MESSAGE = IP + 40;

const anyIpv6 = anyAddress.map((address) => (address === 0 ? 0n : SIX + BigInt(address)));

/** Neighbour discovery of all five types in the same way; most of it with the right checksum. */
const nd = fc
  .record({
    destination: anyMac,
    source: anyMac,
    type: fc.constantFrom(133, 134, 135, 135, 136, 136, 137),
    sender: anyIpv6,
    to: fc.oneof(anyIpv6, anyIpv6.map(ipv6SolicitedNode), fc.constant(IPV6_ALL_NODES)),
    target: anyIpv6,
    mac: fc.option(anyMac, { nil: undefined }),
    flags: fc.nat(255),
    spoilt: fc.option(fc.tuple(fc.nat(80), fc.nat(255)), { freq: 8 }),
    isFilled: fc.nat(7).map((n) => n > 0),
    length: fc.option(fc.nat(90), { freq: 12 }),
  })
  .map(({ destination, source, type, sender, to, target, mac: sourceMac, flags, ...more }) => {
    const message = { source: sender, destination: to, target, sourceMac, nonce: undefined };
    const bytes = ndSolicitationFrame(destination, source, message);
    bytes[MESSAGE] = type;
    bytes[MESSAGE + 4] = type === 136 ? flags : 0;
    if (type === 136 && sourceMac !== undefined) bytes[MESSAGE + 24] = 2;
    if (more.spoilt !== null) bytes[more.spoilt[0]] = more.spoilt[1];
    if (more.isFilled) icmpv6FillChecksum(bytes, MESSAGE, bytes.length - MESSAGE, IP);
    return more.length === null ? bytes : bytes.slice(0, more.length);
  });

const noise = fc.uint8Array({ maxLength: 120 });

/** Noise behind an Ethernet header of type IPv4, to a NIC of ours. */
const ipv4 = fc.uint8Array({ minLength: 34, maxLength: 120 }).map((bytes) => {
  bytes.set([2, 0, 0, 0, 0, 2, 0x52, 0x54, 0, 0, 0, 1, 8, 0, 0x45, 0], 0);
  return bytes;
});

const frame = fc.oneof({ weight: 8, arbitrary: arp }, { weight: 8, arbitrary: nd }, noise, ipv4);

/** An address of either family. */
const either: fc.Arbitrary<IpAddress> = fc.oneof(
  anyAddress,
  anyIpv6.filter((address) => address !== 0n),
);

const step = fc.oneof(
  { weight: 6, arbitrary: fc.record({ kind: fc.constant('wire'), nic: fc.nat(2), frame }) },
  { weight: 5, arbitrary: fc.record({ kind: fc.constant('host'), frame }) },
  { weight: 3, arbitrary: fc.record({ kind: fc.constant('time'), ms: fc.nat(4000) }) },
  { weight: 1, arbitrary: fc.record({ kind: fc.constant('move'), nic: fc.nat(2) }) },
  { weight: 1, arbitrary: fc.record({ kind: fc.constant('unbind') }) },
  { weight: 1, arbitrary: fc.record({ kind: fc.constant('linkUp'), nic: fc.nat(2) }) },
  { weight: 1, arbitrary: fc.record({ kind: fc.constant('doubt') }) },
  { weight: 1, arbitrary: fc.record({ kind: fc.constant('static'), address: either }) },
  { weight: 1, arbitrary: fc.record({ kind: fc.constant('delete'), address: either }) },
  { weight: 1, arbitrary: fc.record({ kind: fc.constant('cast'), nic: fc.nat(3) }) },
);
type Step = typeof step extends fc.Arbitrary<infer T> ? T : never;

function apply(world: World, all: readonly Ipif[], one: Step): void {
  if ('ms' in one) world.advance(one.ms);
  else if ('frame' in one && 'nic' in one) world.wire(one.nic, one.frame);
  else if ('frame' in one) world.host(one.frame);
  else if (one.kind === 'move' && 'nic' in one) for (const ipif of all) world.move(ipif, one.nic);
  else if (one.kind === 'linkUp' && 'nic' in one)
    world.lan.handleLinkUp(world.ill(one.nic), world.nowMs);
  else if (one.kind === 'cast' && 'nic' in one) world.cast = world.ifaces[one.nic]?.ill;
  else if (one.kind === 'unbind') {
    for (const ipif of all) world.unbind(ipif);
  } else if (one.kind === 'doubt') world.lan.doubtNeighbors(world.nowMs);
  else if ('address' in one && !world.ipifs.has(one.address)) {
    if (one.kind === 'static') world.lan.addStatic(one.address, OTHER_MAC, false, world.nowMs);
    else world.lan.deleteNeighbor(one.address, world.nowMs);
  }
}

function check(world: World): void {
  const rows = world.lan.neighbors();
  equal(rows.length <= 64, true, 'table limit');
  equal(rows.filter((row) => row.state === 'INCOMPLETE').length <= 64, true);
  equal(world.redirects.size <= REDIRECT_LIMIT, true, 'redirect limit');
  for (const to of world.redirects.values()) equal(world.redirects.has(to), false, 'no chain');
  for (const row of rows) {
    equal(row.state !== 'NONE', true);
    const mayAnswer = row.state === 'REACHABLE' || row.state === 'PERMANENT';
    if (mayAnswer) equal(row.mac !== 0, true, 'what may answer has a MAC');
    equal(world.ipifs.has(row.address), false, 'our own address is no neighbour');
    equal(world.isOwnMac(row.mac), false, 'our own MAC is no neighbour’s');
  }
  const { framesFromWire, framesFromHost, framesAnswered, framesConsumed } = world.lan.counters;
  const used = framesAnswered + framesConsumed;
  const drops = [...world.drops.values()].reduce((sum, count) => sum + count, 0);
  equal(framesFromWire + framesFromHost, used + drops, 'every frame ends once');
  for (const one of world.take()) {
    if (one.port === 'host') continue;
    const own = world.ifaces.find((phyint) => phyint.name === one.port)!.physAddr;
    equal(one.source, own, 'a NIC sends with its own MAC');
    const stated = (ethernetType(one.frame, 0) === ETHERTYPE_ARP ? one.arp : ndPacket(one.frame))
      ?.senderMac;
    equal(stated ?? own, own, 'a NIC states its own MAC');
  }
}

test('[contract 8.4] arbitrary frames, moves and times: nothing throws, all is bounded', () => {
  forAll(
    600,
    [fc.array(step, { minLength: 1, maxLength: 150, size: 'max' }), fc.nat()],
    (steps, seed) => {
      const world = new World({ neighborLimit: 64, seed });
      const all = [DATA, SIX + BigInt(DATA)].map((address) => beginDetection(world, 0, address));
      for (const address of [TEST, SIX + BigInt(TEST)]) {
        const testIpif = Ipif.test(address, 24, world.ill(1));
        world.ipifs.set(address, testIpif);
        world.lan.addressBound(testIpif, 'initial', world.nowMs);
      }
      for (const one of steps) {
        apply(world, all, one);
        check(world);
      }
      world.advance(0); // reports of listeners are collected for a turn
      const pollAt = world.lan.pollAt();
      equal(pollAt > world.nowMs || pollAt === Number.POSITIVE_INFINITY, true, 'nothing overdue');
    },
  );
});

test('a hundred thousand mutated frames from both sides', () => {
  const world = new World({ neighborLimit: 64 });
  const all = [DATA, SIX + BigInt(DATA)].map((address) => world.addData(address, 0));
  for (const address of [TEST, SIX + BigInt(TEST)]) world.addTest(address, 1);
  let count = 0;
  for (const one of fc.sample(frame, { numRuns: 100_000, seed: 7 })) {
    if (count % 2 === 0) world.wire(count % 3, one);
    else world.host(one);
    if (count % 50 === 0) world.advance(40);
    if (count % 997 === 0) for (const ipif of all) world.move(ipif, count % 3);
    count++;
    if (count % 200 === 0) check(world);
  }
  check(world);
});
