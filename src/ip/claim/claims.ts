/**
 * The claims of all addresses of one LAN (dad.ts has their states): sends the probes, the
 * announcements and the defences, keeps their times, and writes the state of each ipif.
 *
 * Everything leaves by the NIC that the address is bound to at that moment, with that NIC's MAC as
 * Ethernet source and as sender, so that switches and peers learn the same thing. A duplicate that
 * its owner has unbound is probed, and its holder asked, from any active member.
 *
 * Probes and announcements are paced (pace.ts): so many in a millisecond, the next ones after it.
 * The death of a NIC with thousands of addresses, or as many new ones, neither floods the LAN nor
 * holds anything else up (claim-deadlines.ts). Only a defence does not wait.
 *
 * As many claims as the owner has addresses; the owner limits those.
 */

import type { Rng } from '../../base/rng.ts';
import type { Mac } from '../../wire/addr.ts';
import type { LanCounters } from '../lan-counters.ts';
import type { AddressCause, LanMembership, LanOutput } from '../lan-port.ts';
import type { Ill } from '../object/ill.ts';
import type { Ipif } from '../object/ipif.ts';
import type { ProtocolOf } from '../protocol.ts';
import { ClaimDeadlines } from './claim-deadlines.ts';
import {
  announceAtMs,
  Claim,
  type ClaimAction,
  type ClaimEvent,
  claimTransition,
  MOVES_PER_SERIES,
  PROBE_COUNT,
  type ProbeTimes,
  probeTimesOf,
  REFRESH_JITTER,
  REFRESH_MS,
  REFRESH_SPACING_MS,
  SERIES_INTERVAL_MS,
  WATCH_MS,
  WATCHES_A_SECOND,
} from './dad.ts';
import { BROADCASTS_A_MS, type Pace } from './pace.ts';

/** Deadlines that are met in one turn (ours): after a late timer thousands are due. */
export const CLAIMS_A_TURN = 256;

export interface ClaimsOptions {
  readonly membership: LanMembership;
  readonly output: LanOutput;
  readonly protocolOf: ProtocolOf;
  readonly rng: Rng;
  readonly counters: LanCounters;
  readonly pace: Pace;
  /** Sends neighbours a question each from the NIC that serves `ipif`. */
  readonly notify: (ipif: Ipif, nowMs: number) => void;
}

/** All claims of one LAN. */
export class Claims {
  readonly #membership: LanMembership;
  readonly #output: LanOutput;
  readonly #protocolOf: ProtocolOf;
  readonly #rng: Rng;
  readonly #counters: LanCounters;
  readonly #notify: (ipif: Ipif, nowMs: number) => void;
  readonly #claims = new Map<Ipif, Claim>();
  readonly #deadlines: ClaimDeadlines;
  readonly #pace: Pace;
  /** How many are duplicates. */
  #duplicates = 0;

  constructor(options: ClaimsOptions) {
    this.#membership = options.membership;
    this.#output = options.output;
    this.#protocolOf = options.protocolOf;
    this.#rng = options.rng;
    this.#counters = options.counters;
    this.#notify = options.notify;
    this.#pace = options.pace;
    this.#deadlines = new ClaimDeadlines(options.pace);
  }

  /** The claim of an address, for explanations; undefined before the first binding. */
  get(ipif: Ipif): Claim | undefined {
    return this.#claims.get(ipif);
  }

  handleBound(ipif: Ipif, how: 'initial' | 'rebind', nowMs: number): void {
    let claim = this.#claims.get(ipif);
    if (claim === undefined) {
      claim = new Claim(ipif, this.#rng);
      this.#claims.set(ipif, claim);
    }
    this.#apply(claim, how, nowMs, 0);
  }

  handleUnbound(ipif: Ipif): void {
    const claim = this.#claims.get(ipif);
    if (claim !== undefined) this.#apply(claim, 'unbound', 0, 0);
  }

  handleRemoved(ipif: Ipif): void {
    const claim = this.#claims.get(ipif);
    if (claim === undefined) return;
    this.#deadlines.cancel(claim);
    if (claim.state === 'duplicate') this.#duplicates--;
    this.#claims.delete(ipif);
  }

  /**
   * The link of `ill` came up: its test addresses are verified again, its data addresses
   * announced; duplicates, also unbound ones, are tried again if they may be.
   */
  handleLinkUp(ill: Ill, nowMs: number): void {
    for (const claim of this.#claims.values()) {
      const bound = claim.ipif.boundIll;
      const isLostDuplicate = bound === undefined && claim.state === 'duplicate';
      if (bound !== ill && !isLostDuplicate) continue;
      if (!claim.takeTry(nowMs)) continue;
      const isVerified = claim.state === 'announcing' || claim.state === 'settled';
      const isTest = claim.ipif.kind === 'test';
      this.#apply(claim, isTest && isVerified ? 'initial' : 'linkUp', nowMs, 0);
    }
  }

  /** The host takes frames again: its addresses are announced. */
  handleHostUp(nowMs: number): void {
    for (const claim of this.#claims.values()) {
      const isUp = claim.state === 'announcing' || claim.state === 'settled';
      if (isUp) this.#apply(claim, 'linkUp', nowMs, 0);
    }
  }

  /**
   * The host announces one of its addresses: so do we, unless a series began this second, or one
   * that announces a move is young; a duplicate is tried again if it may be.
   */
  handleHostAnnounces(ipif: Ipif, nowMs: number): void {
    const claim = this.#claims.get(ipif);
    if (claim === undefined || nowMs < claim.seriesMs + SERIES_INTERVAL_MS) return;
    if (claim.hasNoticesLeft || !claim.takeTry(nowMs)) return;
    this.#apply(claim, 'ask', nowMs, 0);
  }

  /**
   * Another station, `mac`, uses our address. Answers whether that led to anything: a defence, the
   * end of a detection, or the knowledge that a duplicate is one still.
   */
  handleConflict(ipif: Ipif, mac: Mac, nowMs: number): boolean {
    const claim = this.#claims.get(ipif);
    // The holder of a duplicate answers our question.
    const isAwaited = claim?.state === 'duplicate' && claim.heardMs < claim.askedMs;
    if (!isAwaited) this.#counters.conflicts++;
    if (claim === undefined) return false;
    claim.holder = mac;
    claim.heardMs = nowMs;
    const isUp = claim.state === 'announcing' || claim.state === 'settled';
    const isRecent = nowMs < claim.nextDefenceMs;
    if (isUp && isRecent && ipif.kind === 'data') {
      claim.isContested = true;
      if (claim.state === 'settled') this.#deadlines.schedule(claim, claim.nextDefenceMs);
      return false;
    }
    const before = claim.state;
    this.#apply(claim, isUp && isRecent ? 'lost' : 'conflict', nowMs, mac);
    return isUp || isAwaited || claim.state !== before;
  }

  /** A probe of ours for `ipif` had this number. */
  isOwnProbe(ipif: Ipif, nonce: bigint | undefined): boolean {
    return nonce !== undefined && this.#claims.get(ipif)?.nonce === nonce;
  }

  /** Shows the host that another station has its address; false if there is nothing to send. */
  refuseHost(ipif: Ipif): boolean {
    const claim = this.#claims.get(ipif);
    if (claim?.state !== 'duplicate' || ipif.kind !== 'data') return false;
    const frame = this.#protocolOf(ipif.address).refuseHost(ipif.address, claim.holder);
    if (frame === undefined || this.#membership.groupMac() === 0) return false;
    this.#counters.hostTold++;
    this.#output.toHost(frame);
    return true;
  }

  handleTime(nowMs: number): void {
    for (let met = 0; met < CLAIMS_A_TURN; met++) {
      const claim = this.#deadlines.takeDue(nowMs);
      if (claim === undefined) return;
      const canAsk = this.#asker(claim) !== undefined;
      this.#apply(claim, claim.takeDueEvent(canAsk, nowMs), nowMs, 0);
    }
  }

  pollAt(): number {
    return this.#deadlines.pollAt();
  }

  /**
   * When the last of the moves whose announcement has to wait (see the head of dad.ts) will have
   * been announced; -Infinity if all have been.
   */
  movesToldAtMs(): number {
    let atMs = Number.NEGATIVE_INFINITY;
    for (const { state, sent, deadline } of this.#claims.values()) {
      const isWaiting = state === 'announcing' && sent === 0 && deadline !== undefined;
      if (isWaiting) atMs = Math.max(atMs, deadline.atMs);
    }
    return atMs + Math.floor(this.#deadlines.firstCount / BROADCASTS_A_MS);
  }

  #apply(claim: Claim, event: ClaimEvent, nowMs: number, mac: Mac): void {
    const before = claim.state;
    const cell = claimTransition(claim, event);
    if (claim.state !== before) {
      this.#deadlines.cancel(claim);
      if (before === 'duplicate') this.#duplicates--;
      if (claim.state === 'duplicate') this.#duplicates++;
    }
    // The host's own announcement is no move.
    if (cell.action === 'startSeries' || cell.action === 'verified') {
      claim.hasNotices = event !== 'ask';
    }
    this.#act(claim, cell.action, nowMs, mac);
  }

  #act(claim: Claim, action: ClaimAction, nowMs: number, mac: Mac): void {
    switch (action) {
      case 'startProbes':
        this.#startProbes(claim, nowMs);
        break;
      case 'probe':
        this.#probe(claim, nowMs);
        break;
      case 'verified':
        this.#setState(claim, 'up', claim.takeVerdict(), nowMs, 0);
        if (claim.ipif.boundIll === undefined) this.#apply(claim, 'unbound', nowMs, 0);
        else this.#startSeries(claim, nowMs);
        break;
      case 'startSeries':
        this.#startSeries(claim, nowMs);
        break;
      case 'announce':
        this.#announce(claim, nowMs);
        break;
      case 'refresh':
        if (claim.isContested) this.#defend(claim, claim.holder, nowMs);
        else this.#sendAnnouncement(claim.ipif, 0);
        this.#settle(claim, nowMs);
        break;
      case 'settle':
        this.#settle(claim, nowMs);
        break;
      case 'defend':
        this.#defend(claim, mac, nowMs);
        break;
      case 'duplicate':
        this.#setState(claim, 'duplicate', 'conflict', nowMs, mac);
        this.refuseHost(claim.ipif);
        this.#scheduleWatch(claim, nowMs);
        break;
      case 'watch':
        this.#watch(claim, nowMs);
        break;
      default: // none, stop: the new state is all
    }
  }

  /** Begins detection; of an address that is to have none, ends it too. */
  #startProbes(claim: Claim, nowMs: number): void {
    claim.sent = 0;
    if (claim.ipif.nodad) {
      this.#apply(claim, 'done', nowMs, 0);
      return;
    }
    claim.isRecovering ||= claim.ipif.state === 'duplicate';
    this.#setState(claim, 'tentative', 'probing', nowMs, 0);
    this.#deadlines.schedule(claim, nowMs + this.#rng.uniform(0, this.#probeTimes(claim).delay));
  }

  #probe(claim: Claim, nowMs: number): void {
    const ill = claim.ipif.boundIll ?? this.#membership.probeIll();
    if (ill === undefined) {
      this.#apply(claim, 'unbound', nowMs, 0);
      return;
    }
    claim.sent++;
    const { address } = claim.ipif;
    if (this.#sendToAll(ill, this.#protocolOf(address).probe(ill, address, claim.nonce))) {
      this.#counters.detectionProbes++;
    }
    const { least, most, last } = this.#probeTimes(claim);
    const isLast = last !== undefined && claim.sent >= PROBE_COUNT;
    this.#deadlines.schedule(claim, nowMs + (isLast ? last : this.#rng.uniform(least, most)));
  }

  #probeTimes({ ipif }: Claim): ProbeTimes {
    return probeTimesOf(ipif.address, ipif.boundIll ?? this.#membership.probeIll());
  }

  /** Asks the holder whether it has the address still. */
  #watch(claim: Claim, nowMs: number): void {
    const ill = this.#asker(claim);
    this.#scheduleWatch(claim, nowMs);
    if (ill === undefined) return;
    claim.askedMs = nowMs;
    this.#counters.verificationsSent++;
    const { address } = claim.ipif;
    this.#output.toWire(ill, this.#protocolOf(address).watch(ill, address, claim.holder));
  }

  /** The NIC that asks about the address of `claim`, if one can. */
  #asker({ ipif }: Claim): Ill | undefined {
    const ill = ipif.boundIll ?? this.#membership.probeIll();
    return ill !== undefined && ill.physAddr !== 0 ? ill : undefined;
  }

  #scheduleWatch(claim: Claim, nowMs: number): void {
    const leastMs = (this.#duplicates * 1000) / WATCHES_A_SECOND;
    this.#deadlines.schedule(claim, nowMs + Math.max(WATCH_MS, leastMs));
  }

  /** Begins a series now, or when the rate allows it (see the head of dad.ts). */
  #startSeries(claim: Claim, nowMs: number): void {
    claim.sent = 0;
    claim.isContested = false;
    if (nowMs >= claim.seriesMs + SERIES_INTERVAL_MS) claim.moves = 0;
    if (claim.moves >= MOVES_PER_SERIES) {
      this.#deadlines.schedule(claim, claim.seriesMs + SERIES_INTERVAL_MS);
      return;
    }
    if (this.#deadlines.isFirstNext(nowMs)) this.#announce(claim, nowMs);
    else this.#deadlines.schedule(claim, nowMs);
  }

  #announce(claim: Claim, nowMs: number): void {
    if (claim.sent === 0) {
      if (nowMs >= claim.seriesMs + SERIES_INTERVAL_MS) {
        claim.seriesMs = nowMs;
        claim.moves = 0;
      }
      claim.moves++;
      claim.firstMs = nowMs;
    }
    const number = claim.sent++;
    this.#sendAnnouncement(claim.ipif, number);
    const hasNotice = claim.hasNoticeWith(number);
    if (hasNotice && this.#membership.isHostUp()) this.#notify(claim.ipif, nowMs);
    this.#deadlines.schedule(
      claim,
      announceAtMs(claim.family, claim.sent, claim.firstMs, nowMs) ?? nowMs,
    );
  }

  /** Sets the time of the next announcement of a settled address, by how many its NIC has. */
  #settle(claim: Claim, nowMs: number): void {
    const ill = claim.ipif.boundIll;
    const count = ill === undefined ? 1 : ill.boundCount + ill.testIpifs.length;
    const factor = this.#rng.uniform(1, 1 + REFRESH_JITTER);
    const periodMs = Math.max(REFRESH_MS, count * REFRESH_SPACING_MS);
    this.#deadlines.schedule(
      claim,
      claim.isContested ? claim.nextDefenceMs : nowMs + periodMs * factor,
    );
  }

  #defend(claim: Claim, mac: Mac, nowMs: number): void {
    claim.defendedMs = nowMs;
    claim.isContested = false;
    this.#counters.defences++;
    this.#sendAnnouncement(claim.ipif, 0);
    this.#output.event({ kind: 'address-defended', atMs: nowMs, ipif: claim.ipif, mac });
  }

  #sendAnnouncement({ address, boundIll: ill }: Ipif, number: number): void {
    if (ill === undefined || !this.#membership.isHostUp()) return;
    const frame = this.#protocolOf(address).announce(ill, address, number);
    if (this.#sendToAll(ill, frame)) this.#counters.announcements++;
  }

  /** Sends a frame for all stations; false if the NIC has no MAC to send it from. */
  #sendToAll(ill: Ill, frame: Uint8Array): boolean {
    if (ill.physAddr === 0) return false;
    this.#pace.noteSent();
    this.#output.toWire(ill, frame);
    return true;
  }

  #setState(claim: Claim, to: Ipif['state'], cause: AddressCause, nowMs: number, mac: Mac): void {
    const { ipif } = claim;
    const from = ipif.state;
    if (from === to) return;
    ipif.state = to;
    this.#output.event({ kind: 'address-state', atMs: nowMs, ipif, from, to, cause, mac });
  }
}
