/**
 * The kernel's routing socket in our words: devices, addresses and routes asked for and changed.
 * Questions about something that is not there answer undefined; everything else that the kernel
 * refuses is an OperatorError with the kernel's own errno.
 */

import { randomInt } from 'node:crypto';
import { OperatorError } from '../../base/errors.ts';
import { findInTurns, inTurns } from '../../base/turns.ts';
import {
  linkDelete,
  linkDump,
  linkGet,
  linkGroupDelete,
  linkGroupParse,
  linkGroupSet,
  linkParse,
  linkSet,
  macvtapCreate,
} from './link-message.ts';
import type { NetlinkClient } from './netlink.ts';
import type {
  DeviceName,
  HostAddress,
  HostRoute,
  LinkRecord,
  LinkSettings,
  RouteSettings,
} from './records.ts';
import {
  addressAdd,
  addressDelete,
  addressDump,
  connectedAppend,
  connectedDelete,
  hostAddressParse,
  type KnownRoutes,
  routeAdd,
  routeDelete,
  routeDump,
  routeParse,
  routeTableDump,
} from './route-message.ts';

/**
 * Ours: devices that are deleted in one step, which keeps the thread for less than a tenth of a
 * second.
 */
const DELETED_A_STEP = 64;

/** Numbers of groups of devices from which ours is drawn: those below are for people. */
const GROUP_MIN = 2 ** 24;
const GROUP_END = 2 ** 31;

/** True for the route that is looked for. */
export type RouteTest = (route: HostRoute) => boolean;

/** Devices, addresses and routes of the network namespace that the process is in. */
export class Rtnl {
  readonly #client: NetlinkClient;
  readonly #drawGroup: () => number;

  /** `drawGroup` gives a number that no other program would use for its devices. */
  constructor(client: NetlinkClient, drawGroup = () => randomInt(GROUP_MIN, GROUP_END)) {
    this.#client = client;
    this.#drawGroup = drawGroup;
  }

  /**
   * The device of that name or index, or undefined. An urgent question passes those that wait.
   */
  async link(
    device: string | number,
    options = { urgent: false },
  ): Promise<LinkRecord | undefined> {
    const what = `look up ${typeof device === 'number' ? `device ${device}` : device}`;
    const replies = await absentIf(
      this.#client.request(what, linkGet(device), options),
      'ENODEV',
      'ENXIO',
    );
    const body = replies?.[0];
    return body === undefined ? undefined : linkParse(body);
  }

  /** The device of that name; ENODEV as an error, with `role` in the sentence. */
  async linkOf(name: string, role: string): Promise<LinkRecord> {
    const link = await this.link(name);
    if (link === undefined) throw new OperatorError('ENODEV', `there is no ${role} ${name}`);
    return link;
  }

  /** The ports of the bridge with index `master`; empty if it is gone. */
  async ports(master: number): Promise<LinkRecord[]> {
    const what = `list the ports of device ${master}`;
    const replies = await absentIf(this.#client.request(what, linkDump(master)), 'ENODEV');
    return parsed(replies, (body) => {
      const link = linkParse(body);
      return link?.master === master ? link : undefined;
    });
  }

  /** Every device of the namespace. */
  async links(): Promise<LinkRecord[]> {
    const replies = await this.#client.request('list the devices', linkDump());
    return parsed(replies, linkParse);
  }

  async setLink(link: DeviceName, settings: LinkSettings): Promise<void> {
    const what = `set ${Object.keys(settings).join(', ')} of ${link.name}`;
    await this.#client.request(what, linkSet(link.ifindex, settings));
  }

  async createMacvtap(name: string, lower: LinkRecord, txQueueLength: number): Promise<void> {
    const what = `create macvtap ${name} on ${lower.name}`;
    await this.#client.request(what, macvtapCreate(name, lower.ifindex, txQueueLength));
  }

  /** Deletes a device; false if there was none of that index. */
  async deleteLink(ifindex: number): Promise<boolean> {
    const what = `delete device ${ifindex}`;
    return (
      (await absentIf(this.#client.request(what, linkDelete(ifindex)), 'ENODEV')) !== undefined
    );
  }

  /**
   * Deletes devices, many in one step: the kernel waits for its readers once for all of them. They
   * are put into a group of devices that has no others, and gets none: its number is drawn by
   * chance. An error leaves some of them.
   */
  async deleteLinks(links: readonly DeviceName[]): Promise<void> {
    const replies = await this.#client.request('list the groups of devices', linkDump());
    const used = new Set(replies.map(linkGroupParse));
    let group = this.#drawGroup();
    while (used.has(group)) group = this.#drawGroup();
    for (let first = 0; first < links.length; first += DELETED_A_STEP) {
      const some = links.slice(first, first + DELETED_A_STEP);
      for (const { ifindex, name } of some) {
        await this.#client.request(`set the group of ${name}`, linkGroupSet(ifindex, group));
      }
      await this.#client.request(`delete ${some.length} devices`, linkGroupDelete(group));
    }
  }

  /** Addresses of one device; empty if it is gone. */
  async addresses(ifindex: number): Promise<HostAddress[]> {
    const what = `list the addresses of device ${ifindex}`;
    const replies = await absentIf(this.#client.request(what, addressDump(ifindex)), 'ENODEV');
    return parsed(replies, (body) => {
      const found = hostAddressParse(body);
      return found?.ifindex === ifindex ? found.address : undefined;
    });
  }

  /**
   * Routes of both families and every table through one device; empty if it is gone. Those of
   * `known` are not parsed again: they are the same objects.
   */
  async routes(ifindex: number, known?: KnownRoutes): Promise<HostRoute[]> {
    const parse = (body: Buffer) => known?.parse(body) ?? routeParse(body);
    const routes: HostRoute[] = [];
    for (const family of [4, 6] as const) {
      await inTurns(await this.#routeReplies(ifindex, family), (body) => {
        const route = parse(body);
        if (route !== undefined && leavesBy(route, ifindex)) routes.push(route);
      });
    }
    known?.endRound();
    return routes;
  }

  /** The first route of one family through one device that passes the test. */
  async findRoute(ifindex: number, family: 4 | 6, isIt: RouteTest): Promise<HostRoute | undefined> {
    return findInTurns(await this.#routeReplies(ifindex, family), (body) => {
      const route = routeParse(body);
      const isFound = route !== undefined && leavesBy(route, ifindex) && isIt(route);
      return isFound ? route : undefined;
    });
  }

  async #routeReplies(ifindex: number, family: 4 | 6): Promise<Buffer[]> {
    const what = `list the IPv${family} routes of device ${ifindex}`;
    // EAFNOSUPPORT and EOPNOTSUPP: a kernel without this family has no such routes.
    const replies = await absentIf(
      this.#client.request(what, routeDump(ifindex, family)),
      'ENODEV',
      'EAFNOSUPPORT',
      'EOPNOTSUPP',
    );
    return replies ?? [];
  }

  /**
   * The first route of one table and family, whatever device it goes through, that passes the
   * test. The kernel dumps the whole table: its dumps are not filtered by destination, and its
   * answer about one address is the route with the longest prefix, not the one with this prefix.
   */
  async findInTable(table: number, family: 4 | 6, isIt: RouteTest): Promise<HostRoute | undefined> {
    const what = `list the IPv${family} routes of table ${table}`;
    // ENOENT: there is no such table.
    const replies = await absentIf(
      this.#client.request(what, routeTableDump(table, family)),
      'ENOENT',
    );
    return findInTurns(replies ?? [], (body) => {
      const route = routeParse(body);
      return route?.table === table && isIt(route) ? route : undefined;
    });
  }

  /** Adds `prefix` ('ADDR/LEN'); false if it was there already. */
  async addAddress(link: DeviceName, prefix: string): Promise<boolean> {
    const what = `add ${prefix} to ${link.name}`;
    return this.#change(what, addressAdd(link.ifindex, prefix), 'EEXIST');
  }

  /** Removes `prefix` ('ADDR/LEN'); false if it was not there. */
  async deleteAddress(link: DeviceName, prefix: string): Promise<boolean> {
    const what = `delete ${prefix} from ${link.name}`;
    return this.#change(what, addressDelete(link.ifindex, prefix), 'EADDRNOTAVAIL', 'ENODEV');
  }

  /** Adds a static route through the device; false if there is one in its place already. */
  async addRoute(link: DeviceName, route: RouteSettings): Promise<boolean> {
    const what = `add route to ${route.to} through ${link.name}`;
    return this.#change(what, routeAdd(link.ifindex, route), 'EEXIST');
  }

  /** Deletes a static route through the device; false if it was not there. */
  async deleteRoute(link: DeviceName, route: RouteSettings): Promise<boolean> {
    const what = `delete route to ${route.to} through ${link.name}`;
    return this.#change(what, routeDelete(link.ifindex, route), 'ENOENT', 'ENODEV');
  }

  /** Puts a connected route of a device behind all others of its place. */
  async putLast(link: DeviceName, route: HostRoute): Promise<void> {
    const what = `put the route to ${route.destination} through ${link.name} last`;
    const isThere = await this.#change(what, connectedDelete(link.ifindex, route), 'ENOENT');
    if (isThere) await this.#change(what, connectedAppend(link.ifindex, route), 'EEXIST');
  }

  /** Puts a connected route through the device; false if it was there. */
  async addConnected(link: DeviceName, route: HostRoute): Promise<boolean> {
    const what = `add the route to ${route.destination} through ${link.name}`;
    return this.#change(what, connectedAppend(link.ifindex, route), 'EEXIST');
  }

  async #change(
    what: string,
    request: Parameters<NetlinkClient['request']>[1],
    ...nothingToDo: string[]
  ): Promise<boolean> {
    return (await absentIf(this.#client.request(what, request), ...nothingToDo)) !== undefined;
  }
}

/** What `parse` makes of replies, without those it makes nothing of. */
async function parsed<T>(
  replies: readonly Buffer[] | undefined,
  parse: (body: Buffer) => T | undefined,
): Promise<T[]> {
  const all: T[] = [];
  await inTurns(replies ?? [], (body) => {
    const one = parse(body);
    if (one !== undefined) all.push(one);
  });
  return all;
}

function leavesBy(route: HostRoute, ifindex: number): boolean {
  return route.hops.some((hop) => hop.ifindex === ifindex);
}

/** The result, or undefined if it was refused with one of `codes`. */
async function absentIf<T>(result: Promise<T>, ...codes: string[]): Promise<T | undefined> {
  try {
    return await result;
  } catch (error) {
    if (error instanceof OperatorError && codes.includes(error.code)) return undefined;
    throw error;
  }
}
