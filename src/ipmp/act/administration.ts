/**
 * What an operator does with an interface that is there (IPMP semantics 6): takes it offline and
 * brings it back, makes a waiting one active, makes it a standby or not, gives it test addresses.
 *
 * Each is an operation as writer on the interface, so its membership does not change meanwhile. It
 * looks at everything first, and what it refuses has changed nothing. Only going offline waits:
 * the others take over and announce what they took, and frames that are on their way to the NIC
 * are accepted for as long as when a member leaves (membership.ts); then it is out of use. If
 * nobody works any more by then, it stays.
 */

import { OperatorError } from '../../base/errors.ts';
import type { Operation } from '../../base/operation.ts';
import { causeSentence } from '../../model/causes.ts';
import {
  findInterface,
  type IpmpContext,
  postInterface,
  refuseCondemnedInterface,
  structureChanged,
} from '../object/context.ts';
import type { IpmpGroup } from '../object/group.ts';
import type { TrackedPhyint } from '../object/tracked.ts';
import { type MembershipOperations, untilUnused } from './membership.ts';
import type { Policy } from './policy.ts';
import {
  bindTestAddresses,
  checkTestAddresses,
  dropTestAddresses,
  replaceTestAddresses,
} from './test-addresses.ts';

/** What of an interface can be changed while it lives. */
export interface InterfaceChanges {
  readonly standby?: boolean;
  /** The whole list, with prefix lengths. */
  readonly testAddresses?: readonly string[];
}

/** The operator's operations on interfaces. */
export class Administration {
  readonly #ctx: IpmpContext;
  readonly #policy: Policy;
  readonly #membership: MembershipOperations;

  constructor(ctx: IpmpContext, policy: Policy, membership: MembershipOperations) {
    this.#ctx = ctx;
    this.#policy = policy;
    this.#membership = membership;
  }

  /**
   * Takes a member out of use until it is brought online, whatever becomes of its device and link.
   * ENXIO; EINVAL: in no group; EALREADY; EBUSY: no other interface of the group works.
   */
  *offlineInterface(name: string): Operation<void> {
    const tracked = findInterface(this.#ctx, name);
    using _writer = yield* this.#membership.becomeWriter(tracked);
    refuseCondemnedInterface(tracked);
    const group = groupOf(tracked, `take interface ${name} offline`);
    if (tracked.isOffline) throw new OperatorError('EALREADY', `interface ${name} is offline`);
    if (!canSpare(tracked, group)) throw needed(tracked, group);
    if (tracked.functioning) yield* this.#handOver(tracked, group);
    this.#policy.memberOffline(tracked, group);
    dropTestAddresses(this.#ctx, tracked, 'taken-offline');
    structureChanged(this.#ctx);
  }

  /**
   * Ends what `offlineInterface` began; also if failback is off, the interface does not wait. It
   * may be in no group by now. ENXIO; EINVAL: not offline; EADDRINUSE: another member has its MAC,
   * and then it is offline for that reason alone.
   */
  *onlineInterface(name: string): Operation<void> {
    const tracked = findInterface(this.#ctx, name);
    using _writer = yield* this.#membership.becomeWriter(tracked);
    refuseCondemnedInterface(tracked);
    if (!tracked.isOffline && tracked.state !== 'clashing') {
      throw new OperatorError('EINVAL', `interface ${name} is not offline`);
    }
    const isClash = this.#policy.clashes(tracked);
    this.#policy.transit(tracked, isClash ? 'mac-clash' : 'brought-online');
    structureChanged(this.#ctx);
    this.#policy.settle(tracked.group);
    if (isClash) throw clashing(tracked);
    bindTestAddresses(this.#ctx, tracked);
  }

  /**
   * Makes a waiting member active. One that waits because failback is off is used again as if it
   * were on; a standby is used beside the others until the end of its activation, as the head of
   * standby.ts says. ENXIO; EINVAL: in no group, or not healthy; EALREADY.
   */
  *activateInterface(name: string): Operation<void> {
    const tracked = findInterface(this.#ctx, name);
    using _writer = yield* this.#membership.becomeWriter(tracked);
    refuseCondemnedInterface(tracked);
    const group = groupOf(tracked, `activate interface ${name}`);
    if (!tracked.functioning) {
      const why = `it is ${tracked.shownState}: ${causeSentence(tracked.cause)}`;
      throw new OperatorError('EINVAL', `cannot activate interface ${name}: ${why}`);
    }
    if (!tracked.inactive) throw new OperatorError('EALREADY', `interface ${name} is active`);
    if (tracked.standby) this.#ctx.illGlobalLock.write(() => tracked.activate());
    else this.#policy.enter(tracked, group, false, 'activated');
    this.#policy.settle(group);
  }

  /**
   * Changes what is given and leaves the rest. A member that becomes a standby waits if enough
   * others work; one that is none any longer works (semantics 6.1). Test addresses that stay are
   * not touched. ENXIO, EINVAL, EADDRINUSE, ENOSPC.
   */
  *setInterface(name: string, changes: InterfaceChanges): Operation<void> {
    const tracked = findInterface(this.#ctx, name);
    using _writer = yield* this.#membership.becomeWriter(tracked);
    refuseCondemnedInterface(tracked);
    const { standby, testAddresses } = changes;
    const prefixes = testAddresses && checkTestAddresses(this.#ctx, name, testAddresses);
    if (standby !== undefined && standby !== tracked.standby) this.#setStandby(tracked, standby);
    if (prefixes !== undefined) replaceTestAddresses(this.#ctx, tracked, prefixes);
  }

  /** Lets the others take over; takes all of it back if then nobody but this one works. */
  *#handOver(tracked: TrackedPhyint, group: IpmpGroup): Operation<void> {
    let isDone = false;
    try {
      const isCarrying = this.#policy.memberWithdraws(tracked, group, 'offline');
      if (isCarrying) yield* untilUnused(this.#ctx, group);
      isDone = canSpare(tracked, group);
    } finally {
      if (!isDone) this.#policy.memberStays(tracked, group);
    }
    if (!isDone) throw needed(tracked, group);
  }

  #setStandby(tracked: TrackedPhyint, standby: boolean): void {
    this.#ctx.illGlobalLock.write(() => tracked.setStandby(standby));
    const [from, to] = standby ? ['off', 'on'] : ['on', 'off'];
    postInterface(this.#ctx, 'interface-standby', 'configured', tracked, { from, to });
    const { group } = tracked;
    if (group === undefined) return;
    if (tracked.functioning) this.#policy.enter(tracked, group, false, 'configured');
    this.#policy.settle(group);
  }
}

/** The group of a member; EINVAL if it is in none, so that one cannot do `what`. */
function groupOf({ group }: TrackedPhyint, what: string): IpmpGroup {
  if (group !== undefined) return group;
  throw new OperatorError('EINVAL', `cannot ${what}: it is in no group`);
}

/**
 * Whether a group does without a member (semantics 6.4): another one works, or nothing works
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
