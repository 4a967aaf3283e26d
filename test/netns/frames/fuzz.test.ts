/**
 * A hundred thousand hostile frames of both families from the wire and from the host: every frame
 * that came in is delivered, answered or dropped under a name, the daemon still does its work, and
 * its memory has not grown. `IPMPD_HOSTILE_FRAMES=100000` sends so many of each family from each
 * side.
 *
 * Frames are made by us (seeded), written as pcap files and sent by tcpreplay. How many came in is
 * known from outside: tcpreplay's own count, which the kernel's counter of the sending device
 * confirms to the frame, and the counters of the devices that the daemon reads from. Frames of the
 * wire leave the far end of the first NIC's cable, past the switch, which would refuse many.
 */

import { deepEqual, equal, ok } from 'node:assert/strict';
import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import type { TestContext } from 'node:test';
import { Rng } from '../../../src/base/rng.ts';
import { GROUP } from '../../../src/lab/configuration.ts';
import { LANS, type Lan } from '../../../src/lab/topology.ts';
import { type KstatRow, lawBreaches, statisticOf } from '../../tools/conservation.ts';
import { atRest, linkCounters } from '../tools/doors.ts';
import { hostileFrames, pcapOf } from '../tools/frames.ts';
import { hostTest, type TestHost, UNDAMPED } from '../tools/harness.ts';

const FRAMES = Number(process.env.IPMPD_HOSTILE_FRAMES ?? 8000);
const SEED = 1;
const PER_SECOND = 10_000;
/** Ours: tables and buffers are full long before, and a leak of 1 KiB a frame would be 25 MiB. */
const GROWTH_MOST_KIB = 48 * 1024;

/** The switch counts what it sends to the first NIC, so that it is not taken for the test's. */
const SWITCH_COUNTER = `table bridge count {
  chain forwarded {
    type filter hook forward priority 0
    oifname "p0" counter
  }
}`;

/** The host's kernel sends nothing: the frames that it receives from us end there. */
const SILENT_HOST = `table inet silent {
  chain output {
    type filter hook output priority 0
    oifname "${GROUP}" drop
  }
}
table arp silent {
  chain output {
    type filter hook output priority 0
    oifname "${GROUP}" drop
  }
}`;

/** What the daemon counts, and what the kernel counts of the devices around it. */
interface Reading {
  readonly rows: readonly KstatRow[];
  /** Frames that the kernel gave to the daemon to read. */
  readonly door: { readonly wire: number; readonly host: number };
  /** Frames that left each of the places where tcpreplay sends. */
  readonly left: { readonly wire: number; readonly host: number };
}

async function forwardedBySwitch(host: TestHost): Promise<number> {
  const text = await host.run('swA', ['nft', 'list', 'table', 'bridge', 'count']);
  return Number(/counter packets (\d+)/.exec(text)?.[1]);
}

async function read(host: TestHost): Promise<Reading> {
  const nics = await Promise.all(
    host.topology.members.map(async (name) => (await linkCounters(host, 'host', name)).rx),
  );
  const { tx } = await linkCounters(host, 'host', GROUP);
  const cable = (await linkCounters(host, 'swA', 'p0')).tx;
  return {
    rows: await host.kstats(),
    // macvlan counts a frame as received also if the queue of its character device was full.
    door: {
      wire: nics.reduce((sum, rx) => sum + rx.packets - rx.dropped, 0),
      host: tx.packets,
    },
    left: {
      wire: cable.packets - (await forwardedBySwitch(host)),
      host: tx.packets + tx.dropped,
    },
  };
}

async function replay(host: TestHost, side: 'wire' | 'host', file: string): Promise<number> {
  const [role, device] = side === 'wire' ? ['swA', 'p0'] : ['host', GROUP];
  const text = await host.run(role, ['tcpreplay', '-q', '-i', device, `--pps=${PER_SECOND}`, file]);
  return Number(/Successful packets:\s+(\d+)/.exec(text)?.[1]);
}

/** What every LAN of IPv6 has besides the addresses of the lab. */
const OTHER_ADDRESSES = {
  4: ['255.255.255.255'],
  6: ['::', '::1', 'ff02::1', 'ff02::2', 'ff02::16', 'ff02::1:ff00:10', 'fe80::1', '2001:db8::'],
};
const GROUP_MACS = {
  4: ['ff:ff:ff:ff:ff:ff', '01:00:5e:01:02:03'],
  6: ['33:33:00:00:00:01', '33:33:00:00:00:16', '33:33:ff:00:00:10'],
};

async function writeFrames(host: TestHost, { family, ...lan }: Lan): Promise<string> {
  const file = join(host.workspace.folder, `frames${family}.pcap`);
  const stations = {
    own: [
      await host.macOf('host', GROUP),
      ...(await Promise.all(host.topology.members.map((name) => host.memberMac(name)))),
    ],
    others: [await host.macOf('gw', 'eth0'), ...GROUP_MACS[family]],
    addresses: [...lan.data, ...lan.gateways, lan.absent, lan.remote, ...OTHER_ADDRESSES[family]],
  };
  const frames = hostileFrames(new Rng(SEED), stations, FRAMES, family);
  writeFileSync(file, pcapOf(frames));
  return file;
}

/** Resident memory of the daemon. */
function memoryKib(pid: number | undefined): number {
  const text = readFileSync(`/proc/${pid}/status`, 'utf8');
  return Number(/VmRSS:\s+(\d+) kB/.exec(text)?.[1]);
}

/** How much `ipmpd:0:<name>:<statistic>` has grown. */
function growth(before: Reading, after: Reading, name: string, statistic: string): number {
  return Number(
    statisticOf(after.rows, name, statistic) - statisticOf(before.rows, name, statistic),
  );
}

/** The reasons under which frames were dropped meanwhile, with their counts. */
function reasonsOf(before: Reading, after: Reading): [string, number][] {
  const drops = after.rows.find((row) => row.module === 'ipmpd' && row.name === 'drops');
  return Object.keys(drops?.data ?? {})
    .map((reason): [string, number] => [reason, growth(before, after, 'drops', reason)])
    .filter(([, count]) => count > 0);
}

async function works(host: TestHost): Promise<void> {
  await host.daemon.waitUntilOk(30_000);
  await host.workspace.ip('gw', ['neigh flush dev eth0']);
  for (const { data } of LANS) await host.waitForPing('gw', data[0], 30_000);
  await host.expectTraffic();
}

/** Sends the frames of one family and judges what became of them. */
async function attack(
  host: TestHost,
  lan: Lan,
  side: 'wire' | 'host',
  t: TestContext,
): Promise<void> {
  const file = await writeFrames(host, lan);
  const before = await atRest(() => read(host));
  const sent = await replay(host, side, file);
  const after = await atRest(() => read(host));
  const grown = (name: string, statistic: string): number => growth(before, after, name, statistic);
  const came = {
    wire: after.door.wire - before.door.wire,
    host: after.door.host - before.door.host,
  };
  const reasons = reasonsOf(before, after);
  t.diagnostic(
    `IPv${lan.family}, seed ${SEED}: ${sent} sent; ${JSON.stringify(came)} came in; forwarded ` +
      `${grown('datapath', 'forwarded')}, answered ${grown('control', 'answered')}, consumed ` +
      `${grown('control', 'consumed')}; ${JSON.stringify(reasons)}`,
  );
  equal(sent, FRAMES, 'tcpreplay has sent all of them');
  equal(after.left[side] - before.left[side], sent, 'and they have left the device');
  ok(came[side] > FRAMES * 0.9, `${came[side]} came in`);
  equal(grown('datapath', 'received_wire'), came.wire, 'read from the wire');
  equal(grown('datapath', 'received_host'), came.host, 'read from the host');
  const ownDrops = grown('datapath', 'injected_dropped') + grown('control', 'lost');
  equal(
    came.wire + came.host,
    grown('datapath', 'forwarded') +
      grown('control', 'answered') +
      grown('control', 'consumed') +
      reasons.reduce((sum, [, count]) => sum + count, -ownDrops),
    'delivered, answered, or dropped under a name',
  );
  deepEqual(lawBreaches(after.rows), []);
}

for (const side of ['wire', 'host'] as const) {
  const title = `[contract 8.3] ${FRAMES} hostile frames of each family from the ${side}`;
  hostTest(title, { ...UNDAMPED, ipv6: true }, async (host, t) => {
    const { pid } = host.daemon.process;
    await host.run('swA', ['nft', '-f', '-'], SWITCH_COUNTER);
    await host.run('host', ['nft', '-f', '-'], SILENT_HOST);
    const kib = [memoryKib(pid)];
    for (const lan of LANS) {
      await attack(host, lan, side, t);
      kib.push(memoryKib(pid));
    }
    equal(host.daemon.process.pid, pid);
    equal(host.daemon.process.exitCode, null);
    t.diagnostic(`resident memory: ${kib.join(', ')} KiB`);
    const [first = 0, second = 0, last = 0] = kib;
    ok(last - second < GROWTH_MOST_KIB, `of IPv6: ${last - second} KiB more`);
    ok(second - first < 2 * GROWTH_MOST_KIB, `of IPv4, the first: ${second - first} KiB more`);
    await host.run('host', ['nft', 'delete table inet silent; delete table arp silent']);
    await works(host);
  });
}
