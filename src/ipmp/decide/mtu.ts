/**
 * The MTU of a group: the smallest among its present members (docs/law.md row 49), or less where
 * the configuration says so. Never more, since what does not fit a NIC is lost there; a NIC that
 * takes less than GROUP_MTU_MIN is not attached.
 */

import type { Cause } from '../../model/causes.ts';
import type { IpmpGroup } from '../object/group.ts';

interface GroupMtu {
  /** 0 while neither the configuration nor a member gives one. */
  readonly mtu: number;
  readonly cause: Cause;
}

/** What the group's MTU should be, and why. */
export function decideMtu({ members, settings }: IpmpGroup): GroupMtu {
  const present = members.filter((member) => member.phyint.present);
  const least = Math.min(...present.map((member) => member.phyint.mtu));
  const wanted = settings.mtu === 'auto' ? Number.POSITIVE_INFINITY : settings.mtu;
  if (wanted <= least) {
    return { mtu: Number.isFinite(wanted) ? wanted : 0, cause: 'configured' };
  }
  const isAuto = !Number.isFinite(wanted);
  return { mtu: least, cause: isAuto ? 'smallest-member' : 'above-smallest-member' };
}
