/**
 * The assembled system without a host: IP layer, groups and the projection onto the forwarding
 * path. It owns no clock, socket, thread or timer: `handle…` takes an input, `poll…` returns an
 * output, `pollAt` the next deadline. The daemon and the simulator are two shells around it. Of a
 * group's two names (ipmp/object/context.ts) the operator may use either; the shell uses that of
 * its device.
 *
 * Operations (`createGroup` …) are generators for `scheduler`; refusals are OperatorError with the
 * errno of docs/law.md rows 11 to 30. After every `handle…` and every `scheduler.run` the shell
 * drains `pollTransmit`, `pollHostRequest` and `pollEvent`, in this order of urgency. The
 * forwarding tables are published by the call that changed them, at its end.
 */

import { type Operation, Scheduler } from './base/operation.ts';
import type { Publication } from './datapath/tables/fib.ts';
import { type OrderedRoutes, orderRoutes } from './ip/object/ire.ts';
import { handleAddressTime, handleHostAddresses } from './ipmp/act/addresses.ts';
import {
  type DeviceInfo,
  handleDampingTime,
  handleDevice,
  handleGroupDevice,
  handleLink,
  type LinkInfo,
} from './ipmp/act/inputs.ts';
import * as lifecycle from './ipmp/act/lifecycle.ts';
import * as membership from './ipmp/act/membership.ts';
import { changeMulticast, describeMulticast } from './ipmp/act/multicast.ts';
import { deleteNeighbor, type NeighborSpec, setNeighbor } from './ipmp/act/neighbors.ts';
import * as operator from './ipmp/act/operator.ts';
import {
  countDrop,
  createContext,
  type HostRequest,
  type IpmpContext,
  post,
  type ShellServices,
  type Transmission,
} from './ipmp/object/context.ts';
import type { ControlCounters } from './ipmp/object/frame-counts.ts';
import type { GroupDevice, HostAddress, IpmpGroup } from './ipmp/object/group.ts';
import type { GroupSettings, GroupSpec, InterfaceSpec } from './ipmp/object/spec.ts';
import type { TrackedPhyint } from './ipmp/object/tracked.ts';
import {
  describeFailovers,
  describeGroups,
  describeInterfaces,
  describeStatus,
  type FailoverRow,
  type SystemStatus,
  takeAddresses,
  takeNeighbors,
} from './ipmp/view/describe.ts';
import type { SystemEvent } from './ipmp/view/event.ts';
import type {
  AddressRow,
  GroupRow,
  InterfaceView,
  MulticastRow,
  NeighborRow,
} from './model/rows.ts';
import { project } from './projection.ts';
import type { DropReason } from './stats/drop-reasons.ts';
import { KstatChain, type KstatChange } from './stats/kstat.ts';

export type { OrderedRoutes, RouteRecord } from './ip/object/ire.ts';
export type { DeviceInfo, LinkInfo } from './ipmp/act/inputs.ts';
export type { NeighborSpec } from './ipmp/act/neighbors.ts';
export type { InterfaceChanges } from './ipmp/act/operator.ts';
export type { HostRequest, Transmission } from './ipmp/object/context.ts';
export type { ControlCounters } from './ipmp/object/frame-counts.ts';
export type { HostAddress } from './ipmp/object/group.ts';
export type { GroupSettings, GroupSpec, InterfaceSpec } from './ipmp/object/spec.ts';
export type { SystemEvent } from './ipmp/view/event.ts';

/** What a system needs of its shell. */
export interface SystemOptions extends ShellServices {
  readonly publication: Publication;
  /** Where the clock begins, monotonic milliseconds. */
  readonly nowMs: number;
  /** Which ready task goes on next (tests); default: first in, first out. */
  readonly choose?: (readyCount: number) => number;
}

/** The whole system. */
export class System {
  /** Prepares a list of any length for `handleHostRoutes`, in turns. */
  static readonly orderRoutes = orderRoutes;
  readonly scheduler: Scheduler;
  readonly kstats = new KstatChain();
  readonly #ctx: IpmpContext;
  readonly #publication: Publication;
  /** Changes of the kstat chain without an event so far. */
  #kstatChanges: KstatChange[] = [];
  #nowMs: number;

  constructor(options: SystemOptions) {
    const { nowMs, choose } = options;
    this.#nowMs = nowMs;
    this.scheduler = new Scheduler(choose === undefined ? { nowMs } : { nowMs, choose });
    this.#publication = options.publication;
    this.#ctx = createContext(options, {
      scheduler: this.scheduler,
      words: this.#publication,
      kstats: this.kstats,
      shellMs: () => this.#nowMs,
    });
    this.kstats.onChange = (change) => this.#kstatChanges.push(change);
  }

  // Operations

  /**
   * Names an interface; its device may come later. EINVAL, ENAMETOOLONG, EEXIST, EADDRINUSE (a test
   * address), ENOSPC.
   */
  createInterface(spec: InterfaceSpec): Operation<void> {
    return this.#published(lifecycle.createInterface(this.#ctx, spec));
  }

  /** Forgets an interface, which leaves its group first. ENXIO, EBUSY. */
  deleteInterface(name: string): Operation<void> {
    return this.#published(lifecycle.deleteInterface(this.#ctx, name));
  }

  /** Creates a group and joins its members: all of it or nothing. */
  createGroup(spec: GroupSpec): Operation<void> {
    return this.#published(lifecycle.createGroup(this.#ctx, spec));
  }

  /** Refuses as `deleteGroup` would now. ENOENT, EBUSY. */
  checkGroupDeletable(name: string): void {
    lifecycle.checkGroupDeletable(this.#ctx, name);
  }

  /** Deletes a group without members. ENOENT, EBUSY. */
  deleteGroup(name: string): Operation<void> {
    return this.#published(lifecycle.deleteGroup(this.#ctx, name));
  }

  /** ENXIO, ENOENT, EALREADY, ENOSPC, EADDRINUSE, ETIMEDOUT; nothing if it is a member already. */
  joinGroup(group: string, ifname: string): Operation<void> {
    return this.#published(membership.joinGroup(this.#ctx, group, ifname));
  }

  /** ENXIO, ENOENT, EINVAL; nothing if it is in no group. */
  leaveGroup(group: string, ifname: string): Operation<void> {
    return this.#published(membership.leaveGroup(this.#ctx, group, ifname));
  }

  /** Changes settings of a living group. ENOENT, EINVAL; what the host refuses with. */
  setGroup(name: string, changes: Partial<GroupSettings>): Operation<void> {
    return this.#published(operator.setGroup(this.#ctx, name, changes));
  }

  /** Renames a group, not its device. ENOENT, EINVAL, ENAMETOOLONG, EEXIST. */
  renameGroup(name: string, to: string): Operation<void> {
    return this.#published(operator.renameGroup(this.#ctx, name, to));
  }

  /** As `if_mpadm -d`. ENXIO; EINVAL: in no group; EALREADY; EBUSY: no other works. */
  offlineInterface(name: string): Operation<void> {
    return this.#published(operator.offlineInterface(this.#ctx, name));
  }

  /** As `if_mpadm -r`. ENXIO; EINVAL: not offline; EADDRINUSE: another member has its MAC. */
  onlineInterface(name: string): Operation<void> {
    return this.#published(operator.onlineInterface(this.#ctx, name));
  }

  /** Makes a waiting member active. ENXIO; EINVAL: in no group, or not healthy; EALREADY. */
  activateInterface(name: string): Operation<void> {
    return this.#published(operator.activateInterface(this.#ctx, name));
  }

  /** Changes a living interface. ENXIO, EINVAL, EADDRINUSE, ENOSPC. */
  setInterface(name: string, changes: operator.InterfaceChanges): Operation<void> {
    return this.#published(operator.setInterface(this.#ctx, name, changes));
  }

  /** ENOENT, EINVAL, EADDRINUSE, ENOBUFS; what the host refuses with. */
  joinMulticast(group: string, address: string): Operation<void> {
    return changeMulticast(this.#ctx, group, address, true);
  }

  /** ENOENT, EINVAL, EADDRNOTAVAIL. */
  leaveMulticast(group: string, address: string): Operation<void> {
    return changeMulticast(this.#ctx, group, address, false);
  }

  /** Sets a permanent neighbour, in place of any entry. ENOENT, EINVAL, ENOBUFS. */
  setNeighbor(group: string, spec: NeighborSpec): void {
    setNeighbor(this.#ctx, group, spec);
    this.#flush();
  }

  /** Removes a neighbour, set or learnt. ENOENT, EINVAL. */
  deleteNeighbor(group: string, dst: string): void {
    deleteNeighbor(this.#ctx, group, dst);
    this.#flush();
  }

  // Inputs. Each of these runs at once, whatever operation is in flight.

  /** Time has passed; to be called at `pollAt` or earlier. */
  handleTime(nowMs: number): void {
    this.#advance(nowMs);
    this.scheduler.handleTime(nowMs);
    handleDampingTime(this.#ctx);
    handleAddressTime(this.#ctx);
    for (const group of this.#ctx.groups.values()) group.lan.handleTime(this.#ctx.nowMs);
    this.#flush();
  }

  /** The device of an interface came, went or changed. Unknown names are ignored. */
  handleDevice(ifname: string, info: DeviceInfo, nowMs: number): void {
    this.#withInterface(ifname, nowMs, (tracked) => handleDevice(this.#ctx, tracked, info));
  }

  /** What a device reports of its link. Ignored for unknown names and absent devices. */
  handleLink(ifname: string, info: LinkInfo, nowMs: number): void {
    this.#withInterface(ifname, nowMs, (tracked) => handleLink(this.#ctx, tracked, info));
  }

  /** A frame that arrived by `port`. Its effects are published by the next `handleTime`. */
  handleFrame(port: number, frame: Uint8Array, nowMs: number): void {
    this.#advance(nowMs);
    this.#ctx.frames.taken++;
    const tracked = this.#ctx.interfacesByNic.get(port);
    const group = tracked?.group ?? this.#ctx.groupsByPort.get(port);
    if (group === undefined || tracked?.isOffline) {
      countDrop(this.#ctx, 'no_group');
    } else if (tracked !== undefined) group.lan.handleWireFrame(tracked.ill, frame, nowMs);
    else group.lan.handleHostFrame(frame, nowMs);
  }

  /** The device `name` of a group came, went or changed. Unknown names are ignored. */
  handleGroupDevice(name: string, info: Readonly<GroupDevice>, nowMs: number): void {
    this.#withGroup(name, nowMs, (group) => handleGroupDevice(this.#ctx, group, info));
  }

  /** All addresses that a group's device has now. Unknown names are ignored. */
  handleHostAddresses(name: string, list: readonly HostAddress[], nowMs: number): void {
    this.#withGroup(name, nowMs, (group) => handleHostAddresses(this.#ctx, group, list));
  }

  /** All routes of the host through a group's device. Unknown names are ignored. */
  handleHostRoutes(name: string, routes: OrderedRoutes, nowMs: number): void {
    this.#withGroup(name, nowMs, (group) => group.lan.routes.take(routes));
  }

  // Outputs

  /** The next frame to be sent. */
  pollTransmit(): Transmission | undefined {
    this.#flush();
    return this.#ctx.transmissions.shift();
  }

  /** The next change of state, oldest first. */
  pollEvent(): SystemEvent | undefined {
    this.#flush();
    return this.#ctx.events.shift();
  }

  /** The next thing that only the host can do. */
  pollHostRequest(): HostRequest | undefined {
    this.#flush();
    return this.#ctx.hostRequests.shift();
  }

  /** When `handleTime` must be called next; Infinity without a deadline. */
  pollAt(): number {
    this.#flush();
    if (this.#ctx.incompleteGroups.size > 0) return this.#ctx.nowMs;
    let atMs = Math.min(this.scheduler.pollAt(), this.#ctx.dampingDeadlines.nextAtMs());
    for (const group of this.#ctx.groups.values()) atMs = Math.min(atMs, group.lan.pollAt());
    return atMs;
  }

  // Flat copies for `show` and metrics

  describeGroups(): GroupRow[] {
    return describeGroups(this.#ctx);
  }

  describeInterfaces(): InterfaceView[] {
    return describeInterfaces(this.#ctx);
  }

  describeAddresses(): AddressRow[] {
    return [...this.takeAddresses()];
  }

  describeNeighbors(): NeighborRow[] {
    return [...this.takeNeighbors()];
  }

  /** The same of long lists: copied now, made into rows as they are taken. */
  takeAddresses(): Iterable<AddressRow> {
    return takeAddresses(this.#ctx);
  }

  takeNeighbors(): Iterable<NeighborRow> {
    return takeNeighbors(this.#ctx);
  }

  describeMulticast(): MulticastRow[] {
    return describeMulticast(this.#ctx);
  }

  describeFailovers(): FailoverRow[] {
    return describeFailovers(this.#ctx);
  }

  describeStatus(): SystemStatus {
    return describeStatus(this.#ctx);
  }

  /** Frames that ended in the control plane, by reason. */
  dropCounters(): ReadonlyMap<DropReason, bigint> {
    return new Map(this.#ctx.drops);
  }

  /** What the control plane counted: a flat copy. */
  controlCounters(): ControlCounters {
    return this.#ctx.frames.total([...this.#ctx.groups.values()].map(({ lan }) => lan));
  }

  /** Events and frames that did not fit their queue: 0 if the shell drains in time. */
  lostCounters(): { readonly events: number; readonly frames: number } {
    return { events: this.#ctx.events.lost, frames: this.#ctx.transmissions.lost };
  }

  /** Longest time in milliseconds that the global ill lock was held; 0 without `lockClock`. */
  get longestLockHoldMs(): number {
    return this.#ctx.illGlobalLock.longestHoldMs;
  }

  /** Port of an interface's NIC; undefined if there is no such interface. */
  nicOf(ifname: string): number | undefined {
    return this.#ctx.interfaces.get(ifname)?.nic;
  }

  /** Port of a group's device, by its name; undefined if there is no such group. */
  groupPortOf(name: string): number | undefined {
    return this.#ctx.groups.get(name)?.port;
  }

  /** The interface, or the device of a group, whose port it is; undefined if none's. */
  nameOfPort(port: number): string | undefined {
    const { interfacesByNic, groupsByPort } = this.#ctx;
    return interfacesByNic.get(port)?.name ?? groupsByPort.get(port)?.ifname;
  }

  /** An operation after which the tables are published, however it ends. */
  *#published<T>(operation: Operation<T>): Operation<T> {
    try {
      return yield* operation;
    } finally {
      this.#flush();
    }
  }

  #withInterface(ifname: string, nowMs: number, body: (tracked: TrackedPhyint) => void): void {
    this.#advance(nowMs);
    const tracked = this.#ctx.interfaces.get(ifname);
    if (tracked !== undefined) body(tracked);
    this.#flush();
  }

  #withGroup(name: string, nowMs: number, body: (group: IpmpGroup) => void): void {
    this.#advance(nowMs);
    const group = this.#ctx.groups.get(name);
    if (group !== undefined && !group.references.condemned) body(group);
    this.#flush();
  }

  #advance(nowMs: number): void {
    if (nowMs > this.#nowMs) this.#nowMs = nowMs;
  }

  #flush(): void {
    if (this.#ctx.isStructureChanged) {
      this.#ctx.isStructureChanged = false;
      this.#publication.replace(project(this.#ctx));
    }
    if (this.#kstatChanges.length === 0) return;
    for (const { kind, kstat, id } of this.#kstatChanges.splice(0)) {
      const change = { from: String(id - 1), to: String(id), detail: kstat };
      post(this.#ctx, `kstat-${kind}`, 'configured', change);
    }
  }
}
