/** A configuration that changes while the daemon runs: what is changed, and what is not. */

import { deepEqual, equal, match, ok } from 'node:assert/strict';
import { join } from 'node:path';
import { describe, test } from 'node:test';
import { GROUP } from '../../../src/lab/configuration.ts';
import { EchoStream } from '../../../src/lab/measure/measure.ts';
import { LAN } from '../../../src/lab/topology.ts';
import { until } from '../../../src/lab/until.ts';
import { type Change, TestHost } from '../tools/harness.ts';

const RELOADS = 20;

/** Another group on a TAP of its own, as a whole. */
function withNeighbourGroup(host: TestHost, group: object): Change {
  const { interfaces, groups } = host.configured();
  return {
    top: {
      interfaces: { ...interfaces, net8: {} },
      groups: { ...groups, ipmp8: { interfaces: ['net8'], ...group } },
    },
  };
}

/** Datagrams of its own that the kernel of `role` had no room for (ipSystemStatsOutDiscards). */
async function discardedBy(host: TestHost, role: string): Promise<number> {
  const text = await host.run(role, ['cat', '/proc/net/snmp']);
  const [names = [], values = []] = text
    .split('\n')
    .filter((line) => line.startsWith('Ip: '))
    .map((line) => line.split(' '));
  return Number(values[names.indexOf('OutDiscards')]);
}

describe('reload', () => {
  const host = TestHost.ofSuite();

  test(`[contract 2.6] ${RELOADS} reloads: an untouched group loses nothing`, async () => {
    const rules = `table inet far {
      chain in { type filter hook input priority 0
        icmp type echo-request counter
      }
      chain out { type filter hook output priority 0
        icmp type echo-reply counter
      }
    }`;
    // The neighbour is known before anything is counted.
    await host.waitForPing('host', LAN.gateways[0]);
    await host.run('gw', ['nft', '-f', '-'], rules);
    const discardedBefore = await discardedBy(host, 'gw');
    const stream = await EchoStream.start(host.workspace, LAN.gateways[0]);
    for (let round = 0; round < RELOADS / 2; round++) {
      host.write(withNeighbourGroup(host, { addresses: [`10.88.${round}.1/24`] }));
      const { changes, problems } = await host.reload();
      deepEqual(problems, []);
      ok(changes.includes('add group ipmp8'), changes.join('; '));
      ok(!changes.some((change) => change.includes(GROUP)), changes.join('; '));
      host.write();
      ok((await host.reload()).changes.includes('remove group ipmp8'));
    }
    const { sent, received } = await stream.stop();
    const far = JSON.parse(await host.run('gw', ['nft', '-j', 'list', 'table', 'inet', 'far'])) as {
      nftables: { rule?: { chain: string; expr: { counter?: { packets: number } }[] } }[];
    };
    const counted = far.nftables.flatMap(({ rule }) =>
      (rule?.expr ?? []).flatMap(({ counter }) => (counter === undefined ? [] : [counter.packets])),
    );
    equal(counted.length, 2);
    const [requests = 0, replies = 0] = counted;
    equal(requests, sent, 'every request came to the far end');
    equal(received, replies, 'and every reply came back');
    // Of replies that wait for a busy machine, its kernel has no more than 170 or so.
    const discarded = (await discardedBy(host, 'gw')) - discardedBefore;
    equal(requests - replies, discarded, 'the far end has answered what it received');
  });

  test('[contract 2.6] HUP applies what differs, and only that', async () => {
    const before = await host.addressesOn(GROUP);
    await host.run('host', ['ip', 'addr', 'add', '192.0.2.77/24', 'dev', GROUP]);
    const addresses = [
      ...LAN.data.map((address) => `${address}/${LAN.prefixLength}`),
      '192.0.2.66/24',
    ];
    host.write({ addresses, group: { forwarding: false, mtu: 1400 } });
    host.daemon.process.kill('SIGHUP');
    await until('the new address is there', 10_000, async () =>
      (await host.addressesOn(GROUP)).includes('192.0.2.66/24'),
    );
    deepEqual(await host.addressesOn(GROUP), [...before, '192.0.2.66/24', '192.0.2.77/24'].sort());
    await host.waitForMtu(1400);
    host.write();
    deepEqual((await host.reload()).problems, []);
    deepEqual(await host.addressesOn(GROUP), [...before, '192.0.2.77/24'].sort());
    await host.run('host', ['ip', 'addr', 'del', '192.0.2.77/24', 'dev', GROUP]);
    await host.daemon.waitUntilOk();
  });

  test('[contract 2.6, 4.15] a broken file changes nothing and is reported', async () => {
    const before = await host.daemon.ipmpadm(['-j', 'config', 'show']);
    host.write('groups:\n  ipmp0: { mtu: 7 }\n');
    host.daemon.process.kill('SIGHUP');
    await until('the log has it', 10_000, () => host.daemon.log.includes('"reload-refused"'));
    const { status, stderr } = await host.daemon.ipmpadm(['reload']);
    equal(status, 1);
    match(stderr, /ipmpd\.yaml:2: groups\.ipmp0\.mtu: 7 is not valid .*EINVAL/);
    equal((await host.daemon.ipmpadm(['-j', 'config', 'show'])).stdout, before.stdout);
    host.write();
    deepEqual(await host.reload(), { changes: [], problems: [], warnings: [] });
    await host.expectPing('host', LAN.gateways[0]);
  });

  test('[contract 2.6, 8.2] a file that is nested without end is refused', async () => {
    const tooDeep = /is nested too deeply \(at most 16 levels\)/;
    const file = join(host.workspace.folder, 'ipmpd.yaml');
    for (const open of ['{', '[', '- ']) {
      for (const count of [3000 / open.length, 100_000]) {
        host.write(open.repeat(count));
        for (const words of [['reload'], ['config', 'check', file]]) {
          const { status, stderr } = await host.daemon.ipmpadm(words);
          equal(status, 1);
          match(stderr, tooDeep);
        }
      }
    }
    host.write();
    deepEqual(await host.reload(), { changes: [], problems: [], warnings: [] });
  });

  test('addresses and names move to others within one reload', async () => {
    const { groups, interfaces } = host.configured();
    const [first = ''] = host.topology.members;
    const before = { ...interfaces[first], 'test-addresses': ['192.0.2.61/24'] };
    host.write({
      top: {
        interfaces: { ...interfaces, [first]: before },
        groups: { [GROUP]: { ...groups[GROUP], name: 'front' } },
      },
    });
    deepEqual((await host.reload()).problems, []);
    const tests = { 'test-addresses': ['192.0.2.61/24'] };
    host.write({
      top: {
        interfaces: { ...interfaces, net8: tests },
        groups: { ...groups, front: { interfaces: ['net8'] } },
      },
    });
    deepEqual((await host.reload()).problems, []);
    equal((await host.daemon.interface('net8')).group, 'front');
    equal((await host.daemon.group()).group, GROUP);
    host.write();
    deepEqual((await host.reload()).problems, []);
    await host.daemon.waitUntilOk();
  });

  test('an interface moves from one group to another, and back', async () => {
    const { groups } = host.configured();
    const [first = '', second = ''] = host.topology.members;
    host.write({
      top: {
        groups: {
          [GROUP]: { ...groups[GROUP], interfaces: [first] },
          ipmp1: { interfaces: [second], addresses: ['192.0.2.101/24'] },
        },
      },
    });
    deepEqual((await host.reload()).problems, []);
    await host.daemon.waitUntilOk();
    equal((await host.daemon.interface(second)).group, 'ipmp1');
    await host.waitForAddress('192.0.2.101');
    equal((await host.daemon.address('192.0.2.101')).inbound, second);
    equal((await host.ping('gw', '192.0.2.101')).answered, 3);
    host.write();
    deepEqual((await host.reload()).problems, []);
    await host.daemon.waitUntilOk();
    deepEqual((await host.daemon.group()).interfaces.toSorted(), [first, second].sort());
    equal((await host.links('host')).filter(({ ifname }) => ifname === 'ipmp1').length, 0);
  });
});
