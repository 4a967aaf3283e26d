/** `ip neigh` on the group is true: real MACs, also after a change; FAILED for the absent. */

import { equal, ok } from 'node:assert/strict';
import { test } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import { LAN } from '../../../src/lab/topology.ts';
import { until } from '../../../src/lab/until.ts';
import { describeOn, hostTest, WIRINGS } from '../tools/harness.ts';
import { sniff } from '../tools/sniffer.ts';

const [GATEWAY, GATEWAY_2] = LAN.gateways;
/** Reachable for at most 45 s (RFC 4861 10), then probed; the kernel adds its own five seconds. */
const SILENCE_MS = 75_000;
/** The kernel's own lock time of a neighbour, and some. */
const CHANGE_LOCK_MS = 1100;
const NEW_MAC = '02:00:00:00:77:01';
const NEWER_MAC = '02:00:00:00:77:02';

describeOn(WIRINGS, 'neighbours of the group', { gateways: 2 }, (host) => {
  test('the kernel and the daemon have the real MACs of both gateways', async () => {
    for (const [role, address] of [
      ['gw', GATEWAY],
      ['gw2', GATEWAY_2],
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
    equal((await host.ping('host', LAN.absent, { count: 1 })).answered, 0);
    await until('FAILED', 10_000, async () => {
      return (await host.kernelNeighbor(LAN.absent))?.state.includes('FAILED');
    });
  });

  test('requests for an absent neighbour leave by one NIC with its own MAC', async () => {
    const filter = 'arp and arp[6:2] = 1 and arp[24:4] = 0xc00002c9';
    const sniffer = await sniff(host, filter, { role: 'swA', device: 'lan' });
    await host.ping('host', '192.0.2.201', { count: 1 });
    const [line = ''] = await sniffer.waitFor(/who-has 192\.0\.2\.201/, 5000);
    const macs = await Promise.all(host.topology.members.map((name) => host.memberMac(name)));
    ok(
      macs.some((mac) => line.includes(` ${mac} > `)),
      line,
    );
    await sniffer.stop();
  });

  test('a gateway that announces a new MAC loses nothing', async () => {
    await host.run('gw', ['sh', '-c', 'echo 1 > /proc/sys/net/ipv4/conf/eth0/arp_notify']);
    const echo = await host.echo(GATEWAY);
    await echo.mark('change');
    await host.run('gw', ['ip', 'link', 'set', 'eth0', 'address', NEW_MAC]);
    await until('the kernel has the new MAC', 10_000, async () => {
      return (await host.kernelNeighbor(GATEWAY))?.lladdr === NEW_MAC;
    });
    const { lost, windows } = await echo.stop();
    // A thousand a second: until the cache expired it would lose thousands.
    ok(lost < 500, `${lost} lost`);
    ok((windows[1]?.longestGapMs ?? 1e9) < 500, JSON.stringify(windows));
  });

  test('a gateway that changes its MAC is known from the next frame that it sends', async () => {
    // Another change within a second of the last waits until it is over.
    await sleep(CHANGE_LOCK_MS);
    await host.run('gw', ['sh', '-c', 'echo 0 > /proc/sys/net/ipv4/conf/eth0/arp_notify']);
    await host.run('gw', ['ip', 'link', 'set', 'eth0', 'address', NEWER_MAC]);
    // That is a request for us. The answer to its first ping may go to the MAC that it had.
    await host.ping('gw', LAN.data[0], { count: 1 });
    await until('the kernel has the new MAC', 10_000, async () => {
      return (await host.kernelNeighbor(GATEWAY))?.lladdr === NEWER_MAC;
    });
    await host.expectPing('gw', LAN.data[0]);
    await host.expectPing('host', GATEWAY);
  });

  test('a flushed cache is filled again', async () => {
    await host.run('host', ['ip', 'neigh', 'flush', 'dev', 'ipmp0']);
    await host.expectPing('host', GATEWAY_2);
  });
});

hostTest('a gateway that changes its MAC without a frame is resolved again', {}, async (host) => {
  equal((await host.ping('host', GATEWAY)).answered, 3);
  const mac = '02:00:00:00:77:03';
  await host.run('gw', ['ip', 'link', 'set', 'eth0', 'address', mac]);
  await host.waitForPing('host', GATEWAY, SILENCE_MS);
  equal((await host.kernelNeighbor(GATEWAY))?.lladdr, mac);
});
