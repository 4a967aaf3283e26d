/**
 * The host's side of the daemon: NICs taken and given back, group devices made, the host's
 * addresses and routes told, everything put back at the end. The one class that daemon.ts needs of
 * this folder; the rooms behind it are rtnl (questions and changes), mirror (differences),
 * restore and journal (taking back), silence, attach and interfaces (NICs), group-device.
 *
 * Life: start() first, stop() last; between them everything in any order. Errors are
 * OperatorErrors; anything else is a mistake of ours.
 */

import { OperatorError } from '../base/errors.ts';
import { closeDevice } from '../datapath/tap.ts';
import type { Mac } from '../wire/addr.ts';
import type { InterfaceSpec } from './attach.ts';
import type { OpenNotifications } from './bell.ts';
import { CarrierMonitor, type OpenCarrierWatch } from './carrier.ts';
import { openFiltering, openRouting } from './clients.ts';
import { type Clock, hostClock, type Timer } from './clock.ts';
import { GroupDevice, type GroupDeviceSpec } from './group-device.ts';
import type { HostEvent } from './host-event.ts';
import { type AttachedDevice, Interfaces } from './interfaces.ts';
import { Journal } from './journal.ts';
import { LinkMacs } from './link-macs.ts';
import { Mirror } from './mirror.ts';
import type { OpenTransport } from './netlink.ts';
import type { HostAddress, HostRoute, LinkRecord, RouteSettings } from './records.ts';
import { Changes, type HostLog } from './restore.ts';
import { Retries } from './retries.ts';
import { Rtnl } from './rtnl.ts';
import { Serial } from './serial.ts';
import { Silencer } from './silence.ts';
import {
  openNativeCarrierWatch,
  openNativeNotifications,
  openNativeTransport,
} from './transport.ts';
import type { Leftovers } from './undo.ts';

/** Ours: how soon a deleted macvtap is found if no notification tells of it. */
const TICK_MS = 1000;

/** Ours: as for interfaces, how soon after a refusal the next attempt is suggested. */
const RETRY_MS = 5000;

/** What the host side is given. */
export interface HostOptions {
  /** Where changes are written down; its folder is made if it is missing. */
  readonly journalPath: string;
  /** What makes our hardware addresses different from another machine's. */
  readonly machineId: string;
  readonly log: HostLog;
  readonly onEvent: (event: HostEvent) => void;
  /** Without it, loss of carrier is known from rtnetlink alone: up to a second late. */
  readonly carrier?: {
    /** Four words per NIC in shared memory: `carrierWords` of the pool. */
    readonly words: Int32Array;
    /** Rung when a word has changed: `wakeFds` of the pool. */
    readonly wakeFds: readonly number[];
    readonly open?: OpenCarrierWatch;
  };
  readonly clock?: Clock;
  readonly openTransport?: OpenTransport;
  readonly openNotifications?: OpenNotifications;
}

/** A group device that was made. */
export interface OpenGroupDevice {
  readonly fds: readonly number[];
  readonly ifindex: number;
  readonly mtu: number;
  /** Addresses and routes of the configuration that the kernel refused. */
  readonly problems: readonly OperatorError[];
}

interface Running {
  readonly rtnl: Rtnl;
  readonly changes: Changes;
  readonly mirror: Mirror;
  readonly interfaces: Interfaces;
  readonly silencer: Silencer;
  readonly retries: Retries;
}

/** See the head of the file. */
export class Host {
  readonly #options: HostOptions;
  readonly #clock: Clock;
  readonly #serial = new Serial();
  readonly #linkMacs: LinkMacs;
  readonly #groups = new Map<string, GroupDevice>();
  /** Groups whose device is gone and not removed yet. */
  readonly #lostGroups = new Set<string>();
  /** Groups whose device was refused: when trying again is suggested. */
  readonly #refusedGroups = new Map<string, number>();
  /** MAC and MTU of each group's device as they were told last. */
  readonly #groupsTold = new Map<string, string>();
  /** What has to be closed, oldest first. */
  readonly #opened: { close(): void | Promise<void> }[] = [];
  #running: Running | undefined;
  #tick: Timer | undefined;

  constructor(options: HostOptions) {
    this.#options = options;
    this.#clock = options.clock ?? hostClock;
    this.#linkMacs = new LinkMacs(this.#clock);
  }

  /**
   * Opens the journal and the sockets, and takes back what a killed predecessor left. EBUSY:
   * another daemon is running here. Returns how many changes were taken back. After an error
   * nothing stays open.
   */
  async start(): Promise<number> {
    try {
      return await this.#start();
    } catch (error) {
      await this.#closeAll();
      throw error;
    }
  }

  async #start(): Promise<number> {
    const { log } = this.#options;
    const journal = await Journal.open(this.#options.journalPath);
    this.#opened.push(journal);
    if (journal.discarded > 0) {
      const fields = { changes: journal.discarded };
      log.warn(fields, 'a killed daemon left changes in another network namespace');
    }
    const { openTransport = openNativeTransport } = this.#options;
    const sockets = { open: openTransport, clock: this.#clock, log };
    const routing = await openRouting(sockets);
    this.#opened.push(routing);
    const rtnl = new Rtnl(routing);
    const changes = new Changes(journal, rtnl, log);
    const takenBack = await changes.undoLeftovers();
    const filtering = await openFiltering(sockets);
    if (filtering !== undefined) this.#opened.push(filtering);
    const silencer = new Silencer(rtnl, changes, filtering, log);
    const carrier = this.#openCarrier();
    if (carrier !== undefined) this.#opened.push(carrier);
    const interfaces = new Interfaces({
      context: { rtnl, changes, silencer, machineId: this.#options.machineId },
      serial: this.#serial,
      clock: this.#clock,
      log,
      carrier,
      mirror: () => this.#run.mirror,
      emit: this.#options.onEvent,
    });
    const listener = {
      handleLink: this.#handleLink.bind(this),
      handlePorts: (bridge: string) => interfaces.handlePorts(bridge),
      handleAddresses: this.#handleAddresses.bind(this),
      handleRoutes: this.#handleRoutes.bind(this),
    };
    const { openNotifications: open = openNativeNotifications } = this.#options;
    const onLinkRing = (): void => this.#linkMacs.handleChange();
    const mirror = new Mirror({ rtnl, open, clock: this.#clock, log, listener, onLinkRing });
    this.#opened.push(mirror);
    await this.#linkMacs.read();
    const retries = new Retries({
      changes,
      silencer,
      groups: () => this.#groups.values(),
      serial: this.#serial,
      clock: this.#clock,
      log,
    });
    this.#running = { rtnl, changes, mirror, interfaces, silencer, retries };
    this.#scheduleTick();
    return takenBack;
  }

  /**
   * Puts everything back: descriptors closed, changes undone in reverse, journal and sockets
   * closed. The workers must have let go of every descriptor. A device that cannot be given back
   * in order does not keep the others: its changes are undone with the rest. Answers what could not
   * be put back: it stays in the journal for the next start.
   */
  async stop(): Promise<Leftovers> {
    this.#tick?.cancel();
    try {
      await this.releaseAll();
      return this.#running?.changes.leftovers() ?? { failed: [], unseen: [] };
    } finally {
      this.#running = undefined;
      await this.#closeAll();
    }
  }

  /**
   * Gives every NIC and every group's device back for good, all together: a host with hundreds of
   * them waits as long as with few. The workers must have let go of every descriptor. Nothing if
   * the host is not started.
   */
  async releaseAll(): Promise<void> {
    if (this.#running === undefined) return;
    const { interfaces, retries, silencer, mirror } = this.#running;
    const groups = [...this.#groups.values()].reverse();
    for (const { spec } of groups) mirror.unwatch(spec.name, GROUP_WATCH);
    for (const known of [this.#groups, this.#lostGroups, this.#refusedGroups, this.#groupsTold]) {
      known.clear();
    }
    const attachments = interfaces.forgetAll();
    await interfaces.looked();
    await this.#serial.run(async () => {
      const closed = await Promise.allSettled([
        ...groups.map((group) => group.closeDevice()),
        ...attachments.map(({ device }) => closeDevice(device)),
      ]);
      await retries.undoAll();
      await silencer.releaseAll();
      for (const one of closed) if (one.status === 'rejected') throw one.reason;
    });
  }

  async #closeAll(): Promise<void> {
    for (const one of this.#opened.splice(0).reverse()) await one.close();
  }

  /**
   * Takes a NIC. ENODEV: what it needs is absent; EBUSY, EEXIST, EINVAL: refused. In these cases
   * nothing is changed, and an `attachable` event says when to try again.
   */
  attachInterface(spec: InterfaceSpec, queues: number): Promise<AttachedDevice> {
    return this.#run.interfaces.attach(spec, queues);
  }

  /** Gives a NIC back, after a loss or to attach anew; it stays wanted. */
  releaseInterface(name: string): Promise<void> {
    return this.#run.interfaces.release(name);
  }

  /** Gives a NIC back for good. */
  detachInterface(name: string): Promise<void> {
    return this.#run.interfaces.detach(name);
  }

  /** Makes the device of a group. EALREADY: it is made; EBUSY, EEXIST: the name is not free. */
  async createGroupDevice(spec: GroupDeviceSpec): Promise<OpenGroupDevice> {
    const { rtnl, changes, mirror } = this.#run;
    if (this.#groups.has(spec.name)) {
      throw new OperatorError('EALREADY', `the device of group ${spec.name} is there already`);
    }
    const context = { rtnl, changes, log: this.#options.log };
    const retryAtMs = this.#clock.nowMs() + RETRY_MS;
    this.#refusedGroups.set(spec.name, retryAtMs);
    const group = await this.#serial.run(() => GroupDevice.open(context, spec));
    this.#refusedGroups.delete(spec.name);
    this.#groups.set(spec.name, group);
    mirror.watch(spec.name, GROUP_WATCH);
    await mirror.refresh(spec.name);
    const mtu = mirror.link(spec.name)?.mtu ?? 0;
    return { fds: group.device.fds, ifindex: group.ifindex, mtu, problems: group.problems };
  }

  /** Closes a group device's descriptors and takes back every change; nothing if there is none. */
  async removeGroupDevice(name: string): Promise<void> {
    this.#refusedGroups.delete(name);
    const group = this.#groups.get(name);
    if (group === undefined) return;
    this.#groups.delete(name);
    this.#groupsTold.delete(name);
    this.#run.mirror.unwatch(name, GROUP_WATCH);
    await this.#serial.run(() => group.close());
    if (this.#lostGroups.delete(name)) this.#options.onEvent({ kind: 'attachable', ifname: name });
  }

  async setGroupMtu(name: string, mtu: number): Promise<void> {
    await this.#serial.run(() => this.#group(name).setMtu(mtu));
  }

  /** Whether the kernel may forward what comes in by the group's device. */
  async setGroupForwarding(name: string, forwarding: boolean): Promise<void> {
    const group = this.#group(name);
    await this.#serial.run(() => group.setForwarding(forwarding));
  }

  /** Listens to a multicast address by the group's device, if there is one, or no longer. */
  async setGroupMulticast(name: string, address: string, isMember: boolean): Promise<void> {
    await this.#serial.run(async () => {
      await this.#groups.get(name)?.setMulticast(address, isMember);
    });
  }

  /** `prefix` is 'ADDR/LEN'. */
  async addAddress(group: string, prefix: string): Promise<void> {
    await this.#serial.run(() => this.#group(group).addAddress(prefix));
  }

  async deleteAddress(group: string, prefix: string): Promise<void> {
    await this.#serial.run(() => this.#group(group).deleteAddress(prefix));
  }

  /** Answers why the route is not set although it stays wanted: another one has its place. */
  async addRoute(group: string, route: RouteSettings): Promise<OperatorError | undefined> {
    return this.#serial.run(() => this.#group(group).addRoute(route));
  }

  async deleteRoute(group: string, route: RouteSettings): Promise<void> {
    await this.#serial.run(() => this.#group(group).deleteRoute(route));
  }

  /** True for the MAC of a device of this host, ours or not. */
  isHostMac(mac: Mac): boolean {
    return this.#linkMacs.has(mac);
  }

  /** Looks at these devices (or all) now instead of waiting for a notification. */
  refresh(...names: readonly string[]): Promise<void> {
    return this.#run.mirror.refresh(...names);
  }

  get #run(): Running {
    if (this.#running === undefined) throw new OperatorError('EAGAIN', 'the host is not started');
    return this.#running;
  }

  #group(name: string): GroupDevice {
    const group = this.#groups.get(name);
    if (group === undefined) throw new OperatorError('ENOENT', `there is no group device ${name}`);
    return group;
  }

  #openCarrier(): CarrierMonitor | undefined {
    const { carrier } = this.#options;
    if (carrier === undefined) return undefined;
    const onChange = (nic: number): void => this.#running?.interfaces.handleCarrier(nic);
    const { log } = this.#options;
    return new CarrierMonitor({ open: openNativeCarrierWatch, ...carrier, onChange, log });
  }

  #scheduleTick(): void {
    this.#tick = this.#clock.after(TICK_MS, () => {
      this.#run.interfaces.handleTick();
      this.#suggestGroups();
      this.#run.retries.handleTick();
      this.#scheduleTick();
    });
  }

  /** What refuses a group's device (another process has it) gives no sign when it goes. */
  #suggestGroups(): void {
    const nowMs = this.#clock.nowMs();
    for (const [ifname, retryAtMs] of [...this.#refusedGroups]) {
      if (nowMs < retryAtMs) continue;
      this.#refusedGroups.set(ifname, nowMs + RETRY_MS);
      this.#options.onEvent({ kind: 'attachable', ifname });
    }
  }

  #handleLink(name: string, link: LinkRecord | undefined, hasBounced: boolean): void {
    this.#running?.interfaces.handleLink(name, link, hasBounced);
    const group = this.#groups.get(name);
    if (group !== undefined) this.#handleGroupLink(group, link, hasBounced);
  }

  #handleGroupLink(group: GroupDevice, link: LinkRecord | undefined, hasBounced: boolean): void {
    const { onEvent, log } = this.#options;
    const ifname = group.spec.name;
    if (link?.ifindex !== group.ifindex) {
      if (this.#lostGroups.has(ifname)) return;
      this.#lostGroups.add(ifname);
      const cause = `the device of group ${ifname} was deleted, renamed or moved away`;
      onEvent({ kind: 'device', ifname, present: false, cause });
      return;
    }
    const told = `${link.mac} ${link.mtu}`;
    if (this.#groupsTold.get(ifname) !== told) {
      this.#groupsTold.set(ifname, told);
      onEvent({ kind: 'device', ifname, present: true, mac: link.mac, mtu: link.mtu });
    }
    group.noteLink(link, hasBounced);
    const asserting = this.#serial.run(() => group.handleLink(link, hasBounced));
    asserting.catch((error: unknown) => {
      if (!(error instanceof OperatorError)) throw error;
      log.warn({ group: ifname, code: error.code }, error.message);
    });
  }

  #handleAddresses(name: string, list: readonly HostAddress[]): void {
    this.#running?.interfaces.handleAddresses(name, list);
    const group = this.#groups.get(name);
    if (group === undefined) return;
    group.handleAddresses(list, this.#run.mirror.link(name));
    this.#options.onEvent({ kind: 'addresses', device: name, list });
  }

  #handleRoutes(name: string, list: readonly HostRoute[]): void {
    const group = this.#groups.get(name);
    if (group === undefined) return;
    group.handleRoutes(list, this.#run.mirror.link(name));
    this.#options.onEvent({ kind: 'routes', device: name, list });
  }
}

const GROUP_WATCH = { addresses: true, routes: true } as const;
