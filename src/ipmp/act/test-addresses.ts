/**
 * The test addresses of an interface (docs/law.md row 37): they live on their NIC and never move.
 * They are served by the LAN of its group while the NIC is there and not offline.
 */

import { OperatorError } from '../../base/errors.ts';
import { Ipif } from '../../ip/object/ipif.ts';
import type { Cause } from '../../model/causes.ts';
import { MAX_ADDRESSES } from '../../model/limits.ts';
import { isOfOneLink } from '../../model/prefix.ts';
import { ipFormat, ipParse, type Prefix, prefixParse } from '../../wire/addr.ts';
import { type IpmpContext, post, structureChanged } from '../object/context.ts';
import type { IpmpGroup } from '../object/group.ts';
import { testPrefixes } from '../object/spec.ts';
import type { TrackedPhyint } from '../object/tracked.ts';
import { addressCount, retryUnserved } from './addresses.ts';

/** Whether the addresses of this NIC can be served now. */
export function isServing(tracked: TrackedPhyint): boolean {
  return tracked.group !== undefined && tracked.phyint.present && !tracked.isOffline;
}

/** Begins to serve all of them anew, if they can be. */
export function bindTestAddresses(ctx: IpmpContext, tracked: TrackedPhyint): void {
  if (!isServing(tracked)) return;
  for (const ipif of tracked.ill.testIpifs) {
    tracked.group?.lan.addressBound(ipif, 'initial', ctx.nowMs);
  }
}

/** Ceases to serve them; they stay with their NIC. */
export function dropTestAddresses(ctx: IpmpContext, tracked: TrackedPhyint, why: Cause): void {
  const { group, name: ifname } = tracked;
  for (const ipif of tracked.ill.testIpifs) {
    group?.lan.addressRemoved(ipif);
    const { state: from } = ipif;
    if (from === 'down') continue;
    ipif.state = 'down';
    const detail = ipFormat(ipif.address);
    post(ctx, 'address-state', why, { group: group?.name, ifname, from, to: 'down', detail });
  }
}

/**
 * The prefixes of a list in text; EINVAL for what is none or is given twice, EADDRINUSE for a
 * data address of a group or a test address of another interface, ENOSPC beyond MAX_ADDRESSES.
 */
export function checkTestAddresses(
  ctx: IpmpContext,
  ifname: string,
  testAddresses: readonly string[],
): Prefix[] {
  const prefixes = testPrefixes(ifname, testAddresses);
  const group = ctx.interfaces.get(ifname)?.group;
  for (const { address } of prefixes) {
    const user = userOf(ctx, ifname, address, group);
    if (user === undefined) continue;
    const message = `interface ${ifname} cannot have test address ${address}: ${user}`;
    throw new OperatorError('EADDRINUSE', message);
  }
  const before = ctx.interfaces.get(ifname)?.ill.testIpifs.length ?? 0;
  const after = prefixes.length;
  if (after > before && addressCount(ctx) - before + after > MAX_ADDRESSES) {
    throw new OperatorError('ENOSPC', `there are ${MAX_ADDRESSES} addresses already`);
  }
  return prefixes;
}

/** EADDRINUSE if a link-local test address of the interface is used in the group already. */
export function refuseTakenLinkLocal(
  ctx: IpmpContext,
  { name, ill }: TrackedPhyint,
  group: IpmpGroup,
): void {
  for (const { address } of ill.testIpifs) {
    const text = ipFormat(address);
    const user = isOfOneLink(address) ? userOf(ctx, name, text, group) : undefined;
    if (user === undefined) continue;
    const message = `interface ${name} has test address ${text}, and ${user}`;
    throw new OperatorError('EADDRINUSE', message);
  }
}

/** Gives a new interface its test addresses; they are not served before it joins a group. */
export function addTestAddresses(tracked: TrackedPhyint, prefixes: readonly Prefix[]): void {
  for (const { address, prefixLength } of prefixes) {
    const value = ipParse(address);
    if (value !== undefined) Ipif.test(value, prefixLength, tracked.ill).state = 'down';
  }
}

/** Replaces them by a list that was checked; an address in both lists is not touched. */
export function replaceTestAddresses(
  ctx: IpmpContext,
  tracked: TrackedPhyint,
  prefixes: readonly Prefix[],
): void {
  const before = tracked.spec.testAddresses.flatMap((text) => prefixParse(text) ?? []);
  const testAddresses = prefixes.map(textOf);
  const [known, kept] = [new Set(before.map(textOf)), new Set(testAddresses)];
  const gone = before.filter((one) => !kept.has(textOf(one)));
  const added = prefixes.filter((one) => !known.has(textOf(one)));
  if (gone.length === 0 && added.length === 0) return;
  ctx.illGlobalLock.write(() => {
    tracked.spec = { ...tracked.spec, testAddresses };
  });
  for (const prefix of gone) removeAddress(ctx, tracked, prefix, prefixes);
  for (const prefix of added) addAddress(ctx, tracked, prefix);
  structureChanged(ctx);
  if (gone.length > 0) retryUnserved(ctx);
}

/** Takes one away, unless only its prefix length becomes another: peers must not notice that. */
function removeAddress(
  ctx: IpmpContext,
  tracked: TrackedPhyint,
  prefix: Prefix,
  present: readonly Prefix[],
): void {
  const { group, name: ifname } = tracked;
  const value = ipParse(prefix.address);
  const ipif = tracked.ill.testIpifs.find(({ address }) => address === value);
  const isKept = present.some(({ address }) => address === prefix.address);
  if (ipif !== undefined && !isKept) {
    group?.lan.addressRemoved(ipif);
    ctx.illGlobalLock.write(() => ipif.removeTest());
  }
  const from = textOf(prefix);
  post(ctx, 'address-removed', 'configured', { group: group?.name, ifname, from });
}

function addAddress(ctx: IpmpContext, tracked: TrackedPhyint, prefix: Prefix): void {
  const { group, ill, name: ifname } = tracked;
  const value = ipParse(prefix.address);
  post(ctx, 'address-added', 'configured', { group: group?.name, ifname, to: textOf(prefix) });
  if (value === undefined) return;
  const known = ill.testIpifs.find(({ address }) => address === value);
  const ipif = ctx.illGlobalLock.write(() => {
    if (known === undefined) return Ipif.test(value, prefix.prefixLength, ill);
    known.prefixLength = prefix.prefixLength;
    return known;
  });
  if (known !== undefined) return;
  ipif.state = 'down';
  if (isServing(tracked)) group?.lan.addressBound(ipif, 'initial', ctx.nowMs);
}

/**
 * The other user of an address, in words; undefined if there is none. A link-local address of IPv6
 * has other users only in the group of the interface, `own`.
 */
function userOf(
  ctx: IpmpContext,
  ifname: string,
  address: string,
  own: IpmpGroup | undefined,
): string | undefined {
  const isLocal = isOfOneLink(ipParse(address));
  for (const group of ctx.groups.values()) {
    if (isLocal && group !== own) continue;
    const isData = group.hostAddresses.some((one) => one.address === address);
    if (isData) return `it is a data address of group ${group.name}`;
  }
  for (const { name, spec, group } of ctx.interfaces.values()) {
    if (name === ifname || (isLocal && (group === undefined || group !== own))) continue;
    const isTest = spec.testAddresses.some((text) => prefixParse(text)?.address === address);
    if (isTest) return `it is a test address of interface ${name}`;
  }
  return undefined;
}

function textOf({ address, prefixLength }: Prefix): string {
  return `${address}/${prefixLength}`;
}
