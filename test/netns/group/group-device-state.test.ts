/** The group's device set down and up, and how large its frames may be. */

import { deepEqual, equal, match } from 'node:assert/strict';
import { describe, test } from 'node:test';
import { GROUP } from '../../../src/lab/configuration.ts';
import { LAN } from '../../../src/lab/topology.ts';
import { until } from '../../../src/lab/until.ts';
import { statisticOf } from '../../tools/conservation.ts';
import { arping } from '../tools/arping.ts';
import { TestHost, UNDAMPED } from '../tools/harness.ts';
import { sniff } from '../tools/sniffer.ts';

const [GATEWAY] = LAN.gateways;

const host = TestHost.ofSuite(UNDAMPED);

describe('the device of the group is set down', () => {
  /** How many of three requests are answered. */
  async function answers(address: string): Promise<number> {
    return (await arping(host, address, 3)).match(/bytes from/g)?.length ?? 0;
  }

  test('its addresses are neither answered for nor announced, and are when it is up', async () => {
    const members = await Promise.all(host.topology.members.map((name) => host.memberMac(name)));
    const own = members.map((mac) => `ether src ${mac}`).join(' or ');
    await host.workspace.ip('host', [`link set ${GROUP} down`]);
    await until('there is no answer', 5000, async () => (await answers(LAN.data[0])) === 0);
    const { status, stdout } = await host.daemon.ipmpadm(['status', '--check']);
    deepEqual([status, /ipmp0 is set down/.test(stdout)], [4, true]);
    const sniffer = await sniff(host, `arp and (${own})`);
    // Each move of an address would be announced.
    for (const [at, uplink] of host.topology.uplinks.entries()) {
      const member = host.topology.members[at] ?? '';
      await host.fail(uplink);
      await host.topology.repair(uplink);
      await host.waitForState(member, 'ok');
    }
    for (const address of LAN.data) equal(await answers(address), 0, address);
    deepEqual(sniffer.lines, []);
    await host.workspace.ip('host', [`link set ${GROUP} up`]);
    for (const address of LAN.data) {
      await sniffer.waitFor(new RegExp(`${address}[, ].*(tell ${address}|is-at)`), 5000);
      await until(`${address} is answered for`, 5000, async () => (await answers(address)) === 3);
      await host.expectPing('gw', address);
    }
    await sniffer.stop();
    await host.daemon.waitUntilOk();
  });
});

describe('the MTU of the group', () => {
  const tooBig = async () => statisticOf(await host.kstats(), 'drops', 'too_big');

  /** Waits until the log has it. */
  async function waitForLog(mtu: number, cause: string): Promise<void> {
    const line = new RegExp(`"event":"group-mtu".*"to":"${mtu}","cause":"${cause}"`);
    await until(`${mtu}: ${cause}`, 5000, () => line.test(host.daemon.log));
  }

  /** Requests with a payload that must not be fragmented; returns the output of ping. */
  async function pingWhole(payload: number): Promise<string> {
    const options = ['-c', '3', '-i', '0.1', '-W', '1', '-M', 'do', '-s', `${payload}`];
    return await host.attempt('host', ['ping', '-n', ...options, GATEWAY]);
  }

  test('more than a member takes is capped, and senders learn the limit', async () => {
    await host.adm('group', 'set', GROUP, 'mtu=9000');
    match(await host.adm('config', 'show'), /ipmp0\.mtu += 9000/);
    await waitForLog(1500, 'above-smallest-member');
    await host.waitForMtu(1500);
    match(await pingWhole(8000), /message too long, mtu=1500/i);
    await host.workspace.ip('host', ['link set eth1 mtu 1450']);
    await host.waitForMtu(1450);
    await waitForLog(1450, 'above-smallest-member');
    match(await pingWhole(8000), /message too long, mtu=1450/i);
    await host.workspace.ip('host', ['link set eth1 mtu 1500']);
    await host.waitForMtu(1500);
    match(await pingWhole(1472), /3 received/);
    equal(await tooBig(), 0n);
    await host.adm('group', 'set', GROUP, 'mtu=auto');
  });

  test('[contract 3.13] the smallest of the members; one below 1280 is left out', async () => {
    await host.workspace.ip('host', ['link set eth1 mtu 1279']);
    await until('net1 is left out', 5000, async () => {
      return !(await host.daemon.group()).active.includes('net1');
    });
    await until('the cause is shown', 5000, async () => {
      return (await host.daemon.interface('net1')).cause_text.includes('MTU of 1279');
    });
    await host.waitForMtu(1500);
    match(await pingWhole(1472), /3 received/);
    await until('net0 has both addresses', 5000, async () => {
      const rows = await Promise.all(LAN.data.map((address) => host.boundTo(address)));
      return rows.every(({ ifname }) => ifname === 'net0');
    });
    for (const address of LAN.data) await host.expectPing('gw', address);
    await host.workspace.ip('host', ['link set eth1 mtu 1280']);
    await host.daemon.waitUntilOk();
    await host.waitForMtu(1280);
    await host.workspace.ip('host', ['link set eth1 mtu 1500']);
    await host.waitForMtu(1500);
  });

  test('[contract 3.4, 3.13] what a tool sets; a frame too long for a NIC is counted', async () => {
    await host.workspace.ip('host', [`link set ${GROUP} mtu 2000`]);
    await host.waitForMtu(2000);
    const before = await tooBig();
    match(await pingWhole(1473), /0 received/);
    await until('all are counted', 5000, async () => (await tooBig()) === before + 3n);
    match(await pingWhole(1472), /3 received/);
    equal(await tooBig(), before + 3n);
    await host.workspace.ip('host', [`link set ${GROUP} mtu 1500`]);
    await host.waitForMtu(1500);
  });
});
