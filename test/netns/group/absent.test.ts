/** A device is deleted while it is open: the group goes on, and uses the one that replaces it. */

import { equal, match, ok } from 'node:assert/strict';
import { describe } from 'node:test';
import { LAN, type Topology } from '../../../src/lab/topology.ts';
import { until } from '../../../src/lab/until.ts';
import { hostTest, type TestHost, UNDAMPED } from '../tools/harness.ts';

const [GATEWAY] = LAN.gateways;

/** The other member carries all traffic. */
async function expectDegraded(host: TestHost, lost: string): Promise<void> {
  await host.waitForState(lost, 'absent');
  const group = await host.daemon.group();
  equal(group.state, 'degraded');
  ok(!group.active.includes(lost));
  for (const { address, inbound } of await host.daemon.addresses()) {
    ok(inbound !== null && inbound !== lost, `${address} is bound to ${inbound}`);
  }
  await host.expectPing('host', GATEWAY);
  await host.expectPing('gw', LAN.data[0]);
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

/** All members are active, and there is traffic both ways. */
async function expectWhole(host: TestHost): Promise<void> {
  await host.daemon.waitUntilOk();
  await host.expectTraffic();
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
  for (const wiring of ['macvtap', 'bridge'] as const) {
    const options = { wiring, ...UNDAMPED };
    hostTest(`a device of the daemon, ${wiring}: it is made again`, options, async (host) => {
      const { ifname } = await host.boundTo(LAN.data[0]);
      const echo = await host.echo(GATEWAY);
      await echo.mark('delete');
      await deleteAndWaitForAnother(host, ifname);
      await expectWhole(host);
      const { windows } = await echo.stop();
      ok((windows[1]?.longestGapMs ?? 1e9) < 500, JSON.stringify(windows));
    });
  }

  hostTest('the lower device of a macvtap', UNDAMPED, async (host) => {
    const { ifname, uplink } = await host.boundTo(LAN.data[0]);
    await host.workspace.ip('host', [`link del ${uplink}`]);
    await expectDegraded(host, ifname);
    await plugAgain(host, uplink);
    await expectWhole(host);
  });

  const ofTap = { wiring: 'tap', ...UNDAMPED } as const;
  hostTest(
    'a TAP of another program: the daemon makes it again, bridged again',
    ofTap,
    async (host) => {
      const { ifname, uplink } = await host.boundTo(LAN.data[0]);
      await deleteAndWaitForAnother(host, ifname);
      await host.workspace.ip('host', [
        `link set ${ifname} master br${uplink.slice(3)}`,
        `link set ${ifname} up`,
      ]);
      await expectWhole(host);
    },
  );

  hostTest(
    'the device of the group itself comes back with its addresses',
    UNDAMPED,
    async (host) => {
      await host.workspace.ip('host', ['link del ipmp0']);
      await host.waitForPing('host', GATEWAY, 15_000);
      await expectWhole(host);
    },
  );
});

/** A host whose second NIC cannot be used when the daemon starts. */
function without(command: string) {
  const prepare = ({ workspace }: Topology): Promise<void> => workspace.ip('host', [command]);
  return { isRaw: true, prepare, ...UNDAMPED };
}

hostTest(
  '[contract 3.8] a group begins degraded, and uses a NIC that appears later',
  without('link del eth1'),
  async (host) => {
    await expectDegraded(host, 'net1');
    await plugAgain(host, 'eth1');
    await expectWhole(host);
  },
);

hostTest(
  '[contract 3.5] an uplink with an address, or without multicast, is refused, and used later',
  without('address add 192.0.2.99/24 dev eth1'),
  async (host) => {
    await host.waitForState('net0', 'ok');
    const { state, cause_text } = await host.daemon.interface('net1');
    equal(state, 'absent', cause_text);
    match(host.daemon.log, /"event":"device-refused","device":"net1","code":"EBUSY"/);
    await host.workspace.ip('host', ['link set eth1 multicast off']);
    await host.workspace.ip('host', ['address del 192.0.2.99/24 dev eth1']);
    const unfit = /"event":"device-refused","device":"net1","code":"ENOTSUP"/;
    await until('a refusal for want of multicast', 10_000, async () => {
      return unfit.test(host.daemon.log);
    });
    await host.workspace.ip('host', ['link set eth1 multicast on']);
    await expectWhole(host);
  },
);
