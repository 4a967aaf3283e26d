/** Data addresses come and go with `ip addr`, at once, whichever program adds them. */

import { deepEqual, equal, match, ok } from 'node:assert/strict';
import { test } from 'node:test';
import { GROUP } from '../../../src/lab/configuration.ts';
import { LAN } from '../../../src/lab/topology.ts';
import { until } from '../../../src/lab/until.ts';
import { describeOn, hostTest, WIRINGS } from '../tools/harness.ts';

const ADDED = '192.0.2.30';
const [GATEWAY] = LAN.gateways;

describeOn(WIRINGS, 'data addresses by ip addr', {}, (host) => {
  const ip = (command: string): Promise<void> => host.workspace.ip('host', [command]);
  test('[contract 3.19] the configured ones are on the device', async () => {
    const addresses = LAN.data.map((address) => `${address}/24`);
    deepEqual(await host.addressesOn(GROUP), addresses.sort());
  });

  test('[contract 3.4] an added one is served', async () => {
    await ip(`address add ${ADDED}/24 dev ipmp0`);
    await host.waitForAddress(ADDED);
    const row = await host.daemon.address(ADDED);
    deepEqual([row.type, row.group, row.ifname], ['data', 'ipmp0', 'ipmp0']);
    deepEqual([...row.outbound].sort(), host.topology.members);
    await host.expectPing('gw', ADDED);
  });

  test('[contract 3.4] a deleted one is gone from the wire', async () => {
    await ip(`address del ${ADDED}/24 dev ipmp0`);
    await host.waitUntilGone(ADDED);
    await host.run('gw', ['ip', 'neigh', 'flush', 'dev', 'eth0']);
    equal((await host.ping('gw', ADDED, { count: 1 })).answered, 0);
    equal((await host.kernelNeighbor(ADDED, 'gw'))?.lladdr, undefined);
  });

  test('many are spread evenly; the first of a subnet may go without the others', async () => {
    const many = Array.from({ length: 6 }, (_, index) => `192.0.2.${40 + index}`);
    for (const address of many) await ip(`address add ${address}/24 dev ipmp0`);
    for (const address of many) await host.waitForAddress(address);
    const counts = new Map<string | null, number>();
    for (const { inbound } of await host.daemon.addresses()) {
      counts.set(inbound, (counts.get(inbound) ?? 0) + 1);
    }
    deepEqual([...counts.values()], [4, 4]);
    await ip(`address del ${LAN.data[0]}/24 dev ipmp0`);
    await host.waitUntilGone(LAN.data[0]);
    equal((await host.daemon.addresses()).length, 7);
    for (const address of many) equal((await host.ping('gw', address, { count: 1 })).answered, 1);
    for (const address of many) await ip(`address del ${address}/24 dev ipmp0`);
    await ip(`address add ${LAN.data[0]}/24 dev ipmp0`);
    await host.waitForAddress(LAN.data[0]);
    await host.expectPing('host', GATEWAY);
  });

  test('an address of another station becomes duplicate', async () => {
    await host.workspace.ip('gw', ['address add 192.0.2.66/32 dev eth0']);
    await ip('address add 192.0.2.66/24 dev ipmp0');
    await host.waitForAddress('192.0.2.66', 'duplicate');
    await ip('address del 192.0.2.66/24 dev ipmp0');
    await host.waitUntilGone('192.0.2.66');
  });

  test('after the device was down and up again, what is configured works', async () => {
    await ip('link set ipmp0 down');
    await ip('link set ipmp0 up');
    await until('the default route is back', 10_000, async () => {
      return (await host.run('host', ['ip', 'route'])).includes('default');
    });
    await host.waitForPing('host', GATEWAY);
  });
});

hostTest(
  '[contract 3.7] IPv6 data addresses are served, and shown with the flags of the kernel',
  { ipv6: true, addresses: ['192.0.2.10/24', '2001:db8::10/64'], isRaw: true },
  async (host) => {
    await until('the address is listed', 10_000, async () => {
      return (await host.daemon.addresses()).some((row) => row.address === '2001:db8::10/64');
    });
    const row = await host.daemon.address('2001:db8::10');
    deepEqual([row.type, row.flags], ['data', []]);
    ok(row.inbound !== null);
    const device = await host.run('host', ['ip', '-6', 'addr', 'show', 'dev', GROUP]);
    match(device, /inet6 2001:db8::10\/64/);
    await host.run('host', ['ip', 'addr', 'add', '2001:db8::11/64', 'dev', GROUP, 'nodad']);
    await until('it is listed with its flag', 10_000, async () => {
      const rows = await host.daemon.addresses();
      const added = rows.find(({ address }) => address === '2001:db8::11/64');
      return added?.state === 'up' && added.flags.join() === 'nodad';
    });
  },
);
