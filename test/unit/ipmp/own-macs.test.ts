/** The MACs of our devices, and how long a former one counts as ours. */

import { equal } from 'node:assert/strict';
import { test } from 'node:test';
import { FORMER_KEPT_MS, OwnMacs } from '../../../src/ipmp/object/own-macs.ts';

const ONE = 0x020000000001;
const TWO = 0x020000000002;

test('a MAC is ours while there is a device with it, and for a while after', () => {
  const macs = new OwnMacs();
  equal(macs.has(ONE, 0), false);
  macs.replace([ONE, TWO, 0], 1000);
  equal(macs.has(ONE, 1e9), true);
  equal(macs.has(0, 1000), false);
  macs.replace([TWO], 5000);
  equal(macs.has(ONE, 5000 + FORMER_KEPT_MS - 1), true);
  equal(macs.has(ONE, 5000 + FORMER_KEPT_MS), false);
  equal(macs.has(TWO, 1e9), true);
});

test('a former MAC that is present again stays ours; others end at their own time', () => {
  const macs = new OwnMacs();
  macs.replace([ONE, TWO], 0);
  macs.replace([], 100);
  macs.replace([ONE], 200);
  equal(macs.has(ONE, 1e9), true);
  equal(macs.has(TWO, 99 + FORMER_KEPT_MS), true);
  macs.replace([ONE], 100 + FORMER_KEPT_MS);
  equal(macs.has(TWO, 100 + FORMER_KEPT_MS), false);
});
