import { deepEqual, equal, ok } from 'node:assert/strict';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, test } from 'node:test';
import { loadConfig } from '../../src/config/load.ts';
import type { Config } from '../../src/config/types.ts';
import { type ConfigurationOptions, configurationFor } from '../../src/lab/configuration.ts';
import type { Wiring } from '../../src/lab/topology.ts';

const folder = mkdtempSync(join(tmpdir(), 'ipmpd-configuration-'));
after(() => rmSync(folder, { recursive: true }));

async function load(wiring: Wiring, options: Partial<ConfigurationOptions> = {}): Promise<Config> {
  const file = join(folder, 'ipmpd.yaml');
  const network = { members: ['net0', 'net1'], options: { wiring } };
  writeFileSync(file, configurationFor(network, { socket: '/x/ipmpd.sock', ...options }));
  const result = await loadConfig(file);
  ok('config' in result, JSON.stringify(result));
  return result.config;
}

test('the daemon accepts the configuration of each wiring', async () => {
  const kinds = [];
  for (const wiring of ['macvtap', 'bridge', 'tap'] as const) {
    const { interfaces } = await load(wiring);
    kinds.push(interfaces.map(({ kind, uplink, bridge }) => [kind, uplink, bridge]));
  }
  deepEqual(kinds, [
    [
      ['macvtap', 'eth0', null],
      ['macvtap', 'eth1', null],
    ],
    [
      ['bridged-tap', null, 'br0'],
      ['bridged-tap', null, 'br1'],
    ],
    [
      ['tap', null, null],
      ['tap', null, null],
    ],
  ]);
});

test('the group has two data addresses and a default route', async () => {
  const [group] = (await load('macvtap')).groups;
  deepEqual(group?.addresses, ['192.0.2.10/24', '192.0.2.11/24']);
  deepEqual(
    group?.routes.map(({ to, via }) => [to, via]),
    [['default', '192.0.2.1']],
  );
});

test('the settings of a test override it', async () => {
  const config = await load('macvtap', {
    addresses: [],
    group: { 'flap-damping': 'off' },
    interfaces: { net1: { standby: true } },
    top: { datapath: { workers: 1 } },
  });
  const [group] = config.groups;
  deepEqual(group?.addresses, []);
  equal(group?.flapDamping, null);
  deepEqual(
    config.interfaces.map(({ name, standby }) => [name, standby]),
    [
      ['net0', false],
      ['net1', true],
    ],
  );
  equal(config.datapath.workers, 1);
});
