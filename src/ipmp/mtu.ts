/** The MTU of a group: the smallest among its present members (IPMP semantics 3.11). */

import { GROUP_MTU_MIN } from '../base/limits.ts';
import { type IpmpContext, post } from './context.ts';
import type { IpmpGroup } from './group.ts';

/** What the group's MTU should be; 0 while no member is present. */
export function groupMtu(group: IpmpGroup): number {
  if (group.settings.mtu !== 'auto') return group.settings.mtu;
  const present = group.members.filter((member) => member.phyint.present);
  if (present.length === 0) return 0;
  return Math.max(GROUP_MTU_MIN, Math.min(...present.map((member) => member.phyint.mtu)));
}

/**
 * Asks the host for another MTU of the group's device if it should have one. Nothing is asked
 * while there is no device; one that is new is asked for anew.
 */
export function refreshGroupMtu(ctx: IpmpContext, group: IpmpGroup): void {
  if (!group.device.present) {
    group.requestedMtu = 0;
    return;
  }
  const mtu = groupMtu(group);
  if (mtu === 0 || mtu === group.requestedMtu) return;
  const before = group.requestedMtu;
  group.requestedMtu = mtu;
  ctx.hostRequests.push({ kind: 'group-mtu', group: group.ifname, mtu });
  const cause = group.settings.mtu === 'auto' ? 'smallest-member' : 'configured';
  const from = before === 0 ? undefined : String(before);
  post(ctx, 'group-mtu', cause, { group: group.name, from, to: String(mtu) });
}
