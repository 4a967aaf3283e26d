/**
 * The context: what all functions of the group layer share. It holds the global ill lock with the
 * lists that it guards, the services of the shell (the daemon, the simulator, a test) and the
 * queues in which the decisions leave. Its time is the last one that the shell gave.
 */

import { DeadlineQueue } from '../../base/deadline.ts';
import { OperatorError } from '../../base/errors.ts';
import { Region } from '../../base/lock.ts';
import type { Operation, Scheduler } from '../../base/operation.ts';
import type { Rng } from '../../base/rng.ts';
import type { Publication } from '../../datapath/tables/fib.ts';
import type { Cause } from '../../model/causes.ts';
import { type EventName, isCounted } from '../../model/events.ts';
import {
  groupExists,
  groupIsNoInterface,
  interfaceExists,
  noGroup,
  noInterface,
} from '../../model/refusals.ts';
import type { LinkStatistics } from '../../stats/collector.ts';
import type { DropReason } from '../../stats/drop-reasons.ts';
import type { KstatChain } from '../../stats/kstat.ts';
import type { Mac } from '../../wire/addr.ts';
import { Fifo, type SystemEvent } from '../view/event.ts';
import { FrameCounts } from './frame-counts.ts';
import type { IpmpGroup } from './group.ts';
import { OwnMacs } from './own-macs.ts';
import type { TrackedPhyint } from './tracked.ts';

// Ours: queues towards the shell. It drains them after every call, so they fill only if one call
// makes that much; then the newest are lost and counted.
const EVENTS_MAX = 65_536;
const TRANSMISSIONS_MAX = 65_536;
const HOST_REQUESTS_MAX = 1_024;

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

/**
 * Services of the shell. Those of the host name a group by its device. What is to be set on a
 * device that is absent is kept for it; a refusal has changed nothing.
 */
export interface ShellServices {
  readonly rng: Rng;
  /** Asks the driver of a NIC for its counters; may be late, fail, or never return. */
  readonly linkStatistics: LinkStatistics;
  /**
   * Takes a group's device from the host, so that it is never visible without its group. Ends when
   * it is gone; called once for a group; must not fail, since nothing could be done about it.
   * Default: nothing to do.
   */
  readonly closeGroupDevice?: (device: string) => Operation<void>;
  /**
   * Lets the host's kernel decide about frames for other hosts (true), or has it refuse them.
   * Default: nothing to do.
   */
  readonly setGroupForwarding?: (device: string, forwarding: boolean) => Operation<void>;
  /** Joins a multicast address on a group's device, or leaves it; default: nothing to do. */
  readonly setGroupMulticast?: (
    device: string,
    address: string,
    isMember: boolean,
  ) => Operation<void>;
  /** True for the MAC of any device of this host; default: the system's own are all. */
  readonly isHostMac?: (mac: Mac) => boolean;
  /** Monotonic milliseconds for measuring how long the global ill lock is held; default: not. */
  readonly lockClock?: () => number;
  /** Begins every signature: no two runs of the shell have the same; default: `0`. */
  readonly run?: string;
}

/**
 * The words of the forwarding tables that change at once, each by one store, whatever the number of
 * addresses. The tables themselves are published at the end of the call (system.ts).
 */
export type LiveWords = Omit<Publication, 'replace'>;

/** Parts of the system itself that its group layer works with. */
export interface SystemParts {
  readonly scheduler: Scheduler;
  readonly words: LiveWords;
  readonly kstats: KstatChain;
  /** The last time that the shell gave, monotonic milliseconds. */
  readonly shellMs: () => number;
}

/** The shared state of the group layer, with the services that it uses. */
export interface IpmpContext
  extends Required<Omit<ShellServices, 'lockClock'>>,
    Omit<SystemParts, 'shellMs'> {
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
  readonly events: Fifo<SystemEvent>;
  readonly transmissions: Fifo<Transmission>;
  readonly hostRequests: Fifo<HostRequest>;
  readonly failovers: Map<string, FailoverCount>;
  readonly frames: FrameCounts;
  /** Frames taken that ended here without being answered or consumed. */
  readonly drops: Map<DropReason, bigint>;
  readonly dampingDeadlines: DeadlineQueue<TrackedPhyint>;
  /** Interfaces, groups, addresses or redirects changed: the tables are not what they should be. */
  isStructureChanged: boolean;
  /** Changes of groups and interfaces so far (docs/law.md row 107). */
  changeCount: number;
  /** Monotonic milliseconds, never back. */
  readonly nowMs: number;
}

/** The context of a group layer without interfaces and groups. */
export function createContext(services: ShellServices, parts: SystemParts): IpmpContext {
  const { scheduler, words, kstats, shellMs } = parts;
  return {
    illGlobalLock: new Region('illGlobalLock', services.lockClock),
    interfaces: new Map(),
    interfacesByNic: new Map(),
    groups: new Map(),
    groupsByPort: new Map(),
    incompleteGroups: new Set(),
    ownMacs: new OwnMacs(),
    isHostMac: services.isHostMac ?? (() => false),
    events: new Fifo('event', EVENTS_MAX),
    transmissions: new Fifo('transmission', TRANSMISSIONS_MAX),
    hostRequests: new Fifo('request to the host', HOST_REQUESTS_MAX),
    failovers: new Map(),
    frames: new FrameCounts(),
    drops: new Map(),
    dampingDeadlines: new DeadlineQueue(),
    words,
    isStructureChanged: true,
    scheduler,
    linkStatistics: services.linkStatistics,
    closeGroupDevice: services.closeGroupDevice ?? nothingToDo,
    setGroupForwarding: services.setGroupForwarding ?? nothingToDo,
    setGroupMulticast: services.setGroupMulticast ?? nothingToDo,
    kstats,
    run: services.run ?? '0',
    changeCount: 0,
    rng: services.rng,
    get nowMs() {
      return Math.max(shellMs(), scheduler.nowMs);
    },
  };
}

function* nothingToDo(): Operation<void> {}

/** Has the tables published at the end of the call. */
export function structureChanged(ctx: IpmpContext): void {
  ctx.isStructureChanged = true;
}

/** A frame ended in the control plane; each frame has one reason. */
export function countDrop({ drops }: IpmpContext, reason: DropReason): void {
  drops.set(reason, (drops.get(reason) ?? 0n) + 1n);
}

/**
 * Counts a change of `group`, or of what is in no group. All changes have one sequence, so a group
 * that is created anew has another signature than the one before it, and so has a new run.
 */
export function noteChange(ctx: IpmpContext, group: IpmpGroup | undefined): void {
  ctx.changeCount++;
  if (group !== undefined) group.changedAt = ctx.changeCount;
}

/** The signature of what changed with that number. */
export function signatureOf({ run }: IpmpContext, changedAt: number): string {
  return `${run}-${changedAt}`;
}

/** Fields of an event beside its name and cause; absent means null. */
export interface EventWhat {
  readonly group?: string | undefined;
  readonly ifname?: string | undefined;
  readonly from?: string | undefined;
  readonly to?: string | undefined;
  readonly detail?: string | undefined;
  /** The interface of that name, if it can no longer be found by it. */
  readonly tracked?: TrackedPhyint;
}

/** Queues an event; it is delivered when the shell asks, never with a region open. */
export function post(ctx: IpmpContext, event: EventName, cause: Cause, what: EventWhat): void {
  const isChange = isCounted(event);
  if (isChange) noteChange(ctx, lookupGroup(ctx, what.group ?? ''));
  const tracked = what.tracked ?? ctx.interfaces.get(what.ifname ?? '');
  ctx.events.push({
    atMs: ctx.nowMs,
    event,
    group: what.group ?? null,
    ifname: what.ifname ?? null,
    from: what.from ?? null,
    to: what.to ?? null,
    cause,
    detail: what.detail ?? null,
    type: tracked?.type ?? null,
    signature: isChange ? signatureOf(ctx, ctx.changeCount) : null,
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
  const { group, name: ifname } = tracked;
  post(ctx, event, cause, { group: group?.name, ifname, tracked, ...change });
}

// A group has two names: that of its device, which is also its kstat's and never changes, and its
// own, which is the same at first and may be changed (docs/law.md row 30). No name is given twice,
// so a look-up by either finds one thing. The host, the forwarding path and the kstat chain use the
// name of the device; rows and events show the group's own.

/** The group of that name, else the one whose device has it; undefined if there is neither. */
export function lookupGroup(ctx: IpmpContext, name: string): IpmpGroup | undefined {
  for (const group of ctx.groups.values()) if (group.name === name) return group;
  return ctx.groups.get(name);
}

/** As `lookupGroup`; refused with ENOENT, also while it is being deleted. */
export function findGroup(ctx: IpmpContext, name: string): IpmpGroup {
  const group = lookupGroup(ctx, name);
  if (group === undefined) throw noGroup(name);
  refuseCondemnedGroup(group);
  return group;
}

/** Re-check after a wait: ENOENT if the group has been condemned meanwhile. */
export function refuseCondemnedGroup({ name, references }: IpmpGroup): void {
  if (references.condemned) throw noGroup(name);
}

/** The interfaces whose join of a group is under way (docs/law.md row 24), by name. */
export function joinersOf({ interfaces }: IpmpContext, group: IpmpGroup): string[] {
  if (group.pendingJoins === 0) return [];
  return [...interfaces.values()].filter((one) => one.joining === group).map(({ name }) => name);
}

/**
 * The interface of that name; refused with ENXIO, also while it is being deleted, and with EINVAL
 * for a group (docs/law.md row 34).
 */
export function findInterface(ctx: IpmpContext, name: string): TrackedPhyint {
  const tracked = ctx.interfaces.get(name);
  if (tracked === undefined) {
    throw lookupGroup(ctx, name) === undefined ? noInterface(name) : groupIsNoInterface(name);
  }
  refuseCondemnedInterface(tracked);
  return tracked;
}

/** Re-check after a wait: ENXIO if the interface has been condemned meanwhile. */
export function refuseCondemnedInterface({ name, phyint }: TrackedPhyint): void {
  if (phyint.references.condemned) throw noInterface(name);
}

/** EEXIST if an interface has the name, or a group (but `except`) or its device. */
export function checkNameIsFree(ctx: IpmpContext, name: string, except?: IpmpGroup): void {
  if (ctx.interfaces.has(name)) throw interfaceExists(name);
  for (const group of ctx.groups.values()) {
    if (group === except || (group.name !== name && group.ifname !== name)) continue;
    if (!group.references.condemned) throw groupExists(name, group.name);
    throw new OperatorError('EEXIST', `group ${group.name} is still being deleted`);
  }
}
