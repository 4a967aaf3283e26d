/**
 * The devices of all groups over their life (port/life.ts). One that is removed is gone: the next
 * begins a life of its own.
 *
 * What refuses a device (another process has it) gives no sign when it goes, so another attempt is
 * suggested from time to time. While a device is open, events report its address and size, what it
 * carries, and its loss, and what others may have undone is asserted again.
 */

import { OperatorError } from '../../base/errors.ts';
import type { Clock } from '../../process/clock.ts';
import type { Serial } from '../../process/serial.ts';
import type { HostEvent } from '../host-event.ts';
import type { Mirror } from '../kernel/mirror.ts';
import type { HostAddress, HostRoute, LinkRecord, RouteSettings } from '../kernel/records.ts';
import { Port, transition } from '../port/life.ts';
import { GroupDevice, type GroupDeviceSpec, type Lacking } from './device.ts';
import type { GroupContext } from './wanted.ts';

const WATCH = { addresses: true, routes: true } as const;

const NOTHING_LACKING: Lacking = { addresses: [], routes: [], connected: [] };

/** A group device that was made. */
export interface OpenGroupDevice {
  readonly fds: readonly number[];
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

class GroupPort extends Port<GroupDevice> {
  /** MAC, MTU and state as they were reported last. */
  reported = '';
}

/** See the head of the file. */
export class GroupDevices {
  readonly #options: GroupDevicesOptions;
  readonly #all = new Map<string, GroupPort>();

  constructor(options: GroupDevicesOptions) {
    this.#options = options;
  }

  /** Those that are made. */
  all(): GroupDevice[] {
    return [...this.#all.values()].flatMap(({ held }) => held ?? []);
  }

  has(name: string): boolean {
    return this.#device(name) !== undefined;
  }

  /** Makes a device. EALREADY: it is made; EBUSY, EEXIST: the name is not free. */
  async create(spec: GroupDeviceSpec): Promise<OpenGroupDevice> {
    const { context, serial, clock } = this.#options;
    const { name } = spec;
    const one = this.#all.get(name) ?? new GroupPort(name);
    one.begin();
    this.#all.set(name, one);
    let group: GroupDevice;
    try {
      group = await serial.run(() => GroupDevice.open(context, spec));
    } catch (error) {
      one.refuse(clock.nowMs());
      throw error;
    }
    if (!one.hold(group)) {
      await serial.run(() => group.close());
      throw new OperatorError('ENODEV', `${name} was given back meanwhile`);
    }
    const mirror = this.#options.mirror();
    mirror.watch(name, WATCH);
    await mirror.refresh(name);
    const mtu = mirror.link(name)?.mtu ?? 0;
    return { fds: group.device.fds, mtu, problems: group.problems };
  }

  /** Closes the descriptors and takes back every change; nothing if there is no device. */
  async remove(name: string): Promise<void> {
    const one = this.#all.get(name);
    const isLost = one?.state === 'lost';
    const group = this.#forget(name);
    if (group === undefined) return;
    await this.#options.serial.run(() => group.close());
    if (isLost) this.#options.emit({ kind: 'attachable', ifname: name });
  }

  /** Forgets all; returns what was made, newest first: it is the caller's. */
  forgetAll(): GroupDevice[] {
    return [...this.#all.keys()].reverse().flatMap((name) => this.#forget(name) ?? []);
  }

  #forget(name: string): GroupDevice | undefined {
    const group = this.#all.get(name)?.take('forget');
    this.#all.delete(name);
    if (group !== undefined) this.#options.mirror().unwatch(name, WATCH);
    return group;
  }

  #device(name: string): GroupDevice | undefined {
    return this.#all.get(name)?.held;
  }

  /** Changes the device of `name`, one change at a time. ENOENT: there is none. */
  async change<T>(name: string, change: (group: GroupDevice) => Promise<T>): Promise<T> {
    return this.#options.serial.run(() => {
      const group = this.#device(name);
      if (group !== undefined) return change(group);
      throw new OperatorError('ENOENT', `there is no group device ${name}`);
    });
  }

  /** What of these a device lacks; nothing if there is no device. */
  lacking(name: string, addresses: readonly string[], routes: readonly RouteSettings[]): Lacking {
    return this.#device(name)?.lacking(addresses, routes) ?? NOTHING_LACKING;
  }

  /** Puts a device's connected routes back; nothing if there is no device. */
  async restoreConnected(name: string): Promise<void> {
    const group = this.#device(name);
    if (group === undefined) return;
    await this.#options.serial.run(() => group.restoreConnected());
    await this.#options.mirror().refresh(name);
  }

  /** Once a second. */
  handleTick(): void {
    const nowMs = this.#options.clock.nowMs();
    for (const one of [...this.#all.values()]) {
      if (!one.isDue(nowMs) || transition(one, 'news').action !== 'suggest') continue;
      one.retryLater(nowMs);
      this.#options.emit({ kind: 'attachable', ifname: one.name });
    }
  }

  handleLink(name: string, link: LinkRecord | undefined, hasBounced: boolean): void {
    const one = this.#all.get(name);
    if (one?.held === undefined) return;
    const group = one.held;
    const { emit } = this.#options;
    if (link?.ifindex !== group.ifindex) {
      if (transition(one, 'lost').action !== 'report') return;
      const cause = `the device of group ${name} was deleted, renamed or moved away`;
      emit({ kind: 'device', ifname: name, present: false, cause });
      return;
    }
    const { mac, mtu, up } = link;
    const now = `${mac} ${mtu} ${up}`;
    if (one.reported !== now && transition(one, 'news').action === 'tell') {
      one.reported = now;
      emit({ kind: 'device', ifname: name, present: true, mac, mtu, up });
    }
    group.noteLink(link, hasBounced);
    this.#assert(name, () => group.handleLink(link, hasBounced));
  }

  handleSettings(name: string): void {
    const group = this.#device(name);
    if (group !== undefined) this.#assert(name, () => group.handleSettings());
  }

  handleAddresses(name: string, list: readonly HostAddress[]): void {
    const group = this.#device(name);
    if (group === undefined) return;
    group.handleAddresses(list, this.#options.mirror().link(name));
    this.#options.emit({ kind: 'addresses', device: name, list });
  }

  handleRoutes(name: string, list: readonly HostRoute[]): void {
    const group = this.#device(name);
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
