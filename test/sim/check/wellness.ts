/** What must be true in a healthy world: NICs work, addresses are up and level, no echo is lost. */

import type { EchoStream } from '../../../src/sim/lan/echo-stream.ts';
import type { Station } from '../../../src/sim/lan/station.ts';
import { address, GROUP, type NicSpec, type SimWorld } from '../../../src/sim/world.ts';
import { ipFormat } from '../../../src/wire/addr.ts';
import { GATEWAY } from '../scene.ts';

/** What a host needs at most to see that its neighbour has another MAC: 5 s, and three tries. */
const WARM_UP_MS = 8100;
const MEASURED_MS = 500;
const STRAGGLERS_MS = 100;

/** All that is wrong with the group of a world without faults; lets some seconds pass. */
export function unwell(world: SimWorld, gateway: Station, nics: readonly NicSpec[]): string[] {
  const working = nics.filter(({ standby }) => standby !== true).map(({ name }) => name);
  const found: string[] = [];
  const group = world.system.describeGroups().find(({ ifname }) => ifname === GROUP);
  if (group?.state !== 'ok' || group.active.toSorted().join() !== working.join()) {
    found.push(`group ${group?.state}, active ${group?.active}`);
  }
  const loads = new Map<string, number>(working.map((name) => [name, 0]));
  const data: string[] = [];
  for (const row of world.system.describeAddresses()) {
    if (row.type !== 'data') continue;
    if (row.state !== 'up') found.push(`${row.address} is ${row.state}`);
    loads.set(row.inbound ?? '-', (loads.get(row.inbound ?? '-') ?? 0) + 1);
    data.push(row.address.split('/')[0]!);
  }
  const counts = [...loads.values()];
  if (Math.max(...counts) - Math.min(...counts) > 1) found.push(`uneven: ${counts}`);
  return [...found, ...silences(world, gateway, data)];
}

/** Streams both ways that lose echoes after they have had time to begin. */
function silences(world: SimWorld, gateway: Station, data: readonly string[]): string[] {
  const streams = (intervalMs: number): EchoStream[] => [
    world.host.station.ping(address(GATEWAY), intervalMs),
    ...data.map((text) => gateway.ping(address(text), intervalMs)),
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
    const who = `${ipFormat(stream.source)} to ${ipFormat(stream.destination)}`;
    return lost > 0 || sent === 0 ? [`${who}: ${lost} of ${sent} lost`] : [];
  });
}
