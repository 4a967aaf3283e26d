/**
 * Failover of one of 64 NICs, with one and with 64 addresses on each: 64 and 4096 in all, before
 * 16,384 neighbours; several times each, on the same daemon.
 *
 * Steering: datagrams leave from addresses that are bound to the NIC, spread by address, so all of
 * them leave by it. Its link is cut at the far end; what is lost from then on was not
 * steered to another yet. The time from the first to the last lost datagram is the time of
 * the daemon.
 * Announcements: when the far end receives the addresses that were moved, counted from the command
 * that cuts, so the start of `ip` is in it.
 */

import { readFileSync } from 'node:fs';
import { setTimeout as sleep } from 'node:timers/promises';
import { MeasuringChild } from '../../../src/lab/measure/child.ts';
import { until } from '../../../src/lab/until.ts';
import { Sniffer } from '../../netns/tools/sniffer.ts';
import type { Turns } from '../programs/turn-watch.ts';
import { say } from '../report.ts';
import type { Closable } from '../side-by-side/field.ts';
import { ScaleField } from './field.ts';
import { dataAddress, farAddress, groupName, type Plan } from './plan.ts';

const PLAN: Plan = { groups: 1, nics: 64, addresses: 64, neighbors: 16_384 };

/** Data addresses of the group in turn. */
const ADDRESS_COUNTS = [64, 4096] as const;
const ROUNDS = 5;
const DATAGRAMS = new URL('../programs/datagrams.js', import.meta.url);
/** Traffic before the cut, and after the addresses have moved. */
const BEFORE_MS = 200;
const AFTER_MS = 300;
/** Two announcements of one address in a second may be put off; so are cuts (ip/claim/dad.ts). */
const QUIET_MS = 1200;
/** New addresses have been announced as often as they are by then. */
const SETTLED_MS = 11_000;
const PATIENCE_MS = 20_000;

/** One failover. */
export interface Failover extends Turns {
  readonly addresses: number;
  /** Addresses that were bound to the NIC. */
  readonly moved: number;
  readonly lost: number;
  readonly steeredMs: number;
  /** Of those moved, how many were announced, and when the first and the last. */
  readonly announced: number;
  readonly firstMs: number;
  readonly lastMs: number;
  /** Frames that the kernel's queues had no room for, on the whole machine. */
  readonly overflown: number;
}

interface Traffic {
  readonly sender: MeasuringChild;
  readonly receiver: MeasuringChild;
  readonly sniffer: Sniffer;
}

/** Measures all rounds; `open` gets what must be closed. @throws CommandError, WaitedTooLong */
export async function measureFailovers(open: Closable[]): Promise<Failover[]> {
  const field = new ScaleField(PLAN);
  open.push(field);
  const [few, many] = ADDRESS_COUNTS;
  await field.build();
  await field.start({ spreading: 'address' });
  await field.waitForAddresses(few);
  await field.raiseNeighbors();
  const traffic = await startTraffic(field);
  const more = Array.from({ length: many - few }, (_, at) => {
    return `address add ${dataAddress(0, few + at)} dev ${groupName(0)}`;
  });
  const failovers: Failover[] = [];
  for (const addresses of ADDRESS_COUNTS) {
    if (addresses === many) await field.workspace.ip('host', more);
    await field.waitForAddresses(addresses);
    await sleep(SETTLED_MS);
    for (let round = 0; round < ROUNDS; round++) {
      await sleep(QUIET_MS);
      const failover = await failOver(field, traffic, addresses);
      say(JSON.stringify(failover));
      failovers.push(failover);
    }
  }
  return failovers;
}

async function startTraffic({ workspace }: ScaleField): Promise<Traffic> {
  const receiver = new MeasuringChild(workspace, 'far', DATAGRAMS, ['receive', farAddress(0)]);
  const { port } = await receiver.receive('ready');
  const words = ['send', farAddress(0), String(port)];
  const sender = new MeasuringChild(workspace, 'host', DATAGRAMS, words);
  await sender.receive('ready');
  // Announcements: requests whose sender asks for itself, and has an address.
  const filter = 'arp and arp[14:4] = arp[24:4] and arp[14:4] != 0';
  // Room for a frame is as large as a frame may be captured: 64 at once would not find any.
  const args = ['-s', '128'];
  const sniffer = await Sniffer.start(workspace, { role: 'far', device: 'far0', filter, args });
  return { sender, receiver, sniffer };
}

async function failOver(
  field: ScaleField,
  { sender, receiver, sniffer }: Traffic,
  addresses: number,
): Promise<Failover> {
  const [first] = await field.daemon.addresses();
  const ifname = first?.inbound ?? '';
  const moving = (await field.daemon.addresses())
    .filter(({ inbound }) => inbound === ifname)
    .map(({ address }) => address.split('/')[0] ?? '');
  await receiver.ask({ kind: 'report' }, 'received');
  await sender.ask({ kind: 'from', sources: moving }, 'sending');
  await sleep(BEFORE_MS);
  sniffer.lines.length = 0;
  await field.takeTurns();
  const overflownBefore = overflown();
  const port = ifname.replace('net', 'p');
  const cutMs = performance.timeOrigin + performance.now();
  await field.workspace.ip('lan', [`link set ${port} down`]);
  await sleep(AFTER_MS);
  const turns = await field.takeTurns();
  const times = (await sender.ask({ kind: 'stop' }, 'sent')).times as number[];
  await until('the addresses have moved', PATIENCE_MS, async () =>
    (await field.daemon.addresses()).every(({ inbound }) => inbound !== null && inbound !== ifname),
  );
  await sleep(AFTER_MS);
  const numbers = (await receiver.ask({ kind: 'report' }, 'received')).numbers as number[];
  const overflownAfter = overflown();
  // When each datagram left that has not arrived by now.
  const arrived = new Set(numbers);
  const lost = times.filter((_, number) => !arrived.has(number));
  const announced = announcedTimes(sniffer.lines, moving);
  await field.workspace.ip('lan', [`link set ${port} up`]);
  await field.waitForAddresses(addresses);
  return {
    addresses,
    moved: moving.length,
    lost: lost.length,
    steeredMs: lost.length === 0 ? 0 : lost.at(-1)! - lost[0]!,
    announced: announced.length,
    firstMs: (announced[0] ?? Number.NaN) - cutMs,
    lastMs: (announced.at(-1) ?? Number.NaN) - cutMs,
    overflown: overflownAfter - overflownBefore,
    ...turns,
  };
}

/**
 * Frames that found the queue of a processor full (net.core.netdev_max_backlog): veth pairs and
 * bridges put them there. The second word of each line, in hexadecimal.
 */
function overflown(): number {
  const lines = readFileSync('/proc/net/softnet_stat', 'latin1').trim().split('\n');
  return lines.reduce((sum, line) => sum + Number.parseInt(line.split(' ')[1] ?? '0', 16), 0);
}

/** When each of the addresses was announced first, in milliseconds since the epoch. */
function announcedTimes(lines: readonly string[], addresses: readonly string[]): number[] {
  const wanted = new Set(addresses);
  const times = new Map<string, number>();
  for (const line of lines) {
    const address = /who-has (\S+) /.exec(line)?.[1] ?? '';
    const seconds = Number(line.split(' ')[0]);
    if (wanted.has(address) && !times.has(address)) times.set(address, seconds * 1000);
  }
  return [...times.values()].sort((a, b) => a - b);
}
