/**
 * Resolution: drives the neighbour cache entries (nce.ts has the states) by questions of the host,
 * statements of the wire and the time; has the questions sent (questions.ts) and the host
 * answered (host-answers.ts).
 */

import { type Deadline, DeadlineQueue } from '../../base/deadline.ts';
import type { Rng } from '../../base/rng.ts';
import { TokenBucket } from '../../base/token-bucket.ts';
import type { DropReason } from '../../stats/drop-reasons.ts';
import type { IpAddress, Mac } from '../../wire/addr.ts';
import type { FrameEnd, LanCounters } from '../lan-counters.ts';
import type { LanMembership, LanOutput, NeighborCause } from '../lan-port.ts';
import type { ProtocolOf, Waiter } from '../protocol.ts';
import { type Admission, NeighborCache } from './cache.ts';
import { Doubts } from './doubts.ts';
import { HostAnswers } from './host-answers.ts';
import {
  CHANGE_LOCK_MS,
  CHECK_LOCK_MS,
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
  YIELD_MS,
} from './nce.ts';
import { Questions } from './questions.ts';
import { Redirects } from './redirect.ts';

// Ours
/** Events of lost neighbours, and of moved ones, per second and at once: all may be at once. */
export const NEIGHBOR_EVENT_RATE = 1;
export const NEIGHBOR_EVENT_BURST = 50;

/** A station's statement about itself, as it arrived from the wire. */
export interface SenderClaim {
  readonly address: IpAddress;
  readonly mac: Mac;
  /** The message has the MAC; else it is that of the frame alone. */
  readonly isMacStated: boolean;
  /** It may replace another MAC. */
  readonly isOverride: boolean;
  /** A reply is the evidence that it is a router or none; anything else only that it is one. */
  readonly isRouter: boolean;
  /** A reply sent to one of our NICs: may answer a question. */
  readonly isReply: boolean;
  /** The address that it is sent to; undefined for none. */
  readonly targetAddress: IpAddress | undefined;
  /** It asked for one of our addresses, so it may be added (RFC 826). */
  readonly mayAdd: boolean;
}

/** What a statement led to: consumed when it was of use, else why not. */
export type SenderEnd = 'consumed' | 'unsolicited' | 'staticNeighbor' | 'changeLocked';

export interface ResolverOptions {
  readonly membership: LanMembership;
  readonly output: LanOutput;
  readonly protocolOf: ProtocolOf;
  readonly rng: Rng;
  readonly counters: LanCounters;
  readonly neighborLimit: number;
  readonly isGateway: (address: IpAddress) => boolean;
}

/** The resolver of one LAN. */
export class Resolver {
  readonly cache: NeighborCache;
  readonly redirects: Redirects;
  readonly hostAnswers: HostAnswers;
  readonly questions: Questions;
  readonly #output: LanOutput;
  readonly #rng: Rng;
  readonly #counters: LanCounters;
  readonly #deadlines = new DeadlineQueue<Nce>();
  readonly #contests = new DeadlineQueue<Nce>();
  readonly #lostEvents = new TokenBucket(NEIGHBOR_EVENT_RATE, NEIGHBOR_EVENT_BURST);
  readonly #movedEvents = new TokenBucket(NEIGHBOR_EVENT_RATE, NEIGHBOR_EVENT_BURST);
  readonly #doubts: Doubts;

  constructor(options: ResolverOptions) {
    this.#output = options.output;
    this.#rng = options.rng;
    this.#counters = options.counters;
    this.cache = new NeighborCache(options.neighborLimit, options.isGateway, (nce) => {
      this.#stop(nce);
      this.redirects.forget(nce.address);
    });
    this.questions = new Questions(options);
    this.hostAnswers = new HostAnswers({ ...options, limit: options.neighborLimit });
    this.#doubts = new Doubts(this.cache, (nce, nowMs) => this.#apply(nce, 'doubt', nowMs));
    this.redirects = new Redirects({
      redirect: (from, to) => this.#output.redirect(from, to),
      unredirect: (from) => this.#output.unredirect(from),
      takeUse: (from) => this.#output.takeRedirectUse(from),
      tellHost: (address, mac) => {
        this.hostAnswers.tell(address, mac, this.cache.get(address)?.isRouter ?? false);
      },
    });
  }

  /**
   * The host asks for `address`: answered at once, consumed until it can be, or refused. A question
   * to one MAC (`isCheck`) means that the host verifies its entry: it is not answered from
   * memory.
   */
  handleHostQuestion(
    address: IpAddress,
    waiter: Waiter,
    isCheck: boolean,
    nowMs: number,
  ): FrameEnd {
    const known = this.#doubts.settled(address, nowMs);
    const mustCheck = isCheck && nowMs >= (known?.confirmedMs ?? 0) + CHECK_LOCK_MS;
    const refusal = this.#refusal(address, waiter.spa, mustCheck, nowMs);
    if (refusal !== undefined) return refusal;
    const nce = this.cache.get(address) ?? this.cache.add(address, 'needed');
    if (nce === undefined) return 'neighbor_table_full';
    const isKnown = nce.waiters.some((one) => one.spa === waiter.spa && one.sha === waiter.sha);
    if (!isKnown) {
      if (nce.waiters.length >= WAITERS_LIMIT) return 'neighbor_waiters_full';
      nce.waiters.push(waiter);
    }
    nce.askSpa = waiter.spa;
    this.#apply(nce, mustCheck ? 'check' : 'resolve', nowMs);
    return nce.waiters.length === 0 ? 'answered' : 'consumed';
  }

  /** A station of the wire stated its MAC. */
  handleSender(claim: SenderClaim, nowMs: number): SenderEnd {
    this.redirects.handleSeen(claim.mac, claim.address);
    const nce = this.#doubts.settled(claim.address, nowMs);
    if (nce === undefined) {
      if (!claim.mayAdd) return 'unsolicited';
      const added = this.cache.add(claim.address, 'claimed' satisfies Admission);
      if (added !== undefined) this.#apply(added, 'claim', nowMs, claim.mac);
      return 'consumed';
    }
    const isMoved = nce.mac !== 0 && nce.mac !== claim.mac;
    const isIncomplete = nce.state === 'INCOMPLETE';
    const isReply = claim.isReply && nce.isAsking && nce.sentSpas.includes(claim.targetAddress);
    if (!claim.isMacStated && (!isReply || isIncomplete)) return 'unsolicited'; // RFC 4861 7.2.5
    if (isMoved && !claim.isOverride && !isIncomplete) {
      this.#apply(nce, 'contradicted', nowMs);
      return nce.state === 'PERMANENT' ? 'staticNeighbor' : 'consumed';
    }
    nce.isRouter ||= claim.isRouter;
    if (isReply) {
      nce.isRouter = claim.isRouter;
      this.#cancelContest(nce);
      this.#apply(nce, isMoved ? 'replyMoved' : 'reply', nowMs, claim.mac);
      return 'consumed';
    }
    if (isMoved && nce.state === 'PERMANENT') return 'staticNeighbor';
    if (isMoved && nowMs < nce.challengedMs + CHANGE_LOCK_MS) {
      nce.contender = claim.mac;
      nce.contestDeadline ??= this.#contests.schedule(nce.challengedMs + CHANGE_LOCK_MS, nce);
      return 'changeLocked';
    }
    this.#apply(nce, isMoved ? 'claimMoved' : 'claim', nowMs, claim.mac);
    return 'consumed';
  }

  /** The operator sets the MAC of `address`; false when the table has no room. */
  pin(address: IpAddress, mac: Mac, isProxy: boolean, nowMs: number): boolean {
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
  delete(address: IpAddress, why: 'removed' | 'replaced', nowMs: number): boolean {
    const nce = this.cache.get(address);
    if (nce === undefined) return false;
    this.cache.remove(nce);
    const from = nce.state;
    nce.state = 'NONE';
    if (from === 'PERMANENT') this.#tell(nce, from, why, nowMs);
    return true;
  }

  /** A member of the group is gone: nothing counts as confirmed any longer. */
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
      const isMoved = nce.mac !== 0 && nce.mac !== nce.contender;
      if (isMoved) this.#apply(nce, 'claimMoved', nowMs, nce.contender);
    }
    this.redirects.handleTime(nowMs);
  }

  pollAt(): number {
    const [entries, contests] = [this.#deadlines.nextAtMs(), this.#contests.nextAtMs()];
    return Math.min(this.#doubts.pollAt(), entries, contests, this.redirects.pollAt());
  }

  /** Why a question of the host cannot be taken now. */
  #refusal(
    address: IpAddress,
    spa: IpAddress,
    mustCheck: boolean,
    nowMs: number,
  ): DropReason | undefined {
    const nce = this.cache.get(address);
    const state = nce?.state ?? 'NONE';
    const isNew = state === 'NONE' || state === 'FAILED';
    const isVerified = state === 'STALE' || (state === 'REACHABLE' && mustCheck);
    if (!isNew && !isVerified) return undefined;
    const refusal = this.questions.refusal(spa, address, isNew, nowMs);
    if (isNew && refusal !== 'no_active_member' && !this.cache.mayAsk()) {
      return 'neighbor_incomplete_limit';
    }
    return refusal;
  }

  #apply(nce: Nce, event: NceEvent, nowMs: number, mac: Mac = 0): void {
    const before = nce.state;
    if (event === 'doubt') nce.unanswered = 0; // by a NIC that is gone
    const cell = nceTransition(nce, event);
    if (nce.state !== before) this.#cancelDeadline(nce);
    this.#act(nce, cell.action, nowMs, mac);
    if (nce.state !== 'PROBE') nce.candidate = 0;
    if (nce.state === 'NONE') this.cache.remove(nce);
    else if (cell.action !== 'none' && cell.action !== 'wait') this.cache.touch(nce);
  }

  #act(nce: Nce, action: NceAction, nowMs: number, mac: Mac): void {
    switch (action) {
      case 'ask':
      case 'verify':
        nce.beginSeries();
        this.#question(nce, nowMs);
        break;
      case 'askAgain':
      case 'verifyAgain':
        this.#question(nce, nowMs);
        break;
      case 'challenge':
        nce.beginSeries();
        nce.candidate = 0;
        nce.challengedMs = nowMs;
        this.#question(nce, nowMs, mac);
        break;
      case 'hold':
        if (nce.candidate !== 0) break;
        nce.candidate = mac;
        this.#schedule(nce, nowMs + YIELD_MS);
        break;
      case 'answer':
        this.hostAnswers.answer(nce);
        break;
      case 'record':
        this.cache.setMac(nce, mac);
        this.redirects.release(mac);
        if (this.#isToldOther(nce)) this.#apply(nce, 'check', nowMs);
        break;
      case 'confirm':
      case 'moveConfirm':
        this.#take(nce, mac === 0 ? nce.candidate : mac, nowMs);
        this.#confirm(nce, nowMs);
        break;
      case 'giveUp':
        this.#counters.neighborFailures++;
        this.#stop(nce);
        this.#tellLost(nce, nowMs);
        this.cache.setMac(nce, 0);
        nce.unanswered = 0;
        this.#schedule(nce, nowMs + FAILED_KEPT_MS);
        break;
      case 'pin':
        this.#take(nce, mac, nowMs);
        this.hostAnswers.answer(nce);
        break;
      default: // none, wait, age, remove: the new state is all
    }
  }

  #confirm(nce: Nce, nowMs: number): void {
    nce.everConfirmed = true;
    nce.confirmedMs = nowMs;
    nce.unanswered = 0;
    if (nce.isToldLost) this.#tell(nce, 'FAILED', 'answers', nowMs);
    nce.isToldLost = false;
    const factor = this.#rng.uniform(MIN_RANDOM_FACTOR, MAX_RANDOM_FACTOR);
    this.#schedule(nce, nowMs + REACHABLE_TIME_MS * factor);
    this.hostAnswers.answer(nce);
  }

  /** Takes `mac`, which is confirmed; if we knew another one, the neighbour has moved. */
  #take(nce: Nce, mac: Mac, nowMs: number): void {
    const { address } = nce;
    const told = this.hostAnswers.lastTold(address);
    const before = nce.mac;
    this.cache.setMac(nce, mac);
    const isToldOther = this.#isToldOther(nce);
    if (isToldOther) {
      this.redirects.handleMove(address, told, mac, this.cache.isMacUsed(told), nowMs);
    } else {
      this.redirects.release(mac);
    }
    const from = isToldOther ? told : before;
    if (from === 0 || from === mac) return;
    this.#counters.neighborMoves++;
    if (!this.#movedEvents.take(nowMs)) return;
    this.#output.event({ kind: 'neighbor-moved', atMs: nowMs, address, from, to: mac });
  }

  /** The host was given another MAC than the one that is known now. */
  #isToldOther({ address, mac }: Nce): boolean {
    const told = this.hostAnswers.lastTold(address);
    return told !== 0 && told !== mac;
  }

  /** One event in a while that it is lost, and only of one that answered: scans cause none. */
  #tellLost(nce: Nce, nowMs: number): void {
    if (!nce.everConfirmed || nce.isToldLost || !this.#lostEvents.take(nowMs)) return;
    nce.isToldLost = true;
    this.#tell(nce, 'REACHABLE', 'lost', nowMs);
  }

  #tell({ address, state: to }: Nce, from: NceState, cause: NeighborCause, nowMs: number): void {
    this.#output.event({ kind: 'neighbor-state', atMs: nowMs, address, from, to, cause });
  }

  /**
   * Sends the next question of the series and sets the time of the one after. `also` is another MAC
   * that is asked beside the known one.
   */
  #question(nce: Nce, nowMs: number, also: Mac = 0): void {
    nce.tries++;
    this.#schedule(nce, nowMs + RETRANS_TIMER_MS);
    const known = nce.state === 'INCOMPLETE' ? [] : [nce.mac];
    this.questions.ask(nce, also === 0 ? known : [...known, also], nowMs);
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
