/** Messages of routers about a path reach the host: a smaller MTU, an exceeded TTL. */

import { deepEqual, equal, match, ok } from 'node:assert/strict';
import { test } from 'node:test';
import { Transfer } from '../../../src/lab/measure/measure.ts';
import { LAN, type Topology } from '../../../src/lab/topology.ts';
import { until } from '../../../src/lab/until.ts';
import { describeOn, WIRINGS } from '../tools/harness.ts';

const FAR = '203.0.113.2';
const FAR_MTU = 1400;

/** A network behind the gateway, by a link with a smaller MTU. */
async function addFarNetwork({ workspace }: Topology): Promise<void> {
  await workspace.addNamespace('far', { ipv6: false });
  const namespace = workspace.namespaceOf('far');
  await workspace.ip('gw', [
    `link add name far0 mtu ${FAR_MTU} type veth peer name eth0 netns ${namespace}`,
    'address add 203.0.113.1/24 dev far0',
    'link set far0 up',
  ]);
  await workspace.ip('far', [
    `address add ${FAR}/24 dev eth0`,
    `link set eth0 mtu ${FAR_MTU} up`,
    'route add default via 203.0.113.1',
  ]);
}

describeOn(WIRINGS, 'a far network', { prepare: addFarNetwork }, (host) => {
  test('the kernel learns the MTU of the path', async () => {
    equal((await host.ping('host', FAR)).answered, 3);
    await host.ping('host', FAR, { count: 1, args: ['-M', 'do', '-s', '1472'] });
    const route = await host.run('host', ['ip', 'route', 'get', FAR]);
    match(route, new RegExp(`mtu ${FAR_MTU}`));
  });

  test('TCP passes whole', async () => {
    await host.run('host', ['ip', 'route', 'flush', 'cache']);
    const ends = { from: 'host', to: 'far', address: FAR, rate: 20_000_000 };
    const transfer = await Transfer.start(host.workspace, ends);
    await until('bytes arrive', 10_000, async () => (await transfer.offset()) > 2_000_000);
    const { sent, received } = await transfer.finish();
    deepEqual(received, sent);
  });

  test('traceroute sees the gateway and the end', async () => {
    // One probe at a time: the end answers six at once, and which of sixteen is random.
    const argv = ['traceroute', '-n', '-q', '1', '-N', '1', '-w', '2', FAR];
    const text = await host.run('host', argv);
    const hops = text
      .split('\n')
      .slice(1)
      .filter((line) => line.trim() !== '')
      .map((line) => line.trim().split(/\s+/)[1]);
    deepEqual(hops, [LAN.gateways[0], FAR], text);
  });

  test('an unreachable port is reported at once', async () => {
    const argv = ['traceroute', '-n', '-q', '1', '-w', '2', '-U', '-p', '40000', LAN.gateways[0]];
    const text = await host.run('host', argv);
    ok(text.includes(`1  ${LAN.gateways[0]}`), text);
  });
});
