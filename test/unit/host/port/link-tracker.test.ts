/** The link of an interface: when losses and repairs are reported, and how they are counted. */

import { deepEqual, equal } from 'node:assert/strict';
import { test } from 'node:test';
import { Rng } from '../../../../src/base/rng.ts';
import { LinkTracker } from '../../../../src/host/port/link-tracker.ts';
import { TestClock } from '../../../tools/clock.ts';
import { linkRecord } from './link-record.ts';

const LINK = linkRecord({ name: 'eth0' });

/** A macvtap whose sources a test sets; `step` answers what the tracker reports then. */
class Bench {
  counter = 0;
  isLost = false;
  mirrored = true;
  readonly clock = new TestClock();
  readonly tracker: LinkTracker;
  #reports: string[] = [];

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
        onNews: () => this.#reports.push(`${this.tracker.link} ${this.tracker.changes}`),
      },
    );
    this.tracker.start();
  }

  /** The sources change, and are asked. */
  step(change: Partial<Pick<Bench, 'counter' | 'isLost' | 'mirrored'>>): string {
    Object.assign(this, change);
    this.tracker.evaluate();
    return this.#taken();
  }

  wait(ms: number): string {
    this.clock.pass(ms);
    return this.#taken();
  }

  #taken(): string {
    return this.#reports.splice(0).join(', ');
  }
}

test('an interface that is attached with a link is up at once', () => {
  const bench = new Bench();
  deepEqual([bench.tracker.link, bench.tracker.changes], ['up', 0]);
});

test('a loss is reported at once, a repair when it has lasted', () => {
  const bench = new Bench();
  equal(bench.step({ counter: 1, isLost: true, mirrored: false }), 'down 1');
  bench.wait(1000);
  equal(bench.step({ counter: 2, isLost: false, mirrored: true }), '');
  equal(bench.wait(49), '');
  equal(bench.step({}), '');
  equal(bench.wait(1), 'up 2');
});

test('a repair that does not last is not reported, but counted', () => {
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
    const reports: string[] = [];
    for (let change = 1; change <= 8; change += 1) {
      const isDown = change % 2 === 1;
      const shown = { counter: change, isLost: isDown, mirrored: !isDown };
      for (const source of ORDERS[rng.below(ORDERS.length)] ?? []) {
        reports.push(bench.step({ [source]: shown[source] }));
        if (rng.below(2) === 0) reports.push(bench.wait(5));
      }
      reports.push(bench.wait(rng.below(2) === 0 ? 60 : 2000));
    }
    const expected = 'down 1, up 2, down 3, up 4, down 5, up 6, down 7, up 8';
    equal(reports.filter((line) => line !== '').join(', '), expected, `seed ${seed}`);
  }
});

test('a change of state without one of the carrier is counted, and settled after a while', () => {
  const bench = new Bench();
  equal(bench.step({ mirrored: false }), 'down 1');
  bench.wait(1000);
  bench.step({ mirrored: true });
  equal(bench.wait(50), 'up 2');
  bench.wait(1000);
  equal(bench.step({ counter: 2 }), 'up 4');
});

test('a flap that the state never showed counts as two changes', () => {
  const bench = new Bench();
  equal(bench.step({ counter: 2 }), 'up 2');
  equal(bench.step({ counter: 5, isLost: true }), 'down 5');
  equal(bench.step({}), '');
});
