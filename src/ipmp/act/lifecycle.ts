/**
 * The life of interfaces and groups, from creation to deletion, as operations that may wait
 * (docs/law.md rows 11 to 30). Refusals carry the errno of these rows and change nothing.
 *
 * *Up*: the object is made complete, with the kstat and the illgrp that its way down will need;
 * then one region makes all of it visible. So no look-up finds one part without the others.
 *
 * *Down*: four steps, and only the first can refuse.
 *
 *   condemn…   as writer on the ipsq: in use is EBUSY, and nothing was touched. From here on a
 *              look-up is refused, and no reference is given.
 *   (waiting)  no lock held: the device of a group goes, the last reference is released. The
 *              object is still visible and complete, and its name is taken.
 *   unlink…    one region: out of every list, the kstat with it.
 *   destroy…   unreachable, so nothing interferes. Cannot fail. Waits for the kstat's reader with
 *              no lock held and no region open.
 *
 * A device that cannot be closed, or a reader that never ends, therefore blocks this one object
 * and its name, and nothing else. Checked in all its runs: test/model/new-order.pml.
 */

import { OperatorError } from '../../base/errors.ts';
import { acquire } from '../../base/lock.ts';
import type { Operation } from '../../base/operation.ts';
import { MAX_GROUPS, MAX_NICS } from '../../model/limits.ts';
import { alreadyMember } from '../../model/refusals.ts';
import {
  checkNameIsFree,
  findGroup,
  findInterface,
  type IpmpContext,
  joinersOf,
  post,
  postInterface,
  refuseCondemnedGroup,
  refuseCondemnedInterface,
  structureChanged,
} from '../object/context.ts';
import { IpmpGroup } from '../object/group.ts';
import { refreshOwnMacs } from '../object/own-macs.ts';
import {
  checkGroupSpec,
  checkInterfaceSpec,
  type GroupSpec,
  type InterfaceSpec,
} from '../object/spec.ts';
import { TrackedPhyint } from '../object/tracked.ts';
import { dropAddresses, retryUnserved } from './addresses.ts';
import { becomeWriter, joinGroup, leave, leaveGroup } from './membership.ts';
import { unsteer } from './settle.ts';
import { addTestAddresses, checkTestAddresses } from './test-addresses.ts';

/**
 * Names an interface; its device may come later. EINVAL, ENAMETOOLONG, EEXIST, EADDRINUSE,
 * ENOSPC.
 */
export function* createInterface(ctx: IpmpContext, spec: InterfaceSpec): Operation<void> {
  checkInterfaceSpec(spec);
  checkNameIsFree(ctx, spec.name);
  const prefixes = checkTestAddresses(ctx, spec.name, spec.testAddresses);
  const nic = lowestFree(MAX_NICS, (number) => ctx.interfacesByNic.has(number));
  if (nic < 0) throw new OperatorError('ENOSPC', `there are ${MAX_NICS} interfaces already`);
  const tracked = new TrackedPhyint(ctx, spec, nic);
  addTestAddresses(tracked, prefixes);
  ctx.illGlobalLock.write(() => {
    ctx.interfaces.set(spec.name, tracked);
    ctx.interfacesByNic.set(nic, tracked);
    ctx.kstats.install(tracked.kstat);
  });
  postInterface(ctx, 'interface-added', 'configured', tracked, { to: tracked.shownState });
  structureChanged(ctx);
}

/**
 * Forgets an interface; as a member it leaves its group first (docs/law.md row 26). ENXIO, EBUSY.
 */
export function* deleteInterface(ctx: IpmpContext, name: string): Operation<void> {
  const tracked = yield* condemnInterface(ctx, name);
  yield* tracked.phyint.references.drained();
  unlinkInterface(ctx, tracked);
  yield* destroyInterface(ctx, tracked);
}

/** Creates a group with its members: all of it or nothing. Refusals of the checks and of join. */
export function* createGroup(ctx: IpmpContext, spec: GroupSpec): Operation<void> {
  checkGroupSpec(spec);
  for (const name of new Set([spec.name, spec.groupName ?? spec.name])) {
    checkNameIsFree(ctx, name);
  }
  for (const ifname of spec.interfaces) {
    const tracked = findInterface(ctx, ifname);
    const other = tracked.group ?? tracked.joining;
    if (other !== undefined) throw alreadyMember(ifname, other.name);
  }
  const used = new Set(Array.from(ctx.groups.values(), (group) => group.index));
  const index = lowestFree(MAX_GROUPS, (number) => used.has(number));
  if (index < 0) throw new OperatorError('ENOSPC', `there are ${MAX_GROUPS} groups already`);
  const group = new IpmpGroup(ctx, spec, index);
  ctx.illGlobalLock.write(() => {
    ctx.groups.set(group.ifname, group);
    ctx.groupsByPort.set(group.port, group);
    ctx.kstats.install(group.kstat);
  });
  post(ctx, 'group-added', 'configured', { group: group.name, to: group.state });
  structureChanged(ctx);
  try {
    for (const ifname of spec.interfaces) yield* joinGroup(ctx, spec.name, ifname);
  } catch (error) {
    yield* undoCreate(ctx, group);
    throw error;
  }
}

/** Whether a group could be deleted now. ENOENT, EBUSY. */
export function checkGroupDeletable(ctx: IpmpContext, name: string): void {
  refuseGroupInUse(ctx, findGroup(ctx, name));
}

/** Deletes an empty group. ENOENT, EBUSY. */
export function* deleteGroup(ctx: IpmpContext, name: string): Operation<void> {
  const group = yield* condemnGroup(ctx, name);
  yield* ctx.closeGroupDevice(group.ifname);
  yield* group.references.drained();
  unlinkGroup(ctx, group);
  yield* destroyGroup(ctx, group);
}

/** The leaving of a member is an operation of its own; only what is in no group is condemned. */
function* condemnInterface(ctx: IpmpContext, name: string): Operation<TrackedPhyint> {
  const tracked = findInterface(ctx, name);
  using _writer = yield* becomeWriter(tracked);
  refuseCondemnedInterface(tracked);
  const { joining } = tracked;
  if (joining !== undefined) {
    const message = `cannot delete interface ${name}: it is joining group ${joining.name}`;
    throw new OperatorError('EBUSY', message);
  }
  if (tracked.group !== undefined) yield* leave(ctx, tracked, tracked.group);
  tracked.phyint.references.condemn();
  return tracked;
}

function unlinkInterface(ctx: IpmpContext, tracked: TrackedPhyint): void {
  const { interfaces, interfacesByNic, kstats, illGlobalLock } = ctx;
  illGlobalLock.write(() => {
    interfaces.delete(tracked.name);
    interfacesByNic.delete(tracked.nic);
    kstats.unlink(tracked.kstat);
    tracked.phyint.references.unlink();
  });
}

function* destroyInterface(ctx: IpmpContext, tracked: TrackedPhyint): Operation<void> {
  const { dampingDeadline } = tracked;
  if (dampingDeadline !== undefined) ctx.dampingDeadlines.cancel(dampingDeadline);
  refreshOwnMacs(ctx);
  postInterface(ctx, 'interface-removed', 'configured', tracked, { from: tracked.shownState });
  structureChanged(ctx);
  if (tracked.ill.testIpifs.length > 0) retryUnserved(ctx);
  yield* ctx.kstats.destroy(tracked.kstat);
  tracked.phyint.references.free();
}

/** As I_PUNLINK (docs/law.md row 24): members and joins in flight keep a group. */
function* condemnGroup(ctx: IpmpContext, name: string): Operation<IpmpGroup> {
  const group = findGroup(ctx, name);
  using _writer = yield* acquire(group.ipsq);
  refuseCondemnedGroup(group);
  refuseGroupInUse(ctx, group);
  group.references.condemn();
  return group;
}

/** The meta-interface with its illgrp: neither is found without the other. */
function unlinkGroup(ctx: IpmpContext, group: IpmpGroup): void {
  const { groups, groupsByPort, kstats, illGlobalLock } = ctx;
  illGlobalLock.write(() => {
    groups.delete(group.ifname);
    groupsByPort.delete(group.port);
    kstats.unlink(group.kstat);
    group.references.unlink();
  });
}

function* destroyGroup(ctx: IpmpContext, group: IpmpGroup): Operation<void> {
  dropAddresses(ctx, group);
  unsteer(ctx, group);
  ctx.frames.keep(group.lan.counters);
  refreshOwnMacs(ctx);
  structureChanged(ctx);
  post(ctx, 'group-removed', 'configured', { group: group.name, from: group.state });
  yield* ctx.kstats.destroy(group.kstat);
  group.references.free();
}

/** Deletes a group that did not get all its members; the first refusal is reported. */
function* undoCreate(ctx: IpmpContext, group: IpmpGroup): Operation<void> {
  for (const { name } of [...group.members]) {
    yield* unlessRefused(leaveGroup(ctx, group.ifname, name));
  }
  if (ctx.groups.get(group.ifname) === group) yield* unlessRefused(deleteGroup(ctx, group.ifname));
}

/** What another operation has done meanwhile, with a member or the group, stays. */
function* unlessRefused(operation: Operation<void>): Operation<void> {
  try {
    yield* operation;
  } catch (error) {
    if (!(error instanceof OperatorError)) throw error;
  }
}

/** EBUSY while there are members, or will be; names them, with a hint. */
function refuseGroupInUse(ctx: IpmpContext, group: IpmpGroup): void {
  const { name } = group;
  const names = group.members.map((member) => member.name);
  if (names.length > 0) {
    throw new OperatorError(
      'EBUSY',
      `cannot delete group ${name}: it still has members ${names.join(', ')}`,
      `remove them first: ipmpadm group remove ${name} ${names.join(' ')}`,
    );
  }
  const joining = joinersOf(ctx, group);
  if (joining.length > 0) {
    const message = `cannot delete group ${name}: ${joining.join(', ')} joins it at this moment`;
    throw new OperatorError('EBUSY', message);
  }
}

/** The lowest free number below `limit`; -1 if there is none. */
function lowestFree(limit: number, isUsed: (number: number) => boolean): number {
  for (let number = 0; number < limit; number++) if (!isUsed(number)) return number;
  return -1;
}
