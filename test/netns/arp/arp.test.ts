/** One ARP reply to each request, from the NIC that the address is bound to, and from no other. */

import { deepEqual, equal, match, ok } from 'node:assert/strict';
import { test } from 'node:test';
import { LAN } from '../../../src/lab/topology.ts';
import { arping } from '../tools/arping.ts';
import { describeOn, WIRINGS } from '../tools/harness.ts';
import { sniff } from '../tools/sniffer.ts';

const REQUESTS = 5;
/** Announcements are replies too, to the broadcast address. */
const ANSWERS = 'arp[6:2] = 2 and not ether broadcast';

describeOn(WIRINGS, 'ARP on the wire', {}, (host) => {
  for (const address of LAN.data) {
    test(`${address}: exactly one reply to each request, from the bound NIC`, async () => {
      const { ifname } = await host.boundTo(address);
      const mac = await host.memberMac(ifname);
      const filter = `${ANSWERS} and not ether src ${await host.macOf('gw', 'eth0')}`;
      const sniffer = await sniff(host, filter);
      await arping(host, address, REQUESTS);
      const replies = await sniffer.waitFor(/Reply/, 5000, REQUESTS);
      equal(replies.length, REQUESTS, replies.join('\n'));
      for (const reply of replies) {
        match(reply, new RegExp(` ${mac} > .*Reply ${address} is-at ${mac}`));
      }
      await sniffer.stop();
    });
  }

  test('no station answers for what is not ours', async () => {
    const sniffer = await sniff(host, ANSWERS);
    for (const address of [LAN.absent, '127.0.0.1', '192.0.2.255']) await arping(host, address, 2);
    await arping(host, LAN.data[0]);
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
