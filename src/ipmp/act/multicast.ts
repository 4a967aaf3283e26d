/**
 * Multicast memberships of the host on a group's device, set by the operator (docs/law.md rows 59
 * to 63: membership is on the meta-interface). The host's kernel keeps the membership and reports
 * it to the LAN; this file has the list. The host is asked first, without the ipsq of the
 * group: other operations go on during the wait. What the host refuses has changed nothing. The
 * checks are repeated after the wait.
 */

import { OperatorError } from '../../base/errors.ts';
import { acquire } from '../../base/lock.ts';
import type { Operation } from '../../base/operation.ts';
import { MULTICAST_MAX } from '../../model/limits.ts';
import { MULTICAST_RANGES } from '../../model/prefix.ts';
import { multicastIsOfGroups } from '../../model/refusals.ts';
import type { MulticastRow } from '../../model/rows.ts';
import { type IpAddress, ipFormat, ipIsMulticast, ipParse } from '../../wire/addr.ts';
import { findGroup, type IpmpContext, refuseCondemnedGroup } from '../object/context.ts';
import type { IpmpGroup } from '../object/group.ts';

/**
 * Has the host listen to a multicast address (`isMember`), or no longer. ENOENT; EINVAL for what is
 * no multicast address, and for an interface (docs/law.md row 63); EADDRINUSE if it is joined
 * already; EADDRNOTAVAIL if it is not; ENOBUFS beyond MULTICAST_MAX; what the host refuses with.
 */
export function* changeMulticast(
  ctx: IpmpContext,
  groupName: string,
  text: string,
  isMember: boolean,
): Operation<void> {
  const address = addressOf(text);
  const tracked = ctx.interfaces.get(groupName);
  if (tracked !== undefined) throw multicastIsOfGroups(groupName, tracked.group?.name);
  const group = findGroup(ctx, groupName);
  const refuse = isMember ? refuseJoin : refuseLeave;
  refuse(group, address);
  yield* ctx.setGroupMulticast(group.ifname, ipFormat(address), isMember);
  using _writer = yield* acquire(group.ipsq);
  refuse(group, address);
  ctx.illGlobalLock.write(() => {
    if (isMember) group.multicast.add(address);
    else group.multicast.delete(address);
  });
}

function refuseJoin(group: IpmpGroup, address: IpAddress): void {
  refuseCondemnedGroup(group);
  if (group.multicast.has(address)) {
    const message = `group ${group.name} has joined ${ipFormat(address)} already`;
    throw new OperatorError('EADDRINUSE', message);
  }
  if (group.multicast.size >= MULTICAST_MAX) {
    const message = `group ${group.name} has joined ${MULTICAST_MAX} multicast addresses already`;
    throw new OperatorError('ENOBUFS', message);
  }
}

function refuseLeave(group: IpmpGroup, address: IpAddress): void {
  refuseCondemnedGroup(group);
  if (group.multicast.has(address)) return;
  const message = `group ${group.name} has not joined ${ipFormat(address)}`;
  throw new OperatorError('EADDRNOTAVAIL', message);
}

/** One row per membership, in order of groups and of joining; `inbound` carries them all. */
export function describeMulticast(ctx: IpmpContext): MulticastRow[] {
  return [...ctx.groups.values()].flatMap(({ name, grp, multicast }) =>
    Array.from(multicast, (address) => ({
      address: ipFormat(address),
      group: name,
      inbound: grp.cast?.name ?? null,
    })),
  );
}

function addressOf(text: string): IpAddress {
  const address = ipParse(text);
  if (address !== undefined && ipIsMulticast(address)) return address;
  throw new OperatorError('EINVAL', `"${text}" is not a multicast address (${MULTICAST_RANGES})`);
}
