/**
 * The interfaces of the configuration over their life (life.ts).
 *
 * `attachable` is emitted when what was missing has appeared, and from time to time, since what
 * refuses an attempt may give no sign when it goes. While an interface is open, events report its
 * link, its address and its size, and what other tools may have undone is asserted again. The
 * caller decides when to attach and to release, because it must take the descriptors from the
 * workers first.
 */

import { OperatorError } from '../../base/errors.ts';
import { GROUP_MTU_MIN } from '../../model/limits.ts';
import { isNativeError } from '../../native/addon.ts';
import type { Clock } from '../../process/clock.ts';
import type { HostLog } from '../../process/log.ts';
import type { Serial } from '../../process/serial.ts';
import type { CarrierMonitor } from '../carrier.ts';
import { yieldConnected } from '../group/connected.ts';
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
import { type AttachedDevice, devicesOf, Interface, watchOptions } from './interface.ts';
import { transition } from './life.ts';
import { LinkTracker } from './link-tracker.ts';
import { interfaceBehind } from './tap.ts';

/** What the interfaces need; the mirror calls their handlers. */
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

  /** Attaches; after a refusal another attempt is suggested. EALREADY: it is attached. */
  async attach(spec: InterfaceSpec, queues: number): Promise<AttachedDevice> {
    const one = this.#known(spec);
    one.begin();
    const { context, serial, mirror, clock } = this.#options;
    let attachment: Attachment;
    try {
      attachment = await serial.run(() => attachInterface(context, spec, queues));
      await mirror().refresh(spec.name, lowerNameOf(spec) ?? '');
    } catch (error) {
      try {
        await mirror().refresh(spec.name, lowerNameOf(spec) ?? '');
      } finally {
        one.triedIn = this.#surroundings(one);
        one.refuse(clock.nowMs());
      }
      throw error;
    }
    if (!one.hold(attachment)) {
      await serial.run(() => detachInterface(context, attachment));
      throw new OperatorError('ENODEV', `${spec.name} was given back meanwhile`);
    }
    const { mac, device } = attachment;
    const mtu = mirror().link(spec.name)?.mtu ?? attachment.mtu;
    one.mac = mac;
    one.mtu = mtu;
    one.tracker.start();
    const { link, changes } = one.tracker;
    return { fds: device.fds, mac, mtu, link, changes };
  }

  /** Closes the descriptors and takes every change back; another attempt may be suggested. */
  async release(name: string): Promise<void> {
    const one = this.#all.get(name);
    if (one !== undefined) await this.#close(one, 'close');
  }

  /** The device of a group was down and up: its routes are the newest now. */
  handleGroupBounced(): void {
    for (const one of this.#all.values()) {
      if (this.useByHost(one.name) !== undefined) this.#yieldRoutes(one);
    }
  }

  /** Use of an interface by the host itself, or of the NIC or bridge below; undefined: none. */
  useByHost(name: string): OperatorError | undefined {
    const one = this.#all.get(name);
    if (one?.held === undefined) return undefined;
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
    await this.#close(one, 'forget');
    this.#all.delete(name);
    this.#unwatch(one.spec);
  }

  /** Forgets every interface; returns what was attached, newest first: it is the caller's. */
  forgetAll(): Attachment[] {
    const all = [...this.#all.values()].reverse();
    this.#all.clear();
    return all.flatMap((one) => {
      one.tracker.stop();
      this.#unwatch(one.spec);
      return one.take('forget') ?? [];
    });
  }

  /** The mirror reports a device, ours or the one below. */
  handleLink(name: string, link: LinkRecord | undefined, hasBounced: boolean): void {
    for (const one of this.#all.values()) {
      const isSelf = one.name === name;
      if (!isSelf && lowerNameOf(one.spec) !== name) continue;
      const { held, spec } = one;
      // Our own device is made at an attempt; only a TAP alone may be made by another program.
      if (held === undefined && isSelf && wiringOf(spec) !== 'tap') continue;
      if (!this.#handleNews(one) || held === undefined) continue;
      if (isSelf) this.#handleOwn(one, held, link, hasBounced);
      else this.#handleLower(one, held, link);
    }
  }

  /** The ports of a bridge have changed. */
  handlePorts(bridge: string): void {
    for (const one of this.#all.values()) {
      if (one.spec.bridge !== bridge || one.state !== 'open') continue;
      this.#options.carrier?.refresh(one.spec.nic);
      one.tracker.watchAgain();
      this.#assertWiring(one, false);
    }
  }

  /** The addresses of a device, ours or below, have changed. */
  handleAddresses(name: string, list: readonly HostAddress[]): void {
    for (const one of this.#all.values()) {
      if (!devicesOf(one.spec).includes(name)) continue;
      const error = useOf(name, list, []);
      if (!this.#handleNews(one) || error === undefined) continue;
      this.#options.emit({ kind: 'uplink-refused', ifname: one.name, error });
      this.#yieldRoutes(one);
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
      if (one.spec.nic !== nic || one.state !== 'open') continue;
      one.tracker.evaluate();
      // A notification may be a second late; a question makes the kernel send it now.
      const mirror = this.#options.mirror();
      const names = one.tracker.devices().map((device) => device.name);
      for (const name of [...names, one.name]) void mirror.refreshLink(name);
    }
  }

  /** Once a second: a deleted macvtap gives no other sign on its descriptor. */
  handleTick(): void {
    const nowMs = this.#options.clock.nowMs();
    for (const one of this.#all.values()) {
      if (one.state === 'open') one.tracker.watchIfNot();
      else if (one.isDue(nowMs)) this.#handleNews(one, true);
    }
    this.#checking ??= this.#checkAll().finally(() => {
      this.#checking = undefined;
    });
  }

  /** Resolves when no descriptor is being looked at any more: then they may be closed. */
  async looked(): Promise<void> {
    await this.#checking;
  }

  /** Looks at one descriptor after the other; a late answer of the kernel delays the others. */
  async #checkAll(): Promise<void> {
    for (const one of [...this.#all.values()]) {
      const { held } = one;
      const fd = held?.device.fds[0];
      if (fd === undefined || one.state !== 'open') continue;
      // What cannot be asked now is asked again in a second.
      const answer = await interfaceBehind(fd).then(
        (name) => ({ name }),
        (error: unknown) => {
          if (!isNativeError(error)) throw error;
          return undefined;
        },
      );
      // Given back meanwhile: the number may be another file's by now.
      if (answer === undefined || one.held !== held) continue;
      if (answer.name === one.name) continue;
      this.#lose(one, `the device ${one.name} was deleted, renamed or moved away`);
    }
  }

  #known(spec: InterfaceSpec): Interface {
    const known = this.#all.get(spec.name);
    if (known !== undefined) return known;
    const tracker = new LinkTracker(spec, {
      carrier: this.#options.carrier,
      mirror: this.#options.mirror,
      isInterface: (name) => this.#all.has(name),
      clock: this.#options.clock,
      onNews: () => this.#tellLink(one),
    });
    const one = new Interface(spec, tracker);
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

  /** Closes what is open; if it is not gone then, another attempt may be suggested. */
  async #close(one: Interface, event: 'close' | 'forget'): Promise<void> {
    const held = one.take(event);
    if (held === undefined) return;
    one.tracker.stop();
    const { context, serial, mirror } = this.#options;
    await this.looked();
    try {
      await serial.run(() => detachInterface(context, held));
    } finally {
      await mirror().refresh(one.name, lowerNameOf(one.spec) ?? '');
      transition(one, 'closed');
      this.#handleNews(one);
    }
  }

  #handleOwn(
    one: Interface,
    attachment: Attachment,
    link: LinkRecord | undefined,
    hasBounced: boolean,
  ): void {
    if (link?.ifindex !== attachment.ifindex) {
      this.#lose(one, `the device ${one.name} is gone`);
      return;
    }
    if (link.mtu < GROUP_MTU_MIN) {
      this.#lose(one, `the device ${one.name} has an MTU of ${link.mtu}`);
      return;
    }
    // The ill's address on a TAP is ours and does not follow the device's.
    const mac = attachment.wiring === 'macvtap' ? link.mac : one.mac;
    if (mac !== one.mac || link.mtu !== one.mtu) {
      one.mac = mac;
      one.mtu = link.mtu;
      const { mtu, up } = link;
      this.#options.emit({ kind: 'device', ifname: one.name, present: true, mac, mtu, up });
    }
    one.tracker.evaluate();
    this.#assertWiring(one, hasBounced);
  }

  #handleLower(one: Interface, attachment: Attachment, link: LinkRecord | undefined): void {
    if (link?.ifindex !== attachment.lower?.ifindex) {
      this.#lose(one, `${lowerNameOf(one.spec)} beneath ${one.name} is gone`);
      return;
    }
    // The kernel reports another MAC of the NIC below, and not that the macvtap has it too.
    if (attachment.wiring === 'macvtap' && link?.mac !== one.mac) {
      void this.#options.mirror().refreshLink(one.name);
    }
    this.#options.carrier?.refresh(one.spec.nic);
    one.tracker.evaluate();
    this.#assertWiring(one, false);
  }

  /** What other tools may have undone. */
  #assertWiring(one: Interface, hasBounced: boolean): void {
    this.#run(one, async (held) => {
      if (one.state === 'open') await assertAttachment(this.#options.context, held, hasBounced);
    });
  }

  #yieldRoutes(one: Interface): void {
    const { context, mirror } = this.#options;
    this.#run(one, async () => {
      for (const name of devicesOf(one.spec)) {
        const link = mirror().link(name);
        if (link !== undefined) await yieldConnected(context.rtnl, link);
      }
    });
  }

  /** Changes what an interface holds, if it still does then; a refusal is logged. */
  #run(one: Interface, change: (held: Attachment) => Promise<void>): void {
    const { serial, log } = this.#options;
    const changing = serial.run(async () => {
      if (one.held !== undefined) await change(one.held);
    });
    changing.catch((error: unknown) => {
      if (!(error instanceof OperatorError)) throw error;
      log.warn({ ifname: one.name, code: error.code }, error.message);
    });
  }

  #lose(one: Interface, cause: string): void {
    if (transition(one, 'lost').action !== 'report') return;
    const wasDown = one.tracker.link === 'down';
    one.tracker.stop();
    if (!wasDown) this.#tellLink(one);
    this.#options.emit({ kind: 'device', ifname: one.name, present: false, cause });
  }

  /** True if the interface is open; otherwise another attempt is suggested, if there is reason. */
  #handleNews(one: Interface, isDue = false): boolean {
    const { mirror, clock, emit } = this.#options;
    const lower = lowerNameOf(one.spec);
    const isLacking = one.held === undefined && lower !== null && !mirror().link(lower);
    const { action } = transition(one, isLacking ? 'lost' : 'news');
    if (action !== 'suggest') return action === 'tell';
    const surroundings = this.#surroundings(one);
    if (!isDue && surroundings === one.triedIn) return false;
    one.triedIn = surroundings;
    one.retryLater(clock.nowMs());
    emit({ kind: 'attachable', ifname: one.name });
    return false;
  }

  /** What must differ for another attempt to make sense. */
  #surroundings(one: Interface): string {
    const mirror = this.#options.mirror();
    const lower = lowerNameOf(one.spec);
    const beneath = lower === null ? undefined : mirror.link(lower);
    const own = mirror.link(one.name);
    const used = lower === null ? [] : mirror.addresses(lower);
    const lowerKey = [beneath?.ifindex, beneath?.master, beneath?.multicast];
    return JSON.stringify([...lowerKey, own?.ifindex, own?.carrier, used]);
  }

  #tellLink(one: Interface): void {
    const { link, changes } = one.tracker;
    this.#options.emit({ kind: 'link', ifname: one.name, link, changes });
  }
}
