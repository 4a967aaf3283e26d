/**
 * What a group makes of what happens to its members: which state each is in, who of them waits,
 * who takes whose place, and what the group amounts to.
 *
 * Every method here runs in one turn and waits for nothing: an operation in flight (which may
 * wait for a driver) never delays a failover. Such an operation looks again at what it found
 * before it waited.
 *
 * One event is handled in two halves: `transit` moves the interface through its state table and
 * applies the policy of its group, `settle` makes the group right again. Several transitions may
 * precede one settling, so that an address moves at most once.
 */

import { assert } from '../../base/assert.ts';
import type { Cause } from '../../model/causes.ts';
import type { GroupState } from '../../model/states.ts';
import type { PhyintEvent } from '../decide/phyint-state.ts';
import { entryDecision, replacementFor, standbyCorrection } from '../decide/standby.ts';
import { type IpmpContext, post, postInterface } from '../object/context.ts';
import type { IpmpGroup } from '../object/group.ts';
import type { TrackedPhyint, Withdrawal } from '../object/tracked.ts';

import { refreshGroupMtu } from './mtu.ts';
import { regroup } from './regroup.ts';

/** Corrections of standbys in one settling: more means that the decisions contradict each other. */
const CORRECTIONS_MAX = 64;

/** The group layer's decisions about its members. */
export class Policy {
  readonly #ctx: IpmpContext;

  constructor(ctx: IpmpContext) {
    this.#ctx = ctx;
  }

  /** Has the refused repairs of a group judged anew, because its rule changed. */
  reviewDamping(group: IpmpGroup): void {
    for (const member of group.members) {
      if (member.dampingDeadline !== undefined) this.judgeAgain(member);
    }
  }

  /** A NIC has become a member: decides what it is to the group (semantics 6.2, "initial"). */
  memberJoined(tracked: TrackedPhyint, group: IpmpGroup): void {
    if (tracked.state === 'running') {
      if (this.clashes(tracked)) this.transit(tracked, 'mac-clash');
      else this.enter(tracked, group, false, 'joined');
    }
    this.settle(group);
  }

  /**
   * A member is on its way out of its group (semantics 2.5) or of use (6.4): the others take over
   * before it goes. Answers whether somebody took over, so that frames may still be on their way
   * to it.
   */
  memberWithdraws(tracked: TrackedPhyint, group: IpmpGroup, how: 'leave' | 'offline'): boolean {
    const wasActive = tracked.isUsable;
    this.#setWithdrawal(tracked, how, how === 'leave' ? 'left' : 'taken-offline');
    const othersActive = group.members.some((member) => member.isUsable);
    const isReplaced = how === 'offline' || !othersActive || tracked.standby;
    if (wasActive && isReplaced) this.#replace(group);
    regroup(this.#ctx, group);
    return wasActive && !group.grp.active.includes(tracked);
  }

  /** A member does not go out of use after all. */
  memberStays(tracked: TrackedPhyint, group: IpmpGroup): void {
    const { isActivated } = tracked;
    this.#setWithdrawal(tracked, 'none', tracked.cause);
    if (tracked.state === 'running') this.enter(tracked, group, false);
    if (isActivated && tracked.isUsable) this.#ctx.illGlobalLock.write(() => tracked.activate());
    this.settle(group);
  }

  /** A member goes out of use, whether anybody can take over or not: it is offline now. */
  memberOffline(tracked: TrackedPhyint, group: IpmpGroup): void {
    this.transit(tracked, 'taken-offline');
    if (tracked.phyint.link === 'down') this.transit(tracked, 'link-down');
    this.#setWithdrawal(tracked, 'none', 'taken-offline');
    this.settle(group);
  }

  /** A member goes now, whether anybody can take over or not. */
  memberGone(tracked: TrackedPhyint, group: IpmpGroup): void {
    this.#setWithdrawal(tracked, 'gone', 'left');
    regroup(this.#ctx, group);
  }

  /** A member has gone. What it was offline for was its group's. */
  memberLeft(tracked: TrackedPhyint, group: IpmpGroup): void {
    this.#freeMac(tracked);
    this.settle(group);
  }

  /** Every waiting member that is no standby is used again, because failback was switched on. */
  failbackAllowed(group: IpmpGroup): void {
    for (const member of group.members) {
      if (member.functioning && member.inactive && !member.standby) {
        this.enter(member, group, false);
      }
    }
    this.settle(group);
  }

  /** Looks again at an interface whose repair was refused. */
  judgeAgain(tracked: TrackedPhyint): void {
    const { state, phyint } = tracked;
    if ((state !== 'failed' && state !== 'offline-failed') || !phyint.isLinkUp) return;
    const rule = tracked.group?.settings.flapDamping ?? null;
    if (tracked.damping.believedAtMs(rule) > this.#ctx.nowMs) this.#hold(tracked);
    else {
      this.transit(tracked, 'damping-over');
      this.settle(tracked.group);
    }
  }

  /** The one place where the state of an interface changes. */
  transit(tracked: TrackedPhyint, event: PhyintEvent): void {
    const { group, state: from, cause, shownState, isUsable: wasActive } = tracked;
    const { action } = this.#ctx.illGlobalLock.write(() => tracked.transition(event));
    if (action !== 'hold' && action !== 'keep') this.#forgetDeadline(tracked);
    const isShown = tracked.shownState !== shownState || tracked.cause !== cause;
    if (tracked.state !== from && isShown) {
      const change = { from: shownState, to: tracked.shownState };
      postInterface(this.#ctx, 'interface-state', tracked.cause, tracked, change);
    }
    if (action === 'hold') this.#hold(tracked);
    if (tracked.state === 'running') tracked.isDamped = false;
    if (group === undefined || tracked.isWithdrawing) return;
    if (action === 'enter') this.enter(tracked, group, false);
    else if (action === 'repair') this.enter(tracked, group, true);
    else if (action === 'leave' && wasActive) this.#replace(group);
  }

  #setWithdrawal(tracked: TrackedPhyint, withdrawal: Withdrawal, why: Cause): void {
    this.#ctx.illGlobalLock.write(() => {
      assert(tracked.membership !== undefined, `${tracked.name} is a member`);
      tracked.membership.withdrawal = withdrawal;
      tracked.activeCause = why;
    });
  }

  #hold(tracked: TrackedPhyint): void {
    const { nowMs, dampingDeadlines } = this.#ctx;
    this.#forgetDeadline(tracked);
    const rule = tracked.group?.settings.flapDamping ?? null;
    const atMs = Math.max(nowMs, tracked.damping.believedAtMs(rule));
    tracked.dampingDeadline = dampingDeadlines.schedule(atMs, tracked);
    if (tracked.isDamped) return;
    tracked.isDamped = true;
    const seconds = ((atMs - nowMs) / 1000).toFixed(3);
    postInterface(this.#ctx, 'interface-damped', 'flapping', tracked, { to: seconds });
  }

  #forgetDeadline(tracked: TrackedPhyint): void {
    if (tracked.dampingDeadline === undefined) return;
    this.#ctx.dampingDeadlines.cancel(tracked.dampingDeadline);
    tracked.dampingDeadline = undefined;
  }

  /** A member begins to work (semantics 6.2), because of `why`. */
  enter(tracked: TrackedPhyint, group: IpmpGroup, isRepair: boolean, why = tracked.cause): void {
    const othersActive = group.members.some((other) => other !== tracked && other.isUsable);
    const mustWait = isRepair && !group.settings.failback && othersActive;
    const decision = entryDecision(group.staying, tracked, mustWait);
    const idle: Cause = tracked.standby ? 'standby-idle' : 'no-failback';
    this.#ctx.illGlobalLock.write(() => {
      tracked.setInactive(decision.inactive, decision.inactive ? idle : why);
      decision.rest?.setInactive(true, 'member-repaired');
    });
  }

  /** An active member ceased to work: another takes its place (semantics 6.3). */
  #replace(group: IpmpGroup): void {
    const replacement = replacementFor(group.members);
    if (replacement === undefined) return;
    this.#ctx.illGlobalLock.write(() => replacement.setInactive(false, 'member-failed'));
  }

  /** Makes a group right again after transitions of its members. */
  settle(group: IpmpGroup | undefined): void {
    if (group === undefined) return;
    if (!group.members.some((member) => member.functioning)) this.#lastResort(group);
    this.#correctStandbys(group);
    regroup(this.#ctx, group);
    this.#freeMacs(group);
    this.#refreshState(group);
    refreshGroupMtu(this.#ctx, group);
  }

  /** Nothing works: an interface that flaps is better than none. */
  #lastResort(group: IpmpGroup): void {
    const flapping = group.staying.find(
      ({ state, phyint }) => state === 'failed' && phyint.present && phyint.isLinkUp,
    );
    if (flapping !== undefined) this.transit(flapping, 'last-resort');
  }

  #correctStandbys(group: IpmpGroup): void {
    for (let count = 0; ; count++) {
      assert(count < CORRECTIONS_MAX, `${group.name}: the standbys find no rest`);
      const correction = standbyCorrection(group.staying);
      if (correction === undefined) return;
      const { member, inactive } = correction;
      const why = inactive ? 'standby-idle' : 'standby-needed';
      this.#ctx.illGlobalLock.write(() => member.setInactive(inactive, why));
    }
  }

  /** True if a member that came first, and is in use, has the MAC of `tracked` (semantics 5.11). */
  clashes(tracked: TrackedPhyint): boolean {
    const { group, phyint } = tracked;
    if (group === undefined || !phyint.present) return false;
    return group.members.some(
      (other) =>
        other !== tracked &&
        other.phyint.present &&
        other.state !== 'clashing' &&
        !other.isOffline &&
        !other.isLeaving &&
        other.phyint.physAddr === phyint.physAddr,
    );
  }

  /** Members that were offline for their MAC come online when it is theirs alone. */
  #freeMacs(group: IpmpGroup): void {
    const freed = group.members.find((member) => this.#freeMac(member));
    if (freed !== undefined) this.settle(group);
  }

  /** Answers whether it was offline for its MAC and is so no longer. */
  #freeMac(tracked: TrackedPhyint): boolean {
    if (tracked.state !== 'clashing' || this.clashes(tracked)) return false;
    this.transit(tracked, 'mac-unique');
    if (!tracked.phyint.isLinkUp) this.transit(tracked, 'link-down');
    return true;
  }

  #refreshState(group: IpmpGroup): void {
    const before = group.state;
    const after = group.memberState();
    if (after === before) return;
    const why = STATE_CAUSES[after];
    this.#ctx.illGlobalLock.write(() => {
      group.state = after;
      group.stateCause = why;
    });
    post(this.#ctx, 'group-state', why, { group: group.name, from: before, to: after });
  }
}

const STATE_CAUSES: Record<GroupState, Cause> = {
  ok: 'members-equal',
  degraded: 'members-differ',
  failed: 'no-interface',
};
