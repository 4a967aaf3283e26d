/**
 * 100,000 ARP requests a second for an address of ours, from one station, beside other traffic.
 *
 * The switch port of the NIC that serves the address sends them, so the switches have no work with
 * them. The daemon has the share of the processors that its unit asks for (CPUWeight=1000): the
 * sender of the flood competes for the processors here, and would be another machine in the field.
 * How many requests a second the machine can send is printed.
 */

import { ok } from 'node:assert/strict';
import { existsSync, writeFileSync } from 'node:fs';
import type { TestContext } from 'node:test';
import { LAN } from '../../src/lab/topology.ts';
import { ArpStation, arpOf } from '../netns/tools/arp-station.ts';
import { hostTest, type TestHost } from '../netns/tools/harness.ts';
import { sniff } from '../netns/tools/sniffer.ts';

const [GATEWAY, GATEWAY_2] = LAN.gateways;
const [ADDRESS] = LAN.data;
const RATE = Number(process.env.IPMPD_ARP_FLOOD ?? 100_000);
const SECONDS = 2;
/** In a file: the beginning of a file takes tcpreplay some time. */
const FRAMES = 1000;
/** So many echoes are a measurement. */
const ECHOES_MIN = 1000;
const LOST_SHARE_MOST = 0.01;
/** Floods at most: what a busy machine loses is lost in some, what we lose is lost in each. */
const FLOODS = 3;
/** Requests of another station meanwhile. */
const OTHERS = 20;
/** Answers at least: macvlan has a queue for broadcasts, which the flood fills. */
const ANSWERED_LEAST = { broadcast: 1, unicast: OTHERS / 2 };
/** sched(7), autogroup: of one session against others, about what CPUWeight=1000 is of services. */
const UNIT_SHARE = '-10';

/** The daemon's part of the processors as its unit has it, where sessions are scheduled apart. */
function giveShare(host: TestHost): void {
  const file = `/proc/${host.daemon.process.pid}/autogroup`;
  if (existsSync(file)) writeFileSync(file, UNIT_SHARE);
}

/** Frames that the daemon has dropped for a reason. */
async function drops(host: TestHost, reason: string): Promise<number> {
  const { stdout } = await host.daemon.ipmpadm(['kstat', '-p', `ipmpd:0:drops:${reason}`]);
  return Number(stdout.trim().split('\t')[1]);
}

/** Sends `request` at RATE beside a stream of echoes; the share of these that is lost. */
async function floodOnce(
  t: TestContext,
  host: TestHost,
  station: ArpStation,
  request: Uint8Array,
): Promise<number> {
  const stream = await host.echo(GATEWAY);
  await stream.mark('flood');
  const times = (RATE * SECONDS) / FRAMES;
  const flood = station.send(Array(FRAMES).fill(request), { times, perSecond: RATE });
  const argv = ['arping', '-q', '-c', String(OTHERS), '-W', '0.1', '-i', 'eth0', ADDRESS];
  await host.run('gw', ['sh', '-c', '"$@" || true', '-', ...argv]);
  const perSecond = await flood;
  const { windows } = await stream.stop();
  const { sent = 0, lost = 0, longestGapMs = 0 } = windows.at(-1) ?? {};
  const gap = `longest gap ${longestGapMs.toFixed(0)} ms`;
  t.diagnostic(`${perSecond} of ${RATE} a second: ${lost} of ${sent} lost, ${gap}`);
  ok(sent > ECHOES_MIN, `${sent} sent meanwhile`);
  return lost / sent;
}

for (const kind of ['broadcast', 'unicast'] as const) {
  hostTest(
    `a flood of ${kind} requests costs other traffic at most a hundredth`,
    { wiring: 'macvtap', gateways: 2 },
    async (host, t) => {
      giveShare(host);
      const { ifname, uplink } = await host.boundTo(ADDRESS);
      const memberMac = await host.memberMac(ifname);
      const { role, device } = host.topology.portOf(uplink);
      const station = new ArpStation(host, role, device);
      const request = arpOf({
        operation: 'request',
        senderMac: await host.macOf('gw2', 'eth0'),
        senderAddress: GATEWAY_2,
        targetAddress: ADDRESS,
        ...(kind === 'unicast' ? { destination: memberMac } : {}),
      });
      const filter = `arp[6:2] = 2 and ether src ${memberMac} and not ether broadcast`;
      const sniffer = await sniff(host, filter);
      const shares: number[] = [];
      while (shares.length < FLOODS && !shares.some((one) => one <= LOST_SHARE_MOST)) {
        shares.push(await floodOnce(t, host, station, request));
      }
      const gatewayMac = await host.macOf('gw', 'eth0');
      const answers = sniffer.matching(new RegExp(` > ${gatewayMac}`)).length;
      t.diagnostic(`${answers} of ${OTHERS} requests of another station answered`);
      await sniffer.stop();
      const least = Math.min(...shares);
      ok(least <= LOST_SHARE_MOST, `${shares.join(', ')} lost\n${await host.losses()}`);
      ok(answers >= ANSWERED_LEAST[kind], `${answers} answered`);
      const limited = await drops(host, 'punt_rate_limited');
      ok(limited > RATE / 10, `${limited} limited`);
      await host.daemon.waitUntilOk();
    },
  );
}
