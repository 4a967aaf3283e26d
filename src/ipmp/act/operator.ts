/**
 * What an operator does with interfaces and groups that are there (docs/law.md rows 99 to 105):
 * takes an interface offline and brings it back, makes a waiting one active, makes it a standby or
 * not, gives it test addresses; renames a group and changes its settings.
 *
 * Each is an operation as writer on the interface or the group, so a membership does not change
 * meanwhile. It looks at everything first, and what it refuses has changed nothing. Two of them
 * wait. Going offline: the others take over and announce what they took, and frames in flight to
 * the NIC are accepted for as long as when a member leaves (membership.ts); then it is
 * out of use, unless no other works by then. And what the host may refuse of a group's settings is
 * asked of it first, without the ipsq of the group: other operations go on meanwhile.
 */

import { OperatorError } from '../../base/errors.ts';
import { acquire } from '../../base/lock.ts';
import type { Operation } from '../../base/operation.ts';
import { causeSentence } from '../../model/causes.ts';
import { checkName } from '../../model/names.ts';
import { clashes } from '../decide/evidence.ts';
import {
  checkNameIsFree,
  findGroup,
  findInterface,
  type IpmpContext,
  noteChange,
  post,
  postInterface,
  refuseCondemnedGroup,
  refuseCondemnedInterface,
  structureChanged,
} from '../object/context.ts';
import type { IpmpGroup } from '../object/group.ts';
import { checkGroupSettings, type GroupSettings } from '../object/spec.ts';
import type { TrackedPhyint } from '../object/tracked.ts';
import { judgeAgain } from './inputs.ts';
import { becomeWriter, setWithdrawal, untilUnused, withdraw } from './membership.ts';
import { refreshGroupMtu, settle } from './settle.ts';
import {
  bindTestAddresses,
  checkTestAddresses,
  dropTestAddresses,
  replaceTestAddresses,
} from './test-addresses.ts';
import { enter, transit } from './transit.ts';

/** What of an interface can be changed while it lives. */
export interface InterfaceChanges {
  readonly standby?: boolean;
  /** The whole list, with prefix lengths. */
  readonly testAddresses?: readonly string[];
}

/**
 * Takes a member out of use until it is brought online, whatever becomes of its device and link.
 * ENXIO; EINVAL: in no group; EALREADY; EBUSY: no other interface of the group works.
 */
export function* offlineInterface(ctx: IpmpContext, name: string): Operation<void> {
  const tracked = findInterface(ctx, name);
  using _writer = yield* becomeWriter(tracked);
  refuseCondemnedInterface(tracked);
  const group = groupOf(tracked, `take interface ${name} offline`);
  if (tracked.isOffline) throw new OperatorError('EALREADY', `interface ${name} is offline`);
  if (!canSpare(tracked, group)) throw needed(tracked, group);
  if (tracked.functioning) yield* withdrawOrStay(ctx, tracked, group);
  transit(ctx, tracked, 'taken-offline');
  if (tracked.phyint.link === 'down') transit(ctx, tracked, 'link-down');
  setWithdrawal(ctx, tracked, 'none', 'taken-offline');
  settle(ctx, group);
  dropTestAddresses(ctx, tracked, 'taken-offline');
  structureChanged(ctx);
}

/** Lets the others take over; takes all of it back if then only this one works. */
function* withdrawOrStay(
  ctx: IpmpContext,
  tracked: TrackedPhyint,
  group: IpmpGroup,
): Operation<void> {
  let isDone = false;
  try {
    if (withdraw(ctx, tracked, group, 'offline')) yield* untilUnused(ctx, group);
    isDone = canSpare(tracked, group);
  } finally {
    if (!isDone) stay(ctx, tracked, group);
  }
  if (!isDone) throw needed(tracked, group);
}

/** A member does not go out of use after all. */
function stay(ctx: IpmpContext, tracked: TrackedPhyint, group: IpmpGroup): void {
  const { isActivated } = tracked;
  setWithdrawal(ctx, tracked, 'none', tracked.cause);
  if (tracked.state === 'running') enter(ctx, tracked, group, false);
  if (isActivated && tracked.isUsable) ctx.illGlobalLock.write(() => tracked.activate());
  settle(ctx, group);
}

/**
 * Ends what `offlineInterface` began; also if failback is off, the interface does not wait. It
 * may be in no group by now. ENXIO; EINVAL: not offline; EADDRINUSE: another member has its MAC,
 * and then it is offline for that reason alone.
 */
export function* onlineInterface(ctx: IpmpContext, name: string): Operation<void> {
  const tracked = findInterface(ctx, name);
  using _writer = yield* becomeWriter(tracked);
  refuseCondemnedInterface(tracked);
  if (!tracked.isOffline && tracked.state !== 'clashing') {
    throw new OperatorError('EINVAL', `interface ${name} is not offline`);
  }
  const isClash = clashes(tracked);
  transit(ctx, tracked, isClash ? 'mac-clash' : 'brought-online');
  structureChanged(ctx);
  settle(ctx, tracked.group);
  if (isClash) throw clashing(tracked);
  bindTestAddresses(ctx, tracked);
}

/**
 * Makes a waiting member active. One that waits because failback is off is used again as if it
 * were on; a standby is used beside the others until the end of its activation (head of
 * standby.ts). ENXIO; EINVAL: in no group, or not healthy; EALREADY.
 */
export function* activateInterface(ctx: IpmpContext, name: string): Operation<void> {
  const tracked = findInterface(ctx, name);
  using _writer = yield* becomeWriter(tracked);
  refuseCondemnedInterface(tracked);
  const group = groupOf(tracked, `activate interface ${name}`);
  if (!tracked.functioning) {
    const why = `it is ${tracked.shownState}: ${causeSentence(tracked.cause)}`;
    throw new OperatorError('EINVAL', `cannot activate interface ${name}: ${why}`);
  }
  if (!tracked.inactive) throw new OperatorError('EALREADY', `interface ${name} is active`);
  if (tracked.standby) ctx.illGlobalLock.write(() => tracked.activate());
  else enter(ctx, tracked, group, false, 'activated');
  settle(ctx, group);
}

/**
 * Changes what is given and nothing else. A member that becomes a standby waits if enough
 * others work; one that is none any longer works (docs/law.md row 99). Test addresses that stay are
 * not touched. ENXIO, EINVAL, EADDRINUSE, ENOSPC.
 */
export function* setInterface(
  ctx: IpmpContext,
  name: string,
  changes: InterfaceChanges,
): Operation<void> {
  const tracked = findInterface(ctx, name);
  using _writer = yield* becomeWriter(tracked);
  refuseCondemnedInterface(tracked);
  const { standby, testAddresses } = changes;
  const prefixes = testAddresses && checkTestAddresses(ctx, name, testAddresses);
  if (standby !== undefined && standby !== tracked.standby) setStandby(ctx, tracked, standby);
  if (prefixes !== undefined) replaceTestAddresses(ctx, tracked, prefixes);
}

function setStandby(ctx: IpmpContext, tracked: TrackedPhyint, standby: boolean): void {
  ctx.illGlobalLock.write(() => tracked.setStandby(standby));
  const [from, to] = standby ? ['off', 'on'] : ['on', 'off'];
  postInterface(ctx, 'interface-standby', 'configured', tracked, { from, to });
  const { group } = tracked;
  if (group === undefined) return;
  if (tracked.functioning) enter(ctx, tracked, group, false, 'configured');
  settle(ctx, group);
}

/** Changes settings of a group: what is given. ENOENT, EINVAL; what the host refuses with. */
export function* setGroup(
  ctx: IpmpContext,
  name: string,
  changes: Partial<GroupSettings>,
): Operation<void> {
  const group = findGroup(ctx, name);
  refuseCondemnedGroup(group);
  const { forwarding = group.settings.forwarding } = changes;
  checkGroupSettings(group.name, { ...group.settings, ...changes });
  if (forwarding !== group.settings.forwarding) {
    yield* ctx.setGroupForwarding(group.ifname, forwarding);
  }
  using _writer = yield* acquire(group.ipsq);
  refuseCondemnedGroup(group);
  const before = group.settings;
  const settings = { ...before, ...changes };
  ctx.illGlobalLock.write(() => {
    group.settings = settings;
  });
  noteChange(ctx, group);
  group.lan.setNeighborLimit(settings.neighbors);
  structureChanged(ctx);
  for (const member of group.members) {
    if (member.dampingDeadline !== undefined) judgeAgain(ctx, member);
  }
  if (settings.failback && !before.failback) failBack(ctx, group);
  refreshGroupMtu(ctx, group);
}

/** Every waiting member that is no standby is used again, because failback was switched on. */
function failBack(ctx: IpmpContext, group: IpmpGroup): void {
  for (const member of group.members) {
    if (member.functioning && member.inactive && !member.standby) {
      enter(ctx, member, group, false);
    }
  }
  settle(ctx, group);
}

/**
 * Renames a group; its device, its port and its kstat keep their name. ENOENT; EINVAL,
 * ENAMETOOLONG for what is no name; EEXIST; its own name: nothing happens.
 */
export function* renameGroup(ctx: IpmpContext, name: string, to: string): Operation<void> {
  const group = findGroup(ctx, name);
  checkName('group', to);
  using _writer = yield* acquire(group.ipsq);
  refuseCondemnedGroup(group);
  checkNameIsFree(ctx, to, group);
  const from = group.name;
  if (to === from) return;
  ctx.illGlobalLock.write(() => {
    group.name = to;
    for (const count of ctx.failovers.values()) {
      if (count.device === group.ifname) count.group = to;
    }
  });
  post(ctx, 'group-renamed', 'configured', { group: to, from, to });
}

/** The group of a member; EINVAL if it is in none, so that one cannot do `what`. */
function groupOf({ group }: TrackedPhyint, what: string): IpmpGroup {
  if (group !== undefined) return group;
  throw new OperatorError('EINVAL', `cannot ${what}: it is in no group`);
}

/**
 * Whether a group does without a member (docs/law.md row 103): another one works, or nothing works
 * anyway and another one is not offline.
 */
function canSpare(tracked: TrackedPhyint, group: IpmpGroup): boolean {
  const others = group.members.filter((member) => member !== tracked);
  if (group.state !== 'failed') return others.some((other) => other.functioning);
  return others.some((other) => other.state === 'failed' || other.state === 'absent');
}

function needed({ name }: TrackedPhyint, group: IpmpGroup): OperatorError {
  return new OperatorError(
    'EBUSY',
    `cannot take interface ${name} offline: no other interface of group ${group.name} works`,
    `bring another one online or add one first: ipmpadm group add ${group.name} IF`,
  );
}

function clashing({ name, group, phyint }: TrackedPhyint): OperatorError {
  const other = group?.members.find(
    (member) => member.name !== name && member.phyint.physAddr === phyint.physAddr,
  );
  return new OperatorError(
    'EADDRINUSE',
    `cannot bring interface ${name} online: interface ${other?.name} has the same MAC`,
  );
}
