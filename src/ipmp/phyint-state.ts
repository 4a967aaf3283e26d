/**
 * The state machine of one interface (IPMP semantics 5.10, for detection by carrier).
 *
 *            device-appeared              link-down
 *   absent ──────────────────> running ──────────────> failed
 *      ▲  mac-clash ┌───────────► │ ◄───────────────────┘ link-up, damping-over, last-resort
 *      │            │ mac-unique  │ mac-clash
 *      │            └─────────── offline ◄── mac-clash ── failed
 *      └──────────── device-vanished, from every state
 *
 * The table says for each state and event where to go, what the group must do about it, and why.
 * An interface begins optimistically as running, so a link that is down from the start is an
 * ordinary transition. The flags of the phyint follow the state; INACTIVE is the group's decision
 * (standby.ts) and exists only in the state `running`.
 */

import {
  PHYI_FAILED,
  PHYI_INACTIVE,
  PHYI_OFFLINE,
  PHYI_RUNNING,
  type Phyint,
} from '../ip/phyint.ts';
import type { Cause } from './cause.ts';

/** Inside names of the states; `INTERFACE_STATES` gives the names shown. */
export type PhyintState = 'absent' | 'running' | 'failed' | 'offline';

/** The states as operators see them (contract 4). */
export type InterfaceState = 'ok' | 'failed' | 'offline' | 'unknown' | 'absent';

/** What can happen to an interface. */
export type PhyintEvent =
  | 'device-appeared'
  | 'device-vanished'
  | 'link-down'
  | 'link-up' /* and believed */
  | 'link-flaps' /* up, but too often lately */
  | 'damping-over' /* up, and stable long enough */
  | 'last-resort' /* up and flapping, but nothing else works */
  | 'mac-clash' /* a member of its group that was there before has its MAC */
  | 'mac-unique';

/**
 * What follows for the group: it begins to work (`enter`, `repair`: semantics 6.2), it ceases to
 * (`leave`: 6.3), it is to be looked at again later (`hold`), or nothing.
 */
export type PhyintAction = 'enter' | 'repair' | 'leave' | 'hold' | 'none';

/** One cell of the table. */
export interface PhyintCell {
  readonly next: PhyintState;
  readonly action: PhyintAction;
  /** The cause recorded with the state; null: the old one stays. */
  readonly why: Cause | null;
}

function stay(state: PhyintState): PhyintCell {
  return { next: state, action: 'none', why: null };
}

const GONE: PhyintCell = { next: 'absent', action: 'leave', why: 'device-vanished' };
const CLASH: PhyintCell = { next: 'offline', action: 'leave', why: 'duplicate-mac' };

/** State × event -> what happens. */
export const PHYINT_TABLE: Record<PhyintState, Record<PhyintEvent, PhyintCell>> = {
  absent: {
    'device-appeared': { next: 'running', action: 'enter', why: 'device-appeared' },
    'device-vanished': stay('absent'),
    'link-down': stay('absent'),
    'link-up': stay('absent'),
    'link-flaps': stay('absent'),
    'damping-over': stay('absent'),
    'last-resort': stay('absent'),
    'mac-clash': { next: 'offline', action: 'none', why: 'duplicate-mac' },
    'mac-unique': stay('absent'),
  },
  running: {
    'device-appeared': stay('running'),
    'device-vanished': GONE,
    'link-down': { next: 'failed', action: 'leave', why: 'link-down' },
    'link-up': stay('running'),
    'link-flaps': stay('running'),
    'damping-over': stay('running'),
    'last-resort': stay('running'),
    'mac-clash': CLASH,
    'mac-unique': stay('running'),
  },
  failed: {
    'device-appeared': stay('failed'),
    'device-vanished': { ...GONE, action: 'none' },
    'link-down': { next: 'failed', action: 'none', why: 'link-down' },
    'link-up': { next: 'running', action: 'repair', why: 'link-up' },
    'link-flaps': { next: 'failed', action: 'hold', why: 'flapping' },
    'damping-over': { next: 'running', action: 'repair', why: 'damping-over' },
    'last-resort': { next: 'running', action: 'repair', why: 'last-resort' },
    'mac-clash': { ...CLASH, action: 'none' },
    'mac-unique': stay('failed'),
  },
  offline: {
    'device-appeared': stay('offline'),
    'device-vanished': { ...GONE, action: 'none' },
    'link-down': stay('offline'),
    'link-up': stay('offline'),
    'link-flaps': stay('offline'),
    'damping-over': stay('offline'),
    'last-resort': stay('offline'),
    'mac-clash': stay('offline'),
    'mac-unique': { next: 'running', action: 'enter', why: 'mac-unique' },
  },
};

/** State -> the name shown. */
export const INTERFACE_STATES: Record<PhyintState, InterfaceState> = {
  absent: 'absent',
  running: 'ok',
  failed: 'failed',
  offline: 'offline',
};

/** Flags that a state sets; all others of the four are cleared, but INACTIVE stays in `running`. */
const FLAGS: Record<PhyintState, number> = {
  absent: 0,
  running: 0,
  failed: PHYI_FAILED,
  offline: PHYI_OFFLINE,
};

/** Makes the flags of `phyint` those of `state` and of its link, in one change. */
export function phyintApplyState(phyint: Phyint, state: PhyintState): void {
  const isLive = phyint.present && phyint.isLinkUp;
  const kept = state === 'running' ? phyint.flags & PHYI_INACTIVE : 0;
  const all = PHYI_FAILED | PHYI_OFFLINE | PHYI_INACTIVE | PHYI_RUNNING;
  phyint.changeFlags(FLAGS[state] | kept | (isLive ? PHYI_RUNNING : 0), all);
}
