/**
 * One network interface, whatever address families run on it: its name, its number, its link and
 * the flags that decide whether a group may use it (docs/law.md row 34).
 *
 * The flags keep their illumos names. Their illumos bit values need 40 bits and so do not fit the
 * integer operators of the language; here they are dense bits.
 */

import { assert } from '../../base/assert.ts';
import { References } from '../../base/reference.ts';
import type { LinkState } from '../../model/states.ts';
import type { Mac } from '../../wire/addr.ts';
import { Ill } from './ill.ts';

/** The link below is usable. */
export const PHYI_RUNNING = 1 << 0;
/** The link or the path behind it has failed. */
export const PHYI_FAILED = 1 << 1;
/** Used only when another member has failed. */
export const PHYI_STANDBY = 1 << 2;
/** Healthy, but not used now (an idle standby, or repaired without failback). */
export const PHYI_INACTIVE = 1 << 3;
/** Taken out of use by the operator. */
export const PHYI_OFFLINE = 1 << 4;
/** A group's meta-interface, not a NIC. */
export const PHYI_IPMP = 1 << 5;
/** No link of its own; never tracked, never a member. */
export const PHYI_VIRTUAL = 1 << 6;

/** The names of the flags, in the order in which tools print them. */
const FLAG_NAMES: ReadonlyArray<readonly [bit: number, name: string]> = [
  [PHYI_RUNNING, 'RUNNING'],
  [PHYI_FAILED, 'FAILED'],
  [PHYI_STANDBY, 'STANDBY'],
  [PHYI_INACTIVE, 'INACTIVE'],
  [PHYI_OFFLINE, 'OFFLINE'],
  [PHYI_VIRTUAL, 'VIRTUAL'],
  [PHYI_IPMP, 'IPMP'],
];

/** Flag names in table order, as `ifconfig` would print them. */
export function phyintFlagNames(flags: number): string[] {
  return FLAG_NAMES.filter(([bit]) => (flags & bit) !== 0).map(([, name]) => name);
}

/** What is known of a NIC when it is first named. */
export interface PhyintOptions {
  readonly name: string;
  /** Port number of the NIC, 0 .. MAX_NICS-1; for life. */
  readonly nic: number;
  /** The kernel device below, null for a TAP of our own. */
  readonly uplink?: string | null;
}

/**
 * A network interface. Fields are written by the owner (the system) only; a user of a
 * phyint over a wait holds a reference from `references`.
 */
export class Phyint {
  readonly name: string;
  readonly nic: number;
  readonly uplink: string | null;
  readonly ill: Ill;
  readonly references: References;
  /** The device exists and is attached; a configured interface may be absent for long. */
  present = false;
  /** Address of the NIC on the wire, 0 while absent. */
  physAddr: Mac = 0;
  /** Largest IP packet in bytes, 0 while absent. */
  mtu = 0;
  link: LinkState = 'unknown';
  #flags = 0;

  constructor(options: PhyintOptions) {
    this.name = options.name;
    this.nic = options.nic;
    this.uplink = options.uplink ?? null;
    this.references = new References('phyint', options.name);
    this.ill = new Ill(this);
  }

  /** Flag word of `PHYI_…` bits. */
  get flags(): number {
    return this.#flags;
  }

  set flags(flags: number) {
    const both = PHYI_FAILED | PHYI_INACTIVE;
    assert((flags & both) !== both, `${this.name}: FAILED and INACTIVE exclude each other`);
    this.#flags = flags;
  }

  /** It is not known to be down (`unknown` counts as up). */
  get isLinkUp(): boolean {
    return this.link !== 'down';
  }
}
