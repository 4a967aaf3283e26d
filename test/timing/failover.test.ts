/**
 * Cutting a NIC under a thousand echo requests a second. The far end of the cable is set down; the
 * gap is what a program on the host sees, by raw sockets.
 */

import { deepEqual, equal, match, ok } from 'node:assert/strict';
import { describe } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import type { EchoSummary, EchoWindow } from '../../src/lab/measure/echo-record.ts';
import { LAN, LANS, type Wiring } from '../../src/lab/topology.ts';
import { until } from '../../src/lab/until.ts';
import { hostTest, type TestHost, UNDAMPED } from '../netns/tools/harness.ts';
import { sniff } from '../netns/tools/sniffer.ts';
import { assertFailoverGaps, MEDIAN_GAP_MS, median } from './figures.ts';

const [GATEWAY] = LAN.gateways;
const CUTS = 14;
/** Of all families together. */
const ECHOES_PER_SECOND = 1000;
/** From the start of one series of announcements to the next of the same address, and some. */
const ANNOUNCEMENT_INTERVAL_MS = 1100;

function gapsOf(windows: readonly EchoWindow[], label: string): number[] {
  return windows.filter((w) => w.label === label).map((w) => w.longestGapMs);
}

/**
 * Cuts and repairs, taking the NIC in use each time; every data address must stay bound. Echo
 * requests flow in each family of the lab at once: what they saw is in the order of the families.
 *
 * An address is announced at most once a second, so a faster move waits for that, not
 * for the failover: each cut comes when the announcement of the repair before it is out.
 */
async function cutAndRepair(host: TestHost, times: number): Promise<EchoSummary[]> {
  const { lans } = host.topology;
  const perSecond = ECHOES_PER_SECOND / lans.length;
  const echoes = await Promise.all(
    lans.map(({ gateways: [gateway] }) => host.echo(gateway, { perSecond })),
  );
  const mark = async (label: string): Promise<void> => {
    await Promise.all(echoes.map((echo) => echo.mark(label)));
  };
  for (let cut = 0; cut < times; cut += 1) {
    await mark('calm');
    await sleep(ANNOUNCEMENT_INTERVAL_MS);
    const { ifname, uplink } = await host.boundTo(LAN.data[0]);
    await mark('cut');
    await host.fail(uplink);
    for (const address of await host.daemon.addresses()) {
      ok(address.inbound !== null && address.inbound !== ifname, JSON.stringify(address));
    }
    await sleep(ANNOUNCEMENT_INTERVAL_MS);
    await mark('repair');
    await host.topology.repair(uplink);
    await host.daemon.waitUntilOk();
  }
  await mark('calm');
  return await Promise.all(echoes.map((echo) => echo.stop()));
}

// Each wiring waits for its announcements most of the time: both at once, each in its namespaces.
describe('failover', { concurrency: true }, () => {
  for (const wiring of ['macvtap', 'bridge'] satisfies Wiring[]) {
    describe(wiring, () => {
      hostTest(
        `${CUTS} cuts: median gap ${MEDIAN_GAP_MS} ms, repairs lose nothing`,
        { wiring, ipv6: true, group: { 'flap-damping': 'off' } },
        async (host, t) => {
          for (const [at, { windows, duplicates }] of (await cutAndRepair(host, CUTS)).entries()) {
            const gaps = gapsOf(windows, 'cut');
            const title = `IPv${LANS[at]?.family}, ${wiring}`;
            t.diagnostic(`gaps, ${title}: ${gaps.map((gap) => gap.toFixed(1)).join(' ')} ms`);
            t.diagnostic(`median in calm: ${median(gapsOf(windows, 'calm')).toFixed(1)} ms`);
            equal(gaps.length, CUTS);
            assertFailoverGaps(gaps, gapsOf(windows, 'calm'));
            const lostByRepair = windows.filter((w) => w.label === 'repair').map((w) => w.lost);
            deepEqual(lostByRepair, Array(CUTS).fill(0), title);
            equal(duplicates, 0, title);
          }
        },
      );

      hostTest(
        '[contract 3.9] by default two repairs are believed, no third',
        { wiring },
        async (host) => {
          const [{ windows } = { windows: [] }] = await cutAndRepair(host, 2);
          const cuts = windows.filter(({ label }) => label === 'cut');
          equal(cuts.length, 2);
          // How long they take is the subject of the test above.
          for (const { sent, lost } of cuts) ok(lost < sent / 2, `${lost} of ${sent} lost`);
          await host.fail('eth0');
          await host.topology.repair('eth0');
          const { link, state, cause } = await until('the link is up again', 5000, async () => {
            const row = await host.daemon.interface('net0');
            return row.link === 'up' ? row : undefined;
          });
          deepEqual([link, state], ['up', 'failed']);
          equal(cause, 'flapping');
        },
      );
    });
  }
});

/** The events of `ipmpadm -j monitor`, from when it prints. */
async function watchEvents(host: TestHost): Promise<Record<string, unknown>[]> {
  const events: Record<string, unknown>[] = [];
  host.daemon.monitor((line) => events.push(JSON.parse(line)), ['-j']);
  await until('the monitor listens', 10_000, async () => {
    await host.workspace.ip('host', ['address add 192.0.2.100/32 dev ipmp0']);
    await host.workspace.ip('host', ['address del 192.0.2.100/32 dev ipmp0']);
    return events.length > 0;
  });
  events.length = 0;
  return events;
}

describe('announcements of a failover', () => {
  hostTest(
    '[contract 4.13] the monitor reports it, the wire receives the new owners',
    UNDAMPED,
    async (host) => {
      const { ifname, uplink } = await host.boundTo(LAN.data[0]);
      const other = host.topology.members.find((name) => name !== ifname) ?? '';
      const mac = await host.memberMac(other);
      const events = await watchEvents(host);
      const filter = 'arp and arp[14:4] = arp[24:4]';
      const sniffer = await sniff(host, filter);
      await host.topology.cut(uplink);
      const announced = new RegExp(`${mac} > .*who-has ${LAN.data[0]} `);
      await sniffer.waitFor(announced, 2000);
      await host.waitForState(ifname, 'failed');
      const seen = (event: string, name: string): Promise<Record<string, unknown>> =>
        until(`${event} of ${name}`, 5000, () =>
          events.find((row) => row.event === event && row.ifname === name),
        );
      const moved = await seen('address-moved', other);
      deepEqual([moved.from, moved.to, moved.group], [ifname, other, 'ipmp0']);
      const failed = await seen('interface-state', ifname);
      deepEqual([failed.from, failed.to, failed.cause], ['ok', 'failed', 'link-down']);
      match(String(failed.time), /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{6}Z$/);
      await sniffer.stop();
    },
  );

  hostTest(
    'with all NICs cut the group is failed, and the first repair brings it back',
    UNDAMPED,
    async (host) => {
      await host.topology.cut('eth0');
      await host.topology.cut('eth1');
      await host.waitForState('net0', 'failed');
      await host.waitForState('net1', 'failed');
      equal((await host.daemon.group()).state, 'failed');
      for (const { inbound } of await host.daemon.addresses()) equal(inbound, null);
      await host.topology.repair('eth1');
      await host.waitForState('net1', 'ok');
      equal((await host.daemon.group()).state, 'degraded');
      await host.expectPing('host', GATEWAY);
      await host.topology.repair('eth0');
      await host.daemon.waitUntilOk();
    },
  );
});
