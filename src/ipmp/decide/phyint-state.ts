/**
 * The state machine of one interface (IPMP semantics 5.10, for detection by carrier).
 *
 *            device-appeared              link-down
 *   absent ──────────────────> running ──────────────> failed
 *      ▲  mac-clash ┌───────────► │ ◄───────────────────┘ link-up, damping-over, last-resort
 *      │            │ mac-unique  │ mac-clash
 *      │            └─────────── clashing ◄── mac-clash ── failed
 *      └──────────── device-vanished, from every state
 *
 * The operator's word stands over all of these (semantics 6.4). Each state has a shadow, which is
 * what the interface would be if it were online:
 *
 *   online     running, clashing    failed            absent
 *   offline    offline              offline-failed    offline-absent
 *
 * `taken-offline` leads down and `brought-online` up; in between the world goes on, and leads from
 * shadow to shadow. So the wish outlives the device and the link, and it ends by two events alone:
 * `brought-online`, and a `mac-clash` found in the attempt. A clash has no shadow: who is out of
 * use cannot clash, and whether it would is looked at when it comes back.
 *
 * The table says for each state and event where to go, what the group must do about it, and why.
 * Between `offline` and `offline-failed` the cause shown stays the operator; the new one is noted.
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
} from '../../ip/object/phyint.ts';
import type { Cause } from '../../model/causes.ts';
import type { InterfaceState } from '../../model/states.ts';

/** Inside names of the states; `INTERFACE_STATES` gives the names shown. */
export type PhyintState =
  | 'absent'
  | 'running'
  | 'failed'
  | 'clashing' /* out of use, because another member has its MAC */
  | 'offline' /* by the operator; otherwise it would work */
  | 'offline-failed' /* by the operator; otherwise it would have failed */
  | 'offline-absent'; /* by the operator; its device is not there */

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
  | 'mac-unique'
  | 'taken-offline' /* by the operator */
  | 'brought-online'; /* by the operator */

/**
 * What follows for the group: it begins to work (`enter`, `repair`: semantics 6.2), it ceases to
 * (`leave`: 6.3), it is to be looked at again later (`hold`), or nothing. With `none` nobody waits
 * for its repair any longer; with `keep` whoever waits goes on waiting.
 */
export type PhyintAction = 'enter' | 'repair' | 'leave' | 'hold' | 'keep' | 'none';

/** One cell of the table. */
export interface PhyintCell {
  readonly next: PhyintState;
  readonly action: PhyintAction;
  /**
   * The cause recorded with the state. null: the old one stays, or, when the state changes, what
   * was noted while it was offline counts.
   */
  readonly why: Cause | null;
}

function stay(state: PhyintState): PhyintCell {
  return { next: state, action: 'none', why: null };
}

const GONE: PhyintCell = { next: 'absent', action: 'leave', why: 'device-vanished' };
const CLASH: PhyintCell = { next: 'clashing', action: 'leave', why: 'duplicate-mac' };
const OFFLINE: PhyintCell = { next: 'offline', action: 'none', why: 'taken-offline' };
const OFFLINE_GONE: PhyintCell = { next: 'offline-absent', action: 'none', why: 'device-vanished' };

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
    'mac-clash': { ...CLASH, action: 'none' },
    'mac-unique': stay('absent'),
    'taken-offline': { next: 'offline-absent', action: 'none', why: 'taken-offline' },
    'brought-online': stay('absent'),
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
    'taken-offline': { ...OFFLINE, action: 'leave' },
    'brought-online': stay('running'),
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
    'taken-offline': { next: 'offline-failed', action: 'keep', why: 'taken-offline' },
    'brought-online': stay('failed'),
  },
  clashing: {
    'device-appeared': stay('clashing'),
    'device-vanished': { ...GONE, action: 'none' },
    'link-down': stay('clashing'),
    'link-up': stay('clashing'),
    'link-flaps': stay('clashing'),
    'damping-over': stay('clashing'),
    'last-resort': stay('clashing'),
    'mac-clash': stay('clashing'),
    'mac-unique': { next: 'running', action: 'enter', why: 'mac-unique' },
    'taken-offline': OFFLINE,
    'brought-online': stay('clashing'),
  },
  offline: {
    'device-appeared': stay('offline'),
    'device-vanished': OFFLINE_GONE,
    'link-down': { next: 'offline-failed', action: 'none', why: 'link-down' },
    'link-up': stay('offline'),
    'link-flaps': stay('offline'),
    'damping-over': stay('offline'),
    'last-resort': stay('offline'),
    'mac-clash': { ...CLASH, action: 'none' },
    'mac-unique': stay('offline'),
    'taken-offline': stay('offline'),
    'brought-online': { next: 'running', action: 'enter', why: 'brought-online' },
  },
  'offline-failed': {
    'device-appeared': stay('offline-failed'),
    'device-vanished': OFFLINE_GONE,
    'link-down': { next: 'offline-failed', action: 'none', why: 'link-down' },
    'link-up': { next: 'offline', action: 'none', why: 'link-up' },
    'link-flaps': { next: 'offline-failed', action: 'hold', why: 'flapping' },
    'damping-over': { next: 'offline', action: 'none', why: 'damping-over' },
    'last-resort': stay('offline-failed'),
    'mac-clash': { ...CLASH, action: 'none' },
    'mac-unique': stay('offline-failed'),
    'taken-offline': stay('offline-failed'),
    'brought-online': { next: 'failed', action: 'keep', why: null },
  },
  'offline-absent': {
    'device-appeared': OFFLINE,
    'device-vanished': stay('offline-absent'),
    'link-down': stay('offline-absent'),
    'link-up': stay('offline-absent'),
    'link-flaps': stay('offline-absent'),
    'damping-over': stay('offline-absent'),
    'last-resort': stay('offline-absent'),
    'mac-clash': stay('offline-absent'),
    'mac-unique': stay('offline-absent'),
    'taken-offline': stay('offline-absent'),
    'brought-online': { next: 'absent', action: 'none', why: 'device-absent' },
  },
};

/** State -> the name shown. */
export const INTERFACE_STATES: Record<PhyintState, InterfaceState> = {
  absent: 'absent',
  running: 'ok',
  failed: 'failed',
  clashing: 'offline',
  offline: 'offline',
  'offline-failed': 'offline',
  'offline-absent': 'absent',
};

/** Flags that a state sets; all others of the four are cleared, but INACTIVE stays in `running`. */
const FLAGS: Record<PhyintState, number> = {
  absent: 0,
  running: 0,
  failed: PHYI_FAILED,
  clashing: PHYI_OFFLINE,
  offline: PHYI_OFFLINE,
  'offline-failed': PHYI_OFFLINE | PHYI_FAILED,
  'offline-absent': PHYI_OFFLINE,
};

/** The operator took it offline, wherever its device and its link are. */
export function phyintIsOffline(state: PhyintState): boolean {
  return state === 'offline' || state === 'offline-failed' || state === 'offline-absent';
}

/** A transition of which nothing is shown but the operator's word. */
export function phyintIsNoted(from: PhyintState, next: PhyintState): boolean {
  const isThere = (state: PhyintState): boolean =>
    state === 'offline' || state === 'offline-failed';
  return isThere(from) && isThere(next);
}

/** Makes the flags of `phyint` those of `state` and of its link, in one change. */
export function phyintApplyState(phyint: Phyint, state: PhyintState): void {
  const isLive = phyint.present && phyint.isLinkUp;
  const kept = state === 'running' ? phyint.flags & PHYI_INACTIVE : 0;
  const all = PHYI_FAILED | PHYI_OFFLINE | PHYI_INACTIVE | PHYI_RUNNING;
  phyint.changeFlags(FLAGS[state] | kept | (isLive ? PHYI_RUNNING : 0), all);
}
