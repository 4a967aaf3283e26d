/**
 * The mirror of the host's devices, addresses and routes, as far as they concern us.
 *
 * A notification is a bell (bell.ts). It is answered, a little later so that a burst of them costs
 * one look, by asking the kernel for exactly the devices we watch; the difference to what was
 * known is passed to the listener. When the kernel reports lost notifications, everything is
 * asked for again. So the mirror is right as soon as nothing has changed for REST_MS.
 *
 * The loss of a link does not wait for that: a notification that looks like one leads to a
 * question about this one device at once.
 *
 * Invariants
 * 1. Whatever changes in the kernel while a look is under way makes another look follow.
 * 2. The listener gets each difference once, and a device before its addresses and routes.
 * 3. Of a device that was down, the lists are passed on again when it is up, even if equal:
 *    addresses outlive it, and the listener has forgotten them.
 */

import { OperatorError } from '../../base/errors.ts';
import type { Clock, Timer } from '../../process/clock.ts';
import type { HostLog } from '../../process/log.ts';
import { BELL_GROUPS, type OpenNotifications, type Ring, ringsOf } from './bell.ts';
import { NETLINK_ROUTE } from './netlink-message.ts';
import type { HostAddress, HostRoute, LinkRecord } from './records.ts';
import type { Rtnl } from './rtnl.ts';
import {
  isNewPort,
  isSame,
  isSameList,
  markStale,
  newWatched,
  tellAgain,
  type Watched,
  type WatchOptions,
  wantsOf,
} from './watched.ts';

/** Ours: what comes within this time of the first bell is answered by the same look. */
const COALESCE_MS = 2;

/** Ours: looks begin at least this far apart, so that a storm costs at most 20 looks a second. */
const REST_MS = 50;

/** Ours: a look that failed is repeated after this time. */
const RETRY_MS = 200;

/** Gets the differences. Every method is called from the event loop, never re-entrantly. */
export interface MirrorListener {
  /**
   * The device is new, changed or gone (undefined). `hasBounced`: it was down in the meantime,
   * even if it looks the same; what it carried may be lost.
   */
  handleLink(name: string, link: LinkRecord | undefined, hasBounced: boolean): void;
  handlePorts(bridge: string, ports: readonly LinkRecord[]): void;
  handleAddresses(name: string, addresses: readonly HostAddress[]): void;
  handleRoutes(name: string, routes: readonly HostRoute[]): void;
  /** A setting of the device under /proc/sys/net has changed, perhaps by us. */
  handleSettings(name: string): void;
}

/** What the mirror needs. */
interface MirrorOptions {
  readonly rtnl: Rtnl;
  readonly open: OpenNotifications;
  readonly clock: Clock;
  readonly log: HostLog;
  readonly listener: MirrorListener;
  /** Any device of the namespace, watched or not, is new, changed or gone. */
  readonly onLinkRing?: () => void;
}

/** See the head of the file. */
export class Mirror {
  readonly #options: MirrorOptions;
  readonly #watched = new Map<string, Watched>();
  /** Those that are there, by index: rings come in thousands. */
  readonly #byIndex = new Map<number, Set<Watched>>();
  readonly #notifications: { close(): void };
  #timer: Timer | undefined;
  #looking: Promise<void> | undefined;
  /** Devices that are asked about at once, one question each: a link may flap while one waits. */
  readonly #asked = new Map<string, { isToRepeat: boolean }>();
  #lastLookMs = -REST_MS;
  #isClosed = false;
  /** Times that the kernel reported lost notifications. */
  overruns = 0;

  constructor(options: MirrorOptions) {
    this.#options = options;
    this.#notifications = options.open(NETLINK_ROUTE, BELL_GROUPS, {
      received: (bytes) => this.#handleRings(ringsOf(bytes)),
      overrun: () => this.#handleOverrun(),
    });
  }

  /** Begins to watch a device by name, whether it exists or not; watches add up. */
  watch(name: string, options: WatchOptions = {}): void {
    const watched = this.#watched.get(name) ?? newWatched(name);
    this.#watched.set(name, watched);
    watched.users++;
    for (const want of wantsOf(options)) watched.wants[want]++;
    markStale(watched);
    this.#ring();
  }

  /** Ends one watch with the options it was begun with. */
  unwatch(name: string, options: WatchOptions = {}): void {
    const watched = this.#watched.get(name);
    if (watched === undefined) return;
    for (const want of wantsOf(options)) watched.wants[want]--;
    if (--watched.users > 0) return;
    this.#watched.delete(name);
    this.#noteIndex(watched, watched.link?.ifindex, undefined);
  }

  /** The device as last seen; undefined if it is absent or not watched. */
  link(name: string): LinkRecord | undefined {
    return this.#watched.get(name)?.link;
  }

  /** The ports of a bridge as last seen. */
  ports(bridge: string): readonly LinkRecord[] {
    return this.#watched.get(bridge)?.ports ?? [];
  }

  /** The addresses of a device as last seen, if they are watched. */
  addresses(name: string): readonly HostAddress[] {
    return this.#watched.get(name)?.addresses ?? [];
  }

  /** Looks at these devices (or all) now; resolves when the listener has the differences. */
  async refresh(...names: readonly string[]): Promise<void> {
    for (const watched of this.#watched.values()) {
      if (names.length === 0 || names.includes(watched.name)) markStale(watched);
    }
    while (this.#looking !== undefined) await this.#looking;
    await this.#look();
  }

  /** Asks about one device at once: its link may have been lost. */
  async refreshLink(name: string): Promise<void> {
    const asked = this.#asked.get(name);
    if (asked !== undefined) {
      // The kernel may have answered before this change: once more.
      asked.isToRepeat = true;
      return;
    }
    const question = { isToRepeat: true };
    this.#asked.set(name, question);
    try {
      while (question.isToRepeat && !this.#isClosed) {
        question.isToRepeat = false;
        await this.#guarded(() => this.#askLink(name));
      }
    } finally {
      this.#asked.delete(name);
    }
    this.#ring();
  }

  async #askLink(name: string): Promise<void> {
    const watched = this.#watched.get(name) ?? this.#bridgeOf(name);
    if (watched === undefined) return;
    const link = await this.#options.rtnl.link(name, { urgent: true });
    if (watched.name === name) this.#setLink(watched, link);
    else this.#replacePort(watched, name, link);
  }

  close(): void {
    this.#isClosed = true;
    this.#timer?.cancel();
    this.#notifications.close();
  }

  #bridgeOf(port: string): Watched | undefined {
    return [...this.#watched.values()].find((w) => w.ports.some((link) => link.name === port));
  }

  #handleOverrun(): void {
    this.overruns++;
    this.#options.onLinkRing?.();
    this.#options.log.warn({ overruns: this.overruns }, 'notifications of the kernel were lost');
    this.#markAllStale();
    // Of settings there is no list to compare: they are asserted wherever they may have changed.
    for (const watched of this.#watched.values()) watched.areSettingsStale = true;
    this.#ring();
  }

  #markAllStale(): void {
    for (const watched of this.#watched.values()) markStale(watched);
  }

  #handleRings(rings: readonly Ring[]): void {
    if (rings.some(({ about }) => about === 'link')) this.#options.onLinkRing?.();
    for (const ring of rings) {
      if (ring.about === 'link') this.#handleLinkRing(ring.link, ring.isGone);
      else if (ring.about === 'addresses') this.#handleAddressRing(ring.ifindex);
      else if (ring.about === 'settings') this.#handleSettingsRing(ring.ifindex);
      else this.#handleRouteRing(ring.ifindexes);
    }
  }

  #handleLinkRing(shown: LinkRecord, isGone: boolean): void {
    let isOurs = false;
    for (const watched of this.#watched.values()) {
      const isSelf = watched.name === shown.name || watched.link?.ifindex === shown.ifindex;
      const port = watched.ports.find((link) => link.ifindex === shown.ifindex);
      const isPort = port !== undefined || isNewPort(watched, shown);
      if (!isSelf && !isPort) continue;
      isOurs = true;
      // A port's change is the bridge's; what a device carries may go without a message.
      if (isSelf) markStale(watched);
      else watched.isLinkStale = true;
      if (isSelf && !shown.up) {
        watched.hasBounced = true;
        watched.falls++;
      }
      const known = isSelf ? watched.link : port;
      if (known?.up && known.carrier && (isGone || !shown.up || !shown.carrier)) {
        void this.refreshLink(known.name);
      }
    }
    if (isOurs) this.#ring();
  }

  #handleAddressRing(ifindex: number): void {
    for (const watched of this.#byIndex.get(ifindex) ?? []) {
      watched.isStale.addresses = true;
      watched.isStale.routes = true;
      this.#ring();
    }
  }

  #handleSettingsRing(ifindex: number): void {
    for (const watched of this.#byIndex.get(ifindex) ?? []) {
      watched.areSettingsStale = true;
      this.#ring();
    }
  }

  #handleRouteRing(ifindexes: readonly number[] | undefined): void {
    const concerned =
      ifindexes === undefined
        ? this.#watched.values()
        : ifindexes.flatMap((ifindex) => [...(this.#byIndex.get(ifindex) ?? [])]);
    for (const watched of concerned) {
      if (watched.wants.routes === 0 || watched.link === undefined) continue;
      watched.isStale.routes = true;
      this.#ring();
    }
  }

  #ring(delayMs = COALESCE_MS): void {
    if (this.#timer !== undefined || this.#isClosed) return;
    const restMs = this.#lastLookMs + REST_MS - this.#options.clock.nowMs();
    this.#timer = this.#options.clock.after(Math.max(delayMs, restMs), () => {
      this.#timer = undefined;
      void this.#look();
    });
  }

  /** One look at a time; a bell during a look is answered by the next. */
  async #look(): Promise<void> {
    if (this.#looking !== undefined) return this.#ring();
    this.#lastLookMs = this.#options.clock.nowMs();
    this.#looking = this.#guarded(() => this.#lookAtAll());
    try {
      await this.#looking;
    } finally {
      this.#looking = undefined;
    }
  }

  async #lookAtAll(): Promise<void> {
    for (const watched of [...this.#watched.values()]) {
      if (watched.isLinkStale) await this.#lookAtLink(watched);
      if (watched.areSettingsStale) {
        watched.areSettingsStale = false;
        this.#options.listener.handleSettings(watched.name);
      }
      if (watched.isStale.addresses) await this.#lookAtAddresses(watched);
      if (watched.isStale.routes) await this.#lookAtRoutes(watched);
    }
  }

  async #lookAtLink(watched: Watched): Promise<void> {
    watched.isLinkStale = false;
    this.#setLink(watched, await this.#options.rtnl.link(watched.name));
    if (watched.wants.ports === 0) return;
    const { link } = watched;
    const ports = link === undefined ? [] : await this.#options.rtnl.ports(link.ifindex);
    this.#setPorts(watched, ports);
  }

  #setLink(watched: Watched, link: LinkRecord | undefined): void {
    // The watch may have ended before the kernel's answer.
    if (this.#watched.get(watched.name) !== watched) return;
    const before = watched.link;
    const hasBounced = watched.hasBounced && link?.up === true;
    if (link?.up) watched.hasBounced = false;
    if (before?.ifindex !== link?.ifindex) markStale(watched, false);
    if (isSame(before, link) && !hasBounced) return;
    if (!link?.up || before?.ifindex !== link.ifindex) watched.falls++;
    this.#noteIndex(watched, before?.ifindex, link?.ifindex);
    if (link?.up && before !== undefined && (hasBounced || !before.up)) tellAgain(watched);
    watched.link = link;
    this.#options.listener.handleLink(watched.name, link, hasBounced);
  }

  #noteIndex(watched: Watched, before: number | undefined, after: number | undefined): void {
    if (before === after) return;
    const those = before === undefined ? undefined : this.#byIndex.get(before);
    those?.delete(watched);
    if (before !== undefined && those?.size === 0) this.#byIndex.delete(before);
    if (after === undefined) return;
    this.#byIndex.set(after, (this.#byIndex.get(after) ?? new Set()).add(watched));
  }

  #setPorts(watched: Watched, ports: readonly LinkRecord[]): void {
    if (isSame(watched.ports, ports)) return;
    watched.ports = ports;
    this.#options.listener.handlePorts(watched.name, ports);
  }

  #replacePort(bridge: Watched, port: string, link: LinkRecord | undefined): void {
    const others = bridge.ports.filter((known) => known.name !== port);
    const isStillPort = link !== undefined && link.master === bridge.link?.ifindex;
    this.#setPorts(bridge, isStillPort ? [...others, link] : others);
  }

  async #lookAtAddresses(watched: Watched): Promise<void> {
    watched.isStale.addresses = false;
    if (watched.wants.addresses === 0) return;
    const { link, falls } = watched;
    const addresses = link === undefined ? [] : await this.#options.rtnl.addresses(link.ifindex);
    const isKnown = !watched.isToTell.addresses && (await isSameList(watched.addresses, addresses));
    if (isKnown || !this.#isStillTrue(watched, falls)) return;
    watched.isToTell.addresses = false;
    watched.addresses = addresses;
    this.#options.listener.handleAddresses(watched.name, addresses);
  }

  async #lookAtRoutes(watched: Watched): Promise<void> {
    watched.isStale.routes = false;
    if (watched.wants.routes === 0) return;
    const { link, falls, knownRoutes } = watched;
    const routes =
      link === undefined ? [] : await this.#options.rtnl.routes(link.ifindex, knownRoutes);
    const isKnown = !watched.isToTell.routes && (await isSameList(watched.routes, routes));
    if (isKnown || !this.#isStillTrue(watched, falls)) return;
    watched.isToTell.routes = false;
    watched.routes = routes;
    this.#options.listener.handleRoutes(watched.name, routes);
  }

  /**
   * Of a list that was asked for `falls` ago. What a device carried before it was down is not
   * what it carries: compared late, the difference would count as a deletion by hand.
   */
  #isStillTrue(watched: Watched, falls: number): boolean {
    if (this.#isClosed || this.#watched.get(watched.name) !== watched) return false;
    if (watched.falls === falls) return true;
    markStale(watched, false);
    this.#ring();
    return false;
  }

  /** A look that the kernel did not answer is repeated in full. */
  async #guarded(body: () => Promise<void>): Promise<void> {
    try {
      await body();
    } catch (error) {
      if (!(error instanceof OperatorError)) throw error;
      if (this.#isClosed) return;
      this.#options.log.warn({ code: error.code }, `looking at the host again: ${error.message}`);
      this.#markAllStale();
      this.#ring(RETRY_MS);
    }
  }
}
