/**
 * The life cycle of groups through the public API: order, refusals, and calls of the publication.
 *
 * | request                                     | refusal                                    |
 * |---------------------------------------------|--------------------------------------------|
 * | create an interface or group that exists    | EEXIST                                     |
 * | a name that no device can have              | EINVAL, ENAMETOOLONG                       |
 * | create a group with an unknown interface    | ENXIO, nothing is created                  |
 * | join: unknown interface / group             | ENXIO / ENOENT                             |
 * | join: in another group                      | EALREADY                                   |
 * | join: member of this group                  | done, nothing changes                      |
 * | join: 65th member                           | ENOSPC                                     |
 * | join: driver silent                         | ETIMEDOUT after 200 ms, nothing changes    |
 * | leave: in another group / in none           | EINVAL / done, nothing changes             |
 * | delete a group: unknown / with members      | ENOENT / EBUSY, naming them                |
 */

import { deepEqual, equal, match } from 'node:assert/strict';
import { test } from 'node:test';
import { READ_BUDGET_MS } from '../../../src/stats/collector.ts';
import { collectKstats } from '../../../src/stats/kstat.ts';
import { LINK_COUNTERS_ZERO } from '../../../src/stats/schema.ts';
import { columns } from '../ip/harness.ts';
import { Bench, groupSpec, refusalOf, refuses } from './bench.ts';

test('names: exactly those that a kernel device can have', () => {
  const bench = new Bench();
  bench.create('net0');
  refuses('EEXIST there is an interface net0 already', () => bench.create('net0'));
  refuses(/^EINVAL interface name "0net" is not allowed/, () => bench.create('0net'));
  refuses(/^EINVAL /, () => bench.create('a b'));
  refuses(/^ENAMETOOLONG .* 16 characters \(at most 15\)/, () => bench.create('abcdefghijklmnop'));
  const group = (name: string): string => refusalOf(() => bench.createGroup({ name }));
  equal(group('net0'), 'EEXIST there is an interface net0 already');
  equal(group('ipmp0'), 'done');
  equal(group('ipmp0'), 'EEXIST there is a group ipmp0 already');
  refuses('EEXIST there is a group ipmp0 already', () => bench.create('ipmp0'));
  match(group('x/y'), /^EINVAL group name "x\/y"/);
});

test('a group with an interface that cannot join is not created at all', () => {
  const bench = new Bench();
  bench.create('net0');
  refuses('ENXIO there is no interface net9', () =>
    bench.createGroup({ interfaces: ['net0', 'net9'] }),
  );
  deepEqual(bench.system.describeGroups(), []);
  refuses('EINVAL group ipmp0: interface net0 is named twice', () =>
    bench.createGroup({ interfaces: ['net0', 'net0'] }),
  );
});

test('a join whose driver is silent is refused, and undoes the creation it belongs to', () => {
  const bench = new Bench();
  for (const name of ['net0', 'net1']) {
    bench.create(name);
    bench.appear(name);
  }
  bench.delaysMs.set('net1', Number.POSITIVE_INFINITY);
  const beganMs = bench.nowMs;
  refuses(/^ETIMEDOUT statistics of net1/, () =>
    bench.createGroup({ interfaces: ['net0', 'net1'] }),
  );
  equal(bench.nowMs - beganMs, 200);
  deepEqual(bench.system.describeGroups(), []);
  deepEqual(columns(bench.system.describeInterfaces(), 'group'), [[null], [null]]);
  bench.delaysMs.clear();
  bench.createGroup({ interfaces: ['net0'] });
});

test('refusals of join and leave', () => {
  const bench = Bench.of(2);
  bench.create('net2');
  bench.createGroup({ name: 'other' });
  refuses('ENXIO there is no interface net9', () => bench.join('ipmp0', 'net9'));
  refuses('ENOENT there is no group ipmp9', () => bench.join('ipmp9', 'net2'));
  refuses('EALREADY interface net0 is already in group ipmp0', () => bench.join('other', 'net0'));
  refuses('EINVAL interface net0 is in group ipmp0, not in other', () =>
    bench.leave('other', 'net0'),
  );
  bench.drain();
  bench.join('ipmp0', 'net0');
  bench.leave('ipmp0', 'net2');
  deepEqual(bench.events(), [], 'no change, no event');
  deepEqual(bench.publication.calls, []);
});

test('of two reasons against a join or a leave the first in order is the answer', () => {
  const bench = Bench.of(64);
  bench.create('net64');
  bench.createGroup({ name: 'other', interfaces: ['net64'] });
  bench.create('net65');
  const unknownInterface = 'ENXIO there is no interface net99';
  refuses(unknownInterface, () => bench.join('nosuch', 'net99'));
  refuses(unknownInterface, () => bench.join('ipmp0', 'net99'));
  bench.join('ipmp0', 'net0'); // a member, of a group that is full
  const member = 'EALREADY interface net64 is already in group other';
  refuses(member, () => bench.join('nosuch', 'net64'));
  refuses(member, () => bench.join('ipmp0', 'net64'));
  refuses('ENOENT there is no group nosuch', () => bench.join('nosuch', 'net65'));
  refuses('ENOSPC group ipmp0 has 64 members already', () => bench.join('ipmp0', 'net65'));
  refuses(unknownInterface, () => bench.leave('nosuch', 'net99'));
  refuses('ENOENT there is no group nosuch', () => bench.leave('nosuch', 'net64'));
});

test('a group has at most 64 members', () => {
  const bench = Bench.of(64);
  bench.create('net64');
  refuses('ENOSPC group ipmp0 has 64 members already', () => bench.join('ipmp0', 'net64'));
  deepEqual(bench.publication.active.get(0), [0xffffffff, 0xffffffff]);
});

test('a group with members is not deleted, and the refusal names them', () => {
  const bench = Bench.of(2);
  const remove = (name = 'ipmp0'): string => bench.refusal(() => bench.system.deleteGroup(name));
  equal(remove('ipmp9'), 'ENOENT there is no group ipmp9');
  equal(remove(), 'EBUSY cannot delete group ipmp0: it still has members net0, net1');
  bench.leave('ipmp0', 'net0');
  equal(remove(), 'EBUSY cannot delete group ipmp0: it still has members net1');
  bench.leave('ipmp0', 'net1');
  equal(remove(), 'done');
  equal(remove(), 'ENOENT there is no group ipmp0');
  deepEqual(bench.publication.tables.groups, []);
  equal(bench.system.groupPortOf('ipmp0'), undefined);
});

test('the device of a group goes before the group: it is never visible without it', () => {
  const bench = Bench.of(1);
  refuses(/^EBUSY /, () => bench.run(() => bench.system.deleteGroup('ipmp0')));
  deepEqual(bench.closed, [], 'a refused attempt touches nothing');
  bench.leave('ipmp0', 'net0');
  bench.run(() => bench.system.deleteGroup('ipmp0'));
  deepEqual(bench.closed, [{ name: 'ipmp0', shown: ['ipmp0'] }]);
});

test('deleting a group takes its addresses, its words and its kstat back', () => {
  const bench = Bench.of(1);
  bench.addresses('192.0.2.10', '192.0.2.11');
  bench.leave('ipmp0', 'net0');
  bench.drain();
  bench.run(() => bench.system.deleteGroup('ipmp0'));
  const events = bench.events().map(({ event }) => event);
  deepEqual(events, ['address-removed', 'address-removed', 'group-removed', 'kstat-removed']);
  deepEqual(bench.publication.tables.addresses, []);
  deepEqual([...bench.publication.placements.values()], [-1]);
  equal(bench.system.kstats.lookup('ipmp', 0, 'ipmp0'), undefined);
});

/** net0, which is there, and groups without members. */
function separate(...groups: readonly string[]): Bench {
  const bench = new Bench();
  bench.create('net0');
  bench.appear('net0');
  for (const name of groups) bench.createGroup({ name });
  bench.delaysMs.set('net0', 50);
  return bench;
}

test('a join in flight keeps its group', () => {
  const bench = separate('ipmp0');
  const join = bench.begin(() => bench.system.joinGroup('ipmp0', 'net0'));
  refuses('EBUSY cannot delete group ipmp0: net0 joins it at this moment', () =>
    bench.system.checkGroupDeletable('ipmp0'),
  );
  refuses(/^EBUSY /, () => bench.run(() => bench.system.deleteGroup('ipmp0')));
  equal(join.state, 'done');
  equal(bench.members(), 'ok: net0');
});

test('a join in flight is shown with its group, and the interface is no member before', () => {
  const bench = separate('ipmp0', 'other');
  const shown = () =>
    bench.system.describeGroups().map(({ group, interfaces, joining }) => {
      return `${group} ${interfaces.join()}<${joining.join()}`;
    });
  const join = bench.begin(() => bench.system.joinGroup('ipmp0', 'net0'));
  deepEqual(shown(), ['ipmp0 <net0', 'other <']);
  equal(bench.row('net0')?.group, null);
  bench.advance(50);
  equal(join.state, 'done');
  deepEqual(shown(), ['ipmp0 net0<', 'other <']);
  bench.leave('ipmp0', 'net0');
  bench.delaysMs.set('net0', Number.POSITIVE_INFINITY);
  refuses(/^ETIMEDOUT /, () => bench.join('other', 'net0'));
  deepEqual(shown(), ['ipmp0 <', 'other <'], 'nor is one that was refused');
});

test('during a join another is refused (EALREADY), and a deletion waits for its end', () => {
  const bench = separate('ipmp0', 'other');
  bench.begin(() => bench.system.joinGroup('ipmp0', 'net0'));
  refuses('EALREADY interface net0 is already in group ipmp0', () => bench.join('other', 'net0'));
  bench.run(() => bench.system.deleteInterface('net0'));
  equal(bench.members(), 'failed: ');
  bench.create('net0');
});

test('leaving is refused when the interface was deleted while the leave waited', () => {
  const bench = Bench.of(2);
  bench.delaysMs.set('net1', 100);
  const deletion = bench.begin(() => bench.system.deleteInterface('net1'));
  const leave = bench.begin(() => bench.system.leaveGroup('ipmp0', 'net1'));
  bench.advance(2000);
  deepEqual([deletion.state, leave.state], ['done', 'failed']);
  equal(String(leave.error), 'OperatorError: there is no interface net1');
});

test('a group that is not whole is given up although a member of it is deleted meanwhile', () => {
  const bench = new Bench();
  for (const name of ['net0', 'net1']) {
    bench.create(name);
    bench.appear(name);
  }
  bench.delaysMs.set('net1', Number.POSITIVE_INFINITY);
  const spec = groupSpec({ interfaces: ['net0', 'net1'] });
  const creation = bench.begin(() => bench.system.createGroup(spec));
  deepEqual(bench.system.describeGroups()[0]?.interfaces, ['net0']);
  bench.delaysMs.set('net0', READ_BUDGET_MS / 2);
  bench.advance(READ_BUDGET_MS - 100);
  const deletion = bench.begin(() => bench.system.deleteInterface('net0'));
  bench.advance(60_000);
  deepEqual([deletion.state, creation.state], ['done', 'failed']);
  deepEqual(bench.system.describeGroups(), []);
});

test('an interface that is deleted leaves its group first; its number is free again', () => {
  const bench = Bench.of(3);
  bench.addresses('192.0.2.10', '192.0.2.11', '192.0.2.12');
  bench.drain();
  bench.run(() => bench.system.deleteInterface('net1'));
  equal(bench.members(), 'ok: net0 net2');
  deepEqual(bench.counts(), [2, 1]);
  const again = bench.refusal(() => bench.system.deleteInterface('net1'));
  equal(again, 'ENXIO there is no interface net1');
  bench.create('net7');
  equal(bench.system.nicOf('net7'), 1);
});

test('a leave whose driver is silent takes its budget and succeeds', () => {
  const bench = Bench.of(2);
  bench.delaysMs.set('net0', Number.POSITIVE_INFINITY);
  const beganMs = bench.nowMs;
  bench.leave('ipmp0', 'net0');
  equal(bench.nowMs - beganMs, 250, 'the grace period, then 200 ms for the driver');
  equal(bench.members(), 'ok: net1');
});

/** The counters of ipmp0. */
function groupData(bench: Bench) {
  const [record] = bench.run(() =>
    collectKstats(bench.system.kstats, (kstat) => kstat.module === 'ipmp'),
  );
  return record?.data;
}

test('group counters: nothing before the join, nothing lost by the leave, never backwards', () => {
  const bench = new Bench();
  const count = (name: string, ipackets: bigint): void => {
    bench.counters.set(name, { ...LINK_COUNTERS_ZERO, ipackets });
  };
  const read = (): unknown => {
    const data = groupData(bench);
    return [data?.ipackets64, data?.link_up];
  };
  count('net0', 1000n);
  count('net1', 500n);
  bench.build(2);
  deepEqual(read(), [0n, 1]);
  count('net0', 1010n);
  count('net1', 505n);
  deepEqual(read(), [15n, 1]);
  bench.leave('ipmp0', 'net0');
  count('net0', 9999n);
  deepEqual(read(), [15n, 1]);
  bench.delaysMs.set('net1', Number.POSITIVE_INFINITY);
  bench.leave('ipmp0', 'net1');
  deepEqual(read(), [15n, 0]);
});

test('an absent member joins with what its driver has counted for earlier devices', () => {
  const bench = new Bench();
  bench.create('net0');
  bench.counters.set('net0', { ...LINK_COUNTERS_ZERO, opackets: 70n });
  bench.createGroup({ interfaces: ['net0'] });
  bench.counters.set('net0', { ...LINK_COUNTERS_ZERO, opackets: 72n });
  equal(groupData(bench)?.opackets64, 2n);
});
