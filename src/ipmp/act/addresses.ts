/**
 * The addresses on a group's device and the data addresses of the group are the same set: the
 * host reports its list, and the difference is applied here (docs/law.md row 35). IPv6
 * addresses are kept and shown, but not served yet.
 */

import { Ipif } from '../../ip/object/ipif.ts';
import type { Cause } from '../../model/causes.ts';
import { MAX_ADDRESSES } from '../../model/limits.ts';
import { type IpAddress, ipFormat, ipv4Parse } from '../../wire/addr.ts';
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
    const waits = group.unserved.some(({ cause }) => cause !== 'not-served');
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
  ctx.incompleteGroups.delete(group);
  let isRemoved = false;
  for (const ipif of [...ipifs.values()]) {
    const prefixLength = wanted.get(ipif.address);
    if (prefixLength === ipif.prefixLength) continue;
    if (prefixLength !== undefined) {
      changePrefixLength(ctx, group, ipif, prefixLength);
      continue;
    }
    removeAddress(ctx, group, ipif);
    isRemoved = true;
  }
  let added = 0;
  for (const [address, prefixLength] of wanted) {
    if (ipifs.has(address)) continue;
    if (++added > ADDED_A_TURN) {
      ctx.incompleteGroups.add(group);
      break;
    }
    addAddress(ctx, group, Ipif.data(address, prefixLength));
  }
  reportUnserved(ctx, group, group.unserved, unserved);
  group.unserved = unserved;
  return isRemoved;
}

/** Which of the host's addresses can be served, and why the others cannot. */
function sortAddresses(
  ctx: IpmpContext,
  group: IpmpGroup,
): { wanted: Map<IpAddress, number>; unserved: UnservedAddress[] } {
  const wanted = new Map<IpAddress, number>();
  const unserved: UnservedAddress[] = [];
  const room = MAX_ADDRESSES - addressCount(ctx, group);
  const isUsedElsewhere = usersElsewhere(ctx, group);
  for (const { address, prefixLength, family } of group.hostAddresses) {
    const refuse = (cause: Cause): number => unserved.push({ address, prefixLength, cause });
    const ipv4 = family === 4 ? ipv4Parse(address) : undefined;
    if (ipv4 === undefined) refuse('not-served');
    else if (ipv4 === 0 || wanted.has(ipv4)) continue;
    else if (isUsedElsewhere(ipv4)) refuse('used-elsewhere');
    else if (wanted.size >= room) refuse('too-many');
    else wanted.set(ipv4, prefixLength);
  }
  return { wanted, unserved };
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
  const test = new Set<IpAddress>();
  for (const { ill } of ctx.interfaces.values()) {
    for (const { address } of ill.testIpifs) test.add(address);
  }
  return (address) => test.has(address) || others.some(({ grp }) => grp.ipifs.has(address));
}

function addAddress(ctx: IpmpContext, group: IpmpGroup, ipif: Ipif): void {
  const move = ctx.illGlobalLock.write(() => group.grp.addAddress(ipif));
  postAdded(ctx, group, ipif);
  announce(ctx, group, move);
  structureChanged(ctx);
}

function removeAddress(ctx: IpmpContext, group: IpmpGroup, ipif: Ipif): void {
  const level = ctx.illGlobalLock.write(() => group.grp.removeAddress(ipif));
  group.lan.addressRemoved(ipif);
  postRemoved(ctx, group, ipif);
  if (level !== undefined) announce(ctx, group, level);
  structureChanged(ctx);
}

/** Another prefix length, the same address: peers must not notice, so it stays bound and up. */
function changePrefixLength(
  ctx: IpmpContext,
  group: IpmpGroup,
  ipif: Ipif,
  prefixLength: number,
): void {
  postRemoved(ctx, group, ipif);
  ctx.illGlobalLock.write(() => {
    ipif.prefixLength = prefixLength;
  });
  postAdded(ctx, group, ipif);
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
  after: readonly UnservedAddress[],
): void {
  const keyOf = (entry: UnservedAddress): string => `${entry.address}/${entry.prefixLength}`;
  const known = new Map(before.map((entry) => [keyOf(entry), entry.cause]));
  for (const entry of after) {
    const key = keyOf(entry);
    if (known.get(key) !== entry.cause) {
      post(ctx, 'address-added', entry.cause, { group: group.name, to: key });
    }
    known.delete(key);
  }
  for (const key of known.keys()) {
    post(ctx, 'address-removed', 'address-removed', { group: group.name, from: key });
  }
}
