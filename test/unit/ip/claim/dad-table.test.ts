/**
 * The claim of one address, cell by cell. `.` is "stay, do nothing", `!` cannot happen.
 */

import { equal, throws } from 'node:assert/strict';
import { test } from 'node:test';
import { InvariantError } from '../../../../src/base/assert.ts';
import { Rng } from '../../../../src/base/rng.ts';
import {
  CLAIM_EVENTS,
  CLAIM_STATES,
  CLAIM_TABLE,
  Claim,
  type ClaimState,
  claimTransition,
} from '../../../../src/ip/claim/dad.ts';
import { Ipif } from '../../../../src/ip/object/ipif.ts';
import { tableWalk } from '../../../tools/table-walk.ts';

const EXPECTED: Readonly<Record<ClaimState, string>> = {
  unverified: `
    initial, rebind: probing startProbes; unbound, conflict, linkUp, ask: .; due, done, lost: !`,
  ready: `
    initial: probing startProbes; rebind: announcing startSeries;
    unbound, conflict, linkUp, ask: .; due, done, lost: !`,
  probing: `
    initial, rebind, linkUp: probing startProbes; unbound: unverified stop; due: probing probe;
    done: announcing verified; conflict: duplicate duplicate; lost: !; ask: .`,
  announcing: `
    initial: probing startProbes; rebind, linkUp, ask: announcing startSeries;
    unbound: ready stop; due: announcing announce; done: settled settle;
    conflict: announcing defend; lost: duplicate duplicate`,
  settled: `
    initial: probing startProbes; rebind, linkUp, ask: announcing startSeries;
    unbound: ready stop; due: settled refresh; conflict: settled defend;
    lost: duplicate duplicate; done: !`,
  duplicate: `
    due: duplicate watch; done, linkUp, ask: probing startProbes;
    initial, rebind, unbound, conflict: .; lost: !`,
};

test('every cell of the claim table', () => {
  const cells = tableWalk(EXPECTED, CLAIM_STATES, CLAIM_EVENTS, (state, event, wanted, where) => {
    const claim = new Claim(Ipif.data(0xc000020a, 24), new Rng(1));
    claim.state = state;
    if (wanted === '!') return throws(() => claimTransition(claim, event), InvariantError, where);
    const { next, action, why } = claimTransition(claim, event);
    equal(action === 'none' ? '.' : `${next} ${action}`, wanted, where);
    equal(claim.state, next, where);
    if (action === 'none') equal(next, state, where);
    else equal(claim.why, why, where);
  });
  equal(cells, 54);
});

test('an address becomes usable only after detection, and unusable only by a conflict', () => {
  const usable = new Set<ClaimState>(['ready', 'announcing', 'settled']);
  for (const state of CLAIM_STATES) {
    for (const event of CLAIM_EVENTS) {
      const { next, action } = CLAIM_TABLE[state][event];
      if (!usable.has(state) && usable.has(next)) equal(action, 'verified', `${state} x ${event}`);
      if (next === 'duplicate' && state !== 'duplicate') {
        equal(event === 'conflict' || event === 'lost', true, `${state} x ${event}`);
      }
    }
  }
});
