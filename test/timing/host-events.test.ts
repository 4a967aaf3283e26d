/** Events of the host side: addresses, routes, losses, things that appear, lost notifications. */

import { deepEqual, equal, ok, rejects } from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { readdirSync } from 'node:fs';
import { setTimeout as sleep } from 'node:timers/promises';
import { readCounters } from '../../src/host/counters.ts';
import type { HostEvent } from '../../src/host/host-event.ts';
import type { OpenNotifications } from '../../src/host/kernel/bell.ts';
import { RT_SCOPE_UNIVERSE } from '../../src/host/kernel/route-message.ts';
import { NetlinkSocket } from '../../src/native/notifications.ts';
import { GROUP_SPEC, inNamespace, isLink, isLost, nic } from '../netns/tools/host-world.ts';

/** Room for very few notifications. */
const openSmall: OpenNotifications = (protocol, groups, handlers) =>
  new NetlinkSocket({
    protocol,
    groups,
    receiveBufferBytes: 4096,
    onMessages: (bytes) =>
      handlers.received(Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength)),
    onOverrun: () => handlers.overrun(),
  });

/** Those of global scope: the kernel adds and deletes that of the link by itself. */
function addressesOf(event: HostEvent): string[] | undefined {
  return event.kind === 'addresses' && event.device === 'ipmp0'
    ? event.list
        .filter(({ scope }) => scope === RT_SCOPE_UNIVERSE)
        .map((entry) => `${entry.address}/${entry.prefixLength}`)
    : undefined;
}

function hasDefault(event: HostEvent): boolean | undefined {
  return event.kind === 'routes'
    ? event.list.some((route) => route.prefixLength === 0 && route.table === 254)
    : undefined;
}

function isAttachable(ifname: string) {
  return (event: HostEvent): boolean => event.kind === 'attachable' && event.ifname === ifname;
}

inNamespace(import.meta.url, {
  'addresses added and removed with ip are reported within 100 ms': async (world) => {
    await world.startWithGroup();
    for (const prefix of ['192.0.2.11/24', '2001:db8::11/64', '198.51.100.1/32']) {
      await sleep(60);
      const since = world.events.length;
      world.ip('addr', 'add', prefix, 'dev', 'ipmp0');
      const addedMs = performance.now();
      const isThere = (event: HostEvent) => addressesOf(event)?.includes(prefix) ?? false;
      const added = await world.event(`${prefix} added`, isThere, { since });
      ok(added.atMs - addedMs < 100, `${prefix}: ${added.atMs - addedMs} ms`);
      world.ip('addr', 'del', prefix, 'dev', 'ipmp0');
      const removedMs = performance.now();
      const isGone = (event: HostEvent) => addressesOf(event)?.includes(prefix) === false;
      const removed = await world.event(`${prefix} removed`, isGone, {
        since: world.events.length - 1,
      });
      ok(removed.atMs - removedMs < 100, `${prefix}: ${removed.atMs - removedMs} ms`);
    }
  },

  'deleting the first address leaves the others of its subnet': async (world) => {
    const addresses = ['192.0.2.10/24', '192.0.2.11/24', '192.0.2.12/24'];
    const host = await world.startWithGroup({}, { ...GROUP_SPEC, addresses });
    const since = world.events.length;
    await host.deleteAddress('ipmp0', '192.0.2.10/24');
    await world.event('the others', (event) => addressesOf(event)?.length === 2, { since });
    await host.addAddress('ipmp0', '192.0.2.10/24');
  },

  'down and up: what went without a message is seen, and put back': async (world) => {
    const addresses = ['192.0.2.10/24', '192.0.2.11/24', '2001:db8::10/64'];
    await world.startWithGroup({}, { ...GROUP_SPEC, addresses });
    await sleep(60);
    world.ip('addr', 'del', '192.0.2.11/24', 'dev', 'ipmp0');
    await sleep(120);
    let since = world.events.length;
    world.ip('link', 'set', 'ipmp0', 'down');
    await world.event('no default route', (event) => hasDefault(event) === false, { since });
    since = world.events.length;
    world.ip('link', 'set', 'ipmp0', 'up');
    await world.event('the default route', (event) => hasDefault(event) === true, { since });
    for (let i = 0; i < 5; i++) {
      world.ip('link', 'set', 'ipmp0', 'down');
      world.ip('link', 'set', 'ipmp0', 'up');
    }
    await sleep(300);
    ok(world.ip('route').includes('default via 192.0.2.1'));
    const shown = world.ip('addr', 'show', 'dev', 'ipmp0');
    ok(shown.includes('192.0.2.10/24') && shown.includes('2001:db8::10/64'));
    ok(!shown.includes('192.0.2.11/24'), 'what another program removed stays removed');
    equal(shown.split(' fe80::').length - 1, 1, 'one address of the link');
  },

  'routes: replaced, by nexthop object, deleted with it': async (world) => {
    await world.startWithGroup();
    world.cable('eth9', 'far9');
    world.ip('addr', 'add', '198.51.100.1/24', 'dev', 'eth9');
    await sleep(60);
    let since = world.events.length;
    world.ip('route', 'replace', 'default', 'via', '198.51.100.2');
    await world.event('replaced away', (event) => hasDefault(event) === false, { since });
    since = world.events.length;
    world.ip('nexthop', 'add', 'id', '7', 'via', '192.0.2.9', 'dev', 'ipmp0');
    world.ip('route', 'replace', 'default', 'nhid', '7');
    const back = await world.event('by nexthop', (event) => hasDefault(event) === true, { since });
    ok(JSON.stringify(back.event).includes('192.0.2.9'));
    await sleep(60);
    since = world.events.length;
    world.ip('nexthop', 'del', 'id', '7');
    await world.event('gone with it', (event) => hasDefault(event) === false, { since });
  },

  'notifications that were lost lead to a full look': async (world) => {
    const host = await world.start({ openNotifications: openSmall });
    await host.createGroupDevice(GROUP_SPEC);
    world.cable('eth0', 'far0');
    await host.attachInterface(nic('net0', 0, { uplink: 'eth0' }), 1);
    world.ip('link', 'add', 'other', 'type', 'bridge');
    await sleep(60);
    const commands = Array.from({ length: 1000 }, (_, i) => `link set other mtu ${1400 + (i % 2)}`);
    const changes = ['link set far0 down', 'addr add 192.0.2.77/24 dev ipmp0'];
    // The event loop is blocked meanwhile: nothing is read.
    execFileSync('ip', ['-batch', '-'], { input: [...commands, ...changes].join('\n') });
    const sinceMs = performance.now();
    const down = await world.event('link down', isLink('net0', 'down'));
    const isThere = (event: HostEvent) => addressesOf(event)?.includes('192.0.2.77/24') ?? false;
    const added = await world.event('address', isThere);
    ok(Math.max(down.atMs, added.atMs) - sinceMs < 1000);
    world.mayLog = true;
    ok(world.log.some((line) => line.includes('notifications of the kernel were lost')));
  },

  'a NIC that is absent, appears, is deleted with its macvtap, and appears again': async (
    world,
  ) => {
    const host = await world.start();
    const spec = nic('net0', 0, { uplink: 'eth0' });
    const descriptors = readdirSync('/proc/self/fd').length;
    for (let round = 0; round < 10; round++) {
      const since = world.events.length;
      if (round === 0) await rejects(host.attachInterface(spec, 1), { code: 'ENODEV' });
      world.cable('eth0', 'far0');
      await world.event('attachable', isAttachable('net0'), { since });
      const device = await host.attachInterface(spec, 2);
      equal(device.link, 'up');
      equal(device.fds.length, 2);
      world.ip('link', 'del', 'eth0');
      const lost = await world.event('lost', isLost('net0'), { since });
      equal(
        lost.event.kind === 'device' && !lost.event.present && lost.event.cause.length > 5,
        true,
      );
      await host.releaseInterface('net0');
    }
    equal(readdirSync('/proc/self/fd').length, descriptors);
  },

  'a bridge and a TAP that go and come; a NIC in another namespace is gone': async (world) => {
    world.cable('eth1', 'far1');
    world.bridge('br1', 'eth1');
    world.cable('eth2', 'far2');
    const host = await world.start();
    const net1 = nic('net1', 1, { bridge: 'br1' });
    equal((await host.attachInterface(net1, 1)).link, 'up');
    await host.attachInterface(nic('net2', 2, { uplink: 'eth2' }), 1);
    await host.attachInterface(nic('net3', 3), 1);
    world.ip('link', 'set', 'eth1', 'nomaster');
    await world.event('no other port', isLink('net1', 'down'));
    const since = world.events.length;
    world.ip('link', 'set', 'eth1', 'master', 'br1');
    await world.event('a port again', isLink('net1', 'up'), { since });
    world.ip('link', 'del', 'br1');
    await world.event('bridge gone', isLost('net1'), { since });
    await host.releaseInterface('net1');
    world.bridge('br1', 'eth1');
    await world.event('bridge back', isAttachable('net1'), { since });
    equal((await host.attachInterface(net1, 1)).link, 'up');
    world.ip('link', 'set', 'net2', 'netns', world.elsewhere);
    await world.event('moved away', isLost('net2'), { since });
    await host.releaseInterface('net2');
    world.ip('link', 'del', 'net3');
    await world.event('TAP gone', isLost('net3'), { since });
    await host.releaseInterface('net3');
    await world.event('TAP attachable', isAttachable('net3'), { since });
    await host.attachInterface(nic('net3', 3), 1);
    world.ip('link', 'set', 'net3', 'down');
    await world.event('TAP down', isLink('net3', 'down'), { since });
  },

  'an uplink with addresses is refused until they are gone': async (world) => {
    world.cable('eth0', 'far0');
    world.ip('addr', 'add', '198.51.100.1/24', 'dev', 'eth0');
    const host = await world.start();
    const spec = nic('net0', 0, { uplink: 'eth0' });
    const refused = await host.attachInterface(spec, 1).catch((error: unknown) => error);
    ok(refused instanceof Error && 'hint' in refused && String(refused.hint).includes('flush'));
    const since = world.events.length;
    world.ip('addr', 'flush', 'dev', 'eth0');
    await world.event('attachable', isAttachable('net0'), { since });
    await host.attachInterface(spec, 1);
    world.ip('addr', 'add', '198.51.100.1/24', 'dev', 'eth0');
    await world.event('the refusal', (event) => event.kind === 'uplink-refused', { since });
    world.ip('link', 'set', 'eth0', 'arp', 'on');
    await sleep(200);
    ok(world.ip('link', 'show', 'eth0').includes('NOARP'), 'asserted again');
  },

  'a group device that is deleted can be made again; its MTU is reported': async (world) => {
    const host = await world.startWithGroup();
    let since = world.events.length;
    world.ip('link', 'set', 'ipmp0', 'mtu', '1400');
    const isMtu = (event: HostEvent) =>
      event.kind === 'device' && event.present && event.ifname === 'ipmp0' && event.mtu === 1400;
    await world.event('MTU', isMtu, { since });
    await host.setGroupMtu('ipmp0', 1500);
    since = world.events.length;
    world.ip('link', 'del', 'ipmp0');
    await world.event('lost', isLost('ipmp0'), { since });
    await host.removeGroupDevice('ipmp0');
    await world.event('attachable', isAttachable('ipmp0'), { since });
    deepEqual((await host.createGroupDevice(GROUP_SPEC)).problems, []);
    equal((await readCounters('ipmp0')).rxErrors, 0n);
  },
});
