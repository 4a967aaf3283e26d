/** What others change under a running host side: names, addresses, states; and what comes of it. */

import { deepEqual, equal, ok, rejects } from 'node:assert/strict';
import { execFile } from 'node:child_process';
import { readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { promisify } from 'node:util';
import { OperatorError } from '../../../src/base/errors.ts';
import type { Host, HostOptions } from '../../../src/host/host.ts';
import type { HostEvent } from '../../../src/host/host-event.ts';
import type { OpenTransport } from '../../../src/host/kernel/netlink.ts';
import { openNativeTransport } from '../../../src/host/kernel/transport.ts';
import { until } from '../../../src/lab/until.ts';
import { inNamespace, nic, type World } from '../tools/host-world.ts';

const run = promisify(execFile);

const LATE_MS = 5;

/** Longer than the mirror rests: the next bell is answered at once. */
const QUIET_MS = 60;

const GROUP = {
  name: 'ipmp0',
  mac: 0x06_00_00_00_00_01,
  queues: 1,
  addresses: ['192.0.2.10/24'],
  routes: [{ to: 'default', via: '192.0.2.1' }],
};

/** The kernel's answers come late, as on a busy machine; notifications do not. */
const openLate: OpenTransport = async (protocol) => {
  const transport = await openNativeTransport(protocol);
  return {
    ...transport,
    async exchange(messages) {
      const answer = await transport.exchange(messages);
      await sleep(LATE_MS);
      return answer;
    },
  };
};

async function startWithGroup(world: World, options: Partial<HostOptions> = {}): Promise<Host> {
  const host = world.newHost(options);
  await host.start();
  deepEqual((await host.createGroupDevice(GROUP)).problems, []);
  return host;
}

function isLost(event: HostEvent): boolean {
  return event.kind === 'device' && event.ifname === 'net0' && !event.present;
}

function ipv6Setting(device: string, setting = 'disable_ipv6'): string {
  return readFileSync(`/proc/sys/net/ipv6/conf/${device}/${setting}`, 'latin1').trim();
}

function ipv6IsOff(device: string): string {
  return ipv6Setting(device);
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

  'IPv6 that somebody sets to run everywhere does not run below us': async (world) => {
    world.cable('eth0', 'far0');
    world.ip('link', 'add', 'name', 'br1', 'type', 'bridge');
    world.ip('link', 'set', 'br1', 'up');
    const host = world.newHost();
    await host.start();
    await host.attachInterface(nic('net0', 0, { uplink: 'eth0' }), 1);
    await host.attachInterface(nic('net1', 1, { bridge: 'br1' }), 1);
    const devices = ['eth0', 'net0', 'br1', 'net1'];
    deepEqual(devices.map(ipv6IsOff), ['1', '1', '1', '1']);
    // Nor does the moment until it is put back make an address, or send a frame.
    for (const device of devices) equal(ipv6Setting(device, 'addr_gen_mode'), '1', device);
    writeFileSync('/proc/sys/net/ipv6/conf/all/disable_ipv6', '1');
    writeFileSync('/proc/sys/net/ipv6/conf/all/disable_ipv6', '0');
    for (const device of devices) {
      await until(`${device} is silent`, 1000, () => ipv6IsOff(device) === '1');
      equal(world.ip('-6', 'address', 'show', 'dev', device), '');
    }
    await host.stop();
    deepEqual(world.log, []);
  },

  'a NIC that takes less than a group’s device is not used until it takes as much': async (
    world,
  ) => {
    world.cable('eth0', 'far0');
    const host = world.newHost();
    await host.start();
    await host.attachInterface(nic('net0', 0, { uplink: 'eth0' }), 1);
    world.ip('link', 'set', 'eth0', 'mtu', '1279');
    const { event: loss } = await world.heard('the loss', isLost);
    ok(JSON.stringify(loss).includes('an MTU of 1279'), JSON.stringify(loss));
    await host.releaseInterface('net0');
    const attaching = host.attachInterface(nic('net0', 0, { uplink: 'eth0' }), 1);
    await rejects(attaching, /eth0 has an MTU of 1279 \(1280 or more\)/);
    world.ip('link', 'set', 'eth0', 'mtu', '1280');
    equal((await host.attachInterface(nic('net0', 0, { uplink: 'eth0' }), 1)).mtu, 1280);
    await host.stop();
    deepEqual(world.log, []);
  },

  'a TAP that is taken out of its bridge is put back': async (world) => {
    world.ip('link', 'add', 'name', 'br1', 'type', 'bridge');
    world.ip('link', 'set', 'br1', 'up');
    const host = world.newHost();
    await host.start();
    await host.attachInterface(nic('net1', 1, { bridge: 'br1' }), 1);
    const isPort = (): boolean => world.ip('link', 'show', 'net1').includes('master br1');
    ok(isPort());
    world.ip('link', 'set', 'net1', 'nomaster');
    await until('it is a port again', 1000, isPort);
    await host.stop();
    deepEqual(world.log, []);
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

  'routes outlive down and up while a NIC is attached': async (world) => {
    const host = await startWithGroup(world, { openTransport: openLate });
    const bounce = join(world.folder, 'bounce');
    writeFileSync(bounce, 'link set ipmp0 down\nlink set ipmp0 up\n');
    for (let round = 0; round < 5; round++) {
      const name = `net${round}`;
      world.cable(`eth${round}`, `far${round}`);
      await sleep(QUIET_MS);
      const attaching = host.attachInterface(nic(name, round, { uplink: `eth${round}` }), 1);
      await run('ip', ['-batch', bounce]);
      await attaching;
      const hasDefault = (): boolean => world.ip('route').includes('default via 192.0.2.1');
      await until(`the route is back (round ${round})`, 1000, hasDefault);
    }
    const journal = readFileSync(join(world.folder, 'journal'), 'utf8');
    equal(journal.match(/"kind":"route"/g)?.length, 1, 'written down once');
    await host.stop();
  },

  'a start that fails leaves nothing open: the next one succeeds': async (world) => {
    world.cable('eth0', 'far0');
    const words = new Int32Array(new SharedArrayBuffer(64));
    const open = (): never => {
      throw new OperatorError('ENOMEM', 'no thread');
    };
    const before = readdirSync('/proc/self/fd').length;
    await rejects(world.newHost({ carrier: { words, wakeFds: [], open } }).start(), /no thread/);
    await until('the sockets are closed', 1000, () => {
      return readdirSync('/proc/self/fd').length === before;
    });
    const host = world.newHost();
    equal(await host.start(), 0);
    await host.stop();
  },
});
