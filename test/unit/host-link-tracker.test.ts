import { deepEqual } from 'node:assert/strict';
import { test } from 'node:test';
import { LinkTracker } from '../../src/host/link-tracker.ts';
import type { LinkRecord } from '../../src/host/records.ts';

const LINK: LinkRecord = {
  ifindex: 1,
  name: 'eth0',
  up: true,
  noarp: false,
  allmulti: false,
  carrier: true,
  carrierChanges: 0,
  mtu: 1500,
  mac: 2,
  master: 0,
  lower: 0,
  kind: '',
  macvlanMode: 0,
  txQueueLength: 0,
  groMaxSize: 0,
  groIpv4MaxSize: 0,
};

/** A macvtap whose sources say what the test says; `step` is what an update tells. */
class Bench {
  counter = 0;
  isLost = false;
  mirrored = true;
  readonly tracker = new LinkTracker(
    { name: 'net0', nic: 0, uplink: 'eth0', bridge: null },
    {
      carrier: { set: () => true, isLost: () => this.isLost, changes: () => this.counter },
      mirror: () => ({ link: () => ({ ...LINK, carrier: this.mirrored }), ports: () => [] }),
      isInterface: () => false,
    },
  );

  constructor() {
    this.tracker.watch();
    this.tracker.update();
  }

  step(change: Partial<Pick<Bench, 'counter' | 'isLost' | 'mirrored'>>): unknown {
    Object.assign(this, change);
    const isNews = this.tracker.update();
    return isNews ? `${this.tracker.link} ${this.tracker.changes}` : 'nothing';
  }
}

test('a loss and its repair are one change each, whatever source is first', () => {
  const bench = new Bench();
  deepEqual(
    [
      bench.step({ counter: 1, isLost: true }),
      bench.step({ mirrored: false }),
      // The counter shows the repair before the mirror does.
      bench.step({ counter: 2, isLost: false }),
      bench.step({ mirrored: true }),
      bench.step({}),
    ],
    ['down 1', 'nothing', 'nothing', 'up 2', 'nothing'],
  );
});

test('a source that is late is not taken for a flap', () => {
  const bench = new Bench();
  deepEqual(
    [
      bench.step({ mirrored: false }),
      bench.step({ counter: 1, isLost: true }),
      bench.step({ isLost: false, mirrored: true }),
      bench.step({ counter: 2 }),
      bench.step({ counter: 3, isLost: true }),
      bench.step({ counter: 4, isLost: false }),
    ],
    ['down 0', 'nothing', 'up 1', 'nothing', 'down 2', 'up 3'],
  );
});

test('a flap that the state never showed is told as two changes', () => {
  const bench = new Bench();
  deepEqual(
    [bench.step({ counter: 2 }), bench.step({ counter: 5, isLost: true }), bench.step({})],
    ['up 2', 'down 5', 'nothing'],
  );
});
