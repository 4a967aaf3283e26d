/** Data addresses come and go with `ip addr`, at once, whichever program adds them. */

import { deepEqual, equal, match, ok } from 'node:assert/strict';
import { test } from 'node:test';
import { GROUP } from '../../../src/lab/configuration.ts';
import { LANS, type Lan } from '../../../src/lab/topology.ts';
import { until } from '../../../src/lab/until.ts';
import { describeFamilies } from '../tools/families.ts';
import { describeOn, type TestHost, WIRINGS } from '../tools/harness.ts';

describeOn(WIRINGS, 'data addresses by ip addr', { ipv6: true }, (host) => {
  test('[contract 3.7, 3.19] the configured ones are on the device', async () => {
    const addresses = LANS.flatMap(({ data, prefixLength }) =>
      data.map((address) => `${address}/${prefixLength}`),
    );
    const found = await host.addressesOn(GROUP);
    deepEqual(found, addresses.sort());
  });

  describeFamilies((lan) => comeAndGo(host, lan));

  test('after the device was down and up again, what is configured works', async () => {
    await host.workspace.ip('host', ['link set ipmp0 down', 'link set ipmp0 up']);
    for (const { family, gateways } of LANS) {
      await until('the default route is back', 10_000, async () => {
        return (await host.run('host', ['ip', `-${family}`, 'route'])).includes('default');
      });
      await host.waitForPing('host', gateways[0]);
    }
  });
});

/** What `ip addr` adds and deletes of one family. */
function comeAndGo(host: TestHost, { family, prefixLength, data, gateways }: Lan): void {
  /** An address of the LAN that no station has: 192.0.2.30 or 2001:db8::30. */
  const addressAt = (last: number): string => data[0].replace(/10$/, String(last));
  const ip = (command: string): Promise<void> => host.workspace.ip('host', [command]);
  const change = (verb: 'add' | 'del', address: string): Promise<void> =>
    ip(`address ${verb} ${address}/${prefixLength} dev ipmp0`);
  const added = addressAt(30);

  test('[contract 3.4] an added one is served', async () => {
    await change('add', added);
    await host.waitForAddress(added);
    const row = await host.daemon.address(added);
    deepEqual([row.type, row.group, row.ifname], ['data', 'ipmp0', 'ipmp0']);
    deepEqual([...row.outbound].sort(), host.topology.members);
    await host.expectPing('gw', added);
  });

  test('[contract 3.4] a deleted one is gone from the wire', async () => {
    await change('del', added);
    await host.waitUntilGone(added);
    await host.run('gw', ['ip', `-${family}`, 'neigh', 'flush', 'dev', 'eth0']);
    equal((await host.ping('gw', added, { count: 1 })).answered, 0);
    equal((await host.kernelNeighbor(added, 'gw'))?.lladdr, undefined);
  });

  test('many are spread evenly; the first of a subnet may go without the others', async () => {
    const many = Array.from({ length: 6 }, (_, index) => addressAt(40 + index));
    for (const address of many) await change('add', address);
    for (const address of many) await host.waitForAddress(address);
    const ofFamily = (await host.daemon.addresses()).filter(
      ({ address }) => address.includes(':') === (family === 6) && !address.startsWith('fe80:'),
    );
    equal(ofFamily.length, 8);
    const counts = new Map<string | null, number>();
    for (const { inbound } of ofFamily) counts.set(inbound, (counts.get(inbound) ?? 0) + 1);
    // The link-local address of the group counts with those of IPv6.
    const [most = 0, least = 0] = [...counts.values()].sort((a, b) => b - a);
    ok(most - least <= family - 4, `${most} and ${least}`);
    await change('del', data[0]);
    await host.waitUntilGone(data[0]);
    for (const address of [...many, data[1]]) {
      equal((await host.ping('gw', address, { count: 1 })).answered, 1, address);
    }
    for (const address of many) await change('del', address);
    await change('add', data[0]);
    await host.waitForAddress(data[0]);
    await host.expectPing('host', gateways[0]);
  });

  test('an address of another station becomes duplicate', async () => {
    const address = addressAt(66);
    const whole = family === 4 ? '/32' : '/128';
    const flag = family === 4 ? '' : 'nodad';
    await host.workspace.ip('gw', [`address add ${address}${whole} dev eth0 ${flag}`]);
    await change('add', address);
    await host.waitForAddress(address, 'duplicate');
    if (family === 6) {
      // The kernel has tentative addresses, and gives this one up.
      const { flags, inbound } = await until('the kernel gives it up', 5000, async () => {
        const row = await host.daemon.address(address);
        return row.flags.includes('dadfailed') ? row : undefined;
      });
      deepEqual([flags, inbound], [['dadfailed', 'tentative'], null]);
      const text = await host.run('host', ['ip', '-6', 'addr', 'show', 'dev', GROUP]);
      match(text, new RegExp(`${address}/${prefixLength} .*dadfailed`));
    }
    await change('del', address);
    await host.waitUntilGone(address);
  });
}
