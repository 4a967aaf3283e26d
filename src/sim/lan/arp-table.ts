/**
 * The neighbour table of a simulated station: a second opinion that shares no code with ip/.
 *
 * It behaves like the table of a Linux host in what others can see: three broadcasts a second
 * apart, then failed; an entry ages 30 s after it was confirmed, and is asked about by unicast
 * when it is used after that; a station that asks us becomes known; a new MAC within a second of
 * the last change is ignored, unless it is announced.
 *
 *   (none) ─ output ─> incomplete ─ reply ─> reachable ─ 30 s ─> stale ─ output ─> delay
 *                          │ 3 tries             ▲─────── reply ───────┐             │ 5 s
 *                          ▼                     └──────────────────  probe <────────┘
 *                        failed <──────────────────── 3 tries ──────────┘
 */

import type { Ipv4, Mac } from '../../wire/addr.ts';
import { ethernetSetDestination } from '../../wire/ethernet.ts';
import type { Agenda, Appointment } from '../agenda.ts';

export type ArpState = 'incomplete' | 'reachable' | 'stale' | 'delay' | 'probe' | 'failed';

/** The frame by which an entry became known. */
export type Heard = 'reply' | 'request' | 'announcement';

// What a Linux host does by default.

const RETRANSMIT_MS = 1000;
const TRIES = 3;
const REACHABLE_MS = 30_000;
const DELAY_MS = 5000;
const LOCK_MS = 1000;
const QUEUE_MAX = 3;

interface Entry {
  readonly address: Ipv4;
  mac: Mac;
  state: ArpState;
  tries: number;
  changedMs: number;
  queue: Uint8Array[];
  timer: Appointment | undefined;
}

/** What the table needs of its station. */
export interface ArpTableOwner {
  readonly agenda: Agenda;
  /**
   * Asks for `address`: by broadcast, or the station `mac` alone. `waiting` is the last frame
   * that waits for the answer, if one does.
   */
  ask(address: Ipv4, mac: Mac | undefined, waiting: Uint8Array | undefined): void;
  /** Puts a complete frame on the wire. */
  send(frame: Uint8Array): void;
}

/** Neighbours of one station. */
export class ArpTable {
  /** Frames given up because no answer came. */
  unresolved = 0;
  readonly #owner: ArpTableOwner;
  readonly #entries = new Map<Ipv4, Entry>();

  constructor(owner: ArpTableOwner) {
    this.#owner = owner;
  }

  /** State and MAC of `address`; undefined if nothing is known. */
  lookUp(address: Ipv4): { state: ArpState; mac: Mac } | undefined {
    const entry = this.#entries.get(address);
    return entry === undefined ? undefined : { state: entry.state, mac: entry.mac };
  }

  /** Forgets everything. */
  clear(): void {
    for (const entry of this.#entries.values()) this.#owner.agenda.cancel(entry.timer);
    this.#entries.clear();
  }

  /** Sends `frame` to `address` as soon as its MAC is known; gives up if it never is. */
  output(address: Ipv4, frame: Uint8Array): void {
    const entry = this.#entries.get(address) ?? this.#create(address);
    if (entry.state === 'failed') this.#resolve(entry);
    if (entry.state === 'incomplete') {
      entry.queue.push(frame);
      if (entry.queue.length > QUEUE_MAX) {
        entry.queue.shift();
        this.unresolved++;
      }
      return;
    }
    if (entry.state === 'stale') this.#enter(entry, 'delay', DELAY_MS);
    this.#sendTo(entry, frame);
  }

  /** A frame gave `mac` for `address`. `mayCreate`: it was sent to us. */
  learn(address: Ipv4, mac: Mac, heard: Heard, mayCreate: boolean): void {
    const { nowMs } = this.#owner.agenda;
    let entry = this.#entries.get(address);
    if (entry === undefined) {
      if (!mayCreate) return;
      entry = this.#create(address);
    }
    const isNew = entry.state === 'incomplete' || entry.state === 'failed';
    if (!isNew && mac !== entry.mac) {
      if (heard !== 'announcement' && nowMs - entry.changedMs < LOCK_MS) return;
    }
    if (isNew || mac !== entry.mac) entry.changedMs = nowMs;
    else if (heard !== 'reply') return;
    entry.mac = mac;
    if (heard === 'reply') this.#enter(entry, 'reachable', REACHABLE_MS);
    else this.#enter(entry, 'stale', undefined);
    const queue = entry.queue;
    entry.queue = [];
    for (const frame of queue) this.output(address, frame);
  }

  #create(address: Ipv4): Entry {
    const entry: Entry = {
      address,
      mac: 0,
      state: 'failed',
      tries: 0,
      changedMs: this.#owner.agenda.nowMs,
      queue: [],
      timer: undefined,
    };
    this.#entries.set(address, entry);
    return entry;
  }

  #resolve(entry: Entry): void {
    entry.tries = 0;
    this.#enter(entry, 'incomplete', 0);
  }

  #sendTo(entry: Entry, frame: Uint8Array): void {
    ethernetSetDestination(frame, 0, entry.mac);
    this.#owner.send(frame);
  }

  /** The one place where an entry changes its state; its timer comes after `durationMs`. */
  #enter(entry: Entry, state: ArpState, durationMs: number | undefined): void {
    const { agenda } = this.#owner;
    agenda.cancel(entry.timer);
    entry.timer = undefined;
    entry.state = state;
    if (state !== 'incomplete' && state !== 'probe') entry.tries = 0;
    if (durationMs !== undefined) {
      entry.timer = agenda.after(durationMs, () => this.#expire(entry));
    }
  }

  #expire(entry: Entry): void {
    entry.timer = undefined;
    switch (entry.state) {
      case 'reachable':
        this.#enter(entry, 'stale', undefined);
        return;
      case 'delay':
        this.#enter(entry, 'probe', 0);
        return;
      case 'incomplete':
      case 'probe':
        this.#tryAgain(entry);
        return;
      default:
        return;
    }
  }

  #tryAgain(entry: Entry): void {
    if (entry.tries >= TRIES) {
      this.unresolved += entry.queue.length;
      entry.queue = [];
      this.#enter(entry, 'failed', undefined);
      return;
    }
    entry.tries++;
    this.#enter(entry, entry.state, RETRANSMIT_MS);
    const mac = entry.state === 'probe' ? entry.mac : undefined;
    this.#owner.ask(entry.address, mac, entry.queue.at(-1));
  }
}
