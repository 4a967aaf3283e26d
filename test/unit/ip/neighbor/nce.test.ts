/**
 * The states of a neighbour, cell by cell. Of each state: events, the next state and what is
 * done. `.` is "stay, do nothing", `!` cannot happen.
 */

import { equal, throws } from 'node:assert/strict';
import { test } from 'node:test';
import { InvariantError } from '../../../../src/base/assert.ts';
import {
  NCE_EVENTS,
  NCE_STATES,
  NCE_TABLE,
  Nce,
  type NceState,
  nceTransition,
} from '../../../../src/ip/neighbor/nce.ts';
import { tableWalk } from '../../../tools/table-walk.ts';

const EXPECTED: Readonly<Record<NceState, string>> = {
  NONE: `
    resolve, check: INCOMPLETE ask; claim: STALE record; pin: PERMANENT pin;
    reply, replyMoved, claimMoved, timeout, exhausted, contradicted, yield: !; doubt: .`,
  INCOMPLETE: `
    resolve, check: INCOMPLETE wait; reply: REACHABLE confirm; replyMoved: REACHABLE moveConfirm;
    timeout, doubt: INCOMPLETE askAgain; exhausted: FAILED giveUp; pin: PERMANENT pin;
    claim, claimMoved: .; contradicted, yield: !`,
  REACHABLE: `
    resolve: REACHABLE answer; check: PROBE verify; claimMoved: PROBE challenge;
    timeout, contradicted, doubt: STALE age; pin: PERMANENT pin; claim: .;
    reply, replyMoved, exhausted, yield: !`,
  STALE: `
    resolve, check: PROBE verify; claimMoved: PROBE challenge;
    pin: PERMANENT pin; reply, replyMoved, timeout, exhausted, yield: !;
    claim, contradicted, doubt: .`,
  PROBE: `
    resolve, check: PROBE wait; reply: REACHABLE confirm; replyMoved: PROBE hold;
    claimMoved: PROBE challenge; timeout, doubt: PROBE verifyAgain; exhausted: INCOMPLETE ask;
    yield: REACHABLE moveConfirm; pin: PERMANENT pin; claim, contradicted: .`,
  FAILED: `
    resolve, check: INCOMPLETE ask; claim: STALE record; timeout: NONE remove;
    pin: PERMANENT pin; reply, replyMoved, claimMoved, exhausted, contradicted, yield: !;
    doubt: .`,
  PERMANENT: `
    resolve, check: PERMANENT answer; pin: PERMANENT pin; claim, claimMoved, contradicted, doubt: .;
    reply, replyMoved, timeout, exhausted, yield: !`,
};

function inState(state: NceState): Nce {
  const nce = new Nce(0xc0000201);
  nce.state = state;
  return nce;
}

test('every cell of the neighbour table', () => {
  const cells = tableWalk(EXPECTED, NCE_STATES, NCE_EVENTS, (state, event, wanted, where) => {
    const nce = inState(state);
    if (wanted === '!') {
      throws(() => nceTransition(nce, event), InvariantError, where);
      return equal(nce.state, state, where);
    }
    const { next, action } = nceTransition(nce, event);
    equal(action === 'none' ? '.' : `${next} ${action}`, wanted, where);
    equal(nce.state, next, where);
    if (action === 'none') equal(next, state, where);
  });
  equal(cells, 84);
});

test('every cell has a reason, and the entry keeps that of its last change', () => {
  for (const state of NCE_STATES) {
    for (const event of NCE_EVENTS) equal(NCE_TABLE[state][event].why.length > 0, true);
  }
  const nce = inState('NONE');
  nceTransition(nce, 'resolve');
  equal(nce.why, 'the host asked');
  nceTransition(nce, 'claim');
  equal(nce.why, 'the host asked');
});

test('the MAC of a neighbour is changed by nothing but an answer from the other one', () => {
  for (const state of NCE_STATES) {
    for (const event of NCE_EVENTS) {
      const { action } = NCE_TABLE[state][event];
      if (action === 'moveConfirm') equal(['replyMoved', 'yield'].includes(event), true);
    }
  }
});

test('only a question leads to a confirmed entry, and only silence to a failed one', () => {
  for (const state of NCE_STATES) {
    for (const event of NCE_EVENTS) {
      const { next } = NCE_TABLE[state][event];
      if (next === 'REACHABLE' && state !== 'REACHABLE') {
        equal(['reply', 'replyMoved', 'yield'].includes(event), true, `${state} x ${event}`);
        equal(state === 'INCOMPLETE' || state === 'PROBE', true, `${state} x ${event}`);
      }
      if (next === 'FAILED' && state !== 'FAILED') equal(event, 'exhausted');
    }
  }
});
