/** What other programs change while the host side runs: names, addresses, states. */

import { deepEqual, equal, ok, rejects } from 'node:assert/strict';
import { execFile } from 'node:child_process';
import { readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { promisify } from 'node:util';
import { OperatorError } from '../../../src/base/errors.ts';
import type { HostEvent } from '../../../src/host/host-event.ts';
import type { OpenTransport } from '../../../src/host/kernel/netlink.ts';
import { openNativeTransport } from '../../../src/host/kernel/transport.ts';
import { until } from '../../../src/lab/until.ts';
import { inNamespace, isLost, nic } from '../tools/host-world.ts';

const run = promisify(execFile);

const LATE_MS = 5;

/** Longer than the pause of the mirror: it reads at the next notification at once. */
const QUIET_MS = 60;

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

function ipv6Setting(device: string, setting = 'disable_ipv6'): string {
  return readFileSync(`/proc/sys/net/ipv6/conf/${device}/${setting}`, 'latin1').trim();
}

inNamespace(import.meta.url, {
  'another MAC of the device of a group is reported': async (world) => {
    await world.startWithGroup();
    world.ip('link', 'set', 'ipmp0', 'address', '02:11:11:11:11:11');
    const isIt = (event: HostEvent): boolean =>
      event.kind === 'device' && event.present && event.mac === 0x02_11_11_11_11_11;
    await world.event('the new MAC', isIt);
  },

  'IPv6 that another program enables everywhere stays off below a group': async (world) => {
    world.cable('eth0', 'far0');
    world.bridge('br1');
    const host = await world.start();
    await host.attachInterface(nic('net0', 0, { uplink: 'eth0' }), 1);
    await host.attachInterface(nic('net1', 1, { bridge: 'br1' }), 1);
    const devices = ['eth0', 'net0', 'br1', 'net1'];
    deepEqual(
      devices.map((device) => ipv6Setting(device)),
      ['1', '1', '1', '1'],
    );
    // Nor does the moment until it is put back make an address, or send a frame.
    for (const device of devices) equal(ipv6Setting(device, 'addr_gen_mode'), '1', device);
    writeFileSync('/proc/sys/net/ipv6/conf/all/disable_ipv6', '1');
    writeFileSync('/proc/sys/net/ipv6/conf/all/disable_ipv6', '0');
    for (const device of devices) {
      await until(`${device} is silent`, 1000, () => ipv6Setting(device) === '1');
      equal(world.ip('-6', 'address', 'show', 'dev', device), '');
    }
  },

  'a NIC that leaves a bridge below a group has its IPv6 again': async (world) => {
    world.cable('eth1', 'far1');
    world.bridge('br1', 'eth1');
    const host = await world.start();
    await host.attachInterface(nic('net1', 1, { bridge: 'br1' }), 1);
    equal(ipv6Setting('eth1'), '1');
    world.ip('link', 'set', 'eth1', 'nomaster');
    await until('it has IPv6', 2000, () => ipv6Setting('eth1') === '0');
    world.ip('link', 'set', 'eth1', 'master', 'br1');
    await until('it is silent', 2000, () => ipv6Setting('eth1') === '1');
  },

  'a NIC that takes less than a group’s device is not used until it takes as much': async (
    world,
  ) => {
    world.cable('eth0', 'far0');
    const host = await world.start();
    await host.attachInterface(nic('net0', 0, { uplink: 'eth0' }), 1);
    world.ip('link', 'set', 'eth0', 'mtu', '1279');
    const { event: loss } = await world.event('the loss', isLost('net0'));
    ok(JSON.stringify(loss).includes('an MTU of 1279'), JSON.stringify(loss));
    await host.releaseInterface('net0');
    const attaching = host.attachInterface(nic('net0', 0, { uplink: 'eth0' }), 1);
    await rejects(attaching, /eth0 has an MTU of 1279 \(1280 or more\)/);
    world.ip('link', 'set', 'eth0', 'mtu', '1280');
    equal((await host.attachInterface(nic('net0', 0, { uplink: 'eth0' }), 1)).mtu, 1280);
  },

  'a TAP that is taken out of its bridge is put back': async (world) => {
    world.bridge('br1');
    const host = await world.start();
    await host.attachInterface(nic('net1', 1, { bridge: 'br1' }), 1);
    const isPort = (): boolean => world.ip('link', 'show', 'net1').includes('master br1');
    ok(isPort());
    world.ip('link', 'set', 'net1', 'nomaster');
    await until('it is a port again', 1000, isPort);
  },

  'a NIC that is renamed gets back what was changed on it': async (world) => {
    world.cable('eth0', 'far0');
    const host = await world.start();
    await host.attachInterface(nic('net0', 0, { uplink: 'eth0' }), 1);
    equal(ipv6Setting('eth0'), '1');
    world.ip('link', 'set', 'eth0', 'down');
    world.ip('link', 'set', 'eth0', 'name', 'lan.0');
    world.ip('link', 'set', 'lan.0', 'up');
    await world.event('the loss', isLost('net0'));
    await host.releaseInterface('net0');
    equal(ipv6Setting('lan.0'), '0');
    ok(!world.ip('link', 'show', 'lan.0').includes('NOARP'));
    ok(!world.ip('link').includes('net0'), 'the macvtap is gone');
  },

  'a macvtap that is renamed is deleted all the same, and made again': async (world) => {
    world.cable('eth0', 'far0');
    const host = await world.start();
    await host.attachInterface(nic('net0', 0, { uplink: 'eth0' }), 1);
    world.ip('link', 'set', 'net0', 'down');
    world.ip('link', 'set', 'net0', 'name', 'other0');
    await world.event('the loss', isLost('net0'));
    await host.releaseInterface('net0');
    ok(!world.ip('link').includes('other0'));
    await host.attachInterface(nic('net0', 0, { uplink: 'eth0' }), 1);
  },

  'routes outlive down and up while a NIC is attached': async (world) => {
    const host = await world.startWithGroup({ openTransport: openLate });
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
  },
});
