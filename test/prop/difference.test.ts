/** The difference of two configurations leads from one to the other, in a good order. */

import { deepEqual, equal, ok } from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { type Change, changeApply, changeSentence } from '../../src/change/changes.ts';
import { difference } from '../../src/change/difference.ts';
import { configFromSources } from '../../src/config/load.ts';
import type { Config, GroupConfig, InterfaceConfig } from '../../src/config/types.ts';

const NICS = ['net0', 'net1', 'net2', 'net3', 'net4'];
const GROUPS = ['ipmp0', 'ipmp1', 'ipmp2'];

/** One NIC as in a file, or absent. */
const nic = fc.option(
  fc.record({
    uplink: fc.option(fc.constantFrom('eth0', 'eth1', 'eth2'), { nil: undefined }),
    standby: fc.boolean(),
    home: fc.integer({ min: -1, max: GROUPS.length - 1 }),
    test: fc.option(fc.integer({ min: 1, max: 9 })),
  }),
);

const group = fc.option(
  fc.record({
    name: fc.option(fc.constantFrom('blue', 'green', 'ipmp2', 'net4'), { nil: undefined }),
    addresses: fc.uniqueArray(fc.integer({ min: 1, max: 6 }), { maxLength: 4 }),
    routes: fc.boolean(),
    neighbors: fc.uniqueArray(fc.integer({ min: 60, max: 62 })),
    multicast: fc.uniqueArray(fc.constantFrom('239.1.1.1', '239.1.1.2')),
    mtu: fc.constantFrom('auto', 1400, 9000),
    failback: fc.boolean(),
  }),
);

/** Valid configurations over few names, so that two of them have much to do with each other. */
const configuration = fc
  .record({
    nics: fc.tuple(nic, nic, nic, nic, nic),
    groups: fc.tuple(group, group, group),
    level: fc.constantFrom('info', 'debug'),
    workers: fc.constantFrom(1, 2),
  })
  .map(({ nics, groups, level, workers }) => {
    const uplinks = new Set<string>();
    const names = new Set<string>();
    const interfaces: Record<string, unknown> = {};
    const used = new Set<number>();
    nics.forEach((one, at) => {
      if (one === null) return;
      const isFree = one.uplink !== undefined && !uplinks.has(one.uplink);
      if (isFree) uplinks.add(one.uplink ?? '');
      interfaces[NICS[at] ?? ''] = {
        ...(isFree ? { uplink: one.uplink } : {}),
        standby: one.standby,
        'test-addresses': testsOf(one.test, used),
      };
    });
    const sections: Record<string, unknown> = {};
    groups.forEach((one, at) => {
      if (one === null) return;
      const devices = [...Object.keys(interfaces), ...GROUPS.filter((_, index) => groups[index])];
      const isFree = one.name !== undefined && !names.has(one.name) && !devices.includes(one.name);
      if (isFree) names.add(one.name ?? '');
      const addresses = one.addresses.filter((last) => !used.has(last));
      for (const last of addresses) used.add(last);
      sections[GROUPS[at] ?? ''] = {
        ...(isFree ? { name: one.name } : {}),
        interfaces: NICS.filter((_, index) => nics[index]?.home === at),
        addresses: addresses.map((last) => `192.0.2.${last}/24`),
        routes: one.routes ? [{ to: 'default', via: '192.0.2.254' }] : [],
        'static-neighbors': one.neighbors.map((last) => ({
          dst: `192.0.2.${last}`,
          lladdr: '02:00:00:00:00:01',
        })),
        multicast: one.multicast,
        mtu: one.mtu,
        failback: one.failback,
      };
    });
    const value = { log: { level }, datapath: { workers }, interfaces, groups: sections };
    const result = configFromSources([{ file: 'x', text: JSON.stringify(value) }]);
    ok('config' in result, JSON.stringify(result));
    return result.config;
  });

/** The same few addresses as the groups have, so that they change hands. */
function testsOf(last: number | null, used: Set<number>): string[] {
  if (last === null || used.has(last)) return [];
  used.add(last);
  return [`192.0.2.${last}/24`];
}

function walk(from: Config, changes: readonly Change[]): Config[] {
  const steps = [from];
  for (const change of changes) steps.push(changeApply(steps.at(-1) as Config, change));
  return steps;
}

const byText = (one: unknown, other: unknown): number =>
  JSON.stringify(one) < JSON.stringify(other) ? -1 : 1;

/** Without the order of lists, and without what only a restart brings into force. */
function canonical(config: Config): unknown {
  const sorted = ({ interfaces, addresses, routes, staticNeighbors, ...rest }: GroupConfig) => ({
    ...rest,
    multicast: [...rest.multicast].sort(),
    interfaces: [...interfaces].sort(),
    addresses: [...addresses].sort(),
    routes: [...routes].sort(byText),
    staticNeighbors: [...staticNeighbors].sort(byText),
  });
  return {
    log: config.log,
    metrics: config.metrics,
    interfaces: [...config.interfaces].sort(byText),
    groups: config.groups.map(sorted).sort(byText),
  };
}

const RUNS = { numRuns: 300 };

test('all changes applied to one configuration are the other', () => {
  fc.assert(
    fc.property(configuration, configuration, (from, to) => {
      deepEqual(canonical(walk(from, difference(from, to)).at(-1) as Config), canonical(to));
    }),
    RUNS,
  );
});

test('nothing differs from itself', () => {
  fc.assert(
    fc.property(configuration, (config) => deepEqual(difference(config, config), [])),
    RUNS,
  );
});

test('equal parts are not touched', () => {
  fc.assert(
    fc.property(configuration, configuration, (from, to) => {
      const changes = difference(from, to);
      for (const group of from.groups) {
        const same = to.groups.find(({ name }) => name === group.name);
        const areMembersSame = group.interfaces.every((name) =>
          isSame(nicOf(from, name), nicOf(to, name)),
        );
        if (!isSame(group, same) || !areMembersSame) continue;
        const touching = changes.filter(
          (change) =>
            ('group' in change && change.kind !== 'set-operators' && change.group === group.name) ||
            ('name' in change && [group.name, ...group.interfaces].includes(change.name)),
        );
        deepEqual(touching, []);
      }
    }),
    RUNS,
  );
});

test('at no moment is a name, an uplink, a membership or an address held twice', () => {
  fc.assert(
    fc.property(configuration, configuration, (from, to) => {
      for (const step of walk(from, difference(from, to))) {
        const devices = [...step.interfaces, ...step.groups].map(({ name }) => name);
        equal(new Set(devices).size, devices.length, `names ${devices}`);
        const groupNames = step.groups.flatMap((one) =>
          one.groupName === one.name ? [] : [one.groupName],
        );
        const names = [...devices, ...groupNames];
        equal(new Set(names).size, names.length, `own names ${names}`);
        const uplinks = step.interfaces.flatMap(({ uplink }) => (uplink === null ? [] : [uplink]));
        equal(new Set(uplinks).size, uplinks.length, `uplinks ${uplinks}`);
        const members = step.groups.flatMap(({ interfaces }) => interfaces);
        equal(new Set(members).size, members.length, `members ${members}`);
        const there = step.interfaces.map(({ name }) => name);
        ok(
          members.every((name) => there.includes(name)),
          `${members} of ${there}`,
        );
        const addresses = [
          ...step.groups.flatMap((one) => one.addresses),
          ...step.interfaces.flatMap((one) => one.testAddresses),
        ].map((prefix) => prefix.split('/')[0]);
        equal(new Set(addresses).size, addresses.length, `addresses ${addresses}`);
      }
    }),
    RUNS,
  );
});

test('a group goes only without members, and is opened after all NICs that join at once', () => {
  fc.assert(
    fc.property(configuration, configuration, (from, to) => {
      const changes = difference(from, to);
      const steps = walk(from, changes);
      changes.forEach((change, at) => {
        if (change.kind !== 'remove-group') return;
        const group = steps[at]?.groups.find(({ name }) => name === change.name);
        deepEqual(group?.interfaces, []);
      });
      const kinds = changes.map(({ kind }) => kind);
      const firstGroup = kinds.indexOf('open-group');
      ok(firstGroup < 0 || kinds.lastIndexOf('open-interface') < firstGroup);
    }),
    RUNS,
  );
});

test('members that are exchanged: the newcomer is there before the other leaves', () => {
  const before = configOf('net0', 'eth0');
  const after = configOf('net1', 'eth1');
  const kinds = difference(before, after).map(({ kind }) => kind);
  ok(kinds.indexOf('join') < kinds.indexOf('leave'), kinds.join(' '));
  const taken = difference(before, configOf('net1', 'eth0')).map(({ kind }) => kind);
  ok(taken.indexOf('join') > taken.indexOf('leave'), 'the uplink must be free first');
});

test('every change has a sentence of its own', () => {
  fc.assert(
    fc.property(configuration, configuration, (from, to) => {
      for (const change of difference(from, to)) {
        ok(/^[a-z].*\S$/.test(changeSentence(change)), JSON.stringify(change));
      }
    }),
    RUNS,
  );
});

function configOf(name: string, uplink: string): Config {
  const text = `interfaces: { ${name}: { uplink: ${uplink} } }
groups: { ipmp0: { interfaces: [${name}] } }`;
  const result = configFromSources([{ file: 'x', text }]);
  ok('config' in result);
  return result.config;
}

function nicOf({ interfaces }: Config, name: string): InterfaceConfig | undefined {
  return interfaces.find((one) => one.name === name);
}

function isSame(one: unknown, other: unknown): boolean {
  return JSON.stringify(one) === JSON.stringify(other);
}
