/**
 * Membership: a NIC joins a group and leaves it, as operations that may wait (IPMP semantics 2.4,
 * 2.5). Refusals carry the errno of that document and change nothing.
 *
 * Order, and why
 * - *Join*: accepted under the NIC's own ipsq; from then on the group's ipsq is the NIC's, and the
 *   group cannot be deleted (`pendingJoins`). The driver is asked for the counters with no region
 *   open; the join itself is one turn. Without an honest baseline the join is refused.
 * - *Leave*: the others take over and announce what they took; frames that are on their way to
 *   the leaver are accepted until a moment after the announcements; if nobody else can carry data,
 *   the leaver goes on until it is gone. Then the counters (no region open), and in one turn: the
 *   link is cut, the counters move into the group's baseline. A driver that does not answer in time
 *   costs the counts since the last reading, never the operation.
 *
 * Modelled in test/model/new-order.pml, the counters in test/model/group-counters.pml.
 */

import { assert } from '../../base/assert.ts';
import { OperatorError } from '../../base/errors.ts';
import { acquire, type Held } from '../../base/lock.ts';
import { type Operation, sleepFor } from '../../base/operation.ts';
import { MAX_GROUP_MEMBERS } from '../../model/limits.ts';
import { READ_BUDGET_MS, within } from '../../stats/collector.ts';
import { LINK_COUNTERS_ZERO, type LinkCounters } from '../../stats/schema.ts';
import {
  findGroup,
  findInterface,
  type IpmpContext,
  lookupGroup,
  post,
  refuseCondemnedInterface,
  structureChanged,
} from '../object/context.ts';
import type { IpmpGroup } from '../object/group.ts';
import type { TrackedPhyint } from '../object/tracked.ts';
import type { Policy } from './policy.ts';
import { bindTestAddresses, dropTestAddresses } from './test-addresses.ts';

/** Ours: after an announcement neighbours have heard it, and what they sent before has arrived. */
const WITHDRAWAL_GRACE_MS = 50;

/**
 * Waits until neighbours send nothing to a member that withdraws: they have been told of every
 * move, which takes up to a second when addresses move often, and then the grace is over.
 */
export function* untilUnused(ctx: IpmpContext, group: IpmpGroup): Operation<void> {
  const { nowMs } = ctx;
  const toldAtMs = Math.max(nowMs, group.lan.movesToldAtMs());
  yield* sleepFor(toldAtMs - nowMs + WITHDRAWAL_GRACE_MS);
}

/** Joins and leaves. */
export class MembershipOperations {
  readonly #ctx: IpmpContext;
  readonly #policy: Policy;

  constructor(ctx: IpmpContext, policy: Policy) {
    this.#ctx = ctx;
    this.#policy = policy;
  }

  /** Makes a NIC a member; of one nothing. ENXIO, ENOENT, EALREADY, ENOSPC, ETIMEDOUT. */
  *joinGroup(groupName: string, ifname: string): Operation<void> {
    const tracked = findInterface(this.#ctx, ifname);
    const group = yield* this.#acceptJoin(tracked, groupName);
    if (group === undefined) return;
    using _held = group.references.hold('join');
    using _reference = tracked.phyint.references.hold('join');
    try {
      using _writer = yield* acquire(group.ipsq);
      const value = yield* this.#askFirst(tracked);
      this.#join(tracked, group, value);
    } finally {
      if (tracked.joining === group) {
        tracked.joining = undefined;
        group.pendingJoins--;
      }
    }
  }

  /** Ends a membership. ENXIO, ENOENT, EINVAL; no member of any group: nothing. */
  *leaveGroup(groupName: string, ifname: string): Operation<void> {
    const tracked = findInterface(this.#ctx, ifname);
    findGroup(this.#ctx, groupName);
    using _writer = yield* this.becomeWriter(tracked);
    const { group } = tracked;
    if (group === undefined) return;
    if (group !== lookupGroup(this.#ctx, groupName)) {
      throw new OperatorError(
        'EINVAL',
        `interface ${ifname} is in group ${group.name}, not in ${groupName}`,
      );
    }
    yield* this.leave(tracked, group);
  }

  /** Becomes writer on an interface, whatever lock that is by the time it is ours. */
  *becomeWriter(tracked: TrackedPhyint): Operation<Held> {
    for (;;) {
      const lock = tracked.writerLock;
      const held = yield* acquire(lock);
      if (tracked.writerLock === lock) return held;
      held.release();
    }
  }

  /** The checks of a join, in the order of semantics 2.4; undefined: it is a member already. */
  *#acceptJoin(tracked: TrackedPhyint, groupName: string): Operation<IpmpGroup | undefined> {
    using _writer = yield* this.becomeWriter(tracked);
    refuseCondemnedInterface(tracked);
    const { name } = tracked;
    const present = tracked.group ?? tracked.joining;
    if (present !== undefined && present === lookupGroup(this.#ctx, groupName)) return undefined;
    if (present !== undefined) throw alreadyIn(name, present.name);
    const group = findGroup(this.#ctx, groupName);
    if (group.members.length + group.pendingJoins >= MAX_GROUP_MEMBERS) {
      const message = `group ${group.name} has ${MAX_GROUP_MEMBERS} members already`;
      throw new OperatorError('ENOSPC', message);
    }
    this.#ctx.illGlobalLock.write(() => {
      tracked.joining = group;
      group.pendingJoins++;
    });
    return group;
  }

  /** The join itself: one turn. */
  #join(tracked: TrackedPhyint, group: IpmpGroup, value: LinkCounters): void {
    const ctx = this.#ctx;
    ctx.illGlobalLock.write(() => {
      tracked.joining = undefined;
      group.pendingJoins--;
      const ordinal = group.grp.freeOrdinal();
      const counters = group.counters.join(value);
      group.grp.addMember(tracked);
      tracked.membership = { group, ordinal, counters, withdrawal: 'none' };
    });
    post(ctx, 'member-added', 'joined', {
      group: group.name,
      ifname: tracked.name,
      to: tracked.shownState,
    });
    structureChanged(ctx);
    this.#policy.memberJoined(tracked, group);
    bindTestAddresses(ctx, tracked);
  }

  /** Leaves; the caller is writer on the group. */
  *leave(tracked: TrackedPhyint, group: IpmpGroup): Operation<void> {
    const ctx = this.#ctx;
    if (this.#policy.memberWithdraws(tracked, group, 'leave')) yield* untilUnused(ctx, group);
    const value = yield* this.#askOrForget(tracked);
    this.#policy.memberGone(tracked, group);
    dropTestAddresses(ctx, tracked, 'left');
    ctx.illGlobalLock.write(() => {
      const { membership } = tracked;
      assert(membership !== undefined, `${tracked.name} is a member`);
      group.counters.leave(membership.counters, value);
      group.grp.removeMember(tracked);
      tracked.membership = undefined;
      tracked.setInactive(false, 'left');
    });
    post(ctx, 'member-removed', 'left', {
      group: group.name,
      ifname: tracked.name,
      from: tracked.shownState,
    });
    structureChanged(ctx);
    this.#policy.memberLeft(tracked, group);
  }

  /** The counters at a join. What has no device has counted nothing that could be lost. */
  *#askFirst(tracked: TrackedPhyint): Operation<LinkCounters> {
    try {
      return yield* this.#ask(tracked);
    } catch (error) {
      const isNowhere = error instanceof OperatorError && error.code === 'ENODEV';
      if (isNowhere && !tracked.phyint.present) return LINK_COUNTERS_ZERO;
      throw error;
    }
  }

  /** The counters; undefined if the driver does not say them in time. */
  *#askOrForget(tracked: TrackedPhyint): Operation<LinkCounters | undefined> {
    using _reference = tracked.phyint.references.hold('leave');
    try {
      return yield* this.#ask(tracked);
    } catch (error) {
      if (!(error instanceof OperatorError)) throw error;
      return undefined; // the last value that anybody has seen is committed instead
    }
  }

  #ask(tracked: TrackedPhyint): Operation<LinkCounters> {
    const { scheduler, linkStatistics } = this.#ctx;
    const deadlineMs = scheduler.nowMs + READ_BUDGET_MS;
    return within(`statistics of ${tracked.name}`, deadlineMs, () =>
      linkStatistics(tracked.nic, tracked.name),
    );
  }
}

/** Refusal: a NIC is in one group at a time. */
export function alreadyIn(ifname: string, groupName: string): OperatorError {
  return new OperatorError(
    'EALREADY',
    `interface ${ifname} is already in group ${groupName}`,
    `remove it there first: ipmpadm group remove ${groupName} ${ifname}`,
  );
}
