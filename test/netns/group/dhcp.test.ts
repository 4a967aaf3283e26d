/** A DHCP client on the group: Debian's dhclient against dnsmasq, with a real lease. */

import { equal, match, ok } from 'node:assert/strict';
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { GROUP } from '../../../src/lab/configuration.ts';
import { LAN } from '../../../src/lab/topology.ts';
import { until } from '../../../src/lab/until.ts';
import { describeOn, WIRINGS } from '../tools/harness.ts';
import { outputOf } from '../tools/programs.ts';
import { sniff } from '../tools/sniffer.ts';

/** dhclient's own script would write the machine's resolv.conf; this one sets the address alone. */
const SCRIPT = `#!/bin/sh
case "$reason" in
  PREINIT) ip link set "$interface" up ;;
  BOUND|RENEW|REBIND|REBOOT)
    ip address replace "$new_ip_address/24" dev "$interface"
    ip route replace default via "$new_routers" ;;
esac
exit 0
`;

describeOn(WIRINGS, 'DHCP', { addresses: [], group: { routes: [] } }, (host) => {
  test('a lease through ipmp0', async () => {
    const { workspace } = host;
    const file = (name: string): string => join(workspace.folder, name);
    writeFileSync(file('dhclient-script'), SCRIPT, { mode: 0o755 });
    const server = [
      ...['dnsmasq', '--keep-in-foreground', '--conf-file=/dev/null', '--user=root', '--port=0'],
      ...['--interface=eth0', '--bind-interfaces', '--dhcp-authoritative'],
      '--dhcp-range=192.0.2.100,192.0.2.120,255.255.255.0,1h',
      `--dhcp-option=option:router,${LAN.gateways[0]}`,
      ...[`--dhcp-leasefile=${file('leases')}`, `--pid-file=${file('dnsmasq.pid')}`],
      ...['--log-facility=-', '--log-dhcp'],
    ];
    const serverLog = outputOf(workspace.start(server, { role: 'gw' }));
    await until('dnsmasq is ready', 5000, () => serverLog().includes('DHCP, IP range'));
    const sniffer = await sniff(host, 'udp port 67 and src port 68', { args: ['-v'] });
    const files = [
      ...['-sf', file('dhclient-script'), '-lf', file('client.leases')],
      ...['-pf', file('dhclient.pid'), '-cf', '/dev/null'],
    ];
    workspace.start(['dhclient', '-1', '-d', ...files, GROUP], { role: 'host' });
    const address = await until(`a lease (${serverLog().slice(-300)})`, 30_000, () => {
      return /DHCPACK\(eth0\) (\S+)/.exec(serverLog())?.[1];
    });
    await host.waitForAddress(address);
    equal((await host.ping('gw', address)).answered, 3);
    equal((await host.ping('host', LAN.remote)).answered, 3);
    const groupMac = await host.macOf('host', GROUP);
    const [first = ''] = sniffer.matching(/BOOTP\/DHCP|ethertype IPv4/);
    ok(!first.includes(`${groupMac} >`), first);
    match(sniffer.lines.join('\n'), /Flags \[Broadcast\]/);
  });
});
