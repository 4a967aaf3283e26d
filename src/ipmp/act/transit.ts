/**
 * One interface changes its state: the first half of every change (settle.ts is the second). Its
 * state table has what follows for the group, and the rules of standby and failback apply: a
 * member that begins to work may have to wait, one that ceases to work is replaced. Nothing that is
 * seen outside changes but events; steering, addresses and announcements are the settling's.
 */

import type { Cause } from '../../model/causes.ts';
import { clashes } from '../decide/evidence.ts';
import type { PhyintEvent } from '../decide/phyint-state.ts';
import { entryDecision, replacementFor } from '../decide/standby.ts';
import { type IpmpContext, postInterface } from '../object/context.ts';
import type { IpmpGroup } from '../object/group.ts';
import type { TrackedPhyint } from '../object/tracked.ts';

/** The one place where the state of an interface changes. */
export function transit(ctx: IpmpContext, tracked: TrackedPhyint, event: PhyintEvent): void {
  const { group, state: from, cause, shownState, isUsable: wasActive } = tracked;
  const { action } = ctx.illGlobalLock.write(() => tracked.transition(event));
  if (action !== 'hold' && action !== 'keep') forgetDeadline(ctx, tracked);
  const isShown = tracked.shownState !== shownState || tracked.cause !== cause;
  if (tracked.state !== from && isShown) {
    const change = { from: shownState, to: tracked.shownState };
    postInterface(ctx, 'interface-state', tracked.cause, tracked, change);
  }
  if (action === 'hold') hold(ctx, tracked);
  if (tracked.state === 'running') tracked.isDamped = false;
  if (group === undefined || tracked.isWithdrawing) return;
  if (action === 'enter') enter(ctx, tracked, group, false);
  else if (action === 'repair') enter(ctx, tracked, group, true);
  else if (action === 'leave' && wasActive) replace(ctx, group);
}

/** A member begins to work (docs/law.md row 100), because of `why`. */
export function enter(
  ctx: IpmpContext,
  tracked: TrackedPhyint,
  group: IpmpGroup,
  isRepair: boolean,
  why: Cause = tracked.cause,
): void {
  const othersActive = group.members.some((other) => other !== tracked && other.isUsable);
  const mustWait = isRepair && !group.settings.failback && othersActive;
  const decision = entryDecision(group.staying, tracked, mustWait);
  const idleCause: Cause = tracked.standby ? 'standby-idle' : 'no-failback';
  ctx.illGlobalLock.write(() => {
    tracked.setInactive(decision.inactive, decision.inactive ? idleCause : why);
    decision.toIdle?.setInactive(true, 'member-repaired');
  });
}

/** An active member ceased to work: another takes its place (docs/law.md row 99). */
export function replace(ctx: IpmpContext, group: IpmpGroup): void {
  const replacement = replacementFor(group.members);
  if (replacement === undefined) return;
  ctx.illGlobalLock.write(() => replacement.setInactive(false, 'member-failed'));
}

/** Ends a clash if the interface now has its MAC alone; answers whether it did. */
export function freeMac(ctx: IpmpContext, tracked: TrackedPhyint): boolean {
  if (tracked.state !== 'clashing' || clashes(tracked)) return false;
  transit(ctx, tracked, 'mac-unique');
  if (!tracked.phyint.isLinkUp) transit(ctx, tracked, 'link-down');
  return true;
}

/** A repair is not believed yet: it is looked at again (inputs.ts) when damping is over. */
export function hold(ctx: IpmpContext, tracked: TrackedPhyint): void {
  forgetDeadline(ctx, tracked);
  const atMs = Math.max(ctx.nowMs, tracked.believedAtMs);
  tracked.dampingDeadline = ctx.dampingDeadlines.schedule(atMs, tracked);
  if (tracked.isDamped) return;
  tracked.isDamped = true;
  const seconds = ((atMs - ctx.nowMs) / 1000).toFixed(3);
  postInterface(ctx, 'interface-damped', 'flapping', tracked, { to: seconds });
}

function forgetDeadline(ctx: IpmpContext, tracked: TrackedPhyint): void {
  if (tracked.dampingDeadline === undefined) return;
  ctx.dampingDeadlines.cancel(tracked.dampingDeadline);
  tracked.dampingDeadline = undefined;
}
