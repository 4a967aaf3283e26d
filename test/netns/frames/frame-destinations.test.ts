/**
 * Unicast frames that are for the host although their MAC or their address is not one that the
 * group announces: the group's own MAC, addresses on other devices, directed broadcasts.
 */

import { deepEqual } from 'node:assert/strict';
import { before, test } from 'node:test';
import { GROUP } from '../../../src/lab/configuration.ts';
import { LAN } from '../../../src/lab/topology.ts';
import { until } from '../../../src/lab/until.ts';
import { describeOn } from '../tools/harness.ts';
import { type Delivery, datagramFrames, deliver } from '../tools/raw-frames.ts';
import { udpListen } from '../tools/udp-traffic.ts';

const ALL = { answered: 3, duplicates: 0 };
const PORT = 6007;
const SERVICE = '192.0.2.80';

describeOn(['macvtap', 'bridge'], 'unicast frames', { group: { forwarding: false } }, (host) => {
  before(async () => {
    await host.workspace.ip('host', [`address add ${SERVICE}/32 dev lo`]);
  });

  /** Makes the gateway send to `address` by this MAC. */
  async function pingBy(address: string, mac: string): Promise<unknown> {
    const entry = `${address} dev eth0`;
    await host.workspace.ip('gw', [`neigh replace ${entry} lladdr ${mac} nud permanent`]);
    const got = await host.ping('gw', address);
    await host.workspace.ip('gw', [`neigh del ${entry}`]);
    return got;
  }

  test('a frame to the MAC of the group is taken, once', async () => {
    const mac = await host.macOf('host', GROUP);
    for (const address of LAN.data) deepEqual(await pingBy(address, mac), ALL);
  });

  test('[contract 3.12] without forwarding, either NIC serves an address on lo', async () => {
    for (const member of host.topology.members) {
      deepEqual(await pingBy(SERVICE, await host.memberMac(member)), ALL, member);
    }
  });

  test('a directed broadcast in a unicast frame is delivered', async () => {
    const listener = await udpListen(host.workspace, 'host', PORT);
    const deliveries = host.topology.members.map(async (member, at): Promise<Delivery[]> => {
      const ends = {
        sourceMac: '02:00:00:00:07:77',
        source: '192.0.2.77',
        destinationMac: await host.memberMac(member),
        destination: '192.0.2.255',
        port: PORT,
      };
      const uplink = host.topology.uplinks[at] ?? '';
      return datagramFrames(ends, `by ${member}`, at + 1).map((frame) => ({ uplink, frame }));
    });
    await deliver(host.topology, await Promise.all(deliveries));
    await until('both came', 5000, () => listener.lines.length >= 2);
    const wanted = host.topology.members.map((member) => `by ${member} from 192.0.2.77`);
    deepEqual(listener.lines.toSorted(), wanted);
    await listener.stop();
  });
});
