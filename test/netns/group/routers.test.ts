/**
 * IPv6 routers of the LAN, by programs of others: what radvd and dnsmasq advertise reaches the host
 * once, whatever NIC it comes to; addresses made of it are data addresses like any others.
 */

import { deepEqual, equal, match } from 'node:assert/strict';
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, test } from 'node:test';
import { GROUP } from '../../../src/lab/configuration.ts';
import { isServed } from '../../../src/lab/daemon-process.ts';
import { LAN6 } from '../../../src/lab/topology.ts';
import { until } from '../../../src/lab/until.ts';
import { extracted, whyNot } from '../../tools/extracted.ts';
import { describeOn, type TestHost, UNDAMPED, WIRINGS } from '../tools/harness.ts';
import { outputOf } from '../tools/programs.ts';
import { sniff, sniffUplinks } from '../tools/sniffer.ts';

/** Advertised on the link, and leased: networks that no address of the configuration is in. */
const ADVERTISED = '2001:db8:5:';
const LEASED = '2001:db8:6:';
const RADVD = extracted('radvd');
const RDISC6 = extracted('rdisc6');
const NDISC6 = extracted('ndisc6');

/** Intervals below 3 s want an option of mobile hosts (RFC 6275 7.5). */
const RADVD_CONFIGURATION = `interface eth0 {
  AdvSendAdvert on;
  AdvIntervalOpt on;
  MinRtrAdvInterval 0.3;
  MaxRtrAdvInterval 0.5;
  MinDelayBetweenRAs 0.1;
  AdvLinkMTU 1400;
  prefix ${ADVERTISED}:/64 { };
};
`;

/** dhclient's own script would write the machine's resolv.conf; this one sets the address alone. */
const DHCLIENT_SCRIPT = `#!/bin/sh
case "$reason" in
  BOUND6|RENEW6|REBIND6|REBOOT6)
    ip -6 address replace "$new_ip6_address/128" dev "$interface" ;;
esac
exit 0
`;

/** The address that begins with `prefix`, when daemon and kernel are done with detection. */
async function served(host: TestHost, prefix: string): Promise<string> {
  return await until(`an address of ${prefix}`, 30_000, async () => {
    const rows = await host.daemon.addresses();
    const row = rows.find((one) => one.address.startsWith(prefix) && isServed(one));
    return row?.address.replace(/\/.*/, '');
  });
}

/** Advertisements of routers that the host's kernel has taken in. */
async function received(host: TestHost): Promise<number> {
  const text = await host.run('host', ['nstat', '-asz', 'Icmp6InRouterAdvertisements']);
  return Number(/Icmp6InRouterAdvertisements\s+(\d+)/.exec(text)?.[1]);
}

const OPTIONS = { ipv6: true, ...UNDAMPED };

describeOn(WIRINGS, 'routers', OPTIONS, (host) => {
  describe('radvd', { skip: RADVD === undefined && whyNot('radvd', 'radvd') }, () => {
    test('an advertisement reaches the host once: an address, a route, an MTU', async () => {
      const { workspace } = host;
      await workspace.ip('gw', [`address add ${ADVERTISED}:1/64 dev eth0 nodad`]);
      const file = join(workspace.folder, 'radvd.conf');
      writeFileSync(file, RADVD_CONFIGURATION);
      const sent = await sniff(host, 'icmp6 and ip6[40] = 134', { args: ['-Q', 'out'] });
      const before = await received(host);
      const pid = join(workspace.folder, 'radvd.pid');
      const argv = [RADVD ?? '', '-n', '-C', file, '-p', pid, '-m', 'stderr', '-d', '1'];
      const child = workspace.start(argv, { role: 'gw' });
      const address = await served(host, ADVERTISED);
      await host.expectPing('gw', address);
      const routes = await host.run('host', ['ip', '-6', 'route', 'show', 'dev', GROUP]);
      match(routes, /default via fe80::\S+ proto ra/);
      const mtu = `/proc/sys/net/ipv6/conf/${GROUP}/mtu`;
      equal((await host.run('host', ['cat', mtu])).trim(), '1400');
      // Two more, so that one on its way does not count.
      await sent.waitFor(/router advertisement/, 20_000, sent.lines.length + 2);
      await workspace.stop(child);
      await until('as many came', 5000, async () => {
        return (await received(host)) - before === sent.lines.length;
      });
      await sent.stop();
    });

    test('the address survives the loss of the NIC that it is bound to', async () => {
      const address = await served(host, ADVERTISED);
      const { uplink } = await host.boundTo(address);
      if (host.topology.options.wiring === 'tap') return;
      await host.fail(uplink);
      await host.expectPing('gw', address);
      await host.topology.repair(uplink);
      await host.daemon.waitUntilOk();
    });
  });

  test('a solicitation leaves once, with the MAC of the NIC in its option', async () => {
    const sniffers = await sniffUplinks(host, 'icmp6 and ip6[40] = 133', ['-Q', 'in', '-v']);
    const argv = [RDISC6 ?? '', '-1', '-w', '100', '-r', '1', GROUP];
    if (RDISC6 === undefined)
      await host.workspace.ip('host', [`link set ${GROUP} down`, `link set ${GROUP} up`]);
    else await host.attempt('host', argv);
    await until('a solicitation', 5000, () => sniffers.some(({ lines }) => lines.length > 0));
    const text = sniffers.flatMap(({ lines }) => lines).join('\n');
    const frames = /(\S+) > 33:33:00:00:00:02,[^\n]* (\S+) > ff02::2:[^\n]*\n.*\(1\): (\S+)/g;
    const sent = [...text.matchAll(frames)].map(([, mac, source = '', option]) => {
      return { mac, source, option };
    });
    equal(sent.length, 1, text);
    for (const { mac, source, option } of sent) {
      const expected = await host.memberMac((await host.boundTo(source)).ifname);
      deepEqual([mac, option], [expected, expected]);
    }
    for (const sniffer of sniffers) await sniffer.stop();
  });

  test('ndisc6 of another station gets the MAC of the NIC', {
    skip: NDISC6 === undefined && whyNot('ndisc6', 'ndisc6'),
  }, async () => {
    for (const address of LAN6.data) {
      const { ifname } = await host.boundTo(address);
      const text = await host.run('gw', [NDISC6 ?? '', '-1', address, 'eth0']);
      match(text.toLowerCase(), new RegExp(await host.memberMac(ifname)));
    }
  });

  test('a lease of DHCPv6: Debian’s dhclient against dnsmasq', async () => {
    const { workspace } = host;
    const file = (name: string): string => join(workspace.folder, `six-${name}`);
    writeFileSync(file('script'), DHCLIENT_SCRIPT, { mode: 0o755 });
    await workspace.ip('gw', [`address add ${LEASED}:1/64 dev eth0 nodad`]);
    const server = [
      ...['dnsmasq', '--keep-in-foreground', '--conf-file=/dev/null', '--user=root', '--port=0'],
      ...['--interface=eth0', '--bind-interfaces', '--dhcp-authoritative'],
      `--dhcp-range=${LEASED}:100,${LEASED}:1ff,64,1h`,
      ...[`--dhcp-leasefile=${file('leases')}`, `--pid-file=${file('dnsmasq.pid')}`],
      ...['--log-facility=-', '--log-dhcp'],
    ];
    const dnsmasq = workspace.start(server, { role: 'gw' });
    const serverLog = outputOf(dnsmasq);
    await until('dnsmasq is ready', 5000, () => serverLog().includes('DHCPv6, IP range'));
    const files = [
      ...['-sf', file('script'), '-lf', file('client.leases')],
      ...['-pf', file('dhclient.pid'), '-cf', '/dev/null'],
    ];
    const client = workspace.start(['dhclient', '-6', '-1', '-d', ...files, GROUP], {
      role: 'host',
    });
    const clientLog = outputOf(client);
    const address = await served(host, LEASED).catch((error: Error) => {
      throw new Error(`${error.message}\n${serverLog().slice(-600)}\n${clientLog().slice(-600)}`);
    });
    await workspace.ip('host', [`route replace ${LEASED}:/64 dev ${GROUP}`]);
    await host.expectPing('gw', address);
    for (const child of [client, dnsmasq]) await workspace.stop(child);
  });
});
