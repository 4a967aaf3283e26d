/**
 * The host's routes as the IP layer mirrors them: unicast, of both families, one record for each
 * way out. The gateway of an IPv4 route may be an address of IPv6 (RTA_VIA).
 *
 * They may be a hundred thousand, and each change brings the whole list: it is worked on in turns,
 * and handed on when it is whole. While one list of a device is worked on, the newest of those that
 * come waits; the others are never looked at.
 */

import { ROWS_A_TURN, type Steps, stepByStep } from '../base/turns.ts';
import type { HostRoute } from '../host/kernel/records.ts';
import { RTN_UNICAST } from '../host/kernel/route-message.ts';
import { type OrderedRoutes, type RouteRecord, System } from '../system.ts';
import { ipParse } from '../wire/addr.ts';
import type { Pump } from './pump.ts';

/** Hands routes on; see the head of the file. */
export class RouteFeed {
  readonly #pump: Pick<Pump, 'input'>;
  readonly #fail: (error: unknown) => void;
  /** Lists that wait, and devices of which one is worked on. */
  readonly #waiting = new Map<string, readonly HostRoute[]>();
  readonly #busy = new Set<string>();

  constructor(pump: Pick<Pump, 'input'>, fail: (error: unknown) => void) {
    this.#pump = pump;
    this.#fail = fail;
  }

  /** All routes through a device. */
  handleRoutes(device: string, list: readonly HostRoute[]): void {
    this.#waiting.set(device, list);
    if (!this.#busy.has(device)) this.#work(device).catch(this.#fail);
  }

  async #work(device: string): Promise<void> {
    this.#busy.add(device);
    try {
      for (;;) {
        const list = this.#waiting.get(device);
        if (list === undefined) return;
        this.#waiting.delete(device);
        const routes = await stepByStep(orderSteps(list));
        this.#pump.input((system, nowMs) => system.handleHostRoutes(device, routes, nowMs));
      }
    } finally {
      this.#busy.delete(device);
    }
  }
}

function* orderSteps(list: readonly HostRoute[]): Steps<OrderedRoutes> {
  const records: RouteRecord[] = [];
  for (const [at, route] of list.entries()) {
    if (at % ROWS_A_TURN === ROWS_A_TURN - 1) yield;
    records.push(...recordsOf(route));
  }
  return yield* System.orderRoutes(records);
}

function recordsOf(route: HostRoute): RouteRecord[] {
  // The kernel decides about routes of other types before a frame exists.
  if (route.type !== RTN_UNICAST) return [];
  const destination = ipParse(route.destination);
  if (destination === undefined) return [];
  const { prefixLength, table, metric, hops } = route;
  return hops.flatMap(({ via }) => {
    const gateway = via === undefined ? null : ipParse(via);
    return gateway === undefined ? [] : [{ destination, prefixLength, gateway, table, metric }];
  });
}
