/**
 * The neighbour table of a simulated station, of either family: a second opinion that shares no
 * code with ip/. What a frame teaches is different for ARP and ND: arp-table.ts and nd-table.ts.
 *
 * It behaves like the table of a Linux host in what others can see: three questions to all a
 * second apart, then failed; an entry ages 30 s after it was confirmed, and is asked about by
 * unicast when it is used after that.
 *
 *   (none) ─ output ─> incomplete ─ answer ─> reachable ─ 30 s ─> stale ─ output ─> delay
 *                          │ 3 tries              ▲─────── answer ──────┐             │ 5 s
 *                          ▼                      └──────────────────  probe <────────┘
 *                        failed <───────────────────── 3 tries ─────────┘
 */

import type { IpAddress, Mac } from '../../wire/addr.ts';
import { ethernetSetDestination } from '../../wire/ethernet.ts';
import type { Agenda, Appointment } from '../agenda.ts';

export type NeighborState = 'incomplete' | 'reachable' | 'stale' | 'delay' | 'probe' | 'failed';

// What a Linux host does by default.

const RETRANSMIT_MS = 1000;
const TRIES = 3;
const REACHABLE_MS = 30_000;
const DELAY_MS = 5000;
const QUEUE_MAX = 3;

/** What is known of one neighbour. */
export interface Neighbor<Address> {
  readonly address: Address;
  mac: Mac;
  state: NeighborState;
  tries: number;
  /** When the MAC became what it is. */
  changedMs: number;
  queue: Uint8Array[];
  timer: Appointment | undefined;
}

/** What the table needs of its station. */
export interface NeighborTableOwner<Address> {
  readonly agenda: Agenda;
  /**
   * Asks for `address`: all stations, or the station `mac` alone. `waiting` is the last frame
   * that waits for the answer, if one does.
   */
  ask(address: Address, mac: Mac | undefined, waiting: Uint8Array | undefined): void;
  /** Puts a complete frame on the wire. */
  send(frame: Uint8Array): void;
}

/** Neighbours of one station. */
export class NeighborTable<Address extends IpAddress> {
  /** Frames given up because no answer came. */
  unresolved = 0;
  readonly #owner: NeighborTableOwner<Address>;
  readonly #entries = new Map<Address, Neighbor<Address>>();

  constructor(owner: NeighborTableOwner<Address>) {
    this.#owner = owner;
  }

  /** State and MAC of `address`; undefined if nothing is known. */
  lookUp(address: Address): { state: NeighborState; mac: Mac } | undefined {
    const entry = this.#entries.get(address);
    return entry === undefined ? undefined : { state: entry.state, mac: entry.mac };
  }

  /** Forgets everything. */
  clear(): void {
    for (const entry of this.#entries.values()) this.#owner.agenda.cancel(entry.timer);
    this.#entries.clear();
  }

  /** Sends `frame` to `address` as soon as its MAC is known; gives up if it never is. */
  output(address: Address, frame: Uint8Array): void {
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

  /** The entry of `address`, if there is one. */
  protected find(address: Address): Neighbor<Address> | undefined {
    return this.#entries.get(address);
  }

  /** Milliseconds since the MAC of `entry` became what it is. */
  protected ageMs(entry: Neighbor<Address>): number {
    return this.#owner.agenda.nowMs - entry.changedMs;
  }

  /** A frame gave `mac` for `address`; what waits for it is sent. Makes the entry if need be. */
  protected set(address: Address, mac: Mac, state: 'reachable' | 'stale'): void {
    const entry = this.#entries.get(address) ?? this.#create(address);
    if (isUnknown(entry) || mac !== entry.mac) entry.changedMs = this.#owner.agenda.nowMs;
    entry.mac = mac;
    this.#enter(entry, state, state === 'reachable' ? REACHABLE_MS : undefined);
    const queue = entry.queue;
    entry.queue = [];
    for (const frame of queue) this.output(address, frame);
  }

  #create(address: Address): Neighbor<Address> {
    const entry: Neighbor<Address> = {
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

  #resolve(entry: Neighbor<Address>): void {
    entry.tries = 0;
    this.#enter(entry, 'incomplete', 0);
  }

  #sendTo(entry: Neighbor<Address>, frame: Uint8Array): void {
    ethernetSetDestination(frame, 0, entry.mac);
    this.#owner.send(frame);
  }

  /** The one place where an entry changes its state; its timer comes after `durationMs`. */
  #enter(entry: Neighbor<Address>, state: NeighborState, durationMs: number | undefined): void {
    const { agenda } = this.#owner;
    agenda.cancel(entry.timer);
    entry.timer = undefined;
    entry.state = state;
    if (state !== 'incomplete' && state !== 'probe') entry.tries = 0;
    if (durationMs !== undefined) {
      entry.timer = agenda.after(durationMs, () => this.#expire(entry));
    }
  }

  #expire(entry: Neighbor<Address>): void {
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

  #tryAgain(entry: Neighbor<Address>): void {
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

/** True if the entry has no MAC: an answer is waited for, or none came. */
export function isUnknown({ state }: Neighbor<IpAddress>): boolean {
  return state === 'incomplete' || state === 'failed';
}
