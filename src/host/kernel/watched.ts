/** What the mirror knows of one watched device, and whether an answer differs from it. */

import { findInTurns } from '../../base/turns.ts';
import type { HostAddress, HostRoute, LinkRecord } from './records.ts';
import { KnownRoutes } from './route-message.ts';

/** What is wanted to be known of a device beside its existence. */
export interface WatchOptions {
  readonly addresses?: boolean;
  readonly routes?: boolean;
  /** The ports of a bridge. */
  readonly ports?: boolean;
}

/** One device, watched by name. */
export interface Watched {
  readonly name: string;
  readonly wants: { addresses: number; routes: number; ports: number };
  users: number;
  link: LinkRecord | undefined;
  hasBounced: boolean;
  ports: readonly LinkRecord[];
  addresses: readonly HostAddress[];
  routes: readonly HostRoute[];
  readonly knownRoutes: KnownRoutes;
  /** Times that it was down, or another device of its name. */
  falls: number;
  isLinkStale: boolean;
  /** A setting under /proc/sys/net may have changed. */
  areSettingsStale: boolean;
  isStale: { addresses: boolean; routes: boolean };
  /** Lists that are passed on next time even if they are as before. */
  isToTell: { addresses: boolean; routes: boolean };
}

/** A device of which nothing is known yet. */
export function newWatched(name: string): Watched {
  return {
    name,
    wants: { addresses: 0, routes: 0, ports: 0 },
    users: 0,
    link: undefined,
    hasBounced: false,
    ports: [],
    addresses: [],
    routes: [],
    knownRoutes: new KnownRoutes(),
    falls: 0,
    isLinkStale: true,
    areSettingsStale: false,
    isStale: { addresses: true, routes: true },
    isToTell: { addresses: false, routes: false },
  };
}

/** The lists that are wanted. */
export function wantsOf(options: WatchOptions): ('addresses' | 'routes' | 'ports')[] {
  return (['addresses', 'routes', 'ports'] as const).filter((want) => options[want] === true);
}

/** Everything that is known of a device is to be asked for again. */
export function markStale(watched: Watched, withLink = true): void {
  if (withLink) watched.isLinkStale = true;
  watched.isStale.addresses = true;
  watched.isStale.routes = true;
}

/** What the device carries is to be asked for and passed on, whether it differs or not. */
export function tellAgain(watched: Watched): void {
  markStale(watched, false);
  watched.isToTell = { addresses: true, routes: true };
}

/** True if a link message shows a new port of a watched bridge. */
export function isNewPort(watched: Watched, shown: LinkRecord): boolean {
  return watched.wants.ports > 0 && shown.master !== 0 && shown.master === watched.link?.ifindex;
}

/** Compares flat records in a fixed order of fields, by their text. */
export function isSame(left: unknown, right: unknown): boolean {
  return left === right || JSON.stringify(left) === JSON.stringify(right);
}

/** Compares lists of any length, in turns and up to the first difference. */
export async function isSameList<Row>(
  left: readonly Row[],
  right: readonly Row[],
): Promise<boolean> {
  // Of thousands of addresses some come or go: that needs no text.
  if (left.length !== right.length) return false;
  const other = await findInTurns(left.keys(), (at) => {
    return isSame(left[at], right[at]) ? undefined : at;
  });
  return other === undefined;
}
