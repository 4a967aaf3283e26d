/** The witness: every kind of violation is found, named with holder and place, and counted once. */

import { AssertionError, deepEqual, equal, match, ok, throws } from 'node:assert/strict';
import { test } from 'node:test';
import { InvariantError } from '../../../src/base/assert.ts';
import { OperatorError } from '../../../src/base/errors.ts';
import { acquire, assertNoOpenRegion, Region, WaitLock } from '../../../src/base/lock.ts';
import {
  allOf,
  type Operation,
  Scheduler,
  sleepFor,
  type Task,
} from '../../../src/base/operation.ts';
import { References, referenceCounts } from '../../../src/base/reference.ts';
import { assertMayWait, beginServing, endServing } from '../../../src/base/serving.ts';
import {
  describeViolation,
  reportViolation,
  setViolationHandler,
  VIOLATION_KINDS,
  VIOLATIONS,
  type Violation,
  type ViolationKind,
  violationCounts,
} from '../../../src/base/witness.ts';

/** What `body` reports while reports are survivable; their consequences are not errors here. */
function reportsOf(body: () => void): Violation[] {
  const reports: Violation[] = [];
  const undo = setViolationHandler((violation) => reports.push(violation));
  try {
    body();
  } catch (error) {
    if (reports.length === 0 || error instanceof AssertionError) throw error;
  } finally {
    undo();
  }
  return reports;
}

function* ownFor(lock: WaitLock, durationMs: number): Operation<void> {
  using _held = yield* acquire(lock);
  yield* sleepFor(durationMs);
}

/** Runs operations on a scheduler of their own for a second of its time. */
function run(...bodies: (() => Operation<unknown>)[]): Task<unknown>[] {
  const scheduler = new Scheduler();
  const tasks = bodies.map((body, index) => scheduler.spawn(`task ${index}`, body));
  scheduler.run();
  while (scheduler.pollAt() <= 1000) scheduler.handleTime(scheduler.pollAt());
  return tasks;
}

const errorCode = ({ error }: Task<unknown>): string | undefined =>
  error instanceof OperatorError ? error.code : undefined;

/** Takes `first`, waits a little, and takes `second`. */
function* both(first: WaitLock, second: WaitLock): Operation<void> {
  using _first = yield* acquire(first);
  yield* sleepFor(10);
  using _second = yield* acquire(second);
}

const locks = (): [WaitLock, WaitLock] => [
  new WaitLock('ipsq', 'the ipsq'),
  new WaitLock('kstat', 'the kstat'),
];

/** A mistake of each kind. */
const MISTAKES: Readonly<Record<ViolationKind, () => void>> = {
  order: () => {
    const [ipsq, kstat] = locks();
    run(() => both(kstat, ipsq));
  },
  recursion: () => {
    const [ipsq] = locks();
    run(() => both(ipsq, ipsq));
  },
  deadlock: () => {
    const references = new References('phyint', 'net0');
    run(function* () {
      using _held = references.hold('unplumb');
      references.condemn();
      yield* references.drained();
    });
  },
  'lock-kept': () => {
    const [ipsq] = locks();
    run(function* () {
      yield* acquire(ipsq);
    });
    equal(ipsq.owner, undefined);
  },
  boundary: () => {
    const region = new Region('the global ill lock');
    region.write(() => assertNoOpenRegion('driver call'));
  },
  blocking: () => {
    beginServing();
    try {
      assertMayWait('a read of /proc');
    } finally {
      endServing();
    }
  },
  region: () => {
    const region = new Region('the global ill lock');
    region.write(() => region.write(() => 1));
  },
  condemned: () => {
    const references = new References('phyint', 'net0');
    references.condemn();
    references.hold('late');
  },
  'double-release': () => {
    const references = new References('phyint', 'net0');
    const reference = references.hold('reader');
    reference.release();
    reference.release();
    equal(references.count, 0);
  },
  'early-free': () => {
    const references = new References('phyint', 'net0');
    references.condemn();
    references.free();
  },
  leak: () => {
    const references = new References('phyint', 'net0');
    references.hold('careless');
    references.noticeDropped(0);
    equal(references.count, 0);
  },
  fall: () => reportViolation('fall', 'ipackets64 of ipmp0 would fall from 7 to 5'),
};

for (const kind of VIOLATION_KINDS) {
  test(`a mistake of kind ${kind} is reported once, counted once, and survived`, () => {
    const before = violationCounts();
    const reports = reportsOf(MISTAKES[kind]);
    deepEqual(
      reports.map((report) => report.kind),
      [kind],
    );
    const after = violationCounts();
    for (const each of VIOLATION_KINDS) {
      equal(after[each] - before[each], each === kind ? 1 : 0, each);
    }
  });

  test(`a mistake of kind ${kind} is fatal by default`, () => {
    throws(MISTAKES[kind], InvariantError);
  });
}

test('where to go on is not safe, the consequence is an errno of the table', () => {
  const refused = VIOLATION_KINDS.filter((kind) => /^E/.test(VIOLATIONS[kind]));
  deepEqual(refused, ['recursion', 'deadlock', 'condemned']);
  const [ipsq] = locks();
  let tasks: Task<unknown>[] = [];
  reportsOf(() => {
    tasks = run(() => both(ipsq, ipsq));
  });
  equal(tasks[0] && errorCode(tasks[0]), 'EDEADLK');
  equal(ipsq.owner, undefined);
});

test('a report names the task, what it took, and where', () => {
  const scheduler = new Scheduler();
  const [ipsq, kstat] = locks();
  scheduler.spawn('read ipmp0', function* readsWrongly() {
    using _own = yield* acquire(kstat);
    using _wrong = yield* acquire(ipsq);
  });
  throws(
    () => scheduler.run(),
    (error: unknown) => {
      const text = String(error);
      match(text, /read ipmp0 takes the ipsq \(ipsq\) while it owns the kstat \(kstat\) \[order\]/);
      match(text, /\n {2}read ipmp0 takes the kstat, at readsWrongly/);
      match(text, /\n {2}read ipmp0 takes the ipsq, at readsWrongly/);
      return true;
    },
  );
});

test('two tasks that wait for each other: the second is refused, the first goes on', () => {
  const [ipsq, kstat] = locks();
  const references = new References('phyint', 'net0');
  let tasks: Task<unknown>[] = [];
  const [report] = reportsOf(() => {
    tasks = run(
      function* reader() {
        using _held = references.hold('reader');
        yield* sleepFor(20);
        using _own = yield* acquire(kstat);
      },
      function* unplumb() {
        using _ipsq = yield* acquire(ipsq);
        using _own = yield* acquire(kstat);
        references.condemn();
        yield* references.drained();
      },
    );
  });
  equal(report?.kind, 'deadlock');
  match(
    report?.sentence ?? '',
    /^task 0 waits for the kstat, owned by task 1, which waits for the/,
  );
  match(
    report?.sentence ?? '',
    /references of phyint net0, held by task 0: none of them can go on/,
  );
  deepEqual(
    tasks.map((task) => [task.state, errorCode(task)]),
    [
      ['failed', 'EDEADLK'],
      ['done', undefined],
    ],
  );
});

test('a circle of three, through a lock, references and a part', () => {
  const [ipsq, kstat] = locks();
  const references = new References('phyint', 'net0');
  const [report, ...more] = reportsOf(() => {
    run(
      function* whole() {
        using _own = yield* acquire(ipsq);
        yield* allOf([
          (function* part(): Operation<void> {
            yield* sleepFor(10);
            using _kstat = yield* acquire(kstat);
          })(),
        ]);
      },
      function* drainer() {
        using _own = yield* acquire(kstat);
        references.condemn();
        yield* references.drained();
      },
      function* holder() {
        using _held = references.hold('holder');
        yield* sleepFor(20);
        using _wanted = yield* acquire(ipsq);
      },
    );
  });
  equal(report?.kind, 'deadlock');
  match(
    report?.sentence ?? '',
    /task 2 waits for the ipsq, owned by task 0, which waits for its part/,
  );
  deepEqual(more, []);
});

test('a long wait outside any circle is left alone', () => {
  const [ipsq] = locks();
  const owner = (): Operation<void> => ownFor(ipsq, 100);
  deepEqual(
    reportsOf(() => run(owner, owner, owner)),
    [],
  );
});

test('the parts of a task own its locks too', () => {
  const [ipsq] = locks();
  const reports = reportsOf(() => {
    run(function* () {
      using _own = yield* acquire(ipsq);
      yield* allOf([ownFor(ipsq, 1)]);
    });
  });
  equal(reports[0]?.kind, 'recursion');
});

test('references are counted by kind over all objects, and each names its holder', () => {
  const before = referenceCounts().ill ?? 0;
  const references = new References('ill', 'net0');
  const held = [references.hold('reader'), references.hold('probe')];
  equal(referenceCounts().ill, before + 2);
  deepEqual(
    references.places.map(({ what }) => what),
    ['reader holds ill net0', 'probe holds ill net0'],
  );
  for (const reference of held) reference.release();
  equal(referenceCounts().ill ?? 0, before);
});

test('in production no stack is kept, and a report still names holder and object', () => {
  const references = new References('phyint', 'net0');
  const [report] = reportsOf(() => {
    // Released in the end: a forgotten one is reported when its memory is reclaimed.
    using _held = references.hold('reader');
    references.condemn();
    references.unlink();
    references.free();
  });
  ok(report !== undefined);
  equal(
    describeViolation(report),
    'phyint net0 is freed too early: 1 references are left [early-free]\n' +
      '  reader holds phyint net0',
  );
});
