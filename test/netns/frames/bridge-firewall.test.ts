/** A bridge whose frames the firewall of the host judges: what it drops, the group never has. */

import { equal, match } from 'node:assert/strict';
import { existsSync } from 'node:fs';
import { after, test } from 'node:test';
import { LAN } from '../../../src/lab/topology.ts';
import { TestHost } from '../tools/harness.ts';

/** Each network namespace has its own; it is there with the module br_netfilter. */
const SETTING = 'net.bridge.bridge-nf-call-iptables';
const hosts: TestHost[] = [];
after(() => Promise.all(hosts.map((host) => host.lower())));

async function raise(value: number): Promise<TestHost> {
  const host = await TestHost.raise({
    wiring: 'bridge',
    prepare: async ({ workspace }) => {
      await workspace.runIn('host', ['sysctl', '-qw', `${SETTING}=${value}`]);
    },
  });
  hosts.push(host);
  return host;
}

const skip = existsSync('/proc/sys/net/bridge') ? false : 'no br_netfilter in this kernel';

test('a firewall that sees the frames of a bridge is logged, once for each bridge', {
  skip,
}, async () => {
  const host = await raise(1);
  const lines = host.daemon.log.split('\n').filter((line) => line.includes('bridge-firewall'));
  equal(lines.length, 2);
  match(lines[0] ?? '', /br0/);
  // The group is whole, and receives nothing.
  const chain = 'type filter hook forward priority 0 ; policy drop ;';
  await host.run('host', ['nft', 'add table ip closed']);
  await host.run('host', ['nft', `add chain ip closed forward { ${chain} }`]);
  equal((await host.ping('gw', LAN.data[0])).answered, 0);
  await host.run('host', ['sysctl', '-qw', `${SETTING}=0`]);
  equal((await host.ping('gw', LAN.data[0])).answered, 3, 'the cure');
});

test('a firewall that does not see them is not', { skip }, async () => {
  const host = await raise(0);
  equal(host.daemon.log.includes('bridge-firewall'), false);
});
