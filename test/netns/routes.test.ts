/** The kernel chooses the next hop; each packet reaches the gateway that it chose. */

import { deepEqual, equal, ok } from 'node:assert/strict';
import { after, before, describe, test } from 'node:test';
import { LAN } from '../../src/lab/topology.ts';
import { TestHost } from './harness.ts';
import { Sniffer } from './sniffer.ts';
import { udpSend } from './udp-traffic.ts';

const [GATEWAY, GATEWAY_2] = LAN.gateways;
const PORT = 7000;

const COUNTERS = `table inet count {
  counter echo { }
  chain input {
    type filter hook input priority 0; policy accept
    ip daddr ${LAN.remote} icmp type echo-request counter name echo
  }
}
`;

describe('routes through the group', () => {
  let host: TestHost;

  before(async () => {
    host = await TestHost.raise({ gateways: 2 });
    for (const role of ['gw', 'gw2']) await host.run(role, ['nft', '-f', '-'], COUNTERS);
  });
  after(() => host?.lower());

  /** Echo requests for the remote address that each gateway has had since the last question. */
  async function echoCounts(): Promise<number[]> {
    const counts = [];
    for (const role of ['gw', 'gw2']) {
      const text = await host.run(role, ['nft', 'reset', 'counter', 'inet', 'count', 'echo']);
      counts.push(Number(/packets (\d+)/.exec(text)?.[1]));
    }
    return counts;
  }

  test('the default route of the configuration leads through the first gateway', async () => {
    const routes = (await host.ipJson('host', ['route', 'show', 'default'])) as object[];
    deepEqual(
      routes.map((route) => 'gateway' in route && route.gateway),
      [GATEWAY],
    );
    await echoCounts();
    deepEqual(await host.ping('host', LAN.remote), { answered: 3, duplicates: 0 });
    deepEqual(await echoCounts(), [3, 0]);
  });

  test('a firewall mark chooses the other gateway', async () => {
    await host.workspace.ip('host', [
      `route add default via ${GATEWAY_2} table 7`,
      'rule add fwmark 7 table 7',
    ]);
    equal((await host.ping('host', LAN.remote, { args: ['-m', '7'] })).answered, 3);
    equal((await host.ping('host', LAN.remote, { count: 5 })).answered, 5);
    deepEqual(await echoCounts(), [5, 3]);
  });

  test('of equal routes, each flow takes the one that the kernel names', async () => {
    await host.run('host', ['sh', '-c', 'echo 1 > /proc/sys/net/ipv4/fib_multipath_hash_policy']);
    await host.workspace.ip('host', [
      `route replace default nexthop via ${GATEWAY} nexthop via ${GATEWAY_2}`,
    ]);
    const filter = `udp dst port ${PORT}`;
    const sniffers = await Promise.all(
      ['gw', 'gw2'].map((role) =>
        Sniffer.start(host.workspace, { role, device: 'eth0', filter, args: ['-Q', 'in'] }),
      ),
    );
    const sourcePorts = Array.from({ length: 32 }, (_, index) => 20_000 + index);
    await udpSend(host.workspace, 'host', {
      address: LAN.remote,
      port: PORT,
      text: 'x',
      sourcePorts,
    });
    const expected: number[][] = [[], []];
    for (const port of sourcePorts) {
      const ports = ['sport', String(port), 'dport', String(PORT)];
      const [route] = (await host.ipJson('host', [
        'route',
        'get',
        LAN.remote,
        'from',
        LAN.data[0],
        'ipproto',
        'udp',
        ...ports,
      ])) as [{ gateway: string }];
      expected[route.gateway === GATEWAY ? 0 : 1]?.push(port);
    }
    ok(
      expected.every((ports) => ports.length > 0),
      'the kernel used both gateways',
    );
    for (const [index, sniffer] of sniffers.entries()) {
      const count = expected[index]?.length ?? 0;
      const lines = await sniffer.waitFor(/UDP/, 5000, count);
      const ports = lines.map((line) => Number(/\.(\d+) > /.exec(line)?.[1]));
      deepEqual(
        ports.sort((a, b) => a - b),
        expected[index],
      );
      await sniffer.stop();
    }
  });
});
