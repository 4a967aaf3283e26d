/**
 * The life of devices, NICs and groups alike: taken from the host, given to the workers, told to
 * the system; and the way back when they go.
 *
 *   attach   host opens ──> workers take the descriptors ──> the system is told
 *   loss     the system is told ──> workers let go ──> host closes ──> attach when it is back
 *
 * The order is the rule: the system never believes in a device that the workers do not have, and
 * no descriptor is closed while a worker may touch it. A device that is absent or refused is a
 * normal state: it is logged, shown as absent, and tried again when the host says so.
 *
 * Invariant: for each name one step is under way at most; wishes that arrive meanwhile are looked
 * at when it ends.
 */

import { OperatorError } from '../base/errors.ts';
import type { GroupConfig, InterfaceConfig } from '../config/types.ts';
import type { DatapathPool } from '../datapath/pool.ts';
import type { GroupDeviceSpec } from '../host/group-device.ts';
import type { Host } from '../host/host.ts';
import type { DeviceEvent, LinkEvent } from '../host/host-event.ts';
import type { Log } from '../host/log.ts';
import { stableMac } from '../host/stable-mac.ts';
import type { NicDrivers } from './driver.ts';
import type { Pump } from './pump.ts';

/** What the devices are joined from. */
export interface DevicesOptions {
  readonly host: Pick<
    Host,
    | 'attachInterface'
    | 'releaseInterface'
    | 'createGroupDevice'
    | 'removeGroupDevice'
    | 'setGroupForwarding'
    | 'setGroupMulticast'
    | 'refresh'
  >;
  readonly pool: Pick<DatapathPool, 'attach' | 'detach'>;
  readonly pump: Pick<Pump, 'tell'>;
  readonly drivers: Pick<NicDrivers, 'attached' | 'released'>;
  readonly machineId: string;
  readonly queues: number;
  readonly log: Log;
  readonly fail: (error: unknown) => void;
}

/** How one name is opened and closed; NICs and groups differ only in this. */
interface Device {
  readonly name: string;
  readonly port: number;
  open(): Promise<void>;
  close(): Promise<void>;
}

interface Entry {
  readonly device: Device;
  /** What it should be; a loss makes it false until the host says that it may be tried again. */
  isWanted: boolean;
  isOpen: boolean;
  isBusy: boolean;
  /** Given back for good: what the host suggests is not heard any more. */
  isForgotten: boolean;
  /** What the host said while the device was being opened; it counts when that is done. */
  missed: (DeviceEvent | LinkEvent)[];
  /** Who waits until nothing is under way. */
  idle: (() => void)[];
}

/** All devices of the daemon. */
export class Devices {
  readonly #options: DevicesOptions;
  readonly #entries = new Map<string, Entry>();
  /** Groups that may forward, or not, by name: also for a device that comes later. */
  readonly #forwarding = new Map<string, boolean>();
  /** Multicast addresses of each group: also for a device that comes later. */
  readonly #multicast = new Map<string, Set<string>>();

  constructor(options: DevicesOptions) {
    this.#options = options;
  }

  /** Takes a NIC if it is there; resolves when it is attached or refused. */
  async addInterface(config: InterfaceConfig, nic: number): Promise<void> {
    await this.#add(this.#interface(config, nic));
  }

  /** Makes a group's device; resolves when it is there or refused. */
  async addGroup(config: GroupConfig, port: number): Promise<void> {
    this.#forwarding.set(config.name, config.forwarding);
    this.#multicast.set(config.name, new Set());
    await this.#add(this.#group(config, port));
  }

  /** Whether the kernel may forward for a group. What the host refuses with: nothing changed. */
  async setGroupForwarding(name: string, forwarding: boolean): Promise<void> {
    const before = this.#forwarding.get(name);
    if (before === undefined) return;
    this.#forwarding.set(name, forwarding);
    if (this.#entries.get(name)?.isOpen !== true) return;
    try {
      await this.#options.host.setGroupForwarding(name, forwarding);
    } catch (error) {
      this.#forwarding.set(name, before);
      throw error;
    }
  }

  /** Has the kernel listen to multicast, or not. What the host refuses with: nothing changed. */
  async setGroupMulticast(name: string, address: string, isMember: boolean): Promise<void> {
    await this.#options.host.setGroupMulticast(name, address, isMember);
    const addresses = this.#multicast.get(name);
    if (isMember) addresses?.add(address);
    else addresses?.delete(address);
  }

  /** Gives a device back for good. What fails on the way is told to `fail`, never thrown. */
  async remove(name: string): Promise<void> {
    const entry = this.#entries.get(name);
    if (entry === undefined) return;
    entry.isForgotten = true;
    entry.isWanted = false;
    await this.#settle(entry);
    this.#entries.delete(name);
    this.#forwarding.delete(name);
    this.#multicast.delete(name);
  }

  /** Gives every device back, newest first. */
  async removeAll(): Promise<void> {
    for (const name of [...this.#entries.keys()].reverse()) await this.remove(name);
  }

  /** The host says that a device changed or is gone. */
  handleDevice(event: DeviceEvent): void {
    const entry = this.#entries.get(event.ifname);
    if (entry === undefined) return;
    if (!entry.isOpen) {
      if (entry.isBusy) entry.missed.push(event);
      return;
    }
    if (event.present) {
      this.#tellDevice(event.ifname, { present: true, mac: event.mac, mtu: event.mtu });
      return;
    }
    this.#options.log.warn({ event: 'device-lost', device: event.ifname }, event.cause);
    this.#tellDevice(event.ifname, ABSENT);
    entry.isWanted = false;
    void this.#settle(entry);
  }

  /** The host says that the link of a NIC changed. */
  handleLink(event: LinkEvent): void {
    const entry = this.#entries.get(event.ifname);
    if (entry !== undefined && !entry.isOpen && entry.isBusy) entry.missed.push(event);
    else this.#options.pump.tell((system, nowMs) => system.handleLink(event.ifname, event, nowMs));
  }

  /** The host says that what was absent or refused may be tried now. */
  handleAttachable(name: string): void {
    const entry = this.#entries.get(name);
    if (entry === undefined || entry.isForgotten) return;
    entry.isWanted = true;
    void this.#settle(entry);
  }

  /** A worker cannot read the device any more: what it is the host will say. */
  handlePortError(port: number, errno: number): void {
    const entry = [...this.#entries.values()].find(({ device }) => device.port === port);
    if (entry === undefined) return;
    this.#options.log.info(
      { event: 'port-error', device: entry.device.name, errno },
      `${entry.device.name} cannot be read any more`,
    );
    void this.#options.host.refresh();
  }

  #add(device: Device): Promise<void> {
    const entry: Entry = {
      device,
      isWanted: true,
      isOpen: false,
      isBusy: false,
      isForgotten: false,
      missed: [],
      idle: [],
    };
    this.#entries.set(device.name, entry);
    return this.#settle(entry);
  }

  /** Makes an entry what it should be; resolves when nothing is under way any more. */
  async #settle(entry: Entry): Promise<void> {
    if (entry.isBusy) return await new Promise((resolve) => entry.idle.push(resolve));
    entry.isBusy = true;
    try {
      while (entry.isWanted !== entry.isOpen) {
        if (entry.isWanted) await this.#open(entry);
        else await this.#close(entry);
      }
    } catch (error) {
      this.#options.fail(error);
    } finally {
      entry.isBusy = false;
      for (const resolve of entry.idle.splice(0)) resolve();
    }
  }

  async #open(entry: Entry): Promise<void> {
    const { name } = entry.device;
    entry.missed = [];
    try {
      await entry.device.open();
      entry.isOpen = true;
      for (const event of entry.missed.splice(0)) {
        if (event.kind === 'link') this.handleLink(event);
        else this.handleDevice(event);
      }
    } catch (error) {
      if (!(error instanceof OperatorError)) throw error;
      entry.isWanted = false;
      const { code, hint, message } = error;
      this.#options.log.warn({ event: 'device-refused', device: name, code, hint }, message);
    }
  }

  async #close(entry: Entry): Promise<void> {
    entry.isOpen = false;
    this.#tellDevice(entry.device.name, ABSENT);
    await this.#options.pool.detach(entry.device.port);
    await entry.device.close();
  }

  #interface(config: InterfaceConfig, nic: number): Device {
    const { host, pool, pump, drivers, queues, log } = this.#options;
    const { name, uplink, bridge } = config;
    return {
      name,
      port: nic,
      open: async () => {
        const device = await host.attachInterface({ name, nic, uplink, bridge }, queues);
        try {
          await pool.attach(nic, device.fds);
          await drivers.attached(name, uplink === null);
        } catch (error) {
          await pool.detach(nic);
          await host.releaseInterface(name);
          throw error;
        }
        const { mac, mtu, link, changes } = device;
        log.info({ event: 'device-attached', device: name, link }, `${name} is attached`);
        pump.tell((system, nowMs) => {
          system.handleDevice(name, { present: true, mac, mtu, link }, nowMs);
          system.handleLink(name, { link, changes }, nowMs);
        });
      },
      close: async () => {
        drivers.released(name);
        await host.releaseInterface(name);
      },
    };
  }

  #group(config: GroupConfig, port: number): Device {
    const { host, pool, pump, log } = this.#options;
    const { name } = config;
    return {
      name,
      port,
      open: async () => {
        const spec = this.#groupSpec(config);
        const device = await host.createGroupDevice(spec);
        for (const { code, message } of device.problems) {
          log.warn({ event: 'group-device-problem', device: name, code }, message);
        }
        try {
          await pool.attach(port, device.fds);
          const forwarding = this.#forwards(config);
          if (forwarding !== spec.forwarding) await host.setGroupForwarding(name, forwarding);
        } catch (error) {
          await pool.detach(port);
          await host.removeGroupDevice(name);
          throw error;
        }
        pump.tell((system, nowMs) => {
          const info = { present: true, mac: spec.mac, mtu: device.mtu };
          system.handleGroupDevice(name, info, nowMs);
        });
        await host.refresh();
        await this.#joinAgain(name);
      },
      close: async () => {
        await host.removeGroupDevice(name);
      },
    };
  }

  /** A device that came back listens to what it listened to. */
  async #joinAgain(name: string): Promise<void> {
    const { host, log } = this.#options;
    for (const address of this.#multicast.get(name) ?? []) {
      try {
        await host.setGroupMulticast(name, address, true);
      } catch (error) {
        if (!(error instanceof OperatorError)) throw error;
        const { code, message } = error;
        log.warn({ event: 'group-device-problem', device: name, code }, message);
      }
    }
  }

  #groupSpec(config: GroupConfig): GroupDeviceSpec {
    const { machineId, queues } = this.#options;
    const { name, addresses, routes, mtu } = config;
    return {
      name,
      mac: stableMac(machineId, name, 'group'),
      queues,
      addresses,
      routes: routes.map(({ to, via }) => (via === null ? { to } : { to, via })),
      forwarding: this.#forwards(config),
      ...(mtu === 'auto' ? {} : { mtu }),
    };
  }

  #forwards({ name, forwarding }: GroupConfig): boolean {
    return this.#forwarding.get(name) ?? forwarding;
  }

  #tellDevice(name: string, info: { present: boolean; mac: number; mtu: number }): void {
    this.#options.pump.tell((system, nowMs) => {
      if (system.groupPortOf(name) !== undefined) system.handleGroupDevice(name, info, nowMs);
      else system.handleDevice(name, info, nowMs);
    });
  }
}

const ABSENT = { present: false, mac: 0, mtu: 0 } as const;
