/**
 * The life of interfaces and groups, from creation to deletion, as operations that may wait
 * (IPMP semantics 2). Refusals carry the errno of that document and change nothing.
 *
 * *Up*: the object is made complete, with the kstat and the illgrp that its way down will need;
 * then one region makes all of it visible. So nobody finds one part without the others.
 *
 * *Down*: four steps, and only the first can refuse.
 *
 *   condemn…   as writer on the ipsq: in use is EBUSY, and nothing was touched. From here on
 *              whoever looks it up is refused, and no reference is given.
 *   (waiting)  no lock held: the device of a group goes, the last reference is released. The
 *              object is still visible and complete, and its name is taken.
 *   unlink…    one region: out of every list, the kstat with it.
 *   destroy…   unreachable, so nobody can meddle. Cannot fail. Waits for the kstat's reader with
 *              no lock held and no region open.
 *
 * A device that cannot be closed, or a reader that never ends, therefore keeps up nothing but this
 * one object and its name. Checked in all its runs: test/model/new-order.pml.
 */

import { OperatorError } from '../../base/errors.ts';
import { acquire } from '../../base/lock.ts';
import type { Operation } from '../../base/operation.ts';
import { MAX_GROUPS, MAX_NICS } from '../../model/limits.ts';
import {
  findGroup,
  findInterface,
  type IpmpContext,
  post,
  refreshOwnMacs,
  refuseCondemnedGroup,
  refuseCondemnedInterface,
  structureChanged,
} from '../object/context.ts';
import { IpmpGroup } from '../object/group.ts';
import {
  checkGroupSpec,
  checkInterfaceSpec,
  type GroupSpec,
  type InterfaceSpec,
} from '../object/spec.ts';
import { TrackedPhyint } from '../object/tracked.ts';
import { dropAddresses, retryUnserved } from './addresses.ts';
import { alreadyIn, type MembershipOperations } from './membership.ts';
import { checkNameIsFree } from './names.ts';
import { unsteer } from './regroup.ts';
import { addTestAddresses, checkTestAddresses } from './test-addresses.ts';

/** Creates and deletes. Each method is an operation for the scheduler. */
export class Lifecycle {
  readonly #ctx: IpmpContext;
  readonly #membership: MembershipOperations;

  constructor(ctx: IpmpContext, membership: MembershipOperations) {
    this.#ctx = ctx;
    this.#membership = membership;
  }

  /**
   * Names an interface; its device may come later. EINVAL, ENAMETOOLONG, EEXIST, EADDRINUSE,
   * ENOSPC.
   */
  *createInterface(spec: InterfaceSpec): Operation<void> {
    checkInterfaceSpec(spec);
    checkNameIsFree(this.#ctx, spec.name);
    const prefixes = checkTestAddresses(this.#ctx, spec.name, spec.testAddresses);
    const nic = lowestFree(
      MAX_NICS,
      [...this.#ctx.interfaces.values()].map((one) => one.nic),
    );
    if (nic < 0) throw new OperatorError('ENOSPC', `there are ${MAX_NICS} interfaces already`);
    const tracked = new TrackedPhyint(this.#ctx, spec, nic);
    addTestAddresses(tracked, prefixes);
    this.#ctx.illGlobalLock.write(() => {
      this.#ctx.interfaces.set(spec.name, tracked);
      this.#ctx.interfacesByNic.set(nic, tracked);
      this.#ctx.kstats.install(tracked.kstat);
    });
    post(this.#ctx, 'interface-added', 'configured', {
      ifname: spec.name,
      to: tracked.shownState,
    });
    structureChanged(this.#ctx);
  }

  /** Forgets an interface; as a member it leaves its group first (semantics 2.6). ENXIO, EBUSY. */
  *deleteInterface(name: string): Operation<void> {
    const tracked = yield* this.#condemnInterface(name);
    yield* tracked.phyint.references.drained();
    this.#unlinkInterface(tracked);
    yield* this.#destroyInterface(tracked);
  }

  /** Creates a group with its members: all of it or nothing. Refusals of the checks and of join. */
  *createGroup(spec: GroupSpec): Operation<void> {
    checkGroupSpec(spec);
    for (const name of new Set([spec.name, spec.groupName ?? spec.name])) {
      checkNameIsFree(this.#ctx, name);
    }
    for (const ifname of spec.interfaces) {
      const tracked = findInterface(this.#ctx, ifname);
      const other = tracked.group ?? tracked.joining;
      if (other !== undefined) throw alreadyIn(ifname, other.name);
    }
    const index = lowestFree(
      MAX_GROUPS,
      [...this.#ctx.groups.values()].map((one) => one.index),
    );
    if (index < 0) throw new OperatorError('ENOSPC', `there are ${MAX_GROUPS} groups already`);
    const group = new IpmpGroup(this.#ctx, spec, index);
    this.#ctx.illGlobalLock.write(() => {
      this.#ctx.groups.set(group.ifname, group);
      this.#ctx.groupsByPort.set(group.port, group);
      this.#ctx.kstats.install(group.kstat);
    });
    post(this.#ctx, 'group-added', 'configured', { group: group.name, to: group.state });
    structureChanged(this.#ctx);
    try {
      for (const ifname of spec.interfaces) yield* this.#membership.joinGroup(spec.name, ifname);
    } catch (error) {
      yield* this.#undoCreate(group);
      throw error;
    }
  }

  /** Whether a group could be deleted now. ENOENT, EBUSY. */
  checkGroupDeletable(name: string): void {
    refuseGroupInUse(findGroup(this.#ctx, name));
  }

  /** Deletes an empty group. ENOENT, EBUSY. */
  *deleteGroup(name: string): Operation<void> {
    const group = yield* this.#condemnGroup(name);
    yield* this.#ctx.closeGroupDevice(group.ifname);
    yield* group.references.drained();
    this.#unlinkGroup(group);
    yield* this.#destroyGroup(group);
  }

  /** The leaving of a member is an operation of its own; only what is in no group is condemned. */
  *#condemnInterface(name: string): Operation<TrackedPhyint> {
    const tracked = findInterface(this.#ctx, name);
    using _writer = yield* this.#membership.becomeWriter(tracked);
    refuseCondemnedInterface(tracked);
    const { joining } = tracked;
    if (joining !== undefined) {
      const message = `cannot delete interface ${name}: it is joining group ${joining.name}`;
      throw new OperatorError('EBUSY', message);
    }
    if (tracked.group !== undefined) yield* this.#membership.leave(tracked, tracked.group);
    tracked.phyint.references.condemn();
    return tracked;
  }

  #unlinkInterface(tracked: TrackedPhyint): void {
    const { interfaces, interfacesByNic, kstats, illGlobalLock } = this.#ctx;
    illGlobalLock.write(() => {
      interfaces.delete(tracked.name);
      interfacesByNic.delete(tracked.nic);
      kstats.unlink(tracked.kstat);
      tracked.phyint.references.unlink();
    });
  }

  *#destroyInterface(tracked: TrackedPhyint): Operation<void> {
    const { name, dampingDeadline } = tracked;
    if (dampingDeadline !== undefined) this.#ctx.dampingDeadlines.cancel(dampingDeadline);
    refreshOwnMacs(this.#ctx);
    post(this.#ctx, 'interface-removed', 'configured', { ifname: name, from: tracked.shownState });
    structureChanged(this.#ctx);
    if (tracked.ill.testIpifs.length > 0) retryUnserved(this.#ctx);
    yield* this.#ctx.kstats.destroy(tracked.kstat);
    tracked.phyint.references.free();
  }

  /** As I_PUNLINK (semantics 2.6): members and joins in flight keep a group. */
  *#condemnGroup(name: string): Operation<IpmpGroup> {
    const group = findGroup(this.#ctx, name);
    using _writer = yield* acquire(group.ipsq);
    refuseCondemnedGroup(group);
    refuseGroupInUse(group);
    group.references.condemn();
    return group;
  }

  /** The meta-interface with its illgrp: neither is found without the other. */
  #unlinkGroup(group: IpmpGroup): void {
    const { groups, groupsByPort, kstats, illGlobalLock } = this.#ctx;
    illGlobalLock.write(() => {
      groups.delete(group.ifname);
      groupsByPort.delete(group.port);
      kstats.unlink(group.kstat);
      group.references.unlink();
    });
  }

  *#destroyGroup(group: IpmpGroup): Operation<void> {
    dropAddresses(this.#ctx, group);
    unsteer(this.#ctx, group);
    this.#ctx.frames.keep(group.lan.counters);
    refreshOwnMacs(this.#ctx);
    structureChanged(this.#ctx);
    post(this.#ctx, 'group-removed', 'configured', { group: group.name, from: group.state });
    yield* this.#ctx.kstats.destroy(group.kstat);
    group.references.free();
  }

  /** Takes a group back that could not get all its members; the first refusal is what counts. */
  *#undoCreate(group: IpmpGroup): Operation<void> {
    try {
      for (const member of [...group.members]) {
        yield* this.#membership.leaveGroup(group.ifname, member.name);
      }
      if (this.#ctx.groups.get(group.ifname) === group) yield* this.deleteGroup(group.ifname);
    } catch (error) {
      // Somebody else has given the group a member meanwhile: then it is theirs and stays.
      if (!(error instanceof OperatorError)) throw error;
    }
  }
}

/** EBUSY while there are members, or will be; names them, and says what to do. */
function refuseGroupInUse({ name, members, pendingJoins }: IpmpGroup): void {
  const names = members.map((member) => member.name);
  if (names.length > 0) {
    throw new OperatorError(
      'EBUSY',
      `cannot delete group ${name}: it still has members ${names.join(', ')}`,
      `remove them first: ipmpadm group remove ${name} ${names.join(' ')}`,
    );
  }
  if (pendingJoins > 0) {
    throw new OperatorError('EBUSY', `cannot delete group ${name}: an interface is joining it`);
  }
}

/** The lowest number below `limit` that is not among `used`; -1 if there is none. */
function lowestFree(limit: number, used: readonly number[]): number {
  const taken = new Set(used);
  for (let candidate = 0; candidate < limit; candidate++) {
    if (!taken.has(candidate)) return candidate;
  }
  return -1;
}
