/** Makes the flat rows of `show` out of the live objects. Called in one turn; nothing is kept. */

import { phyintFlagNames } from '../ip/phyint.ts';
import { ipv4Format, type Mac, macFormat } from '../wire/addr.ts';
import { causeSentence } from './cause.ts';
import type { IpmpContext } from './context.ts';
import type { IpmpGroup } from './group.ts';
import { groupMtu } from './mtu.ts';
import type {
  AddressRow,
  FailoverRow,
  GroupRow,
  InterfaceRow,
  NeighborRow,
  SystemStatus,
} from './rows.ts';
import { isServing } from './test-addresses.ts';
import type { TrackedPhyint } from './tracked.ts';

/** One row per group, in order of creation. */
export function describeGroups(ctx: IpmpContext): GroupRow[] {
  return [...ctx.groups.values()].map(describeGroup);
}

/** The worst state of any group, `ok` without groups, and all of them. */
export function describeStatus(ctx: IpmpContext): SystemStatus {
  const groups = describeGroups(ctx);
  const worst = (['failed', 'degraded'] as const).find((state) =>
    groups.some((group) => group.state === state),
  );
  return { state: worst ?? 'ok', groups };
}

function describeGroup(group: IpmpGroup): GroupRow {
  const names = (wanted: (member: TrackedPhyint) => boolean): string[] =>
    group.members.filter(wanted).map((member) => member.name);
  return {
    group: group.name,
    ifname: group.ifname,
    state: group.state,
    cause: causeSentence(group.stateCause),
    fdt_ms: group.settings.failureDetectionTimeMs,
    interfaces: names(() => true),
    active: names((member) => group.grp.active.includes(member)),
    inactive: names((member) => member.functioning && member.inactive),
    failed: names((member) => member.state === 'failed'),
    offline: names((member) => member.shownState === 'offline'),
    absent: names((member) => member.shownState === 'absent'),
    nominated: group.grp.cast?.name ?? null,
    mtu: group.device.present ? group.device.mtu : groupMtu(group),
    lladdr: macText(group.device.mac),
    spreading: group.settings.spreading,
    forwarding: group.settings.forwarding,
    failback: group.settings.failback,
  };
}

/** One row per interface, in order of creation. */
export function describeInterfaces(ctx: IpmpContext): InterfaceRow[] {
  return [...ctx.interfaces.values()].map((tracked) => {
    const { phyint, group } = tracked;
    const isWaiting = tracked.functioning && tracked.inactive;
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
      cause: causeSentence(isWaiting ? tracked.activeCause : tracked.cause),
    };
  });
}

/** One row per address: data addresses by group, then test addresses by interface. */
export function describeAddresses(ctx: IpmpContext): AddressRow[] {
  const rows: AddressRow[] = [];
  for (const group of ctx.groups.values()) rows.push(...describeDataAddresses(group));
  for (const tracked of ctx.interfaces.values()) rows.push(...describeTestAddresses(tracked));
  return rows;
}

function describeDataAddresses(group: IpmpGroup): AddressRow[] {
  const { active } = group.grp;
  const senders = group.members.filter((one) => active.includes(one)).map((one) => one.name);
  const common = { ifname: group.ifname, group: group.name, type: 'data' as const };
  const served = [...group.grp.ipifs.values()].map((ipif): AddressRow => {
    const inbound = ipif.boundIll?.name ?? null;
    return {
      ...common,
      address: `${ipv4Format(ipif.address)}/${ipif.prefixLength}`,
      state: ipif.state,
      inbound,
      outbound: inbound === null ? [] : senders,
      note: inbound === null ? causeSentence('no-interface') : null,
    };
  });
  const unserved = group.unserved.map(
    ({ address, prefixLength, cause }): AddressRow => ({
      ...common,
      address: `${address}/${prefixLength}`,
      state: cause === 'not-served' ? 'up' : 'down',
      inbound: null,
      outbound: [],
      note: causeSentence(cause),
    }),
  );
  return [...served, ...unserved];
}

function describeTestAddresses(tracked: TrackedPhyint): AddressRow[] {
  const common = {
    ifname: tracked.name,
    group: tracked.group?.name ?? null,
    type: 'test' as const,
  };
  const served = tracked.ill.testIpifs.map((ipif): AddressRow => {
    const isServed = isServing(tracked);
    return {
      ...common,
      address: `${ipv4Format(ipif.address)}/${ipif.prefixLength}`,
      state: isServed ? ipif.state : 'down',
      inbound: isServed ? tracked.name : null,
      outbound: isServed ? [tracked.name] : [],
      note: null,
    };
  });
  const unserved = tracked.spec.testAddresses
    .filter((address) => address.includes(':'))
    .map(
      (address): AddressRow => ({
        ...common,
        address,
        state: 'down',
        inbound: null,
        outbound: [],
        note: causeSentence('not-served'),
      }),
    );
  return [...served, ...unserved];
}

/** The neighbours of all groups. */
export function describeNeighbors(ctx: IpmpContext): NeighborRow[] {
  return [...ctx.groups.values()].flatMap((group) =>
    group.lan.neighbors().map((row) => ({
      dst: ipv4Format(row.address),
      lladdr: macText(row.mac),
      state: row.state,
      group: group.name,
      proxy: row.isProxy,
      cause: row.why,
    })),
  );
}

/** How often members were taken out of use, for metrics. */
export function describeFailovers(ctx: IpmpContext): FailoverRow[] {
  return Array.from(ctx.failovers.values(), ({ device: _, ...row }) => row);
}

function macText(mac: Mac): string | null {
  return mac === 0 ? null : macFormat(mac);
}
