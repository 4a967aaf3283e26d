/**
 * The addresses on a group's device and the data addresses of the group are the same set: the
 * host reports its list, and the difference is applied here (docs/law.md row 35).
 *
 * What is a duplicate for the host's kernel too (dadfailed) is not served: the kernel does not use
 * it before it is added anew. It is shown with the station that has it, if our own detection found
 * that out. A link-local address of IPv6 means another address on each link (RFC 4007), so several
 * groups may have the same.
 */

import { Ipif } from '../../ip/object/ipif.ts';
import { IFA_F_DADFAILED, IFA_F_PERMANENT } from '../../model/address-flags.ts';
import type { Cause } from '../../model/causes.ts';
import { MAX_ADDRESSES } from '../../model/limits.ts';
import { isOfOneLink } from '../../model/prefix.ts';
import { type IpAddress, ipFormat, ipParse, ipv6IsUnicast, type Mac } from '../../wire/addr.ts';
import { type IpmpContext, post, structureChanged } from '../object/context.ts';
import type { HostAddress, IpmpGroup, UnservedAddress } from '../object/group.ts';
import { announce } from './settle.ts';

/** Addresses that are added in one turn (ours): together some milliseconds. */
export const ADDED_A_TURN = 256;

/** The host's present list for `group`; many new addresses are added in several turns. */
export function handleHostAddresses(
  ctx: IpmpContext,
  group: IpmpGroup,
  list: readonly HostAddress[],
): void {
  group.hostAddresses = list;
  const removed = syncAddresses(ctx, group);
  if (removed) retryUnserved(ctx, group);
}

/** Adds more of the addresses that groups wait for. */
export function handleAddressTime(ctx: IpmpContext): void {
  for (const group of [...ctx.incompleteGroups]) syncAddresses(ctx, group);
}

/** An address has become free: a group (but `except`) may wait for it. */
export function retryUnserved(ctx: IpmpContext, except?: IpmpGroup): void {
  for (const group of ctx.groups.values()) {
    const waits = group.unserved.some(({ cause }) => cause !== 'address-conflict');
    if (group !== except && waits) syncAddresses(ctx, group);
  }
}

/** Takes all addresses of a group down, because the group is deleted. */
export function dropAddresses(ctx: IpmpContext, group: IpmpGroup): void {
  handleHostAddresses(ctx, group, []);
}

/** Makes the data addresses follow the host's list; answers whether any was removed. */
function syncAddresses(ctx: IpmpContext, group: IpmpGroup): boolean {
  const { ipifs } = group.grp;
  const { wanted, unserved } = sortAddresses(ctx, group);
  const duplicates = new Set(group.hostAddresses.filter(isDuplicate).map(({ address }) => address));
  const holders = new Map(group.unserved.map(({ address, holder }) => [address, holder]));
  ctx.incompleteGroups.delete(group);
  const givenUp = new Set<string>();
  let isRemoved = false;
  for (const ipif of [...ipifs.values()]) {
    const host = wanted.get(ipif.address);
    if (host !== undefined) {
      changeAddress(ctx, group, ipif, host);
      continue;
    }
    const text = ipFormat(ipif.address);
    isRemoved = true;
    if (!duplicates.has(text)) removeAddress(ctx, group, ipif);
    else {
      holders.set(text, giveUp(ctx, group, ipif));
      givenUp.add(text);
    }
  }
  let added = 0;
  for (const [address, { prefixLength, flags }] of wanted) {
    if (ipifs.has(address)) continue;
    if (++added > ADDED_A_TURN) {
      ctx.incompleteGroups.add(group);
      break;
    }
    addAddress(ctx, group, Ipif.data(address, prefixLength, flags));
  }
  const before = group.unserved;
  group.unserved = unserved.map((one) => ({ ...one, holder: holders.get(one.address) ?? 0 }));
  reportUnserved(ctx, group, before, givenUp);
  return isRemoved;
}

/** Which of the host's addresses can be served, and why the others cannot. */
function sortAddresses(
  ctx: IpmpContext,
  group: IpmpGroup,
): { wanted: Map<IpAddress, HostAddress>; unserved: Omit<UnservedAddress, 'holder'>[] } {
  const wanted = new Map<IpAddress, HostAddress>();
  const unserved: Omit<UnservedAddress, 'holder'>[] = [];
  const room = MAX_ADDRESSES - addressCount(ctx, group);
  const isUsedElsewhere = usersElsewhere(ctx, group);
  for (const host of group.hostAddresses) {
    const refuse = (cause: Cause): number => unserved.push({ ...host, cause });
    const address = ipParse(host.address);
    if (address === undefined || !isServable(address) || wanted.has(address)) continue;
    if (isDuplicate(host)) refuse('address-conflict');
    else if (isUsedElsewhere(address)) refuse('used-elsewhere');
    else if (wanted.size >= room) refuse('too-many');
    else wanted.set(address, host);
  }
  return { wanted, unserved };
}
/** The host's kernel does not use it, since another station has it. */
function isDuplicate({ flags = 0 }: HostAddress): boolean {
  return (flags & IFA_F_DADFAILED) !== 0;
}

function isServable(address: IpAddress): boolean {
  return typeof address === 'number' ? address !== 0 : ipv6IsUnicast(address);
}

/** Addresses in the forwarding tables that are not data addresses of `except`. */
export function addressCount(ctx: IpmpContext, except?: IpmpGroup): number {
  let count = 0;
  for (const group of ctx.groups.values()) if (group !== except) count += group.grp.ipifs.size;
  for (const tracked of ctx.interfaces.values()) count += tracked.ill.testIpifs.length;
  return count;
}

/** A function that answers whether another group or an interface has an address. */
function usersElsewhere(ctx: IpmpContext, group: IpmpGroup): (address: IpAddress) => boolean {
  const others = [...ctx.groups.values()].filter((other) => other !== group);
  const [test, ofMembers] = [new Set<IpAddress>(), new Set<IpAddress>()];
  for (const tracked of ctx.interfaces.values()) {
    for (const { address } of tracked.ill.testIpifs) {
      test.add(address);
      if (tracked.group === group) ofMembers.add(address);
    }
  }
  return (address) => {
    if (isOfOneLink(address)) return ofMembers.has(address);
    return test.has(address) || others.some(({ grp }) => grp.ipifs.has(address));
  };
}

function addAddress(ctx: IpmpContext, group: IpmpGroup, ipif: Ipif): void {
  const move = ctx.illGlobalLock.write(() => group.grp.addAddress(ipif));
  postAdded(ctx, group, ipif);
  announce(ctx, group, move);
  structureChanged(ctx);
}

function removeAddress(ctx: IpmpContext, group: IpmpGroup, ipif: Ipif): void {
  takeDown(ctx, group, ipif, () => postRemoved(ctx, group, ipif));
}

/** The host's kernel has given a duplicate up, so do we; answers which station has it, or 0. */
function giveUp(ctx: IpmpContext, group: IpmpGroup, ipif: Ipif): Mac {
  const { state: from, boundIll } = ipif;
  const holder = group.lan.holderOf(ipif);
  takeDown(ctx, group, ipif, () => {
    if (from === 'duplicate') return;
    const what = { group: group.name, ifname: boundIll?.name, detail: ipFormat(ipif.address) };
    post(ctx, 'address-state', 'address-conflict', { ...what, from, to: 'duplicate' });
  });
  return holder;
}

function takeDown(ctx: IpmpContext, group: IpmpGroup, ipif: Ipif, report: () => void): void {
  const level = ctx.illGlobalLock.write(() => group.grp.removeAddress(ipif));
  group.lan.addressRemoved(ipif);
  report();
  if (level !== undefined) announce(ctx, group, level);
  structureChanged(ctx);
}

/**
 * Another prefix length or other flags, the same address: peers must not notice, so it stays bound
 * and up.
 */
function changeAddress(ctx: IpmpContext, group: IpmpGroup, ipif: Ipif, host: HostAddress): void {
  const { prefixLength, flags = IFA_F_PERMANENT } = host;
  const isOther = ipif.prefixLength !== prefixLength;
  if (!isOther && ipif.hostFlags === flags) return;
  if (isOther) postRemoved(ctx, group, ipif);
  ctx.illGlobalLock.write(() => {
    ipif.prefixLength = prefixLength;
    ipif.hostFlags = flags;
  });
  if (isOther) postAdded(ctx, group, ipif);
}

function postAdded(ctx: IpmpContext, group: IpmpGroup, ipif: Ipif): void {
  const to = `${ipFormat(ipif.address)}/${ipif.prefixLength}`;
  post(ctx, 'address-added', 'address-added', { group: group.name, to });
}

function postRemoved(ctx: IpmpContext, group: IpmpGroup, ipif: Ipif): void {
  const from = `${ipFormat(ipif.address)}/${ipif.prefixLength}`;
  post(ctx, 'address-removed', 'address-removed', { group: group.name, from });
}

function reportUnserved(
  ctx: IpmpContext,
  group: IpmpGroup,
  before: readonly UnservedAddress[],
  givenUp: ReadonlySet<string>,
): void {
  const keyOf = (entry: UnservedAddress): string => `${entry.address}/${entry.prefixLength}`;
  const known = new Map(before.map((entry) => [keyOf(entry), entry.cause]));
  for (const entry of group.unserved) {
    const key = keyOf(entry);
    if (known.get(key) !== entry.cause && !givenUp.has(entry.address)) {
      post(ctx, 'address-added', entry.cause, { group: group.name, to: key });
    }
    known.delete(key);
  }
  for (const key of known.keys()) {
    post(ctx, 'address-removed', 'address-removed', { group: group.name, from: key });
  }
}
