/**
 * Which healthy members wait (docs/law.md rows 99, 100), as pure decisions over the members.
 *
 *   N = members that are not standbys, in whatever state
 *   A = functioning members without INACTIVE
 *
 * The goal is A = N: as many members carry data as would without any failure and without the
 * standbys. A group of standbys alone still gets one (N counts as 1).
 *
 * The operator may activate a standby that waits. It is then active beyond the goal: a correction
 * makes neither it nor another idle because of it, and it counts only where too few work.
 * Its activation ends
 * - when it ceases to function: it fails, goes offline, or leaves;
 * - when a member that is no standby begins to work, finds A >= N, and no other standby can
 *   become idle instead (row 100);
 * - when it is no longer a standby, or made one anew.
 * A waiting member that is no standby needs no such mark: activated, it enters by row 100.
 */

/** What the decisions need of a member. */
export interface Candidate {
  readonly standby: boolean;
  /** Healthy, whether it carries data or not. */
  readonly functioning: boolean;
  /** Healthy, but waiting. */
  readonly inactive: boolean;
  /** A standby that is active because the operator activated it. */
  readonly isActivated: boolean;
}

/** What to do with a member that begins to work. */
export interface EntryDecision<T> {
  readonly inactive: boolean;
  /** A standby that becomes idle. */
  readonly toIdle: T | undefined;
}

function wanted(members: readonly Candidate[]): number {
  return Math.max(
    1,
    members.reduce((count, member) => count + (member.standby ? 0 : 1), 0),
  );
}

function isActive(member: Candidate): boolean {
  return member.functioning && !member.inactive;
}

function activeCount(members: readonly Candidate[]): number {
  return members.reduce((count, member) => count + (isActive(member) ? 1 : 0), 0);
}

/**
 * Decides for `entering`, a member of `members` that is about to function. `mustWait`: it was
 * repaired, failback is off, and the group does not depend on it.
 */
export function entryDecision<T extends Candidate>(
  members: readonly T[],
  entering: T,
  mustWait: boolean,
): EntryDecision<T> {
  const others = members.filter((member) => member !== entering);
  const isFull = activeCount(others) >= wanted(members);
  if (entering.standby) return { inactive: isFull, toIdle: undefined };
  if (mustWait) return { inactive: true, toIdle: undefined };
  const standbys = others.filter((member) => member.standby && isActive(member));
  const idle = standbys.find((member) => !member.isActivated) ?? standbys[0];
  return { inactive: false, toIdle: isFull ? idle : undefined };
}

/** The member that replaces an active one that ceased to work: standbys first. */
export function replacementFor<T extends Candidate>(members: readonly T[]): T | undefined {
  const waiting = members.filter((member) => member.functioning && member.inactive);
  return waiting.find((member) => member.standby) ?? waiting.at(-1);
}

/** A standby to make active or idle after the number of members has changed; one at a time. */
export function standbyCorrection<T extends Candidate>(
  members: readonly T[],
): { member: T; inactive: boolean } | undefined {
  const missing = wanted(members) - activeCount(members);
  const standbys = members.filter((member) => member.standby && member.functioning);
  if (missing > 0) {
    const member = standbys.find((standby) => standby.inactive);
    return member && { member, inactive: false };
  }
  const surplus = activeCount(members.filter((member) => !member.isActivated)) - wanted(members);
  if (surplus > 0) {
    const member = standbys.findLast((standby) => !standby.inactive && !standby.isActivated);
    return member && { member, inactive: true };
  }
  return undefined;
}
