import { deepEqual, equal } from 'node:assert/strict';
import { test } from 'node:test';
import { DeadlineQueue } from '../../../../src/base/deadline.ts';
import { Rng } from '../../../../src/base/rng.ts';
import { LinkTracker } from '../../../../src/host/port/link-tracker.ts';
import type { Clock, Timer } from '../../../../src/process/clock.ts';
import { linkRecord } from './link-record.ts';

const LINK = linkRecord({ name: 'eth0' });

/** Time as the test lets it pass. */
class TestClock implements Clock {
  #nowMs = 0;
  readonly #timers = new DeadlineQueue<() => void>();

  nowMs(): number {
    return this.#nowMs;
  }

  after(delayMs: number, body: () => void): Timer {
    const deadline = this.#timers.schedule(this.#nowMs + delayMs, body);
    return { cancel: () => this.#timers.cancel(deadline) };
  }

  pass(ms: number): void {
    this.#nowMs += ms;
    for (;;) {
      const body = this.#timers.popDue(this.#nowMs);
      if (body === undefined) return;
      body();
    }
  }
}

/** A macvtap whose sources say what the test says; `step` is what is told because of it. */
class Bench {
  counter = 0;
  isLost = false;
  mirrored = true;
  readonly clock = new TestClock();
  readonly tracker: LinkTracker;
  #told: string[] = [];

  constructor() {
    this.tracker = new LinkTracker(
      { name: 'net0', nic: 0, uplink: 'eth0', bridge: null },
      {
        clock: this.clock,
        carrier: {
          set: () => true,
          isWatching: () => true,
          isLost: () => this.isLost,
          changes: () => this.counter,
        },
        mirror: () => ({ link: () => ({ ...LINK, carrier: this.mirrored }), ports: () => [] }),
        isInterface: () => false,
        onNews: () => this.#told.push(`${this.tracker.link} ${this.tracker.changes}`),
      },
    );
    this.tracker.start();
  }

  /** The sources change, and are asked. */
  step(change: Partial<Pick<Bench, 'counter' | 'isLost' | 'mirrored'>>): string {
    Object.assign(this, change);
    this.tracker.evaluate();
    return this.#heard();
  }

  wait(ms: number): string {
    this.clock.pass(ms);
    return this.#heard();
  }

  #heard(): string {
    return this.#told.splice(0).join(', ');
  }
}

test('an interface that is attached with a link is up at once', () => {
  const bench = new Bench();
  deepEqual([bench.tracker.link, bench.tracker.changes], ['up', 0]);
});

test('a loss is told at once, a repair when it has lasted', () => {
  const bench = new Bench();
  equal(bench.step({ counter: 1, isLost: true, mirrored: false }), 'down 1');
  bench.wait(1000);
  equal(bench.step({ counter: 2, isLost: false, mirrored: true }), '');
  equal(bench.wait(49), '');
  equal(bench.step({}), '');
  equal(bench.wait(1), 'up 2');
});

test('a repair that does not last is never told, but counted', () => {
  const bench = new Bench();
  equal(bench.step({ counter: 1, isLost: true }), 'down 1');
  equal(bench.step({ counter: 2, isLost: false }), '');
  bench.wait(30);
  equal(bench.step({ counter: 3, isLost: true }), 'down 3');
  equal(bench.wait(1000), '');
  equal(bench.step({ counter: 4, isLost: false }), '');
  equal(bench.wait(50), 'up 4');
});

/** Orders in which the counter, the watch's state and the mirror's can show one change. */
const ORDERS = [
  ['counter', 'isLost', 'mirrored'],
  ['counter', 'mirrored', 'isLost'],
  ['isLost', 'counter', 'mirrored'],
  ['isLost', 'mirrored', 'counter'],
  ['mirrored', 'counter', 'isLost'],
  ['mirrored', 'isLost', 'counter'],
] as const;

test('losses and repairs are one change each, in whatever order the sources show them', () => {
  for (let seed = 1; seed <= 200; seed += 1) {
    const rng = new Rng(seed);
    const bench = new Bench();
    const told: string[] = [];
    for (let change = 1; change <= 8; change += 1) {
      const isDown = change % 2 === 1;
      const shown = { counter: change, isLost: isDown, mirrored: !isDown };
      for (const source of ORDERS[rng.below(ORDERS.length)] ?? []) {
        told.push(bench.step({ [source]: shown[source] }));
        if (rng.below(2) === 0) told.push(bench.wait(5));
      }
      told.push(bench.wait(rng.below(2) === 0 ? 60 : 2000));
    }
    const expected = 'down 1, up 2, down 3, up 4, down 5, up 6, down 7, up 8';
    equal(told.filter((line) => line !== '').join(', '), expected, `seed ${seed}`);
  }
});

test('a state that changes without the carrier owes the counter nothing for long', () => {
  const bench = new Bench();
  equal(bench.step({ mirrored: false }), 'down 1');
  bench.wait(1000);
  bench.step({ mirrored: true });
  equal(bench.wait(50), 'up 2');
  bench.wait(1000);
  equal(bench.step({ counter: 2 }), 'up 4');
});

test('a flap that the state never showed is told as two changes', () => {
  const bench = new Bench();
  equal(bench.step({ counter: 2 }), 'up 2');
  equal(bench.step({ counter: 5, isLost: true }), 'down 5');
  equal(bench.step({}), '');
});
