/** The group's device set down and up, and how large its frames may be. */

import { deepEqual, equal, match } from 'node:assert/strict';
import { after, before, describe, test } from 'node:test';
import { getJson } from '../../../src/lab/api.ts';
import { GROUP } from '../../../src/lab/configuration.ts';
import { LAN } from '../../../src/lab/topology.ts';
import { until } from '../../../src/lab/until.ts';
import { type KstatRow, statisticOf } from '../../tools/conservation.ts';
import { TestHost } from '../tools/harness.ts';
import { Sniffer } from '../tools/sniffer.ts';

const ALL = { answered: 3, duplicates: 0 };
const [GATEWAY] = LAN.gateways;

let host: TestHost;

before(async () => {
  host = await TestHost.raise({ group: { 'flap-damping': 'off' } });
});
after(() => host?.lower());

describe('the device of the group is set down', () => {
  /** How many of three requests are answered. */
  async function asked(address: string): Promise<number> {
    const argv = ['arping', '-c', '3', '-W', '0.1', '-i', 'eth0', address];
    const text = await host.run('gw', ['sh', '-c', '"$@" || true', '-', ...argv]);
    return text.match(/bytes from/g)?.length ?? 0;
  }

  test('its addresses are neither answered for nor announced, and are when it is up', async () => {
    const members = await Promise.all(host.topology.members.map((name) => host.memberMac(name)));
    const own = members.map((mac) => `ether src ${mac}`).join(' or ');
    await host.workspace.ip('host', [`link set ${GROUP} down`]);
    await until('nobody answers', 5000, async () => (await asked(LAN.data[0])) === 0);
    const { status, stdout } = await host.daemon.ipmpadm(['status', '--check']);
    deepEqual([status, /ipmp0 is set down/.test(stdout)], [4, true]);
    const sniffer = await Sniffer.start(host.workspace, {
      role: 'gw',
      device: 'eth0',
      filter: `arp and (${own})`,
    });
    // Each move of an address would be announced.
    for (const [at, uplink] of host.topology.uplinks.entries()) {
      const member = host.topology.members[at] ?? '';
      await host.topology.cut(uplink);
      await host.waitForState(member, 'failed');
      await host.topology.repair(uplink);
      await host.waitForState(member, 'ok');
    }
    for (const address of LAN.data) equal(await asked(address), 0, address);
    deepEqual(sniffer.lines, []);
    await host.workspace.ip('host', [`link set ${GROUP} up`]);
    for (const address of LAN.data) {
      await sniffer.waitFor(new RegExp(`${address}[, ].*(tell ${address}|is-at)`), 5000);
      await until(`${address} is answered for`, 5000, async () => (await asked(address)) === 3);
      deepEqual(await host.ping('gw', address), ALL);
    }
    await sniffer.stop();
    await host.daemon.waitUntilOk();
  });
});

describe('the MTU of the group', () => {
  async function tooBig(): Promise<bigint> {
    const rows = (await getJson(host.daemon.socket, '/v1/kstats')) as KstatRow[];
    return statisticOf(rows, 'drops', 'too_big');
  }

  async function waitForMtu(mtu: number): Promise<void> {
    await until(`the kernel has MTU ${mtu}`, 10_000, async () => {
      const text = await host.run('host', ['ip', 'link', 'show', 'dev', GROUP]);
      return text.includes(` mtu ${mtu} `) && (await host.daemon.group()).mtu === mtu;
    });
  }

  /** Waits until the log has it. */
  async function waitUntilTold(mtu: number, cause: string): Promise<void> {
    const line = new RegExp(`"event":"group-mtu".*"to":"${mtu}","cause":"${cause}"`);
    await until(`${mtu}: ${cause}`, 5000, () => line.test(host.daemon.log));
  }

  /** A request with a payload that must not be cut; what ping says. */
  async function pingWhole(payload: number): Promise<string> {
    const argv = ['ping', '-n', '-c', '3', '-i', '0.1', '-W', '1', '-M', 'do', '-s', `${payload}`];
    return await host.run('host', ['sh', '-c', '"$@" 2>&1 || true', '-', ...argv, GATEWAY]);
  }

  test('more than a member takes is capped, and the sender is told', async () => {
    const set = await host.daemon.ipmpadm(['group', 'set', GROUP, 'mtu=9000']);
    equal(set.status, 0, set.stderr);
    match((await host.daemon.ipmpadm(['config', 'show'])).stdout, /ipmp0\.mtu += 9000/);
    await waitUntilTold(1500, 'above-smallest-member');
    await waitForMtu(1500);
    match(await pingWhole(8000), /message too long, mtu=1500/i);
    await host.workspace.ip('host', ['link set eth1 mtu 1450']);
    await waitForMtu(1450);
    await waitUntilTold(1450, 'above-smallest-member');
    match(await pingWhole(8000), /message too long, mtu=1450/i);
    await host.workspace.ip('host', ['link set eth1 mtu 1500']);
    await waitForMtu(1500);
    match(await pingWhole(1472), /3 received/);
    equal(await tooBig(), 0n);
    await host.daemon.ipmpadm(['group', 'set', GROUP, 'mtu=auto']);
  });

  test('a NIC that takes less than 1280 is left out, and is used when it takes more', async () => {
    await host.workspace.ip('host', ['link set eth1 mtu 1279']);
    await until('net1 is left out', 5000, async () => {
      return !(await host.daemon.group()).active.includes('net1');
    });
    await until('the cause is shown', 5000, async () => {
      return (await host.daemon.interface('net1')).cause_text.includes('MTU of 1279');
    });
    await waitForMtu(1500);
    match(await pingWhole(1472), /3 received/);
    await until('net0 has both addresses', 5000, async () => {
      const rows = await Promise.all(LAN.data.map((address) => host.boundTo(address)));
      return rows.every(({ ifname }) => ifname === 'net0');
    });
    for (const address of LAN.data) deepEqual(await host.ping('gw', address), ALL);
    await host.workspace.ip('host', ['link set eth1 mtu 1280']);
    await host.daemon.waitUntilOk();
    await waitForMtu(1280);
    await host.workspace.ip('host', ['link set eth1 mtu 1500']);
    await waitForMtu(1500);
  });

  test('a frame that is longer than a NIC takes is counted', async () => {
    await host.workspace.ip('host', [`link set ${GROUP} mtu 2000`]);
    const before = await tooBig();
    match(await pingWhole(1473), /0 received/);
    await until('all are counted', 5000, async () => (await tooBig()) === before + 3n);
    match(await pingWhole(1472), /3 received/);
    equal(await tooBig(), before + 3n);
    await host.workspace.ip('host', [`link set ${GROUP} mtu 1500`]);
    await waitForMtu(1500);
  });
});
