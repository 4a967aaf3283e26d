/**
 * The state machine of an interface, cell by cell. The table in prose:
 *
 * | in \ event      | absent       | running       | failed           | offline        |
 * |-----------------|--------------|---------------|------------------|----------------|
 * | device-appeared | running enter| -             | -                | -              |
 * | device-vanished | -            | absent leave  | absent           | absent         |
 * | link-down       | -            | failed leave  | - (cause anew)   | -              |
 * | link-up         | -            | -             | running repair   | -              |
 * | link-flaps      | -            | -             | failed hold      | -              |
 * | damping-over    | -            | -             | running repair   | -              |
 * | last-resort     | -            | -             | running repair   | -              |
 * | mac-clash       | offline      | offline leave | offline          | -              |
 * | mac-unique      | -            | -             | -                | running enter  |
 */

import { deepEqual, equal } from 'node:assert/strict';
import { test } from 'node:test';
import {
  PHYI_FAILED,
  PHYI_INACTIVE,
  PHYI_OFFLINE,
  PHYI_RUNNING,
  PHYI_STANDBY,
  Phyint,
} from '../../src/ip/phyint.ts';
import { CAUSES } from '../../src/ipmp/cause.ts';
import {
  INTERFACE_STATES,
  PHYINT_TABLE,
  type PhyintEvent,
  type PhyintState,
  phyintApplyState,
} from '../../src/ipmp/phyint-state.ts';

type Cell = readonly [next: PhyintState, action: string, why: string | null];
const STATES: readonly PhyintState[] = ['absent', 'running', 'failed', 'offline'];

const EXPECTED: Record<PhyintEvent, Partial<Record<PhyintState, Cell>>> = {
  'device-appeared': { absent: ['running', 'enter', 'device-appeared'] },
  'device-vanished': {
    running: ['absent', 'leave', 'device-vanished'],
    failed: ['absent', 'none', 'device-vanished'],
    offline: ['absent', 'none', 'device-vanished'],
  },
  'link-down': {
    running: ['failed', 'leave', 'link-down'],
    failed: ['failed', 'none', 'link-down'],
  },
  'link-up': { failed: ['running', 'repair', 'link-up'] },
  'link-flaps': { failed: ['failed', 'hold', 'flapping'] },
  'damping-over': { failed: ['running', 'repair', 'damping-over'] },
  'last-resort': { failed: ['running', 'repair', 'last-resort'] },
  'mac-clash': {
    absent: ['offline', 'none', 'duplicate-mac'],
    running: ['offline', 'leave', 'duplicate-mac'],
    failed: ['offline', 'none', 'duplicate-mac'],
  },
  'mac-unique': { offline: ['running', 'enter', 'mac-unique'] },
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
      if (cell.next !== state) equal(cell.why !== null && cell.why in CAUSES, true);
    }
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
  phyintApplyState(phyint, 'offline');
  equal(phyint.flags, PHYI_STANDBY | PHYI_OFFLINE | PHYI_RUNNING);
  phyint.present = false;
  phyintApplyState(phyint, 'absent');
  equal(phyint.flags, PHYI_STANDBY);
});
