/** Two thousand link events while the daemon is stopped: the kernel overflows its socket. */

import { equal } from 'node:assert/strict';
import { LAN } from '../../../src/lab/topology.ts';
import { until } from '../../../src/lab/until.ts';
import { hostTest, UNDAMPED } from '../tools/harness.ts';

const ROUNDS = 500;

hostTest(
  '2,000 link events while the daemon is stopped: the state is right afterwards',
  UNDAMPED,
  async (host) => {
    const { pid } = host.daemon.process;
    process.kill(pid ?? 0, 'SIGSTOP');
    try {
      // Two events a round from a device of no concern, two from the carrier of eth1 on the way.
      await host.workspace.ip('host', ['link add name busy0 type veth peer name busy1']);
      const toggles = Array.from({ length: ROUNDS }, () => [
        'link set busy0 up',
        'link set busy1 up',
        'link set busy1 down',
        'link set busy0 down',
      ]);
      await host.workspace.ip('host', toggles.flat());
      await host.workspace.ip('host', ['address add 192.0.2.31/24 dev ipmp0']);
      await host.workspace.ip('host', [`address del ${LAN.data[1]}/24 dev ipmp0`]);
      await host.topology.cut('eth0');
    } finally {
      process.kill(pid ?? 0, 'SIGCONT');
    }
    await host.waitForState('net0', 'failed');
    await until('the addresses are those of the device', 10_000, async () => {
      const rows = await host.daemon.addresses();
      const bound = rows.filter((row) => row.inbound === 'net1').map((row) => row.address);
      return bound.sort().join() === `${LAN.data[0]}/24,192.0.2.31/24`;
    });
    await host.expectPing('gw', '192.0.2.31');
    equal((await host.ping('gw', LAN.data[1], { count: 1 })).answered, 0);
    await host.topology.repair('eth0');
    await host.daemon.waitUntilOk();
    await host.expectPing('host', LAN.gateways[0]);
  },
);
