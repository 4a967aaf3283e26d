/**
 * The device of a group: a TAP that is to the host one ordinary Ethernet interface. We give it its
 * address, its size, the settings below, and what the configuration puts on it; everything else
 * on it belongs to the program that put it there.
 *
 *   addr_gen_mode=0 (EUI-64) its link-local address, and those that it makes of a router's prefix,
 *                            follow from its own stable MAC: the same after every restart,
 *                            whatever the members. A host without IPv6 makes none
 *   keep_addr_on_down=1      IPv6 addresses outlive `ip link set down`
 *   accept_dad=1             the kernel's own duplicate detection
 *   promote_secondaries=1    deleting one address does not delete its whole subnet
 *   send_redirects=0         no redirects about traffic that leaves as it came
 *   unres_qlen_bytes (IPv4)  what waits for a neighbour's answer, which takes a worker longer than
 *                            a driver: a burst must not be lost meanwhile
 *   forwarding=0             only while the group does not forward; otherwise it is the host's own.
 *                            In IPv6 it makes the device a host's, which takes routers' prefixes;
 *                            that nothing is forwarded is a rule's doing (silence/nftables.ts)
 *
 * The kernel forgets some of them by itself (an MTU below 1280 destroys the IPv6 side), so they
 * are asserted again on every link event. After `down` and `up` the kernel has dropped routes:
 * those of the configuration are put back (routes.ts, addresses.ts), except what
 * another program removed before.
 */

import { OperatorError } from '../../base/errors.ts';
import { GROUP_MTU_MIN } from '../../model/limits.ts';
import { operatorErrorOf } from '../../native/addon.ts';
import type { Mac } from '../../wire/addr.ts';
import type { HostAddress, HostRoute, LinkRecord, RouteSettings } from '../kernel/records.ts';
import { openTapDevice } from '../port/attach.ts';
import type { Held } from '../port/life.ts';
import { closeDevice, type Device } from '../port/tap.ts';
import { TX_QUEUE_LENGTH } from '../port/wiring.ts';
import { devicePath } from '../silence/sysctl.ts';
import { GroupAddresses } from './addresses.ts';
import { lackingConnected, networkText } from './connected.ts';
import { Memberships } from './multicast.ts';
import { GroupRoutes, type LackingRoute } from './routes.ts';
import type { GroupContext } from './wanted.ts';

/** Family, setting, value, and where it is; see the head of the file. */
type Setting = readonly ['ipv4' | 'ipv6', string, string, ('conf' | 'neigh')?];

const SETTINGS: readonly Setting[] = [
  ['ipv6', 'addr_gen_mode', '0'],
  ['ipv6', 'keep_addr_on_down', '1'],
  ['ipv6', 'accept_dad', '1'],
  ['ipv4', 'promote_secondaries', '1'],
  ['ipv4', 'send_redirects', '0'],
  ['ipv4', 'unres_qlen_bytes', String(2 * 1024 * 1024), 'neigh'],
];

const NO_FORWARDING: readonly Setting[] = [
  ['ipv4', 'forwarding', '0'],
  ['ipv6', 'forwarding', '0'],
];

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
  /** False: the kernel forwards nothing in or out here; otherwise its own setting decides. */
  readonly forwarding?: boolean;
}

/** What a device is to carry and does not. */
export interface Lacking {
  readonly addresses: readonly string[];
  readonly routes: readonly LackingRoute[];
  /** 'A.B.C.D/L': networks of its addresses without the route that the kernel made. */
  readonly connected: readonly string[];
}

/** The device of one group, from its creation to its removal. */
export class GroupDevice implements Held {
  readonly spec: GroupDeviceSpec;
  readonly holder: string;
  readonly device: Device;
  readonly ifindex: number;
  /** What of the configuration the kernel refused, and why. */
  readonly problems: OperatorError[] = [];
  readonly #context: GroupContext;
  #forwarding: boolean;
  readonly #memberships = new Memberships();
  readonly #addresses: GroupAddresses;
  readonly #routes: GroupRoutes;

  private constructor(context: GroupContext, spec: GroupDeviceSpec, device: Device, index: number) {
    this.#context = context;
    this.spec = spec;
    this.holder = holderOf(spec);
    this.device = device;
    this.ifindex = index;
    this.#forwarding = spec.forwarding ?? true;
    const options = { ...context, name: spec.name, ifindex: index, holder: this.holder };
    this.#addresses = new GroupAddresses(options);
    this.#routes = new GroupRoutes(options);
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
      await context.changes.link(group.holder, link, {
        mac: spec.mac,
        txQueueLength: TX_QUEUE_LENGTH,
        ...(spec.mtu === undefined ? {} : { mtu: spec.mtu }),
      });
      await group.#assertSettings(link);
      await context.changes.link(group.holder, link, { up: true });
      for (const prefix of spec.addresses) group.#addresses.want(prefix);
      for (const route of spec.routes) group.#routes.want(route);
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
      await this.#context.changes.undo(this.holder);
      if (!this.#forwarding) await this.#context.silencer.allowForwarding(this.spec.name);
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
    await this.#context.changes.link(this.holder, link, { mtu });
  }

  /** Changes the setting of forwarding that the specification had. */
  async setForwarding(forwarding: boolean): Promise<void> {
    const link = await this.#link();
    const { changes, silencer } = this.#context;
    for (const [family, setting, value] of NO_FORWARDING) {
      const path = devicePath(family, link.name, setting);
      if (forwarding) await changes.sysctlBack(this.holder, link, path);
      else await changes.sysctl(this.holder, link, path, value);
    }
    if (forwarding) await silencer.allowForwarding(link.name);
    else await silencer.stopForwarding(link);
    this.#forwarding = forwarding;
  }

  /** Receives what is sent to a multicast address, or no longer. */
  async setMulticast(address: string, isMember: boolean): Promise<void> {
    if (isMember) await this.#memberships.join(this.spec.name, this.ifindex, address);
    else await this.#memberships.leave(address);
  }

  /** Puts an address ('ADDR/LEN') on the device. EEXIST: it is there already, and is wanted now. */
  async addAddress(prefix: string): Promise<void> {
    await this.#addresses.add(await this.#link(), prefix);
  }

  /** Takes any address off the device; EADDRNOTAVAIL if it is not there. */
  async deleteAddress(prefix: string): Promise<void> {
    await this.#addresses.delete(await this.#link(), prefix);
  }

  /**
   * Adds a static route through the device; there already is as good. Answers the reason if another
   * route has its place: it stays wanted. What else the kernel refuses has changed nothing.
   */
  async addRoute(route: RouteSettings): Promise<OperatorError | undefined> {
    return this.#routes.add(await this.#link(), route);
  }

  /** Deletes a static route through the device; ENOENT if it is not there. */
  async deleteRoute(route: RouteSettings): Promise<void> {
    await this.#routes.delete(await this.#link(), route);
  }

  /** Tries again what was refused; a new reason is logged, and so is the success. */
  async retryRoutes(): Promise<void> {
    if (this.#routes.hasRefused) await this.#routes.retry(await this.#link());
  }

  /**
   * A link event. It is noted before the lists of what the device carries are handled: what is
   * missing from them after down and up was not deleted by another program.
   */
  noteLink(link: LinkRecord, hasBounced: boolean): void {
    if (link.ifindex !== this.ifindex || (link.up && !hasBounced)) return;
    this.#addresses.forgetSeen();
    this.#routes.forgetSeen();
  }

  /** A link event: the settings are asserted; after down and up, what was wanted is put back. */
  async handleLink(link: LinkRecord, hasBounced: boolean): Promise<void> {
    if (link.ifindex !== this.ifindex) return;
    await this.#assertSettings(link);
    if (link.up && hasBounced) await this.#applyWanted();
  }

  /** Settings may have changed: ours are asserted. */
  async handleSettings(): Promise<void> {
    await this.#assertSettings(await this.#link());
  }

  /** What has disappeared from a device that is up was deleted by another program: it stays so. */
  handleAddresses(list: readonly HostAddress[], link: LinkRecord | undefined): void {
    if (link?.up) this.#addresses.handleSeen(list);
  }

  /** The same for routes; one that went with its address counts as removed too. */
  handleRoutes(list: readonly HostRoute[], link: LinkRecord | undefined): void {
    if (link?.up) this.#routes.handleSeen(list);
  }

  /** Those of these addresses and routes that another program took away or the kernel refuses. */
  lacking(addresses: readonly string[], routes: readonly RouteSettings[]): Lacking {
    return {
      addresses: this.#addresses.lacking(addresses),
      routes: this.#routes.lacking(routes),
      connected: this.#lackingConnected().map(networkText),
    };
  }

  /** Puts back routes that the kernel made of the addresses and another program deleted. */
  async restoreConnected(): Promise<void> {
    const lacking = this.#lackingConnected();
    if (lacking.length === 0) return;
    const link = await this.#link();
    for (const route of lacking) await this.#context.rtnl.addConnected(link, route);
  }

  #lackingConnected(): HostRoute[] {
    return lackingConnected(this.#addresses.seen, this.#routes.seen);
  }

  async #link(): Promise<LinkRecord> {
    const link = await this.#context.rtnl.linkOf(this.spec.name, 'group device');
    if (link.ifindex === this.ifindex) return link;
    throw new OperatorError('ENODEV', `${this.spec.name} was deleted and made anew by another`);
  }

  async #assertSettings(link: LinkRecord): Promise<void> {
    const wanted = this.#forwarding ? SETTINGS : [...SETTINGS, ...NO_FORWARDING];
    for (const [family, setting, value, tree] of wanted) {
      const path = devicePath(family, link.name, setting, tree);
      await this.#context.changes.sysctl(this.holder, link, path, value);
    }
    if (!this.#forwarding) await this.#context.silencer.stopForwarding(link);
  }

  async #applyWanted(): Promise<void> {
    const link = await this.#link();
    this.problems.push(...(await this.#addresses.putAll(link)));
    this.problems.push(...(await this.#routes.putAll(link)));
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
