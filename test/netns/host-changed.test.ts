/** What others change under a running host side: names, addresses, states; and what comes of it. */

import { deepEqual, equal, ok } from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import type { Host } from '../../src/host/host.ts';
import type { HostEvent } from '../../src/host/host-event.ts';
import { until } from '../../src/lab/until.ts';
import { inNamespace, nic, type World } from './host-world.ts';

const GROUP = {
  name: 'ipmp0',
  mac: 0x06_00_00_00_00_01,
  queues: 1,
  addresses: ['192.0.2.10/24'],
  routes: [{ to: 'default', via: '192.0.2.1' }],
};

async function startWithGroup(world: World): Promise<Host> {
  const host = world.newHost();
  await host.start();
  deepEqual((await host.createGroupDevice(GROUP)).problems, []);
  return host;
}

function isLost(event: HostEvent): boolean {
  return event.kind === 'device' && event.ifname === 'net0' && !event.present;
}

function ipv6IsOff(device: string): string {
  return readFileSync(`/proc/sys/net/ipv6/conf/${device}/disable_ipv6`, 'latin1').trim();
}

inNamespace(import.meta.url, {
  'another MAC of the device of a group is told': async (world) => {
    const host = await startWithGroup(world);
    world.ip('link', 'set', 'ipmp0', 'address', '02:11:11:11:11:11');
    const isTold = (event: HostEvent): boolean =>
      event.kind === 'device' && event.present && event.mac === 0x02_11_11_11_11_11;
    await world.heard('the new MAC', isTold);
    await host.stop();
  },

  'a NIC that is renamed gets back what was changed on it': async (world) => {
    world.cable('eth0', 'far0');
    const host = world.newHost();
    await host.start();
    await host.attachInterface(nic('net0', 0, { uplink: 'eth0' }), 1);
    equal(ipv6IsOff('eth0'), '1');
    world.ip('link', 'set', 'eth0', 'down');
    world.ip('link', 'set', 'eth0', 'name', 'lan.0');
    world.ip('link', 'set', 'lan.0', 'up');
    await world.heard('the loss', isLost);
    await host.releaseInterface('net0');
    equal(ipv6IsOff('lan.0'), '0');
    ok(!world.ip('link', 'show', 'lan.0').includes('NOARP'));
    ok(!world.ip('link').includes('net0'), 'the macvtap is gone');
    await host.stop();
    deepEqual(world.log, []);
  },

  'a macvtap that is renamed is deleted all the same, and made anew': async (world) => {
    world.cable('eth0', 'far0');
    const host = world.newHost();
    await host.start();
    await host.attachInterface(nic('net0', 0, { uplink: 'eth0' }), 1);
    world.ip('link', 'set', 'net0', 'down');
    world.ip('link', 'set', 'net0', 'name', 'other0');
    await world.heard('the loss', isLost);
    await host.releaseInterface('net0');
    ok(!world.ip('link').includes('other0'));
    await host.attachInterface(nic('net0', 0, { uplink: 'eth0' }), 1);
    await host.stop();
    deepEqual(world.log, []);
  },

  'routes outlive down and up while the host side is busy': async (world) => {
    const host = await startWithGroup(world);
    const hasDefault = (): boolean => world.ip('route').includes('default via 192.0.2.1');
    for (let round = 0; round < 10; round++) {
      world.cable(`eth${round}`, `far${round}`);
      const attaching = host.attachInterface(
        nic(`net${round}`, round, { uplink: `eth${round}` }),
        1,
      );
      world.ip('address', 'add', `192.0.2.${20 + round}/24`, 'dev', 'ipmp0');
      world.ip('link', 'set', 'ipmp0', 'down');
      world.ip('link', 'set', 'ipmp0', 'up');
      await attaching;
      await until('the route is back', 2000, hasDefault);
    }
    await host.stop();
  },
});
