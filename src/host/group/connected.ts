/**
 * Connected routes: those that the kernel makes of an address, to the network that the address is
 * in. It makes them once, so one that another program deletes (`ip route flush dev ipmp0`) is
 * missing until the address is added again, and every gateway of that network is out of reach.
 *
 * Another program may give a silenced NIC an address in the network of a group. The kernel then has
 * two routes to that network of the same metric, and takes the older one: after the group's device
 * was down and up, that of the NIC, where no answer arrives. So such a route is put behind the
 * others, and works again when the NIC is given back.
 */

import { ipv4Format, ipv4Mask, ipv4Parse } from '../../wire/addr.ts';
import type { HostAddress, HostRoute, LinkRecord } from '../kernel/records.ts';
import { isSamePlace } from '../kernel/route-key.ts';
import {
  RT_SCOPE_LINK,
  RT_TABLE_MAIN,
  RTN_UNICAST,
  RTPROT_KERNEL,
} from '../kernel/route-message.ts';
import type { Rtnl } from '../kernel/rtnl.ts';

// From linux/if_addr.h.

const IFA_F_SECONDARY = 0x01;
const IFA_F_NOPREFIXROUTE = 0x200;

/** A connected route of IPv4. */
export function isConnected({ family, type, protocol, scope }: HostRoute): boolean {
  const isKernels = protocol === RTPROT_KERNEL && scope === RT_SCOPE_LINK;
  return family === 4 && type === RTN_UNICAST && isKernels;
}

/** The connected routes that follow from the addresses of a device and are not among its routes. */
export function lackingConnected(
  addresses: readonly HostAddress[],
  routes: readonly HostRoute[],
): HostRoute[] {
  const found = new Set(routes.filter((route) => route.family === 4).map(networkText));
  return addresses.flatMap(({ family, address, prefixLength, flags }) => {
    const isWithout = (flags & (IFA_F_SECONDARY | IFA_F_NOPREFIXROUTE)) !== 0;
    const own = ipv4Parse(address);
    if (family !== 4 || prefixLength === 32 || isWithout || own === undefined) return [];
    const destination = ipv4Format((own & ipv4Mask(prefixLength)) >>> 0);
    const route: HostRoute = {
      family,
      destination,
      prefixLength,
      table: RT_TABLE_MAIN,
      type: RTN_UNICAST,
      protocol: RTPROT_KERNEL,
      scope: RT_SCOPE_LINK,
      tos: 0,
      metric: 0,
      source: address,
      nexthopId: 0,
      hops: [],
    };
    return found.has(networkText(route)) ? [] : [route];
  });
}

/** 'A.B.C.D/L' of a route. */
export function networkText({ destination, prefixLength }: HostRoute): string {
  return `${destination}/${prefixLength}`;
}

/** Puts the connected routes of `link` behind those of other devices to the same networks. */
export async function yieldConnected(rtnl: Rtnl, link: LinkRecord): Promise<void> {
  for (const route of await rtnl.routes(link.ifindex)) {
    if (!isConnected(route) || !(await isInFront(rtnl, link, route))) continue;
    await rtnl.putLast(link, route);
  }
}

/** It is the first of several of its place: the one that the kernel takes. */
async function isInFront(rtnl: Rtnl, link: LinkRecord, route: HostRoute): Promise<boolean> {
  const others: HostRoute[] = [];
  const first = await rtnl.findInTable(route.table, route.family, (one) => {
    const isIt = isSamePlace(one, route);
    if (isIt) others.push(one);
    return others.length === 2;
  });
  const [front] = others;
  return (
    first !== undefined && front?.hops.some(({ ifindex }) => ifindex === link.ifindex) === true
  );
}
