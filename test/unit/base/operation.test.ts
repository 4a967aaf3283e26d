/** Operations and their scheduler: order, time, endings, cancellation, concurrency. */

import { deepEqual, equal, ok, throws } from 'node:assert/strict';
import { test } from 'node:test';
import { InvariantError } from '../../../src/base/assert.ts';
import { OperatorError } from '../../../src/base/errors.ts';
import {
  allOf,
  external,
  type Operation,
  Scheduler,
  type Settle,
  sleepFor,
} from '../../../src/base/operation.ts';

/** Jumps from deadline to deadline until nothing waits for time any more. */
function runToEnd(scheduler: Scheduler): void {
  scheduler.run();
  for (let turns = 0; scheduler.pollAt() !== Number.POSITIVE_INFINITY; turns++) {
    ok(turns < 1000, 'the scheduler does not become idle');
    scheduler.handleTime(scheduler.pollAt());
  }
}

test('a task begins in the next run and ends with its value', () => {
  const scheduler = new Scheduler();
  // biome-ignore lint/correctness/useYield: an operation that never has to wait
  const task = scheduler.spawn('constant', function* (): Operation<number> {
    return 7;
  });
  equal(task.state, 'running');
  throws(() => task.value, InvariantError);
  equal(scheduler.run(), 1);
  equal(task.state, 'done');
  equal(task.value, 7);
});

test('sleeping tasks wake in the order of their deadlines, then of their coming', () => {
  const scheduler = new Scheduler();
  const order: string[] = [];
  const sleeper = (name: string, durationMs: number) =>
    scheduler.spawn(name, function* () {
      yield* sleepFor(durationMs);
      order.push(`${name}@${scheduler.nowMs}`);
    });
  sleeper('late', 30);
  sleeper('first', 10);
  sleeper('second', 10);
  sleeper('past', -1);
  runToEnd(scheduler);
  deepEqual(order, ['past@0', 'first@10', 'second@10', 'late@30']);
});

test('the clock never goes back', () => {
  const scheduler = new Scheduler({ nowMs: 100 });
  scheduler.handleTime(50);
  equal(scheduler.nowMs, 100);
});

test('pollAt is now for a ready task, the next deadline, or never', () => {
  const scheduler = new Scheduler({ nowMs: 5 });
  equal(scheduler.pollAt(), Number.POSITIVE_INFINITY);
  scheduler.spawn('sleeper', () => sleepFor(20));
  equal(scheduler.pollAt(), 5);
  scheduler.run();
  equal(scheduler.pollAt(), 25);
  scheduler.handleTime(25);
  equal(scheduler.pollAt(), Number.POSITIVE_INFINITY);
});

test('onReady is called for work that appears outside a run', () => {
  const scheduler = new Scheduler();
  let bells = 0;
  scheduler.onReady = () => {
    bells++;
  };
  let answer: Settle<string> | undefined;
  const task = scheduler.spawn('asker', function* () {
    return yield* external<string>('question', (settle) => {
      answer = settle;
      return undefined;
    });
  });
  equal(bells, 1);
  scheduler.run();
  answer?.resolve('yes');
  equal(bells, 2);
  scheduler.run();
  equal(task.value, 'yes');
});

test('external: the first answer counts, later ones are ignored', () => {
  const scheduler = new Scheduler();
  const task = scheduler.spawn('asker', () =>
    external<number>('question', (settle) => {
      settle.resolve(1);
      settle.resolve(2);
      settle.reject(new Error('late'));
      return undefined;
    }),
  );
  scheduler.run();
  equal(task.value, 1);
});

test('external: at the deadline it is called off and fails with ETIMEDOUT', () => {
  const scheduler = new Scheduler();
  const calledOff: number[] = [];
  let answer: Settle<number> | undefined;
  const task = scheduler.spawn('asker', () =>
    external<number>(
      'driver',
      (settle) => {
        answer = settle;
        return () => calledOff.push(scheduler.nowMs);
      },
      200,
    ),
  );
  runToEnd(scheduler);
  deepEqual(calledOff, [200]);
  equal(task.state, 'failed');
  ok(task.error instanceof OperatorError && task.error.code === 'ETIMEDOUT');
  answer?.resolve(1);
  equal(scheduler.run(), 0);
});

test('external: an answer cancels the deadline', () => {
  const scheduler = new Scheduler();
  scheduler.spawn('asker', () =>
    external<number>(
      'driver',
      (settle) => {
        settle.resolve(1);
        return undefined;
      },
      200,
    ),
  );
  scheduler.run();
  equal(scheduler.pollAt(), Number.POSITIVE_INFINITY);
});

test('an operator error is a result; the operation may catch it', () => {
  const scheduler = new Scheduler();
  const refusal = new OperatorError('EBUSY');
  const failing = () =>
    external<void>('driver', (settle) => {
      settle.reject(refusal);
      return undefined;
    });
  const task = scheduler.spawn('failing', failing);
  const catching = scheduler.spawn('catching', function* () {
    try {
      yield* failing();
      return 'no error';
    } catch (error) {
      return (error as OperatorError).code;
    }
  });
  scheduler.run();
  equal(task.state, 'failed');
  equal(task.error, refusal);
  equal(catching.value, 'EBUSY');
});

test('a mistake in an operation comes out of run', () => {
  const scheduler = new Scheduler();
  // biome-ignore lint/correctness/useYield: it fails before it waits
  const task = scheduler.spawn('broken', function* (): Operation<void> {
    throw new InvariantError('two and two');
  });
  throws(() => scheduler.run(), /two and two/);
  equal(task.state, 'failed');
  equal(scheduler.current, undefined);
});

test('allOf runs concurrently and keeps the order of its arguments', () => {
  const scheduler = new Scheduler();
  const refusal = new OperatorError('EIO');
  function* after(ms: number): Operation<number> {
    yield* sleepFor(ms);
    if (ms === 20) throw refusal;
    return ms;
  }
  const task = scheduler.spawn('all', () => allOf([after(30), after(20), after(10)]));
  runToEnd(scheduler);
  deepEqual(task.value, [
    { ok: true, value: 30 },
    { ok: false, error: refusal },
    { ok: true, value: 10 },
  ]);
  equal(scheduler.nowMs, 30);
  const nothing = scheduler.spawn('nothing', () => allOf([]));
  scheduler.run();
  deepEqual(nothing.value, []);
});

test('cancelling runs finally blocks at once, calls off the wait, and reaches children', () => {
  const scheduler = new Scheduler();
  const log: string[] = [];
  function* child(name: string): Operation<void> {
    try {
      yield* external<void>(name, () => () => log.push(`call off ${name}`));
    } finally {
      log.push(`finally ${name}`);
    }
  }
  const task = scheduler.spawn('parent', () => allOf([child('a'), child('b')]));
  scheduler.run();
  task.cancel();
  equal(task.state, 'cancelled');
  deepEqual(log, ['call off a', 'finally a', 'call off b', 'finally b']);
  task.cancel();
  equal(scheduler.run(), 0);
});

test('a wait that timed out is undone once, also if its task is cancelled then', () => {
  const scheduler = new Scheduler();
  let calledOff = 0;
  const late = scheduler.spawn('late', () =>
    external<void>('question', () => () => calledOff++, 10),
  );
  scheduler.run();
  scheduler.timers.schedule(11, () => late.cancel());
  scheduler.handleTime(20);
  equal(late.state, 'cancelled');
  equal(calledOff, 1);
});

test('a task that is cancelled before its first step never runs', () => {
  const scheduler = new Scheduler();
  let ran = false;
  const task = scheduler.spawn('never', function* () {
    ran = true;
    yield* sleepFor(1);
  });
  task.cancel();
  scheduler.run();
  equal(ran, false);
});

test('cancelling oneself, or waiting while being cancelled, is a mistake', () => {
  const scheduler = new Scheduler();
  scheduler.spawn('self', function* () {
    scheduler.current?.cancel();
    yield* sleepFor(1);
  });
  throws(() => scheduler.run(), /cancels itself/);
  const stubborn = scheduler.spawn('stubborn', function* () {
    try {
      yield* sleepFor(1);
    } finally {
      yield* sleepFor(1);
    }
  });
  scheduler.run();
  throws(() => stubborn.cancel(), /waits while it is being cancelled/);
});

test('onSettled is called once, at once if the task has settled before', () => {
  const scheduler = new Scheduler();
  const states: string[] = [];
  const task = scheduler.spawn('sleeper', () => sleepFor(1));
  task.onSettled((settled) => states.push(settled.state));
  runToEnd(scheduler);
  task.onSettled((settled) => states.push(settled.state));
  deepEqual(states, ['done', 'done']);
});

test('a run inside a step is left to the outer run', () => {
  const scheduler = new Scheduler();
  const inner: number[] = [];
  scheduler.spawn('outer', function* () {
    scheduler.spawn('inner', () => sleepFor(0));
    inner.push(scheduler.run());
    yield* sleepFor(0);
  });
  ok(scheduler.run() >= 2);
  deepEqual(inner, [0]);
});

test('the choice of the next ready task decides the interleaving', () => {
  const orderWith = (choose: (readyCount: number) => number): string => {
    const scheduler = new Scheduler({ choose });
    let order = '';
    for (const name of ['a', 'b', 'c']) {
      scheduler.spawn(name, function* () {
        order += name;
        yield { label: 'pass', begin: (waker) => waker.resolve(undefined) };
        order += name;
      });
    }
    scheduler.run();
    return order;
  };
  equal(
    orderWith(() => 0),
    'abcabc',
  );
  equal(
    orderWith((count) => count - 1),
    'ccbbaa',
  );
});
