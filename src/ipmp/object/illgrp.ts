/**
 * The members of a group, which of them are active, which one is nominated for broadcast and
 * multicast, and which NIC each data address is bound to (docs/law.md rows 9, 35 to 47, 59 to 63).
 * A group has its IllGroup for all of its life, so a look-up that finds the group finds its members
 * (test/model/new-order.pml).
 *
 * Whether a member can be used does not depend on addresses, so there is one list of active members
 * and one nominee for both families. Addresses are placed by family: each family is spread evenly
 * by itself, whatever the other one has (docs/law.md rows 38 to 44).
 *
 * Every method that changes something runs inside `illGlobalLock`.
 *
 * Invariants
 * 1. `active` = members that are usable, or, when none is, members that are about to leave, as of
 *    the last `refreshActive`.
 * 2. The nominated member is active; while it is, it keeps the nomination.
 * 3. While a member is active no data address is unbound; addresses are bound to active members
 *    only (both as of the last `rebind`).
 * 4. Ordinals are unique among members.
 */

import { assert } from '../../base/assert.ts';
import type { BindHow } from '../../ip/lan.ts';
import type { Ill } from '../../ip/object/ill.ts';
import type { Ipif } from '../../ip/object/ipif.ts';
import type { Cause } from '../../model/causes.ts';
import { MAX_GROUP_MEMBERS } from '../../model/limits.ts';
import type { Family, IpAddress } from '../../wire/addr.ts';
import { emptiest, planChange, planRemoval } from '../decide/rebalance.ts';
import type { TrackedPhyint } from './tracked.ts';

const FAMILIES: readonly Family[] = [4, 6];

/** How the active list changed. */
export interface ActiveChange {
  readonly left: readonly TrackedPhyint[];
  readonly entered: readonly TrackedPhyint[];
  /** No member was active before. */
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

/** The members of a group. */
export class IllGroup {
  /** In order of joining. */
  readonly members: TrackedPhyint[] = [];
  /** In order of activation. */
  active: TrackedPhyint[] = [];
  cast: TrackedPhyint | undefined;
  /** Data addresses in the order in which they were added. */
  readonly ipifs = new Map<IpAddress, Ipif>();

  /** The lowest free ordinal; the caller has checked that there is room. */
  freeOrdinal(): number {
    const used = new Set(this.members.map((member) => member.membership?.ordinal));
    for (let ordinal = 0; ordinal < MAX_GROUP_MEMBERS; ordinal++) {
      if (!used.has(ordinal)) return ordinal;
    }
    assert(false, 'the group has room for another member');
  }

  addMember(member: TrackedPhyint): void {
    assert(member.membership === undefined, `${member.name} is in no group`);
    this.members.push(member);
  }

  removeMember(member: TrackedPhyint): void {
    assert(!this.active.includes(member), `${member.name} leaves while it is active`);
    assert(member.ill.boundCount === 0, `${member.name} leaves with addresses bound`);
    const place = this.members.indexOf(member);
    assert(place >= 0, `${member.name} is a member`);
    this.members.splice(place, 1);
  }

  /** Chooses the active members and the nominated one; undefined if nothing changed. */
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

  /** Binds the addresses of the members that left to others; newcomers take their share. */
  rebind(change: ActiveChange): AddressMove[] {
    return FAMILIES.flatMap((family) => this.#rebind(family, change));
  }

  #rebind(family: Family, change: ActiveChange): AddressMove[] {
    const homeless: { ipif: Ipif; from: Ill | undefined; cause: Cause }[] = [];
    for (const member of change.left) {
      const cause = member.activeCause;
      const oldestFirst = member.ill.boundIpifs[family].toReversed();
      for (const ipif of oldestFirst) homeless.push({ ipif, from: member.ill, cause });
    }
    for (let i = homeless.length - 1; i >= 0; i--) homeless[i]?.ipif.unbind();
    if (change.wasEmpty) {
      for (const ipif of this.ipifs.values()) {
        if (ipif.family !== family) continue;
        homeless.push({ ipif, from: undefined, cause: 'interface-works' });
      }
    }
    const newcomers = change.entered.map((member) => this.active.indexOf(member));
    const plan = planChange(this.#counts(family), homeless.length, newcomers);
    const how: BindHow = change.wasEmpty ? 'initial' : 'rebind';
    const moves: AddressMove[] = homeless.map(({ ipif, from, cause }, at) => {
      const to = this.active[plan.placements[at] ?? -1]?.ill;
      if (to !== undefined) ipif.bind(to);
      return { ipif, from, to, how, cause };
    });
    for (const { from, to } of plan.steals) moves.push(this.#steal(family, from, to));
    return moves;
  }

  /** Adds a data address and binds it to the emptiest active member, if there is one. */
  addAddress(ipif: Ipif): AddressMove {
    assert(!this.ipifs.has(ipif.address), 'a data address is added once');
    this.ipifs.set(ipif.address, ipif);
    const to = this.active[emptiest(this.#counts(ipif.family))]?.ill;
    if (to !== undefined) ipif.bind(to);
    return { ipif, from: undefined, to, how: 'initial', cause: 'address-added' };
  }

  /** Removes a data address; answers the one move that may level the others. */
  removeAddress(ipif: Ipif): AddressMove | undefined {
    assert(this.ipifs.delete(ipif.address), 'a data address is removed once');
    const lost = this.active.findIndex((member) => member.ill === ipif.boundIll);
    ipif.unbind();
    if (lost < 0) return undefined;
    const { family } = ipif;
    const steal = planRemoval(this.#counts(family), lost);
    return steal && this.#steal(family, steal.from, steal.to);
  }

  /** Members that may carry data: the usable ones, else those that are about to leave. */
  #able(): TrackedPhyint[] {
    const usable = this.members.filter((member) => member.isUsable);
    return usable.length > 0 ? usable : this.members.filter((member) => member.isLastChoice);
  }

  #counts(family: Family): number[] {
    return this.active.map((member) => member.ill.boundIpifs[family].length);
  }

  /** Moves the most recently bound address of one family and active member to another. */
  #steal(family: Family, from: number, to: number): AddressMove {
    const donor = this.active[from]?.ill;
    const taker = this.active[to]?.ill;
    const ipif = donor?.boundIpifs[family][0];
    assert(ipif !== undefined && taker !== undefined, 'a plan names active members');
    ipif.unbind();
    ipif.bind(taker);
    return { ipif, from: donor, to: taker, how: 'rebind', cause: 'rebalanced' };
  }

  /** Our address `address` (data or test), in whatever state. */
  findIpif(address: IpAddress): Ipif | undefined {
    const data = this.ipifs.get(address);
    if (data !== undefined) return data;
    for (const member of this.members) {
      const test = member.ill.testIpifs.find((ipif) => ipif.address === address);
      if (test !== undefined) return test;
    }
    return undefined;
  }
}
