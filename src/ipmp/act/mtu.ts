/**
 * The MTU of a group: the smallest among its present members (IPMP semantics 3.11), or less where
 * the configuration says so. Never more, since what does not fit a NIC is lost there; a NIC that
 * takes less than GROUP_MTU_MIN is not attached.
 */

import type { Cause } from '../../model/causes.ts';
import { type IpmpContext, post } from '../object/context.ts';
import type { IpmpGroup } from '../object/group.ts';

interface GroupMtu {
  /** 0 while neither the configuration nor a member says one. */
  readonly mtu: number;
  readonly cause: Cause;
}

function decide(group: IpmpGroup): GroupMtu {
  const present = group.members.filter((member) => member.phyint.present);
  const least = Math.min(...present.map((member) => member.phyint.mtu));
  const wanted = group.settings.mtu === 'auto' ? Number.POSITIVE_INFINITY : group.settings.mtu;
  if (wanted <= least) {
    return { mtu: Number.isFinite(wanted) ? wanted : 0, cause: 'configured' };
  }
  const isAuto = !Number.isFinite(wanted);
  return { mtu: least, cause: isAuto ? 'smallest-member' : 'above-smallest-member' };
}

/** What the group's MTU should be; 0 while that is not known. */
export function groupMtu(group: IpmpGroup): number {
  return decide(group).mtu;
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
  const { mtu, cause } = decide(group);
  if (mtu === 0) return;
  const before = group.requestedMtu;
  // A request for more than the members have is an event, also where nothing changes.
  const isNews = cause === 'above-smallest-member' && cause !== group.mtuCause;
  group.mtuCause = cause;
  if (mtu === before && !isNews) return;
  if (mtu !== before) ctx.hostRequests.push({ kind: 'group-mtu', group: group.ifname, mtu });
  group.requestedMtu = mtu;
  const from = before === 0 ? undefined : String(before);
  post(ctx, 'group-mtu', cause, { group: group.name, from, to: String(mtu) });
}
