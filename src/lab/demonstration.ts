/**
 * The main job shown on real devices: traffic through `ipmp0`, a NIC cut, the failover, the repair.
 *
 * Everything that is printed is measured from outside the daemon: echo requests by raw sockets, a
 * TCP transfer hashed at both ends, events by `ipmpadm monitor`.
 */

import { setTimeout as sleep } from 'node:timers/promises';
import { configurationFor, GROUP } from './configuration.ts';
import { LabDaemon, socketOf } from './daemon-process.ts';
import { EchoStream, Transfer } from './measure/measure.ts';
import { pingResult, pingText } from './measure/ping.ts';
import { LAN, Topology, type Wiring } from './topology.ts';
import { until } from './until.ts';
import { claimLine, judge, judgeStop, type Measured, MIN_TRANSFER_MS } from './verdict.ts';
import type { Workspace } from './workspace.ts';

const RATE = 8_000_000;
const PINGS = 3;
/** Ours: enough for a reader to see the calm before, between and after. */
const CALM_MS = 1500;
const SETTLE_MS = 10_000;

/** A lab with its running daemon. */
export interface Lab {
  readonly workspace: Workspace;
  readonly topology: Topology;
  readonly daemon: LabDaemon;
}

/** Where text goes, line by line. */
export type Say = (line: string) => void;

/** Builds the lab and starts the daemon in it; returns when the group works. */
export async function raiseLab(workspace: Workspace, wiring: Wiring, say: Say): Promise<Lab> {
  say(`building: a host with two NICs, two switches, a gateway (${workspace.name}-*)`);
  const topology = await Topology.build(workspace, { wiring });
  say(`starting ipmpd in the host: ${topology.members.join(', ')} (${wiring}) under ${GROUP}`);
  const configuration = configurationFor(topology, { socket: socketOf(workspace) });
  const daemon = await LabDaemon.start(workspace, configuration);
  await daemon.waitUntilOk();
  return { workspace, topology, daemon };
}

/**
 * Shows the main job in a lab. Returns whether all that it showed was right.
 *
 * @throws when something could not be shown at all
 */
export async function demonstrate(lab: Lab, say: Say): Promise<boolean> {
  await showTables(lab.daemon, say);
  const pingsAnswered = await ping(lab, say);
  const shown = await failoverAndRepair(lab, say);
  const { state: stateAtEnd, active: activeAtEnd } = await lab.daemon.group();
  const members = lab.topology.members;
  const claims = judge({
    ...shown,
    pingsAnswered,
    pingsSent: PINGS,
    stateAtEnd,
    activeAtEnd,
    members,
  });
  say('');
  say('summary');
  for (const claim of claims) say(claimLine(claim));
  return claims.every((claim) => claim.isRight);
}

/** Stops the daemon and prints whether it has put everything back. */
export async function stopDaemon({ daemon, workspace }: Lab, say: Say): Promise<boolean> {
  const exit = await daemon.stop();
  const claim = judgeStop(exit, await leftInHost(workspace));
  say(claimLine(claim));
  return claim.isRight;
}

async function showTables(daemon: LabDaemon, say: Say): Promise<void> {
  for (const object of ['group', 'interface', 'address']) {
    say('');
    say(`# ipmpadm ${object} show`);
    const { stdout, stderr } = await daemon.ipmpadm([object, 'show']);
    for (const line of (stdout + stderr).trimEnd().split('\n')) say(line);
  }
}

async function ping({ workspace }: Lab, say: Say): Promise<number> {
  const target = LAN.gateways[0];
  say('');
  say(`# ping -c ${PINGS} ${target}`);
  const text = await pingText(workspace, 'host', target, { count: PINGS, intervalS: 0.2 });
  for (const line of text.split('\n')) if (line.includes('bytes from')) say(line);
  return pingResult(text, PINGS).answered;
}

type Shown = Pick<
  Measured,
  'echo' | 'sent' | 'received' | 'transferMs' | 'cutOffset' | 'repairOffset'
>;

async function failoverAndRepair(lab: Lab, say: Say): Promise<Shown> {
  const { workspace, topology, daemon } = lab;
  const [gateway] = LAN.gateways;
  const victim = await uplinkInUse(lab);
  say('');
  say(`traffic to ${gateway}: 1000 echo requests a second, TCP at ${RATE / 1e6} MB/s`);
  const monitor = daemon.monitor((line) => say(`  monitor: ${line}`));
  const echo = await EchoStream.start(workspace, gateway);
  const began = performance.now();
  const transfer = await Transfer.start(workspace, {
    from: 'host',
    to: 'gw',
    address: gateway,
    rate: RATE,
  });
  await sleep(CALM_MS);

  await echo.mark('cut');
  const cutOffset = await transfer.offset();
  say(`cutting the cable of ${victim.uplink} (under ${victim.member}) at byte ${cutOffset}`);
  await topology.cut(victim.uplink);
  await until(`${victim.member} is failed`, SETTLE_MS, async () => {
    return (await daemon.interface(victim.member)).state === 'failed';
  });
  await sleep(CALM_MS);

  await echo.mark('repair');
  const repairOffset = await transfer.offset();
  say(`repairing the cable of ${victim.uplink} at byte ${repairOffset}`);
  await topology.repair(victim.uplink);
  await daemon.waitUntilOk(SETTLE_MS);
  await sleep(Math.max(CALM_MS, began + MIN_TRANSFER_MS + 500 - performance.now()));

  const { sent, received } = await transfer.finish();
  const transferMs = performance.now() - began;
  const summary = await echo.stop();
  await workspace.stop(monitor);
  return { echo: summary, sent, received, transferMs, cutOffset, repairOffset };
}

/** The NIC that receives for the first data address: its loss is the one that can be felt. */
async function uplinkInUse({ daemon, topology }: Lab): Promise<{ uplink: string; member: string }> {
  const { inbound } = await daemon.address(LAN.data[0]);
  const index = Math.max(0, topology.members.indexOf(inbound ?? ''));
  return { uplink: topology.uplinks[index] ?? 'eth0', member: topology.members[index] ?? 'net0' };
}

/** Devices and tables of the daemon that are still in the host after its orderly stop. */
async function leftInHost(workspace: Workspace): Promise<string[]> {
  const links = await workspace.runIn('host', ['ip', '-br', 'link', 'show']);
  const devices = links
    .split('\n')
    .map((line) => line.split(/[@\s]/)[0] ?? '')
    .filter((name) => name === GROUP || /^net\d+$/.test(name));
  const tables = await workspace.runIn('host', ['nft', 'list', 'tables']);
  return [...devices, ...tables.split('\n').filter((line) => line.includes('ipmpd'))];
}
