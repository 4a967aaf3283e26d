/**
 * RTM_*ADDR and RTM_*ROUTE: addresses of a device, and routes that leave through it. Dumps are
 * filtered in the kernel (NETLINK_GET_STRICT_CHK): by index for addresses, by outgoing interface
 * for routes of every table.
 */

import {
  __LENGTH_Address,
  __LENGTH_Route,
  formatAddress,
  formatRoute,
  MessageType,
  parseAddress,
  RouteProtocol,
  RouteScope,
  RouteType,
} from 'netlink/dist/rt/gen_structs.js';
import { putU32, readS32, readU16 } from 'netlink/dist/structs.js';
import { OperatorError } from '../../base/errors.ts';
import {
  ipv4Format,
  ipv4Mask,
  ipv4Parse,
  ipv4Read,
  ipv4Write,
  ipv6Format,
  ipv6Parse,
  prefixParse,
} from '../../wire/addr.ts';
import {
  attributesOf,
  attributeU32,
  bodyEmit,
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
const AF_INET6 = 10;
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
const RT_TABLE_MAIN = 254;
/** Tables above this number do not fit the route header's octet. */
const RT_TABLE_OCTET_MAX = 255;
/** struct rtnexthop: length u16, flags u8, hops u8, ifindex s32. */
const HOP_HEADER_LENGTH = 8;
/** Offsets in struct rtmsg. */
const RTM_FAMILY = 0;
const RTM_DST_LENGTH = 1;
const RTM_TOS = 3;
const RTM_TABLE = 4;
const RTM_PROTOCOL = 5;
const RTM_SCOPE = 6;
const RTM_TYPE = 7;
const RTM_FLAGS = 8;
/** The longest prefix of IPv4 with a broadcast address of its own (RFC 3021). */
const BROADCAST_PREFIX_MAX = 30;

interface AddressBytes {
  readonly family: number;
  readonly bytes: Uint8Array;
}

function addressBytes(text: string): AddressBytes {
  const ipv4 = ipv4Parse(text);
  if (ipv4 !== undefined) {
    const bytes = new Uint8Array(4);
    ipv4Write(bytes, 0, ipv4);
    return { family: AF_INET, bytes };
  }
  const ipv6 = ipv6Parse(text);
  if (ipv6 === undefined) throw new OperatorError('EINVAL', `${text} is not an IP address`);
  return { family: AF_INET6, bytes: ipv6 };
}

/** Canonical text of 4 or 16 octets; undefined for any other length or none. */
function addressText(bytes: Buffer | undefined): string | undefined {
  if (bytes?.length === 4) return ipv4Format(ipv4Read(bytes, 0));
  return bytes?.length === 16 ? ipv6Format(bytes) : undefined;
}

/** The address in an RTM_NEWADDR or RTM_DELADDR with its device; undefined if unreadable. */
export function addressParse(body: Buffer): { ifindex: number; address: HostAddress } | undefined {
  if (body.length < __LENGTH_Address) return undefined;
  const header = parseAddress(body.subarray(0, __LENGTH_Address));
  const attributes = attributesOf(body.subarray(__LENGTH_Address));
  const address = addressText(attributes.get(IFA_LOCAL) ?? attributes.get(IFA_ADDRESS));
  if (address === undefined) return undefined;
  return {
    ifindex: header.index ?? 0,
    address: {
      family: header.family === AF_INET ? 4 : 6,
      address,
      prefixLength: header.prefixlen ?? 0,
      flags: attributeU32(attributes.get(IFA_FLAGS)),
      scope: header.scope ?? 0,
    },
  };
}

/** Asks for the addresses of one device. */
export function addressDump(ifindex: number): Request {
  const body = bodyEmit(formatAddress({ index: ifindex }));
  return { type: MessageType.GETADDR, flags: NLM_F_DUMP, body };
}

/** Puts `prefix` ('ADDR/LEN') on a device; EEXIST if it is there already. */
export function addressAdd(ifindex: number, prefix: string): Request {
  const { body } = addressBody(ifindex, prefix, true);
  return { type: MessageType.NEWADDR, flags: NLM_F_ACK | NLM_F_CREATE | NLM_F_EXCL, body };
}

/** Takes `prefix` ('ADDR/LEN') off a device; EADDRNOTAVAIL if it is not there. */
export function addressDelete(ifindex: number, prefix: string): Request {
  const { body } = addressBody(ifindex, prefix, false);
  return { type: MessageType.DELADDR, flags: NLM_F_ACK, body };
}

function addressBody(ifindex: number, prefix: string, adding: boolean): { body: Buffer } {
  const parsed = prefixParse(prefix);
  if (parsed === undefined) throw new OperatorError('EINVAL', `${prefix} is not ADDRESS/LENGTH`);
  const { family, bytes } = addressBytes(parsed.address);
  const header = formatAddress({ family, prefixlen: parsed.prefixLength, index: ifindex });
  const body = bodyEmit(header, (out) => {
    out.push(IFA_LOCAL, bytes);
    out.push(IFA_ADDRESS, bytes);
    if (adding && family === AF_INET && parsed.prefixLength <= BROADCAST_PREFIX_MAX) {
      out.push(IFA_BROADCAST, broadcastBytes(bytes, parsed.prefixLength));
    }
  });
  return { body };
}

function broadcastBytes(address: Uint8Array, prefixLength: number): Uint8Array {
  const bytes = new Uint8Array(4);
  ipv4Write(bytes, 0, (ipv4Read(address, 0) | ~ipv4Mask(prefixLength)) >>> 0);
  return bytes;
}

/** The route in an RTM_NEWROUTE or RTM_DELROUTE; undefined if it is not of IPv4 or IPv6. */
export function routeParse(body: Buffer): HostRoute | undefined {
  if (body.length < __LENGTH_Route) return undefined;
  const family = body[RTM_FAMILY];
  if (family !== AF_INET && family !== AF_INET6) return undefined;
  const attributes = attributesOf(body.subarray(__LENGTH_Route));
  return {
    family: family === AF_INET ? 4 : 6,
    destination: addressText(attributes.get(RTA_DST)) ?? (family === AF_INET ? '0.0.0.0' : '::'),
    prefixLength: body[RTM_DST_LENGTH] ?? 0,
    table: attributeU32(attributes.get(RTA_TABLE), body[RTM_TABLE] ?? 0),
    type: body[RTM_TYPE] ?? 0,
    protocol: body[RTM_PROTOCOL] ?? 0,
    scope: body[RTM_SCOPE] ?? 0,
    tos: body[RTM_TOS] ?? 0,
    metric: attributeU32(attributes.get(RTA_PRIORITY)),
    source: addressText(attributes.get(RTA_PREFSRC)),
    nexthopId: attributeU32(attributes.get(RTA_NH_ID)),
    hops: hopsOf(attributes, body[RTM_FLAGS] ?? 0),
  };
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
    const length = readU16.call(rest, 0);
    if (length < HOP_HEADER_LENGTH || length > rest.length) break;
    hops.push({
      ifindex: readS32.call(rest, 4),
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
  const header = formatRoute({ family: family === 4 ? AF_INET : AF_INET6 });
  const body = bodyEmit(header, (out) => out.push(RTA_OIF, putU32(ifindex)));
  return { type: MessageType.GETROUTE, flags: NLM_F_DUMP, body };
}

/** Asks for the routes of one table and family; old kernels answer with those of every table. */
export function routeTableDump(table: number, family: 4 | 6): Request {
  const header = formatRoute({ family: family === 4 ? AF_INET : AF_INET6 });
  const body = bodyEmit(header, (out) => out.push(RTA_TABLE, putU32(table)));
  return { type: MessageType.GETROUTE, flags: NLM_F_DUMP, body };
}

/** Adds a static route through a device; EEXIST if there is one in its place already. */
export function routeAdd(ifindex: number, route: RouteSettings): Request {
  const body = routeBody(ifindex, route);
  return { type: MessageType.NEWROUTE, flags: NLM_F_ACK | NLM_F_CREATE | NLM_F_EXCL, body };
}

/** Deletes a route that `routeAdd` added; ESRCH (as ENOENT) if it is not there. */
export function routeDelete(ifindex: number, route: RouteSettings): Request {
  return { type: MessageType.DELROUTE, flags: NLM_F_ACK, body: routeBody(ifindex, route) };
}

/** Adds a connected route of IPv4 behind all others of its place. */
export function connectedAppend(ifindex: number, route: HostRoute): Request {
  const flags = NLM_F_ACK | NLM_F_CREATE | NLM_F_APPEND;
  return { type: MessageType.NEWROUTE, flags, body: connectedBody(ifindex, route) };
}

/** Deletes it; ESRCH (as ENOENT) if it is not there. */
export function connectedDelete(ifindex: number, route: HostRoute): Request {
  return { type: MessageType.DELROUTE, flags: NLM_F_ACK, body: connectedBody(ifindex, route) };
}

function connectedBody(ifindex: number, route: HostRoute): Buffer {
  const header = formatRoute({
    family: AF_INET,
    dstLen: route.prefixLength,
    table: route.table > RT_TABLE_OCTET_MAX ? 0 : route.table,
    protocol: RouteProtocol.KERNEL,
    scope: RouteScope.LINK,
    type: RouteType.UNICAST,
  });
  return bodyEmit(header, (out) => {
    out.push(RTA_DST, addressBytes(route.destination).bytes);
    out.push(RTA_OIF, putU32(ifindex));
    if (route.source !== undefined) out.push(RTA_PREFSRC, addressBytes(route.source).bytes);
    if (route.metric !== 0) out.push(RTA_PRIORITY, putU32(route.metric));
    out.push(RTA_TABLE, putU32(route.table));
  });
}

function routeBody(ifindex: number, route: RouteSettings): Buffer {
  const gateway = route.via === undefined ? undefined : addressBytes(route.via);
  const target = route.to === 'default' ? undefined : prefixParse(route.to);
  if (target === undefined && route.to !== 'default') {
    throw new OperatorError('EINVAL', `route to ${route.to}: not a prefix and not "default"`);
  }
  const destination = target === undefined ? undefined : addressBytes(target.address);
  const family = destination?.family ?? gateway?.family ?? AF_INET;
  if (gateway !== undefined && gateway.family !== family) {
    throw new OperatorError(
      'EAFNOSUPPORT',
      `route to ${route.to}: ${route.via} is of another family`,
    );
  }
  const table = route.table ?? RT_TABLE_MAIN;
  const header = formatRoute({
    family,
    dstLen: target?.prefixLength ?? 0,
    table: table > RT_TABLE_OCTET_MAX ? 0 : table,
    protocol: RouteProtocol.STATIC,
    scope: gateway === undefined && family === AF_INET ? RouteScope.LINK : RouteScope.UNIVERSE,
    type: RouteType.UNICAST,
    ...(route.onlink === true ? { flags: { __unknown: RTNH_F_ONLINK } } : {}),
  });
  return bodyEmit(header, (out) => {
    if (destination !== undefined) out.push(RTA_DST, destination.bytes);
    if (gateway !== undefined) out.push(RTA_GATEWAY, gateway.bytes);
    out.push(RTA_OIF, putU32(ifindex));
    if (route.metric !== undefined) out.push(RTA_PRIORITY, putU32(route.metric));
    out.push(RTA_TABLE, putU32(table));
  });
}
