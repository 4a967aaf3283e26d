/**
 * IPv6 of the host's own stack on what a group lies on: it is there before the daemon starts, and
 * none while the daemon runs. The kernel sends nothing there by itself (no detection, no listener
 * report, no solicitation of routers), also when a cable is cut and repaired, and takes no
 * advertisement in. That it is put back is what restore.test.ts has.
 */

import { deepEqual, ok } from 'node:assert/strict';
import { test } from 'node:test';
import type { Topology } from '../../../src/lab/topology.ts';
import { until } from '../../../src/lab/until.ts';
import { ipFormat, ipParse } from '../../../src/wire/addr.ts';
import { describeOn, type TestHost, UNDAMPED, WIRINGS } from '../tools/harness.ts';
import { sniffUplinks } from '../tools/sniffer.ts';

/** One advertisement of a router with a prefix; the kernel adds its checksum. */
const ADVERTISE = `
import socket
s = socket.socket(socket.AF_INET6, socket.SOCK_RAW, socket.IPPROTO_ICMPV6)
s.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_MULTICAST_HOPS, 255)
prefix = bytes([3, 4, 64, 0xc0]) + bytes.fromhex('00000e1000000e1000000000')
prefix += bytes.fromhex('20010db8000700000000000000000000')
head = bytes([134, 0, 0, 0, 64, 0, 7, 8] + 8 * [0])
s.sendto(head + prefix, ('ff02::1', 0, 0, socket.if_nametoindex('eth0')))
`;
const ADVERTISED = '2001:db8:7:';

/** What the daemon takes. A TAP alone was wired by another program, which has what is below it. */
function takenOf({ options: { wiring }, uplinks, members }: Topology): readonly string[] {
  if (wiring === 'macvtap') return uplinks;
  return wiring === 'tap' ? members : [...uplinks, 'br0', 'br1'];
}

/** The addresses that the kernel makes of their MACs. */
async function possibleOf(topology: Topology): Promise<string[]> {
  const texts = takenOf(topology).map((name) => {
    return topology.workspace.runIn('host', ['cat', `/sys/class/net/${name}/address`]);
  });
  return (await Promise.all(texts)).map((mac) => {
    const [a = 0, b = 0, c = 0, d = 0, e = 0, f = 0] = mac
      .split(':')
      .map((one) => parseInt(one, 16));
    const words = [((a ^ 2) << 8) | b, (c << 8) | 0xff, 0xfe00 | d, (e << 8) | f];
    return ipFormat(ipParse(`fe80::${words.map((word) => word.toString(16)).join(':')}`) ?? 0n);
  });
}

/** The link-local addresses on these devices. */
async function addressesOf(topology: Topology): Promise<string[]> {
  const texts = takenOf(topology).map((name) => {
    return topology.workspace.runIn('host', ['ip', '-6', 'addr', 'show', 'dev', name]);
  });
  return (await Promise.all(texts)).flatMap((text) => text.match(/fe80::[0-9a-f:]+/g) ?? []);
}

async function enable(topology: Topology): Promise<void> {
  const files = takenOf(topology).map((name) => `/proc/sys/net/ipv6/conf/${name}/disable_ipv6`);
  const lines = files.map((file) => `echo 0 > ${file}`);
  await topology.workspace.runIn('host', ['sh', '-ec', lines.join('\n')]);
}

/** The members of a group that is raised, and each with its cable cut and repaired. */
async function cutAll(host: TestHost): Promise<void> {
  const { topology } = host;
  for (const uplink of topology.uplinks) {
    if (topology.options.wiring === 'tap') await topology.cut(uplink);
    else await host.fail(uplink);
    await topology.repair(uplink);
  }
  await host.daemon.waitUntilOk();
}

const OPTIONS = { ipv6: true, prepare: enable, ...UNDAMPED };

describeOn(WIRINGS, 'IPv6 of the host below a group', OPTIONS, (host) => {
  test('nothing is sent by the kernel or taken in, also after a cut cable', async () => {
    const { topology } = host;
    const possible = await possibleOf(topology);
    const sniffers = await sniffUplinks(host, 'ip6');
    await cutAll(host);
    await host.run('gw', ['python3', '-c', ADVERTISE]);
    const lines = await until('the group has an address of it', 20_000, async () => {
      const text = await host.run('host', ['ip', '-6', '-o', 'addr']);
      const found = text.split('\n').filter((line) => line.includes(ADVERTISED));
      return found.some((line) => !line.includes('tentative')) ? found : undefined;
    });
    deepEqual(
      lines.map((line) => line.includes(' ipmp0 ')),
      [true],
    );
    deepEqual(await addressesOf(topology), []);
    ok(sniffers.every((sniffer) => sniffer.lines.length > 0));
    const sent = sniffers.flatMap((sniffer) => sniffer.lines);
    deepEqual(
      sent.filter((line) => possible.some((address) => line.includes(address))),
      [],
    );
    for (const sniffer of sniffers) await sniffer.stop();
  });
});
