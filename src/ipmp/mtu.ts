/** The MTU of a group: the smallest among its present members (IPMP semantics 3.11). */

import { type IpmpContext, post } from './context.ts';
import type { IpmpGroup } from './group.ts';

// From the RFCs: below these a link cannot carry the family.
const IPV4_MTU_MIN = 68; // RFC 791
const IPV6_MTU_MIN = 1280; // RFC 8200 section 5

/** What the group's MTU should be; 0 while no member is present. */
export function groupMtu(group: IpmpGroup): number {
  if (group.settings.mtu !== 'auto') return group.settings.mtu;
  const present = group.members.filter((member) => member.phyint.present);
  if (present.length === 0) return 0;
  const smallest = Math.min(...present.map((member) => member.phyint.mtu));
  const hasIpv6 = group.unserved.some((address) => address.cause === 'not-served');
  return Math.max(smallest, hasIpv6 ? IPV6_MTU_MIN : IPV4_MTU_MIN);
}

/** Asks the host for another MTU of the group's device if it should have one. */
export function refreshGroupMtu(ctx: IpmpContext, group: IpmpGroup): void {
  const mtu = groupMtu(group);
  if (mtu === 0 || mtu === group.requestedMtu) return;
  const before = group.requestedMtu;
  group.requestedMtu = mtu;
  ctx.hostRequests.push({ kind: 'group-mtu', group: group.name, mtu });
  const cause = group.settings.mtu === 'auto' ? 'smallest-member' : 'configured';
  const from = before === 0 ? undefined : String(before);
  post(ctx, 'group-mtu', cause, { group: group.name, from, to: String(mtu) });
}
