/**
 * Settling: what a group makes of a change of its members, whatever the change was.
 *
 * A change is handled in two halves. `transit` (transit.ts) moves one interface through its state
 * table; `settle` then makes its group right again. Several transitions may precede one settling,
 * so that an address moves at most once. The steps of a settling, in this order:
 *
 * 1. `evaluate`: which members are to be used. A flapping one if nothing else works; standbys as
 *    the number of working members demands.
 * 2. `chooseActive`: active list and nomination, in the region. If neither changed, 3 to 6 are left
 *    out.
 * 3. `steer`: the live words of the forwarding tables. Frames avoid a dead NIC from here on. The
 *    number of stores depends on the members alone, never on the addresses. A newcomer's slot is
 *    written before the mask that uses it, and the slots of those that left last, so that at no
 *    moment a word names a NIC that must not be used while another could be.
 * 4. `placeAddresses`: bindings, in the region, by the pure planner. Then `reportActive` queues the
 *    events of the members that left and entered.
 * 5. `announce`: by the Lan, each address from the NIC to which it is bound now; then what a newly
 *    nominated NIC has to send.
 * 6. The tables with the new slots of the addresses. They are published at the end of the call, and
 *    events, which all steps only queue, leave after them and after the frames.
 * 7. A member that was out of use for its MAC, and has it alone now, is let in: then again from 1.
 * 8. `conclude`: the state and the MTU of the group.
 *
 * All of it runs in one turn, asks no driver and waits for nothing: an operation in flight, which
 * may wait for a driver, never delays a failover. Such an operation looks again after its wait at
 * what it found before.
 */

import { assert } from '../../base/assert.ts';
import type { Ill } from '../../ip/object/ill.ts';
import type { Cause } from '../../model/causes.ts';
import { MAX_GROUP_MEMBERS } from '../../model/limits.ts';
import type { GroupState } from '../../model/states.ts';
import { ipFormat } from '../../wire/addr.ts';
import { decideMtu } from '../decide/mtu.ts';
import { standbyCorrection } from '../decide/standby.ts';
import { type IpmpContext, noteChange, post, structureChanged } from '../object/context.ts';
import type { IpmpGroup } from '../object/group.ts';
import type { ActiveChange, AddressMove } from '../object/illgrp.ts';
import type { TrackedPhyint } from '../object/tracked.ts';
import { freeMac, transit } from './transit.ts';

/** Rounds of one settling: each but the last frees a member, and none begins to clash. */
const ROUNDS_MAX = MAX_GROUP_MEMBERS + 1;
/** Corrections of standbys in one round: each makes one active or one idle, never both. */
const CORRECTIONS_MAX = MAX_GROUP_MEMBERS;

const STATE_CAUSES: Record<GroupState, Cause> = {
  ok: 'members-equal',
  degraded: 'members-differ',
  failed: 'no-interface',
};

/** Makes `group` right again after transitions of its members; see the head of the file. */
export function settle(ctx: IpmpContext, group: IpmpGroup | undefined): void {
  if (group === undefined) return;
  for (let round = 0; ; round++) {
    assert(round < ROUNDS_MAX, `${group.name}: settling does not end`);
    evaluate(ctx, group);
    handOver(ctx, group);
    if (!group.members.some((member) => freeMac(ctx, member))) break;
  }
  conclude(ctx, group);
}

/**
 * Steps 2 to 6 alone: members take over from those that can no longer be used, and nothing is
 * evaluated. For a member that is on its way out.
 */
export function handOver(ctx: IpmpContext, group: IpmpGroup): void {
  const change = chooseActive(ctx, group);
  if (change === undefined) return;
  steer(ctx, group);
  const moves = placeAddresses(ctx, group, change);
  reportActive(ctx, group, change);
  for (const move of moves) announce(ctx, group, move);
  if (group.grp.cast !== change.castBefore) announceNominated(ctx, group, change.castBefore);
  if (change.left.length > 0) group.lan.doubtNeighbors(ctx.nowMs);
  if (moves.length > 0) structureChanged(ctx);
}

function evaluate(ctx: IpmpContext, group: IpmpGroup): void {
  if (!group.members.some((member) => member.functioning)) {
    const flapping = group.staying.find(
      ({ state, phyint }) => state === 'failed' && phyint.present && phyint.isLinkUp,
    );
    if (flapping !== undefined) transit(ctx, flapping, 'last-resort');
  }
  for (let count = 0; ; count++) {
    const correction = standbyCorrection(group.staying);
    if (correction === undefined) return;
    assert(count < CORRECTIONS_MAX, `${group.name}: standby selection does not converge`);
    const { member, inactive } = correction;
    const why = inactive ? 'standby-idle' : 'standby-needed';
    ctx.illGlobalLock.write(() => member.setInactive(inactive, why));
    noteChange(ctx, group);
  }
}

function chooseActive(ctx: IpmpContext, group: IpmpGroup): ActiveChange | undefined {
  return ctx.illGlobalLock.write(() => {
    const change = group.grp.refreshActive();
    group.refreshFlags();
    return change;
  });
}

/** Writes the live words that differ from what the group is now. */
function steer(ctx: IpmpContext, group: IpmpGroup): void {
  const { words } = ctx;
  const { steered, grp } = group;
  let low = 0;
  let high = 0;
  for (const member of grp.active) {
    const ordinal = member.membership?.ordinal ?? -1;
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
    const nic = steered.slots[ordinal]!;
    if (nic >= 0 && !activeNics.has(nic)) setSlot(ctx, group, ordinal, cast);
  }
}

/** Takes every live word of a group that is going away back. */
export function unsteer(ctx: IpmpContext, group: IpmpGroup): void {
  steer(ctx, group);
  for (let ordinal = 0; ordinal < MAX_GROUP_MEMBERS; ordinal++) setSlot(ctx, group, ordinal, -1);
}

function setSlot(ctx: IpmpContext, group: IpmpGroup, ordinal: number, nic: number): void {
  if (group.steered.slots[ordinal] === nic) return;
  group.steered.slots[ordinal] = nic;
  ctx.words.setPlacement(group.slotOf(ordinal), nic);
}

function placeAddresses(ctx: IpmpContext, group: IpmpGroup, change: ActiveChange): AddressMove[] {
  return ctx.illGlobalLock.write(() => group.grp.rebind(change));
}

/** Has the Lan announce one address that changed its NIC, and queues the event. */
export function announce(ctx: IpmpContext, group: IpmpGroup, move: AddressMove): void {
  const { ipif, from, to, how, cause } = move;
  if (to === undefined) group.lan.addressUnbound(ipif);
  else group.lan.addressBound(ipif, how, ctx.nowMs);
  if (from === to) return;
  const nameOf = (ill: Ill | undefined): string | undefined => ill?.name;
  post(ctx, 'address-moved', cause, {
    group: group.name,
    from: nameOf(from),
    to: nameOf(to),
    ifname: nameOf(to),
    detail: ipFormat(ipif.address),
  });
}

/** Another member, or none, is nominated. */
function announceNominated(
  ctx: IpmpContext,
  group: IpmpGroup,
  before: TrackedPhyint | undefined,
): void {
  const { cast } = group.grp;
  if (cast !== undefined) {
    ctx.hostRequests.push({ kind: 'nominated', ifname: cast.name, isNominated: true });
    group.lan.handleNominated(ctx.nowMs);
  }
  if (before === undefined) return;
  ctx.hostRequests.push({ kind: 'nominated', ifname: before.name, isNominated: false });
}

function reportActive(ctx: IpmpContext, group: IpmpGroup, change: ActiveChange): void {
  const report = ({ name: ifname, activeCause }: TrackedPhyint, from: string, to: string): void =>
    post(ctx, 'interface-active', activeCause, { group: group.name, ifname, from, to });
  for (const member of change.left) {
    report(member, 'active', 'inactive');
    if (member.state !== 'running') countFailover(ctx, group, member);
  }
  for (const member of change.entered) report(member, 'inactive', 'active');
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

/** What the group amounts to now. */
function conclude(ctx: IpmpContext, group: IpmpGroup): void {
  const before = group.state;
  const after = group.memberState();
  if (after !== before) {
    const why = STATE_CAUSES[after];
    ctx.illGlobalLock.write(() => {
      group.state = after;
      group.stateCause = why;
    });
    post(ctx, 'group-state', why, { group: group.name, from: before, to: after });
  }
  refreshGroupMtu(ctx, group);
}

/**
 * Asks the host for another MTU of the group's device if it should have one. Nothing is asked
 * while there is no device; one that is new is asked for anew.
 */
export function refreshGroupMtu(ctx: IpmpContext, group: IpmpGroup): void {
  if (!group.device.present) {
    group.requestedMtu = 0;
    return;
  }
  const { mtu, cause } = decideMtu(group);
  if (mtu === 0) return;
  const before = group.requestedMtu;
  // A request for more than the members have is an event, also where nothing changes.
  const isNews = cause === 'above-smallest-member' && cause !== group.mtuCause;
  group.mtuCause = cause;
  if (mtu === before && !isNews) return;
  if (mtu !== before) ctx.hostRequests.push({ kind: 'group-mtu', group: group.ifname, mtu });
  group.requestedMtu = mtu;
  const from = before === 0 ? undefined : String(before);
  post(ctx, 'group-mtu', cause, { group: group.name, from, to: String(mtu) });
}
