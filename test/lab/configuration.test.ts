import { deepEqual, equal } from 'node:assert/strict';
import { test } from 'node:test';
import type { Config } from '../../src/config/types.ts';
import { type ConfigurationOptions, configurationFor } from '../../src/lab/configuration.ts';
import { LAN, LAN6, type Lan, type Wiring } from '../../src/lab/topology.ts';
import { configOf } from '../unit/config/files.ts';

function load(
  wiring: Wiring,
  options: Partial<ConfigurationOptions> = {},
  lans: readonly Lan[] = [LAN],
): Config {
  const network = { members: ['net0', 'net1'], options: { wiring }, lans };
  return configOf(configurationFor(network, { socket: '/x/ipmpd.sock', ...options }));
}

test('the daemon accepts the configuration of each wiring', () => {
  const wirings = ['macvtap', 'bridge', 'tap'] as const;
  const kinds = wirings.map((wiring) =>
    load(wiring).interfaces.map(({ kind, uplink, bridge }) => `${kind} ${uplink} ${bridge}`),
  );
  deepEqual(kinds, [
    ['macvtap eth0 null', 'macvtap eth1 null'],
    ['bridged-tap null br0', 'bridged-tap null br1'],
    ['tap null null', 'tap null null'],
  ]);
});

test('the group has two data addresses and a default route', () => {
  const [group] = load('macvtap').groups;
  deepEqual(group?.addresses, ['192.0.2.10/24', '192.0.2.11/24']);
  deepEqual(
    group?.routes.map(({ to, via }) => [to, via]),
    [['default', '192.0.2.1']],
  );
});

test('with both families it has as many of each', () => {
  const [group] = load('macvtap', {}, [LAN, LAN6]).groups;
  const addresses = ['192.0.2.10/24', '192.0.2.11/24', '2001:db8::10/64', '2001:db8::11/64'];
  deepEqual(group?.addresses, addresses);
  deepEqual(
    group?.routes.map(({ to, via }) => [to, via]),
    [
      ['default', '192.0.2.1'],
      ['default', '2001:db8::1'],
    ],
  );
});

test('the settings of a test override it', () => {
  const config = load('macvtap', {
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
