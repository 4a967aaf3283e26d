/** A bridge whose frames pass the firewall of the host: what it drops, the group never receives. */

import { equal, match } from 'node:assert/strict';
import { existsSync } from 'node:fs';
import { describe } from 'node:test';
import { LAN, type Topology } from '../../../src/lab/topology.ts';
import { hostTest } from '../tools/harness.ts';

/** Each network namespace has its own; it is there with the module br_netfilter. */
const SETTING = 'net.bridge.bridge-nf-call-iptables';
const skip = existsSync('/proc/sys/net/bridge') ? false : 'no br_netfilter in this kernel';

/** The firewall of the host sees the frames of its bridges, or not. */
function seen(value: 0 | 1) {
  const words = ['sysctl', '-qw', `${SETTING}=${value}`];
  const prepare = async ({ workspace }: Topology): Promise<void> => {
    await workspace.runIn('host', words);
  };
  return { wiring: 'bridge', prepare } as const;
}

describe('the frames of a bridge', { skip }, () => {
  hostTest('are seen by the firewall: logged once for each bridge', seen(1), async (host) => {
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

  hostTest('are not seen: nothing is logged', seen(0), async (host) => {
    equal(host.daemon.log.includes('bridge-firewall'), false);
  });
});
