/**
 * The state machine of one interface (docs/law.md rows 90 to 96, for detection by carrier).
 *
 *            device-appeared              link-down
 *   absent ──────────────────> running ──────────────> failed
 *      ▲  mac-clash ┌───────────► │ ◄───────────────────┘ link-up, damping-over, last-resort
 *      │            │ mac-unique  │ mac-clash
 *      │            └─────────── clashing ◄── mac-clash ── failed
 *      └──────────── device-vanished, from every state
 *
 * Offline, the operator's decision, overrides all of these (docs/law.md rows 103 to 105). Each
 * state has an offline counterpart, which remembers what the interface would be if it were online:
 *
 *   online     running, clashing    failed            absent
 *   offline    offline              offline-failed    offline-absent
 *
 * `taken-offline` leads down and `brought-online` up; in between, devices and links lead from one
 * counterpart to another. So the decision outlives the device and the link. It ends by two events
 * alone: `brought-online`, and a `mac-clash` found in the attempt. A clash has no counterpart: an
 * interface out of use cannot clash, and whether it would is looked at when it comes back.
 *
 * The table gives for each state and event the next state, what the group must do about it, and
 * why; a cell that cannot happen asserts. Between `offline` and `offline-failed` the cause shown
 * stays the operator; the new one is noted. An interface begins optimistically as running, so a
 * link that is down from the start is an ordinary transition.
 *
 * The flags of the phyint follow from the state (`phyintFlags`); INACTIVE is the group's decision
 * (standby.ts) and exists only in the state `running`.
 */

import { assert } from '../../base/assert.ts';
import {
  PHYI_FAILED,
  PHYI_INACTIVE,
  PHYI_OFFLINE,
  PHYI_RUNNING,
  PHYI_STANDBY,
} from '../../ip/object/phyint.ts';
import type { Cause } from '../../model/causes.ts';
import type { InterfaceState } from '../../model/states.ts';

/** Inside names of the states; `SHOWN_STATES` gives the names shown. */
export const PHYINT_STATES = [
  'absent',
  'running',
  'failed',
  'clashing' /* out of use, because another member has its MAC */,
  'offline' /* by the operator; otherwise it would work */,
  'offline-failed' /* by the operator; otherwise it would have failed */,
  'offline-absent' /* by the operator; its device is not there */,
] as const;
export type PhyintState = (typeof PHYINT_STATES)[number];

/** What can happen to an interface. */
export const PHYINT_EVENTS = [
  'device-appeared',
  'device-vanished',
  'link-down',
  'link-up' /* and believed */,
  'link-flaps' /* up, but too often lately */,
  'damping-over' /* up, and stable long enough */,
  'last-resort' /* up and flapping, but nothing else works */,
  'mac-clash' /* a member of its group that was there before has its MAC */,
  'mac-unique',
  'taken-offline' /* by the operator */,
  'brought-online' /* by the operator */,
] as const;
export type PhyintEvent = (typeof PHYINT_EVENTS)[number];

/**
 * What follows for the group: the interface begins to work (`enter`, `repair`: docs/law.md row
 * 100), it ceases to (`leave`: row 99), it is to be looked at again later (`hold`), or nothing.
 * `none` ends an earlier `hold`; `keep` leaves it.
 */
export type PhyintAction = 'enter' | 'repair' | 'leave' | 'hold' | 'keep' | 'none';

/** One cell of the table that can happen. */
export interface PhyintCell {
  readonly next: PhyintState;
  readonly action: PhyintAction;
  /**
   * The cause recorded with the state. null: the old one stays, or, when the state changes, what
   * was noted while it was offline counts.
   */
  readonly why: Cause | null;
}

/** One that cannot. */
export interface ImpossibleCell {
  readonly action: 'impossible';
  readonly why: null;
  /** For people. */
  readonly because: string;
}

function cell(next: PhyintState, action: PhyintAction, why: Cause | null): PhyintCell {
  return { next, action, why };
}

function stay(state: PhyintState): PhyintCell {
  return cell(state, 'none', null);
}

function impossible(because: string): ImpossibleCell {
  return { action: 'impossible', why: null, because };
}

const NO_DEVICE = impossible('there is no device');
const HAS_DEVICE = impossible('the device is there already');
const LINK_NOT_DOWN = impossible('its link was not down');
const NOT_HELD = impossible('no repair is held back');
const NOT_FAILED = impossible('it has not failed');
const NOT_CLASHING = impossible('it is not out of use for its MAC');
const IS_OFFLINE = impossible('it is offline already');
const IS_ONLINE = impossible('it is not offline');

/** State × event -> what happens. */
export const PHYINT_TABLE: Readonly<
  Record<PhyintState, Readonly<Record<PhyintEvent, PhyintCell | ImpossibleCell>>>
> = {
  absent: {
    'device-appeared': cell('running', 'enter', 'device-appeared'),
    'device-vanished': NO_DEVICE,
    'link-down': NO_DEVICE,
    'link-up': NO_DEVICE,
    'link-flaps': NO_DEVICE,
    'damping-over': NOT_HELD,
    'last-resort': NOT_FAILED,
    'mac-clash': cell('clashing', 'none', 'duplicate-mac'),
    'mac-unique': NOT_CLASHING,
    'taken-offline': cell('offline-absent', 'none', 'taken-offline'),
    'brought-online': IS_ONLINE,
  },
  running: {
    'device-appeared': HAS_DEVICE,
    'device-vanished': cell('absent', 'leave', 'device-vanished'),
    'link-down': cell('failed', 'leave', 'link-down'),
    'link-up': LINK_NOT_DOWN,
    'link-flaps': LINK_NOT_DOWN,
    'damping-over': NOT_HELD,
    'last-resort': NOT_FAILED,
    'mac-clash': cell('clashing', 'leave', 'duplicate-mac'),
    'mac-unique': NOT_CLASHING,
    'taken-offline': cell('offline', 'leave', 'taken-offline'),
    'brought-online': IS_ONLINE,
  },
  failed: {
    'device-appeared': HAS_DEVICE,
    'device-vanished': cell('absent', 'none', 'device-vanished'),
    'link-down': cell('failed', 'none', 'link-down'),
    'link-up': cell('running', 'repair', 'link-up'),
    'link-flaps': cell('failed', 'hold', 'flapping'),
    'damping-over': cell('running', 'repair', 'damping-over'),
    'last-resort': cell('running', 'repair', 'last-resort'),
    'mac-clash': cell('clashing', 'none', 'duplicate-mac'),
    'mac-unique': NOT_CLASHING,
    'taken-offline': cell('offline-failed', 'keep', 'taken-offline'),
    'brought-online': IS_ONLINE,
  },
  clashing: {
    'device-appeared': HAS_DEVICE,
    'device-vanished': cell('absent', 'none', 'device-vanished'),
    'link-down': stay('clashing'),
    'link-up': stay('clashing'),
    'link-flaps': stay('clashing'),
    'damping-over': NOT_HELD,
    'last-resort': NOT_FAILED,
    'mac-clash': stay('clashing'),
    'mac-unique': cell('running', 'enter', 'mac-unique'),
    'taken-offline': cell('offline', 'none', 'taken-offline'),
    'brought-online': stay('clashing'),
  },
  offline: {
    'device-appeared': HAS_DEVICE,
    'device-vanished': cell('offline-absent', 'none', 'device-vanished'),
    'link-down': cell('offline-failed', 'none', 'link-down'),
    'link-up': LINK_NOT_DOWN,
    'link-flaps': LINK_NOT_DOWN,
    'damping-over': NOT_HELD,
    'last-resort': NOT_FAILED,
    'mac-clash': cell('clashing', 'none', 'duplicate-mac'),
    'mac-unique': NOT_CLASHING,
    'taken-offline': IS_OFFLINE,
    'brought-online': cell('running', 'enter', 'brought-online'),
  },
  'offline-failed': {
    'device-appeared': HAS_DEVICE,
    'device-vanished': cell('offline-absent', 'none', 'device-vanished'),
    'link-down': cell('offline-failed', 'none', 'link-down'),
    'link-up': cell('offline', 'none', 'link-up'),
    'link-flaps': cell('offline-failed', 'hold', 'flapping'),
    'damping-over': cell('offline', 'none', 'damping-over'),
    'last-resort': impossible('the operator decides'),
    'mac-clash': cell('clashing', 'none', 'duplicate-mac'),
    'mac-unique': NOT_CLASHING,
    'taken-offline': IS_OFFLINE,
    'brought-online': cell('failed', 'keep', null),
  },
  'offline-absent': {
    'device-appeared': cell('offline', 'none', 'taken-offline'),
    'device-vanished': NO_DEVICE,
    'link-down': NO_DEVICE,
    'link-up': NO_DEVICE,
    'link-flaps': NO_DEVICE,
    'damping-over': NOT_HELD,
    'last-resort': NOT_FAILED,
    'mac-clash': NO_DEVICE,
    'mac-unique': NOT_CLASHING,
    'taken-offline': IS_OFFLINE,
    'brought-online': cell('absent', 'none', 'device-absent'),
  },
};

/** What a transition reads and writes. */
export interface PhyintLife {
  state: PhyintState;
  /** Why it is in this state. */
  cause: Cause;
  /** While it is offline: why it would be in the state in which it would be. */
  notedCause: Cause;
  /** Why it does or does not carry data. */
  activeCause: Cause;
}

/**
 * Looks the cell up, asserts that it can happen, and takes its state and its cause. The caller
 * carries out the action.
 */
export function phyintTransition(life: PhyintLife, event: PhyintEvent): PhyintCell {
  const from = life.state;
  const found = PHYINT_TABLE[from][event];
  if (found.action === 'impossible') assert(false, `${from}: ${event}: ${found.because}`);
  const { next, why } = found;
  life.state = next;
  if (phyintIsNoted(from, next)) {
    life.notedCause = why ?? life.notedCause;
    return found;
  }
  if (event === 'taken-offline') life.notedCause = life.cause;
  if (next !== from) life.cause = life.activeCause = why ?? life.notedCause;
  else life.cause = why ?? life.cause;
  return found;
}

/** State -> the name shown. */
export const SHOWN_STATES: Record<PhyintState, InterfaceState> = {
  absent: 'absent',
  running: 'ok',
  failed: 'failed',
  clashing: 'offline',
  offline: 'offline',
  'offline-failed': 'offline',
  'offline-absent': 'absent',
};

/** The operator took it offline, whatever its device and its link are. */
export function phyintIsOffline(state: PhyintState): boolean {
  return state === 'offline' || state === 'offline-failed' || state === 'offline-absent';
}

/** A transition of which nothing is shown: the cause stays the operator. */
export function phyintIsNoted(from: PhyintState, next: PhyintState): boolean {
  const isThere = (state: PhyintState): boolean =>
    state === 'offline' || state === 'offline-failed';
  return isThere(from) && isThere(next);
}

const FLAGS: Record<PhyintState, number> = {
  absent: 0,
  running: 0,
  failed: PHYI_FAILED,
  clashing: PHYI_OFFLINE,
  offline: PHYI_OFFLINE,
  'offline-failed': PHYI_OFFLINE | PHYI_FAILED,
  'offline-absent': PHYI_OFFLINE,
};

/** What the flags of a phyint are made of, beside its state. */
export interface FlagFacts {
  /** Its device is there, and its link is not down. */
  readonly isLive: boolean;
  readonly standby: boolean;
  readonly inactive: boolean;
}

/** The flags of a phyint: nothing else sets one. */
export function phyintFlags(state: PhyintState, facts: FlagFacts): number {
  return (
    FLAGS[state] |
    (facts.isLive ? PHYI_RUNNING : 0) |
    (facts.standby ? PHYI_STANDBY : 0) |
    (facts.inactive ? PHYI_INACTIVE : 0)
  );
}
