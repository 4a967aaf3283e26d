/**
 * The collector under interleavings: readers, joins, leaves and slow drivers, in every order that
 * the scheduler may choose. The property is always the same: what is published never falls, every
 * operation ends, no reference stays.
 */
import { deepEqual, equal, ok, throws } from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { Region } from '../../../src/base/lock.ts';
import { type Operation, Scheduler, sleepFor } from '../../../src/base/operation.ts';
import { References } from '../../../src/base/reference.ts';
import { GroupKstat, type KstatMember, LinkKstat, within } from '../../../src/stats/collector.ts';
import { GroupCounters, type MemberCounters } from '../../../src/stats/group-counters.ts';
import {
  collectKstats,
  KstatChain,
  type KstatReading,
  MemoryKstat,
} from '../../../src/stats/kstat.ts';
import { LINK_COUNTERS_ZERO, type LinkCounters } from '../../../src/stats/schema.ts';

const DRIVER_NEVER = Number.POSITIVE_INFINITY;

/** A NIC: what its driver has counted, how long its answer takes, what it adds to its group. */
class FakeNic {
  readonly name: string;
  readonly references: References;
  counted = 0n;
  delayMs = 1;
  counters: MemberCounters | undefined;

  constructor(name: string) {
    this.name = name;
    this.references = new References('phyint', name);
  }
}

/** A group, its NICs and its kstat, on one scheduler. */
class FakeGroup {
  readonly scheduler: Scheduler;
  readonly region = new Region('illGlobalLock');
  readonly counters = new GroupCounters();
  readonly nics: FakeNic[];
  readonly kstat: GroupKstat;
  readonly published: bigint[] = [];

  constructor(nicCount: number, choose?: (ready: number) => number) {
    this.scheduler = new Scheduler(choose === undefined ? {} : { choose });
    this.nics = Array.from({ length: nicCount }, (_, at) => new FakeNic(`net${at}`));
    this.kstat = new GroupKstat({
      name: 'ipmp0',
      crtimeMs: 0,
      scheduler: this.scheduler,
      source: {
        region: this.region,
        counters: this.counters,
        isRunning: () => true,
        holdMembers: () => this.#holdMembers(),
      },
      linkStatistics: (nic) => this.ask(nic),
    });
  }

  #holdMembers(): KstatMember[] {
    ok(this.region.isOpen);
    return this.nics.flatMap(({ name, counters, references }, at) => {
      if (counters === undefined) return [];
      return [{ nic: at, ifname: name, counters, reference: references.hold('test') }];
    });
  }

  nic(at: number): FakeNic {
    const nic = this.nics[at];
    ok(nic !== undefined);
    return nic;
  }

  /** The driver: takes its time, during which traffic goes on. */
  *ask(at: number): Operation<LinkCounters> {
    ok(!this.region.isOpen);
    const { counted: rbytes, delayMs } = this.nic(at);
    yield* sleepFor(delayMs);
    return { ...LINK_COUNTERS_ZERO, rbytes };
  }

  *join(at: number): Operation<void> {
    const value = yield* this.ask(at);
    this.region.write(() => {
      this.nic(at).counters ??= this.counters.join(value);
    });
  }

  *leave(at: number): Operation<void> {
    const deadlineMs = this.scheduler.nowMs + 200;
    let value: LinkCounters | undefined;
    try {
      value = yield* within('leave', deadlineMs, () => this.ask(at));
    } catch {
      value = undefined;
    }
    this.region.write(() => {
      const nic = this.nic(at);
      if (nic.counters === undefined) return;
      this.counters.leave(nic.counters, value);
      nic.counters = undefined;
    });
  }

  *read(): Operation<KstatReading> {
    const reading = yield* this.kstat.read();
    this.published.push(reading.data.rbytes64 as bigint);
    return reading;
  }

  /** Runs until nothing can go on any more; returns how long that took. */
  finish(): number {
    const startMs = this.scheduler.nowMs;
    for (let step = 0; step < 10_000 && this.scheduler.pollAt() !== DRIVER_NEVER; step++) {
      this.scheduler.handleTime(this.scheduler.pollAt());
    }
    equal(this.scheduler.pollAt(), DRIVER_NEVER);
    return this.scheduler.nowMs - startMs;
  }

  /** Runs an operation until nothing can go on any more; returns its value. */
  run<T>(body: () => Operation<T>): T {
    const task = this.scheduler.spawn('test', body);
    this.finish();
    return task.value;
  }

  check(): void {
    for (const [at, value] of this.published.entries()) {
      ok(at === 0 || value >= (this.published[at - 1] ?? 0n), `fell: ${this.published}`);
    }
    for (const nic of this.nics) equal(nic.references.count, 0, `${nic.name} is held`);
  }
}

test('[contract 6.1] a group counts from the join on and keeps what a leaver counted', () => {
  const group = new FakeGroup(2);
  const [first, second] = [group.nic(0), group.nic(1)];
  first.counted = 1000n;
  group.run(() => group.join(0));
  equal(group.run(() => group.read()).data.rbytes64, 0n);
  first.counted = 1100n;
  equal(group.run(() => group.read()).data.rbytes64, 100n);
  second.counted = 5n;
  group.run(() => group.join(1));
  second.counted = 25n;
  group.run(() => group.leave(0));
  first.counted = 9000n;
  equal(group.run(() => group.read()).data.rbytes64, 120n);
  group.run(() => group.join(0));
  first.counted = 9001n;
  const reading = group.run(() => group.read());
  deepEqual([reading.data.rbytes64, reading.data.link_up, reading.stale], [121n, 1, false]);
  group.check();
});

test('[contract 6.2] a device whose counters fall does not make the group fall', () => {
  const group = new FakeGroup(1);
  const nic = group.nic(0);
  for (const step of [50n, 10n, 60n]) {
    group.run(() => group.join(0));
    nic.counted = step;
    group.run(() => group.read());
  }
  deepEqual(group.published, [50n, 50n, 60n]);
});

test('a member that joins while a read asks is asked too', () => {
  const group = new FakeGroup(2);
  const [first, second] = [group.nic(0), group.nic(1)];
  group.run(() => group.join(0));
  first.delayMs = 20;
  group.scheduler.spawn('read', () => group.read());
  group.scheduler.spawn('join', () => group.join(1));
  group.scheduler.handleTime(group.scheduler.nowMs + 10);
  second.counted = 100n;
  group.finish();
  deepEqual(group.published, [100n]);
  group.check();
});

test('a hung driver: the read ends in its budget, stale, with the last value', () => {
  const group = new FakeGroup(2);
  const [first, second] = [group.nic(0), group.nic(1)];
  for (const at of [0, 1]) group.run(() => group.join(at));
  first.counted = 10n;
  second.counted = 20n;
  second.delayMs = 1_000_000;
  const task = group.scheduler.spawn('read', () => group.read());
  const tookMs = group.finish();
  deepEqual([task.value.data.rbytes64, task.value.stale], [10n, true]);
  ok(tookMs <= 200, `${tookMs} ms`);
  group.check();
});

test('behind many readers of a hung driver, a removal still ends within 400 ms', () => {
  const group = new FakeGroup(1);
  const nic = group.nic(0);
  const chain = new KstatChain();
  chain.install(group.kstat);
  group.run(() => group.join(0));
  nic.delayMs = 1_000_000;
  for (let reader = 0; reader < 50; reader++) group.scheduler.spawn('read', () => group.read());
  const remove = group.scheduler.spawn('remove', () => chain.remove(group.kstat));
  const leave = group.scheduler.spawn('leave', () => group.leave(0));
  const late = group.scheduler.spawn('late', () => group.read());
  const tookMs = group.finish();
  deepEqual([remove.state, leave.state, late.state], ['done', 'done', 'done']);
  ok(tookMs <= 400, `${tookMs} ms`);
  equal(chain.lookup('ipmp', 0, 'ipmp0'), undefined);
  group.check();
});

test('a reader that is cancelled releases what it holds', () => {
  const group = new FakeGroup(2);
  for (const at of [0, 1]) group.run(() => group.join(at));
  const task = group.scheduler.spawn('read', () => group.read());
  group.scheduler.run();
  equal(group.nic(0).references.count, 1);
  task.cancel();
  equal(group.kstat.owner.owner, undefined);
  group.finish();
  group.check();
});

/** One thing that happens: to a NIC, or a read, or time passing with traffic. */
const happening = fc.oneof(
  fc.record({ what: fc.constantFrom('join', 'leave', 'traffic'), nic: fc.nat(2) }),
  fc.record({ what: fc.constantFrom('read', 'read', 'time'), nic: fc.constant(0) }),
  fc.record({ what: fc.constantFrom('hung', 'slow', 'quick'), nic: fc.nat(2) }),
);

test('[contract 6.2] in any order, what is published never falls and everything ends', () => {
  fc.assert(
    fc.property(
      fc.array(happening, { minLength: 5, maxLength: 40, size: 'max' }),
      fc.array(fc.nat(), { minLength: 1, maxLength: 50, size: 'max' }),
      (happenings, choices) => {
        let next = 0;
        const choose = (ready: number): number => (choices[next++ % choices.length] ?? 0) % ready;
        const group = new FakeGroup(3, choose);
        for (const { what, nic } of happenings) {
          const target = group.nic(nic);
          if (what === 'join') group.scheduler.spawn(what, () => group.join(nic));
          else if (what === 'leave') group.scheduler.spawn(what, () => group.leave(nic));
          else if (what === 'read') group.scheduler.spawn(what, () => group.read());
          else if (what === 'time') group.scheduler.handleTime(group.scheduler.nowMs + 1);
          else if (what === 'hung') target.delayMs = 350;
          else if (what === 'slow') target.delayMs = 5;
          else if (what === 'quick') target.delayMs = 1;
          if (what === 'traffic') target.counted += 7n;
          group.scheduler.run();
        }
        group.finish();
        group.run(() => group.read());
        group.check();
      },
    ),
    { numRuns: 2000 },
  );
});

test('a leave commits what was published, not less', () => {
  // A reader notes 10; the leave's driver answered 0 before that. Committing 0 would lose 10.
  const counters = new GroupCounters();
  const member = counters.join(LINK_COUNTERS_ZERO);
  member.noteSeen({ ...LINK_COUNTERS_ZERO, rbytes: 10n });
  const published = counters.total().rbytes;
  counters.leave(member, { ...LINK_COUNTERS_ZERO, rbytes: 0n });
  deepEqual([published, counters.total().rbytes], [10n, 10n]);
  throws(() => counters.leave(member, undefined), /leaves once/);
});

test('a lone link, and the chain', () => {
  const scheduler = new Scheduler();
  const region = new Region('illGlobalLock');
  const references = new References('phyint', 'net0');
  let counted = 5n;
  const link = new LinkKstat({
    name: 'net0',
    crtimeMs: 1500,
    scheduler,
    source: { region, nic: 0, isUp: () => false, hold: () => references.hold('test') },
    *linkStatistics() {
      yield* sleepFor(1);
      return { ...LINK_COUNTERS_ZERO, ipackets: counted };
    },
  });
  const drops = new MemoryKstat(
    { module: 'ipmpd', instance: 0, name: 'drops', class: 'misc' },
    { crtimeMs: 0, nowMs: () => scheduler.nowMs, copy: () => ({ runt: 3n }) },
  );
  const chain = new KstatChain();
  const firstId = chain.id;
  chain.install(link);
  chain.install(drops);
  throws(() => chain.install(drops), { code: 'EEXIST' });
  equal(chain.id, firstId + 2);
  const collect = () => {
    const task = scheduler.spawn('collect', () => collectKstats(chain));
    scheduler.handleTime(scheduler.nowMs);
    scheduler.handleTime(scheduler.nowMs + 1);
    return task.value;
  };
  const [first, second] = collect();
  deepEqual(
    [first?.module, first?.crtime.text, first?.data.ipackets64],
    ['link', '1.500000000', 5n],
  );
  deepEqual([second?.data, second?.snaptime.text], [{ runt: 3n }, '0.000000000']);
  counted = 2n;
  equal(collect()[0]?.data.ipackets64, 5n);
  const removal = scheduler.spawn('remove', () => chain.remove(link));
  scheduler.run();
  deepEqual([removal.state, chain.list().length, chain.id], ['done', 1, firstId + 3]);
  equal(references.count, 0);
});
