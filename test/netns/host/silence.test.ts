/**
 * Below a group the host is silent, and the macvtap receives everything: a neighbour in another
 * namespace asks for an address of the group and must get no answer from the kernel; multicast
 * without a membership, unicast and broadcast must come out of the descriptor, and not reach the
 * host as well.
 */

import { equal, ok } from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { setTimeout as sleep } from 'node:timers/promises';
import { native } from '../../../src/native/addon.ts';
import { macFormat, macRead } from '../../../src/wire/addr.ts';
import { GROUP_SPEC, inNamespace, nic, type World } from '../tools/host-world.ts';

const FAR = process.env.IPMPD_HOST_TEST_NOISE ?? '';
const WITHOUT_ROUTES = { ...GROUP_SPEC, routes: [] };

/** A cable whose far end lies in another namespace, with an address there. */
function cableAway(world: World, near: string): void {
  world.cable(near, 'far0');
  world.ip('link', 'set', 'far0', 'netns', FAR);
  world.ip('-n', FAR, 'link', 'set', 'far0', 'up');
  world.ip('-n', FAR, 'addr', 'add', '192.0.2.99/24', 'dev', 'far0');
}

/** A frame to the group of an IPv6 address (RFC 4291 2.7.1), which the NIC is no member of. */
const SOLICIT = `
import socket
s = socket.socket(socket.AF_PACKET, socket.SOCK_RAW)
s.bind(('far0', 0))
head = '6000000000003bff' + 'fe80' + 26 * '0' + '77' + 'ff02' + 18 * '0' + '01ff000010'
s.send(bytes.fromhex('3333ff000010' + '020000000077' + '86dd' + head) + bytes(6))
`;

/** Runs a command at the far end; how it ends does not matter. */
function far(...argv: string[]): void {
  spawnSync('ip', ['netns', 'exec', FAR, ...argv], { stdio: 'ignore' });
}

/** Destination addresses of every frame that waits in the descriptor. */
function received(fd: number): string[] {
  const slots = Int32Array.from([0]);
  const lengths = new Int32Array(1);
  const slab = new Uint8Array(native.slotLength);
  const burst = native.burstCreate(slab, slots, lengths, new Int32Array(1), native.slotLength);
  const found: string[] = [];
  while (native.readBurst(burst, fd, 0, 1) === 1) {
    found.push(macFormat(macRead(slab, native.vnetHeaderLength)));
  }
  return found;
}

/** The entry of the far end's kernel for the group's address. */
function neighbour(world: World): string {
  return world.ip('-n', FAR, 'neigh', 'show', '192.0.2.10', 'dev', 'far0').trim();
}

/** Datagrams that the host's own stack has taken, wherever they came from. */
function hostDatagrams(): number {
  const [names = '', values = ''] = readFileSync('/proc/net/snmp', 'latin1')
    .split('\n')
    .filter((line) => line.startsWith('Ip:'));
  return Number(values.split(' ')[names.split(' ').indexOf('InDelivers')]);
}

async function listensAndIsSilent(world: World, fd: number): Promise<void> {
  received(fd);
  const before = hostDatagrams();
  far('ping', '-c', '1', '-W', '1', '192.0.2.10');
  ok(!neighbour(world).includes('lladdr'), neighbour(world));
  far('ping', '-c', '1', '-W', '1', '-I', 'far0', '239.1.2.3');
  far('ping', '-c', '1', '-W', '1', '-b', '192.0.2.255');
  far('python3', '-c', SOLICIT);
  await sleep(20);
  const seen = new Set(received(fd));
  ok(seen.has('ff:ff:ff:ff:ff:ff'), [...seen].join(' '));
  ok(seen.has('01:00:5e:01:02:03'), [...seen].join(' '));
  ok(seen.has('33:33:ff:00:00:10'), [...seen].join(' '));
  equal(hostDatagrams(), before, 'the kernel received none of them');
}

inNamespace(import.meta.url, {
  'macvtap: everything is received, also after down and up': async (world) => {
    cableAway(world, 'eth0');
    const host = await world.start();
    await host.createGroupDevice(WITHOUT_ROUTES);
    const device = await host.attachInterface(nic('net0', 0, { uplink: 'eth0' }), 1);
    const fd = device.fds[0] ?? -1;
    await listensAndIsSilent(world, fd);
    for (const name of ['net0', 'eth0']) {
      world.ip('link', 'set', name, 'down');
      await sleep(100);
      world.ip('link', 'set', name, 'up');
      await sleep(200);
      await listensAndIsSilent(world, fd);
    }
  },

  'bridged TAP: the bridge does not answer': async (world) => {
    cableAway(world, 'eth1');
    world.bridge('br1', 'eth1');
    const host = await world.start();
    await host.createGroupDevice(WITHOUT_ROUTES);
    const device = await host.attachInterface(nic('net1', 1, { bridge: 'br1' }), 1);
    await listensAndIsSilent(world, device.fds[0] ?? -1);
  },
});
