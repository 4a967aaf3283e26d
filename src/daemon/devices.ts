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
import { nextTurn } from '../base/turns.ts';
import { type ContentsHost, GroupContents, logDeviceProblem } from '../change/group-contents.ts';
import type { GroupConfig, InterfaceConfig } from '../config/types.ts';
import type { DatapathPool } from '../datapath/pool.ts';
import type { Host } from '../host/host.ts';
import type { DeviceEvent, LinkEvent } from '../host/host-event.ts';
import { stableMac } from '../host/port/stable-mac.ts';
import type { Clock } from '../process/clock.ts';
import { LATE_MS } from '../process/late.ts';
import type { Log } from '../process/log.ts';
import type { System } from '../system.ts';
import { type Device, type Entry, newEntry } from './device-entry.ts';
import type { NicDrivers } from './driver.ts';
import type { Pump } from './pump.ts';

/** Devices whose end is told in one turn: on a large host some twenty milliseconds (ours). */
const GONE_A_TURN = 8;

/** What the devices are joined from. */
export interface DevicesOptions {
  readonly host: ContentsHost &
    Pick<
      Host,
      | 'attachInterface'
      | 'releaseInterface'
      | 'detachInterface'
      | 'createGroupDevice'
      | 'removeGroupDevice'
      | 'releaseAll'
      | 'refresh'
    >;
  readonly pool: Pick<DatapathPool, 'attach' | 'detach'>;
  readonly pump: Pick<Pump, 'tell'>;
  readonly drivers: Pick<NicDrivers, 'attached' | 'released' | 'removed'>;
  readonly machineId: string;
  readonly queues: number;
  readonly clock: Clock;
  readonly log: Log;
  readonly fail: (error: unknown) => void;
}

/** Ours: between two times that a device is opened anew. */
const REOPEN_MS = 5000;

/** All devices of the daemon. */
export class Devices {
  readonly #options: DevicesOptions;
  readonly #entries = new Map<string, Entry>();
  readonly #groups = new Map<string, GroupContents>();

  constructor(options: DevicesOptions) {
    this.#options = options;
  }

  /** Takes a NIC if it is there; resolves when it is attached or refused. */
  async addInterface(config: InterfaceConfig, nic: number): Promise<void> {
    await this.#add(this.#interface(config, nic));
  }

  /** Makes a group's device; resolves when it is there or refused. */
  async addGroup(config: GroupConfig, port: number): Promise<void> {
    const { name } = config;
    const contents = new GroupContents(config, this.#options.host);
    this.#groups.set(name, contents);
    await this.#add(this.#group(contents, port));
  }

  /** What a group's device carries; undefined if there is no such group. */
  contentsOf(name: string): GroupContents | undefined {
    return this.#groups.get(name);
  }

  /** True while a step of this device waits for the kernel for long. */
  isUnanswered(name: string): boolean {
    const entry = this.#entries.get(name);
    return entry?.isBusy === true && this.#options.clock.nowMs() - entry.busySinceMs > LATE_MS;
  }

  /** Why a device is not open: undefined if it is, or was and went away. */
  refusalOf(name: string): OperatorError | undefined {
    return this.#entries.get(name)?.refusal;
  }

  /** What the devices of groups are to carry and do not: one sentence each. */
  problems(): string[] {
    return [...this.#groups.values()].flatMap((contents) => contents.problems());
  }

  /** Puts back what others took off the devices of groups; answers what, one sentence each. */
  async restore(): Promise<string[]> {
    const restored: string[] = [];
    for (const contents of this.#groups.values()) {
      restored.push(...(await contents.restore(this.#options.log)));
    }
    return restored;
  }

  /** Gives a device back for good. What fails on the way is told to `fail`, never thrown. */
  async remove(name: string): Promise<void> {
    const entry = this.#entries.get(name);
    if (entry === undefined) return;
    entry.isForgotten = true;
    entry.isWanted = false;
    await this.#settle(entry);
    try {
      await entry.device.forget();
    } catch (error) {
      this.#warnOfClose(entry, error);
    }
    this.#entries.delete(name);
    this.#groups.delete(name);
  }

  /** Gives every device back for good: each step of `remove` for all, then the next one. */
  async removeAll(): Promise<void> {
    const entries = [...this.#entries.values()].reverse();
    for (const entry of entries) {
      entry.isForgotten = true;
      entry.isWanted = false;
    }
    for (;;) {
      // The host may take another device away while these are waited for.
      const busy = entries.filter(({ isBusy }) => isBusy);
      if (busy.length === 0) break;
      await Promise.all(busy.map((entry) => this.#settle(entry)));
    }
    const open = entries.filter(({ isOpen }) => isOpen);
    for (const entry of open) this.#markClosed(entry);
    const { pool, drivers, host } = this.#options;
    for (const [at, { device }] of open.entries()) {
      this.#tellDevice(device.name, ABSENT);
      if (at % GONE_A_TURN === GONE_A_TURN - 1) await nextTurn();
    }
    await Promise.all(open.map(({ device }) => pool.detach(device.port)));
    for (const { device } of open) drivers.released(device.name);
    await host.releaseAll();
    this.#entries.clear();
    this.#groups.clear();
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
      const { mac, mtu, up } = event;
      this.#tellDevice(event.ifname, { present: true, mac, mtu, up });
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
    if (this.#options.clock.nowMs() < entry.heldUntilMs) return;
    entry.isWanted = true;
    void this.#settle(entry);
  }

  /**
   * A worker cannot read the device any more. If it is gone the host will say so; otherwise it is
   * closed, so that what it carried goes another way, and opened anew.
   */
  handlePortError(port: number, errno: number): void {
    const entry = [...this.#entries.values()].find(({ device }) => device.port === port);
    if (entry === undefined) return;
    this.#options.log.info(
      { event: 'port-error', device: entry.device.name, errno },
      `${entry.device.name} cannot be read any more`,
    );
    // While it is being opened, the workers have it before the system does.
    if (!entry.isOpen && entry.isBusy) entry.missedErrno = errno;
    else this.#startReopen(entry, errno);
  }

  #startReopen(entry: Entry, errno: number): void {
    this.#reopen(entry, errno).catch((error: unknown) => this.#options.fail(error));
  }

  async #reopen(entry: Entry, errno: number): Promise<void> {
    const { clock, host, log } = this.#options;
    const { openings } = entry;
    await host.refresh();
    if (!entry.isOpen || entry.isBusy || entry.isForgotten || entry.openings !== openings) return;
    const { name } = entry.device;
    log.warn({ event: 'device-reopened', device: name, errno }, `${name} is opened anew`);
    const nowMs = clock.nowMs();
    const pauseMs = nowMs - entry.reopenedMs < REOPEN_MS ? REOPEN_MS : 0;
    entry.reopenedMs = nowMs;
    entry.heldUntilMs = nowMs + pauseMs;
    entry.isWanted = false;
    await this.#settle(entry);
    if (pauseMs === 0) this.handleAttachable(name);
    else clock.after(pauseMs, () => this.handleAttachable(name));
  }

  #add(device: Device): Promise<void> {
    const entry = newEntry(device);
    this.#entries.set(device.name, entry);
    return this.#settle(entry);
  }

  /** Makes an entry what it should be; resolves when nothing is under way any more. */
  async #settle(entry: Entry): Promise<void> {
    if (entry.isBusy) return await new Promise((resolve) => entry.idle.push(resolve));
    entry.isBusy = true;
    entry.busySinceMs = this.#options.clock.nowMs();
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
    if (entry.isOpen && entry.missedErrno !== undefined) {
      this.#startReopen(entry, entry.missedErrno);
      entry.missedErrno = undefined;
    }
  }

  async #open(entry: Entry): Promise<void> {
    const { name } = entry.device;
    entry.missed = [];
    entry.missedErrno = undefined;
    try {
      await entry.device.open();
      entry.isOpen = true;
      entry.openings++;
      entry.refusal = undefined;
      for (const event of entry.missed.splice(0)) {
        if (event.kind === 'link') this.handleLink(event);
        else this.handleDevice(event);
      }
    } catch (error) {
      if (!(error instanceof OperatorError)) throw error;
      entry.isWanted = false;
      entry.refusal = error;
      const { code, hint, message } = error;
      this.#options.log.warn({ event: 'device-refused', device: name, code, hint }, message);
    }
  }

  async #close(entry: Entry): Promise<void> {
    this.#markClosed(entry);
    this.#tellDevice(entry.device.name, ABSENT);
    await this.#options.pool.detach(entry.device.port);
    try {
      await entry.device.close();
    } catch (error) {
      this.#warnOfClose(entry, error);
    }
  }

  #markClosed(entry: Entry): void {
    entry.isOpen = false;
    this.#groups.get(entry.device.name)?.handleClosed();
  }

  /** What cannot be given back in order does not keep the rest of the daemon. */
  #warnOfClose({ device: { name } }: Entry, error: unknown): void {
    if (!(error instanceof OperatorError)) throw error;
    const { code, hint, message } = error;
    this.#options.log.warn({ event: 'device-not-given-back', device: name, code, hint }, message);
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
          drivers.attached(name, uplink === null);
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
      forget: async () => {
        try {
          await host.detachInterface(name);
        } finally {
          drivers.removed(name, nic);
        }
      },
    };
  }

  #group(contents: GroupContents, port: number): Device {
    const { host, pool, pump, log, machineId, queues } = this.#options;
    const { name } = contents;
    const mac = stableMac(machineId, name, 'group');
    return {
      name,
      port,
      open: async () => {
        const spec = contents.deviceSpec();
        const device = await host.createGroupDevice({ ...spec, mac, queues });
        for (const problem of device.problems) logDeviceProblem(log, name, problem);
        try {
          await pool.attach(port, device.fds);
          pump.tell((system, nowMs) => {
            const info = { present: true, mac, mtu: device.mtu, up: true };
            system.handleGroupDevice(name, info, nowMs);
          });
          await host.refresh(name);
          await contents.joinAgain(log);
          // Last: nothing may be waited for between this and changes that are made at once.
          await contents.catchUp(spec, log);
        } catch (error) {
          this.#tellDevice(name, ABSENT);
          await pool.detach(port);
          await host.removeGroupDevice(name);
          throw error;
        }
      },
      close: () => host.removeGroupDevice(name),
      forget: async () => undefined,
    };
  }

  #tellDevice(name: string, info: Parameters<System['handleGroupDevice']>[1]): void {
    this.#options.pump.tell((system, nowMs) => {
      if (system.groupPortOf(name) !== undefined) system.handleGroupDevice(name, info, nowMs);
      else system.handleDevice(name, info, nowMs);
    });
  }
}

const ABSENT = { present: false, mac: 0, mtu: 0, up: false } as const;
