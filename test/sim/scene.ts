/**
 * The world that most tests of this room begin with: two NICs, two addresses of each family and a
 * link-local one, a gateway.
 */

import { installKstats } from '../../src/daemon/kstats.ts';
import { HOST, perform } from '../../src/sim/act.ts';
import type { EchoStream } from '../../src/sim/lan/echo-stream.ts';
import type { Station } from '../../src/sim/lan/station.ts';
import {
  address,
  address6,
  type NicSpec,
  SimWorld,
  type WorldOptions,
} from '../../src/sim/world.ts';
import { type Family, macFormat } from '../../src/wire/addr.ts';
import { Checkers } from './check/checkers.ts';

export const TWO: readonly NicSpec[] = [
  { name: 'net0', side: 'A' },
  { name: 'net1', side: 'B' },
];
/** The same two NICs, one of them with a test address of each family. */
export const TESTED: readonly NicSpec[] = [
  { ...TWO[0]!, testAddresses: ['192.0.2.20/24', '2001:db8::20/64'] },
  TWO[1]!,
];
export const ADDRESSES = ['192.0.2.10/24', '192.0.2.11/24'];
/** The first is the one that every interface of IPv6 has. */
export const ADDRESSES6 = ['fe80::10/64', '2001:db8::10/64', '2001:db8::11/64'];
export const GATEWAY = '192.0.2.1';
/** The gateway's addresses of IPv6, as a router of its own link has them. */
export const GATEWAY6 = '2001:db8::1';
export const GATEWAY6_LOCAL = 'fe80::1';
export const GATEWAY_NAME = 'gw';
export const GATEWAY_MAC = 0x020000000001;
const STRAGGLERS_MS = 100;

/** What tests of one family need to be tests of the other. */
export interface FamilyRow {
  readonly family: Family;
  readonly gateway: string;
  /** Two data addresses of the world. */
  readonly data: readonly [string, string];
  /** An address that no station has. */
  readonly absent: string;
  readonly prefixLength: number;
}
export const FAMILIES: readonly FamilyRow[] = [
  {
    family: 4,
    gateway: GATEWAY,
    data: ['192.0.2.10', '192.0.2.11'],
    absent: '192.0.2.99',
    prefixLength: 24,
  },
  {
    family: 6,
    gateway: GATEWAY6,
    data: ['2001:db8::10', '2001:db8::11'],
    absent: '2001:db8::99',
    prefixLength: 64,
  },
];

export function twoNics(options: Partial<WorldOptions> = {}): SimWorld {
  const addresses = [...ADDRESSES, ...ADDRESSES6];
  return SimWorld.create({ seed: 7, nics: TWO, addresses, ...options });
}

/** A gateway behind switch A. */
export function addGateway(world: SimWorld): Station {
  return world.network.addStation({
    name: GATEWAY_NAME,
    mac: GATEWAY_MAC,
    side: 'A',
    addresses: [{ address: address(GATEWAY), prefixLength: 24 }],
    addresses6: [GATEWAY6_LOCAL, GATEWAY6].map((text) => {
      return { address: address6(text), prefixLength: 64 };
    }),
  });
}

/** A stream of echo requests of either family from the host or from a station of the LAN. */
export function ping(
  world: SimWorld,
  from: string,
  to: string,
  intervalMs: number,
  source?: string,
): EchoStream {
  const { host, network } = world;
  if (!to.includes(':')) {
    const station = from === HOST ? host.station : network.stations.get(from);
    const origin = source === undefined ? undefined : address(source);
    return station!.ping(address(to), intervalMs, origin);
  }
  const station = from === HOST ? host.station6 : network.station6(from);
  const origin = source === undefined ? undefined : address6(source);
  return station.ping(address6(to), intervalMs, origin);
}

/** What the host knows of a neighbour of either family. */
export function hostNeighbor({ host }: SimWorld, text: string) {
  if (text.includes(':')) return host.station6.nd.lookUp(address6(text));
  return host.station.arp.lookUp(address(text));
}

/** The gateway has another MAC, and announces its addresses. */
export function moveGateway(world: SimWorld, mac: number): void {
  perform(world, { kind: 'move', station: GATEWAY_NAME, mac: macFormat(mac) });
}

/** The gateway announces its addresses of both families, as after a change of its MAC. */
export function announceGateway(world: SimWorld): void {
  world.network.stations.get(GATEWAY_NAME)?.announce(address(GATEWAY));
  for (const text of [GATEWAY6, GATEWAY6_LOCAL]) {
    world.network.station6(GATEWAY_NAME).announce(address6(text));
  }
}

/** The kstats that a daemon adds to those of its system. */
export function addDaemonKstats(world: SimWorld, lostInjections = () => 0n): void {
  const { system, datapath } = world;
  const nowMs = (): number => world.nowMs;
  installKstats({ system, datapath: datapath.counters, lostInjections, nowMs });
}

export interface Scene {
  readonly world: SimWorld;
  readonly checkers: Checkers;
  readonly gateway: Station;
}

/** A world with its gateway, past detection and first announcements. */
export function scene(options: Partial<WorldOptions> = {}): Scene {
  const world = twoNics(options);
  const checkers = new Checkers(world);
  const gateway = addGateway(world);
  world.runFor(10_000);
  return { world, checkers, gateway };
}

/** Ends the streams; how many of their echoes are lost once the last ones had time to return. */
export function lostOf(world: SimWorld, ...streams: readonly EchoStream[]): number {
  for (const stream of streams) stream.stop();
  world.runFor(STRAGGLERS_MS);
  return streams.reduce((sum, stream) => sum + stream.result().lost, 0);
}
