/**
 * The claim of one address on the LAN: duplicate address detection, announcements and defence
 * (RFC 5227 and RFC 4862, with the times of docs/law.md rows 64, 67 for links that report their
 * state). Both families have the same states and the same actions; LIMITS has what differs.
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
 *   duplicate   -           -           -           -            probing     probing
 *
 * Time (`due`): probing sends its next probe, or after the last one (`done`) the address is up and
 * announcing begins; announcing sends the next announcement or (`done`) settles; settled repeats
 * one, for the peers and switches that missed the series; of a duplicate the station that has it is
 * asked again, and once that is silent (`done`) the LAN is probed. `lost` is the second conflict of
 * a test address within the defence interval: it is given up, while a data address is defended for
 * ever, at most once an interval; also at its end, if it was claimed meanwhile.
 *
 * An address that the host has with `nodad` sends no probes: its probing is `done` as it begins.
 *
 * So an address whose holder leaves is served within two seconds, and one that is held costs its
 * holder two questions a second, and other stations nothing. Its tries (that is: series of probes)
 * are limited as RFC 5227 2.1.1 has it, whatever happens to its binding.
 *
 * Series of an address begin at most once a second (T17). A move within it is announced
 * at once as part of the running series, up to MOVES_PER_SERIES times: when two NICs die
 * one after the other, peers must not wait. Further moves wait until the second is over; the
 * announcement then names the last one, because the NIC is looked up when it is sent.
 *
 * Invariants
 * 1. A claim has a deadline exactly in probing, announcing, settled and duplicate.
 * 2. The state of the ipif is `up` exactly in ready, announcing and settled.
 */

import { assert } from '../../base/assert.ts';
import type { Deadline } from '../../base/deadline.ts';
import type { Rng } from '../../base/rng.ts';
import { TokenBucket } from '../../base/token-bucket.ts';
import { type Family, type IpAddress, ipFamily, ipIsLinkLocal, type Mac } from '../../wire/addr.ts';
import type { AddressCause } from '../lan-port.ts';
import type { Ill } from '../object/ill.ts';
import type { Ipif } from '../object/ipif.ts';

// From the RFCs (RFC 5227 1.1, RFC 4862 5.1, RFC 4861 10; row 64 of docs/law.md for fast links)
/** Probes before an address counts as free (PROBE_NUM; DupAddrDetectTransmits would be 1). */
export const PROBE_COUNT = 3;
/** The times of detection, in milliseconds. */
export interface ProbeTimes {
  /** Before the first probe, at most (PROBE_WAIT). */
  readonly delay: number;
  /** Between two probes (PROBE_MIN, PROBE_MAX). */
  readonly least: number;
  readonly most: number;
  /** After the last one (ANNOUNCE_WAIT); undefined: as between two. */
  readonly last: number | undefined;
}
/** Of a link that reports its state: a probe that leaves arrives (docs/law.md row 64). */
const FAST_PROBES: ProbeTimes = { delay: 100, least: 120, most: 180, last: undefined };
/** An address is defended at most once in this time (DEFEND_INTERVAL). */
export const DEFEND_INTERVAL_MS = 10_000;
/** A settled address is announced this often, or up to a fifth later (docs/law.md row 67). */
export const REFRESH_MS = 300_000;
export const REFRESH_JITTER = 0.2;
/** The addresses of one NIC share 100 such announcements an hour (docs/law.md row 67). */
export const REFRESH_SPACING_MS = 36_000;

/** A duplicate is tried again so often at once, and then once in a time (MAX_CONFLICTS … ). */
export const TRIES_AT_ONCE = 10;
/** … and RATE_LIMIT_INTERVAL. */
export const TRY_INTERVAL_MS = 60_000;

/**
 * When the unsolicited advertisements of a series are sent, after its first: as many and as dense
 * as RFC 4861 7.2.6 allows (MAX_NEIGHBOR_ADVERTISEMENT, RETRANS_TIMER).
 */
export const ADVERTISE_AT_MS: readonly number[] = [0, 1000, 2000];

// Ours
/**
 * When the ARP announcements of a series are sent, after its first (ANNOUNCE_NUM is 2 in RFC 5227,
 * 2 s apart). Some networks lose most of them.
 */
export const ANNOUNCE_AT_MS: readonly number[] = [0, 200, 600, 1200, 2000, 3000, 4000];

/** What differs between the families. */
interface FamilyLimits {
  /**
   * Of a link that does not report its state: what is behind it may take a second to let frames
   * through.
   */
  readonly slowProbes: ProbeTimes;
  readonly announceAtMs: readonly number[];
  /** Least time between two announcements when a timer is late. */
  readonly announceGapMs: number;
  /** With these of them, by number, notices are sent too (notices.ts). */
  readonly noticeWith: readonly number[];
}

const LIMITS: Readonly<Record<Family, FamilyLimits>> = {
  4: {
    slowProbes: { delay: 1000, least: 1000, most: 2000, last: 2000 },
    announceAtMs: ANNOUNCE_AT_MS,
    announceGapMs: 100,
    noticeWith: [0, 3],
  },
  6: {
    slowProbes: { delay: 1000, least: 1000, most: 1000, last: 1000 },
    announceAtMs: ADVERTISE_AT_MS,
    announceGapMs: 1000,
    noticeWith: [0, 1],
  },
};

/** The times of detection of `address` by `ill`. */
export function probeTimesOf(address: IpAddress, ill: Ill | undefined): ProbeTimes {
  // Other hosts take an IPv4 link-local address at random, at the same moment (RFC 3927 9).
  const isChosenAtRandom = typeof address === 'number' && ipIsLinkLocal(address);
  const isSlow = isChosenAtRandom || ill?.phyint.link === 'unknown';
  return isSlow ? LIMITS[ipFamily(address)].slowProbes : FAST_PROBES;
}
/** The holder of a duplicate is asked this often, and is silent if it has not answered by then. */
export const WATCH_MS = 500;
/** So many duplicates of a LAN are asked about in a second at most. */
export const WATCHES_A_SECOND = 500;
/**
 * When announcement `number` of the series that began at `firstMs` is sent, if the one before is
 * sent at `nowMs`; undefined after the last.
 */
export function announceAtMs(
  family: Family,
  number: number,
  firstMs: number,
  nowMs: number,
): number | undefined {
  const { announceAtMs: times, announceGapMs } = LIMITS[family];
  const afterMs = times[number];
  return afterMs === undefined ? undefined : Math.max(firstMs + afterMs, nowMs + announceGapMs);
}

/** One series may begin in this time, per address (T17). */
export const SERIES_INTERVAL_MS = 1000;
/** Moves announced at once within that time. */
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
  'done' /* the deadline passed after the last packet of the series, or without an answer */,
  'conflict' /* another station uses the address */,
  'lost' /* a second conflict within the defence interval: give the address up (RFC 5227 2.4 b) */,
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
  | 'duplicate' /* give up, and watch the holder */
  | 'watch' /* ask the holder again */
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
const WATCHED = 'another station has it';
const UNVERIFIED = 'no probe was sent yet';

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
    done: cell('announcing', 'verified', 'no station objected'),
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
    initial: cell('duplicate', 'none', WATCHED),
    rebind: cell('duplicate', 'none', WATCHED),
    unbound: cell('duplicate', 'none', WATCHED),
    due: cell('duplicate', 'watch', 'its holder is asked again'),
    done: cell('probing', 'startProbes', 'its holder no longer answers'),
    conflict: cell('duplicate', 'none', WATCHED),
    lost: cell('duplicate', 'impossible', NOT_DEFENDED),
    linkUp: cell('probing', 'startProbes', 'perhaps another LAN, where it is free'),
    ask: cell('probing', 'startProbes', 'the host announces it'),
  },
};

/** One address's claim. Fields are written by claims.ts only. */
export class Claim {
  readonly ipif: Ipif;
  readonly family: Family;
  /** By which our probes for an address of IPv6 are known to be ours (RFC 7527). */
  readonly nonce: bigint | undefined;
  state: ClaimState;
  why = '';
  deadline: Deadline<Claim> | undefined = undefined;
  /** The deadline is that of the first announcement of a series. */
  isFirst = false;
  /** Probes or announcements sent in the present series, and when its first announcement was. */
  sent = 0;
  firstMs = Number.NEGATIVE_INFINITY;
  /** Notices are sent with the present series. */
  hasNotices = false;
  /** The station that has a duplicate, when it answered last, and when it was asked last. */
  holder: Mac = 0;
  heardMs = Number.NEGATIVE_INFINITY;
  askedMs = Number.NEGATIVE_INFINITY;
  readonly tries = new TokenBucket(1000 / TRY_INTERVAL_MS, TRIES_AT_ONCE);
  /** A duplicate that is being tried again. */
  isRecovering = false;
  /** When a series began last, and how many moves were announced since. */
  seriesMs = Number.NEGATIVE_INFINITY;
  moves = 0;
  defendedMs = Number.NEGATIVE_INFINITY;
  /** Claimed again since: peers need another announcement when the interval is over. */
  isContested = false;

  constructor(ipif: Ipif, rng: Rng) {
    this.ipif = ipif;
    this.nonce = ipif.family === 6 ? nonceOf(rng) : undefined;
    this.family = ipFamily(ipif.address);
    this.state = ipif.state === 'up' ? 'ready' : 'unverified';
  }

  /** False for a duplicate whose tries are used up for now; takes a try. */
  takeTry(nowMs: number): boolean {
    return this.state !== 'duplicate' || this.tries.take(nowMs);
  }

  /** Why it is up now; ends the time in which it is tried again. */
  takeVerdict(): AddressCause {
    const { isRecovering } = this;
    this.isRecovering = false;
    if (this.sent === 0) return 'unchecked';
    return isRecovering ? 'recovered' : 'unopposed';
  }

  /** Questions to neighbours about a move are left in the present series. */
  get hasNoticesLeft(): boolean {
    if (this.state !== 'announcing' || !this.hasNotices) return false;
    return LIMITS[this.family].noticeWith.some((number) => number >= this.sent);
  }

  /** Notices belong to announcement `number` of the present series. */
  hasNoticeWith(number: number): boolean {
    return this.hasNotices && LIMITS[this.family].noticeWith.includes(number);
  }

  /** When it may be defended again. */
  get nextDefenceMs(): number {
    return this.defendedMs + DEFEND_INTERVAL_MS;
  }

  /** What the deadline means at `nowMs`; takes a try if it means one. `canAsk`: some NIC can. */
  takeDueEvent(canAsk: boolean, nowMs: number): 'due' | 'done' {
    return this.#isDone(canAsk) && this.takeTry(nowMs) ? 'done' : 'due';
  }

  #isDone(canAsk: boolean): boolean {
    if (this.state === 'probing') return this.sent >= PROBE_COUNT;
    if (this.state === 'duplicate') return canAsk && this.heardMs < this.askedMs;
    return this.state === 'announcing' && this.sent >= LIMITS[this.family].announceAtMs.length;
  }
}

/** 48 bits, as RFC 7527 4.1 asks for. */
function nonceOf(rng: Rng): bigint {
  return BigInt(rng.nextU32()) * 0x10000n + BigInt(rng.below(0x10000));
}

/** The one transition: looks the cell up, asserts that it can happen and takes its state. */
export function claimTransition(claim: Claim, event: ClaimEvent): ClaimCell {
  const found = CLAIM_TABLE[claim.state][event];
  assert(found.action !== 'impossible', `address ${claim.state}: ${event}: ${found.why}`);
  claim.state = found.next;
  if (found.action !== 'none') claim.why = found.why;
  return found;
}
