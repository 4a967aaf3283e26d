/**
 * What the parts of the group layer share: the global ill lock and the lists that it guards, the
 * clock as last told, and where decisions go.
 */

import type { DeadlineQueue } from '../../base/deadline.ts';
import { OperatorError } from '../../base/errors.ts';
import type { Region } from '../../base/lock.ts';
import type { Operation, Scheduler } from '../../base/operation.ts';
import type { Rng } from '../../base/rng.ts';
import type { Cause } from '../../model/causes.ts';
import type { EventName } from '../../model/events.ts';
import type { LinkStatistics } from '../../stats/collector.ts';
import type { DropReason } from '../../stats/drop-reasons.ts';
import type { KstatChain } from '../../stats/kstat.ts';
import type { Mac } from '../../wire/addr.ts';
import type { Fifo, SystemEvent } from '../view/event.ts';
import type { FrameCounts } from './frame-counts.ts';
import type { IpmpGroup } from './group.ts';
import type { OwnMacs } from './own-macs.ts';
import type { Steering } from './steering.ts';
import type { TrackedPhyint } from './tracked.ts';

/** A frame to be sent by a port. */
export interface Transmission {
  readonly port: number;
  readonly frame: Uint8Array;
}

/** Something that only the host can do. */
export type HostRequest =
  | {
      readonly kind: 'group-mtu';
      /** Name of the group's device. */
      readonly group: string;
      readonly mtu: number;
    }
  | {
      /** An interface is nominated for broadcast and multicast in its group, or no longer. */
      readonly kind: 'nominated';
      readonly ifname: string;
      readonly isNominated: boolean;
    };

/** How often a member was taken out of use, and why. */
export interface FailoverCount {
  /** The present name of the group, or its last one. */
  group: string;
  /** Name of the group's device. */
  readonly device: string;
  readonly ifname: string;
  readonly cause: Cause;
  count: number;
}

// What the host is asked to do with a group names the group's device.

/**
 * Takes a group's device from the host, so that it is never visible without its group; ends when
 * it is gone, and is not called again for the same group. It must not fail: nothing could be done
 * about it here.
 */
export type CloseGroupDevice = (device: string) => Operation<void>;

/**
 * Lets the host's kernel decide about frames for other hosts (true), or has it refuse them. For a
 * group without a device it is remembered. May be refused, and then nothing was changed.
 */
export type SetGroupForwarding = (device: string, forwarding: boolean) => Operation<void>;

/**
 * Has the host's kernel listen to a multicast address by a group's device, or no longer. For a
 * group without a device it is remembered. May be refused, and then nothing was changed.
 */
export type SetGroupMulticast = (
  device: string,
  address: string,
  isMember: boolean,
) => Operation<void>;

/** The shared state of the group layer. */
export interface IpmpContext {
  /** Guards the maps below, membership, links, active lists, bindings and baselines. */
  readonly illGlobalLock: Region;
  readonly interfaces: Map<string, TrackedPhyint>;
  readonly interfacesByNic: Map<number, TrackedPhyint>;
  /** By the name of the device, which never changes. */
  readonly groups: Map<string, IpmpGroup>;
  readonly groupsByPort: Map<number, IpmpGroup>;
  /** Groups of whose addresses on the host some are still to be added. */
  readonly incompleteGroups: Set<IpmpGroup>;
  readonly ownMacs: OwnMacs;
  readonly isHostMac: (mac: Mac) => boolean;
  readonly events: Fifo<SystemEvent>;
  readonly transmissions: Fifo<Transmission>;
  readonly hostRequests: Fifo<HostRequest>;
  readonly failovers: Map<string, FailoverCount>;
  readonly frames: FrameCounts;
  /** Frames taken that ended here without being answered or consumed. */
  readonly drops: Map<DropReason, bigint>;
  readonly dampingDeadlines: DeadlineQueue<TrackedPhyint>;
  readonly steering: Steering;
  readonly scheduler: Scheduler;
  readonly linkStatistics: LinkStatistics;
  readonly closeGroupDevice: CloseGroupDevice;
  readonly setGroupForwarding: SetGroupForwarding;
  readonly setGroupMulticast: SetGroupMulticast;
  readonly kstats: KstatChain;
  readonly rng: Rng;
  /** Monotonic milliseconds, never back. */
  readonly nowMs: number;
}

/** What an event says beside its name and cause; absent means null. */
export interface EventWhat {
  readonly group?: string | undefined;
  readonly ifname?: string | undefined;
  readonly from?: string | undefined;
  readonly to?: string | undefined;
  readonly detail?: string | undefined;
}

/** Queues an event; it is delivered when the shell asks, never with a region open. */
export function post(ctx: IpmpContext, event: EventName, cause: Cause, what: EventWhat): void {
  ctx.events.push({
    atMs: ctx.nowMs,
    event,
    group: what.group ?? null,
    ifname: what.ifname ?? null,
    from: what.from ?? null,
    to: what.to ?? null,
    cause,
    detail: what.detail ?? null,
  });
}

/** The same for what concerns one interface. */
export function postInterface(
  ctx: IpmpContext,
  event: EventName,
  cause: Cause,
  tracked: TrackedPhyint,
  change: Pick<EventWhat, 'from' | 'to'>,
): void {
  post(ctx, event, cause, { group: tracked.group?.name, ifname: tracked.name, ...change });
}

/** The group called so, else the one whose device is; undefined if there is neither. */
export function lookupGroup(ctx: IpmpContext, name: string): IpmpGroup | undefined {
  for (const group of ctx.groups.values()) if (group.name === name) return group;
  return ctx.groups.get(name);
}

/** As `lookupGroup`; refused with ENOENT, also while it is being deleted. */
export function findGroup(ctx: IpmpContext, name: string): IpmpGroup {
  const group = lookupGroup(ctx, name);
  if (group === undefined) throw new OperatorError('ENOENT', `there is no group ${name}`);
  refuseCondemnedGroup(group);
  return group;
}

/** For who has waited since the look-up: ENOENT if the group has been condemned meanwhile. */
export function refuseCondemnedGroup({ name, references }: IpmpGroup): void {
  if (references.condemned) throw new OperatorError('ENOENT', `there is no group ${name}`);
}

/** The interface of that name; refused with ENXIO, also while it is being deleted. */
export function findInterface(ctx: IpmpContext, name: string): TrackedPhyint {
  const tracked = ctx.interfaces.get(name);
  if (tracked === undefined) throw new OperatorError('ENXIO', `there is no interface ${name}`);
  refuseCondemnedInterface(tracked);
  return tracked;
}

/** For who has waited since the look-up: ENXIO if the interface has been condemned meanwhile. */
export function refuseCondemnedInterface({ name, phyint }: TrackedPhyint): void {
  if (phyint.references.condemned) {
    throw new OperatorError('ENXIO', `there is no interface ${name}`);
  }
}

/** Recomputes the set of MACs that are ours; after any of them changed. */
export function refreshOwnMacs(ctx: IpmpContext): void {
  const nics = [...ctx.interfaces.values()].map(({ phyint }) => phyint.physAddr);
  const groups = [...ctx.groups.values()].map(({ device }) => device.mac);
  ctx.ownMacs.replace([...nics, ...groups], ctx.nowMs);
}
