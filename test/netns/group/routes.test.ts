/** The kernel chooses the next hop; each packet reaches the gateway that it chose. */

import { deepEqual, ok } from 'node:assert/strict';
import { before, describe, test } from 'node:test';
import { LANS, type Lan } from '../../../src/lab/topology.ts';
import { describeOn, type TestHost, WIRINGS } from '../tools/harness.ts';
import { sniff } from '../tools/sniffer.ts';
import { udpSend } from '../tools/udp-traffic.ts';

/** A port without a protocol that tcpdump knows: its lines have "UDP". */
const PORT = 6543;

/** Requests of one ping that the gateways count; ping sends more when an answer is late. */
const ECHOES = 5;

/** Words of nftables for an echo request, and the kernel's setting for the hash of a flow. */
const OF_FAMILY = {
  4: { match: 'ip daddr', echo: 'icmp type echo-request icmp', hash: 'ipv4/fib_multipath' },
  6: { match: 'ip6 daddr', echo: 'icmpv6 type echo-request icmpv6', hash: 'ipv6/fib_multipath' },
} as const;

function countersOf({ family, remote }: Lan): string {
  const { match, echo } = OF_FAMILY[family];
  return `table inet count${family} {
  counter echo { }
  chain input {
    type filter hook input priority 0; policy accept
    ${match} ${remote} ${echo} sequence <= ${ECHOES} counter name echo
  }
}
`;
}

describeOn(WIRINGS, 'routes through the group', { gateways: 2, ipv6: true }, (host) => {
  for (const lan of LANS) describe(`IPv${lan.family}`, () => routesOf(host, lan));
});

/** The kernel chooses by configuration, by rule and by hash; each choice is counted. */
function routesOf(host: TestHost, lan: Lan): void {
  const { family, gateways, remote } = lan;
  const [gateway, gateway2] = gateways;
  const ip = `-${family}`;

  before(async () => {
    for (const role of ['gw', 'gw2']) await host.run(role, ['nft', '-f', '-'], countersOf(lan));
  });

  /** Pings the remote address; all requests must be answered, by whichever gateway. */
  async function pingRemote(...args: string[]): Promise<void> {
    const got = await host.ping('host', remote, { count: ECHOES, args });
    deepEqual(got, { answered: ECHOES, duplicates: 0 });
  }

  /** How many of the first ECHOES requests came to each gateway since the last call. */
  async function echoCounts(): Promise<number[]> {
    const counts = [];
    for (const role of ['gw', 'gw2']) {
      const counter = ['inet', `count${family}`, 'echo'];
      const text = await host.run(role, ['nft', 'reset', 'counter', ...counter]);
      counts.push(Number(/packets (\d+)/.exec(text)?.[1]));
    }
    return counts;
  }

  test('[contract 3.19] the configured default route leads to the first gateway', async () => {
    const routes = (await host.ipJson('host', [ip, 'route', 'show', 'default'])) as object[];
    deepEqual(
      routes.map((route) => 'gateway' in route && route.gateway),
      [gateway],
    );
    await echoCounts();
    await pingRemote();
    deepEqual(await echoCounts(), [ECHOES, 0]);
  });

  test('a firewall mark chooses the other gateway', async () => {
    await host.run('host', ['ip', ip, 'route', 'add', 'default', 'via', gateway2, 'table', '7']);
    await host.run('host', ['ip', ip, 'rule', 'add', 'fwmark', '7', 'table', '7']);
    await pingRemote('-m', '7');
    deepEqual(await echoCounts(), [0, ECHOES]);
    await pingRemote();
    deepEqual(await echoCounts(), [ECHOES, 0]);
  });

  test('[contract 3.4] of equal routes, each flow takes the one the kernel chooses', async () => {
    const setting = `/proc/sys/net/${OF_FAMILY[family].hash}_hash_policy`;
    await host.run('host', ['sh', '-c', `echo 1 > ${setting}`]);
    const hops = ['nexthop', 'via', gateway, 'nexthop', 'via', gateway2];
    await host.run('host', ['ip', ip, 'route', 'replace', 'default', ...hops]);
    // A switch that has not learnt a gateway's place yet gives its frames to both.
    const sniffers = await Promise.all(
      ['gw', 'gw2'].map(async (role) => {
        const mac = await host.macOf(role, 'eth0');
        return await sniff(host, `udp dst port ${PORT} and ether dst ${mac}`, { role });
      }),
    );
    const sourcePorts = Array.from({ length: 32 }, (_, index) => 20_000 + index);
    const datagram = { address: remote, port: PORT, text: 'x', sourcePorts };
    await udpSend(host.workspace, 'host', datagram);
    const expected: number[][] = [[], []];
    for (const port of sourcePorts) {
      // Without `from`, as the sender's socket is unbound: the kernel hashes before it has chosen
      // a source address, and prefers hops that match one that is given.
      const flow = `ipproto udp sport ${port} dport ${PORT}`.split(' ');
      const found = await host.ipJson('host', ['route', 'get', remote, ...flow]);
      const [route] = found as [{ gateway: string }];
      expected[route.gateway === gateway ? 0 : 1]?.push(port);
    }
    for (const ports of expected) ok(ports.length > 0, 'the kernel used both gateways');
    for (const [index, sniffer] of sniffers.entries()) {
      const count = expected[index]?.length ?? 0;
      const lines = await sniffer.waitFor(/UDP/, 5000, count);
      const ports = lines.map((line) => Number(/\.(\d+) > /.exec(line)?.[1]));
      deepEqual(
        ports.toSorted((a, b) => a - b),
        expected[index],
      );
      await sniffer.stop();
    }
  });
}
