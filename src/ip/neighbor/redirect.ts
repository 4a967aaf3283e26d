/**
 * A neighbour has changed its MAC: until the host has learnt, its frames for the old MAC are sent
 * to the new one, and the host gets the new MAC.
 *
 * It gets an ARP reply in which the neighbour is sender and target (a gratuitous reply). Tried
 * on Linux 6.18: it changes an entry at once and leaves it REACHABLE, also within the lock time of
 * 1 s in which an ordinary reply is ignored, and it never adds an entry. It is repeated for hosts
 * that respect the lock time in any case, and because a frame can be lost.
 *
 * A redirect ends when the host has not used it for a while; one whose own entry is static uses it
 * for ever. It acts on a MAC and not on an address, hence two rules: none is made while another
 * neighbour lives under the old MAC (an address that moved from one living station to another), and
 * any sign of life from the old MAC ends it.
 *
 * Invariants
 * 1. No redirect leads to a MAC that is itself redirected.
 * 2. At most REDIRECT_LIMIT redirects and as many updates of the host; the oldest gives way.
 *    Beyond a rate no redirect is made; the host learns the MAC all the same.
 * 3. The redirects that the output was given are those that exist here.
 */

import { type Deadline, DeadlineQueue } from '../../base/deadline.ts';
import { TokenBucket } from '../../base/token-bucket.ts';
import type { IpAddress, Mac } from '../../wire/addr.ts';

// Ours
/** When the host gets the reply, in milliseconds after the change; its lock time is 1000. */
export const TELL_AT_MS: readonly number[] = [0, 1100, 3000];
/**
 * So often it is asked whether a redirect was used, and if not it ends: twice the host's longest
 * silence on its own.
 */
export const REDIRECT_KEPT_MS = 60_000;
/** Neighbours whose change of MAC is under way at a time, per LAN. */
export const REDIRECT_LIMIT = 64;

/** New redirects in the long run: each costs new tables, and a station may change MACs at will. */
export const REDIRECTS_A_SECOND = 10;

/** Where the decisions go. */
export interface RedirectOutput {
  redirect(from: Mac, to: Mac): void;
  unredirect(from: Mac): void;
  /** Answers whether frames came for `from` since this was asked last. */
  takeUse(from: Mac): boolean;
  /** Sends the host the MAC of `address`. */
  tellHost(address: IpAddress, mac: Mac): void;
}

interface Redirect {
  readonly kind: 'redirect';
  readonly from: Mac;
  to: Mac;
  readonly address: IpAddress;
  deadline: Deadline<Due> | undefined;
}

interface Tell {
  readonly kind: 'tell';
  readonly address: IpAddress;
  readonly mac: Mac;
  readonly startMs: number;
  /** How often the reply was sent. */
  told: number;
  deadline: Deadline<Due> | undefined;
}

type Due = Redirect | Tell;

/** Redirects and tellings of one LAN. */
export class Redirects {
  readonly #output: RedirectOutput;
  readonly #redirects = new Map<Mac, Redirect>();
  readonly #tells = new Map<IpAddress, Tell>();
  readonly #queue = new DeadlineQueue<Due>();
  readonly #rate = new TokenBucket(REDIRECTS_A_SECOND, REDIRECT_LIMIT);

  constructor(output: RedirectOutput) {
    this.#output = output;
  }

  /** How many redirects there are. */
  get size(): number {
    return this.#redirects.size;
  }

  /**
   * `address` went from `from` to `to`. `isFromUsed`: another neighbour lives under `from`, so
   * the host gets the new MAC, but its frames are left alone.
   */
  handleMove(address: IpAddress, from: Mac, to: Mac, isFromUsed: boolean, nowMs: number): void {
    this.release(to);
    for (const redirect of this.#redirects.values()) {
      if (redirect.to !== from) continue;
      if (redirect.address === address) this.#set(redirect, to, nowMs);
      else if (!isFromUsed) this.#remove(redirect); // of a neighbour that was given up there
    }
    if (!isFromUsed) this.#add(address, from, to, nowMs);
    this.#startTell(address, to, nowMs);
  }

  /** `mac` is alive under its own name: nothing is redirected from it. */
  release(mac: Mac): void {
    const redirect = this.#redirects.get(mac);
    if (redirect !== undefined) this.#remove(redirect);
  }

  /** A sign of life: `mac` uses `address`. Ends a redirect of another neighbour's. */
  handleSeen(mac: Mac, address: IpAddress): void {
    const redirect = this.#redirects.get(mac);
    if (redirect !== undefined && redirect.address !== address) this.#remove(redirect);
  }

  /** The MAC that is being sent to the host for `address` may be wrong by now. */
  stopTelling(address: IpAddress): void {
    const tell = this.#tells.get(address);
    if (tell !== undefined) this.#removeTell(tell);
  }

  /** The neighbour left the cache: nothing more is done for it. */
  forget(address: IpAddress): void {
    this.stopTelling(address);
    for (const redirect of this.#redirects.values()) {
      if (redirect.address === address) this.#remove(redirect);
    }
  }

  handleTime(nowMs: number): void {
    for (let due = this.#queue.popDue(nowMs); due !== undefined; due = this.#queue.popDue(nowMs)) {
      due.deadline = undefined;
      if (due.kind === 'tell') this.#tell(due);
      else if (this.#output.takeUse(due.from)) this.#refresh(due, nowMs);
      else this.#remove(due);
    }
  }

  pollAt(): number {
    return this.#queue.nextAtMs();
  }

  #add(address: IpAddress, from: Mac, to: Mac, nowMs: number): void {
    if (!this.#rate.take(nowMs)) return;
    this.release(from);
    if (this.#redirects.size >= REDIRECT_LIMIT) {
      for (const oldest of this.#redirects.values()) {
        this.#remove(oldest);
        break;
      }
    }
    const redirect: Redirect = { kind: 'redirect', from, to, address, deadline: undefined };
    this.#redirects.set(from, redirect);
    this.#set(redirect, to, nowMs);
  }

  #set(redirect: Redirect, to: Mac, nowMs: number): void {
    redirect.to = to;
    this.#refresh(redirect, nowMs);
    this.#output.redirect(redirect.from, to);
  }

  #refresh(redirect: Redirect, nowMs: number): void {
    if (redirect.deadline !== undefined) this.#queue.cancel(redirect.deadline);
    redirect.deadline = this.#queue.schedule(nowMs + REDIRECT_KEPT_MS, redirect);
  }

  #remove(redirect: Redirect): void {
    if (redirect.deadline !== undefined) this.#queue.cancel(redirect.deadline);
    this.#redirects.delete(redirect.from);
    this.#output.unredirect(redirect.from);
  }

  #startTell(address: IpAddress, mac: Mac, nowMs: number): void {
    const former = this.#tells.get(address);
    if (former !== undefined) this.#removeTell(former);
    if (this.#tells.size >= REDIRECT_LIMIT) {
      for (const oldest of this.#tells.values()) {
        this.#removeTell(oldest);
        break;
      }
    }
    const deadline = undefined;
    const tell: Tell = { kind: 'tell', address, mac, startMs: nowMs, told: 0, deadline };
    this.#tells.set(address, tell);
    this.#tell(tell);
  }

  #tell(tell: Tell): void {
    this.#output.tellHost(tell.address, tell.mac);
    tell.told++;
    const nextMs = TELL_AT_MS[tell.told];
    if (nextMs === undefined) this.#tells.delete(tell.address);
    else tell.deadline = this.#queue.schedule(tell.startMs + nextMs, tell);
  }

  #removeTell(tell: Tell): void {
    if (tell.deadline !== undefined) this.#queue.cancel(tell.deadline);
    this.#tells.delete(tell.address);
  }
}
