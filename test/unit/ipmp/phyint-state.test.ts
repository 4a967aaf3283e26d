/**
 * The states of an interface, cell by cell: for a state and an event the next state, what follows
 * for the group, and the cause. `.` is "stay, do nothing"; a cell that is missing cannot happen.
 */

import { deepEqual, equal, match, throws } from 'node:assert/strict';
import { test } from 'node:test';
import { InvariantError } from '../../../src/base/assert.ts';
import {
  PHYI_FAILED,
  PHYI_INACTIVE,
  PHYI_OFFLINE,
  PHYI_RUNNING,
  PHYI_STANDBY,
} from '../../../src/ip/object/phyint.ts';
import {
  PHYINT_EVENTS,
  PHYINT_STATES,
  PHYINT_TABLE,
  type PhyintCell,
  type PhyintEvent,
  type PhyintLife,
  type PhyintState,
  phyintFlags,
  phyintIsNoted,
  phyintIsOffline,
  phyintTransition,
} from '../../../src/ipmp/decide/phyint-state.ts';
import { CAUSES } from '../../../src/model/causes.ts';

type Row = Readonly<Partial<Record<PhyintEvent, string>>>;

const EXPECTED: Readonly<Record<PhyintState, Row>> = {
  absent: {
    'device-appeared': 'running enter device-appeared',
    'mac-clash': 'clashing none duplicate-mac',
    'taken-offline': 'offline-absent none taken-offline',
  },
  running: {
    'device-vanished': 'absent leave device-vanished',
    'link-down': 'failed leave link-down',
    'mac-clash': 'clashing leave duplicate-mac',
    'taken-offline': 'offline leave taken-offline',
  },
  failed: {
    'device-vanished': 'absent none device-vanished',
    'link-down': 'failed none link-down',
    'link-up': 'running repair link-up',
    'link-flaps': 'failed hold flapping',
    'damping-over': 'running repair damping-over',
    'last-resort': 'running repair last-resort',
    'mac-clash': 'clashing none duplicate-mac',
    'taken-offline': 'offline-failed keep taken-offline',
  },
  clashing: {
    'device-vanished': 'absent none device-vanished',
    'link-down': '.',
    'link-up': '.',
    'link-flaps': '.',
    'mac-clash': '.',
    'mac-unique': 'running enter mac-unique',
    'taken-offline': 'offline none taken-offline',
    'brought-online': '.',
  },
  offline: {
    'device-vanished': 'offline-absent none device-vanished',
    'link-down': 'offline-failed none link-down',
    'mac-clash': 'clashing none duplicate-mac',
    'brought-online': 'running enter brought-online',
  },
  'offline-failed': {
    'device-vanished': 'offline-absent none device-vanished',
    'link-down': 'offline-failed none link-down',
    'link-up': 'offline none link-up',
    'link-flaps': 'offline-failed hold flapping',
    'damping-over': 'offline none damping-over',
    'mac-clash': 'clashing none duplicate-mac',
    'brought-online': 'failed keep null',
  },
  'offline-absent': {
    'device-appeared': 'offline none taken-offline',
    'brought-online': 'absent none device-absent',
  },
};

function inState(state: PhyintState): PhyintLife {
  return { state, cause: 'created', notedCause: 'joined', activeCause: 'left' };
}

/** The cells of a state that can happen. */
function cellsOf(state: PhyintState): [PhyintEvent, PhyintCell][] {
  return PHYINT_EVENTS.flatMap((event) => {
    const cell = PHYINT_TABLE[state][event];
    return cell.action === 'impossible' ? [] : [[event, cell]];
  });
}

test('every cell of the table of an interface', () => {
  let cells = 0;
  deepEqual(Object.keys(EXPECTED), [...PHYINT_STATES]);
  for (const state of PHYINT_STATES) {
    for (const event of PHYINT_EVENTS) {
      cells++;
      const where = `${state} x ${event}`;
      const wanted = EXPECTED[state][event];
      const life = inState(state);
      if (wanted === undefined) {
        throws(() => phyintTransition(life, event), InvariantError, where);
        deepEqual(life, inState(state), where);
        continue;
      }
      const { next, action, why } = phyintTransition(life, event);
      const isNothing = next === state && action === 'none' && why === null;
      equal(isNothing ? '.' : `${next} ${action} ${why}`, wanted, where);
      equal(life.state, next, where);
      if (isNothing) deepEqual(life, inState(state), where);
    }
  }
  equal(cells, 77);
});

test('causes are recorded with a state, noted while it is offline, and count again online', () => {
  const life = inState('running');
  phyintTransition(life, 'link-down');
  deepEqual(life, { ...life, state: 'failed', cause: 'link-down', activeCause: 'link-down' });
  phyintTransition(life, 'link-flaps');
  equal(life.cause, 'flapping');
  phyintTransition(life, 'taken-offline');
  deepEqual([life.cause, life.notedCause], ['taken-offline', 'flapping']);
  phyintTransition(life, 'link-up');
  phyintTransition(life, 'link-down');
  deepEqual([life.cause, life.notedCause], ['taken-offline', 'link-down']);
  phyintTransition(life, 'brought-online');
  const cause = 'link-down';
  deepEqual(life, { state: 'failed', cause, notedCause: cause, activeCause: cause });
});

test('a NIC that ceases to work leaves the active ones: all exits of running are "leave"', () => {
  for (const state of PHYINT_STATES) {
    for (const [, cell] of cellsOf(state)) {
      if (state === 'running' && cell.next !== 'running') equal(cell.action, 'leave');
      else equal(cell.action === 'leave', false);
      const isNotedBefore = state === 'offline-failed' && cell.next === 'failed';
      if (cell.next !== state) equal(cell.why === null, isNotedBefore);
      if (cell.why !== null) equal(cell.why in CAUSES, true);
    }
  }
});

test('offline ends by the operator, or by a clash that is found with it', () => {
  const offline = PHYINT_STATES.filter(phyintIsOffline);
  deepEqual(offline, ['offline', 'offline-failed', 'offline-absent']);
  for (const state of PHYINT_STATES) {
    for (const [event, { next }] of cellsOf(state)) {
      if (phyintIsOffline(state) && !phyintIsOffline(next)) {
        match(event, /^(brought-online|mac-clash)$/);
      }
      if (event === 'taken-offline') equal(phyintIsOffline(next), true);
      if (event === 'brought-online') {
        equal(phyintIsOffline(next) || phyintIsNoted(state, next), false);
      }
    }
  }
});

test('the flags follow from the state and the facts', () => {
  const flags = (state: PhyintState, isLive: boolean, inactive = false): number =>
    phyintFlags(state, { isLive, standby: true, inactive });
  equal(flags('running', true, true), PHYI_STANDBY | PHYI_INACTIVE | PHYI_RUNNING);
  equal(flags('failed', false), PHYI_STANDBY | PHYI_FAILED);
  equal(flags('clashing', true), PHYI_STANDBY | PHYI_OFFLINE | PHYI_RUNNING);
  equal(flags('offline', true), PHYI_STANDBY | PHYI_OFFLINE | PHYI_RUNNING);
  equal(flags('offline-failed', false), PHYI_STANDBY | PHYI_OFFLINE | PHYI_FAILED);
  equal(flags('offline-absent', false), PHYI_STANDBY | PHYI_OFFLINE);
  equal(flags('absent', false), PHYI_STANDBY);
  equal(phyintFlags('running', { isLive: false, standby: false, inactive: false }), 0);
});
