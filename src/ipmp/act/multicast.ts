/**
 * Multicast groups that the operator has the host listen to by a group's device (docs/law.md rows
 * 59 to 63: membership is on the meta-interface). The host's kernel keeps the membership and
 * reports it to the LAN; this file has the list. The host is asked first, without the ipsq of the
 * group: other operations go on during the wait. What the host refuses has changed nothing. The
 * checks are repeated after the wait.
 */

import { OperatorError } from '../../base/errors.ts';
import { acquire } from '../../base/lock.ts';
import type { Operation } from '../../base/operation.ts';
import { MULTICAST_MAX } from '../../model/limits.ts';
import type { MulticastRow } from '../../model/rows.ts';
import { type Ipv4, ipv4Format, ipv4IsMulticast, ipv4Parse, ipv6Parse } from '../../wire/addr.ts';
import { findGroup, type IpmpContext, refuseCondemnedGroup } from '../object/context.ts';
import type { IpmpGroup } from '../object/group.ts';

/**
 * Has the host listen to a multicast address. ENOENT; EINVAL for what is no multicast address;
 * EAFNOSUPPORT for IPv6; EADDRINUSE if it is joined already; ENOBUFS beyond MULTICAST_MAX; what the
 * host refuses with.
 */
export function* joinMulticast(ctx: IpmpContext, groupName: string, text: string): Operation<void> {
  const address = addressOf(text);
  const group = findGroup(ctx, groupName);
  refuseJoin(group, address);
  yield* ctx.setGroupMulticast(group.ifname, ipv4Format(address), true);
  using _writer = yield* acquire(group.ipsq);
  refuseJoin(group, address);
  commit(ctx, group, (addresses) => addresses.add(address));
}

function refuseJoin(group: IpmpGroup, address: Ipv4): void {
  refuseCondemnedGroup(group);
  if (group.multicast.has(address)) {
    const message = `group ${group.name} has joined ${ipv4Format(address)} already`;
    throw new OperatorError('EADDRINUSE', message);
  }
  if (group.multicast.size >= MULTICAST_MAX) {
    const message = `group ${group.name} has joined ${MULTICAST_MAX} multicast addresses already`;
    throw new OperatorError('ENOBUFS', message);
  }
}

/** Ends what `joinMulticast` began. ENOENT, EINVAL, EAFNOSUPPORT; EADDRNOTAVAIL: not joined. */
export function* leaveMulticast(
  ctx: IpmpContext,
  groupName: string,
  text: string,
): Operation<void> {
  const address = addressOf(text);
  const group = findGroup(ctx, groupName);
  refuseLeave(group, address);
  yield* ctx.setGroupMulticast(group.ifname, ipv4Format(address), false);
  using _writer = yield* acquire(group.ipsq);
  refuseLeave(group, address);
  commit(ctx, group, (addresses) => addresses.delete(address));
}

function refuseLeave(group: IpmpGroup, address: Ipv4): void {
  refuseCondemnedGroup(group);
  if (group.multicast.has(address)) return;
  const message = `group ${group.name} has not joined ${ipv4Format(address)}`;
  throw new OperatorError('EADDRNOTAVAIL', message);
}

/** One row per membership, in order of groups and of joining; `inbound` carries them all. */
export function describeMulticast(ctx: IpmpContext): MulticastRow[] {
  return [...ctx.groups.values()].flatMap(({ name, grp, multicast }) =>
    Array.from(multicast, (address) => ({
      address: ipv4Format(address),
      group: name,
      inbound: grp.cast?.name ?? null,
    })),
  );
}

function commit(ctx: IpmpContext, group: IpmpGroup, change: (list: Set<Ipv4>) => void): void {
  ctx.illGlobalLock.write(() => {
    change(group.multicast);
  });
}

function addressOf(text: string): Ipv4 {
  const address = ipv4Parse(text);
  if (address !== undefined && ipv4IsMulticast(address)) return address;
  if (address === undefined && ipv6Parse(text) !== undefined) {
    throw new OperatorError('EAFNOSUPPORT', `multicast ${text}: IPv6 is not served`);
  }
  throw new OperatorError('EINVAL', `"${text}" is not a multicast address (224.0.0.0/4)`);
}
