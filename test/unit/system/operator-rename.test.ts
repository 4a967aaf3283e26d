/**
 * Renaming a group (docs/law.md row 30): what can be seen of it bears the new name; its device, its
 * port and its kstat keep theirs, and the host is asked by that.
 *
 * | request                                      | refusal                                   |
 * |----------------------------------------------|-------------------------------------------|
 * | unknown group, or one being deleted          | ENOENT                                    |
 * | empty or bad name; longer than 31            | EINVAL; ENAMETOOLONG                      |
 * | name or device of another group; interface   | EEXIST                                    |
 * | its own name                                 | done, nothing happens                     |
 * | create what a renamed group's device is      | EEXIST                                    |
 */

import { deepEqual, equal, match } from 'node:assert/strict';
import { test } from 'node:test';
import { collectKstats } from '../../../src/stats/kstat.ts';
import { Bench, groupSpec, interfaceSpec } from './bench.ts';

const rename = (bench: Bench, name: string, to: string): string =>
  bench.refusal(() => bench.system.renameGroup(name, to));
const names = (bench: Bench): string[] =>
  bench.system.describeGroups().map(({ group, ifname }) => `${group} ${ifname}`);

function quiet(): Bench {
  const bench = new Bench();
  bench.build(2);
  bench.addresses('192.0.2.10');
  bench.drain();
  return bench;
}

test('rows and events bear the new name, with that of the device beside it', () => {
  const bench = quiet();
  const { system } = bench;
  bench.link('net1', 'down');
  bench.link('net1', 'up');
  bench.drain();
  equal(rename(bench, 'ipmp0', 'blue'), 'done');
  deepEqual(bench.publication.calls, [], 'the forwarding path knows no names');
  deepEqual(
    bench.events().map(({ event, group, from, to, cause }) => [event, group, from, to, cause]),
    [['group-renamed', 'blue', 'ipmp0', 'blue', 'configured']],
  );
  deepEqual(names(bench), ['blue ipmp0']);
  equal(system.describeStatus().groups[0]?.group, 'blue');
  deepEqual(
    system.describeInterfaces().map(({ group }) => group),
    ['blue', 'blue'],
  );
  deepEqual(
    system.describeAddresses().map(({ group, ifname }) => `${group} ${ifname}`),
    ['blue ipmp0'],
  );
  system.setNeighbor('blue', { dst: '192.0.2.7', lladdr: '02:00:00:00:0a:01', proxy: false });
  bench.run(() => system.joinMulticast('blue', '239.1.2.3'));
  equal(system.describeNeighbors()[0]?.group, 'blue');
  equal(system.describeMulticast()[0]?.group, 'blue');
  deepEqual(
    system.describeFailovers().map(({ group, count }) => [group, count]),
    [['blue', 1]],
  );
  bench.link('net1', 'down');
  deepEqual(system.describeFailovers(), [
    { group: 'blue', ifname: 'net1', cause: 'link-down', count: 2 },
  ]);
  deepEqual(new Set(bench.events().map(({ group }) => group)), new Set(['blue']));
});

test('host, port and kstat go by the device', () => {
  const bench = quiet();
  const { system } = bench;
  const port = system.groupPortOf('ipmp0');
  rename(bench, 'ipmp0', 'blue');
  equal(system.groupPortOf('ipmp0'), port);
  equal(system.groupPortOf('blue'), undefined);
  equal(system.nameOfPort(port ?? -1), 'ipmp0');
  const records = bench.run(() => collectKstats(system.kstats));
  deepEqual(
    records.filter(({ module }) => module === 'ipmp').map(({ name }) => name),
    ['ipmp0'],
  );
  bench.run(() => system.setGroup('blue', { forwarding: false, mtu: 1400 }));
  bench.run(() => system.joinMulticast('blue', '239.1.2.3'));
  bench.run(() => system.leaveMulticast('blue', '239.1.2.3'));
  deepEqual(bench.asked, [
    'ipmp0 forwards: false',
    'ipmp0 listens to 239.1.2.3',
    'ipmp0 leaves 239.1.2.3',
  ]);
  deepEqual(system.pollHostRequest(), { kind: 'group-mtu', group: 'ipmp0', mtu: 1400 });
  bench.addresses('192.0.2.10', '192.0.2.11');
  equal(bench.bindings().length, 2, 'what the host says of the device');
  system.handleHostAddresses('blue', [], bench.nowMs);
  equal(bench.bindings().length, 2, 'it knows no group of that name');
  for (const name of ['net0', 'net1']) bench.run(() => system.leaveGroup('blue', name));
  bench.run(() => system.deleteGroup('blue'));
  deepEqual(bench.closed, [{ name: 'ipmp0', shown: ['blue'] }]);
  equal(system.kstats.lookup('ipmp', 0, 'ipmp0'), undefined);
  deepEqual(names(bench), []);
});

test('both names find the group', () => {
  const bench = quiet();
  const { system } = bench;
  rename(bench, 'ipmp0', 'blue');
  bench.run(() => system.createInterface(interfaceSpec('net2')));
  for (const name of ['blue', 'ipmp0']) {
    bench.run(() => system.joinGroup(name, 'net2'));
    bench.run(() => system.joinGroup('ipmp0', 'net2'));
    bench.run(() => system.leaveGroup(name, 'net2'));
  }
  equal(rename(bench, 'ipmp0', 'green'), 'done');
  equal(rename(bench, 'blue', 'red'), 'ENOENT there is no group blue');
  deepEqual(names(bench), ['green ipmp0']);
  match(
    bench.refusal(() => system.deleteGroup('ipmp0')),
    /^EBUSY cannot delete group green: it still has members net0, net1$/,
  );
  bench.run(() => system.createGroup(groupSpec({ name: 'other' })));
  equal(
    bench.refusal(() => system.leaveGroup('other', 'net0')),
    'EINVAL interface net0 is in group green, not in other',
  );
  equal(
    bench.refusal(() => system.joinGroup('other', 'net0')),
    'EALREADY interface net0 is already in group green',
  );
});

test('what is refused has changed nothing and says nothing', () => {
  const bench = quiet();
  bench.run(() => bench.system.createGroup(groupSpec({ name: 'ipmp1' })));
  rename(bench, 'ipmp1', 'blue');
  bench.drain();
  const before = bench.system.describeGroups();
  equal(rename(bench, 'ipmp9', 'red'), 'ENOENT there is no group ipmp9');
  match(rename(bench, 'ipmp0', ''), /^EINVAL group name "" is not allowed/);
  match(rename(bench, 'ipmp0', '0red'), /^EINVAL group name "0red" is not allowed/);
  match(rename(bench, 'ipmp0', 'a b'), /^EINVAL /);
  match(rename(bench, 'ipmp0', 'a'.repeat(16)), /^ENAMETOOLONG .* 16 characters \(at most 15\)/);
  equal(rename(bench, 'ipmp0', 'net0'), 'EEXIST there is an interface net0 already');
  equal(rename(bench, 'ipmp0', 'blue'), 'EEXIST there is a group blue already');
  equal(rename(bench, 'ipmp0', 'ipmp1'), 'EEXIST ipmp1 is the device of group blue');
  equal(rename(bench, 'blue', 'blue'), 'done');
  equal(rename(bench, 'ipmp1', 'blue'), 'done');
  deepEqual(bench.system.describeGroups(), before);
  deepEqual(bench.events(), []);
  equal(rename(bench, 'blue', 'a'.repeat(15)), 'done');
  equal(rename(bench, 'ipmp1', 'ipmp1'), 'done', 'back to the name of its device');
});

test('nothing is created under either name of a group', () => {
  const bench = quiet();
  rename(bench, 'ipmp0', 'blue');
  const group = (spec: object): string =>
    bench.refusal(() => bench.system.createGroup(groupSpec(spec)));
  const create = (name: string): string =>
    bench.refusal(() => bench.system.createInterface(interfaceSpec(name)));
  equal(group({ name: 'blue' }), 'EEXIST there is a group blue already');
  equal(group({ name: 'ipmp0' }), 'EEXIST ipmp0 is the device of group blue');
  equal(group({ name: 'x', groupName: 'ipmp0' }), 'EEXIST ipmp0 is the device of group blue');
  equal(group({ name: 'x', groupName: 'net0' }), 'EEXIST there is an interface net0 already');
  match(group({ name: 'x', groupName: '' }), /^EINVAL group name ""/);
  equal(create('blue'), 'EEXIST there is a group blue already');
  equal(create('ipmp0'), 'EEXIST ipmp0 is the device of group blue');
  equal(group({ name: 'ipmp1', groupName: 'red' }), 'done');
  deepEqual(names(bench), ['blue ipmp0', 'red ipmp1']);
  equal(bench.system.groupPortOf('ipmp1') !== undefined, true);
  equal(bench.system.kstats.lookup('ipmp', 0, 'ipmp1') !== undefined, true);
});

test('who waits for the group finds it as it is by then', () => {
  const bench = quiet();
  const { system } = bench;
  bench.run(() => system.createGroup(groupSpec({ name: 'ipmp1' })));
  bench.run(() => system.createInterface(interfaceSpec('net9')));
  bench.run(() => system.joinGroup('ipmp1', 'net9'));
  bench.delaysMs.set('net9', 1);
  const writer = system.scheduler.spawn('leave', () => system.leaveGroup('ipmp1', 'net9'));
  const first = system.scheduler.spawn('first', () => system.renameGroup('ipmp1', 'blue'));
  const second = system.scheduler.spawn('second', () => system.renameGroup('ipmp0', 'blue'));
  const third = system.scheduler.spawn('third', () => system.deleteGroup('ipmp1'));
  const fourth = system.scheduler.spawn('fourth', () => system.renameGroup('ipmp1', 'red'));
  bench.advance(1);
  equal(writer.state, 'done');
  equal(second.state, 'done');
  match(String(first.error), /there is a group blue already/);
  equal(third.state, 'done');
  match(String(fourth.error), /there is no group ipmp1/);
});
