/**
 * Arbitrary lives of a group, with drivers that are late or silent and with every interleaving of
 * operations: after each step the published words, the tables and the rows agree for both families,
 * and no address is unbound while an interface works. Afterwards everything can be taken apart.
 */

import { deepEqual, equal, ok } from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { OperatorError } from '../../src/base/errors.ts';
import type { Operation, Task } from '../../src/base/operation.ts';
import { Rng } from '../../src/base/rng.ts';
import { collectKstats } from '../../src/stats/kstat.ts';
import { ipFormat } from '../../src/wire/addr.ts';
import { forAll } from '../tools/for-all.ts';
import { Bench, groupSpec, interfaceSpec } from '../unit/system/bench.ts';

const MEMBERS = 4;
/** Ours, in virtual time: joins and leaves of one interface wait for each other's graces. */
const ENDED_WITHIN_S = 60;
const member = fc.nat(MEMBERS - 1).map((n) => `net${n}`);

const ON_NIC = [
  ...(['appear', 'vanish', 'join', 'leave', 'silent', 'late'] as const),
  ...(['offline', 'offline', 'online', 'activate'] as const),
];

type Step =
  | { readonly kind: 'link'; readonly name: string; readonly link: 'up' | 'down' | 'unknown' }
  | { readonly kind: (typeof ON_NIC)[number]; readonly name: string }
  | { readonly kind: 'standby'; readonly name: string; readonly on: boolean }
  | { readonly kind: 'addresses' | 'advance'; readonly count: number }
  | { readonly kind: 'read' | 'delete' | 'create' | 'rename' }
  | { readonly kind: 'failback'; readonly on: boolean };

const on = fc.boolean();
const link = fc.constantFrom('up' as const, 'down' as const, 'down' as const, 'unknown' as const);
const counted = fc.constantFrom('addresses' as const, 'advance' as const);
const WHOLE = ['read', 'delete', 'create', 'rename'] as const;

const step: fc.Arbitrary<Step> = fc.oneof(
  { weight: 6, arbitrary: fc.record({ kind: fc.constant('link' as const), name: member, link }) },
  { weight: 6, arbitrary: fc.record({ kind: fc.constantFrom(...ON_NIC), name: member }) },
  { weight: 3, arbitrary: fc.record({ kind: counted, count: fc.nat(12) }) },
  { weight: 2, arbitrary: fc.record({ kind: fc.constantFrom(...WHOLE) }) },
  { weight: 1, arbitrary: fc.record({ kind: fc.constant('standby' as const), name: member, on }) },
  { weight: 1, arbitrary: fc.record({ kind: fc.constant('failback' as const), on }) },
);

interface Life {
  readonly seed: number;
  readonly standbys: readonly number[];
  readonly damped: boolean;
  readonly steps: readonly Step[];
}

const life: fc.Arbitrary<Life> = fc.record({
  seed: fc.nat(),
  standbys: fc.subarray([0, 1, 2, 3], { maxLength: 2 }),
  damped: fc.boolean(),
  steps: fc.array(step, { maxLength: 60, size: 'max' }),
});

/** Starts an operation and lets it run as far as it can; refusals are part of life. */
function start(bench: Bench, label: string, body: () => Operation<unknown>): Task<unknown> {
  const task = bench.system.scheduler.spawn(label, body);
  bench.system.scheduler.run();
  task.onSettled(() => {
    if (task.state === 'failed' && !(task.error instanceof OperatorError)) throw task.error;
  });
  return task;
}

/** One step; the operation that it has begun, if it is one. */
function take(bench: Bench, { damped }: Life, now: Step): Task<unknown> | undefined {
  const { system } = bench;
  switch (now.kind) {
    case 'link':
      bench.link(now.name, now.link);
      break;
    case 'appear':
      bench.appear(now.name);
      break;
    case 'vanish':
      bench.vanish(now.name);
      break;
    case 'join':
      return start(bench, 'join', () => system.joinGroup('ipmp0', now.name));
    case 'leave':
      return start(bench, 'leave', () => system.leaveGroup('ipmp0', now.name));
    case 'offline':
      return start(bench, 'offline', () => system.offlineInterface(now.name));
    case 'online':
      return start(bench, 'online', () => system.onlineInterface(now.name));
    case 'activate':
      return start(bench, 'activate', () => system.activateInterface(now.name));
    case 'standby':
      return start(bench, 'standby', () => system.setInterface(now.name, { standby: now.on }));
    case 'rename':
      return start(bench, 'rename', () => system.renameGroup('ipmp0', 'blue'));
    case 'silent':
      bench.delaysMs.set(now.name, Number.POSITIVE_INFINITY);
      break;
    case 'late':
      bench.delaysMs.set(now.name, 20);
      break;
    case 'addresses':
      bench.addresses(...addressesOf(now.count));
      break;
    case 'advance':
      bench.advance(now.count ** 4);
      break;
    case 'read':
      return start(bench, 'read', () => collectKstats(system.kstats));
    case 'delete':
      return start(bench, 'delete', () => system.deleteGroup('ipmp0'));
    case 'create': {
      const task = start(bench, 'create', () => system.createGroup(specOf(damped)));
      bench.groupDevice();
      return task;
    }
    case 'failback':
      return start(bench, 'set', () => system.setGroup('ipmp0', { failback: now.on }));
  }
  return undefined;
}

/** So many addresses of each family, and a link-local one beside them. */
function addressesOf(count: number): string[] {
  const numbers = Array.from({ length: count }, (_, n) => n + 1);
  const ofIpv6 = numbers.map((n) => `2001:db8::${n}/64`);
  return [...numbers.map((n) => `192.0.2.${n}`), ...ofIpv6, ...(count > 0 ? ['fe80::1/64'] : [])];
}

function specOf(damped: boolean): ReturnType<typeof groupSpec> {
  return groupSpec({ flapDamping: damped ? { ups: 2, withinMs: 5_000 } : null });
}

/** Published words, tables and rows agree; no address is unbound while a NIC works. */
function check(bench: Bench): void {
  const { system, publication } = bench;
  const { active, cast, placements, tables } = publication;
  const [group] = system.describeGroups();
  const [low] = active.get(0) ?? [0, 0];
  if (group === undefined) {
    equal(low, 0);
    equal(cast.get(0) ?? -1, -1);
    return;
  }
  const ordinals = new Map(tables.nics.map((nic) => [nic.nic, nic.member]));
  const nics = group.active.map((name) => system.nicOf(name) ?? -1);
  const mask = nics.reduce((word, nic) => word | (1 << (ordinals.get(nic) ?? 31)), 0);
  equal(low, mask, 'the mask is the active list');
  const nominated = group.nominated === null ? -1 : system.nicOf(group.nominated);
  equal(cast.get(0) ?? -1, nominated);
  equal(group.nominated !== null, group.active.length > 0);
  for (const [slot, nic] of placements) ok(nic === -1 || nics.includes(nic), `slot ${slot}`);
  const rows = system.describeAddresses();
  for (const row of rows) {
    equal(row.inbound !== null, group.active.length > 0, `${row.address} ${row.inbound}`);
    if (row.inbound !== null) ok(group.active.includes(row.inbound));
  }
  const published = tables.addresses.map(({ address }) => ipFormat(address));
  const shown = rows.map(({ address }) => address.slice(0, address.indexOf('/')));
  deepEqual(published.toSorted(), shown.toSorted(), 'the table has the addresses of the rows');
  for (const { slot } of tables.addresses) {
    if (slot >= 0) ok(nics.includes(placements.get(slot) ?? -1));
    else equal(nics.length, 0);
  }
  ok(!group.active.some((name) => group.offline.includes(name)), 'an offline NIC is not active');
  equal(group.state === 'failed', group.active.length + group.inactive.length === 0);
  ok(group.inactive.length === 0 || group.active.length > 0, 'none waits while none works');
}

/** Removes everything, when what was begun has ended: a join may wait behind a leave. */
function takeApart(bench: Bench, begun: readonly Task<unknown>[] = []): void {
  bench.delaysMs.clear();
  bench.advance(1_000);
  for (let second = 0; begun.some(({ state }) => state === 'running'); second++) {
    ok(second < ENDED_WITHIN_S, 'what was begun does not end');
    bench.advance(1_000);
  }
  for (const { ifname, group } of bench.system.describeInterfaces()) {
    if (group !== null) bench.run(() => bench.system.leaveGroup(group, ifname));
  }
  for (const { group } of bench.system.describeGroups()) {
    bench.run(() => bench.system.deleteGroup(group));
  }
  for (const { ifname } of bench.system.describeInterfaces()) {
    bench.run(() => bench.system.deleteInterface(ifname));
  }
  deepEqual(bench.system.kstats.list(), []);
  deepEqual(bench.publication.tables, { nics: [], groups: [], addresses: [], redirects: [] });
  equal(bench.system.pollAt(), Number.POSITIVE_INFINITY, 'nothing is left to wait for');
}

/** A bench of which chance, by `seed`, chooses the next task. */
function benchOf(seed: number): { bench: Bench; rng: Rng } {
  const rng = new Rng(seed);
  return { bench: new Bench((ready) => rng.below(ready)), rng };
}

function live(given: Life): void {
  const { bench } = benchOf(given.seed);
  for (let n = 0; n < MEMBERS; n++) {
    const standby = given.standbys.includes(n);
    bench.run(() => bench.system.createInterface(interfaceSpec(`net${n}`, { standby })));
    bench.appear(`net${n}`);
  }
  bench.run(() => bench.system.createGroup(specOf(given.damped)));
  bench.run(() => bench.system.joinGroup('ipmp0', 'net0'));
  bench.run(() => bench.system.joinGroup('ipmp0', 'net1'));
  bench.groupDevice();
  bench.addresses(...addressesOf(3));
  const begun: Task<unknown>[] = [];
  for (const now of given.steps) {
    const task = take(bench, given, now);
    if (task !== undefined) begun.push(task);
    check(bench);
  }
  takeApart(bench, begun);
}

test('any life of a group keeps its words, tables and rows in agreement', () => {
  forAll(400, [life], live);
});

test('a join that waits behind a leave a second after the last step ends', () => {
  live({
    seed: 0,
    standbys: [],
    damped: false,
    steps: [
      { kind: 'offline', name: 'net0' },
      { kind: 'advance', count: 7 },
      { kind: 'online', name: 'net0' },
      { kind: 'standby', name: 'net0', on: true },
      { kind: 'activate', name: 'net0' },
      { kind: 'leave', name: 'net0' },
      { kind: 'join', name: 'net0' },
    ],
  });
});

test('[contract 6.2] readers racing with joins, leaves and silent drivers: no total falls', () => {
  forAll(300, [fc.nat(), fc.array(fc.nat(5), { maxLength: 40, size: 'max' })], (seed, script) => {
    const { bench, rng } = benchOf(seed);
    bench.build(2);
    let last = 0n;
    let counted = 0n;
    const { system } = bench;
    for (const action of script) {
      counted += BigInt(rng.below(100));
      const fields = { rbytes: 0n, obytes: 0n, opackets: 0n, ierrors: 0n, oerrors: 0n };
      const casts = { multircv: 0n, multixmt: 0n, brdcstrcv: 0n, brdcstxmt: 0n };
      bench.counters.set('net0', { ...fields, ...casts, ipackets: counted });
      bench.delaysMs.set('net0', [0, 30, 250, Number.POSITIVE_INFINITY][rng.below(4)] ?? 0);
      if (action === 0) start(bench, 'leave', () => system.leaveGroup('ipmp0', 'net0'));
      else if (action === 1) start(bench, 'join', () => system.joinGroup('ipmp0', 'net0'));
      else if (action === 2) bench.advance(rng.below(200));
      else {
        start(bench, 'read', function* () {
          const kstat = system.kstats.lookup('ipmp', 0, 'ipmp0');
          const reading = kstat && (yield* kstat.read());
          const total = reading?.data.ipackets64 as bigint;
          if (reading?.stale === false) {
            ok(total >= last, `${last} -> ${total}`);
            last = total;
          }
        });
      }
    }
    takeApart(bench);
  });
});
