/**
 * The claim of one address, cell by cell. `.` is "stay, do nothing", `!` cannot happen.
 */

import { deepEqual, equal, throws } from 'node:assert/strict';
import { test } from 'node:test';
import { InvariantError } from '../../../../src/base/assert.ts';
import {
  CLAIM_EVENTS,
  CLAIM_STATES,
  CLAIM_TABLE,
  Claim,
  type ClaimEvent,
  type ClaimState,
  claimTransition,
} from '../../../../src/ip/claim/dad.ts';
import { Ipif } from '../../../../src/ip/object/ipif.ts';

type Row = Readonly<Record<ClaimEvent, string>>;

const EXPECTED: Readonly<Record<ClaimState, Row>> = {
  unverified: {
    initial: 'probing startProbes',
    rebind: 'probing startProbes',
    unbound: '.',
    due: '!',
    done: '!',
    conflict: '.',
    lost: '!',
    linkUp: '.',
    ask: '.',
  },
  ready: {
    initial: 'probing startProbes',
    rebind: 'announcing startSeries',
    unbound: '.',
    due: '!',
    done: '!',
    conflict: '.',
    lost: '!',
    linkUp: '.',
    ask: '.',
  },
  probing: {
    initial: 'probing startProbes',
    rebind: 'probing startProbes',
    unbound: 'unverified stop',
    due: 'probing probe',
    done: 'announcing verified',
    conflict: 'duplicate duplicate',
    lost: '!',
    linkUp: 'probing startProbes',
    ask: '.',
  },
  announcing: {
    initial: 'probing startProbes',
    rebind: 'announcing startSeries',
    unbound: 'ready stop',
    due: 'announcing announce',
    done: 'settled settle',
    conflict: 'announcing defend',
    lost: 'duplicate duplicate',
    linkUp: 'announcing startSeries',
    ask: 'announcing startSeries',
  },
  settled: {
    initial: 'probing startProbes',
    rebind: 'announcing startSeries',
    unbound: 'ready stop',
    due: 'settled refresh',
    done: '!',
    conflict: 'settled defend',
    lost: 'duplicate duplicate',
    linkUp: 'announcing startSeries',
    ask: 'announcing startSeries',
  },
  duplicate: {
    initial: '.',
    rebind: '.',
    unbound: '.',
    due: 'duplicate watch',
    done: 'probing startProbes',
    conflict: '.',
    lost: '!',
    linkUp: 'probing startProbes',
    ask: 'probing startProbes',
  },
};

test('every cell of the claim table', () => {
  let cells = 0;
  for (const state of CLAIM_STATES) {
    deepEqual(Object.keys(EXPECTED[state]), [...CLAIM_EVENTS], state);
    for (const event of CLAIM_EVENTS) {
      cells++;
      const where = `${state} x ${event}`;
      const wanted = EXPECTED[state][event];
      const claim = new Claim(Ipif.data(0xc000020a, 24));
      claim.state = state;
      if (wanted === '!') {
        throws(() => claimTransition(claim, event), InvariantError, where);
        continue;
      }
      const { next, action, why } = claimTransition(claim, event);
      equal(action === 'none' ? '.' : `${next} ${action}`, wanted, where);
      equal(claim.state, next, where);
      if (action === 'none') equal(next, state, where);
      else equal(claim.why, why, where);
    }
  }
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
