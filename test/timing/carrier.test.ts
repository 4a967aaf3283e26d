/**
 * Loss of carrier on NICs that are not veth. The kernel holds their link events back for up to a
 * second after any link of the machine has changed; a watch of our own must not wait for it.
 */

import { deepEqual, equal } from 'node:assert/strict';
import { test } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import { type PingResult, pingResult, pingText } from '../../src/lab/measure/ping.ts';
import { LAN, Topology } from '../../src/lab/topology.ts';
import { until } from '../../src/lab/until.ts';
import { Workspace } from '../../src/lab/workspace.ts';
import { Cable, startNoise } from '../netns/tools/cable.ts';
import { TestHost } from '../netns/tools/harness.ts';
import { assertFailoverGaps } from './figures.ts';

const TRIALS = 7;
/** The second loss comes while the kernel still holds back the event of the first. */
const APART_MS = 20;

for (const wiring of ['macvtap', 'bridge'] as const) {
  test(`two losses ${APART_MS} ms apart with noise elsewhere, ${wiring}`, async (t) => {
    const cables: Cable[] = [];
    const host = await TestHost.raise({
      wiring,
      nics: 3,
      group: { 'flap-damping': 'off' },
      prepare: async (topology) => {
        for (const uplink of ['eth0', 'eth1']) {
          cables.push(await Cable.replace(topology, uplink));
          if (wiring === 'bridge') {
            const bridge = `br${uplink.slice(3)}`;
            await topology.workspace.ip('host', [`link set ${uplink} master ${bridge}`]);
          }
        }
        await startNoise(topology);
      },
    });
    try {
      const gaps: number[] = [];
      const echo = await host.echo(LAN.gateways[0]);
      for (let trial = 0; trial < TRIALS; trial += 1) {
        await echo.mark('cut');
        await cables[0]?.cut();
        await sleep(APART_MS);
        await cables[1]?.cut();
        await host.waitForState('net0', 'failed');
        await host.waitForState('net1', 'failed');
        const { windows } = await echo.peek();
        gaps.push(windows.at(-1)?.longestGapMs ?? Number.NaN);
        await echo.mark('repair');
        for (const cable of cables) await cable.repair();
        await host.daemon.waitUntilOk();
      }
      const { windows } = await echo.stop();
      t.diagnostic(`gaps: ${gaps.map((gap) => gap.toFixed(1)).join(' ')} ms`);
      const repairs = windows.filter((w) => w.label === 'repair');
      // Repairs lose nothing, so their gaps are those of an undisturbed stream.
      assertFailoverGaps(
        gaps,
        repairs.map((w) => w.longestGapMs),
      );
      const lost = repairs.map((w) => w.lost);
      equal(Math.max(...lost), 0, `lost by repairs: ${lost.join(' ')}`);
    } finally {
      await host.lower();
    }
  });
}

test('the noise is really there', async () => {
  const workspace = new Workspace();
  try {
    const topology = await Topology.build(workspace, { wiring: 'none' });
    await startNoise(topology);
    const changes = async (): Promise<number> =>
      Number(await workspace.runIn('noise', ['cat', '/sys/class/net/noise0/carrier_changes']));
    const before = await changes();
    await until('ten changes', 5000, async () => (await changes()) >= before + 10);
  } finally {
    await workspace.close();
  }
});

test('a cable carries frames, and its cut shows as loss of carrier', async () => {
  const workspace = new Workspace();
  try {
    const topology = await Topology.build(workspace, { wiring: 'none' });
    const cable = await Cable.replace(topology, 'eth0');
    await workspace.ip('host', [`address add ${LAN.data[0]}/24 dev eth0`]);
    const answers = async (): Promise<PingResult> =>
      pingResult(await pingText(workspace, 'host', LAN.gateways[0], { count: 2 }), 2);
    deepEqual(await answers(), { answered: 2, duplicates: 0 });
    const carrier = (): Promise<string> =>
      workspace.runIn('host', ['cat', '/sys/class/net/eth0/carrier']);
    equal(await carrier(), '1\n');
    await cable.cut();
    equal(await carrier(), '0\n');
    await cable.repair();
    equal(await carrier(), '1\n');
    deepEqual(await answers(), { answered: 2, duplicates: 0 });
  } finally {
    await workspace.close();
  }
});
