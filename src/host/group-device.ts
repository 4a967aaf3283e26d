/**
 * The device of a group: a TAP that is to the host one ordinary Ethernet interface. We give it its
 * address, its size, the settings below, and what the configuration puts on it; everything else
 * on it belongs to whoever put it there.
 *
 *   addr_gen_mode=1 (none)   no link-local address of the kernel's invention
 *   keep_addr_on_down=1      IPv6 addresses outlive `ip link set down`
 *   accept_dad=1             the kernel's own duplicate detection
 *   promote_secondaries=1    deleting one address does not delete its whole subnet
 *   send_redirects=0         no redirects about traffic that leaves as it came
 *   forwarding=0 (IPv4)      only while the group does not forward; otherwise it is the host's own
 *
 * The kernel forgets some of them by itself (an MTU below 1280 destroys the IPv6 side), so they
 * are asserted again on every link event. After `down` and `up` the kernel has dropped routes:
 * those of the configuration are put back, except what somebody removed by hand before.
 *
 * A route that the kernel refuses (mostly: another device has one of the same destination and
 * metric, as the uplink before it was given to the group) is logged with the reason, stays wanted,
 * and is tried again by `retryRoutes` until it is set.
 *
 * Invariant: an address or route is wanted from the time it is added by us until we are told to
 * delete it or it disappears while the device is up.
 */

import { OperatorError } from '../base/errors.ts';
import { GROUP_MTU_MIN } from '../base/limits.ts';
import { closeDevice, type Device } from '../datapath/tap.ts';
import type { Mac } from '../wire/addr.ts';
import { openTapDevice, TX_QUEUE_LENGTH } from './attach.ts';
import { Memberships } from './multicast.ts';
import type { HostAddress, HostRoute, LinkRecord, RouteSettings } from './records.ts';
import { operatorErrorOf } from './refusal.ts';
import type { Changes, HostLog } from './restore.ts';
import {
  canonicalPrefix,
  isInPlaceOf,
  keysAmong,
  routeFamily,
  routeKey,
  routeTable,
} from './route-key.ts';
import type { Rtnl } from './rtnl.ts';
import { devicePath } from './sysctl.ts';

/** Family, setting, value; see the head of the file. */
type Setting = readonly ['ipv4' | 'ipv6', string, string];

const SETTINGS: readonly Setting[] = [
  ['ipv6', 'addr_gen_mode', '1'],
  ['ipv6', 'keep_addr_on_down', '1'],
  ['ipv6', 'accept_dad', '1'],
  ['ipv4', 'promote_secondaries', '1'],
  ['ipv4', 'send_redirects', '0'],
];

const NO_FORWARDING: Setting = ['ipv4', 'forwarding', '0'];

/** A group's device as the configuration wants it. */
export interface GroupDeviceSpec {
  readonly name: string;
  /** Locally administered; it never leaves the host. */
  readonly mac: Mac;
  /** 1280 or more; undefined leaves what the device has. */
  readonly mtu?: number;
  readonly queues: number;
  /** 'ADDR/LEN'. */
  readonly addresses: readonly string[];
  readonly routes: readonly RouteSettings[];
  /** False: the kernel must not forward what comes in here; otherwise its own setting decides. */
  readonly forwarding?: boolean;
}

/** What the device needs of the host. */
export interface GroupContext {
  readonly rtnl: Rtnl;
  readonly changes: Changes;
  readonly log: HostLog;
}

/** The device of one group, from its creation to its removal. */
export class GroupDevice {
  readonly spec: GroupDeviceSpec;
  readonly device: Device;
  readonly ifindex: number;
  /** What of the configuration the kernel refused, and why. */
  readonly problems: OperatorError[] = [];
  readonly #context: GroupContext;
  #forwarding: boolean;
  readonly #memberships = new Memberships();
  readonly #wantedAddresses = new Set<string>();
  readonly #wantedRoutes = new Map<string, RouteSettings>();
  /** Wanted routes that are not set, and the reason that was told last. */
  readonly #refusedRoutes = new Map<string, string>();
  #seenAddresses: ReadonlySet<string> = new Set();
  #seenRoutes: readonly HostRoute[] = [];

  private constructor(context: GroupContext, spec: GroupDeviceSpec, device: Device, index: number) {
    this.#context = context;
    this.spec = spec;
    this.device = device;
    this.ifindex = index;
    this.#forwarding = spec.forwarding ?? true;
  }

  /**
   * Opens the TAP (or creates it), makes it as the specification wants, and brings it up. EBUSY:
   * another process has it; EEXIST: the name belongs to a device of another kind. An address or
   * route that the kernel refuses is a problem, not an error.
   */
  static async open(context: GroupContext, spec: GroupDeviceSpec): Promise<GroupDevice> {
    if (spec.mtu !== undefined) refuseSmallMtu(spec.mtu);
    const { device, link } = await openGroupTap(context, spec);
    const group = new GroupDevice(context, spec, device, link.ifindex);
    try {
      await context.changes.link(group.#holder, link, {
        mac: spec.mac,
        txQueueLength: TX_QUEUE_LENGTH,
        ...(spec.mtu === undefined ? {} : { mtu: spec.mtu }),
      });
      await group.#assertSettings(link);
      await context.changes.link(group.#holder, link, { up: true });
      for (const prefix of spec.addresses) group.#wantedAddresses.add(canonicalPrefix(prefix));
      for (const route of spec.routes) group.#wantedRoutes.set(routeKey(route), route);
      await group.#applyWanted();
    } catch (error) {
      await group.close();
      throw operatorErrorOf(error, spec.name);
    }
    return group;
  }

  /** Closes the descriptors and takes back every change. No worker may be using them any more. */
  async close(): Promise<void> {
    try {
      await this.closeDevice();
    } finally {
      await this.#context.changes.undo(this.#holder);
    }
  }

  /** Closes the descriptors alone: the changes are taken back with those of all others. */
  async closeDevice(): Promise<void> {
    await this.#memberships.close();
    await closeDevice(this.device);
  }

  /** EINVAL below 1280. */
  async setMtu(mtu: number): Promise<void> {
    refuseSmallMtu(mtu);
    const link = await this.#link();
    await this.#context.changes.link(this.#holder, link, { mtu });
  }

  /** Changes what the specification said of forwarding. */
  async setForwarding(forwarding: boolean): Promise<void> {
    const link = await this.#link();
    const [family, setting, value] = NO_FORWARDING;
    const path = devicePath(family, link.name, setting);
    const { changes } = this.#context;
    if (forwarding) await changes.sysctlBack(this.#holder, link, path);
    else await changes.sysctl(this.#holder, link, path, value);
    this.#forwarding = forwarding;
  }

  /** Receives what is sent to a multicast address, or no longer. */
  async setMulticast(address: string, isMember: boolean): Promise<void> {
    if (isMember) await this.#memberships.join(this.spec.name, this.ifindex, address);
    else await this.#memberships.leave(address);
  }

  /** Puts an address ('ADDR/LEN') on the device; EEXIST if it is there already. */
  async addAddress(prefix: string): Promise<void> {
    const canonical = canonicalPrefix(prefix);
    const link = await this.#link();
    if (!(await this.#context.changes.address(this.#holder, link, canonical))) {
      throw new OperatorError('EEXIST', `${this.spec.name} has ${prefix} already`);
    }
    this.#wantedAddresses.add(canonical);
  }

  /** Takes an address off the device, whoever put it there; EADDRNOTAVAIL if it is not there. */
  async deleteAddress(prefix: string): Promise<void> {
    const canonical = canonicalPrefix(prefix);
    this.#wantedAddresses.delete(canonical);
    if (!(await this.#context.rtnl.deleteAddress(await this.#link(), canonical))) {
      throw new OperatorError('EADDRNOTAVAIL', `${this.spec.name} does not have ${prefix}`);
    }
  }

  /**
   * Adds a static route through the device; there already is as good. Answers the reason if another
   * route has its place: it stays wanted. What else the kernel refuses has changed nothing.
   */
  async addRoute(route: RouteSettings): Promise<OperatorError | undefined> {
    const problem = await this.#putRoute(await this.#link(), route);
    if (problem === undefined || problem.code === 'EEXIST') {
      this.#wantedRoutes.set(routeKey(route), route);
      return problem;
    }
    this.#refusedRoutes.delete(routeKey(route));
    throw problem;
  }

  /** Deletes a static route through the device; ENOENT if it is not there. */
  async deleteRoute(route: RouteSettings): Promise<void> {
    this.#wantedRoutes.delete(routeKey(route));
    this.#refusedRoutes.delete(routeKey(route));
    if (!(await this.#context.rtnl.deleteRoute(await this.#link(), route))) {
      throw new OperatorError('ENOENT', `there is no route to ${route.to}`);
    }
  }

  /** Tries again what was refused; a new reason is logged, and so is the success. */
  async retryRoutes(): Promise<void> {
    if (this.#refusedRoutes.size === 0) return;
    const link = await this.#link();
    for (const [key, route] of [...this.#wantedRoutes]) {
      if (this.#refusedRoutes.has(key)) await this.#putRoute(link, route);
    }
  }

  /**
   * A link event. To be noted at once, before lists of what the device carries are told: what is
   * missing from them after down and up was not removed by anybody.
   */
  noteLink(link: LinkRecord, hasBounced: boolean): void {
    if (link.ifindex !== this.ifindex || (link.up && !hasBounced)) return;
    this.#seenAddresses = new Set();
    this.#seenRoutes = [];
  }

  /** A link event: the settings are asserted; after down and up, what was wanted is put back. */
  async handleLink(link: LinkRecord, hasBounced: boolean): Promise<void> {
    if (link.ifindex !== this.ifindex) return;
    await this.#assertSettings(link);
    if (link.up && hasBounced) await this.#applyWanted();
  }

  /** What has disappeared from a device that is up was removed by somebody: it stays so. */
  handleAddresses(list: readonly HostAddress[], link: LinkRecord | undefined): void {
    if (!link?.up) return;
    const present = new Set(list.map((entry) => `${entry.address}/${entry.prefixLength}`));
    for (const prefix of this.#seenAddresses) {
      if (!present.has(prefix)) this.#wantedAddresses.delete(prefix);
    }
    this.#seenAddresses = present;
  }

  /** The same for routes; one that went with its address counts as removed too. */
  handleRoutes(list: readonly HostRoute[], link: LinkRecord | undefined): void {
    if (!link?.up) return;
    const wanted = [...this.#wantedRoutes.keys()];
    const present = keysAmong(wanted, list, this.ifindex);
    for (const key of keysAmong(wanted, this.#seenRoutes, this.ifindex)) {
      if (!present.has(key)) this.#wantedRoutes.delete(key);
    }
    this.#seenRoutes = list;
  }

  get #holder(): string {
    return holderOf(this.spec);
  }

  async #link(): Promise<LinkRecord> {
    const link = await this.#context.rtnl.linkOf(this.spec.name, 'group device');
    if (link.ifindex === this.ifindex) return link;
    throw new OperatorError('ENODEV', `${this.spec.name} was deleted and made anew by another`);
  }

  async #assertSettings(link: LinkRecord): Promise<void> {
    const wanted = this.#forwarding ? SETTINGS : [...SETTINGS, NO_FORWARDING];
    for (const [family, setting, value] of wanted) {
      const path = devicePath(family, link.name, setting);
      await this.#context.changes.sysctl(this.#holder, link, path, value);
    }
  }

  async #applyWanted(): Promise<void> {
    const link = await this.#link();
    for (const prefix of [...this.#wantedAddresses]) await this.#putAddress(link, prefix);
    for (const route of [...this.#wantedRoutes.values()]) {
      const problem = await this.#putRoute(link, route);
      if (problem !== undefined) this.problems.push(problem);
    }
  }

  async #putAddress(link: LinkRecord, prefix: string): Promise<void> {
    try {
      await this.#context.changes.address(this.#holder, link, prefix);
    } catch (error) {
      if (!(error instanceof OperatorError)) throw error;
      this.problems.push(error);
      this.#context.log.warn({ group: this.spec.name, code: error.code }, error.message);
    }
  }

  /** Answers why the route is not set, and tells it if that is new. */
  async #putRoute(link: LinkRecord, route: RouteSettings): Promise<OperatorError | undefined> {
    const { changes, log } = this.#context;
    const { name } = this.spec;
    const key = routeKey(route);
    let problem: OperatorError | undefined;
    try {
      const end = await changes.route(this.#holder, link, route);
      if (end === 'held') problem = await this.#heldRoute(route, this.#refusedRoutes.get(key));
    } catch (error) {
      if (!(error instanceof OperatorError)) throw error;
      problem = error;
    }
    const told = this.#refusedRoutes.get(key);
    if (problem === undefined) {
      this.#refusedRoutes.delete(key);
      if (told !== undefined) log.info({ group: name }, `the route to ${route.to} is set now`);
    } else {
      this.#refusedRoutes.set(key, problem.message);
      const { code, hint, message } = problem;
      if (told !== message) log.warn({ event: 'route-refused', group: name, code, hint }, message);
    }
    return problem;
  }

  /** Who has the place of a route; large tables are not searched again for what is `told`. */
  async #heldRoute(route: RouteSettings, told: string | undefined): Promise<OperatorError> {
    const { rtnl } = this.#context;
    const own = `the route to ${route.to} through ${this.spec.name} is not set`;
    if (told?.startsWith(own)) return new OperatorError('EEXIST', told);
    const isIt = isInPlaceOf(route);
    const holder = await rtnl.findInTable(routeTable(route), routeFamily(route), isIt);
    const [hop] = holder?.hops ?? [];
    const device = hop === undefined ? undefined : (await rtnl.link(hop.ifindex))?.name;
    const via = hop?.via === undefined ? '' : ` via ${hop.via}`;
    const other = `${route.to}${via}${device === undefined ? '' : ` dev ${device}`}`;
    return new OperatorError(
      'EEXIST',
      `${own}: ${other} has its place`,
      `ip route del ${other}; it is set as soon as that is gone`,
    );
  }
}

function holderOf(spec: GroupDeviceSpec): string {
  return `group:${spec.name}`;
}

async function openGroupTap(
  context: GroupContext,
  spec: GroupDeviceSpec,
): Promise<{ device: Device; link: LinkRecord }> {
  try {
    return await openTapDevice(context, holderOf(spec), spec.name, spec.queues);
  } catch (error) {
    await context.changes.undo(holderOf(spec));
    throw operatorErrorOf(error, spec.name);
  }
}

function refuseSmallMtu(mtu: number): void {
  if (Number.isInteger(mtu) && mtu >= GROUP_MTU_MIN) return;
  throw new OperatorError('EINVAL', `mtu ${mtu} (${GROUP_MTU_MIN} or more)`);
}
