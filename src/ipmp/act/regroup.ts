/**
 * Making a group right again after its members have changed: who is active, who is nominated,
 * where every address lies. Order, and why:
 *
 * 1. active list and nomination, in the region: the decision;
 * 2. steering: the live words of the forwarding tables. Frames avoid a dead NIC from here on. The
 *    number of stores depends on the members alone, never on the addresses. A newcomer's slot is
 *    written before the mask that uses it, and the slots of those who left last, so that at no
 *    moment a word names a NIC that must not be used while another could be;
 * 3. bindings, in the region, by the pure planner;
 * 4. announcements, by the Lan, each from the NIC to which the address is now bound, and what a
 *    newly nominated NIC has to say;
 * 5. events, and the tables with the new slots of the addresses (both leave later).
 *
 * Failure handling asks no driver and waits for nothing, so it cannot be held up.
 */

import type { Ill } from '../../ip/object/ill.ts';
import { MAX_GROUP_MEMBERS } from '../../model/limits.ts';
import { ipv4Format } from '../../wire/addr.ts';
import { type IpmpContext, post, structureChanged } from '../object/context.ts';
import type { IpmpGroup } from '../object/group.ts';
import type { ActiveChange, AddressMove } from '../object/illgrp.ts';
import type { TrackedPhyint } from '../object/tracked.ts';

/** Makes `group` right again after a member's usability has changed. */
export function regroup(ctx: IpmpContext, group: IpmpGroup): void {
  const { grp } = group;
  const change = ctx.illGlobalLock.write(() => {
    const found = grp.refreshActive();
    group.refreshFlags();
    return found;
  });
  if (change === undefined) return;
  steer(ctx, group);
  const moves = ctx.illGlobalLock.write(() => grp.rebind(change));
  reportActive(ctx, group, change);
  for (const move of moves) announce(ctx, group, move);
  if (grp.cast !== change.castBefore) renominate(ctx, group, change.castBefore);
  if (change.left.length > 0) group.lan.doubtNeighbors(ctx.nowMs);
  if (moves.length > 0) structureChanged(ctx);
}

/** Another member, or none, is nominated. */
function renominate(ctx: IpmpContext, group: IpmpGroup, before: TrackedPhyint | undefined): void {
  const { cast } = group.grp;
  if (cast !== undefined) {
    ctx.hostRequests.push({ kind: 'nominated', ifname: cast.name, isNominated: true });
    group.lan.handleNominated(ctx.nowMs);
  }
  if (before === undefined) return;
  ctx.hostRequests.push({ kind: 'nominated', ifname: before.name, isNominated: false });
}

/** Writes the live words that differ from what the group is now. */
export function steer(ctx: IpmpContext, group: IpmpGroup): void {
  const { words } = ctx;
  const { steered, grp } = group;
  let low = 0;
  let high = 0;
  for (const member of grp.active) {
    const ordinal = ordinalOf(member);
    if (ordinal < 32) low |= 1 << ordinal;
    else high |= 1 << (ordinal - 32);
    setSlot(ctx, group, ordinal, member.nic);
  }
  low >>>= 0;
  high >>>= 0;
  if (low !== steered.low || high !== steered.high) {
    steered.low = low;
    steered.high = high;
    words.setActiveMembers(group.index, low, high);
  }
  const cast = grp.cast?.nic ?? -1;
  if (cast !== steered.cast) {
    steered.cast = cast;
    words.setCastMember(group.index, cast);
  }
  const activeNics = new Set(grp.active.map((member) => member.nic));
  for (let ordinal = 0; ordinal < MAX_GROUP_MEMBERS; ordinal++) {
    const nic = steered.slots[ordinal] as number;
    if (nic >= 0 && !activeNics.has(nic)) setSlot(ctx, group, ordinal, cast);
  }
}

/** Takes every live word of a group that is going away back. */
export function unsteer(ctx: IpmpContext, group: IpmpGroup): void {
  steer(ctx, group);
  for (let ordinal = 0; ordinal < MAX_GROUP_MEMBERS; ordinal++) setSlot(ctx, group, ordinal, -1);
}

/** Placement slot of an ordinal of a group. */
export function placementSlot(groupIndex: number, ordinal: number): number {
  return groupIndex * MAX_GROUP_MEMBERS + ordinal;
}

function setSlot(ctx: IpmpContext, group: IpmpGroup, ordinal: number, nic: number): void {
  if (group.steered.slots[ordinal] === nic) return;
  group.steered.slots[ordinal] = nic;
  ctx.words.setPlacement(placementSlot(group.index, ordinal), nic);
}

function ordinalOf(member: TrackedPhyint): number {
  return member.membership?.ordinal ?? -1;
}

/** Tells the Lan and the operator of one address that changed its NIC. */
export function announce(ctx: IpmpContext, group: IpmpGroup, move: AddressMove): void {
  const { ipif, from, to, how, cause } = move;
  if (to === undefined) group.lan.addressUnbound(ipif);
  else group.lan.addressBound(ipif, how, ctx.nowMs);
  if (from === to) return;
  post(ctx, 'address-moved', cause, {
    group: group.name,
    from: nameOf(from),
    to: nameOf(to),
    ifname: nameOf(to),
    detail: ipv4Format(ipif.address),
  });
}

function nameOf(ill: Ill | undefined): string | undefined {
  return ill?.name;
}

function reportActive(ctx: IpmpContext, group: IpmpGroup, change: ActiveChange): void {
  for (const member of change.left) {
    post(ctx, 'interface-active', member.activeCause, {
      group: group.name,
      ifname: member.name,
      from: 'active',
      to: 'inactive',
    });
    if (member.state !== 'running') countFailover(ctx, group, member);
  }
  for (const member of change.entered) {
    post(ctx, 'interface-active', member.activeCause, {
      group: group.name,
      ifname: member.name,
      from: 'inactive',
      to: 'active',
    });
  }
  const { cast } = group.grp;
  if (cast === change.castBefore) return;
  const why = cast === undefined ? 'no-interface' : (change.castBefore ?? cast).activeCause;
  post(ctx, 'nominated', why, {
    group: group.name,
    ifname: cast?.name,
    from: change.castBefore?.name,
    to: cast?.name,
  });
}

function countFailover(ctx: IpmpContext, group: IpmpGroup, member: TrackedPhyint): void {
  const { name, ifname: device } = group;
  const key = `${device} ${member.name} ${member.cause}`;
  const known = ctx.failovers.get(key);
  if (known !== undefined) known.count++;
  else {
    const count = { group: name, device, ifname: member.name, cause: member.cause, count: 1 };
    ctx.failovers.set(key, count);
  }
}
