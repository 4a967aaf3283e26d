/**
 * The host's side of the daemon: NICs taken and given back, group devices made, the host's
 * addresses and routes reported, everything put back at the end. The one class that the daemon
 * needs of this folder. Behind it are kernel/ (rtnetlink, the mirror), undo/ (the journal, what to
 * put back), silence/, port/ (NICs) and group/ (the device of a group).
 *
 * Life: start() first, stop() last; between them everything in any order. Errors are
 * OperatorErrors; anything else is a mistake of ours.
 */

import { OperatorError } from '../base/errors.ts';
import { type Clock, hostClock, type Timer } from '../process/clock.ts';
import type { HostLog } from '../process/log.ts';
import { Serial } from '../process/serial.ts';
import type { Mac } from '../wire/addr.ts';
import { CarrierMonitor, type OpenCarrierWatch } from './carrier.ts';
import type { GroupDeviceSpec, Lacking } from './group/device.ts';
import { GroupDevices, type OpenGroupDevice } from './group/devices.ts';
import type { HostEvent } from './host-event.ts';
import type { OpenNotifications } from './kernel/bell.ts';
import { Mirror } from './kernel/mirror.ts';
import type { OpenTransport } from './kernel/netlink.ts';
import type { RouteSettings } from './kernel/records.ts';
import { Rtnl } from './kernel/rtnl.ts';
import {
  openFiltering,
  openNativeCarrierWatch,
  openNativeNotifications,
  openNativeTransport,
  openRouting,
} from './kernel/transport.ts';
import type { InterfaceSpec } from './port/attach.ts';
import type { AttachedDevice } from './port/interface.ts';
import { Interfaces } from './port/interfaces.ts';
import { closeDevice } from './port/tap.ts';
import { LinkMacs } from './silence/link-macs.ts';
import { Silencer } from './silence/silence.ts';
import { Journal } from './undo/journal.ts';
import { Changes } from './undo/restore.ts';
import { Retries } from './undo/retries.ts';
import type { Leftovers } from './undo/undo.ts';

/** Ours: how soon a deleted macvtap is found if no notification reports it. */
const TICK_MS = 1000;

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

interface Running {
  readonly changes: Changes;
  readonly mirror: Mirror;
  readonly interfaces: Interfaces;
  readonly groups: GroupDevices;
  readonly silencer: Silencer;
  readonly retries: Retries;
}

/** See the head of the file. */
export class Host {
  readonly #options: HostOptions;
  readonly #clock: Clock;
  readonly #serial = new Serial();
  readonly #linkMacs: LinkMacs;
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
    const groups = new GroupDevices({
      context: { rtnl, changes, silencer, log },
      serial: this.#serial,
      clock: this.#clock,
      mirror: () => this.#run.mirror,
      emit: this.#options.onEvent,
    });
    const mirror = this.#openMirror(rtnl, interfaces, groups);
    this.#opened.push(mirror);
    await this.#linkMacs.read();
    const retries = new Retries({
      changes,
      silencer,
      groups: () => groups.all(),
      serial: this.#serial,
      clock: this.#clock,
      log,
    });
    this.#running = { changes, mirror, interfaces, groups, silencer, retries };
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
    const { groups, interfaces, retries, silencer } = this.#running;
    const devices = groups.forgetAll();
    const attachments = interfaces.forgetAll();
    await interfaces.looked();
    await this.#serial.run(async () => {
      const closed = await Promise.allSettled([
        ...devices.map((device) => device.closeDevice()),
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

  /** Use of an interface by the host itself, or of the NIC or bridge below; undefined: none. */
  useByHost(name: string): OperatorError | undefined {
    return this.#running?.interfaces.useByHost(name);
  }

  /** The interface is nominated for broadcast and multicast in its group, or no longer. */
  async setNominated(name: string, isNominated: boolean): Promise<void> {
    const { interfaces, silencer } = this.#run;
    const uplink = interfaces.uplinkOf(name);
    if (uplink === undefined) return;
    await this.#serial.run(() => silencer.setNominated(uplink, isNominated));
  }

  /** Makes the device of a group. EALREADY: it is made; EBUSY, EEXIST: the name is not free. */
  createGroupDevice(spec: GroupDeviceSpec): Promise<OpenGroupDevice> {
    return this.#run.groups.create(spec);
  }

  /** Closes a group device's descriptors and takes back every change; nothing if there is none. */
  removeGroupDevice(name: string): Promise<void> {
    return this.#run.groups.remove(name);
  }

  setGroupMtu(name: string, mtu: number): Promise<void> {
    return this.#run.groups.change(name, (group) => group.setMtu(mtu));
  }

  /** Whether the kernel may forward what comes in, or leaves, by the group's device. */
  setGroupForwarding(name: string, forwarding: boolean): Promise<void> {
    return this.#run.groups.change(name, (group) => group.setForwarding(forwarding));
  }

  /** Listens to a multicast address by the group's device, if there is one, or no longer. */
  async setGroupMulticast(name: string, address: string, isMember: boolean): Promise<void> {
    const { groups } = this.#run;
    if (!groups.has(name)) return;
    await groups.change(name, (group) => group.setMulticast(address, isMember));
  }

  /** `prefix` is 'ADDR/LEN'. */
  addAddress(group: string, prefix: string): Promise<void> {
    return this.#run.groups.change(group, (device) => device.addAddress(prefix));
  }

  deleteAddress(group: string, prefix: string): Promise<void> {
    return this.#run.groups.change(group, (device) => device.deleteAddress(prefix));
  }

  /** Answers why the route is not set although it stays wanted: another one has its place. */
  addRoute(group: string, route: RouteSettings): Promise<OperatorError | undefined> {
    return this.#run.groups.change(group, (device) => device.addRoute(route));
  }

  deleteRoute(group: string, route: RouteSettings): Promise<void> {
    return this.#run.groups.change(group, (device) => device.deleteRoute(route));
  }

  /** What of these a group's device lacks: taken by another program, or refused by the kernel. */
  lacking(group: string, addresses: readonly string[], routes: readonly RouteSettings[]): Lacking {
    return this.#run.groups.lacking(group, addresses, routes);
  }

  /** Puts back the routes to the networks of a group's addresses, which the kernel had made. */
  restoreConnected(group: string): Promise<void> {
    return this.#run.groups.restoreConnected(group);
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

  #openCarrier(): CarrierMonitor | undefined {
    const { carrier } = this.#options;
    if (carrier === undefined) return undefined;
    const onChange = (nic: number): void => this.#running?.interfaces.handleCarrier(nic);
    const { log } = this.#options;
    return new CarrierMonitor({ open: openNativeCarrierWatch, ...carrier, onChange, log });
  }

  /** Interfaces and group devices each pick their own from the events of the mirror. */
  #openMirror(rtnl: Rtnl, interfaces: Interfaces, groups: GroupDevices): Mirror {
    const { log, openNotifications: open = openNativeNotifications } = this.#options;
    return new Mirror({
      rtnl,
      open,
      clock: this.#clock,
      log,
      listener: {
        handleLink: (name, link, hasBounced) => {
          interfaces.handleLink(name, link, hasBounced);
          groups.handleLink(name, link, hasBounced);
          if (hasBounced && groups.has(name)) interfaces.handleGroupBounced();
        },
        handlePorts: (bridge) => interfaces.handlePorts(bridge),
        handleAddresses: (name, list) => {
          interfaces.handleAddresses(name, list);
          groups.handleAddresses(name, list);
        },
        handleRoutes: (name, list) => groups.handleRoutes(name, list),
        handleSettings: (name) => {
          interfaces.handleSettings(name);
          groups.handleSettings(name);
        },
      },
      onLinkRing: () => this.#linkMacs.handleChange(),
    });
  }

  #scheduleTick(): void {
    this.#tick = this.#clock.after(TICK_MS, () => {
      this.#run.interfaces.handleTick();
      this.#run.groups.handleTick();
      this.#run.retries.handleTick();
      this.#scheduleTick();
    });
  }
}
