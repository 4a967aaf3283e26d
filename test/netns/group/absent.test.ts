/** A device that is deleted while it is open: the group lives, and takes it in again. */

import { deepEqual, equal, match, ok } from 'node:assert/strict';
import { describe, test } from 'node:test';
import { LAN, type Wiring } from '../../../src/lab/topology.ts';
import { until } from '../../../src/lab/until.ts';
import { TestHost } from '../tools/harness.ts';

const [GATEWAY] = LAN.gateways;
const ALL = { answered: 3, duplicates: 0 };
const OFF = { 'flap-damping': 'off' };

/** The other member goes on alone. */
async function expectDegraded(host: TestHost, lost: string): Promise<void> {
  await host.waitForState(lost, 'absent');
  const group = await host.daemon.group();
  equal(group.state, 'degraded');
  ok(!group.active.includes(lost));
  for (const { address, inbound } of await host.daemon.addresses()) {
    ok(inbound !== null && inbound !== lost, `${address} is bound to ${inbound}`);
  }
  deepEqual(await host.ping('host', GATEWAY), ALL);
  deepEqual(await host.ping('gw', LAN.data[0]), ALL);
}

/** Deletes a device of the host and waits for another one of its name. */
async function deleteAndWaitForAnother(host: TestHost, ifname: string): Promise<void> {
  const indexOf = async (): Promise<number | undefined> =>
    (await host.links('host')).find((link) => link.ifname === ifname)?.ifindex;
  const before = await indexOf();
  await host.workspace.ip('host', [`link del ${ifname}`]);
  await until(`another ${ifname}`, 10_000, async () => {
    const index = await indexOf();
    return index !== undefined && index !== before;
  });
}

/** Everything is as before. */
async function expectWhole(host: TestHost): Promise<void> {
  await host.daemon.waitUntilOk();
  deepEqual(await host.ping('host', GATEWAY), ALL);
  for (const address of LAN.data) deepEqual(await host.ping('gw', address), ALL);
}

/** A pair of veth ends in the place of one that was deleted. */
async function plugAgain(host: TestHost, uplink: string): Promise<void> {
  const { workspace, topology } = host;
  const { role, device } = topology.portOf(uplink);
  const namespace = workspace.namespaceOf(role);
  await workspace.ip('host', [
    `link add name ${uplink} type veth peer name ${device} netns ${namespace}`,
    `link set ${uplink} up`,
  ]);
  await workspace.ip(role, [`link set ${device} master lan`, `link set ${device} up`]);
}

describe('a device is deleted while it is open', () => {
  for (const wiring of ['macvtap', 'bridge'] satisfies Wiring[]) {
    test(`the one that we made, ${wiring}: it is made again`, async () => {
      const host = await TestHost.raise({ wiring, group: OFF });
      try {
        const { ifname } = await host.boundTo(LAN.data[0]);
        const echo = await host.echo(GATEWAY);
        await echo.mark('delete');
        await deleteAndWaitForAnother(host, ifname);
        await expectWhole(host);
        const { windows } = await echo.stop();
        ok((windows[1]?.longestGapMs ?? 1e9) < 500, JSON.stringify(windows));
      } finally {
        await host.lower();
      }
    });
  }

  test('the lower device of a macvtap', async () => {
    const host = await TestHost.raise({ wiring: 'macvtap', group: OFF });
    try {
      const { ifname, uplink } = await host.boundTo(LAN.data[0]);
      await host.workspace.ip('host', [`link del ${uplink}`]);
      await expectDegraded(host, ifname);
      await plugAgain(host, uplink);
      await expectWhole(host);
    } finally {
      await host.lower();
    }
  });

  test('a TAP that somebody else has made: we make it again, they wire it again', async () => {
    const host = await TestHost.raise({ wiring: 'tap', group: OFF });
    try {
      const { ifname, uplink } = await host.boundTo(LAN.data[0]);
      await deleteAndWaitForAnother(host, ifname);
      await host.workspace.ip('host', [
        `link set ${ifname} master br${uplink.slice(3)}`,
        `link set ${ifname} up`,
      ]);
      await expectWhole(host);
    } finally {
      await host.lower();
    }
  });

  test('the device of the group itself comes back with its addresses', async () => {
    const host = await TestHost.raise({ group: OFF });
    try {
      await host.workspace.ip('host', ['link del ipmp0']);
      await until('ping again', 15_000, async () => {
        return (await host.ping('host', GATEWAY, { count: 1 })).answered === 1;
      });
      await expectWhole(host);
    } finally {
      await host.lower();
    }
  });
});

describe('a device is missing at the start', () => {
  test('[contract 3.8] a group begins degraded and takes the NIC in when it appears', async () => {
    const host = await TestHost.raise({
      isRaw: true,
      group: OFF,
      prepare: (topology) => topology.workspace.ip('host', ['link del eth1']),
    });
    try {
      await expectDegraded(host, 'net1');
      await plugAgain(host, 'eth1');
      await expectWhole(host);
    } finally {
      await host.lower();
    }
  });

  test('[contract 3.5] an uplink with an address is refused, and taken in without it', async () => {
    const host = await TestHost.raise({
      isRaw: true,
      group: OFF,
      prepare: (topology) => topology.workspace.ip('host', ['address add 192.0.2.99/24 dev eth1']),
    });
    try {
      await host.waitForState('net0', 'ok');
      const { state, cause_text } = await host.daemon.interface('net1');
      equal(state, 'absent', cause_text);
      match(host.daemon.log, /"event":"device-refused","device":"net1","code":"EBUSY"/);
      await host.workspace.ip('host', ['address del 192.0.2.99/24 dev eth1']);
      await expectWhole(host);
    } finally {
      await host.lower();
    }
  });
});
