/** Multicast outlives the NIC that it came in by: the next one reports the groups at once. */

import { deepEqual, equal, ok } from 'node:assert/strict';
import { LAN, type Topology } from '../../../src/lab/topology.ts';
import { until } from '../../../src/lab/until.ts';
import { hostTest, type TestHost, UNDAMPED } from '../tools/harness.ts';
import { sniffUplinks } from '../tools/sniffer.ts';
import { udpListen, udpSend } from '../tools/udp-traffic.ts';

const PORT = 6008;
const JOINED = '239.1.2.3';
const IS_REPORT = /gaddr 239\.1\.2\.3/;
const REPORT_WITHIN_S = 1;
/** Linux: igmp_qrv. */
const ROBUSTNESS = 2;

/** The gateway has a route for multicast. */
async function prepare({ workspace }: Topology): Promise<void> {
  await workspace.ip('gw', ['route add 239.0.0.0/8 dev eth0']);
}

/** Sends to the group until something comes. */
async function sendUntilReceived(host: TestHost, lines: string[]): Promise<void> {
  lines.length = 0;
  await until('multicast comes', 5000, async () => {
    await udpSend(host.workspace, 'gw', { address: JOINED, port: PORT, text: 'on' });
    return lines.length > 0;
  });
  equal(lines[0], `on from ${LAN.gateways[0]}`);
}

for (const wiring of ['macvtap', 'bridge'] as const) {
  const title = `the next NIC reports the groups of programs within a second, ${wiring}`;
  hostTest(title, { wiring, prepare, ...UNDAMPED }, async (host) => {
    const lost = await host.nominated();
    const { uplinks, members } = host.topology;
    const sniffers = await sniffUplinks(host, 'igmp', ['-Q', 'in', '-v']);
    const [before, sniffer] = [sniffers[lost]!, sniffers[1 - lost]!];
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
    await sendUntilReceived(host, listener.lines);
  });
}
