/**
 * Evidence of links: when flap damping believes a link-up, how many link-ups a change counter
 * hides, and what event of the state table a change of a link is.
 */

import { equal } from 'node:assert/strict';
import { test } from 'node:test';
import { FlapDamping, hiddenUps, linkEvent } from '../../../src/ipmp/decide/evidence.ts';
import { FLAP_UPS_MAX } from '../../../src/model/limits.ts';
import type { LinkState } from '../../../src/model/states.ts';

const RULE = { ups: 2, withinMs: 60_000 };

test('two link-ups within the time are believed, the third when the older is too old', () => {
  const damping = new FlapDamping();
  equal(damping.believedAtMs(RULE), Number.NEGATIVE_INFINITY);
  damping.note(1_000);
  equal(damping.believedAtMs(RULE), Number.NEGATIVE_INFINITY);
  damping.note(2_000);
  equal(damping.believedAtMs(RULE), 61_000);
  damping.note(3_000);
  equal(damping.believedAtMs(RULE), 62_000);
});

test('without a rule everything is believed', () => {
  const damping = new FlapDamping();
  damping.note(1_000, 10);
  equal(damping.believedAtMs(null), Number.NEGATIVE_INFINITY);
});

test('other rules count other numbers of link-ups', () => {
  const damping = new FlapDamping();
  for (const atMs of [10, 20, 30]) damping.note(atMs);
  equal(damping.believedAtMs({ ups: 1, withinMs: 500 }), 530);
  equal(damping.believedAtMs({ ups: 3, withinMs: 500 }), 510);
  equal(damping.believedAtMs({ ups: 4, withinMs: 500 }), Number.NEGATIVE_INFINITY);
});

test('memory is bounded, and the newest link-ups are kept', () => {
  const damping = new FlapDamping();
  damping.note(1, 1_000_000);
  damping.note(7);
  equal(damping.believedAtMs({ ups: 1, withinMs: 0 }), 7);
  equal(damping.believedAtMs({ ups: FLAP_UPS_MAX, withinMs: 0 }), 1);
});

test('link-ups hidden in a change counter', () => {
  equal(hiddenUps('up', 'up', 0), 0);
  equal(hiddenUps('up', 'down', 1), 0, 'down');
  equal(hiddenUps('up', 'up', 2), 1, 'down up');
  equal(hiddenUps('up', 'down', 3), 1, 'down up down');
  equal(hiddenUps('down', 'up', 1), 0, 'up, the reported one');
  equal(hiddenUps('down', 'down', 2), 1, 'up down');
  equal(hiddenUps('down', 'up', 3), 1, 'up down up');
  equal(hiddenUps('up', 'up', 2_000), 1_000);
  equal(hiddenUps('up', 'down', -5), 0, 'the device was made anew');
});

const CHANGES: readonly (readonly [LinkState, LinkState, string | undefined, string?])[] = [
  ['up', 'down', 'link-down'],
  ['unknown', 'down', 'link-down'],
  ['down', 'up', 'link-up', 'link-flaps'],
  ['down', 'unknown', 'link-up', 'link-flaps'],
  ['up', 'unknown', undefined],
  ['unknown', 'up', undefined],
];

test('a change of the link is an event: of an unknown one, and of one not believed, too', () => {
  for (const [from, to, believed, unbelieved = believed] of CHANGES) {
    equal(linkEvent(from, to, true), believed, `${from} to ${to}`);
    equal(linkEvent(from, to, false), unbelieved, `${from} to ${to}, not believed`);
  }
});
