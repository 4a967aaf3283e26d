/**
 * The life of interfaces and groups, from creation to deletion, as operations that may wait
 * (IPMP semantics 2). Refusals carry the errno of that document and change nothing.
 *
 * Order, and why
 * - *Create a group*: one region makes the meta-interface visible together with its illgrp and its
 *   kstat, so nobody finds one without the others.
 * - *Delete*: everything that can be refused first; then condemn, wait for references, cut the
 *   links in one region; the kstat goes last and with no region open, because its remover waits
 *   for its reader.
 */

import { assert } from '../base/assert.ts';
import { OperatorError } from '../base/errors.ts';
import { acquire } from '../base/lock.ts';
import type { Operation } from '../base/operation.ts';
import { Ipif } from '../ip/ipif.ts';
import { Lan } from '../ip/lan.ts';
import { GroupKstat, LinkKstat } from '../stats/collector.ts';
import type { Mac } from '../wire/addr.ts';
import { ipv4Parse } from '../wire/addr.ts';
import { dropAddresses } from './addresses.ts';
import { findGroup, findInterface, type IpmpContext, post, refreshOwnMacs } from './context.ts';
import { IpmpGroup } from './group.ts';
import { GroupLanOutput } from './group-lan.ts';
import { alreadyIn, type MembershipOperations } from './membership.ts';
import { unsteer } from './regroup.ts';
import {
  checkGroupSpec,
  checkInterfaceSpec,
  type GroupSpec,
  type InterfaceSpec,
  MAX_GROUPS,
  MAX_NICS,
} from './spec.ts';
import { TrackedPhyint } from './tracked.ts';

/** Creates and deletes. Each method is an operation for the scheduler. */
export class Lifecycle {
  readonly #ctx: IpmpContext;
  readonly #membership: MembershipOperations;
  /** Kstats of interfaces, to be removed with them. */
  readonly #linkKstats = new Map<TrackedPhyint, LinkKstat>();

  constructor(ctx: IpmpContext, membership: MembershipOperations) {
    this.#ctx = ctx;
    this.#membership = membership;
  }

  /** Names an interface; its device may come later. EINVAL, ENAMETOOLONG, EEXIST, ENOSPC. */
  *createInterface(spec: InterfaceSpec): Operation<void> {
    checkInterfaceSpec(spec);
    this.#checkNameIsFree(spec.name);
    const nic = lowestFree(
      MAX_NICS,
      [...this.#ctx.interfaces.values()].map((one) => one.nic),
    );
    if (nic < 0) throw new OperatorError('ENOSPC', `there are ${MAX_NICS} interfaces already`);
    const tracked = new TrackedPhyint(spec, nic);
    for (const text of spec.testAddresses) {
      const [address = '', length = ''] = text.split('/');
      const ipv4 = ipv4Parse(address);
      if (ipv4 !== undefined) Ipif.test(ipv4, Number(length), tracked.ill).state = 'down';
    }
    const kstat = this.#linkKstat(tracked);
    this.#ctx.illGlobalLock.write(() => {
      this.#ctx.interfaces.set(spec.name, tracked);
      this.#ctx.interfacesByNic.set(nic, tracked);
      this.#ctx.kstats.install(kstat);
    });
    this.#linkKstats.set(tracked, kstat);
    post(this.#ctx, 'interface-added', 'configured', {
      ifname: spec.name,
      to: tracked.shownState,
    });
    this.#ctx.steering.structureChanged();
  }

  /** Forgets an interface; as a member it leaves its group first (semantics 2.6). ENXIO, EBUSY. */
  *deleteInterface(name: string): Operation<void> {
    const tracked = findInterface(this.#ctx, name);
    using _writer = yield* this.#membership.becomeWriter(tracked);
    if (this.#ctx.interfaces.get(name) !== tracked || tracked.isDeleted) {
      throw new OperatorError('ENXIO', `there is no interface ${name}`);
    }
    if (tracked.joining !== undefined) {
      throw new OperatorError(
        'EBUSY',
        `cannot delete interface ${name}: it is joining group ${tracked.joining.name}`,
      );
    }
    tracked.isDeleted = true;
    if (tracked.group !== undefined) yield* this.#membership.leave(tracked, tracked.group);
    const kstat = this.#linkKstats.get(tracked);
    assert(kstat !== undefined, `${name} has a kstat`);
    this.#linkKstats.delete(tracked);
    yield* this.#ctx.kstats.remove(kstat);
    tracked.phyint.references.condemn();
    yield* tracked.phyint.references.drained();
    if (tracked.dampingDeadline !== undefined) {
      this.#ctx.dampingDeadlines.cancel(tracked.dampingDeadline);
    }
    this.#ctx.illGlobalLock.write(() => {
      this.#ctx.interfaces.delete(name);
      this.#ctx.interfacesByNic.delete(tracked.nic);
    });
    refreshOwnMacs(this.#ctx);
    post(this.#ctx, 'interface-removed', 'configured', { ifname: name, from: tracked.shownState });
    this.#ctx.steering.structureChanged();
  }

  /** Creates a group with its members: all of it or nothing. Refusals of the checks and of join. */
  *createGroup(spec: GroupSpec): Operation<void> {
    checkGroupSpec(spec);
    this.#checkNameIsFree(spec.name);
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
    const group = this.#makeGroup(spec, index);
    this.#ctx.illGlobalLock.write(() => {
      this.#ctx.groups.set(group.name, group);
      this.#ctx.groupsByPort.set(group.port, group);
      this.#ctx.kstats.install(group.kstat);
    });
    post(this.#ctx, 'group-added', 'configured', { group: group.name, to: group.state });
    this.#ctx.steering.structureChanged();
    try {
      for (const ifname of spec.interfaces) yield* this.#membership.joinGroup(group.name, ifname);
    } catch (error) {
      yield* this.#undoCreate(group);
      throw error;
    }
  }

  /** Deletes an empty group. ENOENT, EBUSY. */
  *deleteGroup(name: string): Operation<void> {
    const group = findGroup(this.#ctx, name);
    using _writer = yield* acquire(group.ipsq);
    if (this.#ctx.groups.get(name) !== group || group.references.condemned) {
      throw new OperatorError('ENOENT', `there is no group ${name}`);
    }
    const names = group.members.map((member) => member.name).join(', ');
    if (names !== '') {
      const hint = `remove them first: ipmpadm group remove ${name} ${names.replaceAll(',', '')}`;
      throw new OperatorError(
        'EBUSY',
        `cannot delete group ${name}: it still has members ${names}`,
        hint,
      );
    }
    if (group.pendingJoins > 0) {
      throw new OperatorError('EBUSY', `cannot delete group ${name}: an interface is joining it`);
    }
    group.references.condemn();
    yield* this.#ctx.closeGroupDevice(name);
    yield* group.references.drained();
    dropAddresses(this.#ctx, group);
    unsteer(this.#ctx, group);
    this.#ctx.illGlobalLock.write(() => {
      this.#ctx.groups.delete(name);
      this.#ctx.groupsByPort.delete(group.port);
    });
    this.#ctx.frames.keep(group.lan.counters);
    refreshOwnMacs(this.#ctx);
    this.#ctx.steering.structureChanged();
    yield* this.#ctx.kstats.remove(group.kstat);
    post(this.#ctx, 'group-removed', 'configured', { group: name, from: group.state });
  }

  #checkNameIsFree(name: string): void {
    if (this.#ctx.interfaces.has(name)) {
      throw new OperatorError('EEXIST', `there is an interface ${name} already`);
    }
    if (this.#ctx.groups.has(name)) {
      throw new OperatorError('EEXIST', `there is a group ${name} already`);
    }
  }

  #makeGroup(spec: GroupSpec, index: number): IpmpGroup {
    const ctx = this.#ctx;
    const macs = { isOwn: (mac: Mac) => ctx.ownMacs.has(mac), isHost: ctx.isHostMac };
    const group = new IpmpGroup(spec.name, index, spec, macs);
    group.lan = new Lan({
      membership: group.grp,
      output: new GroupLanOutput(ctx, group),
      rng: ctx.rng.fork(),
      neighborLimit: spec.neighbors,
    });
    group.kstat = new GroupKstat({
      name: spec.name,
      crtimeMs: ctx.scheduler.nowMs,
      scheduler: ctx.scheduler,
      linkStatistics: ctx.linkStatistics,
      source: {
        region: ctx.illGlobalLock,
        counters: group.counters,
        isRunning: () => group.isRunning,
        holdMembers: () =>
          group.members.flatMap(({ nic, name, membership, phyint }) =>
            membership === undefined
              ? []
              : [
                  {
                    nic,
                    ifname: name,
                    counters: membership.counters,
                    reference: phyint.references.hold('kstat'),
                  },
                ],
          ),
      },
    });
    return group;
  }

  #linkKstat(tracked: TrackedPhyint): LinkKstat {
    const ctx = this.#ctx;
    const { phyint } = tracked;
    return new LinkKstat({
      name: tracked.name,
      crtimeMs: ctx.scheduler.nowMs,
      scheduler: ctx.scheduler,
      linkStatistics: ctx.linkStatistics,
      source: {
        region: ctx.illGlobalLock,
        nic: tracked.nic,
        isUp: () => phyint.present && phyint.isLinkUp,
        hold: () => phyint.references.hold('kstat'),
      },
    });
  }

  /** Takes a group back that could not get all its members; the first refusal is what counts. */
  *#undoCreate(group: IpmpGroup): Operation<void> {
    try {
      for (const member of [...group.members]) {
        yield* this.#membership.leaveGroup(group.name, member.name);
      }
      if (this.#ctx.groups.get(group.name) === group) yield* this.deleteGroup(group.name);
    } catch (error) {
      // Somebody else has given the group a member meanwhile: then it is theirs and stays.
      if (!(error instanceof OperatorError)) throw error;
    }
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
