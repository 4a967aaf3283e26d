/**
 * Counts of frames by nftables, at doors that the daemon's frames pass, for tests that compare them
 * with the daemon's own counters:
 *
 *   host   ingress and egress of ipmp0 and of every member: what the daemon reads and writes
 *   gw     ingress and egress of the gateway's NIC, by kind and sender
 */

import { GROUP } from '../../../src/lab/configuration.ts';
import { until } from '../../../src/lab/until.ts';
import { frameCounts, type KstatRow, statisticOf } from '../../tools/conservation.ts';
import type { TestHost } from './harness.ts';

/** Readings that must agree before no frame is on its way any more. */
const STEADY = 5;
const REST_WITHIN_MS = 30_000;

/** Packets by name of counter, and the kstats of the same moment. */
export interface DoorReading {
  readonly counts: Readonly<Record<string, number>>;
  readonly rows: readonly KstatRow[];
  /** Frames for the daemon that did not fit the queue of a device: by door. */
  readonly overflowed: { readonly wire: number; readonly host: number };
}

interface NftCounter {
  readonly counter?: { readonly name: string; readonly packets: number };
}

interface LinkCounters {
  readonly packets: number;
  readonly dropped: number;
}

/** Installs the counters. Those of a device go with the device. */
export async function hangDoors(host: TestHost): Promise<void> {
  const devices = [GROUP, ...host.topology.members];
  const counters = devices.flatMap((name) => [`in-${name}`, `out-${name}`]);
  await host.run('host', ['nft', '-f', '-'], netdevTable(counters, devices.flatMap(doorsOf)));
  const macs = await Promise.all(host.topology.members.map((name) => host.memberMac(name)));
  const ours = `ether saddr { ${macs.join(', ')} }`;
  const group = 'ether daddr & 01:00:00:00:00:00 == 01:00:00:00:00:00';
  const chains = [
    chain('ingress', 'eth0', [
      `${ours} ${group} counter name ours-group`,
      `${ours} counter name ours`,
    ]),
    chain('egress', 'eth0', [`${group} counter name theirs-group`, 'counter name theirs']),
  ];
  const names = ['ours', 'ours-group', 'theirs', 'theirs-group'];
  await host.run('gw', ['nft', '-f', '-'], netdevTable(names, chains));
}

function doorsOf(device: string): string[] {
  return [
    chain('ingress', device, [`counter name "in-${device}"`]),
    chain('egress', device, [`counter name "out-${device}"`]),
  ];
}

function chain(hook: 'ingress' | 'egress', device: string, rules: readonly string[]): string {
  return `  chain ${hook}-${device} {
    type filter hook ${hook} device "${device}" priority -400; policy accept
    ${rules.join('\n    ')}
  }`;
}

function netdevTable(counters: readonly string[], chains: readonly string[]): string {
  const declared = counters.map((name) => `  counter ${name} {\n  }`);
  return `table netdev doors {\n${[...declared, ...chains].join('\n')}\n}\n`;
}

async function countsOf(host: TestHost, role: string): Promise<[string, number][]> {
  const text = await host.run(role, ['nft', '-j', 'list', 'counters', 'table', 'netdev', 'doors']);
  const { nftables } = JSON.parse(text) as { nftables: readonly NftCounter[] };
  return nftables.flatMap(({ counter }): [string, number][] => {
    return counter === undefined ? [] : [[counter.name, counter.packets]];
  });
}

/** What a kernel counts of a device. */
export async function linkCounters(host: TestHost, role: string, device: string) {
  const rows = await host.ipJson(role, ['-statistics', 'link', 'show', 'dev', device]);
  const [row] = rows as { stats64: Record<'rx' | 'tx', LinkCounters> }[];
  if (row === undefined) throw new Error(`there is no ${device} in ${role}`);
  return row.stats64;
}

async function read(host: TestHost): Promise<DoorReading> {
  const counts = await Promise.all(['host', 'gw'].map((role) => countsOf(host, role)));
  const rows = await host.kstats();
  const { members } = host.topology;
  const nics = await Promise.all(members.map((name) => linkCounters(host, 'host', name)));
  const device = await linkCounters(host, 'host', GROUP);
  return {
    counts: Object.fromEntries(counts.flat()),
    rows,
    overflowed: {
      wire: nics.reduce((sum, { rx }) => sum + rx.dropped, 0),
      host: device.tx.dropped,
    },
  };
}

/** A reading while no frame is on its way: several in a row that agree. */
export async function atRest<R extends { readonly rows: readonly KstatRow[] }>(
  readOnce: () => Promise<R>,
): Promise<R> {
  let before = '';
  let steady = 0;
  return await until('all counters rest', REST_WITHIN_MS, async () => {
    const reading = await readOnce();
    const { rows, ...outside } = reading;
    const now = JSON.stringify([frameCounts(rows), outside]);
    steady = now === before ? steady + 1 : 0;
    before = now;
    return steady >= STEADY && reading;
  });
}

export async function readDoorsAtRest(host: TestHost): Promise<DoorReading> {
  return await atRest(() => read(host));
}

/** The counts of the same frames between two readings, by nftables and by the daemon. */
export interface Comparison {
  readonly what: string;
  /** By nftables, less what the kernel dropped behind the door under its own name. */
  readonly seen: number;
  /** By the daemon: `ipmpd:0:datapath`. */
  readonly counted: number;
}

/** Both sides of every door of the host. */
export function compareHostDoors(
  host: TestHost,
  before: DoorReading,
  after: DoorReading,
): Comparison[] {
  const nft = (name: string): number => grown(before, after, name);
  const all = (direction: 'in' | 'out'): number =>
    host.topology.members.reduce((sum, name) => sum + nft(`${direction}-${name}`), 0);
  const overflowed = (door: 'wire' | 'host'): number =>
    after.overflowed[door] - before.overflowed[door];
  const counted = (statistic: string): number => countedOf(before, after, statistic);
  return [
    { what: 'wire to us', seen: all('in') - overflowed('wire'), counted: counted('received_wire') },
    { what: 'us to wire', seen: all('out'), counted: counted('transmitted_wire') },
    {
      what: 'host to us',
      seen: nft(`out-${GROUP}`) - overflowed('host'),
      counted: counted('received_host'),
    },
    { what: 'us to host', seen: nft(`in-${GROUP}`), counted: counted('transmitted_host') },
  ];
}

/**
 * The same at the gateway's NIC, while no link is cut and all NICs are plugged in: what we send
 * comes there once; what it sends to one of us comes once, and what it sends to all comes by every
 * NIC, as does what another NIC of ours sent to all.
 */
export function compareGateway(
  host: TestHost,
  before: DoorReading,
  after: DoorReading,
): Comparison[] {
  const nft = (name: string): number => grown(before, after, name);
  const nics = host.topology.members.length;
  const copies = (nics - 1) * (nft('theirs-group') + nft('ours-group'));
  return [
    { what: 'we sent', seen: nft('ours'), counted: countedOf(before, after, 'transmitted_wire') },
    {
      what: 'it sent',
      seen: nft('theirs') + copies,
      counted: countedOf(before, after, 'received_wire'),
    },
  ];
}

function grown(before: DoorReading, after: DoorReading, name: string): number {
  return (after.counts[name] ?? 0) - (before.counts[name] ?? 0);
}

function countedOf(before: DoorReading, after: DoorReading, statistic: string): number {
  const [early, late] = [before, after].map(({ rows }) => statisticOf(rows, 'datapath', statistic));
  return Number(late! - early!);
}
