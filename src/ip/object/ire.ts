/**
 * The mirror of the host's routes through one group (`ire`). The host's
 * kernel routes; here only the next hops count: the neighbour cache spares them. A stale mirror
 * cannot misroute a packet.
 */

import { atOnce, ROWS_A_TURN, type Steps } from '../../base/turns.ts';
import type { IpAddress } from '../../wire/addr.ts';

// Ours
/** Routes mirrored per group; a full Internet table does not belong behind one group. */
export const ROUTE_LIMIT = 65_536;

/** One route through the group. */
export interface RouteRecord {
  readonly destination: IpAddress;
  /** 0 .. 32 */
  readonly prefixLength: number;
  /** null: on the link itself */
  readonly gateway: IpAddress | null;
  readonly table: number;
  /** Smaller wins among equal prefixes. */
  readonly metric: number;
}

/** What is kept of a list of routes, made by `orderRoutes`. */
export interface OrderedRoutes {
  /** The routes themselves, in the order given. */
  readonly all: readonly RouteRecord[];
  /** Next hops of any table. */
  readonly gateways: ReadonlySet<IpAddress>;
}

/** Reads a list of any length, its first ROUTE_LIMIT routes; what it yields are turns. */
export function* orderRoutes(routes: readonly RouteRecord[]): Steps<OrderedRoutes> {
  const gateways = new Set<IpAddress>();
  const all = routes.slice(0, ROUTE_LIMIT);
  for (const [at, { gateway }] of all.entries()) {
    if (at % ROWS_A_TURN === ROWS_A_TURN - 1) yield;
    if (gateway !== null) gateways.add(gateway);
  }
  return { all, gateways };
}

/** Routes through one group. */
export class RouteTable {
  #ordered = atOnce(orderRoutes([]));

  isGateway(address: IpAddress): boolean {
    return this.#ordered.gateways.has(address);
  }

  /** Takes these instead of all that stood here. */
  take(routes: OrderedRoutes): void {
    this.#ordered = routes;
  }

  /** Reads `routes` in this turn and takes them. */
  replace(routes: readonly RouteRecord[]): void {
    this.take(atOnce(orderRoutes(routes)));
  }
}
