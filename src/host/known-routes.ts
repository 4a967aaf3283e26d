/**
 * Routes by the bytes that the kernel told them in. A long list is asked for again whenever one
 * route changes; what is told in the same bytes as in the round before is the same object, which
 * spares most of the parsing, and makes equal what follows from it without a look inside.
 */

import type { HostRoute } from './records.ts';
import { routeParse } from './route-message.ts';

/** The routes of the last round; see the head of the file. */
export class KnownRoutes {
  #before = new Map<string, HostRoute>();
  #now = new Map<string, HostRoute>();

  /** The route in an RTM_NEWROUTE; undefined if it is not of IPv4 or IPv6. */
  parse(body: Buffer): HostRoute | undefined {
    const bytes = body.toString('latin1');
    const route = this.#before.get(bytes) ?? routeParse(body);
    if (route !== undefined) this.#now.set(bytes, route);
    return route;
  }

  /** What was not told in this round is forgotten. */
  endRound(): void {
    this.#before = this.#now;
    this.#now = new Map();
  }
}
