/**
 * Renaming a group (docs/law.md row 30): rows and events have the new name; its device, its port
 * and its kstat keep theirs, and requests to the host name the device.
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
import { collectKstats } from '../../../../src/stats/kstat.ts';
import { columns } from '../../ip/harness.ts';
import { Bench, refuses } from '../bench.ts';

const rename = (bench: Bench, name: string, to: string): string =>
  bench.refusal(() => bench.system.renameGroup(name, to));
const names = (bench: Bench): string[] =>
  bench.system.describeGroups().map(({ group, ifname }) => `${group} ${ifname}`);

const quiet = (): Bench => Bench.settled(2, 1);

test('rows and events have the new name, rows also that of the device', () => {
  const bench = Bench.detecting(2, 1);
  const { system } = bench;
  bench.flap('net1');
  bench.drain();
  equal(rename(bench, 'ipmp0', 'blue'), 'done');
  deepEqual(bench.publication.calls, [], 'the forwarding path has no names');
  deepEqual(columns(bench.events(), 'event', 'group', 'from', 'to', 'cause'), [
    ['group-renamed', 'blue', 'ipmp0', 'blue', 'configured'],
  ]);
  deepEqual(names(bench), ['blue ipmp0']);
  equal(system.describeStatus().groups[0]?.group, 'blue');
  deepEqual(columns(system.describeInterfaces(), 'group'), [['blue'], ['blue']]);
  deepEqual(columns(system.describeAddresses(), 'group', 'ifname'), [['blue', 'ipmp0']]);
  system.setNeighbor('blue', { dst: '192.0.2.7', lladdr: '02:00:00:00:0a:01', proxy: false });
  bench.run(() => system.joinMulticast('blue', '239.1.2.3'));
  equal(system.describeNeighbors()[0]?.group, 'blue');
  equal(system.describeMulticast()[0]?.group, 'blue');
  deepEqual(columns(system.describeFailovers(), 'group', 'count'), [['blue', 1]]);
  bench.link('net1', 'down');
  deepEqual(system.describeFailovers(), [
    { group: 'blue', ifname: 'net1', cause: 'link-down', count: 2 },
  ]);
  deepEqual(new Set(bench.events().map(({ group }) => group)), new Set(['blue']));
});

test('host, port and kstat have the name of the device', () => {
  const bench = quiet();
  const { system } = bench;
  const port = system.groupPortOf('ipmp0');
  rename(bench, 'ipmp0', 'blue');
  equal(system.groupPortOf('ipmp0'), port);
  equal(system.groupPortOf('blue'), undefined);
  equal(system.nameOfPort(port ?? -1), 'ipmp0');
  const records = bench.run(() => collectKstats(system.kstats, ({ module }) => module === 'ipmp'));
  deepEqual(columns(records, 'name'), [['ipmp0']]);
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
  equal(bench.bindings().length, 2, 'the report of the host names the device');
  system.handleHostAddresses('blue', [], bench.nowMs);
  equal(bench.bindings().length, 2, 'no device has that name');
  for (const name of ['net0', 'net1']) bench.leave('blue', name);
  bench.run(() => system.deleteGroup('blue'));
  deepEqual(bench.closed, [{ name: 'ipmp0', shown: ['blue'] }]);
  equal(system.kstats.lookup('ipmp', 0, 'ipmp0'), undefined);
  deepEqual(names(bench), []);
});

test('both names find the group', () => {
  const bench = quiet();
  const { system } = bench;
  rename(bench, 'ipmp0', 'blue');
  bench.create('net2');
  for (const name of ['blue', 'ipmp0']) {
    bench.join(name, 'net2');
    bench.join('ipmp0', 'net2');
    bench.leave(name, 'net2');
  }
  equal(rename(bench, 'ipmp0', 'green'), 'done');
  equal(rename(bench, 'blue', 'red'), 'ENOENT there is no group blue');
  deepEqual(names(bench), ['green ipmp0']);
  const deletion = bench.refusal(() => system.deleteGroup('ipmp0'));
  equal(deletion, 'EBUSY cannot delete group green: it still has members net0, net1');
  bench.createGroup({ name: 'other' });
  refuses('EINVAL interface net0 is in group green, not in other', () =>
    bench.leave('other', 'net0'),
  );
  refuses('EALREADY interface net0 is already in group green', () => bench.join('other', 'net0'));
});

test('a refusal changes nothing and emits no event', () => {
  const bench = quiet();
  bench.createGroup({ name: 'ipmp1' });
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
  refuses('EEXIST there is a group blue already', () => bench.createGroup({ name: 'blue' }));
  refuses('EEXIST ipmp0 is the device of group blue', () => bench.createGroup({ name: 'ipmp0' }));
  refuses('EEXIST ipmp0 is the device of group blue', () =>
    bench.createGroup({ name: 'x', groupName: 'ipmp0' }),
  );
  refuses('EEXIST there is an interface net0 already', () =>
    bench.createGroup({ name: 'x', groupName: 'net0' }),
  );
  refuses(/^EINVAL group name ""/, () => bench.createGroup({ name: 'x', groupName: '' }));
  refuses('EEXIST there is a group blue already', () => bench.create('blue'));
  refuses('EEXIST ipmp0 is the device of group blue', () => bench.create('ipmp0'));
  bench.createGroup({ name: 'ipmp1', groupName: 'red' });
  deepEqual(names(bench), ['blue ipmp0', 'red ipmp1']);
  equal(bench.system.groupPortOf('ipmp1') !== undefined, true);
  equal(bench.system.kstats.lookup('ipmp', 0, 'ipmp1') !== undefined, true);
});

test('an operation that waited for the group repeats its checks', () => {
  const bench = quiet();
  const { system } = bench;
  bench.createGroup({ name: 'ipmp1' });
  bench.create('net9');
  bench.join('ipmp1', 'net9');
  bench.delaysMs.set('net9', 1);
  const writer = bench.begin(() => system.leaveGroup('ipmp1', 'net9'));
  const first = bench.begin(() => system.renameGroup('ipmp1', 'blue'));
  const second = bench.begin(() => system.renameGroup('ipmp0', 'blue'));
  const third = bench.begin(() => system.deleteGroup('ipmp1'));
  const fourth = bench.begin(() => system.renameGroup('ipmp1', 'red'));
  bench.advance(1);
  equal(writer.state, 'done');
  equal(second.state, 'done');
  match(String(first.error), /there is a group blue already/);
  equal(third.state, 'done');
  match(String(fourth.error), /there is no group ipmp1/);
});
