/** A port of the host's own bridge that has carrier and does not forward is no way out. */

import { deepEqual, equal, ok } from 'node:assert/strict';
import { after, before, describe, test } from 'node:test';
import { LAN } from '../../../src/lab/topology.ts';
import { until } from '../../../src/lab/until.ts';
import { TestHost } from '../tools/harness.ts';

/** By number, as in linux/if_bridge.h. */
const STATES = ['disabled', 'listening', 'learning', 'forwarding'];
/** In hundredths of a second: the least that the kernel takes; a port waits for twice that. */
const FORWARD_DELAY = 200;

describe('spanning tree on the bridges of the host', () => {
  let host: TestHost;

  before(async () => {
    // What leaves from an address leaves by the NIC of that address.
    const group = { 'flap-damping': 'off', spreading: 'address' };
    host = await TestHost.raise({ wiring: 'bridge', group });
  });
  after(() => host?.lower());

  async function portState(port: string): Promise<string> {
    const rows = JSON.parse(await host.run('host', ['bridge', '-json', 'link'])) as {
      ifname: string;
      state: string;
    }[];
    return rows.find(({ ifname }) => ifname === port)?.state ?? 'none';
  }

  async function waitForPort(port: string, state: string, withinMs: number): Promise<void> {
    await until(`${port} is ${state}`, withinMs, async () => (await portState(port)) === state);
  }

  async function setPort(port: string, state: string): Promise<void> {
    const argv = ['bridge', 'link', 'set', 'dev', port, 'state', String(STATES.indexOf(state))];
    await host.run('host', argv);
    equal(await portState(port), state);
  }

  async function waitForLink(member: string, link: string): Promise<void> {
    await until(`${member} is ${link}`, 5000, async () => {
      return (await host.daemon.interface(member)).link === link;
    });
  }

  test('a port that is set to listening is down, and up when it forwards', async () => {
    for (const state of ['listening', 'learning']) {
      await setPort('eth1', state);
      await waitForLink('net1', 'down');
      await host.waitForState('net1', 'failed');
      equal((await host.boundTo(LAN.data[1])).ifname, 'net0');
      await until('the gateway has learnt it', 5000, async () => {
        return (await host.ping('gw', LAN.data[1])).answered === 3;
      });
      await setPort('eth1', 'forwarding');
      await waitForLink('net1', 'up');
      await host.daemon.waitUntilOk();
    }
  });

  test('after a repair nothing is sent before the port forwards', async () => {
    // The kernel sends from the first address.
    const { ifname, uplink } = await host.boundTo(LAN.data[0]);
    const bridge = `br${host.topology.uplinks.indexOf(uplink)}`;
    const stp = `type bridge stp_state 1 forward_delay ${FORWARD_DELAY}`;
    await host.workspace.ip('host', [`link set ${bridge} ${stp}`]);
    await waitForPort(uplink, 'forwarding', 20_000);
    await host.daemon.waitUntilOk();
    const echo = await host.echo(LAN.gateways[0]);
    await host.fail(uplink);
    await host.topology.repair(uplink);
    await echo.mark('repaired');
    await waitForPort(uplink, 'listening', 5000);
    const early: string[] = [];
    await until('the port forwards', 20_000, async () => {
      const { link } = await host.daemon.interface(ifname);
      const state = await portState(uplink);
      if (link === 'up' && state !== 'forwarding') early.push(state);
      return state === 'forwarding';
    });
    deepEqual(early, []);
    await waitForLink(ifname, 'up');
    await host.daemon.waitUntilOk();
    equal((await host.boundTo(LAN.data[0])).ifname, ifname);
    const { windows } = await echo.stop();
    const { sent, lost, longestGapMs } = windows[1] ?? { sent: 0, lost: 1, longestGapMs: 1e9 };
    // Sent into the port before it forwards, all would be lost for twice the delay.
    ok(longestGapMs < FORWARD_DELAY * 5 && lost < sent / 20, JSON.stringify(windows));
    await host.workspace.ip('host', [`link set ${bridge} type bridge stp_state 0`]);
  });
});
