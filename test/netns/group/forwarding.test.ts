/**
 * Packets of other hosts: the host's kernel forwards them through the group as through any device;
 * with `forwarding: false` none passes, and in IPv6 the device is one of a host, not of a router.
 */

import { deepEqual, equal, match } from 'node:assert/strict';
import { describe, test } from 'node:test';
import { GROUP } from '../../../src/lab/configuration.ts';
import { LANS, type Lan } from '../../../src/lab/topology.ts';
import { until } from '../../../src/lab/until.ts';
import { TestHost } from '../tools/harness.ts';
import { sniff } from '../tools/sniffer.ts';

/** The network behind the host, and the kernel's switch for forwarding by all devices. */
const BEHIND = {
  4: { host: '10.70.0.1/24', inside: '10.70.0.2', length: 24, setting: 'net.ipv4.ip_forward' },
  6: {
    host: '2001:db8:70::1/64',
    inside: '2001:db8:70::2',
    length: 64,
    setting: 'net.ipv6.conf.all.forwarding',
  },
} as const;

/** One advertisement of a router to all nodes; the kernel adds its checksum. */
const ADVERTISE = `
import socket
s = socket.socket(socket.AF_INET6, socket.SOCK_RAW, socket.IPPROTO_ICMPV6)
s.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_MULTICAST_HOPS, 255)
index = socket.if_nametoindex('eth0')
s.sendto(bytes([134, 0, 0, 0, 64, 0, 7, 8] + 8 * [0]), ('ff02::1', 0, 0, index))
`;

const host = TestHost.ofSuite({ ipv6: true }, async () => {
  const { workspace } = host;
  await workspace.addNamespace('inside', { ipv6: true });
  const far = workspace.namespaceOf('inside');
  await workspace.ip('host', [
    `link add name in0 type veth peer name eth0 netns ${far}`,
    `address add ${BEHIND[4].host} dev in0`,
    `address add ${BEHIND[6].host} dev in0 nodad`,
    'link set in0 up',
  ]);
  for (const { family, data } of LANS) {
    const { inside, length, host: near } = BEHIND[family];
    const flag = family === 4 ? '' : 'nodad';
    await workspace.ip('inside', [
      `address add ${inside}/${length} dev eth0 ${flag}`,
      'link set eth0 up',
      `route add default via ${near.replace(/\/.*/, '')}`,
    ]);
    await workspace.ip('gw', [`route add ${inside}/${length === 24 ? 32 : 128} via ${data[0]}`]);
  }
});

const sysctl = (name: string, value: number): Promise<string> =>
  host.run('host', ['sysctl', '-qw', `${name}=${value}`]);

/** Whether the gateway reaches the namespace behind the host. */
async function reaches({ family }: Lan): Promise<boolean> {
  const { inside } = BEHIND[family];
  return (await host.ping('gw', inside, { count: 2, silenceS: 0.5 })).answered > 0;
}

for (const lan of LANS) {
  test(`[contract 3.12] IPv${lan.family}: they go to the kernel, which decides`, async () => {
    const { inside, setting } = BEHIND[lan.family];
    await sysctl(setting, 1);
    await until('the path is there', 10_000, () => reaches(lan));
    await sysctl(setting, 0);
    equal(await reaches(lan), false, 'the kernel forwards nothing');

    await sysctl(setting, 1);
    await until('the path is back', 10_000, () => reaches(lan));
    await host.adm('group', 'set', GROUP, 'forwarding=off');
    equal(await reaches(lan), false);
    // The kernel sets the one of each device with these.
    await sysctl(setting, 0);
    await sysctl(setting, 1);
    const own = `net.ipv${lan.family}.conf.${GROUP}.forwarding`;
    await until('it is off again', 10_000, async () => {
      return (await host.run('host', ['sysctl', '-n', own])).trim() === '0';
    });
    equal(await reaches(lan), false);
    const sniffer = await sniff(host, `src ${inside}`);
    await host.ping('inside', lan.gateways[0], { count: 2, silenceS: 0.5 });
    await host.expectPing('gw', lan.data[0]);
    deepEqual(sniffer.lines, [], 'nothing leaves by the group');
    await sniffer.stop();
    await host.adm('group', 'set', GROUP, 'forwarding=on');
    await until('the path is back', 10_000, () => reaches(lan));
    const rules = await host.run('host', ['nft', 'list', 'table', 'inet', 'ipmpd']);
    equal(rules.includes(GROUP), false, rules);
  });
}

describe('advertisements of a router, while the kernel forwards IPv6', () => {
  const shown = (): Promise<string> =>
    host.run('host', ['ip', '-6', 'route', 'show', 'default', 'proto', 'ra']);

  /** Advertisements that the host's kernel has received. */
  async function received(): Promise<number> {
    const text = await host.run('host', ['nstat', '-asz', 'Icmp6InRouterAdvertisements']);
    return Number(/Icmp6InRouterAdvertisements\s+(\d+)/.exec(text)?.[1]);
  }

  /** The route that the kernel makes of one that it receives now. */
  async function routeOfOne(): Promise<string> {
    await host.run('host', ['ip', '-6', 'route', 'flush', 'proto', 'ra']);
    const before = await received();
    await host.run('gw', ['python3', '-c', ADVERTISE]);
    await until('it is received', 5000, async () => (await received()) > before);
    return await shown();
  }

  test('a group that does not forward takes them like the device of a host', async () => {
    await sysctl(BEHIND[6].setting, 1);
    await host.adm('group', 'set', GROUP, 'forwarding=off');
    match(await routeOfOne(), /default via fe80::\S+ dev ipmp0/);
  });

  test('one that forwards takes them where accept_ra is 2', async () => {
    await host.adm('group', 'set', GROUP, 'forwarding=on');
    equal(await routeOfOne(), '');
    await sysctl(`net.ipv6.conf.${GROUP}.accept_ra`, 2);
    match(await routeOfOne(), /default via fe80::\S+ dev ipmp0/);
  });
});
