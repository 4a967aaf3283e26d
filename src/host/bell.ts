/**
 * The bell: which of the kernel's notifications concern us. They are never taken as data, because
 * removals without a message exist (routes of a device that goes down, of a nexthop that is
 * deleted) and because messages are lost when too many come at once. What is heard here only says
 * what must be asked for again; when in doubt, more.
 */

import { readU32 } from 'netlink/dist/structs.js';
import { linkParse } from './link-message.ts';
import { type Message, messagesParse, NLM_F_REPLACE } from './netlink-message.ts';
import type { LinkRecord } from './records.ts';
import { routeParse } from './route-message.ts';

// From linux/rtnetlink.h.

const RTM_NEWLINK = 16;
const RTM_DELLINK = 17;
const RTM_NEWADDR = 20;
const RTM_DELADDR = 21;
const RTM_NEWROUTE = 24;
const RTM_DELROUTE = 25;
const RTM_NEWNEXTHOP = 104;
const RTM_DELNEXTHOP = 105;

/** RTNLGRP_LINK, IPV4_IFADDR, IPV4_ROUTE, IPV6_IFADDR, IPV6_ROUTE, NEXTHOP. */
export const BELL_GROUPS: readonly number[] = [1, 5, 7, 9, 11, 32];

/** What the socket for notifications calls. */
export interface NotificationHandlers {
  /** Received messages, one or more; the buffer is reused after the call. */
  received(bytes: Buffer): void;
  /** The kernel dropped messages for want of room (ENOBUFS). */
  overrun(): void;
}

/** Opens a socket that receives the multicast `groups` of a netlink protocol, by number. */
export type OpenNotifications = (
  protocol: number,
  groups: readonly number[],
  handlers: NotificationHandlers,
) => { close(): void };

/** What one notification may have changed. */
export type Ring =
  | { readonly about: 'link'; readonly link: LinkRecord; readonly isGone: boolean }
  | { readonly about: 'addresses'; readonly ifindex: number }
  /** Undefined: it may have taken a route from any device. */
  | { readonly about: 'routes'; readonly ifindexes: readonly number[] | undefined };

/** What the messages of one read may have changed, in their order. */
export function ringsOf(bytes: Buffer): Ring[] {
  return messagesParse(bytes).flatMap((message) => ringOf(message) ?? []);
}

function ringOf(message: Message): Ring | undefined {
  switch (message.type) {
    case RTM_NEWLINK:
    case RTM_DELLINK: {
      const link = linkParse(message.body);
      return link && { about: 'link', link, isGone: message.type === RTM_DELLINK };
    }
    case RTM_NEWADDR:
    case RTM_DELADDR:
      return message.body.length < 8
        ? undefined
        : { about: 'addresses', ifindex: readU32.call(message.body, 4) };
    case RTM_NEWROUTE:
    case RTM_DELROUTE:
      return routesRing(message);
    case RTM_NEWNEXTHOP:
    case RTM_DELNEXTHOP:
      return { about: 'routes', ifindexes: undefined };
    default:
      return undefined;
  }
}

/** A route that replaces another names only its own device, not the one that loses a route. */
function routesRing(message: Message): Ring | undefined {
  const route = routeParse(message.body);
  if (route === undefined) return undefined;
  const isPrecise = (message.flags & NLM_F_REPLACE) === 0 && route.hops.length > 0;
  return {
    about: 'routes',
    ifindexes: isPrecise ? route.hops.map((hop) => hop.ifindex) : undefined,
  };
}
