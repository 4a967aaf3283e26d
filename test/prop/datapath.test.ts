/**
 * Properties of the forwarder: conservation on any bytes, no allocation, fair and stable choice.
 */

import { equal, ok } from 'node:assert/strict';
import { test } from 'node:test';
import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';
import fc from 'fast-check';
import { Rng } from '../../src/base/rng.ts';
import { type Burst, type PortIo, VNET_HEADER_LENGTH } from '../../src/datapath/port.ts';
import { BURST_MAX } from '../../src/datapath/slab.ts';
import { mix } from '../../src/datapath/tables/hash.ts';
import { flowHash, memberPick } from '../../src/datapath/verdict/flow.ts';
import { packetCreate, parseFrame } from '../../src/datapath/verdict/parse.ts';
import { PASS } from '../../src/datapath/verdict/verdict.ts';
import { arpFrame } from '../../src/wire/arp.ts';
import { ipv6Walk, ipv6WalkCreate } from '../../src/wire/ipv6.ts';
import { forAll } from '../tools/for-all.ts';
import { hexParse } from '../tools/hex.ts';
import {
  BROADCAST,
  etherFrame,
  FAMILIES,
  GROUP_MACS,
  HOST,
  hostFrame,
  hostFrame6,
  ip,
  ipv4Frame,
  ipv6Frame,
  MULTICAST,
  mac,
  NET0,
  NIC_MACS,
  PEER,
  PLAN_6,
  PORTS,
  World,
} from '../unit/datapath/harness.ts';

const arp = { senderMac: PEER, senderAddress: 9, targetMac: 0, targetAddress: ip('192.0.2.10') };

/** Good frames of many kinds, to be mutated. */
const SEEDS: readonly Uint8Array[] = [
  ipv4Frame(),
  ipv4Frame({ to: '192.0.2.21' }),
  ipv4Frame({ destination: BROADCAST, to: '255.255.255.255' }),
  ipv4Frame({ destination: MULTICAST, to: '239.1.2.3', protocol: 2 }),
  ipv4Frame({ protocol: 1, payload: Uint8Array.of(5, 1, 0, 0, 192, 0, 2, 9) }),
  ipv4Frame({ protocol: 6, payload: new Uint8Array(20) }),
  ipv4Frame({ options: Uint8Array.of(148, 4, 0, 0, 131, 4, 4, 0) }),
  hostFrame(),
  hostFrame({ fragment: 0x2001 }),
  hostFrame({ destination: BROADCAST, from: '0.0.0.0', to: '255.255.255.255' }),
  hostFrame({ destination: NIC_MACS[1]! }),
  hostFrame({ destination: GROUP_MACS[0] }),
  hostFrame({ from: '192.0.2.21' }),
  hostFrame({ to: '192.0.2.10' }),
  hostFrame({ from: '127.0.0.1' }),
  hostFrame({ to: '127.0.0.1' }),
  ipv4Frame({ from: '192.0.2.11' }),
  ipv4Frame({ to: '192.0.2.21', fragment: 0x2000 }),
  ipv4Frame({ source: NIC_MACS[1]! }),
  ipv4Frame({ destination: NIC_MACS[4]! }),
  hostFrame({ payload: new Uint8Array(1_460) }),
  hostFrame({ payload: new Uint8Array(1_490) }),
  arpFrame(BROADCAST, PEER, { operation: 1, ...arp }),
  arpFrame(NIC_MACS[0]!, PEER, { operation: 2, ...arp }),
  etherFrame(NIC_MACS[0]!, PEER, 0x86dd),
  etherFrame(NIC_MACS[0]!, PEER, 0x8100),
];

const ICMPV6 = 58;
const ALL_NODES = { to: 'ff02::1', destination: mac('33:33:00:00:00:01') };
/** Hop-by-hop options, then options for the destination. */
const EXTENSIONS = { next: 0, extensions: hexParse('3c00050200000100 1100010400000000') };

/** The same of IPv6: from both sides, with all that its headers may carry. */
const SEEDS_6: readonly Uint8Array[] = [
  ipv6Frame(),
  ipv6Frame({ to: '2001:db8::21' }),
  ipv6Frame({ to: '2001:db8::21', fragment: 0x2000 }),
  ipv6Frame({ ...ALL_NODES, from: 'fe80::1' }),
  ipv6Frame({ protocol: 6, payload: new Uint8Array(20), flowLabel: 0x12345 }),
  ipv6Frame({ protocol: 59, payload: new Uint8Array(0) }),
  ipv6Frame({ protocol: 0, payload: new Uint8Array(0) }),
  ipv6Frame(EXTENSIONS),
  ipv6Frame({ next: 43, extensions: hexParse('1100000100000000') }),
  ipv6Frame({ from: '::1' }),
  ipv6Frame({ to: '::1' }),
  ipv6Frame({ from: '2001:db8::11' }),
  ipv6Frame({ source: NIC_MACS[1]! }),
  ipv6Frame({ destination: NIC_MACS[3]! }),
  ipv6Frame({ destination: NIC_MACS[4]!, to: '2001:db8:2::10' }),
  ...[128, 130, 133, 134, 135, 136, 137, 143].flatMap((type) => {
    const payload = new Uint8Array(32);
    payload[0] = type;
    const message = { protocol: ICMPV6, payload };
    return [ipv6Frame({ ...message, ...ALL_NODES }), hostFrame6(message)];
  }),
  PLAN_6.request('2001:db8::11'),
  PLAN_6.request('2001:db8::21'),
  hostFrame6(),
  hostFrame6({ fragment: 0x2001 }),
  hostFrame6(EXTENSIONS),
  hostFrame6({ ...ALL_NODES, from: '::' }),
  hostFrame6({ destination: NIC_MACS[1]! }),
  hostFrame6({ destination: GROUP_MACS[0] }),
  hostFrame6({ from: '2001:db8::21' }),
  hostFrame6({ to: '2001:db8::10' }),
  hostFrame6({ payload: new Uint8Array(1_470) }),
];

/** Bytes of a frame in which changes are made: all headers, with some that may follow. */
const MUTATED_LENGTH = 80;

/** A seed frame with some bytes changed, its end cut off or drawn out, or bytes of no meaning. */
function mutate(rng: Rng, seeds: readonly Uint8Array[]): Uint8Array {
  if (rng.below(8) === 0) return noise(rng, rng.below(200));
  const seed = seeds[rng.below(seeds.length)]!;
  const length = rng.below(4) === 0 ? rng.below(seed.length + 40) : seed.length;
  const frame = new Uint8Array(length);
  frame.set(seed.subarray(0, length));
  for (let i = rng.below(4); i > 0 && length > 0; i--) {
    frame[rng.below(Math.min(length, MUTATED_LENGTH))] = rng.below(256);
  }
  return frame;
}

function noise(rng: Rng, length: number): Uint8Array {
  return Uint8Array.from({ length }, () => rng.below(256));
}

/** A virtio net header: usually empty, sometimes a plausible one, sometimes noise. */
function header(rng: Rng): Uint8Array | undefined {
  const kind = rng.below(8);
  if (kind > 1) return undefined;
  if (kind === 1) return noise(rng, VNET_HEADER_LENGTH);
  const start = rng.below(2) === 0 ? 34 : 54;
  return Uint8Array.of(1, rng.below(6), start, 0, 100, 0, start, 0, 6, 0);
}

/** Errnos that devices give: full, out of memory, down, malformed, gone. */
const ERRORS = [0, 0, 0, 0, 11, 105, 5, 22, 77];

/** What the frames of a run came to. */
interface Run {
  readonly world: World;
  readonly given: ReadonlyMap<number, number>;
  readonly punted: number;
}

/** Runs `frames` mutated frames, in bursts of 50, through a world that changes all the time. */
function run(seed: number, seeds: readonly Uint8Array[], frames: number): Run {
  const rng = new Rng(seed);
  const world = new World();
  const given = new Map(PORTS.map((port) => [port as number, 0]));
  let punted = 0;
  for (let round = 0; round < frames / 50; round++) {
    const port = PORTS[rng.below(PORTS.length)]!;
    for (let i = 0; i < 50; i++) world.port(port).deliver(mutate(rng, seeds), header(rng));
    given.set(port, given.get(port)! + 50);
    for (const io of world.ports.values()) {
      io.transmitError = ERRORS[rng.below(ERRORS.length)]!;
      io.sent.length = 0;
      io.sentHeaders.length = 0;
    }
    world.takesPunts = rng.below(4) > 0;
    world.nowMs += 20;
    world.setLinkDown(NET0, rng.below(4) === 0);
    world.publisher.setActiveMembers(0, rng.below(4), rng.below(2) << 8);
    world.publisher.setCastMember(0, rng.below(4) - 1);
    equal(world.forwarder.breathe(port), 50);
    punted += world.punts.length;
    assertNoDiscoverySent(world);
    world.punts.length = 0;
  }
  return { world, given, punted };
}

/** Nothing of neighbour discovery leaves by any port, behind whatever headers. */
function assertNoDiscoverySent(world: World): void {
  for (const io of world.ports.values()) {
    for (const frame of io.sent) {
      if (frame[12] !== 0x86 || frame[13] !== 0xdd) continue;
      const walk = ipv6WalkCreate();
      ok(ipv6Walk(frame, 14, walk), 'a chain that cannot be walked was forwarded');
      if (walk.protocol !== ICMPV6 || walk.isLaterFragment) continue;
      const type = frame[walk.offset] ?? 0;
      const isThere = walk.offset < 14 + 40 + (frame[18]! << 8) + frame[19]!;
      ok(!isThere || type < 133 || type > 137, `type ${type} was forwarded`);
    }
  }
}

/** Every frame is counted once as read, and has one end; returns the reasons not reached. */
function assertConserved({ world, given, punted }: Run): string {
  let totalPunted = 0n;
  for (const port of PORTS) {
    const counters = world.counters.port(port);
    const drops = world.counters.portDrops(port);
    const dropped = [...drops.values()].reduce((sum, count) => sum + count, 0n);
    equal(counters.receivePackets, BigInt(given.get(port)!));
    equal(counters.receivePackets, counters.forwarded + counters.punted + dropped);
    totalPunted += counters.punted;
  }
  equal(totalPunted, BigInt(punted));
  const counted = [...PORTS].map((port) => world.counters.port(port));
  const sum = (of: (c: (typeof counted)[0]) => bigint): bigint =>
    counted.reduce((total, each) => total + of(each), 0n);
  equal(
    sum((c) => c.forwarded),
    sum((c) => c.transmitPackets),
  );
  const unused = [...world.counters.drops()].filter(([, count]) => count === 0n);
  return unused.map(([reason]) => reason).join();
}

test('[contract 8.3] 100,000 random and mutated frames: none is lost or counted twice', () => {
  const unused = assertConserved(run(20_240_607, [...SEEDS, ...SEEDS_6], 100_000));
  equal(unused, 'truncated,receive_refused,punt_rate_limited', 'reasons not reached');
});

/** `IPMPD_FRAMES=1000000` runs so many: a minute at most. */
test('mutated frames of IPv6 from both sides: each has one end, and no discovery passes', (t) => {
  const frames = Number(process.env.IPMPD_FRAMES ?? 50_000);
  const result = run(8200, SEEDS_6, frames);
  assertConserved(result);
  const reasons = [...result.world.counters.drops()].filter(([, count]) => count > 0n);
  t.diagnostic(`${frames} frames: ${reasons.map((one) => one.join(' ')).join(', ')}`);
});

test('frames of the control plane are counted to the same rule', () => {
  const world = new World();
  const frame = arpFrame(BROADCAST, NIC_MACS[0]!, { operation: 1, ...arp });
  world.forwarder.begin();
  world.forwarder.inject(NET0, frame, 0, frame.length);
  world.forwarder.inject(NET0, frame, 0, 13);
  world.forwarder.inject(NET0, new Uint8Array(70_000), 0, 70_000);
  world.forwarder.inject(99, frame, 0, frame.length);
  world.port(NET0).transmitError = 5;
  world.forwarder.inject(NET0, frame, 0, frame.length);
  world.forwarder.end();
  const counters = world.counters.port(NET0);
  const drops = world.counters.portDrops(NET0);
  equal(counters.injected, 4n);
  equal(counters.injectedTransmitted, 1n);
  equal(counters.injectedDropped, 3n);
  equal(counters.forwarded, 0n);
  equal(counters.transmitErrors, 1n);
  equal(drops.get('runt'), 1n);
  equal(drops.get('truncated'), 1n);
  equal(drops.get('transmit_down'), 1n);
  equal(world.counters.portDrops(99).get('transmit_gone'), 1n);
});

test('each input bit of the mixing function moves about half of the output bits', () => {
  const rng = new Rng(7);
  for (let bit = 0; bit < 32; bit++) {
    let flips = 0;
    for (let i = 0; i < 2_000; i++) {
      const word = rng.nextU32();
      for (let d = mix(word) ^ mix(word ^ (1 << bit)); d !== 0; d &= d - 1) flips++;
    }
    const share = flips / 2_000 / 32;
    ok(share > 0.45 && share < 0.55, `bit ${bit}: ${share}`);
  }
});

const mask = fc.tuple(fc.nat(0xffffffff), fc.nat(0xffffffff)).map(([low, high]) => [low, high | 1]);

test('the choice is among the members, and the same for the same flow', () => {
  forAll(100, [fc.integer(), mask], (hash, [low = 0, high = 0]) => {
    const ordinal = memberPick(hash, low, high);
    const word = ordinal < 32 ? low : high;
    equal((word >>> (ordinal & 31)) & 1, 1);
    equal(memberPick(hash, low, high), ordinal);
  });
  equal(memberPick(1, 0, 0), -1);
});

test('a member that leaves moves no flow but its own', () => {
  forAll(100, [fc.integer(), mask, fc.nat(63)], (hash, [low = 0, high = 0], leaver) => {
    const before = memberPick(hash, low, high);
    const lowAfter = leaver < 32 ? low & ~(1 << leaver) : low;
    const highAfter = leaver < 32 ? high : high & ~(1 << (leaver & 31));
    const after = memberPick(hash, lowAfter, highAfter);
    if (before !== leaver) equal(after, before);
    else ok(after !== leaver);
  });
});

/** The flow hash of a frame without an offload. */
function hashOf(frame: Uint8Array): number {
  const slot = new Uint8Array(VNET_HEADER_LENGTH + frame.length);
  slot.set(frame, VNET_HEADER_LENGTH);
  const packet = packetCreate();
  equal(parseFrame(packet, slot, 0, slot.length), PASS);
  equal(packet.fault, PASS);
  return flowHash(packet, slot);
}

for (const { name, fromHost, far } of FAMILIES)
  test(`${name}: flows are spread evenly, also over those that remain`, () => {
    const members = [2, 3, 4, 8, 64];
    for (const count of members) {
      const picked = new Array<number>(64).fill(0);
      const low = count >= 32 ? -1 : (1 << count) - 1;
      const high = count > 32 ? -1 : 0;
      const flows = 20_000;
      for (let i = 0; i < flows; i++) {
        const ports = Uint8Array.of(i >> 8, i, 1, 187, 0, 0, 0, 0);
        const frame = fromHost({ to: far(i & 255), payload: ports });
        picked[memberPick(hashOf(frame), low, high)]!++;
      }
      const fair = flows / count;
      const used = picked.slice(0, count);
      // Five standard deviations of a fair draw.
      const slack = 5 * Math.sqrt(fair);
      for (const share of used) ok(Math.abs(share - fair) < slack, `${count}: ${used.join()}`);
    }
  });

/** A port that always has one frame more, and takes everything; it allocates nothing. */
class EndlessPort implements PortIo {
  readonly #frames: readonly Uint8Array[];
  #next = 0;
  taken = 0;

  constructor(frames: readonly Uint8Array[]) {
    this.#frames = frames;
  }

  receive(burst: Burst, count: number): number {
    for (let i = 0; i < count; i++) {
      const frame = this.#frames[this.#next++ % this.#frames.length]!;
      const at = burst.slots[i]! * burst.slotLength;
      burst.bytes.fill(0, at, at + VNET_HEADER_LENGTH);
      burst.bytes.set(frame, at + VNET_HEADER_LENGTH);
      burst.lengths[i] = VNET_HEADER_LENGTH + frame.length;
    }
    return count;
  }

  transmit(burst: Burst, from: number, count: number): void {
    burst.status.fill(0, from, from + count);
    this.taken += count;
  }
}

test('[contract 8.4] a million frames leave nothing on the heap', () => {
  setFlagsFromString('--expose-gc');
  const collect = runInNewContext('gc') as () => void;
  const world = new World();
  world.takesPunts = false;
  const { forwarder } = world;
  const ends = new Map(
    PORTS.map((port) => [port as number, new EndlessPort([...SEEDS, ...SEEDS_6])]),
  );
  for (const [port, io] of ends) {
    forwarder.detach(port);
    forwarder.attach(port, io);
  }
  const run = (frames: number): void => {
    for (let done = 0; done < frames; done += 4 * BURST_MAX) {
      forwarder.begin();
      for (let i = 0; i < 2; i++) {
        forwarder.visit(NET0, BURST_MAX);
        forwarder.visit(HOST, BURST_MAX);
      }
      forwarder.end();
    }
  };
  run(200_000);
  collect();
  const before = process.memoryUsage().heapUsed;
  const began = process.hrtime.bigint();
  run(1_000_000);
  const nsPerFrame = Number(process.hrtime.bigint() - began) / 1e6;
  const during = process.memoryUsage().heapUsed - before;
  collect();
  const after = process.memoryUsage().heapUsed - before;
  ok(after < 64 * 1024, `${after} bytes more on the heap after collection`);
  // One byte a frame would be a megabyte here; what remains is the engine's own.
  ok(during < 512 * 1024, `${during} bytes allocated on the way`);
  ok(nsPerFrame < 20_000, `${nsPerFrame} ns a frame`);
});
