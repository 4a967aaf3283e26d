/**
 * The interfaces of the configuration over their life: wanted, attached, lost, wanted again.
 *
 *             attach                      device or what is beneath it goes
 *   wanted -----------> attached ----------------------------------> lost
 *     ^ |  refused                                                     |
 *     | +---+                            release (descriptors closed)  |
 *     +-^---+----------------------------------------------------------+
 *
 * While wanted, `attachable` is told when what was missing has appeared, and from time to time
 * when what refused us gives no sign of its own. While attached, the link and the device's address
 * and size are told, and what other tools may have undone is asserted again. The caller decides
 * when to attach and to release, because it must take the descriptors from the workers first.
 */

import { OperatorError } from '../../base/errors.ts';
import { GROUP_MTU_MIN } from '../../model/limits.ts';
import { isNativeError } from '../../native/addon.ts';
import type { Clock } from '../../process/clock.ts';
import type { HostLog } from '../../process/log.ts';
import type { Serial } from '../../process/serial.ts';
import type { CarrierMonitor } from '../carrier.ts';
import type { HostEvent } from '../host-event.ts';
import type { Mirror } from '../kernel/mirror.ts';
import type { HostAddress, LinkRecord } from '../kernel/records.ts';
import { useOf } from '../silence/silence.ts';
import {
  type AttachContext,
  type Attachment,
  assertAttachment,
  attachInterface,
  detachInterface,
  type InterfaceSpec,
  lowerNameOf,
  wiringOf,
} from './attach.ts';
import {
  type AttachedDevice,
  attachedDevice,
  devicesOf,
  type Interface,
  newInterface,
  watchOptions,
} from './interface.ts';
import { LinkTracker } from './link-tracker.ts';
import { yieldConnected } from './shadowing.ts';
import { interfaceBehind } from './tap.ts';

/** Ours: how long after a refusal without a sign of change the next attempt is suggested. */
const RETRY_MS = 5000;

/** What the interfaces need; the mirror tells them what it hears. */
export interface InterfacesOptions {
  readonly context: AttachContext;
  readonly serial: Serial;
  readonly clock: Clock;
  readonly log: HostLog;
  readonly carrier: CarrierMonitor | undefined;
  readonly mirror: () => Mirror;
  readonly emit: (event: HostEvent) => void;
}

/** See the head of the file. */
export class Interfaces {
  readonly #options: InterfacesOptions;
  readonly #all = new Map<string, Interface>();
  /** The look at all descriptors that is under way. */
  #checking: Promise<void> | undefined;

  constructor(options: InterfacesOptions) {
    this.#options = options;
  }

  /** Attaches; the interface stays wanted after a refusal. EALREADY: it is attached. */
  async attach(spec: InterfaceSpec, queues: number): Promise<AttachedDevice> {
    const one = this.#wanted(spec);
    if (one.attachment !== undefined || one.isAttaching) {
      throw new OperatorError('EALREADY', `${spec.name} is attached already`);
    }
    one.isAttaching = true;
    const { context, serial, mirror } = this.#options;
    let attachment: Attachment;
    try {
      attachment = await serial.run(() => attachInterface(context, spec, queues));
      await mirror().refresh(spec.name, lowerNameOf(spec) ?? '');
    } catch (error) {
      await mirror().refresh(spec.name, lowerNameOf(spec) ?? '');
      one.refusedAt = this.#surroundings(one);
      one.retryAtMs = this.#options.clock.nowMs() + RETRY_MS;
      throw error;
    } finally {
      one.isAttaching = false;
    }
    one.attachment = attachment;
    one.isLost = false;
    one.mac = attachment.mac;
    one.mtu = mirror().link(spec.name)?.mtu ?? attachment.mtu;
    one.tracker.start();
    return attachedDevice(one, attachment);
  }

  /** Closes the descriptors and takes every change back; the interface stays wanted. */
  async release(name: string): Promise<void> {
    const one = this.#all.get(name);
    const attachment = one?.attachment;
    if (one === undefined || attachment === undefined) return;
    one.attachment = undefined;
    one.tracker.stop();
    const { context, serial, mirror } = this.#options;
    await this.looked();
    try {
      await serial.run(() => detachInterface(context, attachment));
    } finally {
      await mirror().refresh(name, lowerNameOf(one.spec) ?? '');
      one.isLost = false;
      this.#suggest(one);
    }
  }

  /** The device of a group was down and up: its routes are the newest now. */
  handleGroupBounced(): void {
    for (const one of this.#all.values()) {
      if (this.useByHost(one.spec.name) !== undefined) this.#yieldRoutes(one);
    }
  }

  /** Use of an interface by the host itself, or of the NIC or bridge below; undefined: none. */
  useByHost(name: string): OperatorError | undefined {
    const one = this.#all.get(name);
    if (one?.attachment === undefined) return undefined;
    const mirror = this.#options.mirror();
    for (const device of devicesOf(one.spec)) {
      const error = useOf(device, mirror.addresses(device), []);
      if (error !== undefined) return error;
    }
    return undefined;
  }

  /** The NIC below an interface that has one of its own. */
  uplinkOf(name: string): string | undefined {
    return this.#all.get(name)?.spec.uplink ?? undefined;
  }

  /** Releases, and forgets the interface. */
  async detach(name: string): Promise<void> {
    const one = this.#all.get(name);
    if (one === undefined) return;
    one.isForgotten = true;
    await this.release(name);
    this.#all.delete(name);
    this.#unwatch(one.spec);
  }

  /** Forgets every interface; returns what was attached, newest first: it is the caller's. */
  forgetAll(): Attachment[] {
    const all = [...this.#all.values()].reverse();
    this.#all.clear();
    return all.flatMap((one) => {
      const { attachment } = one;
      one.isForgotten = true;
      one.attachment = undefined;
      one.tracker.stop();
      this.#unwatch(one.spec);
      return attachment ?? [];
    });
  }

  /** The mirror tells of a device, ours or beneath. */
  handleLink(name: string, link: LinkRecord | undefined, hasBounced: boolean): void {
    for (const one of this.#all.values()) {
      const isSelf = one.spec.name === name;
      if (!isSelf && lowerNameOf(one.spec) !== name) continue;
      if (one.attachment === undefined) {
        if (link !== undefined && !isSelf) this.#suggest(one);
        else if (isSelf && wiringOf(one.spec) === 'tap') this.#suggest(one);
      } else if (isSelf) {
        this.#handleOwn(one, one.attachment, link, hasBounced);
      } else {
        this.#handleLower(one, one.attachment, link);
      }
    }
  }

  /** The mirror tells of the ports of a bridge. */
  handlePorts(bridge: string): void {
    for (const one of this.#all.values()) {
      if (one.spec.bridge !== bridge || one.attachment === undefined) continue;
      this.#options.carrier?.refresh(one.spec.nic);
      if (!one.isLost) one.tracker.watchAgain();
    }
  }

  /** The addresses of a device, ours or below, have changed. */
  handleAddresses(name: string, list: readonly HostAddress[]): void {
    for (const one of this.#all.values()) {
      if (!devicesOf(one.spec).includes(name)) continue;
      const error = useOf(name, list, []);
      if (one.attachment === undefined) this.#suggest(one);
      else if (error !== undefined) {
        this.#options.emit({ kind: 'uplink-refused', ifname: one.spec.name, error });
        this.#yieldRoutes(one);
      }
    }
  }

  /** Settings of a device, ours or below, may have changed. */
  handleSettings(name: string): void {
    for (const one of this.#all.values()) {
      if (devicesOf(one.spec).includes(name)) this.#assertWiring(one, false);
    }
  }

  /** The carrier watch has seen a change for the NIC with this number. */
  handleCarrier(nic: number): void {
    for (const one of this.#all.values()) {
      if (one.spec.nic !== nic || one.attachment === undefined) continue;
      this.#evaluate(one);
      // The kernel's own news may be a second late; asking makes it tell now.
      const mirror = this.#options.mirror();
      const names = one.tracker.devices().map((device) => device.name);
      for (const name of [...names, one.spec.name]) void mirror.refreshLink(name);
    }
  }

  /** Once a second: a deleted macvtap gives no other sign on its descriptor. */
  handleTick(): void {
    const nowMs = this.#options.clock.nowMs();
    for (const one of this.#all.values()) {
      if (one.attachment === undefined && nowMs >= one.retryAtMs) this.#suggest(one, true);
      if (one.attachment !== undefined && !one.isLost) one.tracker.watchIfNot();
    }
    this.#checking ??= this.#checkAll().finally(() => {
      this.#checking = undefined;
    });
  }

  /** Resolves when no descriptor is being looked at any more: then they may be closed. */
  async looked(): Promise<void> {
    await this.#checking;
  }

  /** Looks at one descriptor after the other; what the kernel has not answered keeps the rest. */
  async #checkAll(): Promise<void> {
    for (const one of [...this.#all.values()]) {
      const { attachment } = one;
      const fd = attachment?.device.fds[0];
      if (fd === undefined || one.isLost) continue;
      // What cannot be asked now is asked again in a second.
      const answer = await interfaceBehind(fd).then(
        (name) => ({ name }),
        (error: unknown) => {
          if (!isNativeError(error)) throw error;
          return undefined;
        },
      );
      // Given back meanwhile: the number may be another file's by now.
      if (answer === undefined || one.attachment !== attachment) continue;
      if (answer.name === one.spec.name) continue;
      this.#lose(one, `the device ${one.spec.name} was deleted, renamed or moved away`);
    }
  }

  #wanted(spec: InterfaceSpec): Interface {
    const known = this.#all.get(spec.name);
    if (known !== undefined) return known;
    const tracker = new LinkTracker(spec, {
      carrier: this.#options.carrier,
      mirror: this.#options.mirror,
      isInterface: (name) => this.#all.has(name),
      clock: this.#options.clock,
      onNews: () => this.#tellLink(one),
    });
    const one = newInterface(spec, tracker);
    this.#all.set(spec.name, one);
    const mirror = this.#options.mirror();
    mirror.watch(spec.name, { addresses: true });
    const lower = lowerNameOf(spec);
    if (lower !== null) mirror.watch(lower, watchOptions(spec));
    return one;
  }

  #unwatch(spec: InterfaceSpec): void {
    const mirror = this.#options.mirror();
    mirror.unwatch(spec.name, { addresses: true });
    const lower = lowerNameOf(spec);
    if (lower !== null) mirror.unwatch(lower, watchOptions(spec));
  }

  #handleOwn(
    one: Interface,
    attachment: Attachment,
    link: LinkRecord | undefined,
    hasBounced: boolean,
  ): void {
    if (link?.ifindex !== attachment.ifindex) {
      this.#lose(one, `the device ${one.spec.name} is gone`);
      return;
    }
    if (link.mtu < GROUP_MTU_MIN) {
      this.#lose(one, `the device ${one.spec.name} has an MTU of ${link.mtu}`);
      return;
    }
    // The ill's address on a TAP is ours and does not follow the device's.
    const mac = attachment.wiring === 'macvtap' ? link.mac : one.mac;
    if (mac !== one.mac || link.mtu !== one.mtu) {
      one.mac = mac;
      one.mtu = link.mtu;
      const { name } = one.spec;
      const { mtu, up } = link;
      this.#options.emit({ kind: 'device', ifname: name, present: true, mac, mtu, up });
    }
    this.#evaluate(one);
    this.#assertWiring(one, hasBounced);
  }

  #handleLower(one: Interface, attachment: Attachment, link: LinkRecord | undefined): void {
    if (link?.ifindex !== attachment.lower?.ifindex) {
      this.#lose(one, `${lowerNameOf(one.spec)} beneath ${one.spec.name} is gone`);
      return;
    }
    // The kernel reports another MAC of the NIC below, and not that the macvtap has it too.
    if (attachment.wiring === 'macvtap' && link?.mac !== one.mac) {
      void this.#options.mirror().refreshLink(one.spec.name);
    }
    this.#options.carrier?.refresh(one.spec.nic);
    this.#evaluate(one);
    this.#assertWiring(one, false);
  }

  /** What other tools may have undone. */
  #assertWiring(one: Interface, hasBounced: boolean): void {
    const { context, serial, log } = this.#options;
    const asserting = serial.run(async () => {
      const { attachment } = one;
      if (attachment === undefined || one.isLost) return;
      await assertAttachment(context, attachment, hasBounced);
    });
    asserting.catch((error: unknown) => {
      if (!(error instanceof OperatorError)) throw error;
      log.warn({ ifname: one.spec.name, code: error.code }, error.message);
    });
  }

  #yieldRoutes(one: Interface): void {
    const { context, serial, log, mirror } = this.#options;
    const yielding = serial.run(async () => {
      if (one.attachment === undefined) return;
      for (const name of devicesOf(one.spec)) {
        const link = mirror().link(name);
        if (link !== undefined) await yieldConnected(context.rtnl, link);
      }
    });
    yielding.catch((error: unknown) => {
      if (!(error instanceof OperatorError)) throw error;
      log.warn({ ifname: one.spec.name, code: error.code }, error.message);
    });
  }

  #lose(one: Interface, cause: string): void {
    if (one.isLost) return;
    one.isLost = true;
    const wasDown = one.tracker.link === 'down';
    one.tracker.stop();
    if (!wasDown) this.#tellLink(one);
    this.#options.emit({ kind: 'device', ifname: one.spec.name, present: false, cause });
  }

  /** Tells that attaching may succeed now, if there is a reason to think so. */
  #suggest(one: Interface, isRetry = false): void {
    if (one.attachment !== undefined || one.isAttaching || one.isForgotten) return;
    const lower = lowerNameOf(one.spec);
    if (lower !== null && this.#options.mirror().link(lower) === undefined) return;
    if (!isRetry && this.#surroundings(one) === one.refusedAt) return;
    one.refusedAt = this.#surroundings(one);
    one.retryAtMs = this.#options.clock.nowMs() + RETRY_MS;
    this.#options.emit({ kind: 'attachable', ifname: one.spec.name });
  }

  /** What must differ for another attempt to make sense. */
  #surroundings(one: Interface): string {
    const mirror = this.#options.mirror();
    const lower = lowerNameOf(one.spec);
    const beneath = lower === null ? undefined : mirror.link(lower);
    const own = mirror.link(one.spec.name);
    const used = lower === null ? [] : mirror.addresses(lower);
    return JSON.stringify([beneath?.ifindex, beneath?.master, own?.ifindex, own?.carrier, used]);
  }

  #evaluate(one: Interface): void {
    if (one.attachment === undefined || one.isLost) return;
    one.tracker.evaluate();
  }

  #tellLink(one: Interface): void {
    const { link, changes } = one.tracker;
    this.#options.emit({ kind: 'link', ifname: one.spec.name, link, changes });
  }
}
