/**
 * The claim of one address on the LAN: duplicate address detection, announcements and defence
 * (RFC 5227, with the times of IPMP semantics 4.5 for links that report their state).
 *
 * A *claim* is one address for which the owner bound a NIC once. *Ready* means verified, but no
 * NIC serves it at the moment.
 *
 *               initial     rebind      unbound     conflict     link up     host announces
 *   unverified  probing     probing     -           -            -           -
 *   ready       probing     announcing  -           -            -           -
 *   probing     again       again       unverified  duplicate    again       -
 *   announcing  probing     again       ready       defend       again       again
 *   settled     probing     announcing  ready       defend       announcing  announcing
 *   duplicate   -           -           -           -            probing     -
 *
 * Time (`due`): probing sends its next probe, or after the last one (`done`) the address is up and
 * announcing begins; announcing sends the next announcement or (`done`) settles; settled repeats
 * one, for the peers and switches that missed the series; a duplicate tries again. `lost` is the
 * second conflict of a test address within the defence interval: it is given up, while a data
 * address is defended for ever, at most once an interval.
 *
 * A duplicate waits for its recovery time or for the link, whatever happens to its binding, so that
 * flapping does not make it probe without end (RFC 5227 2.1.1 limits the tries).
 *
 * Series of an address begin at most once a second (reliability T17). A move within it is announced
 * at once as part of the running series, up to MOVES_PER_SERIES times: when two NICs die
 * one after the other, peers must not wait. Further moves wait until the second is over; the
 * announcement then tells of the last one, because the NIC is looked up when it is sent.
 *
 * Invariants
 * 1. A claim has a deadline exactly in probing, announcing, settled and duplicate.
 * 2. The state of the ipif is `up` exactly in ready, announcing and settled.
 */

import { assert } from '../base/assert.ts';
import type { Deadline } from '../base/deadline.ts';
import type { Ipif } from './ipif.ts';

// From the RFC (RFC 5227 1.1; the times are those of IPMP semantics 4.5, "fast")
/** Probes before an address counts as free (PROBE_NUM). */
export const PROBE_COUNT = 3;
/** Between probes, and after the last one (RFC 5227: 1 to 2 s, and 2 s after the last). */
export const PROBE_INTERVAL_MS = 150;
/** The interval is longer or shorter by up to this part. */
export const PROBE_JITTER = 0.2;
/** Before the first probe, at most (PROBE_WAIT, 1 s there). */
export const PROBE_DELAY_MS = 100;
/** Announcements in a series, and between them (ANNOUNCE_NUM is 2 there, the interval the same). */
export const ANNOUNCE_COUNT = 5;
export const ANNOUNCE_INTERVAL_MS = 2000;
/** An address is defended at most once in this time (DEFEND_INTERVAL). */
export const DEFEND_INTERVAL_MS = 10_000;
/** An address at rest is announced once in this time, or up to a fifth later (IPMP semantics). */
export const REFRESH_MS = 300_000;
export const REFRESH_JITTER = 0.2;
/** The addresses of one NIC share 100 such announcements an hour (IPMP semantics 4.5). */
export const REFRESH_SPACING_MS = 36_000;

// Ours
/** A duplicate is tried again after this (IPMP semantics 3.8). */
export const RECOVERY_MS = 300_000;
/** One series may begin in this time, per address (reliability T17). */
export const SERIES_INTERVAL_MS = 1000;
/** Moves announced at once within that time; together less than one full series. */
export const MOVES_PER_SERIES = 3;

export const CLAIM_STATES = [
  'unverified',
  'ready',
  'probing',
  'announcing',
  'settled',
  'duplicate',
] as const;
export type ClaimState = (typeof CLAIM_STATES)[number];

export const CLAIM_EVENTS = [
  'initial' /* bound to a NIC, to be verified */,
  'rebind' /* bound to another NIC */,
  'unbound' /* no NIC serves it any longer */,
  'due' /* the deadline passed */,
  'done' /* the deadline passed after the last packet of the series */,
  'conflict' /* another station uses the address */,
  'lost' /* it does so again after a defence, and the address is not worth a war */,
  'linkUp' /* the link of its NIC came up */,
  'ask' /* the host announces it */,
] as const;
export type ClaimEvent = (typeof CLAIM_EVENTS)[number];

/** What the owner (claims.ts) does on a transition; `impossible` asserts. */
export type ClaimAction =
  | 'none'
  | 'impossible'
  | 'startProbes' /* tentative; first probe after a short random delay */
  | 'probe'
  | 'startSeries' /* first announcement as soon as the rate allows */
  | 'announce'
  | 'verified' /* up; then as startSeries */
  | 'settle' /* be silent for long */
  | 'refresh' /* one announcement, then silence again */
  | 'defend' /* one announcement, if the rate allows */
  | 'duplicate' /* give up; try again after the recovery time */
  | 'stop';

/** One cell of the table. */
export interface ClaimCell {
  readonly next: ClaimState;
  readonly action: ClaimAction;
  readonly why: string;
}

function cell(next: ClaimState, action: ClaimAction, why: string): ClaimCell {
  return { next, action, why };
}

const NO_NIC = 'no NIC serves it';
const NO_DEADLINE = 'this state has no deadline';
const NOT_DEFENDED = 'nothing was defended';
const RECOVERS = 'only its recovery time or the link frees a duplicate';
const UNVERIFIED = 'nobody was asked yet';

export const CLAIM_TABLE: Readonly<Record<ClaimState, Readonly<Record<ClaimEvent, ClaimCell>>>> = {
  unverified: {
    initial: cell('probing', 'startProbes', 'bound to a NIC'),
    rebind: cell('probing', 'startProbes', 'bound to a NIC, and never verified'),
    unbound: cell('unverified', 'none', NO_NIC),
    due: cell('unverified', 'impossible', NO_DEADLINE),
    done: cell('unverified', 'impossible', NO_DEADLINE),
    conflict: cell('unverified', 'none', 'the address is not in use'),
    lost: cell('unverified', 'impossible', NOT_DEFENDED),
    linkUp: cell('unverified', 'none', NO_NIC),
    ask: cell('unverified', 'none', UNVERIFIED),
  },
  ready: {
    initial: cell('probing', 'startProbes', 'bound to a NIC after none was left'),
    rebind: cell('announcing', 'startSeries', 'bound to a NIC'),
    unbound: cell('ready', 'none', NO_NIC),
    due: cell('ready', 'impossible', NO_DEADLINE),
    done: cell('ready', 'impossible', NO_DEADLINE),
    conflict: cell('ready', 'none', 'no NIC to defend it from'),
    lost: cell('ready', 'impossible', NOT_DEFENDED),
    linkUp: cell('ready', 'none', NO_NIC),
    ask: cell('ready', 'none', NO_NIC),
  },
  probing: {
    initial: cell('probing', 'startProbes', 'bound anew'),
    rebind: cell('probing', 'startProbes', 'bound to another NIC before it was verified'),
    unbound: cell('unverified', 'stop', NO_NIC),
    due: cell('probing', 'probe', 'time for the next probe'),
    done: cell('announcing', 'verified', 'nobody objected'),
    conflict: cell('duplicate', 'duplicate', 'another station uses it'),
    lost: cell('probing', 'impossible', NOT_DEFENDED),
    linkUp: cell('probing', 'startProbes', 'the earlier probes may not have left'),
    ask: cell('probing', 'none', UNVERIFIED),
  },
  announcing: {
    initial: cell('probing', 'startProbes', 'to be verified again'),
    rebind: cell('announcing', 'startSeries', 'bound to another NIC'),
    unbound: cell('ready', 'stop', NO_NIC),
    due: cell('announcing', 'announce', 'time for the next announcement'),
    done: cell('settled', 'settle', 'announced often enough'),
    conflict: cell('announcing', 'defend', 'another station claims it'),
    lost: cell('duplicate', 'duplicate', 'another station insists on it'),
    linkUp: cell('announcing', 'startSeries', 'the switch may have forgotten us'),
    ask: cell('announcing', 'startSeries', 'the host announces it'),
  },
  settled: {
    initial: cell('probing', 'startProbes', 'to be verified again'),
    rebind: cell('announcing', 'startSeries', 'bound to another NIC'),
    unbound: cell('ready', 'stop', NO_NIC),
    due: cell('settled', 'refresh', 'announced again from time to time'),
    done: cell('settled', 'impossible', 'no series is being sent'),
    conflict: cell('settled', 'defend', 'another station claims it'),
    lost: cell('duplicate', 'duplicate', 'another station insists on it'),
    linkUp: cell('announcing', 'startSeries', 'the switch may have forgotten us'),
    ask: cell('announcing', 'startSeries', 'the host announces it'),
  },
  duplicate: {
    initial: cell('duplicate', 'none', RECOVERS),
    rebind: cell('duplicate', 'none', RECOVERS),
    unbound: cell('duplicate', 'none', RECOVERS),
    due: cell('probing', 'startProbes', 'perhaps it is free by now'),
    done: cell('duplicate', 'impossible', 'nothing is being sent'),
    conflict: cell('duplicate', 'none', 'known'),
    lost: cell('duplicate', 'impossible', NOT_DEFENDED),
    linkUp: cell('probing', 'startProbes', 'perhaps another LAN, where it is free'),
    ask: cell('duplicate', 'none', RECOVERS),
  },
};

/** One address's claim. Fields are written by claims.ts only. */
export class Claim {
  readonly ipif: Ipif;
  state: ClaimState;
  why = '';
  deadline: Deadline<Claim> | undefined = undefined;
  /** The deadline is that of the first announcement of a series. */
  isFirst = false;
  /** Probes or announcements sent in the present series. */
  sent = 0;
  /** A duplicate that is being tried again. */
  isRecovering = false;
  /** When a series began last, and how many moves were announced since. */
  seriesMs = Number.NEGATIVE_INFINITY;
  moves = 0;
  defendedMs = Number.NEGATIVE_INFINITY;

  constructor(ipif: Ipif) {
    this.ipif = ipif;
    this.state = ipif.state === 'up' ? 'ready' : 'unverified';
  }

  /** What the deadline means now: `due` or `done`. */
  get dueEvent(): 'due' | 'done' {
    if (this.state === 'probing') return this.sent >= PROBE_COUNT ? 'done' : 'due';
    return this.state === 'announcing' && this.sent >= ANNOUNCE_COUNT ? 'done' : 'due';
  }
}

/** The one transition: looks the cell up, asserts that it can happen and takes its state. */
export function claimTransition(claim: Claim, event: ClaimEvent): ClaimCell {
  const found = CLAIM_TABLE[claim.state][event];
  assert(found.action !== 'impossible', `address ${claim.state}: ${event}: ${found.why}`);
  claim.state = found.next;
  if (found.action !== 'none') claim.why = found.why;
  return found;
}
