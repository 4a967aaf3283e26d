/**
 * The state machine of an interface, cell by cell. The table in prose, first online:
 *
 * | in \ event      | absent         | running        | failed              | clashing      |
 * |-----------------|----------------|----------------|---------------------|---------------|
 * | device-appeared | running enter  | -              | -                   | -             |
 * | device-vanished | -              | absent leave   | absent              | absent        |
 * | link-down       | -              | failed leave   | - (cause anew)      | -             |
 * | link-up         | -              | -              | running repair      | -             |
 * | link-flaps      | -              | -              | failed hold         | -             |
 * | damping-over    | -              | -              | running repair      | -             |
 * | last-resort     | -              | -              | running repair      | -             |
 * | mac-clash       | clashing       | clashing leave | clashing            | -             |
 * | mac-unique      | -              | -              | -                   | running enter |
 * | taken-offline   | offline-absent | offline leave  | offline-failed keep | offline       |
 * | brought-online  | -              | -              | -                   | -             |
 *
 * and offline:
 *
 * | in \ event      | offline        | offline-failed      | offline-absent |
 * |-----------------|----------------|---------------------|----------------|
 * | device-appeared | -              | -                   | offline        |
 * | device-vanished | offline-absent | offline-absent      | -              |
 * | link-down       | offline-failed | - (cause anew)      | -              |
 * | link-up         | -              | offline             | -              |
 * | link-flaps      | -              | offline-failed hold | -              |
 * | damping-over    | -              | offline             | -              |
 * | last-resort     | -              | -                   | -              |
 * | mac-clash       | clashing       | clashing            | -              |
 * | mac-unique      | -              | -                   | -              |
 * | taken-offline   | -              | -                   | -              |
 * | brought-online  | running enter  | failed keep         | absent         |
 */

import { deepEqual, equal, match } from 'node:assert/strict';
import { test } from 'node:test';
import {
  PHYI_FAILED,
  PHYI_INACTIVE,
  PHYI_OFFLINE,
  PHYI_RUNNING,
  PHYI_STANDBY,
  Phyint,
} from '../../../src/ip/object/phyint.ts';
import {
  INTERFACE_STATES,
  PHYINT_TABLE,
  type PhyintEvent,
  type PhyintState,
  phyintApplyState,
  phyintIsNoted,
  phyintIsOffline,
} from '../../../src/ipmp/decide/phyint-state.ts';
import { CAUSES } from '../../../src/model/causes.ts';

type Cell = readonly [next: PhyintState, action: string, why: string | null];
const STATES: readonly PhyintState[] = [
  'absent',
  'running',
  'failed',
  'clashing',
  'offline',
  'offline-failed',
  'offline-absent',
];

const EXPECTED: Record<PhyintEvent, Partial<Record<PhyintState, Cell>>> = {
  'device-appeared': {
    absent: ['running', 'enter', 'device-appeared'],
    'offline-absent': ['offline', 'none', 'taken-offline'],
  },
  'device-vanished': {
    running: ['absent', 'leave', 'device-vanished'],
    failed: ['absent', 'none', 'device-vanished'],
    clashing: ['absent', 'none', 'device-vanished'],
    offline: ['offline-absent', 'none', 'device-vanished'],
    'offline-failed': ['offline-absent', 'none', 'device-vanished'],
  },
  'link-down': {
    running: ['failed', 'leave', 'link-down'],
    failed: ['failed', 'none', 'link-down'],
    offline: ['offline-failed', 'none', 'link-down'],
    'offline-failed': ['offline-failed', 'none', 'link-down'],
  },
  'link-up': {
    failed: ['running', 'repair', 'link-up'],
    'offline-failed': ['offline', 'none', 'link-up'],
  },
  'link-flaps': {
    failed: ['failed', 'hold', 'flapping'],
    'offline-failed': ['offline-failed', 'hold', 'flapping'],
  },
  'damping-over': {
    failed: ['running', 'repair', 'damping-over'],
    'offline-failed': ['offline', 'none', 'damping-over'],
  },
  'last-resort': { failed: ['running', 'repair', 'last-resort'] },
  'mac-clash': {
    absent: ['clashing', 'none', 'duplicate-mac'],
    running: ['clashing', 'leave', 'duplicate-mac'],
    failed: ['clashing', 'none', 'duplicate-mac'],
    offline: ['clashing', 'none', 'duplicate-mac'],
    'offline-failed': ['clashing', 'none', 'duplicate-mac'],
  },
  'mac-unique': { clashing: ['running', 'enter', 'mac-unique'] },
  'taken-offline': {
    absent: ['offline-absent', 'none', 'taken-offline'],
    running: ['offline', 'leave', 'taken-offline'],
    failed: ['offline-failed', 'keep', 'taken-offline'],
    clashing: ['offline', 'none', 'taken-offline'],
  },
  'brought-online': {
    offline: ['running', 'enter', 'brought-online'],
    'offline-failed': ['failed', 'keep', null],
    'offline-absent': ['absent', 'none', 'device-absent'],
  },
};

for (const [event, row] of Object.entries(EXPECTED) as [
  PhyintEvent,
  Partial<Record<PhyintState, Cell>>,
][]) {
  for (const state of STATES) {
    const [next, action, why] = row[state] ?? [state, 'none', null];
    test(`${state} on ${event}: ${next} ${action}`, () => {
      deepEqual(PHYINT_TABLE[state][event], { next, action, why });
    });
  }
}

test('the table has these states and events and no others', () => {
  deepEqual(Object.keys(PHYINT_TABLE).sort(), [...STATES].sort());
  for (const state of STATES) {
    deepEqual(Object.keys(PHYINT_TABLE[state]).sort(), Object.keys(EXPECTED).sort());
  }
  deepEqual(Object.keys(INTERFACE_STATES).sort(), [...STATES].sort());
});

test('a NIC that ceases to work says so: only running is left with "leave"', () => {
  for (const state of STATES) {
    for (const cell of Object.values(PHYINT_TABLE[state])) {
      if (state === 'running' && cell.next !== 'running') equal(cell.action, 'leave');
      else equal(cell.action === 'leave', false);
      const isNotedBefore = state === 'offline-failed' && cell.next === 'failed';
      if (cell.next !== state) equal(cell.why === null, isNotedBefore);
      if (cell.why !== null) equal(cell.why in CAUSES, true);
    }
  }
});

test('the wish of the operator ends by his word, or by a clash that is found with it', () => {
  const offline = STATES.filter(phyintIsOffline);
  deepEqual(offline, ['offline', 'offline-failed', 'offline-absent']);
  for (const state of offline) {
    for (const [event, cell] of Object.entries(PHYINT_TABLE[state])) {
      if (!phyintIsOffline(cell.next)) match(event, /^(brought-online|mac-clash)$/);
    }
  }
  for (const state of STATES) {
    equal(phyintIsOffline(PHYINT_TABLE[state]['taken-offline'].next), true);
    equal(phyintIsOffline(PHYINT_TABLE[state]['brought-online'].next), false);
    equal(phyintIsNoted(state, PHYINT_TABLE[state]['brought-online'].next), false);
  }
});

test('the flags follow state and link in one change; INACTIVE lives in running alone', () => {
  const phyint = new Phyint({ name: 'net0', nic: 0, flags: PHYI_STANDBY });
  phyint.present = true;
  phyint.changeFlags(PHYI_INACTIVE, 0);
  phyintApplyState(phyint, 'running');
  equal(phyint.flags, PHYI_STANDBY | PHYI_INACTIVE | PHYI_RUNNING);
  phyint.link = 'down';
  phyintApplyState(phyint, 'failed');
  equal(phyint.flags, PHYI_STANDBY | PHYI_FAILED);
  phyint.link = 'up';
  phyintApplyState(phyint, 'clashing');
  equal(phyint.flags, PHYI_STANDBY | PHYI_OFFLINE | PHYI_RUNNING);
  phyintApplyState(phyint, 'offline');
  equal(phyint.flags, PHYI_STANDBY | PHYI_OFFLINE | PHYI_RUNNING);
  phyint.link = 'down';
  phyintApplyState(phyint, 'offline-failed');
  equal(phyint.flags, PHYI_STANDBY | PHYI_OFFLINE | PHYI_FAILED);
  phyint.present = false;
  phyintApplyState(phyint, 'offline-absent');
  equal(phyint.flags, PHYI_STANDBY | PHYI_OFFLINE);
  phyintApplyState(phyint, 'absent');
  equal(phyint.flags, PHYI_STANDBY);
});
