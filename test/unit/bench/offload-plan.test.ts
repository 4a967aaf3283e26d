/** The plan of offload settings: short, and no two settings of two devices left out. */

import { deepEqual, equal, ok } from 'node:assert/strict';
import { test } from 'node:test';
import {
  fullPlan,
  MTUS,
  OFFLOADS,
  type Offload,
  pairwisePlan,
  type Switch,
  samplePlan,
} from '../../netns/tools/offload-plan.ts';

const PLACES = ['group', 'member', 'uplink', 'peer'];
const SWITCHES: Switch[] = PLACES.flatMap((place) =>
  (Object.keys(OFFLOADS) as Offload[]).map((offload) => ({ place, offload })),
);

test('any two settings of any two switches meet, with any MTU, in sixteen steps at most', () => {
  const plan = pairwisePlan(SWITCHES);
  ok(plan.length <= 16, `${plan.length} steps`);
  const missing: string[] = [];
  for (let i = 0; i < SWITCHES.length; i++) {
    for (const a of [false, true]) {
      for (const mtu of MTUS) {
        if (!plan.some((step) => step.mtu === mtu && step.isOff[i] === a)) missing.push(`${i}${a}`);
      }
      for (let j = i + 1; j < SWITCHES.length; j++) {
        for (const b of [false, true]) {
          const isMet = plan.some(({ isOff }) => isOff[i] === a && isOff[j] === b);
          if (!isMet) missing.push(`${i}${a} ${j}${b}`);
        }
      }
    }
  }
  deepEqual(missing, []);
});

test('the plan is the same each time, and has all on and all off', () => {
  const plan = pairwisePlan(SWITCHES);
  deepEqual(plan, pairwisePlan(SWITCHES));
  ok(plan.some(({ isOff }) => isOff.every((off) => off)));
  ok(plan.some(({ isOff }) => isOff.every((off) => !off)));
});

test('the full plan combines none, each and all of every device with every MTU', () => {
  const two = SWITCHES.filter(({ place }) => place === 'group' || place === 'peer');
  const plan = fullPlan(two);
  equal(plan.length, 9 * 9 * MTUS.length);
  equal(new Set(plan.map((step) => JSON.stringify(step))).size, plan.length);
  deepEqual(fullPlan([]).length, MTUS.length);
});

test('a sample has different steps of the plan, as many as it is asked for', () => {
  const plan = fullPlan(SWITCHES.slice(0, 7));
  const some = samplePlan(plan, 10, 7);
  equal(new Set(some).size, 10);
  ok(some.every((step) => plan.includes(step)));
  deepEqual(some, samplePlan(plan, 10, 7));
  equal(new Set(samplePlan(plan, 1e9, 1)).size, plan.length);
});
