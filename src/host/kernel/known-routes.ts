/**
 * Routes by the bytes of their messages. A long list is requested again whenever one route changes;
 * a message with the same bytes as in the round before gives the same object. That spares most of
 * the parsing, and lists compare equal without a look into their routes.
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
