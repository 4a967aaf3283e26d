/** One ARP reply to each request, from the NIC that the address is bound to, and from no other. */

import { deepEqual, equal, match, ok } from 'node:assert/strict';
import { after, before, describe, test } from 'node:test';
import { LAN } from '../../../src/lab/topology.ts';
import { TestHost, WIRINGS } from '../tools/harness.ts';
import { Sniffer } from '../tools/sniffer.ts';

const REQUESTS = 5;
/** Announcements are replies too, to everybody. */
const ANSWERS = 'arp[6:2] = 2 and not ether broadcast';

for (const wiring of WIRINGS) {
  describe(`ARP on the wire, ${wiring}`, () => {
    let host: TestHost;

    before(async () => {
      host = await TestHost.raise({ wiring });
    });
    after(() => host?.lower());

    for (const address of LAN.data) {
      test(`${address}: exactly one reply to each request, from the bound NIC`, async () => {
        const { ifname } = await host.boundTo(address);
        const mac = await host.memberMac(ifname);
        const filter = `${ANSWERS} and not ether src ${await host.macOf('gw', 'eth0')}`;
        const sniffer = await Sniffer.start(host.workspace, { role: 'gw', device: 'eth0', filter });
        const argv = ['arping', '-q', '-c', String(REQUESTS), '-W', '0.1', '-i', 'eth0', address];
        await host.run('gw', argv);
        const replies = await sniffer.waitFor(/Reply/, 5000, REQUESTS);
        equal(replies.length, REQUESTS, replies.join('\n'));
        for (const reply of replies) {
          match(reply, new RegExp(` ${mac} > .*Reply ${address} is-at ${mac}`));
        }
        await sniffer.stop();
      });
    }

    test('nobody answers for what is not ours', async () => {
      const filter = ANSWERS;
      const sniffer = await Sniffer.start(host.workspace, { role: 'gw', device: 'eth0', filter });
      for (const address of [LAN.absent, '127.0.0.1', '192.0.2.255']) {
        const argv = ['arping', '-q', '-c', '2', '-W', '0.1', '-i', 'eth0', address];
        await host.run('gw', ['sh', '-c', '"$@" || true', '-', ...argv]);
      }
      await host.run('gw', ['arping', '-q', '-c', '1', '-i', 'eth0', LAN.data[0]]);
      await sniffer.waitFor(/Reply/, 5000);
      deepEqual(sniffer.matching(new RegExp(`Reply (?!${LAN.data[0]})`)), []);
      await sniffer.stop();
    });

    test('a detection probe of another host is answered, so that it keeps off', async () => {
      const argv = ['arping', '-c', '1', '-0', '-i', 'eth0', LAN.data[0]];
      const text = await host.run('gw', argv);
      ok(text.includes('bytes from'), text);
    });
  });
}
