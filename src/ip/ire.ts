/**
 * The mirror of the host's routes through one group (`ire` in IPMP semantics 1.1). The host's
 * kernel routes; this copy serves to choose probe targets, to spare gateways in the neighbour
 * cache and to explain. A stale mirror cannot misroute a packet.
 */

import { type Ipv4, ipv4Mask } from '../wire/addr.ts';

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

/** Routes through one group. */
export class RouteTable {
  #tables = new Map<number, PrefixMaps>();
  #gateways = new Set<Ipv4>();
  #all: readonly RouteRecord[] = [];
  /** Routes left out of the last replacement because of ROUTE_LIMIT. */
  omitted = 0;

  /** All routes, in the order given. */
  get routes(): readonly RouteRecord[] {
    return this.#all;
  }

  /** Next hops of any table, each once. */
  gateways(): Ipv4[] {
    return [...this.#gateways];
  }

  isGateway(address: Ipv4): boolean {
    return this.#gateways.has(address);
  }

  /** Takes `routes` instead of all that stood here. */
  replace(routes: readonly RouteRecord[]): void {
    this.#all = routes.slice(0, ROUTE_LIMIT);
    this.omitted = routes.length - this.#all.length;
    this.#tables = new Map();
    this.#gateways = new Set();
    for (const route of this.#all) {
      if (route.gateway !== null) this.#gateways.add(route.gateway);
      const maps = getOrMake(this.#tables, route.table, () => new Map());
      const networks = getOrMake(maps, route.prefixLength, () => new Map());
      const network = (route.destination & ipv4Mask(route.prefixLength)) >>> 0;
      const rows: RouteRecord[] = getOrMake(networks, network, () => []);
      const place = rows.findIndex((one) => one.metric > route.metric);
      rows.splice(place < 0 ? rows.length : place, 0, route);
    }
  }

  /** The route with the longest prefix that holds `address`; the smallest metric among equals. */
  lookup(address: Ipv4, table = MAIN_TABLE): RouteRecord | undefined {
    const maps = this.#tables.get(table);
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
