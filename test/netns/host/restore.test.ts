/** What the host side changes is put back: at stop, after a refusal, and after SIGKILL. */

import { deepEqual, equal, match, ok, rejects } from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import type { Host } from '../../../src/host/host.ts';
import { native } from '../../../src/native/addon.ts';
import {
  differences,
  GROUP_SPEC,
  inNamespace,
  nic,
  openFakeNic,
  type World,
} from '../tools/host-world.ts';

const LARGE = {
  ...GROUP_SPEC,
  mtu: 1400,
  queues: 2,
  addresses: ['192.0.2.10/24', '2001:db8::10/64'],
};

/** Three wirings and a group, on devices that exist already where they may. */
async function attachAll(host: Host): Promise<void> {
  await host.attachInterface(nic('net0', 0, { uplink: 'eth0' }), 2);
  await host.attachInterface(nic('net1', 1, { bridge: 'br1' }), 1);
  await host.attachInterface(nic('net2', 2), 1);
  await host.attachInterface(nic('net3', 3, { bridge: 'br1' }), 2);
  await host.attachInterface(nic('net4', 4, { uplink: 'eth4' }), 2);
  await host.attachInterface(nic('net12', 12, { uplink: 'eth12' }), 2);
  const group = await host.createGroupDevice(LARGE);
  deepEqual(group.problems, []);
  equal(group.mtu, 1400);
  equal(group.fds.length, 2);
}

function prepare(world: World): void {
  world.cable('eth0', 'far0');
  world.cable('eth1', 'far1');
  world.ip('link', 'set', 'eth0', 'down');
  world.bridge('br1', 'eth1');
  world.ip('tuntap', 'add', 'net2', 'mode', 'tap');
  world.ip('tuntap', 'add', 'net3', 'mode', 'tap', 'multi_queue');
  world.cable('eth4', 'far4');
  world.cable('eth12', 'far12');
  // A group of devices that is not ours.
  world.ip('link', 'set', 'far12', 'group', String(0x69706d70));
  world.ip('link', 'add', 'link', 'eth4', 'name', 'net4', 'type', 'macvtap', 'mode', 'passthru');
  // The kernel gives a device its queueing discipline when it comes up for the first time.
  for (const tap of ['net2', 'net3', 'net4']) {
    world.ip('link', 'set', tap, 'up');
    world.ip('link', 'set', tap, 'down');
  }
}

/** In the child of a child: attaches everything, then waits to be killed. */
async function takeAndWait(world: World): Promise<void> {
  const host = await world.start();
  await attachAll(host);
  process.stdout.write('attached\n');
  await once(process.stdin, 'end');
}

async function crash(): Promise<void> {
  const child = spawn(process.execPath, [process.argv[1] ?? ''], {
    env: { ...process.env, IPMPD_HOST_TEST_BODY: 'helper: taken and held' },
    stdio: ['pipe', 'pipe', 'inherit'],
  });
  await once(child.stdout, 'data');
  child.kill('SIGKILL');
  await once(child, 'exit');
}

inNamespace(import.meta.url, {
  'attached and detached, the namespace is exactly as before': async (world) => {
    prepare(world);
    const before = await world.settledSnapshot();
    const host = world.newHost();
    equal(await host.start(), 0);
    await attachAll(host);
    ok(world.ip('link', 'show', 'eth0').includes('NOARP'));
    match(world.ip('-d', 'link', 'show', 'net0'), /ALLMULTI.*macvtap mode passthru/s);
    equal(readFileSync('/proc/sys/net/ipv6/conf/br1/disable_ipv6', 'utf8'), '1\n');
    equal(readFileSync('/proc/sys/net/ipv4/conf/ipmp0/promote_secondaries', 'utf8'), '1\n');
    match(world.ip('route'), /default via 192.0.2.1 dev ipmp0 proto static/);
    const rules = String(world.snapshot().rules);
    match(rules, /hook prerouting priority raw.*iifname "eth0" counter\s+drop/s);
    match(rules, /hook ingress device "br1" priority -300; policy accept;\s+counter\s+drop/);
    match(
      rules,
      /hook ingress device "eth0" priority -300; policy accept;[^}]*frag-off[^}]*counter/,
    );
    await world.stop(host);
    await sleep(50);
    deepEqual(differences(before, await world.settledSnapshot()), []);
    equal(existsSync(join(world.folder, 'journal')), false);
  },

  'a killed daemon: the next start puts everything back': async (world) => {
    prepare(world);
    const before = await world.settledSnapshot();
    await crash();
    ok(world.ip('link').includes('net0@eth0'), 'the macvtap outlives the daemon');
    ok(world.ip('link', 'show', 'eth0').includes('NOARP'));
    ok(!String(world.snapshot().rules).includes('ipmpd'), 'the table goes with its owner');
    const host = world.newHost();
    ok((await host.start()) > 0);
    deepEqual(differences(before, await world.settledSnapshot()), []);
    await attachAll(host);
    await world.stop(host);
    await sleep(50);
    deepEqual(differences(before, await world.settledSnapshot()), []);
  },

  'a refusal changes nothing: addresses, routes, foreign names, absent devices': async (world) => {
    prepare(world);
    world.cable('eth6', 'far6');
    world.ip('addr', 'add', '198.51.100.1/24', 'dev', 'eth6');
    world.cable('eth5', 'far5');
    world.ip('route', 'add', '203.0.113.0/24', 'dev', 'eth5');
    world.ip('link', 'add', 'net8', 'type', 'bridge');
    const before = await world.settledSnapshot();
    const host = await world.start();
    const refusal = (code: string, message: RegExp) => ({ code, message });
    const attach = (name: string, lower: { uplink?: string; bridge?: string }) =>
      host.attachInterface(nic(name, 9, lower), 1);
    await rejects(attach('net6', { uplink: 'eth6' }), refusal('EBUSY', /eth6.*198.51.100.1\/24/));
    await rejects(
      attach('net7', { uplink: 'eth4' }),
      refusal('EBUSY', /eth4 is busy: net4 \(macvtap\) is on it/),
    );
    await rejects(attach('net5', { uplink: 'eth5' }), refusal('EBUSY', /route 203.0.113.0\/24/));
    await rejects(attach('net8', { uplink: 'eth0' }), refusal('EEXIST', /not a macvtap/));
    await rejects(attach('net7', { uplink: 'nope' }), refusal('ENODEV', /no uplink nope/));
    await rejects(attach('net11', { bridge: 'eth0' }), refusal('EINVAL', /not a bridge/));
    await rejects(attach('net9', { uplink: 'eth1' }), refusal('EBUSY', /port of another/));
    const busy = openFakeNic('net10');
    await rejects(attach('net10', {}), refusal('EBUSY', /net10 is held by node \(process \d+\)/));
    native.deviceClose(busy);
    await rejects(
      host.createGroupDevice({ ...LARGE, mtu: 1279 }),
      refusal('EINVAL', /1280 or more/),
    );
    await host.refresh();
    deepEqual(differences(before, await world.settledSnapshot()), []);
  },

  'a second daemon is refused by name, and the first is untouched': async (world) => {
    prepare(world);
    const first = await world.start();
    await attachAll(first);
    const during = await world.settledSnapshot();
    const second = world.newHost();
    const message = new RegExp(`process ${process.pid} `);
    await rejects(second.start(), { code: 'EBUSY', message });
    const other = await world.start({ journalPath: join(world.folder, 'other') });
    world.cable('eth7', 'far7');
    const attach = other.attachInterface(nic('net7', 7, { uplink: 'eth7' }), 1);
    await rejects(attach, { code: 'EBUSY' });
    await rejects(other.attachInterface(nic('net3', 3), 2), /EBUSY|held by/);
    await world.stop(other);
    // The rules of the first are not those of the other.
    match(world.log.join(), /^the rules will be written anew: .*EPERM/);
    world.mayLog = true;
    world.ip('link', 'del', 'eth7');
    deepEqual(differences(during, await world.settledSnapshot()), []);
  },

  'helper: taken and held': takeAndWait,
});
