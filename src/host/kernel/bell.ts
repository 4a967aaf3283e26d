/**
 * The bell: which of the kernel's notifications concern us. They are never taken as data, because
 * removals without a message exist (routes of a device that goes down, of a nexthop that is
 * deleted) and because messages are lost when too many come at once. A notification only names
 * what must be asked for again; where that is not certain, more is asked for.
 */

import { readHostU32 } from '../../base/bytes.ts';
import {
  LINK_HEADER_LENGTH,
  LINK_IFINDEX,
  linkParse,
  RTM_DELLINK,
  RTM_NEWLINK,
} from './link-message.ts';
import {
  attributesOf,
  attributeU32,
  type Message,
  messagesParse,
  NLM_F_REPLACE,
} from './netlink-message.ts';
import type { LinkRecord } from './records.ts';
import {
  ADDRESS_HEADER_LENGTH,
  ADDRESS_IFINDEX,
  AF_INET6,
  RTM_DELADDR,
  RTM_DELROUTE,
  RTM_NEWADDR,
  RTM_NEWROUTE,
  routeParse,
} from './route-message.ts';

// From linux/rtnetlink.h.

const RTM_NEWNETCONF = 80;
const RTM_NEWNEXTHOP = 104;
const RTM_DELNEXTHOP = 105;

// From linux/netconf.h. The header is one octet, padded.

const NETCONFMSG_LENGTH = 4;
const NETCONFA_IFINDEX = 1;

/**
 * RTNLGRP_LINK, IPV4_IFADDR, IPV4_ROUTE, IPV6_IFADDR, IPV6_ROUTE, IPV6_IFINFO, IPV4_NETCONF,
 * IPV6_NETCONF, NEXTHOP.
 */
export const BELL_GROUPS: readonly number[] = [1, 5, 7, 9, 11, 12, 24, 25, 32];

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
  /** Settings under /proc/sys/net. */
  | { readonly about: 'settings'; readonly ifindex: number }
  /** Undefined: it may have taken a route from any device. */
  | { readonly about: 'routes'; readonly ifindexes: readonly number[] | undefined };

/** What the messages of one read may have changed, in their order. */
export function ringsOf(bytes: Buffer): Ring[] {
  return messagesParse(bytes).flatMap(ringsOfMessage);
}

function ringsOfMessage(message: Message): Ring[] {
  switch (message.type) {
    case RTM_NEWLINK:
    case RTM_DELLINK: {
      if (message.body[0] === AF_INET6) return ipv6Rings(message.body);
      const link = linkParse(message.body);
      if (link === undefined) return [];
      return [{ about: 'link', link, isGone: message.type === RTM_DELLINK }];
    }
    case RTM_NEWADDR:
    case RTM_DELADDR:
      return message.body.length < ADDRESS_HEADER_LENGTH
        ? []
        : [{ about: 'addresses', ifindex: readHostU32(message.body, ADDRESS_IFINDEX) }];
    case RTM_NEWNETCONF:
      return settingsRings(message.body);
    case RTM_NEWROUTE:
    case RTM_DELROUTE:
      return routesRings(message);
    case RTM_NEWNEXTHOP:
    case RTM_DELNEXTHOP:
      return [{ about: 'routes', ifindexes: undefined }];
    default:
      return [];
  }
}

/** The IPv6 side of a device began to run, or has another router. */
function ipv6Rings(body: Buffer): Ring[] {
  return body.length < LINK_HEADER_LENGTH
    ? []
    : [{ about: 'settings', ifindex: readHostU32(body, LINK_IFINDEX) }];
}

function settingsRings(body: Buffer): Ring[] {
  const ifindex = attributesOf(body.subarray(NETCONFMSG_LENGTH)).get(NETCONFA_IFINDEX);
  return [{ about: 'settings', ifindex: attributeU32(ifindex) }];
}

/** A route that replaces another names only its own device, not the one that loses a route. */
function routesRings(message: Message): Ring[] {
  const route = routeParse(message.body);
  if (route === undefined) return [];
  const isPrecise = (message.flags & NLM_F_REPLACE) === 0 && route.hops.length > 0;
  const ifindexes = isPrecise ? route.hops.map((hop) => hop.ifindex) : undefined;
  return [{ about: 'routes', ifindexes }];
}
