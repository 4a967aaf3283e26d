/** What makes two routes the same: a route to be set, and one that the kernel reports. */

import { prefixFormat } from '../../model/prefix.ts';
import { prefixParse } from '../../wire/addr.ts';
import type { HostRoute, RouteSettings } from './records.ts';
import { RT_TABLE_MAIN } from './route-message.ts';

/** Where IPv6 puts a route that names no metric. */
const IPV6_DEFAULT_METRIC = 1024;

/** 4 or 6: of the destination, or of the gateway of a route to `default`. */
export function routeFamily({ to, via }: RouteSettings): 4 | 6 {
  return (to === 'default' ? (via ?? '') : to).includes(':') ? 6 : 4;
}

/** A route to be set. */
export function routeKey(route: RouteSettings): string {
  const via = route.via === undefined ? '' : (prefixParse(`${route.via}/0`)?.address ?? route.via);
  return `${placeOf(route)} via ${via}`;
}

/** A route as the kernel reports it, by its hop through one device. */
function hostRouteKey(route: HostRoute, ifindex: number): string {
  const hop = route.hops.find((candidate) => candidate.ifindex === ifindex);
  return `${hostPlaceOf(route)} via ${hop?.via ?? ''}`;
}

/** A test of the kernel's routes: true for `route` through that device. */
export function isRoute(ifindex: number, route: RouteSettings): (one: HostRoute) => boolean {
  const key = routeKey(route);
  return (one) => hostRouteKey(one, ifindex) === key;
}

/** A test of the kernel's routes: true for one that keeps `route` out (one for each metric). */
export function isInPlaceOf(route: RouteSettings): (one: HostRoute) => boolean {
  const place = placeOf(route);
  return (one) => one.tos === 0 && hostPlaceOf(one) === place;
}

/** True if the kernel takes one of the two and not the other: whichever stands first. */
export function isSamePlace(left: HostRoute, right: HostRoute): boolean {
  return left.tos === right.tos && hostPlaceOf(left) === hostPlaceOf(right);
}

/** Those of some keys that a list has, which may hold many thousands of other routes. */
export function keysAmong(
  keys: Iterable<string>,
  list: readonly HostRoute[],
  ifindex: number,
): Set<string> {
  const wanted = new Set(keys);
  if (wanted.size === 0) return wanted;
  const destinations = new Set([...wanted].map((key) => key.slice(0, key.indexOf('/'))));
  // The key of each route would cost far more than the look at where it goes.
  const candidates = list.filter(({ destination }) => destinations.has(destination));
  const found = candidates.map((route) => hostRouteKey(route, ifindex));
  return new Set(found.filter((key) => wanted.has(key)));
}

/** The number of the table that a route belongs into. */
export function routeTable({ table = RT_TABLE_MAIN }: RouteSettings): number {
  return table;
}

function placeOf(route: RouteSettings): string {
  const isIpv6 = routeFamily(route) === 6;
  const to = route.to === 'default' ? (isIpv6 ? '::/0' : '0.0.0.0/0') : canonicalText(route.to);
  const metric = route.metric ?? (isIpv6 ? IPV6_DEFAULT_METRIC : 0);
  return `${to} metric ${metric} table ${routeTable(route)}`;
}

/** Also of a prefix of length 0; what is none has been refused before. */
function canonicalText(to: string): string {
  const prefix = prefixParse(to);
  return prefix === undefined ? to : prefixFormat(prefix);
}

function hostPlaceOf({ destination, prefixLength, metric, table }: HostRoute): string {
  return `${destination}/${prefixLength} metric ${metric} table ${table}`;
}
