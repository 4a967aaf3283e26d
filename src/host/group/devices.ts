/**
 * The devices of all groups over their life: wanted, made, lost, made anew.
 *
 *             create                  deleted, renamed or moved away
 *   wanted ----------> made ----------------------------------------> lost
 *     ^ |  refused                                                      |
 *     | +---+                       remove (descriptors closed)         |
 *     +-^---+-----------------------------------------------------------+
 *
 * What refuses a device (another process has it) gives no sign when it goes, so another attempt is
 * suggested from time to time. While it is made, its address and size, what it carries, and its
 * loss are told, and what others may have undone is asserted again.
 */

import { OperatorError } from '../../base/errors.ts';
import type { Clock } from '../../process/clock.ts';
import type { Serial } from '../../process/serial.ts';
import type { HostEvent } from '../host-event.ts';
import type { Mirror } from '../kernel/mirror.ts';
import type { HostAddress, HostRoute, LinkRecord, RouteSettings } from '../kernel/records.ts';
import { type GroupContext, GroupDevice, type GroupDeviceSpec, type Lacking } from './device.ts';

/** Ours: as for interfaces, how soon after a refusal the next attempt is suggested. */
const RETRY_MS = 5000;

const WATCH = { addresses: true, routes: true } as const;

const NOTHING_LACKING: Lacking = { addresses: [], routes: [], connected: [] };

/** A group device that was made. */
export interface OpenGroupDevice {
  readonly fds: readonly number[];
  readonly ifindex: number;
  readonly mtu: number;
  /** Addresses and routes of the configuration that the kernel refused. */
  readonly problems: readonly OperatorError[];
}

/** What the devices need. */
export interface GroupDevicesOptions {
  readonly context: GroupContext;
  readonly serial: Serial;
  readonly clock: Clock;
  readonly mirror: () => Mirror;
  readonly emit: (event: HostEvent) => void;
}

/** See the head of the file. */
export class GroupDevices {
  readonly #options: GroupDevicesOptions;
  readonly #all = new Map<string, GroupDevice>();
  /** Those whose device is gone and not removed yet. */
  readonly #lost = new Set<string>();
  /** Those that were refused: when trying again is suggested. */
  readonly #refused = new Map<string, number>();
  /** MAC, MTU and state of each device as they were told last. */
  readonly #told = new Map<string, string>();

  constructor(options: GroupDevicesOptions) {
    this.#options = options;
  }

  /** Those that are made. */
  all(): IterableIterator<GroupDevice> {
    return this.#all.values();
  }

  has(name: string): boolean {
    return this.#all.has(name);
  }

  /** Makes a device. EALREADY: it is made; EBUSY, EEXIST: the name is not free. */
  async create(spec: GroupDeviceSpec): Promise<OpenGroupDevice> {
    const { context, serial, clock } = this.#options;
    if (this.#all.has(spec.name)) {
      throw new OperatorError('EALREADY', `the device of group ${spec.name} is there already`);
    }
    this.#refused.set(spec.name, clock.nowMs() + RETRY_MS);
    const group = await serial.run(() => GroupDevice.open(context, spec));
    this.#refused.delete(spec.name);
    this.#all.set(spec.name, group);
    const mirror = this.#options.mirror();
    mirror.watch(spec.name, WATCH);
    await mirror.refresh(spec.name);
    const mtu = mirror.link(spec.name)?.mtu ?? 0;
    return { fds: group.device.fds, ifindex: group.ifindex, mtu, problems: group.problems };
  }

  /** Closes the descriptors and takes back every change; nothing if there is no device. */
  async remove(name: string): Promise<void> {
    this.#refused.delete(name);
    const group = this.#all.get(name);
    if (group === undefined) return;
    this.#all.delete(name);
    this.#told.delete(name);
    this.#options.mirror().unwatch(name, WATCH);
    await this.#options.serial.run(() => group.close());
    if (this.#lost.delete(name)) this.#options.emit({ kind: 'attachable', ifname: name });
  }

  /** Forgets all; returns what was made, newest first: it is the caller's. */
  forgetAll(): GroupDevice[] {
    const all = [...this.#all.values()].reverse();
    for (const { spec } of all) this.#options.mirror().unwatch(spec.name, WATCH);
    for (const known of [this.#all, this.#lost, this.#refused, this.#told]) known.clear();
    return all;
  }

  /** Changes the device of `name`, one change at a time. ENOENT: there is none. */
  async change<T>(name: string, change: (group: GroupDevice) => Promise<T>): Promise<T> {
    return this.#options.serial.run(() => {
      const group = this.#all.get(name);
      if (group !== undefined) return change(group);
      throw new OperatorError('ENOENT', `there is no group device ${name}`);
    });
  }

  /** What of these a device lacks; nothing if there is no device. */
  lacking(name: string, addresses: readonly string[], routes: readonly RouteSettings[]): Lacking {
    return this.#all.get(name)?.lacking(addresses, routes) ?? NOTHING_LACKING;
  }

  /** Puts a device's connected routes back; nothing if there is no device. */
  async restoreConnected(name: string): Promise<void> {
    const group = this.#all.get(name);
    if (group === undefined) return;
    await this.#options.serial.run(() => group.restoreConnected());
    await this.#options.mirror().refresh(name);
  }

  /** Once a second. */
  handleTick(): void {
    const nowMs = this.#options.clock.nowMs();
    for (const [ifname, retryAtMs] of [...this.#refused]) {
      if (nowMs < retryAtMs) continue;
      this.#refused.set(ifname, nowMs + RETRY_MS);
      this.#options.emit({ kind: 'attachable', ifname });
    }
  }

  handleLink(name: string, link: LinkRecord | undefined, hasBounced: boolean): void {
    const group = this.#all.get(name);
    if (group === undefined) return;
    const { emit } = this.#options;
    if (link?.ifindex !== group.ifindex) {
      if (this.#lost.has(name)) return;
      this.#lost.add(name);
      const cause = `the device of group ${name} was deleted, renamed or moved away`;
      emit({ kind: 'device', ifname: name, present: false, cause });
      return;
    }
    const { mac, mtu, up } = link;
    const told = `${mac} ${mtu} ${up}`;
    if (this.#told.get(name) !== told) {
      this.#told.set(name, told);
      emit({ kind: 'device', ifname: name, present: true, mac, mtu, up });
    }
    group.noteLink(link, hasBounced);
    this.#assert(name, () => group.handleLink(link, hasBounced));
  }

  handleSettings(name: string): void {
    const group = this.#all.get(name);
    if (group !== undefined) this.#assert(name, () => group.handleSettings());
  }

  handleAddresses(name: string, list: readonly HostAddress[]): void {
    const group = this.#all.get(name);
    if (group === undefined) return;
    group.handleAddresses(list, this.#options.mirror().link(name));
    this.#options.emit({ kind: 'addresses', device: name, list });
  }

  handleRoutes(name: string, list: readonly HostRoute[]): void {
    const group = this.#all.get(name);
    if (group === undefined) return;
    group.handleRoutes(list, this.#options.mirror().link(name));
    this.#options.emit({ kind: 'routes', device: name, list });
  }

  /** Puts back on a device what others may have undone; a refusal is logged. */
  #assert(name: string, assertion: () => Promise<void>): void {
    const { context, serial } = this.#options;
    serial.run(assertion).catch((error: unknown) => {
      if (!(error instanceof OperatorError)) throw error;
      context.log.warn({ group: name, code: error.code }, error.message);
    });
  }
}
