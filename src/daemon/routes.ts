/** The host's routes as the IP layer mirrors them: IPv4 unicast, one record for each way out. */

import type { HostRoute } from '../host/records.ts';
import type { RouteRecord } from '../system.ts';
import { ipv4Parse } from '../wire/addr.ts';

/** RTN_UNICAST of rtnetlink: the other types are decided by the kernel before a frame exists. */
const UNICAST = 1;

/** The records of `list`, which holds the routes through one device. */
export function routeRecords(list: readonly HostRoute[]): RouteRecord[] {
  return list.flatMap((route) => {
    const destination = ipv4Parse(route.destination);
    if (route.family !== 4 || route.type !== UNICAST || destination === undefined) return [];
    const { prefixLength, table, metric, hops } = route;
    return hops.flatMap(({ via }) => {
      const gateway = via === undefined ? null : ipv4Parse(via);
      // A gateway of the other family (RFC 5549 style) is not served yet.
      return gateway === undefined ? [] : [{ destination, prefixLength, gateway, table, metric }];
    });
  });
}
