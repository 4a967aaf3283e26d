/** Makes the flat rows of `show` of the live objects; those of long lists, of copies. */

import type { NeighborView } from '../../ip/lan.ts';
import type { Ipif } from '../../ip/object/ipif.ts';
import { phyintFlagNames } from '../../ip/object/phyint.ts';
import { addressFlagNames, IFA_F_PERMANENT } from '../../model/address-flags.ts';
import { type Cause, causeSentence } from '../../model/causes.ts';
import type { AddressRow, GroupRow, InterfaceView, NeighborRow } from '../../model/rows.ts';
import type { GroupState } from '../../model/states.ts';
import { type IpAddress, ipFamily, ipFormat, type Mac, macFormat } from '../../wire/addr.ts';
import { isServing } from '../act/test-addresses.ts';
import { decideMtu } from '../decide/mtu.ts';
import { type IpmpContext, joinersOf, signatureOf } from '../object/context.ts';
import type { IpmpGroup, UnservedAddress } from '../object/group.ts';
import type { TrackedPhyint } from '../object/tracked.ts';

/** `status`: the worst state of any group, and all of them. */
export interface SystemStatus {
  readonly state: GroupState;
  readonly groups: readonly GroupRow[];
  /** Of the last change of any group or interface. */
  readonly signature: string;
  /** Devices of groups that are set down. */
  readonly down: readonly string[];
}

/** How often a member was taken out of use, by cause. */
export interface FailoverRow {
  readonly group: string;
  readonly ifname: string;
  readonly cause: Cause;
  readonly count: number;
}

/** One row per group, in order of creation. */
export function describeGroups(ctx: IpmpContext): GroupRow[] {
  return Array.from(ctx.groups.values(), (group) => describeGroup(ctx, group));
}

/** The worst state of any group, `ok` without groups, and all of them. */
export function describeStatus(ctx: IpmpContext): SystemStatus {
  const groups = describeGroups(ctx);
  const worst = (['failed', 'degraded'] as const).find((state) =>
    groups.some((group) => group.state === state),
  );
  const down = [...ctx.groups.values()].filter(({ device }) => device.present && !device.up);
  const signature = signatureOf(ctx, ctx.changeCount);
  return { state: worst ?? 'ok', groups, signature, down: down.map(({ ifname }) => ifname) };
}

function describeGroup(ctx: IpmpContext, group: IpmpGroup): GroupRow {
  const names = (wanted: (member: TrackedPhyint) => boolean): string[] =>
    group.members.filter(wanted).map((member) => member.name);
  const active = new Set(group.grp.active);
  return {
    group: group.name,
    ifname: group.ifname,
    state: group.state,
    cause: group.stateCause,
    cause_text: causeSentence(group.stateCause),
    fdt_ms: group.settings.failureDetectionTimeMs,
    interfaces: names(() => true),
    joining: joinersOf(ctx, group),
    active: names((member) => active.has(member)),
    inactive: names((member) => member.functioning && member.inactive),
    failed: names((member) => member.state === 'failed'),
    offline: names((member) => member.shownState === 'offline'),
    absent: names((member) => member.shownState === 'absent'),
    nominated: group.grp.cast?.name ?? null,
    flags: phyintFlagNames(group.flags),
    mtu: group.device.present ? group.device.mtu : decideMtu(group).mtu,
    lladdr: macText(group.device.mac),
    spreading: group.settings.spreading,
    forwarding: group.settings.forwarding,
    failback: group.settings.failback,
    signature: signatureOf(ctx, group.changedAt),
  };
}

/** One row per interface, in order of creation. */
export function describeInterfaces(ctx: IpmpContext): InterfaceView[] {
  return [...ctx.interfaces.values()].map((tracked) => {
    const { phyint, group } = tracked;
    const isWaiting = tracked.functioning && tracked.inactive;
    const cause = isWaiting ? tracked.activeCause : tracked.cause;
    return {
      ifname: tracked.name,
      group: group?.name ?? null,
      state: tracked.shownState,
      active: group?.grp.active.includes(tracked) === true,
      standby: tracked.standby,
      link: phyint.link,
      probe: 'disabled',
      lladdr: macText(phyint.physAddr),
      mtu: phyint.mtu,
      uplink: phyint.uplink,
      bridge: tracked.spec.bridge,
      flags: phyintFlagNames(phyint.flags),
      nominated: group?.grp.cast === tracked,
      cause,
      cause_text: causeSentence(cause),
    };
  });
}

/**
 * One row per address: data addresses by group, then test addresses by interface. There may be
 * thousands: they are copied now and made into rows as they are taken.
 */
export function takeAddresses(ctx: IpmpContext): Iterable<AddressRow> {
  const data = [...ctx.groups.values()].map(copyDataAddresses);
  const test = [...ctx.interfaces.values()].flatMap(describeTestAddresses);
  return (function* () {
    for (const copy of data) yield* dataAddressRows(copy);
    yield* test;
  })();
}

/** What a row shows of one data address, as it was when it was copied. */
type DataAddressCopy = Pick<Ipif, 'address' | 'prefixLength' | 'hostFlags' | 'state'> &
  Pick<AddressRow, 'inbound' | 'cause' | 'cause_text'>;

interface DataAddressesCopy {
  readonly common: Pick<AddressRow, 'ifname' | 'group' | 'type'>;
  readonly senders: string[];
  readonly served: readonly DataAddressCopy[];
  readonly unserved: readonly UnservedAddress[];
}

function copyDataAddresses(group: IpmpGroup): DataAddressesCopy {
  const active = new Set(group.grp.active);
  let owners: ReadonlyMap<Mac, IpAddress> | undefined;
  const ownerOf = (mac: Mac): IpAddress | undefined => {
    owners ??= new Map(group.lan.neighbors().map((row) => [row.mac, row.address]));
    return owners.get(mac);
  };
  return {
    common: { ifname: group.ifname, group: group.name, type: 'data' },
    senders: group.members.filter((one) => active.has(one)).map((one) => one.name),
    served: Array.from(group.grp.ipifs.values(), (ipif) => ({
      address: ipif.address,
      prefixLength: ipif.prefixLength,
      hostFlags: ipif.hostFlags,
      state: ipif.state,
      ...whereaboutsOf(group, ipif, ownerOf),
    })),
    unserved: group.unserved,
  };
}

/** Which NIC receives for an address; why none does. `ownerOf` finds neighbours by MAC. */
function whereaboutsOf(
  { lan }: IpmpGroup,
  ipif: Ipif,
  ownerOf: (mac: Mac) => IpAddress | undefined,
): Pick<AddressRow, 'inbound' | 'cause' | 'cause_text'> {
  if (ipif.state === 'duplicate') {
    const holder = lan.holderOf(ipif);
    return {
      inbound: null,
      cause: 'address-conflict',
      cause_text: holderText(holder, ownerOf(holder)),
    };
  }
  const inbound = ipif.boundIll?.name ?? null;
  return inbound === null ? { inbound, ...because('no-interface') } : { inbound, ...UNEXPLAINED };
}

/** The holder of a duplicate. A router that answers for others (proxy ARP) has its own address. */
function holderText(mac: Mac, address: IpAddress | undefined): string {
  const own = address === undefined ? '' : `, which is ${ipFormat(address)},`;
  return `${macFormat(mac)}${own} has it; tried again as soon as that no longer answers`;
}

/** Why one is not served, in words: of a duplicate, what to do about it. */
function unservedText({ cause, holder }: UnservedAddress): string {
  if (cause !== 'address-conflict') return causeSentence(cause);
  const what = holder === 0 ? causeSentence(cause) : `${macFormat(holder)} has it`;
  return `${what}; the host does not use it before it is added anew`;
}

const UNEXPLAINED = { cause: null, cause_text: null };

function because(cause: Cause): Pick<AddressRow, 'cause' | 'cause_text'> {
  return { cause, cause_text: causeSentence(cause) };
}

function* dataAddressRows(copy: DataAddressesCopy): Iterable<AddressRow> {
  const { common, senders, served, unserved } = copy;
  for (const row of served) {
    const { address, prefixLength, hostFlags, state, inbound, cause, cause_text } = row;
    yield {
      ...common,
      address: `${ipFormat(address)}/${prefixLength}`,
      flags: addressFlagNames(ipFamily(address), hostFlags),
      state,
      inbound,
      outbound: inbound === null ? [] : senders,
      cause,
      cause_text,
    };
  }
  for (const row of unserved) {
    const { address, prefixLength, family, flags = IFA_F_PERMANENT, cause } = row;
    yield {
      ...common,
      address: `${address}/${prefixLength}`,
      flags: addressFlagNames(family, flags),
      state: cause === 'address-conflict' ? 'duplicate' : 'down',
      inbound: null,
      outbound: [],
      cause,
      cause_text: unservedText(row),
    };
  }
}

function describeTestAddresses(tracked: TrackedPhyint): AddressRow[] {
  const common = {
    ifname: tracked.name,
    group: tracked.group?.name ?? null,
    type: 'test' as const,
  };
  return tracked.ill.testIpifs.map((ipif): AddressRow => {
    const isServed = isServing(tracked);
    return {
      ...common,
      address: `${ipFormat(ipif.address)}/${ipif.prefixLength}`,
      flags: [],
      state: isServed ? ipif.state : 'down',
      inbound: isServed ? tracked.name : null,
      outbound: isServed ? [tracked.name] : [],
      ...UNEXPLAINED,
    };
  });
}

/** The neighbours of all groups, copied in the same way: there may be tens of thousands. */
export function takeNeighbors(ctx: IpmpContext): Iterable<NeighborRow> {
  const copies = Array.from(ctx.groups.values(), ({ name, lan }) => ({
    name,
    neighbors: lan.neighbors(),
  }));
  return (function* () {
    for (const { name, neighbors } of copies) {
      for (const row of neighbors) yield neighborRow(name, row);
    }
  })();
}

function neighborRow(group: string, row: NeighborView): NeighborRow {
  return {
    dst: ipFormat(row.address),
    lladdr: macText(row.mac),
    state: row.state,
    group,
    proxy: row.isProxy,
    cause_text: row.why,
  };
}

/** How often members were taken out of use, for metrics. */
export function describeFailovers(ctx: IpmpContext): FailoverRow[] {
  return Array.from(ctx.failovers.values(), ({ device: _, ...row }) => row);
}

function macText(mac: Mac): string | null {
  return mac === 0 ? null : macFormat(mac);
}
