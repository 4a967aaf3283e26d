/**
 * Connected routes of devices below us. Another program may give a silenced NIC an address in
 * the network of a group. The kernel then has two routes to that network of the same metric, and
 * takes the older one: after the group's device was down and up, that of the NIC, where no answer
 * arrives. So such a route is put behind the others, and works again when the NIC is given back.
 */

import { isConnected } from '../group/connected.ts';
import type { HostRoute, LinkRecord } from '../kernel/records.ts';
import { isSamePlace } from '../kernel/route-key.ts';
import type { Rtnl } from '../kernel/rtnl.ts';

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
