/**
 * The states of a neighbour, cell by cell. Each row: a state; each column: an event; each cell:
 * the next state and what is done. `.` is "stay, do nothing", `!` cannot happen.
 */

import { deepEqual, equal, throws } from 'node:assert/strict';
import { test } from 'node:test';
import { InvariantError } from '../../../../src/base/assert.ts';
import {
  NCE_EVENTS,
  NCE_STATES,
  NCE_TABLE,
  Nce,
  type NceEvent,
  type NceState,
  nceTransition,
} from '../../../../src/ip/neighbor/nce.ts';

type Row = Readonly<Record<NceEvent, string>>;

const EXPECTED: Readonly<Record<NceState, Row>> = {
  NONE: {
    resolve: 'INCOMPLETE ask',
    check: 'INCOMPLETE ask',
    use: 'INCOMPLETE ask',
    reply: '!',
    replyMoved: '!',
    claim: 'STALE record',
    claimMoved: '!',
    timeout: '!',
    exhausted: '!',
    yield: '!',
    doubt: '.',
    pin: 'PERMANENT pin',
  },
  INCOMPLETE: {
    resolve: 'INCOMPLETE wait',
    check: 'INCOMPLETE wait',
    use: '.',
    reply: 'REACHABLE confirm',
    replyMoved: 'REACHABLE moveConfirm',
    claim: '.',
    claimMoved: '.',
    timeout: 'INCOMPLETE askAgain',
    exhausted: 'FAILED giveUp',
    yield: '!',
    doubt: 'INCOMPLETE askAgain',
    pin: 'PERMANENT pin',
  },
  REACHABLE: {
    resolve: 'REACHABLE answer',
    check: 'PROBE verify',
    use: '.',
    reply: '!',
    replyMoved: '!',
    claim: '.',
    claimMoved: 'PROBE challenge',
    timeout: 'STALE age',
    exhausted: '!',
    yield: '!',
    doubt: 'STALE age',
    pin: 'PERMANENT pin',
  },
  STALE: {
    resolve: 'PROBE verify',
    check: 'PROBE verify',
    use: 'DELAY delay',
    reply: '!',
    replyMoved: '!',
    claim: '.',
    claimMoved: 'PROBE challenge',
    timeout: '!',
    exhausted: '!',
    yield: '!',
    doubt: '.',
    pin: 'PERMANENT pin',
  },
  DELAY: {
    resolve: 'PROBE verify',
    check: 'PROBE verify',
    use: '.',
    reply: '!',
    replyMoved: '!',
    claim: '.',
    claimMoved: 'PROBE challenge',
    timeout: 'PROBE verify',
    exhausted: '!',
    yield: '!',
    doubt: '.',
    pin: 'PERMANENT pin',
  },
  PROBE: {
    resolve: 'PROBE wait',
    check: 'PROBE wait',
    use: '.',
    reply: 'REACHABLE confirm',
    replyMoved: 'PROBE hold',
    claim: '.',
    claimMoved: 'PROBE challenge',
    timeout: 'PROBE verifyAgain',
    exhausted: 'INCOMPLETE ask',
    yield: 'REACHABLE moveConfirm',
    doubt: 'PROBE verifyAgain',
    pin: 'PERMANENT pin',
  },
  FAILED: {
    resolve: 'INCOMPLETE ask',
    check: 'INCOMPLETE ask',
    use: 'INCOMPLETE ask',
    reply: '!',
    replyMoved: '!',
    claim: 'STALE record',
    claimMoved: '!',
    timeout: 'NONE remove',
    exhausted: '!',
    yield: '!',
    doubt: '.',
    pin: 'PERMANENT pin',
  },
  PERMANENT: {
    resolve: 'PERMANENT answer',
    check: 'PERMANENT answer',
    use: '.',
    reply: '!',
    replyMoved: '!',
    claim: '.',
    claimMoved: '.',
    timeout: '!',
    exhausted: '!',
    yield: '!',
    doubt: '.',
    pin: 'PERMANENT pin',
  },
};

function inState(state: NceState): Nce {
  const nce = new Nce(0xc0000201);
  nce.state = state;
  return nce;
}

test('every cell of the neighbour table', () => {
  let cells = 0;
  for (const state of NCE_STATES) {
    deepEqual(Object.keys(EXPECTED[state]), [...NCE_EVENTS], state);
    for (const event of NCE_EVENTS) {
      cells++;
      const where = `${state} x ${event}`;
      const wanted = EXPECTED[state][event];
      const nce = inState(state);
      if (wanted === '!') {
        throws(() => nceTransition(nce, event), InvariantError, where);
        equal(nce.state, state, where);
        continue;
      }
      const { next, action } = nceTransition(nce, event);
      equal(action === 'none' ? '.' : `${next} ${action}`, wanted, where);
      equal(nce.state, next, where);
      if (action === 'none') equal(next, state, where);
    }
  }
  equal(cells, 96);
});

test('every cell says why, and the entry keeps the reason of its last change', () => {
  for (const state of NCE_STATES) {
    for (const event of NCE_EVENTS) equal(NCE_TABLE[state][event].why.length > 0, true);
  }
  const nce = inState('NONE');
  nceTransition(nce, 'resolve');
  equal(nce.why, 'the host asked');
  nceTransition(nce, 'use');
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
