/** Messages of routers about a path reach the host: a smaller MTU, an exceeded TTL. */

import { deepEqual, equal, match, ok } from 'node:assert/strict';
import { test } from 'node:test';
import { Transfer } from '../../../src/lab/measure/measure.ts';
import { LANS, type Topology } from '../../../src/lab/topology.ts';
import { until } from '../../../src/lab/until.ts';
import { describeFamilies } from '../tools/families.ts';
import { describeOn, WIRINGS } from '../tools/harness.ts';

/** The network behind the gateway: by its family, its two ends, and the headers of a ping. */
const FAR = {
  4: { router: '203.0.113.1', end: '203.0.113.2', prefixLength: 24, headers: 28 },
  6: { router: '2001:db8:2::1', end: '2001:db8:2::2', prefixLength: 64, headers: 48 },
} as const;
/** A header of TCP is longer than that of an echo request by this. */
const TCP_MORE = 12;
const FAR_MTU = 1400;
const LAN_MTU = 1500;
/** What the gateway forwards to the first data address: still less. */
const NEAR_MTU = 1300;

/**
 * A network behind the gateway, by a link with a smaller MTU; the way back is narrower still. The
 * far end offers the segments of a wide path, so that each sender has to learn of the narrow one.
 */
async function addFarNetwork({ workspace }: Topology): Promise<void> {
  await workspace.addNamespace('far', { ipv6: true });
  const namespace = workspace.namespaceOf('far');
  await workspace.ip('gw', [
    `link add name far0 mtu ${FAR_MTU} type veth peer name eth0 netns ${namespace}`,
    'link set far0 up',
  ]);
  await workspace.ip('far', [`link set eth0 mtu ${FAR_MTU} up`]);
  for (const { family, data } of LANS) {
    const { router, end, prefixLength, headers } = FAR[family];
    const [flag, whole] = family === 6 ? ['nodad', 128] : ['', 32];
    await workspace.ip('gw', [
      `address add ${router}/${prefixLength} dev far0 ${flag}`,
      `route add ${data[0]}/${whole} dev eth0 mtu lock ${NEAR_MTU}`,
    ]);
    await workspace.ip('far', [
      `address add ${end}/${prefixLength} dev eth0 ${flag}`,
      `route add default via ${router} advmss ${LAN_MTU - headers - TCP_MORE}`,
    ]);
  }
}

const OPTIONS = { ipv6: true, prepare: addFarNetwork };

describeOn(WIRINGS, 'a far network', OPTIONS, (host) => {
  describeFamilies(({ family, gateways, data }) => {
    const { end, headers } = FAR[family];
    test('the kernel learns the MTU of the path', async () => {
      equal((await host.ping('host', end)).answered, 3);
      const payload = String(LAN_MTU - headers);
      await host.ping('host', end, { count: 1, args: ['-M', 'do', '-s', payload] });
      const route = await host.run('host', ['ip', 'route', 'get', end]);
      match(route, new RegExp(`mtu ${FAR_MTU}`));
    });

    test('TCP passes whole, both ways at once, and each sender learns its MTU', async () => {
      const ways = [
        { from: 'host', to: 'far', address: end, mtu: FAR_MTU },
        { from: 'far', to: 'host', address: data[0], mtu: NEAR_MTU },
      ];
      const pass = async ({ from, to, address, mtu }: (typeof ways)[number]): Promise<void> => {
        await host.run(from, ['ip', `-${family}`, 'route', 'flush', 'cache']);
        const ends = { from, to, address, rate: 20_000_000 };
        const transfer = await Transfer.start(host.workspace, ends);
        await until('bytes arrive', 10_000, async () => (await transfer.offset()) > 2_000_000);
        const { sent, received } = await transfer.finish();
        deepEqual(received, sent);
        const route = await host.run(from, ['ip', 'route', 'get', address]);
        match(route, new RegExp(`mtu ${mtu}`));
      };
      await Promise.all(ways.map(pass));
    });

    test('traceroute sees the gateway and the end', async () => {
      // One probe at a time: the end answers six at once, and which of sixteen is random.
      const argv = ['traceroute', '-n', '-q', '1', '-N', '1', '-w', '2', end];
      const text = await host.run('host', argv);
      const hops = text
        .split('\n')
        .slice(1)
        .filter((line) => line.trim() !== '')
        .map((line) => line.trim().split(/\s+/)[1]);
      deepEqual(hops, [gateways[0], end], text);
    });

    test('an unreachable port is reported at once', async () => {
      const port = ['-U', '-p', '40000', gateways[0]];
      const text = await host.run('host', ['traceroute', '-n', '-q', '1', '-w', '2', ...port]);
      ok(text.includes(`1  ${gateways[0]}`), text);
    });
  });
});
