/** Waiting locks, regions and references: exclusion, order, release on every path. */

import { deepEqual, equal, ok, throws } from 'node:assert/strict';
import { test } from 'node:test';
import { InvariantError } from '../../../src/base/assert.ts';
import { OperatorError } from '../../../src/base/errors.ts';
import {
  acquire,
  assertNoOpenRegion,
  Region,
  type Settled,
  WaitLock,
} from '../../../src/base/lock.ts';
import { type Operation, Scheduler, sleepFor } from '../../../src/base/operation.ts';
import { References } from '../../../src/base/reference.ts';

function runUntil(scheduler: Scheduler, atMs: number): void {
  scheduler.run();
  while (scheduler.pollAt() <= atMs) scheduler.handleTime(scheduler.pollAt());
  scheduler.handleTime(atMs);
}

function* holdFor(lock: WaitLock, durationMs: number, log: string[], name: string) {
  using _held = yield* acquire(lock);
  log.push(`${name} in`);
  yield* sleepFor(durationMs);
  log.push(`${name} out`);
}

test('a waiting lock has one owner at a time, first come, first served', () => {
  const scheduler = new Scheduler();
  const lock = new WaitLock('ipsq', 'ipsq of ipmp0');
  const log: string[] = [];
  for (const name of ['a', 'b', 'c']) {
    scheduler.spawn(name, () => holdFor(lock, 10, log, name));
  }
  scheduler.run();
  equal(lock.owner?.label, 'a');
  equal(lock.queue.length, 2);
  runUntil(scheduler, 100);
  deepEqual(log, ['a in', 'a out', 'b in', 'b out', 'c in', 'c out']);
  equal(lock.owner, undefined);
});

test('waiting for a lock ends with ETIMEDOUT at the deadline, and the queue forgets', () => {
  const scheduler = new Scheduler();
  const lock = new WaitLock('kstat', 'kstat');
  const log: string[] = [];
  scheduler.spawn('owner', () => holdFor(lock, 100, log, 'owner'));
  const late = scheduler.spawn('late', () => acquire(lock, 50));
  runUntil(scheduler, 60);
  equal(late.state, 'failed');
  ok(late.error instanceof OperatorError && late.error.code === 'ETIMEDOUT');
  equal(lock.queue.length, 0);
  runUntil(scheduler, 200);
  equal(lock.owner, undefined);
});

test('cancelling gives the lock back: while owning, while waiting, and when just granted', () => {
  const scheduler = new Scheduler();
  const lock = new WaitLock('ipsq', 'ipsq');
  const log: string[] = [];
  const owner = scheduler.spawn('owner', () => holdFor(lock, 100, log, 'owner'));
  const queued = scheduler.spawn('queued', () => holdFor(lock, 100, log, 'queued'));
  const next = scheduler.spawn('next', () => holdFor(lock, 100, log, 'next'));
  scheduler.run();
  queued.cancel();
  equal(lock.queue.length, 1);
  owner.cancel();
  equal(lock.owner, next);
  next.cancel();
  equal(lock.owner, undefined);
  deepEqual(log, ['owner in']);
});

test('a wait for a lock that has just timed out is cancelled without harm', () => {
  const scheduler = new Scheduler();
  const lock = new WaitLock('kstat', 'kstat');
  const log: string[] = [];
  scheduler.spawn('owner', () => holdFor(lock, 100, log, 'owner'));
  const late = scheduler.spawn('late', () => acquire(lock, 10));
  scheduler.run();
  // Both are overdue: the deadline of the wait ends it, and what waits for its task ends that.
  scheduler.timers.schedule(11, () => late.cancel());
  scheduler.handleTime(20);
  equal(late.state, 'cancelled');
  equal(lock.queue.length, 0);
  runUntil(scheduler, 200);
  equal(lock.owner, undefined);
});

test('locks are taken in rising rank: kstat after ipsq, never the other way, never twice', () => {
  const scheduler = new Scheduler();
  const ipsq = new WaitLock('ipsq', 'the ipsq');
  const kstat = new WaitLock('kstat', 'the kstat');
  function* inOrder(first: WaitLock, second: WaitLock): Operation<string> {
    using _first = yield* acquire(first);
    using _second = yield* acquire(second);
    return 'both';
  }
  const right = scheduler.spawn('right', () => inOrder(ipsq, kstat));
  scheduler.run();
  equal(right.value, 'both');
  scheduler.spawn('wrong', () => inOrder(kstat, ipsq));
  throws(() => scheduler.run(), /takes the ipsq \(ipsq\) while it owns the kstat \(kstat\)/);
  scheduler.spawn('twice', () => inOrder(ipsq, ipsq));
  throws(() => scheduler.run(), /takes the ipsq twice/);
  equal(ipsq.owner, undefined);
  equal(kstat.owner, undefined);
});

test('a lock kept at the end of its task is a mistake, so is a second release', () => {
  const scheduler = new Scheduler();
  scheduler.spawn('forgetful', function* () {
    yield* acquire(new WaitLock('ipsq', 'ipsq'));
  });
  throws(() => scheduler.run(), /ends with a lock held/);
  scheduler.spawn('eager', function* () {
    const held = yield* acquire(new WaitLock('ipsq', 'ipsq'));
    held.release();
    held.release();
  });
  throws(() => scheduler.run(), /released twice/);
});

test('a region returns what its body returns and closes on every path', () => {
  const region = new Region('illGlobalLock');
  equal(
    region.read(() => region.isOpen),
    true,
  );
  equal(region.isOpen, false);
  throws(
    () =>
      region.write(() => {
        throw new OperatorError('EBUSY');
      }),
    OperatorError,
  );
  equal(region.isOpen, false);
});

test('a region is not entered twice, but another one may be entered inside', () => {
  const outer = new Region('illGlobalLock');
  const inner = new Region('neigh');
  throws(() => outer.read(() => outer.read(() => 1)), InvariantError);
  equal(
    outer.write(() => inner.write(() => 'both')),
    'both',
  );
});

test('a body that can wait is refused, by type and at run time', () => {
  type Refused<T> = [Settled<T>] extends [never] ? true : false;
  const types: [Refused<Promise<number>>, Refused<Operation<number>>, Refused<number>] = [
    true,
    true,
    false,
  ];
  equal(types.length, 3);
  const region = new Region('illGlobalLock');
  const refuse = (body: () => unknown) => throws(() => region.read(body), /can wait/);
  refuse(() => Promise.resolve(1));
  refuse(() => sleepFor(1));
  equal(
    region.read(() => [1].values().next().value),
    1,
  );
});

test('boundaries refuse an open region: driver call, wait, run', () => {
  const region = new Region('illGlobalLock');
  assertNoOpenRegion('driver call');
  region.read(() => {
    throws(() => assertNoOpenRegion('driver call'), /driver call with illGlobalLock held/);
    throws(() => new Scheduler().run(), /run with illGlobalLock held/);
  });
});

test('the longest hold is measured where a clock is given', () => {
  let nowMs = 0;
  const region = new Region('illGlobalLock', () => nowMs);
  const hold = (durationMs: number) =>
    region.write(() => {
      nowMs += durationMs;
    });
  hold(0.5);
  hold(2);
  hold(1);
  equal(region.longestHoldMs, 2);
});

test('references: counted and named by tag, released once, none after condemnation', () => {
  const references = new References('phyint', 'net0');
  const first = references.hold('reader');
  {
    using _second = references.hold('reader');
    using _third = references.hold('probe');
    equal(references.count, 3);
    deepEqual(
      references.places.map(({ what }) => what),
      ['reader', 'reader', 'probe'].map((tag) => `${tag} holds phyint net0`),
    );
  }
  equal(references.count, 1);
  references.condemn();
  equal(references.condemned, true);
  throws(() => references.hold('late'), /condemned/);
  throws(() => references.condemn(), /condemned twice/);
  first.release();
  throws(() => first.release(), /twice/);
  equal(references.count, 0);
});

test('drained waits for the last reference, and not at all when there is none', () => {
  const scheduler = new Scheduler();
  const references = new References('phyint', 'net0');
  scheduler.spawn('reader', function* () {
    using _held = references.hold('reader');
    yield* sleepFor(40);
  });
  scheduler.run();
  references.condemn();
  const unplumb = scheduler.spawn('unplumb', () => references.drained());
  runUntil(scheduler, 39);
  equal(unplumb.state, 'running');
  runUntil(scheduler, 40);
  equal(unplumb.state, 'done');
  const again = scheduler.spawn('again', () => references.drained());
  scheduler.run();
  equal(again.state, 'done');
});

test('draining what is not condemned is a mistake', () => {
  const scheduler = new Scheduler();
  scheduler.spawn('unplumb', () => new References('group', 'ipmp0').drained());
  throws(() => scheduler.run(), /without being condemned/);
});
