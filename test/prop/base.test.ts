/** Properties of base/: deadlines against a sorted list, locks under any interleaving. */

import { equal, ok } from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { type Deadline, DeadlineQueue } from '../../src/base/deadline.ts';
import { acquire, WaitLock } from '../../src/base/lock.ts';
import { allOf, type Operation, Scheduler, sleepFor } from '../../src/base/operation.ts';
import { References } from '../../src/base/reference.ts';
import { forAll } from '../tools/for-all.ts';

test('a deadline queue behaves like a list sorted by time and coming', () => {
  const command = fc.oneof(
    fc.record({ do: fc.constant('schedule' as const), at: fc.nat(20) }),
    fc.record({ do: fc.constant('cancel' as const), at: fc.nat(40) }),
    fc.record({ do: fc.constant('pop' as const), at: fc.nat(20) }),
  );
  forAll(100, [fc.array(command, { maxLength: 80, size: 'max' })], (commands) => {
    const queue = new DeadlineQueue<number>();
    const handles: Deadline<number>[] = [];
    let model: { at: number; id: number }[] = [];
    for (const { do: what, at } of commands) {
      if (what === 'schedule') {
        model.push({ at, id: handles.length });
        handles.push(queue.schedule(at, handles.length));
      } else if (what === 'cancel') {
        const handle = handles[at];
        if (handle !== undefined) queue.cancel(handle);
        model = model.filter((entry) => entry.id !== at);
      } else {
        model.sort((left, right) => left.at - right.at || left.id - right.id);
        const due = model[0] !== undefined && model[0].at <= at ? model.shift() : undefined;
        equal(queue.popDue(at), due?.id);
      }
      equal(queue.size, model.length);
      equal(queue.nextAtMs(), Math.min(Number.POSITIVE_INFINITY, ...model.map((e) => e.at)));
    }
  });
});

test('under any interleaving a lock has one owner, every task ends, nothing stays held', () => {
  forAll(500, [fc.infiniteStream(fc.nat())], (choices) => {
    const scheduler = new Scheduler({
      choose: (count) => choices.next().value % count,
    });
    const ipsq = new WaitLock('ipsq', 'ipsq');
    const kstat = new WaitLock('kstat', 'kstat');
    const references = new References('group', 'ipmp0');
    let inside = 0;
    let ended = 0;
    function* reader(): Operation<void> {
      using _reference = references.condemned ? undefined : references.hold('reader');
      using _own = yield* acquire(kstat);
      equal(++inside, 1);
      yield* allOf([sleepFor(1), sleepFor(2)]);
      inside--;
      ended++;
    }
    function* destroy(): Operation<void> {
      using _writer = yield* acquire(ipsq);
      references.condemn();
      yield* references.drained();
      equal(references.count, 0);
      using _own = yield* acquire(kstat);
      equal(inside, 0);
      ended++;
    }
    for (let i = 0; i < 4; i++) scheduler.spawn(`reader ${i}`, reader);
    scheduler.spawn('destroy', destroy);
    scheduler.run();
    for (let turns = 0; scheduler.pollAt() < Number.POSITIVE_INFINITY; turns++) {
      ok(turns < 100);
      scheduler.handleTime(scheduler.pollAt());
    }
    equal(ended, 5);
    equal(ipsq.owner, undefined);
    equal(kstat.owner, undefined);
  });
});
