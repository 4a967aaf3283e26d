/**
 * The mirror of the host's routes through one group (`ire` in IPMP semantics 1.1). The host's
 * kernel routes; this copy serves to choose probe targets, to spare gateways in the neighbour
 * cache and to explain. A stale mirror cannot misroute a packet.
 */

import { atOnce, ROWS_A_TURN, type Steps } from '../../base/turns.ts';
import { type Ipv4, ipv4Mask } from '../../wire/addr.ts';

// From the kernel's interface
/** The table that lookups use when no rule says otherwise (rtnetlink, RT_TABLE_MAIN). */
export const MAIN_TABLE = 254;

// Ours
/** Routes mirrored per group; a full Internet table does not belong behind one group. */
export const ROUTE_LIMIT = 65_536;

/** One route through the group. */
export interface RouteRecord {
  readonly destination: Ipv4;
  /** 0 .. 32 */
  readonly prefixLength: number;
  /** null: on the link itself */
  readonly gateway: Ipv4 | null;
  readonly table: number;
  /** Smaller wins among equal prefixes. */
  readonly metric: number;
}

/** The routes of one table: prefix length -> network -> routes, best first. */
type PrefixMaps = Map<number, Map<Ipv4, RouteRecord[]>>;

/** Routes in the order in which they are searched, made of a list by `orderRoutes`. */
export interface OrderedRoutes {
  readonly tables: ReadonlyMap<number, PrefixMaps>;
  readonly gateways: ReadonlySet<Ipv4>;
  readonly all: readonly RouteRecord[];
  readonly omitted: number;
}

/** Orders a list of any length; what it yields are turns. */
export function* orderRoutes(routes: readonly RouteRecord[]): Steps<OrderedRoutes> {
  const all = routes.slice(0, ROUTE_LIMIT);
  const tables = new Map<number, PrefixMaps>();
  const gateways = new Set<Ipv4>();
  for (const [at, route] of all.entries()) {
    if (at % ROWS_A_TURN === ROWS_A_TURN - 1) yield;
    if (route.gateway !== null) gateways.add(route.gateway);
    const maps = getOrMake(tables, route.table, () => new Map());
    const networks = getOrMake(maps, route.prefixLength, () => new Map());
    const network = (route.destination & ipv4Mask(route.prefixLength)) >>> 0;
    const rows: RouteRecord[] = getOrMake(networks, network, () => []);
    const place = rows.findIndex((one) => one.metric > route.metric);
    rows.splice(place < 0 ? rows.length : place, 0, route);
  }
  return { tables, gateways, all, omitted: routes.length - all.length };
}

/** Routes through one group. */
export class RouteTable {
  #ordered = atOnce(orderRoutes([]));

  /** All routes, in the order given. */
  get routes(): readonly RouteRecord[] {
    return this.#ordered.all;
  }

  /** Routes left out of the last replacement because of ROUTE_LIMIT. */
  get omitted(): number {
    return this.#ordered.omitted;
  }

  /** Next hops of any table, each once. */
  gateways(): Ipv4[] {
    return [...this.#ordered.gateways];
  }

  isGateway(address: Ipv4): boolean {
    return this.#ordered.gateways.has(address);
  }

  /** Takes these instead of all that stood here. */
  take(routes: OrderedRoutes): void {
    this.#ordered = routes;
  }

  /** Orders `routes` in this turn and takes them. */
  replace(routes: readonly RouteRecord[]): void {
    this.take(atOnce(orderRoutes(routes)));
  }

  /** The route with the longest prefix that holds `address`; the smallest metric among equals. */
  lookup(address: Ipv4, table = MAIN_TABLE): RouteRecord | undefined {
    const maps = this.#ordered.tables.get(table);
    if (maps === undefined) return undefined;
    for (let prefixLength = 32; prefixLength >= 0; prefixLength--) {
      const network = (address & ipv4Mask(prefixLength)) >>> 0;
      const best = maps.get(prefixLength)?.get(network)?.[0];
      if (best !== undefined) return best;
    }
    return undefined;
  }
}

function getOrMake<K, V>(map: Map<K, V>, key: K, make: () => V): V {
  let value = map.get(key);
  if (value === undefined) {
    value = make();
    map.set(key, value);
  }
  return value;
}
