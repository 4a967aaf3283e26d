/** Ping both ways in the three wirings; the wire shows NIC addresses and nothing else. */

import { deepEqual, equal, notEqual } from 'node:assert/strict';
import { test } from 'node:test';
import { describeFamilies } from '../tools/families.ts';
import { describeOn, WIRINGS } from '../tools/harness.ts';
import { sniffUplinks } from '../tools/sniffer.ts';

const ALL = { answered: 20, duplicates: 0 };

describeOn(WIRINGS, 'ping', { ipv6: true }, (host) => {
  describeFamilies(({ family, gateways: [gateway], data }) => {
    test('from the host to the gateway', async () => {
      deepEqual(await host.ping('host', gateway, { count: 20 }), ALL);
    });

    test('from each data address', async () => {
      for (const address of data) {
        deepEqual(await host.ping('host', gateway, { count: 20, args: ['-I', address] }), ALL);
      }
    });

    test('from the gateway to each data address', async () => {
      for (const address of data) {
        deepEqual(await host.ping('gw', address, { count: 20 }), ALL);
      }
    });

    test('large and fragmented packets', async () => {
      for (const size of ['1452', '4000', '20000']) {
        for (const [role, target] of [
          ['host', gateway],
          ['gw', data[0]],
        ] as const) {
          const got = await host.ping(role, target, { count: 20, args: ['-s', size] });
          if (got.answered < ALL.answered) process.stderr.write(`${await host.losses()}\n`);
          deepEqual(got, ALL, `${size} bytes from ${role}`);
        }
      }
    });

    test('the addresses lie on different NICs, each announced with its own MAC', async () => {
      const [first, second] = await Promise.all(data.map((address) => host.boundTo(address)));
      notEqual(first?.ifname, second?.ifname);
      for (const address of data) {
        const { ifname } = await host.boundTo(address);
        await host.run('gw', ['ip', `-${family}`, 'neigh', 'flush', 'dev', 'eth0']);
        await host.ping('gw', address, { count: 1 });
        equal((await host.kernelNeighbor(address, 'gw'))?.lladdr, await host.memberMac(ifname));
      }
    });

    test('the MAC of the group is never on the wire', async () => {
      const mac = await host.macOf('host', 'ipmp0');
      const sniffers = await sniffUplinks(host, `ether host ${mac}`, []);
      await host.run('host', ['ip', `-${family}`, 'neigh', 'flush', 'dev', 'ipmp0']);
      deepEqual(await host.ping('host', gateway, { count: 20 }), ALL);
      deepEqual(await host.ping('gw', data[1], { count: 20 }), ALL);
      for (const sniffer of sniffers) {
        deepEqual(sniffer.lines, []);
        await sniffer.stop();
      }
    });
  });
});
