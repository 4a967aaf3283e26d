/**
 * Connected routes: those that the kernel makes of an address, to the network that the address is
 * in. It makes them once, so one that another program deletes (`ip route flush dev ipmp0`) is
 * missing until the address is added again, and every gateway of that network is out of reach.
 */

import { ipv4Format, ipv4Mask, ipv4Parse } from '../../wire/addr.ts';
import type { HostAddress, HostRoute } from '../kernel/records.ts';

// From linux/rtnetlink.h and linux/if_addr.h.

const RT_SCOPE_LINK = 253;
const RT_TABLE_MAIN = 254;
const RTN_UNICAST = 1;
const RTPROT_KERNEL = 2;
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
