/** The world that most tests of this room begin with: two NICs, two addresses, a gateway. */

import { installKstats } from '../../src/daemon/kstats.ts';
import type { EchoStream } from '../../src/sim/lan/echo-stream.ts';
import type { Station } from '../../src/sim/lan/station.ts';
import { address, type NicSpec, SimWorld, type WorldOptions } from '../../src/sim/world.ts';
import { Checkers } from './check/checkers.ts';

export const TWO: readonly NicSpec[] = [
  { name: 'net0', side: 'A' },
  { name: 'net1', side: 'B' },
];
/** The same two NICs, one of them with a test address. */
export const TESTED: readonly NicSpec[] = [
  { ...TWO[0]!, testAddresses: ['192.0.2.20/24'] },
  TWO[1]!,
];
export const ADDRESSES = ['192.0.2.10/24', '192.0.2.11/24'];
export const GATEWAY = '192.0.2.1';
/** The gateway's addresses of IPv6, as a router of its own link has them. */
export const GATEWAY6 = '2001:db8::1';
export const GATEWAY6_LOCAL = 'fe80::1';
export const GATEWAY_NAME = 'gw';
export const GATEWAY_MAC = 0x020000000001;
const STRAGGLERS_MS = 100;

export function twoNics(options: Partial<WorldOptions> = {}): SimWorld {
  return SimWorld.create({ seed: 7, nics: TWO, addresses: ADDRESSES, ...options });
}

/** A gateway behind switch A. */
export function addGateway(world: SimWorld): Station {
  return world.network.addStation({
    name: GATEWAY_NAME,
    mac: GATEWAY_MAC,
    side: 'A',
    addresses: [{ address: address(GATEWAY), prefixLength: 24 }],
  });
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
