/** Evidence of links, as events of the state table: every change of a link. */

import { equal } from 'node:assert/strict';
import { test } from 'node:test';
import { linkEvent } from '../../../src/ipmp/decide/health.ts';
import type { LinkState } from '../../../src/model/states.ts';

const CHANGES: readonly (readonly [LinkState, LinkState, string | undefined, string?])[] = [
  ['up', 'down', 'link-down'],
  ['unknown', 'down', 'link-down'],
  ['down', 'up', 'link-up', 'link-flaps'],
  ['down', 'unknown', 'link-up', 'link-flaps'],
  ['up', 'unknown', undefined],
  ['unknown', 'up', undefined],
];

test('a change of the link is an event: of an unknown one, and of one not believed, too', () => {
  for (const [from, to, believed, doubtful = believed] of CHANGES) {
    equal(linkEvent(from, to, true), believed, `${from} to ${to}`);
    equal(linkEvent(from, to, false), doubtful, `${from} to ${to}, not believed`);
  }
});
