/**
 * Membership: a NIC joins a group and leaves it, as operations that may wait (docs/law.md rows 18,
 * 22, 23). Refusals carry the errno of these rows and change nothing.
 *
 * Order, and why
 * - *Join*: accepted under the NIC's own ipsq; from then on the group's ipsq is the NIC's, and the
 *   group cannot be deleted (`pendingJoins`). The driver is asked for the counters with no region
 *   open; the join itself is one turn. Without an honest baseline the join is refused.
 * - *Leave*: the others take over and announce what they took; frames in flight to the leaver
 *   are accepted until the grace period after the announcements is over; if no other can carry
 *   data, the leaver carries it until it is gone. Then the counters (no region open), and in one
 *   turn: the link is cut, the counters move into the group's baseline. A driver that does not
 *   answer in time costs the counts since the last reading, never the operation.
 *
 * Modelled in test/model/new-order.pml, the counters in test/model/group-counters.pml.
 */

import { assert } from '../../base/assert.ts';
import { OperatorError } from '../../base/errors.ts';
import { acquire, type Held } from '../../base/lock.ts';
import { type Operation, sleepFor } from '../../base/operation.ts';
import type { Cause } from '../../model/causes.ts';
import { MAX_GROUP_MEMBERS } from '../../model/limits.ts';
import { isOfOneLink } from '../../model/prefix.ts';
import { alreadyMember } from '../../model/refusals.ts';
import { READ_BUDGET_MS, within } from '../../stats/collector.ts';
import { LINK_COUNTERS_ZERO, type LinkCounters } from '../../stats/schema.ts';
import { clashes } from '../decide/evidence.ts';
import {
  findGroup,
  findInterface,
  type IpmpContext,
  lookupGroup,
  noteChange,
  post,
  postInterface,
  refuseCondemnedInterface,
  structureChanged,
} from '../object/context.ts';
import type { IpmpGroup } from '../object/group.ts';
import type { TrackedPhyint, Withdrawal } from '../object/tracked.ts';
import { retryUnserved } from './addresses.ts';
import { handOver, settle } from './settle.ts';
import { bindTestAddresses, dropTestAddresses, refuseTakenLinkLocal } from './test-addresses.ts';
import { enter, freeMac, replace, transit } from './transit.ts';

/** Ours: time for neighbours to take an announcement, and for frames in flight to arrive. */
const WITHDRAWAL_GRACE_MS = 50;
/** Ours: from one look at the workers to the next; they take a breath in between. */
const CATCH_UP_STEP_MS = 2;
/** Ours: workers that get a processor have caught up by then. */
const CATCH_UP_USUAL_MS = 30;
/** Ours: a worker that is late for so long does not keep the operator waiting. */
const CATCH_UP_MAX_MS = 1000;

/**
 * Waits until neighbours send nothing to a member that withdraws: every move has been announced,
 * which takes up to a second when addresses move often, the grace period is over, and what the
 * member received meanwhile is read. A worker that got no processor may have written the
 * announcements only then: the grace period begins anew, once.
 */
export function* untilUnused(ctx: IpmpContext, group: IpmpGroup): Operation<void> {
  const { nowMs } = ctx;
  const toldAtMs = Math.max(nowMs, group.lan.movesToldAtMs());
  yield* sleepFor(toldAtMs - nowMs + WITHDRAWAL_GRACE_MS);
  if ((yield* untilCaughtUp(ctx)) <= CATCH_UP_USUAL_MS) return;
  yield* sleepFor(WITHDRAWAL_GRACE_MS);
  yield* untilCaughtUp(ctx);
}

/** Waits for the workers; answers how long. */
function* untilCaughtUp(ctx: IpmpContext): Operation<number> {
  const beganMs = ctx.nowMs;
  const hasCaughtUp = ctx.words.catchUp();
  while (!hasCaughtUp() && ctx.nowMs - beganMs < CATCH_UP_MAX_MS) yield* sleepFor(CATCH_UP_STEP_MS);
  return ctx.nowMs - beganMs;
}

/**
 * Makes a NIC a member; nothing if it is one. ENXIO, ENOENT, EALREADY, ENOSPC, ETIMEDOUT;
 * EADDRINUSE: its link-local test address is one of the group.
 */
export function* joinGroup(ctx: IpmpContext, groupName: string, ifname: string): Operation<void> {
  const tracked = findInterface(ctx, ifname);
  const group = yield* acceptJoin(ctx, tracked, groupName);
  if (group === undefined) return;
  using _held = group.references.hold('join');
  using _reference = tracked.phyint.references.hold('join');
  try {
    using _writer = yield* acquire(group.ipsq);
    const value = yield* askFirst(ctx, tracked);
    join(ctx, tracked, group, value);
  } finally {
    if (tracked.joining === group) {
      tracked.joining = undefined;
      group.pendingJoins--;
      noteChange(ctx, group);
    }
  }
}

/** Ends a membership. ENXIO, ENOENT, EINVAL; no member of any group: nothing. */
export function* leaveGroup(ctx: IpmpContext, groupName: string, ifname: string): Operation<void> {
  const tracked = findInterface(ctx, ifname);
  findGroup(ctx, groupName);
  using _writer = yield* becomeWriter(tracked);
  refuseCondemnedInterface(tracked);
  const { group } = tracked;
  if (group === undefined) return;
  if (group !== lookupGroup(ctx, groupName)) {
    throw new OperatorError(
      'EINVAL',
      `interface ${ifname} is in group ${group.name}, not in ${groupName}`,
    );
  }
  yield* leave(ctx, tracked, group);
}

/** Becomes writer on an interface; its lock may become another during the wait. */
export function* becomeWriter(tracked: TrackedPhyint): Operation<Held> {
  for (;;) {
    const lock = tracked.writerLock;
    const held = yield* acquire(lock);
    if (tracked.writerLock === lock) return held;
    held.release();
  }
}

/** The checks of a join, in the order of docs/law.md row 18; undefined: already a member. */
function* acceptJoin(
  ctx: IpmpContext,
  tracked: TrackedPhyint,
  groupName: string,
): Operation<IpmpGroup | undefined> {
  using _writer = yield* becomeWriter(tracked);
  refuseCondemnedInterface(tracked);
  const { name } = tracked;
  const present = tracked.group ?? tracked.joining;
  if (present !== undefined && present === lookupGroup(ctx, groupName)) return undefined;
  if (present !== undefined) throw alreadyMember(name, present.name);
  const group = findGroup(ctx, groupName);
  if (group.members.length + group.pendingJoins >= MAX_GROUP_MEMBERS) {
    const message = `group ${group.name} has ${MAX_GROUP_MEMBERS} members already`;
    throw new OperatorError('ENOSPC', message);
  }
  refuseTakenLinkLocal(ctx, tracked, group);
  ctx.illGlobalLock.write(() => {
    tracked.joining = group;
    group.pendingJoins++;
  });
  noteChange(ctx, group);
  return group;
}

/** The join itself: one turn. EADDRINUSE: an address was taken during the wait. */
function join(
  ctx: IpmpContext,
  tracked: TrackedPhyint,
  group: IpmpGroup,
  value: LinkCounters,
): void {
  refuseTakenLinkLocal(ctx, tracked, group);
  ctx.illGlobalLock.write(() => {
    tracked.joining = undefined;
    group.pendingJoins--;
    const ordinal = group.grp.freeOrdinal();
    const counters = group.counters.join(value);
    group.grp.addMember(tracked);
    tracked.membership = { group, ordinal, counters, withdrawal: 'none' };
  });
  postInterface(ctx, 'member-added', 'joined', tracked, { to: tracked.shownState });
  structureChanged(ctx);
  if (tracked.state === 'running') {
    if (clashes(tracked)) transit(ctx, tracked, 'mac-clash');
    else enter(ctx, tracked, group, false, 'joined');
  }
  settle(ctx, group);
  bindTestAddresses(ctx, tracked);
}

/**
 * Leaves; the caller is writer on the group. An interface that is out of use for its MAC, or was
 * offline, is so no longer than its membership lasts.
 */
export function* leave(
  ctx: IpmpContext,
  tracked: TrackedPhyint,
  group: IpmpGroup,
): Operation<void> {
  if (withdraw(ctx, tracked, group, 'leave')) yield* untilUnused(ctx, group);
  const value = yield* askOrForget(ctx, tracked);
  setWithdrawal(ctx, tracked, 'gone', 'left');
  handOver(ctx, group);
  dropTestAddresses(ctx, tracked, 'left');
  ctx.illGlobalLock.write(() => {
    const { membership } = tracked;
    assert(membership !== undefined, `${tracked.name} is a member`);
    group.counters.leave(membership.counters, value);
    group.grp.removeMember(tracked);
    tracked.membership = undefined;
    tracked.setInactive(false, 'left');
  });
  const { name: ifname, shownState: from } = tracked;
  post(ctx, 'member-removed', 'left', { group: group.name, ifname, from });
  structureChanged(ctx);
  freeMac(ctx, tracked);
  settle(ctx, group);
  if (tracked.ill.testIpifs.some(({ address }) => isOfOneLink(address))) retryUnserved(ctx);
}

/**
 * A member is on its way out of its group (docs/law.md rows 22, 23) or of use (row 103): the others
 * take over before it goes. Answers whether one took over, so that frames may still be on their way
 * to it.
 */
export function withdraw(
  ctx: IpmpContext,
  tracked: TrackedPhyint,
  group: IpmpGroup,
  how: 'leave' | 'offline',
): boolean {
  const wasActive = tracked.isUsable;
  setWithdrawal(ctx, tracked, how, how === 'leave' ? 'left' : 'taken-offline');
  const othersActive = group.members.some((member) => member.isUsable);
  const isReplaced = how === 'offline' || !othersActive || tracked.standby;
  if (wasActive && isReplaced) replace(ctx, group);
  handOver(ctx, group);
  return wasActive && !group.grp.active.includes(tracked);
}

export function setWithdrawal(
  ctx: IpmpContext,
  tracked: TrackedPhyint,
  withdrawal: Withdrawal,
  why: Cause,
): void {
  ctx.illGlobalLock.write(() => {
    assert(tracked.membership !== undefined, `${tracked.name} is a member`);
    tracked.membership.withdrawal = withdrawal;
    tracked.activeCause = why;
  });
  noteChange(ctx, tracked.group);
}

/** The counters at a join. Without a device there are no counts that could be lost. */
function* askFirst(ctx: IpmpContext, tracked: TrackedPhyint): Operation<LinkCounters> {
  try {
    return yield* ask(ctx, tracked);
  } catch (error) {
    const isNowhere = error instanceof OperatorError && error.code === 'ENODEV';
    if (isNowhere && !tracked.phyint.present) return LINK_COUNTERS_ZERO;
    throw error;
  }
}

/** The counters; undefined if the driver does not give them in time. */
function* askOrForget(
  ctx: IpmpContext,
  tracked: TrackedPhyint,
): Operation<LinkCounters | undefined> {
  using _reference = tracked.phyint.references.hold('leave');
  try {
    return yield* ask(ctx, tracked);
  } catch (error) {
    if (!(error instanceof OperatorError)) throw error;
    return undefined; // the last value that was published is committed instead
  }
}

function ask(ctx: IpmpContext, tracked: TrackedPhyint): Operation<LinkCounters> {
  const { scheduler, linkStatistics } = ctx;
  const deadlineMs = scheduler.nowMs + READ_BUDGET_MS;
  return within(`statistics of ${tracked.name}`, deadlineMs, () =>
    linkStatistics(tracked.nic, tracked.name),
  );
}
