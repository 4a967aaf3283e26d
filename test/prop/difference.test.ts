/** The difference of two configurations leads from one to the other, in a good order. */

import { deepEqual, equal, ok } from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { type Change, changeApply, changeSentence } from '../../src/change/changes.ts';
import { difference } from '../../src/change/difference.ts';
import { configFromSources } from '../../src/config/load.ts';
import type { Config, GroupConfig, InterfaceConfig } from '../../src/config/types.ts';
import { forAll } from '../tools/for-all.ts';

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
    return configOf(JSON.stringify(value));
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

const RUNS = 300;

function mustDiffer(what: string, list: readonly string[]): void {
  equal(new Set(list).size, list.length, `${what} ${list}`);
}

test('all changes applied to one configuration are the other', () => {
  forAll(RUNS, [configuration, configuration], (from, to) => {
    deepEqual(canonical(walk(from, difference(from, to)).at(-1) as Config), canonical(to));
  });
});

test('nothing differs from itself', () => {
  forAll(RUNS, [configuration], (config) => deepEqual(difference(config, config), []));
});

test('equal parts are not touched', () => {
  forAll(RUNS, [configuration, configuration], (from, to) => {
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
  });
});

test('at no moment is a name, an uplink, a membership or an address held twice', () => {
  forAll(RUNS, [configuration, configuration], (from, to) => {
    for (const step of walk(from, difference(from, to))) {
      const { interfaces, groups } = step;
      const groupNames = groups.flatMap((one) => (one.groupName === one.name ? [] : one.groupName));
      const devices = [...interfaces, ...groups].map(({ name }) => name);
      mustDiffer('names', [...devices, ...groupNames]);
      mustDiffer(
        'uplinks',
        interfaces.flatMap(({ uplink }) => uplink ?? []),
      );
      const members = groups.flatMap((one) => one.interfaces);
      mustDiffer('members', members);
      const there = interfaces.map(({ name }) => name);
      deepEqual(
        members.filter((name) => !there.includes(name)),
        [],
      );
      const addresses = [
        ...groups.flatMap((one) => one.addresses),
        ...interfaces.flatMap((one) => one.testAddresses),
      ].map((prefix) => prefix.split('/')[0] ?? '');
      mustDiffer('addresses', addresses);
    }
  });
});

test('a group goes only without members, and is opened after all NICs that join at once', () => {
  forAll(RUNS, [configuration, configuration], (from, to) => {
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
  });
});

test('members that are exchanged: the newcomer is there before the other leaves', () => {
  const kindsTo = (name: string, uplink: string): string[] =>
    difference(withMember('net0', 'eth0'), withMember(name, uplink)).map(({ kind }) => kind);
  const free = kindsTo('net1', 'eth1');
  ok(free.indexOf('join') < free.indexOf('leave'), free.join(' '));
  const taken = kindsTo('net1', 'eth0');
  ok(taken.indexOf('join') > taken.indexOf('leave'), 'the uplink must be free first');
});

test('every change has a sentence of its own', () => {
  forAll(RUNS, [configuration, configuration], (from, to) => {
    for (const change of difference(from, to)) {
      ok(/^[a-z].*\S$/.test(changeSentence(change)), JSON.stringify(change));
    }
  });
});

function configOf(text: string): Config {
  const result = configFromSources([{ file: 'x', text }]);
  ok('config' in result, JSON.stringify(result));
  return result.config;
}

function withMember(name: string, uplink: string): Config {
  return configOf(`interfaces: { ${name}: { uplink: ${uplink} } }
groups: { ipmp0: { interfaces: [${name}] } }`);
}

function nicOf({ interfaces }: Config, name: string): InterfaceConfig | undefined {
  return interfaces.find((one) => one.name === name);
}

function isSame(one: unknown, other: unknown): boolean {
  return JSON.stringify(one) === JSON.stringify(other);
}
