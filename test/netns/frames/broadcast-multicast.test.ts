/** Broadcast and multicast pass once, although every NIC of the group receives them. */

import { deepEqual, equal } from 'node:assert/strict';
import { before, test } from 'node:test';
import { LAN } from '../../../src/lab/topology.ts';
import { until } from '../../../src/lab/until.ts';
import { describeOn, WIRINGS } from '../tools/harness.ts';
import { sniffUplinks } from '../tools/sniffer.ts';
import { udpListen, udpSend } from '../tools/udp-traffic.ts';

const PORT = 6000;
const GROUP_ADDRESS = '239.1.2.3';
const [GATEWAY] = LAN.gateways;

describeOn(WIRINGS, 'one to many', {}, (host) => {
  before(async () => {
    // Routes for destinations that no data address of the LAN covers.
    await host.workspace.ip('gw', ['route add 239.0.0.0/8 dev eth0']);
    await host.workspace.ip('gw', ['route add 255.255.255.255/32 dev eth0']);
    await host.workspace.ip('host', ['route add 239.0.0.0/8 dev ipmp0']);
  });

  /** Sends `text`, and then unicast messages: all before them has arrived when they have. */
  async function sendAndSettle(lines: string[], from: string, to: string, text: string) {
    const unicast = from === 'gw' ? LAN.data[0] : GATEWAY;
    await udpSend(host.workspace, from, { address: to, port: PORT, text });
    for (const end of ['end-1', 'end-2']) {
      await udpSend(host.workspace, from, { address: unicast, port: PORT, text: end });
      await until(end, 5000, () => lines.some((line) => line.startsWith(end)));
    }
    return lines.filter((line) => line.startsWith(`${text} `));
  }

  for (const to of ['192.0.2.255', '255.255.255.255', GROUP_ADDRESS]) {
    test(`${to} from the wire arrives once`, async () => {
      const membership = [GROUP_ADDRESS, LAN.data[0]];
      const listener = await udpListen(host.workspace, 'host', PORT, membership);
      const found = await sendAndSettle(listener.lines, 'gw', to, 'in');
      deepEqual(found, [`in from ${GATEWAY}`]);
      await listener.stop();
    });

    test(`${to} from the host leaves once`, async () => {
      const listener = await udpListen(host.workspace, 'gw', PORT, [GROUP_ADDRESS, GATEWAY]);
      const filter = `udp dst port ${PORT} and dst host ${to}`;
      const sniffers = await sniffUplinks(host, filter);
      const found = await sendAndSettle(listener.lines, 'host', to, 'out');
      equal(found.length, 1, found.join());
      equal(sniffers.flatMap((sniffer) => sniffer.lines).length, 1);
      for (const sniffer of sniffers) await sniffer.stop();
      await listener.stop();
    });
  }
});
