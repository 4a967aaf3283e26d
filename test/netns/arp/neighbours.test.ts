/** `ip neigh` on the group is true, in both families: real MACs, also changed; FAILED if absent. */

import { equal, ok } from 'node:assert/strict';
import { describe, test } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import { LAN, LANS, type Lan } from '../../../src/lab/topology.ts';
import { until } from '../../../src/lab/until.ts';
import { describeOn, hostTest, type TestHost, WIRINGS } from '../tools/harness.ts';
import { sniff } from '../tools/sniffer.ts';

/** Reachable for at most 45 s (RFC 4861 10), then probed; the kernel adds its own five seconds. */
const SILENCE_MS = 75_000;
/** The kernel's own lock time of a neighbour, and some. */
const CHANGE_LOCK_MS = 1100;

/** What differs: words of tcpdump, and the setting that makes a changed MAC known. */
const OF_FAMILY = {
  4: {
    other: '192.0.2.201',
    filter: 'arp and arp[6:2] = 1 and arp[24:4] = 0xc00002c9',
    request: /who-has 192\.0\.2\.201/,
    notify: '/proc/sys/net/ipv4/conf/eth0/arp_notify',
  },
  6: {
    other: '2001:db8::201',
    filter: 'icmp6 and ip6[40] = 135 and dst host ff02::1:ff00:201',
    request: /who has 2001:db8::201/,
    notify: '/proc/sys/net/ipv6/conf/eth0/ndisc_notify',
  },
} as const;

describeOn(WIRINGS, 'neighbours of the group', { gateways: 2, ipv6: true }, (host) => {
  for (const lan of LANS) describe(`IPv${lan.family}`, () => neighboursOf(host, lan));
});

function neighboursOf(host: TestHost, lan: Lan): void {
  const [gateway, gateway2] = lan.gateways;
  const { other, filter, request, notify } = OF_FAMILY[lan.family];
  const newMac = `02:00:00:00:77:${lan.family}1`;
  const newerMac = `02:00:00:00:77:${lan.family}2`;

  test('the kernel and the daemon have the real MACs of both gateways', async () => {
    for (const [role, address] of [
      ['gw', gateway],
      ['gw2', gateway2],
    ] as const) {
      equal((await host.ping('host', address)).answered, 3);
      const mac = await host.macOf(role, 'eth0');
      equal((await host.kernelNeighbor(address))?.lladdr, mac);
      const row = (await host.daemon.neighbors()).find((neighbor) => neighbor.dst === address);
      equal(row?.lladdr, mac);
      equal(row?.group, 'ipmp0');
    }
  });

  test('an absent neighbour is FAILED', async () => {
    equal((await host.ping('host', lan.absent, { count: 1 })).answered, 0);
    await until('FAILED', 10_000, async () => {
      return (await host.kernelNeighbor(lan.absent))?.state.includes('FAILED');
    });
  });

  test('requests for an absent neighbour leave by one NIC with its own MAC', async () => {
    const sniffer = await sniff(host, filter, { role: 'swA', device: 'lan' });
    await host.ping('host', other, { count: 1 });
    const [line = ''] = await sniffer.waitFor(request, 5000);
    const macs = await Promise.all(host.topology.members.map((name) => host.memberMac(name)));
    ok(
      macs.some((mac) => line.includes(` ${mac} > `)),
      line,
    );
    await sniffer.stop();
  });

  test('a gateway that announces a new MAC loses nothing', async () => {
    await host.run('gw', ['sh', '-c', `echo 1 > ${notify}`]);
    const echo = await host.echo(gateway);
    await echo.mark('change');
    await host.run('gw', ['ip', 'link', 'set', 'eth0', 'address', newMac]);
    await until('the kernel has the new MAC', 10_000, async () => {
      return (await host.kernelNeighbor(gateway))?.lladdr === newMac;
    });
    const { lost, windows } = await echo.stop();
    // A thousand a second: until the cache expired it would lose thousands.
    ok(lost < 500, `${lost} lost`);
    ok((windows[1]?.longestGapMs ?? 1e9) < 500, JSON.stringify(windows));
  });

  test('a gateway that changes its MAC is known from the next frame that it sends', async () => {
    // Another change within a second of the last waits until it is over.
    await sleep(CHANGE_LOCK_MS);
    await host.run('gw', ['sh', '-c', `echo 0 > ${notify}`]);
    await host.run('gw', ['ip', 'link', 'set', 'eth0', 'address', newerMac]);
    // That is a request for us. The answer to its first ping may go to the MAC that it had.
    await host.ping('gw', lan.data[0], { count: 1 });
    await until('the kernel has the new MAC', 10_000, async () => {
      return (await host.kernelNeighbor(gateway))?.lladdr === newerMac;
    });
    await host.expectPing('gw', lan.data[0]);
    await host.expectPing('host', gateway);
  });

  test('a flushed cache is filled again', async () => {
    await host.run('host', ['ip', 'neigh', 'flush', 'dev', 'ipmp0']);
    await host.expectPing('host', gateway2);
  });
}

hostTest('a gateway that changes its MAC without a frame is resolved again', {}, async (host) => {
  const [gateway] = LAN.gateways;
  equal((await host.ping('host', gateway)).answered, 3);
  const mac = '02:00:00:00:77:03';
  await host.run('gw', ['ip', 'link', 'set', 'eth0', 'address', mac]);
  await host.waitForPing('host', gateway, SILENCE_MS);
  equal((await host.kernelNeighbor(gateway))?.lladdr, mac);
});
