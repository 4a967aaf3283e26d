/**
 * Resolution: drives the neighbour cache entries (nce.ts has the states) by what the host asks,
 * what the wire says and what the time is; sends the questions and the answers.
 *
 * A question leaves by the NIC to which its sender address is bound, with that NIC's MAC. If the
 * address is bound nowhere it leaves by any active member; if we may not claim the address yet
 * (it is being probed, or is a duplicate) the question carries none, as a probe does (RFC 5227).
 * Which NIC that is gets decided anew for each question: a failover in between moves it.
 *
 * Limits: the table's (neighbor-cache.ts), and two rates per NIC, so that whoever scans through
 * us cannot flood the LAN, nor keep known neighbours from being verified.
 */

import { type Deadline, DeadlineQueue } from '../base/deadline.ts';
import type { Rng } from '../base/rng.ts';
import type { DropReason } from '../stats/drop-reasons.ts';
import { type Ipv4, MAC_BROADCAST, type Mac } from '../wire/addr.ts';
import { ARP_REQUEST, arpFrame } from '../wire/arp.ts';
import { Doubts } from './doubts.ts';
import { HostAnswers } from './host-answers.ts';
import type { Ill } from './ill.ts';
import type { FrameEnd, LanCounters } from './lan-counters.ts';
import type { LanMembership, LanOutput, NeighborCause } from './lan-port.ts';
import {
  CHANGE_LOCK_MS,
  DELAY_FIRST_PROBE_MS,
  FAILED_KEPT_MS,
  MAX_RANDOM_FACTOR,
  MIN_RANDOM_FACTOR,
  type Nce,
  type NceAction,
  type NceEvent,
  type NceState,
  nceTransition,
  REACHABLE_TIME_MS,
  RETRANS_TIMER_MS,
  WAITERS_LIMIT,
  type Waiter,
} from './nce.ts';
import { type Admission, NeighborCache } from './neighbor-cache.ts';
import { Redirects } from './redirect.ts';
import { TokenBucket } from './token-bucket.ts';

// Ours
/** Questions to everybody, per second and NIC (reliability T6). */
export const ASK_RATE = 100;
/** Questions to known MACs, per second and NIC: the host's own probes of its neighbours. */
export const VERIFY_RATE = 1000;
/** Events of lost neighbours, per second and at once: a dead switch takes all of them along. */
export const LOST_EVENT_RATE = 1;
export const LOST_EVENT_BURST = 50;

/** What the wire said of a neighbour, after the gate of arp-wire.ts. */
export interface SenderClaim {
  readonly address: Ipv4;
  readonly mac: Mac;
  /** A reply sent to one of our NICs: may answer a question. */
  readonly isReply: boolean;
  readonly targetAddress: Ipv4;
  /** It asked for one of our addresses, so it may be added (RFC 826). */
  readonly mayAdd: boolean;
}

export interface ResolverOptions {
  readonly membership: LanMembership;
  readonly output: LanOutput;
  readonly rng: Rng;
  readonly counters: LanCounters;
  readonly neighborLimit: number;
  readonly isGateway: (address: Ipv4) => boolean;
}

interface Rates {
  readonly ask: TokenBucket;
  readonly verify: TokenBucket;
}

interface AskingPoint {
  readonly ill: Ill;
  readonly spa: Ipv4;
}

/** The resolver of one LAN. */
export class Resolver {
  readonly cache: NeighborCache;
  readonly redirects: Redirects;
  readonly hostAnswers: HostAnswers;
  readonly #membership: LanMembership;
  readonly #output: LanOutput;
  readonly #rng: Rng;
  readonly #counters: LanCounters;
  readonly #deadlines = new DeadlineQueue<Nce>();
  readonly #contests = new DeadlineQueue<Nce>();
  readonly #lostEvents = new TokenBucket(LOST_EVENT_RATE, LOST_EVENT_BURST);
  readonly #doubts: Doubts;
  /** By NIC number; as many as there are NICs. */
  readonly #rates = new Map<number, Rates>();

  constructor(options: ResolverOptions) {
    this.#membership = options.membership;
    this.#output = options.output;
    this.#rng = options.rng;
    this.#counters = options.counters;
    this.cache = new NeighborCache(options.neighborLimit, options.isGateway, (nce) => {
      this.#stop(nce);
      this.redirects.forget(nce.address);
    });
    this.hostAnswers = new HostAnswers({ ...options, limit: options.neighborLimit });
    this.#doubts = new Doubts(this.cache, (nce, nowMs) => this.#apply(nce, 'doubt', nowMs));
    this.redirects = new Redirects({
      redirect: (from, to) => this.#output.redirect(from, to),
      unredirect: (from) => this.#output.unredirect(from),
      takeUse: (from) => this.#output.takeRedirectUse(from),
      tellHost: (address, mac) => this.hostAnswers.tell(address, mac),
    });
  }

  /** The host asks for `address`: answered at once, consumed until it can be, or refused. */
  handleHostQuestion(address: Ipv4, waiter: Waiter, nowMs: number): FrameEnd {
    this.#doubts.settled(address, nowMs);
    const refusal = this.#refusal(address, waiter.spa, nowMs);
    if (refusal !== undefined) return refusal;
    const nce = this.cache.get(address) ?? this.cache.add(address, 'needed');
    if (nce === undefined) return 'neighbor_table_full';
    const isKnown = nce.waiters.some((one) => one.spa === waiter.spa && one.sha === waiter.sha);
    if (!isKnown) {
      if (nce.waiters.length >= WAITERS_LIMIT) return 'neighbor_waiters_full';
      nce.waiters.push(waiter);
    }
    nce.askSpa = waiter.spa;
    this.#apply(nce, 'resolve', nowMs);
    return nce.waiters.length === 0 ? 'answered' : 'consumed';
  }

  /** The MAC for a frame of the stack itself, 0 while unknown; a stale one is verified soon. */
  use(address: Ipv4, spa: Ipv4, nowMs: number): Mac {
    let nce = this.#doubts.settled(address, nowMs);
    if (nce === undefined || nce.state === 'FAILED') {
      if (this.#refusal(address, spa, nowMs) !== undefined) return 0;
      nce ??= this.cache.add(address, 'needed');
      if (nce === undefined) return 0;
    }
    if (nce.askSpa === 0) nce.askSpa = spa;
    this.#apply(nce, 'use', nowMs);
    return nce.mac;
  }

  /** A station of the wire stated its MAC: consumed when that was of use, else why not. */
  handleSender(claim: SenderClaim, nowMs: number): FrameEnd {
    this.redirects.handleSeen(claim.mac, claim.address);
    const nce = this.#doubts.settled(claim.address, nowMs);
    if (nce === undefined) {
      if (!claim.mayAdd) return 'arp_unsolicited';
      const added = this.cache.add(claim.address, 'claimed' satisfies Admission);
      if (added !== undefined) this.#apply(added, 'claim', nowMs, claim.mac);
      return 'consumed';
    }
    const isMoved = nce.mac !== 0 && nce.mac !== claim.mac;
    if (claim.isReply && nce.isAsking && claim.targetAddress === nce.sentSpa) {
      this.#cancelContest(nce);
      this.#apply(nce, isMoved ? 'replyMoved' : 'reply', nowMs, claim.mac);
      return 'consumed';
    }
    if (isMoved && nce.state === 'PERMANENT') return 'arp_static_neighbor';
    if (isMoved && nowMs < nce.movedMs + CHANGE_LOCK_MS) {
      nce.contestDeadline ??= this.#contests.schedule(nce.movedMs + CHANGE_LOCK_MS, nce);
      return 'arp_change_locked';
    }
    this.#apply(nce, isMoved ? 'claimMoved' : 'claim', nowMs, claim.mac);
    return 'consumed';
  }

  /** The operator sets the MAC of `address`; false when the table has no room. */
  pin(address: Ipv4, mac: Mac, isProxy: boolean, nowMs: number): boolean {
    const nce = this.cache.get(address) ?? this.cache.add(address, 'needed');
    if (nce === undefined) return false;
    nce.isProxy = isProxy;
    this.#cancelContest(nce);
    const from = nce.state;
    this.#apply(nce, 'pin', nowMs, mac);
    nce.isToldLost = false;
    if (from !== nce.state) this.#tell(nce, from, 'set', nowMs);
    return true;
  }

  /** Removes an entry in any state; false if there is none. */
  delete(address: Ipv4, why: 'removed' | 'replaced', nowMs: number): boolean {
    const nce = this.cache.get(address);
    if (nce === undefined) return false;
    this.cache.remove(nce);
    const from = nce.state;
    nce.state = 'NONE';
    if (from === 'PERMANENT') this.#tell(nce, from, why, nowMs);
    return true;
  }

  /** A member of the group went away: nothing confirmed is believed any longer. */
  doubt(nowMs: number): void {
    this.#doubts.begin(nowMs);
  }

  handleTime(nowMs: number): void {
    this.#doubts.handleTime(nowMs);
    for (let nce = this.#deadlines.popDue(nowMs); nce; nce = this.#deadlines.popDue(nowMs)) {
      nce.deadline = undefined;
      this.#apply(nce, nce.dueEvent, nowMs);
    }
    for (let nce = this.#contests.popDue(nowMs); nce; nce = this.#contests.popDue(nowMs)) {
      nce.contestDeadline = undefined;
      this.#apply(nce, 'contest', nowMs);
    }
    this.redirects.handleTime(nowMs);
  }

  pollAt(): number {
    const [entries, contests] = [this.#deadlines.nextAtMs(), this.#contests.nextAtMs()];
    return Math.min(this.#doubts.pollAt(), entries, contests, this.redirects.pollAt());
  }

  /** Room in the rate of `ill` for a question to everybody; takes it. */
  takeAskToken(ill: Ill, nowMs: number): boolean {
    return this.#ratesOf(ill).ask.take(nowMs);
  }

  /** Why a question of the host cannot be taken now. */
  #refusal(address: Ipv4, spa: Ipv4, nowMs: number): DropReason | undefined {
    const nce = this.cache.get(address);
    const state = nce?.state ?? 'NONE';
    const isNew = state === 'NONE' || state === 'FAILED';
    const isVerified = state === 'STALE' || state === 'DELAY';
    if (!isNew && !isVerified) return undefined;
    const point = this.#askingPoint(spa);
    if (point === undefined) return 'no_active_member';
    const rates = this.#ratesOf(point.ill);
    if (isVerified) return rates.verify.has(nowMs) ? undefined : 'neighbor_rate_limited';
    if (!this.cache.mayAsk()) return 'neighbor_incomplete_limit';
    return rates.ask.has(nowMs) ? undefined : 'neighbor_rate_limited';
  }

  #apply(nce: Nce, event: NceEvent, nowMs: number, mac: Mac = 0): void {
    const before = nce.state;
    const cell = nceTransition(nce, event);
    if (nce.state !== before) this.#cancelDeadline(nce);
    this.#act(nce, cell.action, nowMs, mac);
    if (nce.state === 'NONE') this.cache.remove(nce);
    else if (cell.action !== 'none' && cell.action !== 'wait') this.cache.touch(nce);
  }

  #act(nce: Nce, action: NceAction, nowMs: number, mac: Mac): void {
    switch (action) {
      case 'ask':
      case 'verify':
        nce.tries = 0;
        this.#question(nce, nowMs);
        break;
      case 'askAgain':
      case 'verifyAgain':
        this.#question(nce, nowMs);
        break;
      case 'delay':
        this.#schedule(nce, nowMs + DELAY_FIRST_PROBE_MS);
        break;
      case 'answer':
        this.hostAnswers.answer(nce);
        break;
      case 'record':
      case 'move':
        this.#take(nce, mac, nowMs);
        break;
      case 'confirm':
      case 'moveConfirm':
        this.#take(nce, mac, nowMs);
        this.#confirm(nce, nowMs);
        break;
      case 'giveUp':
        this.#counters.neighborFailures++;
        this.#stop(nce);
        this.#tellLost(nce, nowMs);
        this.cache.setMac(nce, 0);
        this.#schedule(nce, nowMs + FAILED_KEPT_MS);
        break;
      case 'pin':
        this.#take(nce, mac, nowMs);
        this.hostAnswers.answer(nce);
        break;
      default: // none, wait, age, remove: the new state says all
    }
  }

  #confirm(nce: Nce, nowMs: number): void {
    nce.everConfirmed = true;
    if (nce.isToldLost) this.#tell(nce, 'FAILED', 'answers', nowMs);
    nce.isToldLost = false;
    const factor = this.#rng.uniform(MIN_RANDOM_FACTOR, MAX_RANDOM_FACTOR);
    this.#schedule(nce, nowMs + REACHABLE_TIME_MS * factor);
    this.hostAnswers.answer(nce);
  }

  /** Takes `mac`; if the neighbour, or the host, knew another one, the neighbour has moved. */
  #take(nce: Nce, mac: Mac, nowMs: number): void {
    const { address } = nce;
    const from = nce.mac === 0 ? this.hostAnswers.lastTold(address) : nce.mac;
    this.cache.setMac(nce, mac);
    if (from === 0 || from === mac) {
      this.redirects.release(mac);
      return;
    }
    nce.movedMs = nowMs;
    this.#counters.neighborMoves++;
    this.redirects.handleMove(address, from, mac, this.cache.isMacUsed(from), nowMs);
    this.#output.event({ kind: 'neighbor-moved', atMs: nowMs, address, from, to: mac });
  }

  /** Once in a while that it is lost, and only of one that was there: scans tell nothing. */
  #tellLost(nce: Nce, nowMs: number): void {
    if (!nce.everConfirmed || nce.isToldLost || !this.#lostEvents.take(nowMs)) return;
    nce.isToldLost = true;
    this.#tell(nce, 'REACHABLE', 'lost', nowMs);
  }

  #tell({ address, state: to }: Nce, from: NceState, cause: NeighborCause, nowMs: number): void {
    this.#output.event({ kind: 'neighbor-state', atMs: nowMs, address, from, to, cause });
  }

  #askingPoint(spa: Ipv4): AskingPoint | undefined {
    const ipif = spa === 0 ? undefined : this.#membership.findIpif(spa);
    const bound = ipif?.boundIll;
    if (bound !== undefined && bound.physAddr !== 0) {
      return { ill: bound, spa: ipif?.state === 'up' ? spa : 0 };
    }
    const ill = this.#membership.probeIll();
    if (ill === undefined || ill.physAddr === 0) return undefined;
    return { ill, spa: ipif === undefined ? spa : 0 };
  }

  /** Sends the next question of the series and sets the time of the one after. */
  #question(nce: Nce, nowMs: number): void {
    nce.tries++;
    this.#schedule(nce, nowMs + RETRANS_TIMER_MS);
    const point = this.#askingPoint(nce.askSpa);
    if (point === undefined) return;
    const isToAll = nce.state === 'INCOMPLETE';
    const rates = this.#ratesOf(point.ill);
    if (!(isToAll ? rates.ask : rates.verify).take(nowMs)) {
      this.#counters.questionsSuppressed++;
      return;
    }
    nce.sentSpa = point.spa;
    if (isToAll) this.#counters.questionsSent++;
    else this.#counters.verificationsSent++;
    const destination = isToAll ? MAC_BROADCAST : nce.mac;
    const frame = arpFrame(destination, point.ill.physAddr, {
      operation: ARP_REQUEST,
      senderMac: point.ill.physAddr,
      senderAddress: point.spa,
      targetMac: 0,
      targetAddress: nce.address,
    });
    this.#output.toWire(point.ill, frame);
  }

  #ratesOf(ill: Ill): Rates {
    let rates = this.#rates.get(ill.nic);
    if (rates === undefined) {
      const ask = new TokenBucket(ASK_RATE, ASK_RATE);
      rates = { ask, verify: new TokenBucket(VERIFY_RATE, VERIFY_RATE) };
      this.#rates.set(ill.nic, rates);
    }
    return rates;
  }

  #schedule(nce: Nce, atMs: number): void {
    this.#cancelDeadline(nce);
    nce.deadline = this.#deadlines.schedule(atMs, nce);
  }

  #cancelDeadline(nce: Nce): void {
    const deadline: Deadline<Nce> | undefined = nce.deadline;
    if (deadline !== undefined) this.#deadlines.cancel(deadline);
    nce.deadline = undefined;
  }

  #cancelContest(nce: Nce): void {
    if (nce.contestDeadline !== undefined) this.#contests.cancel(nce.contestDeadline);
    nce.contestDeadline = undefined;
  }

  /** Nothing is left to do for the entry. Its redirects stay: the host still sends. */
  #stop(nce: Nce): void {
    this.#cancelDeadline(nce);
    this.#cancelContest(nce);
    nce.waiters.length = 0;
    this.redirects.stopTelling(nce.address);
  }
}
