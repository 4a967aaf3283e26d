/**
 * The routes that the configuration puts through a group's device.
 *
 * A route that the kernel refuses (mostly: another device has one of the same destination and
 * metric, as the uplink before it was given to the group) is logged with the reason, stays wanted,
 * and is tried again by `retry` until it is set. Those without a gateway are set first, in whatever
 * order they are written: the gateways of others may be on what they lead to.
 *
 * Invariant: a route is wanted from the time it is added by us until we delete it. One
 * that disappears while the device is up is not wanted until it is there again (wanted.ts).
 */

import { OperatorError } from '../../base/errors.ts';
import type { HostRoute, LinkRecord, RouteSettings } from '../kernel/records.ts';
import { isInPlaceOf, keysAmong, routeFamily, routeKey, routeTable } from '../kernel/route-key.ts';
import { type DeviceContext, Wanted } from './wanted.ts';

/** A route of the configuration that is not set. */
export interface LackingRoute {
  readonly route: RouteSettings;
  /** Why the kernel refuses it; undefined: another program deleted it. */
  readonly reason: string | undefined;
}

/** The routes of one device. */
export class GroupRoutes {
  readonly #options: DeviceContext;
  readonly #wanted = new Wanted<RouteSettings>();
  /** Wanted ones that are not set, and the reason that was logged last. */
  readonly #refused = new Map<string, string>();
  #seen: readonly HostRoute[] = [];

  constructor(options: DeviceContext) {
    this.#options = options;
  }

  /** From now on the route is wanted; `putAll` sets it. */
  want(route: RouteSettings): void {
    this.#wanted.add(routeKey(route), route);
  }

  /** Sets all that are wanted; answers what the kernel refuses. */
  async putAll(link: LinkRecord): Promise<OperatorError[]> {
    const problems: OperatorError[] = [];
    const routes = this.#wanted.entries().map(([, route]) => route);
    const [onLink, byGateway] = [
      routes.filter(({ via }) => via === undefined),
      routes.filter(({ via }) => via !== undefined),
    ];
    for (const route of [...onLink, ...byGateway]) {
      const problem = await this.#put(link, route);
      if (problem !== undefined) problems.push(problem);
    }
    return problems;
  }

  /**
   * Adds a static route; there already is as good. Answers the reason if another route has its
   * place: it stays wanted. What else the kernel refuses has changed nothing.
   */
  async add(link: LinkRecord, route: RouteSettings): Promise<OperatorError | undefined> {
    const problem = await this.#put(link, route);
    if (problem === undefined || problem.code === 'EEXIST') {
      this.want(route);
      return problem;
    }
    this.#refused.delete(routeKey(route));
    throw problem;
  }

  /** Deletes a static route; ENOENT if it is not there. */
  async delete(link: LinkRecord, route: RouteSettings): Promise<void> {
    this.#wanted.delete(routeKey(route));
    this.#refused.delete(routeKey(route));
    if (!(await this.#options.rtnl.deleteRoute(link, route))) {
      throw new OperatorError('ENOENT', `there is no route to ${route.to}`);
    }
  }

  get hasRefused(): boolean {
    return this.#refused.size > 0;
  }

  /** Tries again what was refused; a new reason is logged, and so is the success. */
  async retry(link: LinkRecord): Promise<void> {
    for (const [key, route] of this.#wanted.entries()) {
      if (this.#refused.has(key)) await this.#put(link, route);
    }
  }

  /** The routes through the device, as the mirror saw them last. */
  get seen(): readonly HostRoute[] {
    return this.#seen;
  }

  /** The device is down, or was: what is missing now was not deleted by another program. */
  forgetSeen(): void {
    this.#seen = [];
  }

  /** What has disappeared was deleted by another program, perhaps with its address. */
  handleSeen(list: readonly HostRoute[]): void {
    const { ifindex } = this.#options;
    const keys = this.#wanted.keys();
    const before = keysAmong(keys, this.#seen, ifindex);
    this.#wanted.handleSeen(before, keysAmong(keys, list, ifindex));
    this.#seen = list;
  }

  /** Those of `routes` that are not set, and why if the kernel refuses them. */
  lacking(routes: readonly RouteSettings[]): LackingRoute[] {
    return routes.flatMap((route) => {
      const key = routeKey(route);
      const reason = this.#refused.get(key);
      return reason === undefined && this.#wanted.has(key) ? [] : [{ route, reason }];
    });
  }

  /** The reason why the route is not set; logged if it is new. */
  async #put(link: LinkRecord, route: RouteSettings): Promise<OperatorError | undefined> {
    const { changes, log, holder, name } = this.#options;
    const key = routeKey(route);
    let problem: OperatorError | undefined;
    try {
      const end = await changes.route(holder, link, route);
      if (end === 'held') problem = await this.#held(route, this.#refused.get(key));
    } catch (error) {
      if (!(error instanceof OperatorError)) throw error;
      problem = error;
    }
    const logged = this.#refused.get(key);
    if (problem === undefined) {
      this.#refused.delete(key);
      if (logged !== undefined) log.info({ group: name }, `the route to ${route.to} is set now`);
    } else {
      this.#refused.set(key, problem.message);
      const { code, hint, message } = problem;
      if (logged !== message) {
        log.warn({ event: 'route-refused', group: name, code, hint }, message);
      }
    }
    return problem;
  }

  /** What has the place of a route; a large table is not searched again for a reason `logged`. */
  async #held(route: RouteSettings, logged: string | undefined): Promise<OperatorError> {
    const { rtnl, name } = this.#options;
    const own = `the route to ${route.to} through ${name} is not set`;
    if (logged?.startsWith(own)) return new OperatorError('EEXIST', logged);
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
