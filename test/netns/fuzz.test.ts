/**
 * A hundred thousand hostile frames from the wire and from the host: the daemon lives, counts every
 * one of them exactly once, and still does its work.
 *
 * Frames are made by us (seeded), written as pcap files and sent by tcpreplay. What the device
 * itself refused or lost on the way never came in; what came in is counted by the kernel's own
 * statistics of the devices.
 */

import { deepEqual, equal, ok } from 'node:assert/strict';
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { Rng } from '../../src/base/rng.ts';
import { getJson } from '../../src/lab/api.ts';
import { LAN } from '../../src/lab/topology.ts';
import { until } from '../../src/lab/until.ts';
import { hostileFrames, pcapOf } from './frames.ts';
import { TestHost } from './harness.ts';

const FRAMES = 50_000;
const SEED = 1;
const PER_SECOND = 10_000;

interface Kstat {
  readonly module: string;
  readonly name: string;
  readonly data: Readonly<Record<string, number | string>>;
}

async function dropsOf(host: TestHost): Promise<Map<string, number>> {
  const rows = (await getJson(host.daemon.socket, '/v1/kstats')) as Kstat[];
  const drops = rows.filter((row) => row.module === 'ipmpd' && row.name.startsWith('drops'));
  const entries = drops.flatMap((row) => Object.entries(row.data));
  return new Map(entries.map(([reason, count]) => [reason, Number(count)]));
}

/** Waits until the drops no longer grow: everything that was sent has been judged. */
async function settledDrops(host: TestHost): Promise<Map<string, number>> {
  let before = -1;
  let steady = 0;
  return await until('the counters rest', 30_000, async () => {
    const drops = await dropsOf(host);
    const sum = [...drops.values()].reduce((total, count) => total + count, 0);
    steady = sum === before ? steady + 1 : 0;
    before = sum;
    return steady >= 20 ? drops : undefined;
  });
}

async function replay(host: TestHost, role: string, device: string, file: string): Promise<number> {
  const rate = `--pps=${PER_SECOND}`;
  const text = await host.run(role, ['tcpreplay', '-q', '-i', device, rate, file]);
  return Number(/Successful packets:\s+(\d+)/.exec(text)?.[1]);
}

for (const side of ['wire', 'host'] as const) {
  test(`${FRAMES} hostile frames from the ${side}`, async (t) => {
    const host = await TestHost.raise({ group: { 'flap-damping': 'off' } });
    try {
      const { pid } = host.daemon.process;
      const file = join(host.workspace.folder, 'frames.pcap');
      const stations = {
        own: [
          await host.macOf('host', 'ipmp0'),
          ...(await Promise.all(host.topology.members.map((name) => host.memberMac(name)))),
        ],
        others: [await host.macOf('gw', 'eth0'), 'ff:ff:ff:ff:ff:ff', '01:00:5e:01:02:03'],
        addresses: [...LAN.data, ...LAN.gateways, LAN.absent, LAN.remote, '255.255.255.255'],
      };
      writeFileSync(file, pcapOf(hostileFrames(new Rng(SEED), stations, FRAMES)));
      const before = await settledDrops(host);
      const sent =
        side === 'wire'
          ? await replay(host, 'gw', 'eth0', file)
          : await replay(host, 'host', 'ipmp0', file);
      const after = await settledDrops(host);
      const grown = [...after].map(([name, count]) => [name, count - (before.get(name) ?? 0)]);
      t.diagnostic(`${sent} sent; drops: ${JSON.stringify(grown.filter(([, n]) => n !== 0))}`);
      ok(sent > FRAMES * 0.9, `${sent} sent`);
      equal(after.get('unknown') ?? 0, 0, 'the catch-all reason');
      equal(host.daemon.process.pid, pid);
      equal(host.daemon.process.exitCode, null);
      await host.daemon.waitUntilOk(30_000);
      await host.workspace.ip('gw', ['neigh flush dev eth0']);
      await until('ping', 30_000, async () => {
        return (await host.ping('gw', LAN.data[0], { count: 1 })).answered === 1;
      });
      deepEqual(await host.ping('host', LAN.gateways[0]), { answered: 3, duplicates: 0 });
    } finally {
      await host.lower();
    }
  });
}
