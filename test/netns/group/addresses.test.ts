/** Data addresses come and go with `ip addr`, at once, whoever types it. */

import { deepEqual, equal, ok } from 'node:assert/strict';
import { after, before, describe, test } from 'node:test';
import { LAN } from '../../../src/lab/topology.ts';
import { until } from '../../../src/lab/until.ts';
import { TestHost, WIRINGS } from '../tools/harness.ts';

const ADDED = '192.0.2.30';
const [GATEWAY] = LAN.gateways;

for (const wiring of WIRINGS) {
  describe(`data addresses by ip addr, ${wiring}`, () => {
    let host: TestHost;

    before(async () => {
      host = await TestHost.raise({ wiring });
    });
    after(() => host?.lower());

    const ip = (command: string): Promise<void> => host.workspace.ip('host', [command]);
    const has = async (address: string): Promise<boolean> =>
      (await host.daemon.addresses()).some((row) => row.address.startsWith(`${address}/`));
    const waitUntilServed = (address: string): Promise<boolean> =>
      until(`${address} is up and bound`, 10_000, async () => {
        const { state, inbound } = await host.daemon.address(address);
        return state === 'up' && inbound !== null;
      });

    test('[contract 3.19] the configured ones are on the device', async () => {
      const [device] = (await host.ipJson('host', ['-4', 'addr', 'show', 'dev', 'ipmp0'])) as [
        { addr_info: { local: string; prefixlen: number }[] },
      ];
      deepEqual(
        device.addr_info.map(({ local, prefixlen }) => `${local}/${prefixlen}`).sort(),
        LAN.data.map((address) => `${address}/24`).sort(),
      );
    });

    test('[contract 3.4] an added one is served', async () => {
      await ip(`address add ${ADDED}/24 dev ipmp0`);
      await waitUntilServed(ADDED);
      const row = await host.daemon.address(ADDED);
      deepEqual([row.type, row.group, row.ifname], ['data', 'ipmp0', 'ipmp0']);
      deepEqual([...row.outbound].sort(), host.topology.members);
      deepEqual(await host.ping('gw', ADDED), { answered: 3, duplicates: 0 });
    });

    test('[contract 3.4] a deleted one is gone from the wire', async () => {
      await ip(`address del ${ADDED}/24 dev ipmp0`);
      await until('the address is gone', 5000, async () => !(await has(ADDED)));
      await host.run('gw', ['ip', 'neigh', 'flush', 'dev', 'eth0']);
      equal((await host.ping('gw', ADDED, { count: 1 })).answered, 0);
      const rows = (await host.ipJson('gw', ['neigh', 'show', ADDED])) as { lladdr?: string }[];
      equal(rows[0]?.lladdr, undefined);
    });

    test('many are spread evenly; the first of a subnet may go without the others', async () => {
      const many = Array.from({ length: 6 }, (_, index) => `192.0.2.${40 + index}`);
      for (const address of many) await ip(`address add ${address}/24 dev ipmp0`);
      for (const address of many) await waitUntilServed(address);
      const counts = new Map<string | null, number>();
      for (const { inbound } of await host.daemon.addresses()) {
        counts.set(inbound, (counts.get(inbound) ?? 0) + 1);
      }
      deepEqual([...counts.values()], [4, 4]);
      await ip(`address del ${LAN.data[0]}/24 dev ipmp0`);
      await until('the address is gone', 5000, async () => !(await has(LAN.data[0])));
      equal((await host.daemon.addresses()).length, 7);
      for (const address of many) equal((await host.ping('gw', address, { count: 1 })).answered, 1);
      for (const address of many) await ip(`address del ${address}/24 dev ipmp0`);
      await ip(`address add ${LAN.data[0]}/24 dev ipmp0`);
      await waitUntilServed(LAN.data[0]);
      deepEqual(await host.ping('host', GATEWAY), { answered: 3, duplicates: 0 });
    });

    test('an address that somebody else uses becomes duplicate', async () => {
      await host.workspace.ip('gw', ['address add 192.0.2.66/32 dev eth0']);
      await ip('address add 192.0.2.66/24 dev ipmp0');
      await until('duplicate', 10_000, async () => {
        return (await host.daemon.address('192.0.2.66')).state === 'duplicate';
      });
      await ip('address del 192.0.2.66/24 dev ipmp0');
      await until('the address is gone', 5000, async () => !(await has('192.0.2.66')));
    });

    test('after the device was down and up again, what is configured works', async () => {
      await ip('link set ipmp0 down');
      await ip('link set ipmp0 up');
      await until('the default route is back', 10_000, async () => {
        return (
          ((await host.ipJson('host', ['route', 'show', 'default'])) as unknown[]).length === 1
        );
      });
      await until('ping', 10_000, async () => {
        return (await host.ping('host', GATEWAY, { count: 1 })).answered === 1;
      });
    });
  });
}

test('[contract 3.7] IPv6 data addresses are accepted, and said to be not served', async () => {
  const addresses = ['192.0.2.10/24', '2001:db8::10/64'];
  const host = await TestHost.raise({ ipv6: true, addresses, isRaw: true });
  try {
    await until('the address is listed', 10_000, async () => {
      return (await host.daemon.addresses()).some((row) => row.address === '2001:db8::10/64');
    });
    const row = await host.daemon.address('2001:db8::10');
    deepEqual([row.type, row.inbound], ['data', null]);
    const [device] = (await host.ipJson('host', ['-6', 'addr', 'show', 'dev', 'ipmp0'])) as [
      { addr_info: { local: string }[] },
    ];
    ok(device.addr_info.some(({ local }) => local === '2001:db8::10'));
    const { stdout } = await host.daemon.ipmpadm(['address', 'show']);
    ok(/not served/i.test(stdout), stdout);
  } finally {
    await host.lower();
  }
});
