/**
 * What must be true in a healthy world, of both families: NICs work, addresses are up and level, no
 * echo is lost, and a multicast datagram comes once.
 */

import { HOST } from '../../../src/sim/act.ts';
import type { EchoStream } from '../../../src/sim/lan/echo-stream.ts';
import { address, address6, GROUP, type NicSpec, type SimWorld } from '../../../src/sim/world.ts';
import { ipFormat } from '../../../src/wire/addr.ts';
import { FAMILIES, GATEWAY, GATEWAY_NAME, GATEWAY6_LOCAL, ping } from '../scene.ts';

/** What a host needs at most to see that its neighbour has another MAC: 5 s, and three tries. */
const WARM_UP_MS = 8100;
const MEASURED_MS = 500;
const STRAGGLERS_MS = 100;
/** Multicast datagrams of each family; the groups have no other member. */
const DATAGRAMS = 5;
const GROUP4 = address('239.1.2.3');
const GROUP6 = address6('ff02::1:2:3');
/** For experiments (RFC 3692). */
const PROTOCOL = 253;

/** All that is wrong with the group of a world without faults; lets some seconds pass. */
export function unwell(world: SimWorld, nics: readonly NicSpec[]): string[] {
  const working = nics.filter(({ standby }) => standby !== true).map(({ name }) => name);
  const found: string[] = [];
  const group = world.system.describeGroups().find(({ ifname }) => ifname === GROUP);
  if (group?.state !== 'ok' || group.active.toSorted().join() !== working.join()) {
    found.push(`group ${group?.state}, active ${group?.active}`);
  }
  const data: string[] = [];
  for (const row of world.system.describeAddresses()) {
    if (row.type !== 'data') continue;
    if (row.state !== 'up') found.push(`${row.address} is ${row.state}`);
    data.push(row.address.split('/')[0]!);
  }
  const uneven = [false, true].flatMap((isIpv6) => unevenness(world, working, isIpv6));
  return [...found, ...uneven, ...silences(world, data), ...multicast(world)];
}

/** Addresses of one family are level over the NICs, within one. */
function unevenness(world: SimWorld, working: readonly string[], isIpv6: boolean): string[] {
  const loads = new Map<string, number>(working.map((name) => [name, 0]));
  for (const { type, address, inbound } of world.system.describeAddresses()) {
    if (type !== 'data' || address.includes(':') !== isIpv6) continue;
    loads.set(inbound ?? '-', (loads.get(inbound ?? '-') ?? 0) + 1);
  }
  const counts = [...loads.values()];
  return Math.max(...counts) - Math.min(...counts) > 1 ? [`uneven: ${counts}`] : [];
}

/** Streams both ways that lose echoes after they have had time to begin. */
function silences(world: SimWorld, data: readonly string[]): string[] {
  const streams = (intervalMs: number): EchoStream[] => [
    ...FAMILIES.map(({ gateway }) => ping(world, HOST, gateway, intervalMs)),
    ...data.map((text) => ping(world, GATEWAY_NAME, text, intervalMs)),
  ];
  const run = (list: readonly EchoStream[], durationMs: number): void => {
    world.runFor(durationMs);
    for (const stream of list) stream.stop();
  };
  run(streams(200), WARM_UP_MS);
  const measured = streams(20);
  run(measured, MEASURED_MS);
  world.runFor(STRAGGLERS_MS);
  return measured.flatMap((stream) => {
    const { sent, lost } = stream.result();
    const ends = `${ipFormat(stream.source)} to ${ipFormat(stream.destination)}`;
    return lost > 0 || sent === 0 ? [`${ends}: ${lost} of ${sent} lost`] : [];
  });
}

/** The gateway sends to groups that the host has joined: each datagram comes exactly once. */
function multicast(world: SimWorld): string[] {
  const { host, network } = world;
  const [gateway, gateway6] = [network.stations.get(GATEWAY_NAME)!, network.station6(GATEWAY_NAME)];
  const came = new Map<string, number>();
  const count = (payload: Uint8Array): void => {
    const text = payload.join('.');
    came.set(text, (came.get(text) ?? 0) + 1);
  };
  host.station.onDatagram = ({ protocol }, payload) => protocol === PROTOCOL && count(payload);
  host.station6.onDatagram = ({ nextHeader }, payload) => {
    if (nextHeader === PROTOCOL) count(payload);
  };
  host.station6.groups.join(GROUP6);
  for (let index = 0; index < DATAGRAMS; index++) {
    const payload = (family: number): Uint8Array => Uint8Array.of(family, index);
    gateway.sendDatagram(address(GATEWAY), GROUP4, PROTOCOL, payload(4));
    gateway6.sendDatagram(address6(GATEWAY6_LOCAL), GROUP6, PROTOCOL, payload(6));
    world.runFor(20);
  }
  host.station6.groups.leave(GROUP6);
  host.station.onDatagram = undefined;
  host.station6.onDatagram = undefined;
  return FAMILIES.flatMap(({ family }) =>
    Array.from({ length: DATAGRAMS }, (_, index) => `${family}.${index}`)
      .filter((name) => came.get(name) !== 1)
      .map((name) => `multicast ${name} came ${came.get(name) ?? 0} times`),
  );
}
