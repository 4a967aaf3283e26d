/**
 * One address family of a group: its members, who of them is active, who is nominated for
 * broadcast and multicast, and which data address is bound to whom (IPMP semantics 1.5, 3, 4.3).
 *
 * A MetaIll is the group's own interface of that family. It has its IllGroup from its first
 * moment to its last (`grp` is never empty), and both become visible and vanish in one region; so
 * nobody who finds the meta-interface can miss its group (test/model/new-order.pml).
 *
 * Every method that changes something runs inside `illGlobalLock`.
 *
 * Invariants
 * 1. `active` = members that are usable, or, when nobody is, members that are about to leave, as
 *    of the last `refreshActive`.
 * 2. The nominated member is active; while it is, nobody takes the nomination from it.
 * 3. While a member is active no data address is unbound; addresses are bound to active members
 *    only (both as of the last `rebind`).
 * 4. Ordinals are unique among members.
 */

import { assert } from '../../base/assert.ts';
import type { BindHow } from '../../ip/lan.ts';
import type { LanMembership } from '../../ip/lan-port.ts';
import type { Ill, IllGroupReference } from '../../ip/object/ill.ts';
import type { Ipif } from '../../ip/object/ipif.ts';
import type { Cause } from '../../model/causes.ts';
import { MAX_GROUP_MEMBERS } from '../../model/limits.ts';
import type { Ipv4, Mac } from '../../wire/addr.ts';
import { emptiest, planChange, planRemoval } from '../decide/rebalance.ts';
import type { TrackedPhyint } from './tracked.ts';

/** How the active list changed. */
export interface ActiveChange {
  readonly left: readonly TrackedPhyint[];
  readonly entered: readonly TrackedPhyint[];
  /** Nobody was active before. */
  readonly wasEmpty: boolean;
  readonly castBefore: TrackedPhyint | undefined;
}

/** One address that changed its NIC. */
export interface AddressMove {
  readonly ipif: Ipif;
  readonly from: Ill | undefined;
  readonly to: Ill | undefined;
  readonly how: BindHow;
  readonly cause: Cause;
}

/** What the group knows of the world around its members. */
export interface IllGroupOwner {
  readonly name: string;
  groupMac(): Mac;
  isHostUp(): boolean;
  isOwnMac(mac: Mac): boolean;
  isHostMac(mac: Mac): boolean;
}

/** The members of one family. */
export class IllGroup implements IllGroupReference, LanMembership {
  readonly owner: IllGroupOwner;
  /** In order of joining. */
  readonly members: TrackedPhyint[] = [];
  /** In order of activation. */
  active: TrackedPhyint[] = [];
  cast: TrackedPhyint | undefined;
  /** Data addresses in the order in which they were added. */
  readonly ipifs = new Map<Ipv4, Ipif>();

  constructor(owner: IllGroupOwner) {
    this.owner = owner;
  }

  get name(): string {
    return this.owner.name;
  }

  /** The lowest free ordinal; the caller has checked that there is room. */
  freeOrdinal(): number {
    const used = new Set(this.members.map((member) => member.membership?.ordinal));
    for (let ordinal = 0; ordinal < MAX_GROUP_MEMBERS; ordinal++) {
      if (!used.has(ordinal)) return ordinal;
    }
    assert(false, `${this.name} has room for another member`);
  }

  addMember(member: TrackedPhyint): void {
    assert(member.ill.illGrp === undefined, `${member.name} is in no group`);
    this.members.push(member);
    member.ill.illGrp = this;
  }

  removeMember(member: TrackedPhyint): void {
    assert(!this.active.includes(member), `${member.name} leaves while it is active`);
    assert(member.ill.boundIpifs.length === 0, `${member.name} leaves with addresses bound`);
    const place = this.members.indexOf(member);
    assert(place >= 0, `${member.name} is a member`);
    this.members.splice(place, 1);
    member.ill.illGrp = undefined;
  }

  /** Makes the active list and the nomination right again; undefined if nothing changed. */
  refreshActive(): ActiveChange | undefined {
    const able = this.#able();
    const left = this.active.filter((member) => !able.includes(member));
    const entered = able.filter((member) => !this.active.includes(member));
    if (left.length === 0 && entered.length === 0) return undefined;
    const wasEmpty = this.active.length === 0;
    const castBefore = this.cast;
    this.active = [...this.active.filter((member) => able.includes(member)), ...entered];
    if (castBefore === undefined || !able.includes(castBefore)) this.cast = this.active[0];
    return { left, entered, wasEmpty, castBefore };
  }

  /** Binds the addresses of those who left elsewhere and lets newcomers take their share. */
  rebind(change: ActiveChange): AddressMove[] {
    const homeless: { ipif: Ipif; from: Ill | undefined; cause: Cause }[] = [];
    for (const member of change.left) {
      const cause = member.activeCause;
      const oldestFirst = member.ill.boundIpifs.toReversed();
      for (const ipif of oldestFirst) homeless.push({ ipif, from: member.ill, cause });
    }
    for (let i = homeless.length - 1; i >= 0; i--) homeless[i]?.ipif.unbind();
    if (change.wasEmpty) {
      for (const ipif of this.ipifs.values()) {
        homeless.push({ ipif, from: undefined, cause: 'interface-works' });
      }
    }
    const newcomers = change.entered.map((member) => this.active.indexOf(member));
    const plan = planChange(this.#counts(), homeless.length, newcomers);
    const how: BindHow = change.wasEmpty ? 'initial' : 'rebind';
    const moves: AddressMove[] = homeless.map(({ ipif, from, cause }, at) => {
      const to = this.active[plan.placements[at] ?? -1]?.ill;
      if (to !== undefined) ipif.bind(to);
      return { ipif, from, to, how, cause };
    });
    for (const { from, to } of plan.steals) moves.push(this.#steal(from, to));
    return moves;
  }

  /** Adds a data address and binds it to the emptiest active member, if there is one. */
  addAddress(ipif: Ipif): AddressMove {
    assert(!this.ipifs.has(ipif.address), 'a data address is added once');
    this.ipifs.set(ipif.address, ipif);
    const to = this.active[emptiest(this.#counts())]?.ill;
    if (to !== undefined) ipif.bind(to);
    return { ipif, from: undefined, to, how: 'initial', cause: 'address-added' };
  }

  /** Removes a data address; answers the one move that may level the others. */
  removeAddress(ipif: Ipif): AddressMove | undefined {
    assert(this.ipifs.delete(ipif.address), 'a data address is removed once');
    const lost = this.active.findIndex((member) => member.ill === ipif.boundIll);
    ipif.unbind();
    if (lost < 0) return undefined;
    const steal = planRemoval(this.#counts(), lost);
    return steal && this.#steal(steal.from, steal.to);
  }

  /** Who may carry data: the usable members, else those that are about to leave. */
  #able(): TrackedPhyint[] {
    const usable = this.members.filter((member) => member.isUsable);
    return usable.length > 0 ? usable : this.members.filter((member) => member.isLastChoice);
  }

  #counts(): number[] {
    return this.active.map((member) => member.ill.boundIpifs.length);
  }

  /** Moves the most recently bound address of one active member to another. */
  #steal(from: number, to: number): AddressMove {
    const donor = this.active[from]?.ill;
    const taker = this.active[to]?.ill;
    const ipif = donor?.boundIpifs[0];
    assert(ipif !== undefined && taker !== undefined, 'a plan names active members');
    ipif.unbind();
    ipif.bind(taker);
    return { ipif, from: donor, to: taker, how: 'rebind', cause: 'rebalanced' };
  }

  // LanMembership

  castIll(): Ill | undefined {
    return this.cast?.ill;
  }

  *ills(): Iterable<Ill> {
    for (const member of this.members) yield member.ill;
  }

  activeIlls(): readonly Ill[] {
    return this.active.map((member) => member.ill);
  }

  isOwnMac(mac: Mac): boolean {
    return this.owner.isOwnMac(mac);
  }

  isHostMac(mac: Mac): boolean {
    return this.owner.isHostMac(mac);
  }

  findIpif(address: Ipv4): Ipif | undefined {
    const data = this.ipifs.get(address);
    if (data !== undefined) return data;
    for (const member of this.members) {
      const test = member.ill.testIpifs.find((ipif) => ipif.address === address);
      if (test !== undefined) return test;
    }
    return undefined;
  }

  groupMac(): Mac {
    return this.owner.groupMac();
  }

  isHostUp(): boolean {
    return this.owner.isHostUp();
  }

  probeIll(): Ill | undefined {
    return this.cast?.ill;
  }
}

/** The meta-interface's lower link of one family: visible exactly as long as its IllGroup. */
export class MetaIll {
  readonly grp: IllGroup;

  constructor(owner: IllGroupOwner) {
    this.grp = new IllGroup(owner);
  }
}
