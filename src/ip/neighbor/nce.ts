/**
 * A neighbour cache entry: the state of one address on the LAN, of either family.
 *
 * The states are those of RFC 4861 7.3.2, also for ARP (RFC 826), with FAILED and
 * PERMANENT as in `ip neigh`. Three things differ from a host's own cache, because the
 * entry is there to answer the host truthfully and not to send packets:
 *
 * - Only a confirmed MAC is an answer. A question about a STALE entry is therefore verified at
 *   once (PROBE). There is no DELAY: the stack sends nothing to a neighbour of its own accord.
 * - While we ask (INCOMPLETE), only the answer to our question counts. RFC 4861 would take an
 *   unsolicited claim as well; here a forger could then keep a neighbour unresolved for ever.
 * - A MAC is never changed for a claim alone. The known MAC and the claimed one are both asked
 *   (*challenge*). If the known one answers, nothing has happened; if only the other one does, the
 *   neighbour has moved. So a forged frame costs two questions, a true move a twentieth of a
 *   second.
 *
 * Terms: a *reply* answers our outstanding question; a *claim* is any other ARP in which the
 * neighbour (or a forger) states its MAC. *Moved* means: another MAC than the known one.
 *
 *               host asks  checks   reply      moved reply  claim   moved claim  timeout
 *   NONE        ask all    ask all  -          -            STALE   -            -
 *   INCOMPLETE  wait       wait     REACHABLE  REACHABLE    ignore  ignore       again
 *   REACHABLE   answer     PROBE    -          -            ignore  PROBE        STALE
 *   STALE       PROBE      PROBE    -          -            ignore  PROBE        -
 *   PROBE       wait       wait     REACHABLE  wait         ignore  PROBE        again
 *   FAILED      ask all    ask all  -          -            STALE   -            remove
 *   PERMANENT   answer     answer   -          -            ignore  ignore       -
 *
 * No tries left: INCOMPLETE fails; PROBE asks by broadcast, since the neighbour may live on with
 * another MAC. `contradicted` is a claim or a reply of another MAC that does not insist (RFC 4861
 * 7.2.5: the override flag is clear, as of a proxy): REACHABLE becomes STALE. `yield` is the end of
 * PROBE when another MAC has answered and the known one has not: the other one is taken. `doubt`
 * makes REACHABLE STALE and repeats a question that is out. `pin` makes any entry PERMANENT.
 *
 * Invariants
 * 1. An entry that may answer (REACHABLE, PERMANENT) has a MAC; one that failed has none.
 * 2. An entry has a deadline exactly in INCOMPLETE, REACHABLE, PROBE and FAILED.
 * 3. A request waits for an entry only while we ask (INCOMPLETE, PROBE).
 * 4. There is a candidate only in PROBE.
 */

import { assert } from '../../base/assert.ts';
import type { Deadline } from '../../base/deadline.ts';
import type { IpAddress, Mac } from '../../wire/addr.ts';
import type { Waiter } from '../protocol.ts';

// From the RFC (RFC 4861 section 10)
/** Broadcast questions before a neighbour counts as absent (MAX_MULTICAST_SOLICIT). */
export const MAX_MULTICAST_SOLICIT = 3;
/** Between two questions about one neighbour (RETRANS_TIMER; also RFC 1122 2.3.2.1: 1 a second). */
export const RETRANS_TIMER_MS = 1000;
/** Spread of the reachable time (MIN_RANDOM_FACTOR, MAX_RANDOM_FACTOR). */
export const MIN_RANDOM_FACTOR = 0.5;
export const MAX_RANDOM_FACTOR = 1.5;

// Ours
/**
 * Base of the reachable time. RFC 4861 has 30 s, and so has the host's kernel; ours must be
 * shorter, so that the host's own probe (15 s + 5 s after its last answer at the earliest) is
 * never answered from memory: at most 15 s.
 */
export const REACHABLE_TIME_MS = 10_000;
/**
 * Questions to the known MAC before a broadcast. RFC 4861 has 3, and so has the host: it
 * would give up at the moment when we begin to look for a neighbour that changed its MAC.
 */
export const UNICAST_SOLICIT = 1;
/** A failed entry is kept so long for `neighbor show`. */
export const FAILED_KEPT_MS = 60_000;
/** Askers remembered per entry; the host has few addresses that ask for one neighbour. */
export const WAITERS_LIMIT = 8;
/** So long the known MAC may still answer after another one has: what a busy station needs. */
export const YIELD_MS = 50;
/**
 * A second claim of another MAC within this time is looked at when it is over. Long enough to bound
 * the work of a flood, shorter than a host's patience.
 */
export const CHANGE_LOCK_MS = 1000;
/** A confirmed entry is not verified again for the host within this time. */
export const CHECK_LOCK_MS = 1000;

export const NCE_STATES = [
  'NONE',
  'INCOMPLETE',
  'REACHABLE',
  'STALE',
  'PROBE',
  'FAILED',
  'PERMANENT',
] as const;
/** NONE: just made or just removed, never seen in the cache between two calls. */
export type NceState = (typeof NCE_STATES)[number];

export const NCE_EVENTS = [
  'resolve' /* the host asks and waits for a confirmed answer */,
  'check' /* the host verifies its entry, or we have to */,
  'reply' /* our question answered with the known MAC, or the first one */,
  'replyMoved' /* our question answered with another MAC */,
  'claim' /* unsolicited, with the known MAC or the first one */,
  'claimMoved' /* unsolicited, with another MAC */,
  'timeout' /* the deadline passed; when asking: tries are left */,
  'exhausted' /* the deadline passed when asking, no tries are left */,
  'contradicted' /* another MAC was stated, which is not to replace the known one */,
  'yield' /* the deadline passed when another MAC has answered */,
  'doubt' /* a member of the group is gone: verify before the next answer */,
  'pin' /* the operator sets the MAC */,
] as const;
export type NceEvent = (typeof NCE_EVENTS)[number];

/**
 * What the resolver does on a transition; `impossible` asserts. Taking a MAC is a move also when
 * the entry had none but the host was given another one before (host-answers.ts).
 */
export type NceAction =
  | 'none'
  | 'impossible'
  | 'wait' /* the asker joins those that wait */
  | 'ask' /* begin a series of broadcast questions */
  | 'askAgain' /* next question of the series */
  | 'verify' /* begin a series of questions to the known MAC */
  | 'verifyAgain'
  | 'answer' /* answer the askers */
  | 'record' /* take the MAC, unconfirmed */
  | 'confirm' /* take the MAC, confirmed; answer the askers */
  | 'challenge' /* ask the known MAC and the claimed one */
  | 'hold' /* note the MAC that answered, and wait for the known one */
  | 'moveConfirm' /* change the MAC, redirect, update the host, answer the askers */
  | 'age' /* no longer confirmed */
  | 'giveUp' /* no answer came; the askers get none */
  | 'pin' /* take the operator's MAC; answer the askers */
  | 'remove';

/** One cell of the table. */
export interface NceCell {
  readonly next: NceState;
  readonly action: NceAction;
  /** Why, for people: shown by `neighbor show -d`. */
  readonly why: string;
}

function cell(next: NceState, action: NceAction, why: string): NceCell {
  return { next, action, why };
}

const NO_QUESTION = 'without a question there is no reply';
const NO_DEADLINE = 'this state has no deadline';
const NO_MAC = 'no MAC is known that could change';
const PINNED = 'the operator set it';
const SAME = 'the MAC is the known one';

export const NCE_TABLE: Readonly<Record<NceState, Readonly<Record<NceEvent, NceCell>>>> = {
  NONE: {
    resolve: cell('INCOMPLETE', 'ask', 'the host asked'),
    check: cell('INCOMPLETE', 'ask', 'the host asked'),
    reply: cell('NONE', 'impossible', NO_QUESTION),
    replyMoved: cell('NONE', 'impossible', NO_QUESTION),
    claim: cell('STALE', 'record', 'it asked for one of our addresses'),
    claimMoved: cell('NONE', 'impossible', NO_MAC),
    timeout: cell('NONE', 'impossible', NO_DEADLINE),
    exhausted: cell('NONE', 'impossible', NO_DEADLINE),
    contradicted: cell('NONE', 'impossible', NO_MAC),
    yield: cell('NONE', 'impossible', NO_QUESTION),
    doubt: cell('NONE', 'none', 'no MAC is confirmed'),
    pin: cell('PERMANENT', 'pin', PINNED),
  },
  INCOMPLETE: {
    resolve: cell('INCOMPLETE', 'wait', 'the question is already out'),
    check: cell('INCOMPLETE', 'wait', 'the question is already out'),
    reply: cell('REACHABLE', 'confirm', 'it answered'),
    replyMoved: cell('REACHABLE', 'moveConfirm', 'it answered from another MAC'),
    claim: cell('INCOMPLETE', 'none', 'only the answer to our question counts'),
    claimMoved: cell('INCOMPLETE', 'none', 'only the answer to our question counts'),
    timeout: cell('INCOMPLETE', 'askAgain', 'no answer yet'),
    exhausted: cell('FAILED', 'giveUp', 'no answer came'),
    contradicted: cell('INCOMPLETE', 'impossible', 'what answers now is taken'),
    yield: cell('INCOMPLETE', 'impossible', NO_QUESTION),
    doubt: cell('INCOMPLETE', 'askAgain', 'the question may have left by the lost member'),
    pin: cell('PERMANENT', 'pin', PINNED),
  },
  REACHABLE: {
    resolve: cell('REACHABLE', 'answer', 'confirmed not long ago'),
    check: cell('PROBE', 'verify', 'the host verifies it'),
    reply: cell('REACHABLE', 'impossible', NO_QUESTION),
    replyMoved: cell('REACHABLE', 'impossible', NO_QUESTION),
    claim: cell('REACHABLE', 'none', SAME),
    claimMoved: cell('PROBE', 'challenge', 'another MAC claims it'),
    timeout: cell('STALE', 'age', 'the confirmation is too old'),
    exhausted: cell('REACHABLE', 'impossible', NO_QUESTION),
    contradicted: cell('STALE', 'age', 'another MAC claims it, without insisting'),
    yield: cell('REACHABLE', 'impossible', NO_QUESTION),
    doubt: cell('STALE', 'age', 'a member of the group is gone'),
    pin: cell('PERMANENT', 'pin', PINNED),
  },
  STALE: {
    resolve: cell('PROBE', 'verify', 'the host asked'),
    check: cell('PROBE', 'verify', 'to be verified'),
    reply: cell('STALE', 'impossible', NO_QUESTION),
    replyMoved: cell('STALE', 'impossible', NO_QUESTION),
    claim: cell('STALE', 'none', SAME),
    claimMoved: cell('PROBE', 'challenge', 'another MAC claims it'),
    timeout: cell('STALE', 'impossible', NO_DEADLINE),
    exhausted: cell('STALE', 'impossible', NO_DEADLINE),
    contradicted: cell('STALE', 'none', 'it is not confirmed'),
    yield: cell('STALE', 'impossible', NO_QUESTION),
    doubt: cell('STALE', 'none', 'it is not confirmed'),
    pin: cell('PERMANENT', 'pin', PINNED),
  },
  PROBE: {
    resolve: cell('PROBE', 'wait', 'the question is already out'),
    check: cell('PROBE', 'wait', 'the question is already out'),
    reply: cell('REACHABLE', 'confirm', 'it answered'),
    replyMoved: cell('PROBE', 'hold', 'another MAC answered'),
    claim: cell('PROBE', 'none', 'only the answer to our question confirms'),
    claimMoved: cell('PROBE', 'challenge', 'another MAC claims it'),
    timeout: cell('PROBE', 'verifyAgain', 'no answer yet'),
    exhausted: cell('INCOMPLETE', 'ask', 'the known MAC is silent'),
    contradicted: cell('PROBE', 'none', 'the known MAC is asked already'),
    yield: cell('REACHABLE', 'moveConfirm', 'another MAC answered, the known one did not'),
    doubt: cell('PROBE', 'verifyAgain', 'the question may have left by the lost member'),
    pin: cell('PERMANENT', 'pin', PINNED),
  },
  FAILED: {
    resolve: cell('INCOMPLETE', 'ask', 'the host asked again'),
    check: cell('INCOMPLETE', 'ask', 'the host asked again'),
    reply: cell('FAILED', 'impossible', NO_QUESTION),
    replyMoved: cell('FAILED', 'impossible', NO_QUESTION),
    claim: cell('STALE', 'record', 'it sends again'),
    claimMoved: cell('FAILED', 'impossible', NO_MAC),
    timeout: cell('NONE', 'remove', 'it was not asked for again'),
    exhausted: cell('FAILED', 'impossible', NO_QUESTION),
    contradicted: cell('FAILED', 'impossible', NO_MAC),
    yield: cell('FAILED', 'impossible', NO_QUESTION),
    doubt: cell('FAILED', 'none', 'no MAC is confirmed'),
    pin: cell('PERMANENT', 'pin', PINNED),
  },
  PERMANENT: {
    resolve: cell('PERMANENT', 'answer', PINNED),
    check: cell('PERMANENT', 'answer', PINNED),
    reply: cell('PERMANENT', 'impossible', NO_QUESTION),
    replyMoved: cell('PERMANENT', 'impossible', NO_QUESTION),
    claim: cell('PERMANENT', 'none', PINNED),
    claimMoved: cell('PERMANENT', 'none', PINNED),
    timeout: cell('PERMANENT', 'impossible', NO_DEADLINE),
    exhausted: cell('PERMANENT', 'impossible', NO_DEADLINE),
    contradicted: cell('PERMANENT', 'none', PINNED),
    yield: cell('PERMANENT', 'impossible', NO_QUESTION),
    doubt: cell('PERMANENT', 'none', PINNED),
    pin: cell('PERMANENT', 'pin', 'the operator set another MAC'),
  },
};

/** One entry. Fields are written by the cache and the resolver only. */
export class Nce {
  readonly address: IpAddress;
  state: NceState = 'NONE';
  /** Last known MAC, also while it is being verified; 0 before the first. */
  mac: Mac = 0;
  /** Why the entry is in its state. */
  why = '';
  deadline: Deadline<Nce> | undefined = undefined;
  /** Questions asked in the present series. */
  tries = 0;
  /** Questions since the last answer: the next one leaves by another NIC (questions.ts). */
  unanswered = 0;
  /** It answered a question at least once. */
  everConfirmed = false;
  /** An event has reported that it no longer answers. */
  isToldLost = false;
  /** A member is gone since it was confirmed; `doubt` is to be applied (doubts.ts). */
  isDoubted = false;
  /** When it last answered. */
  confirmedMs = Number.NEGATIVE_INFINITY;
  /** When another MAC was last claimed and asked, and the one that claims it since. */
  challengedMs = Number.NEGATIVE_INFINITY;
  contender: Mac = 0;
  /** Set while the contender waits for the end of the change lock. */
  contestDeadline: Deadline<Nce> | undefined = undefined;
  /** Another MAC that has answered, while the known one may still do so; 0 for none. */
  candidate: Mac = 0;
  /** Its last reply came from a router, or it advertised itself as one. */
  isRouter = false;
  /** Static entry that we answer for on the wire with the MAC of a live member. */
  isProxy = false;
  readonly waiters: Waiter[] = [];
  /** Sender address wanted for our questions: that of the last asker. */
  askSpa: IpAddress | undefined = undefined;
  /**
   * Sender addresses of the questions that are out, undefined for a question without one: a reply
   * must be addressed to one of them.
   */
  readonly sentSpas: Array<IpAddress | undefined> = [];

  constructor(address: IpAddress) {
    this.address = address;
  }

  /** The questions that follow are a new series. */
  beginSeries(): void {
    this.tries = 0;
    this.sentSpas.length = 0;
  }

  /** A question is out. */
  get isAsking(): boolean {
    return this.state === 'INCOMPLETE' || this.state === 'PROBE';
  }

  /** No tries are left in the present series. */
  get isExhausted(): boolean {
    const limit = this.state === 'PROBE' ? UNICAST_SOLICIT : MAX_MULTICAST_SOLICIT;
    return this.isAsking && this.tries >= limit;
  }

  /** What the deadline means now. */
  get dueEvent(): 'timeout' | 'exhausted' | 'yield' {
    if (this.candidate !== 0) return 'yield';
    return this.isExhausted ? 'exhausted' : 'timeout';
  }
}

/**
 * The one transition: looks the cell up, asserts that it can happen and takes its state. The
 * caller has cancelled the deadline if the state changes, and carries out the action.
 */
export function nceTransition(nce: Nce, event: NceEvent): NceCell {
  const found = NCE_TABLE[nce.state][event];
  assert(found.action !== 'impossible', `neighbour in ${nce.state}: ${event}: ${found.why}`);
  nce.state = found.next;
  if (found.action !== 'none') nce.why = found.why;
  return found;
}
