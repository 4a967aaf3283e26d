/** Broadcast and multicast pass once, although every NIC of the group hears them. */

import { deepEqual, equal } from 'node:assert/strict';
import { after, before, describe, test } from 'node:test';
import { LAN } from '../../../src/lab/topology.ts';
import { until } from '../../../src/lab/until.ts';
import { TestHost, WIRINGS } from '../tools/harness.ts';
import { Sniffer } from '../tools/sniffer.ts';
import { udpListen, udpSend } from '../tools/udp-traffic.ts';

const PORT = 6000;
const GROUP_ADDRESS = '239.1.2.3';
const [GATEWAY] = LAN.gateways;

for (const wiring of WIRINGS) {
  describe(`one to many, ${wiring}`, () => {
    let host: TestHost;

    before(async () => {
      host = await TestHost.raise({ wiring });
      // Also what has no data address in common with us must find the LAN.
      await host.workspace.ip('gw', ['route add 239.0.0.0/8 dev eth0']);
      await host.workspace.ip('gw', ['route add 255.255.255.255/32 dev eth0']);
      await host.workspace.ip('host', ['route add 239.0.0.0/8 dev ipmp0']);
    });
    after(() => host?.lower());

    /** Sends `text` and then a unicast message, which tells that all before it has arrived. */
    async function sendAndSettle(
      lines: string[],
      { from, to, text }: { from: string; to: string; text: string },
    ): Promise<string[]> {
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
        const found = await sendAndSettle(listener.lines, { from: 'gw', to, text: 'in' });
        deepEqual(found, [`in from ${GATEWAY}`]);
        await listener.stop();
      });

      test(`${to} from the host leaves once`, async () => {
        const listener = await udpListen(host.workspace, 'gw', PORT, [GROUP_ADDRESS, GATEWAY]);
        const filter = `udp dst port ${PORT} and dst host ${to}`;
        const sniffers = await Promise.all(
          ['p0', 'p1'].map((device, index) =>
            Sniffer.start(host.workspace, {
              role: index === 0 ? 'swA' : 'swB',
              device,
              filter,
              args: ['-Q', 'in'],
            }),
          ),
        );
        const found = await sendAndSettle(listener.lines, { from: 'host', to, text: 'out' });
        equal(found.length, 1, found.join());
        equal(sniffers.flatMap((sniffer) => sniffer.lines).length, 1);
        for (const sniffer of sniffers) await sniffer.stop();
        await listener.stop();
      });
    }
  });
}
