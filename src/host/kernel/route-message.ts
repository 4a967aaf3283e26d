/**
 * RTM_*ADDR and RTM_*ROUTE: addresses of a device, and routes that leave through it. Dumps are
 * filtered in the kernel (NETLINK_GET_STRICT_CHK): by index for addresses, by outgoing interface
 * for routes of every table.
 */

import {
  readHostI32,
  readHostU16,
  readHostU32,
  writeHostU16,
  writeHostU32,
} from '../../base/bytes.ts';
import { OperatorError } from '../../base/errors.ts';
import {
  IPV4_ADDRESS_LENGTH,
  IPV6_ADDRESS_LENGTH,
  ipFormat,
  ipParse,
  ipv4Mask,
  ipv4Read,
  ipv4Write,
  ipv6Read,
  ipv6Write,
  prefixParse,
} from '../../wire/addr.ts';
import {
  attributeEmit,
  attributeEmitU32,
  attributesOf,
  attributeU32,
  NLM_F_ACK,
  NLM_F_APPEND,
  NLM_F_CREATE,
  NLM_F_DUMP,
  NLM_F_EXCL,
  type Request,
} from './netlink-message.ts';
import type { HostAddress, HostHop, HostRoute, RouteSettings } from './records.ts';

// From linux/socket.h, linux/if_addr.h, linux/rtnetlink.h.

const AF_INET = 2;
export const AF_INET6 = 10;
export const RTM_NEWADDR = 20;
export const RTM_DELADDR = 21;
const RTM_GETADDR = 22;
export const RTM_NEWROUTE = 24;
export const RTM_DELROUTE = 25;
const RTM_GETROUTE = 26;
const IFA_ADDRESS = 1;
const IFA_LOCAL = 2;
const IFA_BROADCAST = 4;
const IFA_FLAGS = 8;
const RTA_DST = 1;
const RTA_OIF = 4;
const RTA_GATEWAY = 5;
const RTA_PRIORITY = 6;
const RTA_PREFSRC = 7;
const RTA_MULTIPATH = 9;
const RTA_TABLE = 15;
const RTA_VIA = 18;
const RTA_NH_ID = 30;
const RTNH_F_ONLINK = 4;
export const RT_TABLE_MAIN = 254;
/** Tables above this number do not fit the route header's octet. */
const RT_TABLE_OCTET_MAX = 255;
/** struct rtnexthop: length u16, flags u8, hops u8, ifindex s32. */
const HOP_HEADER_LENGTH = 8;
export const RTPROT_KERNEL = 2;
const RTPROT_STATIC = 4;
export const RT_SCOPE_UNIVERSE = 0;
export const RT_SCOPE_LINK = 253;
export const RTN_UNICAST = 1;
/** Offsets in struct ifaddrmsg; the octet left out holds flags, which IFA_FLAGS repeats. */
const ADDRESS_FAMILY = 0;
const ADDRESS_PREFIX_LENGTH = 1;
const ADDRESS_SCOPE = 3;
export const ADDRESS_IFINDEX = 4;
export const ADDRESS_HEADER_LENGTH = 8;
/** Offsets in struct rtmsg. */
const ROUTE_FAMILY = 0;
const ROUTE_DST_LENGTH = 1;
const ROUTE_TOS = 3;
const ROUTE_TABLE = 4;
const ROUTE_PROTOCOL = 5;
const ROUTE_SCOPE = 6;
const ROUTE_TYPE = 7;
const ROUTE_FLAGS = 8;
const ROUTE_HEADER_LENGTH = 12;
/** The longest prefix of IPv4 with a broadcast address of its own (RFC 3021). */
const BROADCAST_PREFIX_MAX = 30;

interface AddressBytes {
  /** AF_INET or AF_INET6. */
  readonly family: number;
  readonly bytes: Uint8Array;
}

function addressBytes(text: string): AddressBytes {
  const address = ipParse(text);
  if (address === undefined) throw new OperatorError('EINVAL', `${text} is not an IP address`);
  if (typeof address === 'number') {
    const bytes = new Uint8Array(IPV4_ADDRESS_LENGTH);
    ipv4Write(bytes, 0, address);
    return { family: AF_INET, bytes };
  }
  const bytes = new Uint8Array(IPV6_ADDRESS_LENGTH);
  ipv6Write(bytes, 0, address);
  return { family: AF_INET6, bytes };
}

/** Canonical text of 4 or 16 octets; undefined for any other length or none. */
function addressText(bytes: Buffer | undefined): string | undefined {
  if (bytes?.length === IPV4_ADDRESS_LENGTH) return ipFormat(ipv4Read(bytes, 0));
  return bytes?.length === IPV6_ADDRESS_LENGTH ? ipFormat(ipv6Read(bytes, 0)) : undefined;
}

/** The address in an RTM_NEWADDR or RTM_DELADDR with its device; undefined if unreadable. */
export function hostAddressParse(
  body: Buffer,
): { ifindex: number; address: HostAddress } | undefined {
  if (body.length < ADDRESS_HEADER_LENGTH) return undefined;
  const attributes = attributesOf(body.subarray(ADDRESS_HEADER_LENGTH));
  const address = addressText(attributes.get(IFA_LOCAL) ?? attributes.get(IFA_ADDRESS));
  if (address === undefined) return undefined;
  return {
    ifindex: readHostU32(body, ADDRESS_IFINDEX),
    address: {
      family: body[ADDRESS_FAMILY] === AF_INET ? 4 : 6,
      address,
      prefixLength: body[ADDRESS_PREFIX_LENGTH] ?? 0,
      flags: attributeU32(attributes.get(IFA_FLAGS)),
      scope: body[ADDRESS_SCOPE] ?? 0,
    },
  };
}

/** struct ifaddrmsg. */
function addressHeader(ifindex: number, family = 0, prefixLength = 0): Uint8Array {
  const header = new Uint8Array(ADDRESS_HEADER_LENGTH);
  header[ADDRESS_FAMILY] = family;
  header[ADDRESS_PREFIX_LENGTH] = prefixLength;
  writeHostU32(header, ADDRESS_IFINDEX, ifindex);
  return header;
}

/** Asks for the addresses of one device. */
export function addressDump(ifindex: number): Request {
  return { type: RTM_GETADDR, flags: NLM_F_DUMP, body: addressHeader(ifindex) };
}

/** Puts `prefix` ('ADDR/LEN') on a device; EEXIST if it is there already. */
export function addressAdd(ifindex: number, prefix: string): Request {
  const body = addressBody(ifindex, prefix, true);
  return { type: RTM_NEWADDR, flags: NLM_F_ACK | NLM_F_CREATE | NLM_F_EXCL, body };
}

/** Takes `prefix` ('ADDR/LEN') off a device; EADDRNOTAVAIL if it is not there. */
export function addressDelete(ifindex: number, prefix: string): Request {
  const body = addressBody(ifindex, prefix, false);
  return { type: RTM_DELADDR, flags: NLM_F_ACK, body };
}

function addressBody(ifindex: number, prefix: string, adding: boolean): Buffer {
  const parsed = prefixParse(prefix);
  if (parsed === undefined) throw new OperatorError('EINVAL', `${prefix} is not ADDRESS/LENGTH`);
  const { family, bytes } = addressBytes(parsed.address);
  const parts = [
    addressHeader(ifindex, family, parsed.prefixLength),
    attributeEmit(IFA_LOCAL, bytes),
    attributeEmit(IFA_ADDRESS, bytes),
  ];
  if (adding && family === AF_INET && parsed.prefixLength <= BROADCAST_PREFIX_MAX) {
    parts.push(attributeEmit(IFA_BROADCAST, broadcastBytes(bytes, parsed.prefixLength)));
  }
  return Buffer.concat(parts);
}

function broadcastBytes(address: Uint8Array, prefixLength: number): Uint8Array {
  const bytes = new Uint8Array(4);
  ipv4Write(bytes, 0, (ipv4Read(address, 0) | ~ipv4Mask(prefixLength)) >>> 0);
  return bytes;
}

/** The route in an RTM_NEWROUTE or RTM_DELROUTE; undefined if it is not of IPv4 or IPv6. */
export function routeParse(body: Buffer): HostRoute | undefined {
  if (body.length < ROUTE_HEADER_LENGTH) return undefined;
  const family = body[ROUTE_FAMILY];
  if (family !== AF_INET && family !== AF_INET6) return undefined;
  const attributes = attributesOf(body.subarray(ROUTE_HEADER_LENGTH));
  return {
    family: family === AF_INET ? 4 : 6,
    destination: addressText(attributes.get(RTA_DST)) ?? (family === AF_INET ? '0.0.0.0' : '::'),
    prefixLength: body[ROUTE_DST_LENGTH] ?? 0,
    table: attributeU32(attributes.get(RTA_TABLE), body[ROUTE_TABLE] ?? 0),
    type: body[ROUTE_TYPE] ?? 0,
    protocol: body[ROUTE_PROTOCOL] ?? 0,
    scope: body[ROUTE_SCOPE] ?? 0,
    tos: body[ROUTE_TOS] ?? 0,
    metric: attributeU32(attributes.get(RTA_PRIORITY)),
    source: addressText(attributes.get(RTA_PREFSRC)),
    nexthopId: attributeU32(attributes.get(RTA_NH_ID)),
    hops: hopsOf(attributes, body[ROUTE_FLAGS] ?? 0),
  };
}

/**
 * Routes by the bytes of their messages. A long list is requested again whenever one route changes;
 * a message with the same bytes as in the round before gives the same object. That spares most of
 * the parsing, and lists compare equal without a look into their routes.
 */
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

  /** What did not come in this round is forgotten. */
  endRound(): void {
    this.#before = this.#now;
    this.#now = new Map();
  }
}

function hopsOf(attributes: Map<number, Buffer>, flags: number): HostHop[] {
  const multipath = attributes.get(RTA_MULTIPATH);
  if (multipath !== undefined) return multipathHops(multipath);
  const ifindex = attributeU32(attributes.get(RTA_OIF));
  if (ifindex === 0) return [];
  return [{ ifindex, via: gatewayOf(attributes), weight: 1, flags }];
}

/** RTA_VIA is a gateway of the other family: u16 family, then the address. */
function gatewayOf(attributes: Map<number, Buffer>): string | undefined {
  return (
    addressText(attributes.get(RTA_GATEWAY)) ?? addressText(attributes.get(RTA_VIA)?.subarray(2))
  );
}

function multipathHops(bytes: Buffer): HostHop[] {
  const hops: HostHop[] = [];
  let rest = bytes;
  while (rest.length >= HOP_HEADER_LENGTH) {
    const length = readHostU16(rest, 0);
    if (length < HOP_HEADER_LENGTH || length > rest.length) break;
    hops.push({
      ifindex: readHostI32(rest, 4),
      via: gatewayOf(attributesOf(rest.subarray(HOP_HEADER_LENGTH, length))),
      weight: (rest[3] ?? 0) + 1,
      flags: rest[2] ?? 0,
    });
    rest = rest.subarray((length + 3) & ~3);
  }
  return hops;
}

/** Asks for the routes of every table with a hop through one device, one family at a time. */
export function routeDump(ifindex: number, family: 4 | 6): Request {
  return routesOf(family, attributeEmitU32(RTA_OIF, ifindex));
}

/** Asks for the routes of one table and family; old kernels answer with those of every table. */
export function routeTableDump(table: number, family: 4 | 6): Request {
  return routesOf(family, attributeEmitU32(RTA_TABLE, table));
}

function routesOf(family: 4 | 6, filter: Uint8Array): Request {
  const header = new Uint8Array(ROUTE_HEADER_LENGTH);
  header[ROUTE_FAMILY] = family === 4 ? AF_INET : AF_INET6;
  return { type: RTM_GETROUTE, flags: NLM_F_DUMP, body: Buffer.concat([header, filter]) };
}

/** Adds a static route through a device; EEXIST if there is one in its place already. */
export function routeAdd(ifindex: number, route: RouteSettings): Request {
  const body = routeBody(ifindex, route);
  return { type: RTM_NEWROUTE, flags: NLM_F_ACK | NLM_F_CREATE | NLM_F_EXCL, body };
}

/** Deletes a route that `routeAdd` added; ESRCH (as ENOENT) if it is not there. */
export function routeDelete(ifindex: number, route: RouteSettings): Request {
  return { type: RTM_DELROUTE, flags: NLM_F_ACK, body: routeBody(ifindex, route) };
}

/** Adds a connected route of IPv4 behind all others of its place. */
export function connectedAppend(ifindex: number, route: HostRoute): Request {
  const flags = NLM_F_ACK | NLM_F_CREATE | NLM_F_APPEND;
  return { type: RTM_NEWROUTE, flags, body: connectedBody(ifindex, route) };
}

/** Deletes it; ESRCH (as ENOENT) if it is not there. */
export function connectedDelete(ifindex: number, route: HostRoute): Request {
  return { type: RTM_DELROUTE, flags: NLM_F_ACK, body: connectedBody(ifindex, route) };
}

/** Fields of struct rtmsg of a unicast route. */
interface RouteHeader {
  readonly family: number;
  readonly prefixLength: number;
  readonly table: number;
  readonly protocol: number;
  readonly scope: number;
  readonly flags: number;
}

function routeHeader(route: RouteHeader): Uint8Array {
  const header = new Uint8Array(ROUTE_HEADER_LENGTH);
  header[ROUTE_FAMILY] = route.family;
  header[ROUTE_DST_LENGTH] = route.prefixLength;
  header[ROUTE_TABLE] = route.table > RT_TABLE_OCTET_MAX ? 0 : route.table;
  header[ROUTE_PROTOCOL] = route.protocol;
  header[ROUTE_SCOPE] = route.scope;
  header[ROUTE_TYPE] = RTN_UNICAST;
  writeHostU32(header, ROUTE_FLAGS, route.flags);
  return header;
}

function connectedBody(ifindex: number, route: HostRoute): Buffer {
  const { prefixLength, table, source, metric } = route;
  const kind = { family: AF_INET, protocol: RTPROT_KERNEL, scope: RT_SCOPE_LINK, flags: 0 };
  const parts = [
    routeHeader({ ...kind, prefixLength, table }),
    attributeEmit(RTA_DST, addressBytes(route.destination).bytes),
    attributeEmitU32(RTA_OIF, ifindex),
  ];
  if (source !== undefined) parts.push(attributeEmit(RTA_PREFSRC, addressBytes(source).bytes));
  if (metric !== 0) parts.push(attributeEmitU32(RTA_PRIORITY, metric));
  return Buffer.concat([...parts, attributeEmitU32(RTA_TABLE, table)]);
}

function routeBody(ifindex: number, route: RouteSettings): Buffer {
  const gateway = route.via === undefined ? undefined : addressBytes(route.via);
  const target = route.to === 'default' ? undefined : prefixParse(route.to);
  if (target === undefined && route.to !== 'default') {
    throw new OperatorError('EINVAL', `route to ${route.to}: not a prefix and not "default"`);
  }
  const destination = target === undefined ? undefined : addressBytes(target.address);
  const family = destination?.family ?? gateway?.family ?? AF_INET;
  if (family === AF_INET6 && gateway?.family === AF_INET) {
    throw new OperatorError(
      'EAFNOSUPPORT',
      `route to ${route.to}: the kernel takes no IPv4 gateway (${route.via}) for a route of IPv6`,
      'a gateway of IPv6; one of IPv4 routes may be of either family',
    );
  }
  const table = route.table ?? RT_TABLE_MAIN;
  const isOnLink = gateway === undefined && family === AF_INET;
  const parts = [
    routeHeader({
      family,
      prefixLength: target?.prefixLength ?? 0,
      table,
      protocol: RTPROT_STATIC,
      scope: isOnLink ? RT_SCOPE_LINK : RT_SCOPE_UNIVERSE,
      flags: route.onlink === true ? RTNH_F_ONLINK : 0,
    }),
  ];
  if (destination !== undefined) parts.push(attributeEmit(RTA_DST, destination.bytes));
  if (gateway !== undefined) parts.push(gatewayEmit(gateway, family));
  parts.push(attributeEmitU32(RTA_OIF, ifindex));
  if (route.metric !== undefined) parts.push(attributeEmitU32(RTA_PRIORITY, route.metric));
  return Buffer.concat([...parts, attributeEmitU32(RTA_TABLE, table)]);
}

/** struct rtvia: the family of the gateway, then its address. */
function gatewayEmit({ family, bytes }: AddressBytes, routeFamily: number): Uint8Array {
  if (family === routeFamily) return attributeEmit(RTA_GATEWAY, bytes);
  const familyBytes = new Uint8Array(2);
  writeHostU16(familyBytes, 0, family);
  return attributeEmit(RTA_VIA, familyBytes, bytes);
}
