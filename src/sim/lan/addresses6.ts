/**
 * The IPv6 addresses of a simulated station, each with the detection of duplicates that RFC 4862
 * 5.4 asks for: one question, one second of silence, then the address may be used.
 *
 *   (new) ─ add ─> tentative ─ 1 s ─> preferred
 *                      │ another station has it, or asks for it too
 *                      ▼
 *                  duplicate ─ start ─> tentative
 *
 * As on a Linux host, an address that is in use already is kept whatever others claim.
 */

import type { Ipv6 } from '../../wire/addr.ts';
import type { Agenda, Appointment } from '../agenda.ts';

export type Address6State = 'tentative' | 'preferred' | 'duplicate';

/** RetransTimer (RFC 4861 10). */
const RETRANS_MS = 1000;

/** What an address is besides its value. */
export interface Address6Options {
  /** Usable at once, without detection: `nodad` of Linux. */
  readonly isUnchecked?: boolean;
  /** Made from an advertised prefix (RFC 4862 5.5). */
  readonly isAutomatic?: boolean;
}

/** An address of a station. */
export interface Address6 {
  readonly address: Ipv6;
  readonly prefixLength: number;
  readonly isUnchecked: boolean;
  readonly isAutomatic: boolean;
  state: Address6State;
  /** Of the question that was sent last: it is not mistaken for that of another station. */
  nonce: number;
  timer: Appointment | undefined;
}

/** What the addresses need of their station. */
export interface Addresses6Owner {
  readonly agenda: Agenda;
  /** The nonces of its questions begin here; those of other stations differ. */
  readonly firstNonce: number;
  /** Asks whether another station has `address` (RFC 4862 5.4.2, RFC 7527 4.1). */
  probe(address: Ipv6, nonce: number): void;
  /** Takes questions about `address` from now on, or no more (RFC 4861 7.2.1). */
  listen(address: Ipv6, isListening: boolean): void;
  /** An address has come, gone, or changed its state. */
  handleChange(): void;
}

/** All addresses of one station. */
export class Addresses6 {
  readonly #owner: Addresses6Owner;
  #list: Address6[] = [];
  #isUp = true;
  #nextNonce: number;

  constructor(owner: Addresses6Owner) {
    this.#owner = owner;
    this.#nextNonce = owner.firstNonce;
  }

  /** In the order in which they were added. */
  get list(): readonly Address6[] {
    return this.#list;
  }

  /** The entry of `address`, in whatever state. */
  find(address: Ipv6): Address6 | undefined {
    return this.#list.find((entry) => entry.address === address);
  }

  /** True if the station may send from `address`, and is there for others under it. */
  isUsable(address: Ipv6): boolean {
    return this.find(address)?.state === 'preferred';
  }

  /** Adds an address; nothing happens if it is there. */
  add(address: Ipv6, prefixLength: number, options: Address6Options = {}): void {
    if (this.find(address) !== undefined) return;
    const { isUnchecked = false, isAutomatic = false } = options;
    const fixed = { address, prefixLength, isUnchecked, isAutomatic };
    const entry: Address6 = { ...fixed, state: 'tentative', nonce: 0, timer: undefined };
    this.#list.push(entry);
    this.#owner.listen(address, true);
    this.#check(entry);
  }

  /** Removes an address; nothing happens if it is not there. */
  delete(address: Ipv6): void {
    const entry = this.find(address);
    if (entry === undefined) return;
    this.#owner.agenda.cancel(entry.timer);
    this.#list = this.#list.filter((other) => other !== entry);
    this.#owner.listen(address, false);
    this.#owner.handleChange();
  }

  /** The interface has come up: every address is checked anew. */
  start(): void {
    this.#isUp = true;
    for (const entry of this.#list) this.#check(entry);
  }

  /** The interface is down: no address is usable, and those that routers gave are gone. */
  stop(): void {
    this.#isUp = false;
    for (const entry of this.#list) {
      if (entry.isAutomatic) this.delete(entry.address);
      else this.#enter(entry, 'tentative');
    }
  }

  /** Another station has `address`, or asks for it; answers whether it is given up. */
  handleConflict(address: Ipv6): boolean {
    const entry = this.find(address);
    if (entry?.state !== 'tentative') return false;
    this.#enter(entry, 'duplicate');
    return true;
  }

  #check(entry: Address6): void {
    const { agenda } = this.#owner;
    const isPreferred = this.#isUp && entry.isUnchecked;
    this.#enter(entry, isPreferred ? 'preferred' : 'tentative');
    if (!this.#isUp || isPreferred) return;
    entry.nonce = this.#nextNonce++;
    entry.timer = agenda.after(0, () => {
      entry.timer = agenda.after(RETRANS_MS, () => this.#enter(entry, 'preferred'));
      this.#owner.probe(entry.address, entry.nonce);
    });
  }

  #enter(entry: Address6, state: Address6State): void {
    this.#owner.agenda.cancel(entry.timer);
    entry.timer = undefined;
    entry.state = state;
    this.#owner.handleChange();
  }
}
