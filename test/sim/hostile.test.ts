/**
 * Hostile frames through the whole stack, from wire and host: whatever comes, nothing breaks,
 * every frame has exactly one end, tables stay bounded, and afterwards the group works.
 */

import { deepEqual, equal, ok } from 'node:assert/strict';
import { test } from 'node:test';
import { writeU16 } from '../../src/base/bytes.ts';
import { Rng } from '../../src/base/rng.ts';
import { HOST } from '../../src/sim/act.ts';
import { address, address6 } from '../../src/sim/world.ts';
import { collectKstats } from '../../src/stats/kstat.ts';
import { MAC_BROADCAST } from '../../src/wire/addr.ts';
import { ARP_REPLY, ARP_REQUEST, arpFrame } from '../../src/wire/arp.ts';
import { ICMP_ECHO_REQUEST } from '../../src/wire/icmp.ts';
import { lawBreaches, statisticOf } from '../tools/conservation.ts';
import { type Ends, icmpMessage, ipv4Frame, udpDatagram } from '../tools/frames.ts';
import { hostileIcmpv6 } from './hostile-icmpv6.ts';
import {
  addDaemonKstats,
  FAMILIES,
  GATEWAY,
  GATEWAY_MAC,
  GATEWAY6,
  GATEWAY6_LOCAL,
  lostOf,
  ping,
  scene,
  TESTED,
} from './scene.ts';

const FRAMES = 40_000;
/** Below the queue of a device: what does not fit there would be lost outside. */
const BATCH = 400;
const OURS = [address('192.0.2.10'), address('192.0.2.11'), address('192.0.2.20')];
const THEIRS = [address(GATEWAY), address('192.0.2.77'), address('198.51.100.9'), 0];

const ADDRESSES6 = [
  ...['fe80::10', '2001:db8::10', '2001:db8::11', '2001:db8::20'],
  ...[GATEWAY6, GATEWAY6_LOCAL, '2001:db8::77', 'fe80::77', '2001:db8:9::9'],
].map(address6);

/** The addresses that a frame may have. */
interface Cast {
  readonly rng: Rng;
  readonly macs: readonly number[];
}

function pick<T>(rng: Rng, list: readonly T[]): T {
  return list[rng.below(list.length)]!;
}

function arp({ rng, macs }: Cast): Uint8Array {
  return arpFrame(pick(rng, macs), pick(rng, macs), {
    operation: pick(rng, [ARP_REQUEST, ARP_REPLY, rng.below(65536)]),
    senderMac: pick(rng, macs),
    senderAddress: pick(rng, [...THEIRS, ...OURS]),
    targetMac: pick(rng, macs),
    targetAddress: pick(rng, [...THEIRS, ...OURS]),
  });
}

function datagram(
  { rng, macs }: Cast,
  protocol: number,
  payload: (ends: Ends) => Uint8Array,
): Uint8Array {
  const [source, destination] = [pick(rng, [...OURS, ...THEIRS]), pick(rng, [...OURS, ...THEIRS])];
  const fields = {
    options: new Uint8Array(4 * rng.below(3)).map(() => rng.below(256)),
    destinationMac: pick(rng, macs),
    sourceMac: pick(rng, macs),
    identification: rng.below(65536),
    fragment: pick(rng, [0, 0, 0, 0x2000, rng.below(65536)]),
    timeToLive: rng.below(256),
  };
  const ends = { source, destination };
  return ipv4Frame({ ...fields, ...ends, protocol }, payload(ends));
}

function echo(cast: Cast): Uint8Array {
  const type = pick(cast.rng, [ICMP_ECHO_REQUEST, 0, 5, cast.rng.below(256)]);
  const data = new Uint8Array(24);
  return datagram(cast, 1, () => icmpMessage({ type, code: 0, identifier: 1, sequence: 1, data }));
}

function udp(cast: Cast): Uint8Array {
  const isDhcp = cast.rng.below(2) === 0;
  const data = new Uint8Array(isDhcp ? 244 : cast.rng.below(40));
  if (isDhcp) {
    data.set([1, 1, 6, 0]);
    data.set([0x63, 0x82, 0x53, 0x63], 236);
  }
  const [from, to] = isDhcp ? [68, 67] : [53, 9999];
  return datagram(cast, 17, (ends) => udpDatagram(from, to, data, ends));
}

function noise({ rng }: Cast): Uint8Array {
  return new Uint8Array(rng.below(200)).map(() => rng.below(256));
}

function foreignType(cast: Cast): Uint8Array {
  const frame = echo(cast);
  writeU16(frame, 12, pick(cast.rng, [0x86dd, 0x8100, 0x88a8, 0x0026, cast.rng.below(65536)]));
  return frame;
}

function icmpv6({ rng, macs }: Cast): Uint8Array {
  return hostileIcmpv6({ rng, macs, addresses: ADDRESSES6 });
}

const KINDS = [arp, arp, icmpv6, icmpv6, icmpv6, echo, udp, noise, foreignType];

/** A frame of some kind, often with some bits turned or its end missing. */
function hostileFrame(cast: Cast): Uint8Array {
  const { rng } = cast;
  const frame = pick(rng, KINDS)(cast);
  if (rng.below(3) > 0 || frame.length === 0) return frame;
  for (let flips = rng.below(4); flips > 0; flips--) {
    frame[rng.below(frame.length)]! ^= 1 << rng.below(8);
  }
  return rng.below(4) === 0 ? frame.subarray(0, rng.below(frame.length)) : frame;
}

/** Often nothing, else ten bytes of no meaning. */
function vnetHeader(rng: Rng): Uint8Array | undefined {
  return rng.below(4) > 0 ? undefined : new Uint8Array(10).map(() => rng.below(4) * rng.below(64));
}

test(`[contract 8.3, 8.4] ${FRAMES} hostile frames: conserved, bounded, the group lives on`, () => {
  const { world, checkers } = scene({ seed: 13, nics: TESTED });
  addDaemonKstats(world);
  world.runFor(2000);
  const rng = new Rng(99);
  const nicMacs = [...world.nics.values()].map((nic) => nic.mac);
  const strangers = [GATEWAY_MAC, 0x020000000bad, 0x01005e0000fb, 0];
  const macs = [MAC_BROADCAST, world.host.mac, ...nicMacs, ...nicMacs, ...strangers];
  const cast = { rng, macs };
  for (let sent = 0; sent < FRAMES; sent += BATCH) {
    for (let i = 0; i < BATCH; i++) {
      const frame = hostileFrame(cast);
      const side = rng.below(3);
      if (side === 0) world.host.device.deliver(frame, vnetHeader(rng));
      else world.network.cables.get(side === 1 ? 'net0' : 'net1')?.transmit('b', frame);
    }
    world.runFor(20);
  }
  checkers.finish();
  const rows = world.operate('read', () => {
    return collectKstats(world.system.kstats, ({ module }) => module === 'ipmpd');
  });
  deepEqual(lawBreaches(rows), []);
  equal(statisticOf(rows, 'control', 'lost'), 0n);
  ok(world.system.describeNeighbors().length <= 1024);
  equal(world.system.describeGroups()[0]?.state, 'ok');
  world.runFor(60_000);
  const streams = FAMILIES.map(({ gateway }) => ping(world, HOST, gateway, 10));
  world.runFor(12_000);
  for (const stream of streams) stream.mark('calm');
  world.runFor(1000);
  lostOf(world, ...streams);
  deepEqual(
    streams.map((stream) => stream.window('calm')?.lost),
    [0, 0],
  );
  // A test address is given up when it is contested for long; data addresses never are.
  for (const row of world.system.describeAddresses()) {
    if (row.type === 'data') equal(row.state, 'up', row.address);
  }
});
