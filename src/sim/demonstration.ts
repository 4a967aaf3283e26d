/**
 * The main job shown in virtual time, for machines that allow no devices: traffic of both families
 * through a group of two NICs on two switches, one cable cut, the failover as it happens, the
 * repair, a summary.
 *
 * System and forwarder are the real ones; network, kernel and time are simulated. What is printed
 * is measured by the simulated host's own echo stream. There is no TCP here: a transfer needs the
 * kernel of a real host.
 */

import { ipFormat } from '../wire/addr.ts';
import type { SimHost } from './host.ts';
import type { EchoStream } from './lan/echo-stream.ts';
import { address, address6, describeEvent, GROUP, SimWorld } from './world.ts';

/** Where text goes, line by line. */
export type Say = (line: string) => void;

/** Ours: with a carrier watch of 1 ms, a longer gap means that the failover did not work. */
export const GAP_MAX_MS = 10;

const GATEWAY = '192.0.2.1';
const GATEWAY6 = '2001:db8::1';
const GATEWAYS = [GATEWAY, GATEWAY6];
const DATA = ['192.0.2.10/24', '192.0.2.11/24', '2001:db8::10/64', '2001:db8::11/64'];
/** The one that every interface of IPv6 has. */
const LINK_LOCAL = 'fe80::10/64';
const PINGS = 3;
const CALM_MS = 1500;
/** Detection of duplicates and the first announcements are over by then. */
const START_MS = 3000;
/** Every answer under way has come by then. */
const REST_MS = 100;

/** A claim of the summary. */
interface Claim {
  readonly isRight: boolean;
  readonly text: string;
}

/**
 * Shows the main job. Answers whether all that it showed was right.
 *
 * @param seed decides everything that is left to chance
 */
export function demonstrate(say: Say, seed = 1): boolean {
  say('building: a host with two NICs, two switches with a link between them, a gateway');
  const world = SimWorld.create({
    seed,
    nics: [
      { name: 'net0', side: 'A' },
      { name: 'net1', side: 'B' },
    ],
    addresses: [...DATA, LINK_LOCAL],
  });
  world.network.addStation({
    name: 'gw',
    mac: 0x020000000001,
    side: 'A',
    addresses: [{ address: address(GATEWAY), prefixLength: 24 }],
    addresses6: [{ address: address6(GATEWAY6), prefixLength: 64 }],
  });
  world.runFor(START_MS);
  showTables(world, say);
  const { host } = world;
  const claims = [ping(world, host, say), ...failoverAndRepair(world, host, say)];
  claims.push(groupAtEnd(world));
  say('');
  say('summary (virtual time)');
  for (const { isRight, text } of claims) say(`  ${isRight ? 'ok   ' : 'WRONG'} ${text}`);
  return claims.every(({ isRight }) => isRight);
}

function showTables(world: SimWorld, say: Say): void {
  for (const row of world.system.describeGroups()) {
    say(`group ${row.group}: ${row.state}, active ${row.active.join(' ')}, mtu ${row.mtu}`);
  }
  for (const row of world.system.describeInterfaces()) {
    say(`interface ${row.ifname}: ${row.state}, link ${row.link}, ${row.lladdr}`);
  }
  for (const row of world.system.describeAddresses()) {
    say(`address ${row.address}: ${row.state}, inbound ${row.inbound}`);
  }
}

/** A stream of echo requests of either family, from `source` or the first address of the host. */
function echoes(host: SimHost, to: string, intervalMs: number, source?: string): EchoStream {
  if (to.includes(':')) {
    const from = source === undefined ? undefined : address6(source);
    return host.station6.ping(address6(to), intervalMs, from);
  }
  const from = source === undefined ? undefined : address(source);
  return host.station.ping(address(to), intervalMs, from);
}

function ping(world: SimWorld, host: SimHost, say: Say): Claim {
  say('');
  say(`${PINGS} echo requests to ${GATEWAYS.join(', and to ')}`);
  const streams = GATEWAYS.map((gateway) => echoes(host, gateway, 200));
  world.runFor(200 * PINGS - 1);
  for (const stream of streams) stream.stop();
  world.runFor(REST_MS);
  const results = streams.map((stream) => stream.result());
  return {
    isRight: results.every(({ sent, answered }) => sent === PINGS && answered === PINGS),
    text: `ping through the group: ${results
      .map(({ sent, answered }, index) => `${GATEWAYS[index]} ${answered} of ${sent}`)
      .join(', ')} answered`,
  };
}

function failoverAndRepair(world: SimWorld, host: SimHost, say: Say): Claim[] {
  say('');
  say(`traffic to ${GATEWAYS.join(' and ')}: 1000 echo requests a second from each data address`);
  const streams = DATA.map((text) => {
    const source = text.slice(0, text.indexOf('/'));
    return echoes(host, source.includes(':') ? GATEWAY6 : GATEWAY, 1, source);
  });
  world.runFor(CALM_MS);
  const victim = world.boundNic(ipFormat(streams[0]!.source)) ?? 'net0';
  tell(world, streams, 'cut', `cutting the cable of ${victim}`, say, () => world.cut(victim));
  tell(world, streams, 'repair', `repairing the cable of ${victim}`, say, () =>
    world.repair(victim),
  );
  for (const stream of streams) stream.stop();
  world.runFor(REST_MS);
  return [failover(streams), repair(streams), altogether(streams)];
}

/** Lets `action` happen, with the events that follow. */
function tell(
  world: SimWorld,
  streams: readonly EchoStream[],
  label: string,
  what: string,
  say: Say,
  action: () => void,
): void {
  say(what);
  const startMs = world.nowMs;
  const before = world.events.length;
  for (const stream of streams) stream.mark(label);
  action();
  world.runFor(CALM_MS);
  for (const event of world.events.slice(before)) {
    say(`  ${(event.atMs - startMs).toFixed(3).padStart(9)} ms  ${describeEvent(event)}`);
  }
}

function failover(streams: readonly EchoStream[]): Claim {
  const { lost, longestGapMs } = worst(streams, 'cut');
  return {
    isRight: longestGapMs <= GAP_MAX_MS,
    text: `failover: ${lost} packets lost, longest gap ${longestGapMs.toFixed(1)} ms`,
  };
}

function repair(streams: readonly EchoStream[]): Claim {
  const { lost, longestGapMs } = worst(streams, 'repair');
  return {
    isRight: lost === 0 && longestGapMs <= GAP_MAX_MS,
    text: `repair: ${lost} packets lost, longest gap ${longestGapMs.toFixed(1)} ms`,
  };
}

function altogether(streams: readonly EchoStream[]): Claim {
  let [sent, lost, duplicates, lostElsewhere] = [0, 0, 0, 0];
  for (const stream of streams) {
    const result = stream.result();
    sent += result.sent;
    lost += result.lost;
    duplicates += result.duplicates;
    for (const window of result.windows) if (window.label === 'start') lostElsewhere += window.lost;
  }
  return {
    isRight: sent > 0 && duplicates === 0 && lostElsewhere === 0,
    text: `${sent} echo requests: ${lost} lost, ${duplicates} answered twice`,
  };
}

function groupAtEnd(world: SimWorld): Claim {
  const group = world.system.describeGroups().find((row) => row.ifname === GROUP);
  const active = group?.active ?? [];
  return {
    isRight: group?.state === 'ok' && active.length === world.nics.size,
    text: `group at the end: ${group?.state}, active: ${active.join(' ') || 'none'}`,
  };
}

/** Losses of all streams in the window `label`, and the longest gap of any. */
function worst(
  streams: readonly EchoStream[],
  label: string,
): { lost: number; longestGapMs: number } {
  let [lost, longestGapMs] = [0, 0];
  for (const stream of streams) {
    const window = stream.window(label);
    if (window === undefined) continue;
    lost += window.lost;
    longestGapMs = Math.max(longestGapMs, window.longestGapMs);
  }
  return { lost, longestGapMs };
}
