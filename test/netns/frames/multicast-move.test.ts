/** Multicast outlives the NIC that it came in by: switches that snoop are told at once. */

import { deepEqual, equal, ok } from 'node:assert/strict';
import { describe, test } from 'node:test';
import { LAN, type Wiring } from '../../../src/lab/topology.ts';
import { until } from '../../../src/lab/until.ts';
import { type HostOptions, TestHost } from '../tools/harness.ts';
import { Sniffer } from '../tools/sniffer.ts';
import { udpListen, udpSend } from '../tools/udp-traffic.ts';

const PORT = 6008;
const JOINED = '239.1.2.3';
const IS_REPORT = /gaddr 239\.1\.2\.3/;
const REPORT_WITHIN_S = 1;
/** Linux: igmp_qrv. */
const ROBUSTNESS = 2;
const OFF = { 'flap-damping': 'off' };

/** A switch that asks with this period, and takes what it has learnt for true a second later. */
const QUERIER = 'mcast_querier 1 mcast_query_response_interval 100 mcast_query_interval 12500';

/** A host whose gateway has a way for multicast. */
async function raise(options: HostOptions): Promise<TestHost> {
  const host = await TestHost.raise(options);
  await host.workspace.ip('gw', ['route add 239.0.0.0/8 dev eth0']);
  return host;
}

/** Reports of the host's groups at the switch port of this uplink. */
async function sniffReports(host: TestHost, uplink = ''): Promise<Sniffer> {
  const port = host.topology.portOf(uplink);
  return await Sniffer.start(host.workspace, {
    ...port,
    filter: 'igmp',
    args: ['-Q', 'in', '-v'],
  });
}

/** Ports of a switch that it knows to lead to the group. */
async function portsTo(host: TestHost, role: string): Promise<string[]> {
  const text = await host.run(role, ['bridge', '-json', 'mdb', 'show']);
  const [{ mdb = [] } = {}] = JSON.parse(text) as { mdb?: { port: string; grp: string }[] }[];
  return mdb.filter(({ grp }) => grp === JOINED).map(({ port }) => port);
}

/** Sends to the group until something comes. */
async function sendUntilHeard(host: TestHost, lines: string[]): Promise<void> {
  lines.length = 0;
  await until('multicast comes', 5000, async () => {
    await udpSend(host.workspace, 'gw', { address: JOINED, port: PORT, text: 'on' });
    return lines.length > 0;
  });
  equal(lines[0], `on from ${LAN.gateways[0]}`);
}

for (const wiring of ['macvtap', 'bridge'] satisfies Wiring[]) {
  describe(`the nominated NIC loses its link, ${wiring}`, () => {
    test('the group of a program is reported by the next one within a second', async () => {
      const host = await raise({ wiring, group: OFF });
      try {
        const lost = await host.nominated();
        const { uplinks, members } = host.topology;
        const [before, sniffer] = await Promise.all([
          sniffReports(host, uplinks[lost]),
          sniffReports(host, uplinks[1 - lost]),
        ]);
        const listener = await udpListen(host.workspace, 'host', PORT, [JOINED, LAN.data[0]]);
        // So often the kernel reports what is new, by itself.
        await before.waitFor(IS_REPORT, 10_000, ROBUSTNESS);
        deepEqual(sniffer.lines, []);
        await host.topology.cut(uplinks[lost] ?? '');
        const cutS = Date.now() / 1000;
        await sniffer.waitFor(IS_REPORT, 5000);
        const [header = ''] = sniffer.matching(/^\d+\.\d+ /);
        ok(Number.parseFloat(header) - cutS < REPORT_WITHIN_S, `cut at ${cutS}: ${header}`);
        ok(header.includes(`${await host.memberMac(members[1 - lost] ?? '')} > `), header);
        equal(await host.nominated(), 1 - lost);
        await sendUntilHeard(host, listener.lines);
        for (const one of [before, sniffer]) await one.stop();
        await listener.stop();
      } finally {
        await host.lower();
      }
    });
  });
}

test('multicast goes on behind a switch that snoops', async () => {
  const host = await raise({ group: OFF });
  try {
    const listener = await udpListen(host.workspace, 'host', PORT, [JOINED, LAN.data[0]]);
    equal(await host.nominated(), 0);
    const snooping = 'link set lan type bridge mcast_snooping 1';
    await host.workspace.ip('swB', [snooping]);
    await host.workspace.ip('swA', [`${snooping} ${QUERIER}`]);
    await until('the switch knows where the group is', 20_000, async () => {
      return (await portsTo(host, 'swA')).includes('p0');
    });
    equal((await portsTo(host, 'swB')).includes('p1'), false);
    await sendUntilHeard(host, listener.lines);
    // It would ask again when a port changes, as few switches but the kernel's do.
    await host.workspace.ip('swA', ['link set lan type bridge mcast_querier 0']);
    await host.topology.cut('eth0');
    await host.waitForState('net0', 'failed');
    await sendUntilHeard(host, listener.lines);
    ok((await portsTo(host, 'swB')).includes('p1'));
    await listener.stop();
  } finally {
    await host.lower();
  }
});
