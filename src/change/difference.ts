/**
 * What must be done to get from one configuration to another, as a list of changes in the order in
 * which they disturb least. Pure: what a change means for the running daemon is carried out in
 * applier.ts, what it means for a configuration is in changes.ts, and all changes of
 * `difference(from, to)` applied to `from` are `to` again (but for the order of lists).
 *
 * Order, and why: new members exist and join before others leave, so that a group whose members are
 * exchanged is never without. An object that needs what another gives up (a membership, an uplink)
 * comes after that. Devices of NICs are opened before those of groups: a NIC that is not silenced
 * yet answers for the addresses of a group's device, and detection would take that for a conflict.
 */

import type {
  Config,
  GroupConfig,
  InterfaceConfig,
  NeighborConfig,
  RouteConfig,
} from '../config/types.ts';
import {
  bareGroup,
  bareInterface,
  type Change,
  type GroupSettingsChange,
  isEqual,
  SETTINGS,
  textOf,
} from './changes.ts';

type Membership = { readonly group: string; readonly ifname: string };

/** All changes from one configuration to another, in order; none if they are the same. */
export function difference(from: Config, to: Config): Change[] {
  const nics = compareInterfaces(from, to);
  const [groupsBefore, groupsAfter] = [byName(from.groups), byName(to.groups)];
  const removedGroups = from.groups.filter(({ name }) => !groupsAfter.has(name));
  const addedGroups = to.groups.filter(({ name }) => !groupsBefore.has(name));
  // What one object gives up, another can take only afterwards: a name, an uplink.
  const givenUp = new Set([
    ...nics.ends.flatMap(({ name, uplink }) => [name, uplink ?? name]),
    ...removedGroups.flatMap(({ name, groupName }) => [name, groupName]),
  ]);
  const isLate = ({ name, uplink = null }: { name: string; uplink?: string | null }): boolean =>
    givenUp.has(name) || (uplink !== null && givenUp.has(uplink));
  const { joins, leaves } = compareMembers(from, to, nics);
  const taken = new Set(from.groups.flatMap(({ interfaces }) => interfaces));
  const late = new Set([...nics.begins, ...addedGroups].filter(isLate).map(({ name }) => name));
  const canJoinNow = ({ group, ifname }: Membership): boolean =>
    !taken.has(ifname) && !late.has(ifname) && !late.has(group);
  const begin = (wanted: boolean): Change[] => {
    const begins = nics.begins.filter((config) => isLate(config) === wanted);
    return [
      ...begins.map((config): Change => ({ kind: 'add-interface', config })),
      ...addedGroups
        .filter((config) => isLate(config) === wanted)
        .map((config): Change => ({ kind: 'add-group', config })),
      ...joins
        .filter((one) => canJoinNow(one) !== wanted)
        .map((one): Change => ({ kind: 'join', ...one })),
      ...begins.map(({ name }): Change => ({ kind: 'open-interface', name })),
    ];
  };
  return [
    ...topLevel(from, to),
    ...namesGivenUp(from, to),
    ...begin(false),
    ...leaves.map((one): Change => ({ kind: 'leave', ...one })),
    ...removedGroups.map(({ name }): Change => ({ kind: 'remove-group', name })),
    ...nics.ends.map(({ name }): Change => ({ kind: 'remove-interface', name })),
    ...begin(true),
    ...compareGroups(from, to, nics.settings),
  ];
}

interface InterfaceComparison {
  /** Those that go, also because they come back wired otherwise. */
  readonly ends: readonly InterfaceConfig[];
  readonly begins: readonly InterfaceConfig[];
  /** Those that are to have other settings than they live on or begin with. */
  readonly settings: readonly SettingsPair[];
}

/** Settings of one interface in two steps: another may be waiting for what it gives up. */
interface SettingsPair {
  readonly givesUp: InterfaceConfig | undefined;
  readonly takes: InterfaceConfig | undefined;
}

function compareInterfaces(from: Config, to: Config): InterfaceComparison {
  const [before, after] = [byName(from.interfaces), byName(to.interfaces)];
  const staysWired = (one: InterfaceConfig, others: typeof before): boolean => {
    const other = others.get(one.name);
    return other !== undefined && one.uplink === other.uplink && one.bridge === other.bridge;
  };
  return {
    ends: from.interfaces.filter((one) => !staysWired(one, after)),
    begins: to.interfaces.filter((one) => !staysWired(one, before)),
    settings: to.interfaces.flatMap((one) => {
      const known = before.get(one.name);
      const isThere = known !== undefined && staysWired(one, before);
      return interfaceSettings(isThere ? known : bareInterface(one), one);
    }),
  };
}

/** First the removal of test addresses, then all other settings. */
function interfaceSettings(before: InterfaceConfig, wanted: InterfaceConfig): SettingsPair[] {
  if (isEqual(before, wanted)) return [];
  const testAddresses = before.testAddresses.filter((one) => wanted.testAddresses.includes(one));
  const less = { ...before, testAddresses };
  const isLess = !isEqual(less, before);
  return [
    { givesUp: isLess ? less : undefined, takes: isEqual(less, wanted) ? undefined : wanted },
  ];
}

/** A group's own name goes back to that of its device before another group takes it. */
function namesGivenUp(from: Config, to: Config): Change[] {
  return from.groups.flatMap(({ name, groupName }): Change[] => {
    const wanted = to.groups.find((group) => group.name === name);
    const isKept = wanted === undefined || wanted.groupName === groupName || groupName === name;
    return isKept ? [] : [{ kind: 'rename-group', name, to: name }];
  });
}

function compareMembers(
  from: Config,
  to: Config,
  { ends, begins }: InterfaceComparison,
): { joins: Membership[]; leaves: Membership[] } {
  const [before, after] = [memberships(from), memberships(to)];
  const [wasIn, isIn] = [new Set(before.map(memberKey)), new Set(after.map(memberKey))];
  const [began, ended] = [byName(begins), byName(ends)];
  return {
    joins: after.filter((one) => began.has(one.ifname) || !wasIn.has(memberKey(one))),
    leaves: before.filter((one) => ended.has(one.ifname) || !isIn.has(memberKey(one))),
  };
}

/** What groups carry. What one gives up comes first: another may be waiting for it. */
function compareGroups(from: Config, to: Config, nics: readonly SettingsPair[]): Change[] {
  const renames: Change[] = [];
  const removals: Change[] = [];
  const settings: Change[] = [];
  const openings: Change[] = [];
  const additions: Change[] = [];
  for (const wanted of to.groups) {
    const { name, groupName, addresses, routes } = wanted;
    const known = from.groups.find((group) => group.name === name);
    // Most are the same: that needs one text of each, not one of each piece.
    if (known !== undefined && isEqual(known, wanted)) continue;
    if (known === undefined) openings.push({ kind: 'open-group', name, addresses, routes });
    const before = known ?? { ...bareGroup(wanted), addresses, routes };
    const isRenamed = before.groupName !== groupName && groupName !== name;
    if (isRenamed) renames.push({ kind: 'rename-group', name, to: groupName });
    removals.push(...contents(before, wanted, REMOVALS));
    const changed = settingsChange(before, wanted);
    if (changed !== undefined) settings.push({ kind: 'set-group', name, settings: changed });
    additions.push(...contents(wanted, before, ADDITIONS));
  }
  const given = nics.flatMap(({ givesUp }) => givesUp ?? []).map(setInterface);
  const taken = nics.flatMap(({ takes }) => takes ?? []).map(setInterface);
  return [...renames, ...removals, ...given, ...taken, ...settings, ...openings, ...additions];
}

function setInterface(config: InterfaceConfig): Change {
  return { kind: 'set-interface', config };
}

/** What of a group comes or goes piece by piece: made from the group's name and the piece. */
interface Pieces {
  readonly neighbor: (group: string, neighbor: NeighborConfig) => Change;
  readonly multicast: (group: string, address: string) => Change;
  readonly route: (group: string, route: RouteConfig) => Change;
  readonly address: (group: string, address: string) => Change;
  /** Routes need the addresses: they come after them and go before them. */
  readonly isAddressFirst: boolean;
}

const REMOVALS: Pieces = {
  neighbor: (group, { dst }) => ({ kind: 'remove-neighbor', group, dst }),
  multicast: (group, address) => ({ kind: 'leave-multicast', group, address }),
  route: (group, route) => ({ kind: 'remove-route', group, route }),
  address: (group, address) => ({ kind: 'remove-address', group, address }),
  isAddressFirst: false,
};

const ADDITIONS: Pieces = {
  neighbor: (group, neighbor) => ({ kind: 'add-neighbor', group, neighbor }),
  multicast: (group, address) => ({ kind: 'join-multicast', group, address }),
  route: (group, route) => ({ kind: 'add-route', group, route }),
  address: (group, address) => ({ kind: 'add-address', group, address }),
  isAddressFirst: true,
};

/** The pieces of `one` that `other` does not have. */
function contents(one: GroupConfig, other: GroupConfig, pieces: Pieces): Change[] {
  const { name } = one;
  const of = <T>(mine: readonly T[], theirs: readonly T[], make: (g: string, p: T) => Change) => {
    const known = new Set(theirs.map(textOf));
    return mine.filter((piece) => !known.has(textOf(piece))).map((piece) => make(name, piece));
  };
  const addresses = of(one.addresses, other.addresses, pieces.address);
  const routes = of(one.routes, other.routes, pieces.route);
  return [
    ...(pieces.isAddressFirst ? [...addresses, ...routes] : [...routes, ...addresses]),
    ...of(one.staticNeighbors, other.staticNeighbors, pieces.neighbor),
    ...of(one.multicast, other.multicast, pieces.multicast),
  ];
}

function settingsChange(from: GroupConfig, to: GroupConfig): GroupSettingsChange | undefined {
  const changed = SETTINGS.filter((key) => !isEqual(from[key], to[key]));
  if (changed.length === 0) return undefined;
  return Object.fromEntries(changed.map((key) => [key, to[key]])) as GroupSettingsChange;
}

function topLevel(from: Config, to: Config): Change[] {
  const changes: Change[] = [];
  if (!isEqual(from.log, to.log)) changes.push({ kind: 'set-log-level', log: to.log });
  if (!isEqual(from.metrics, to.metrics)) {
    changes.push({ kind: 'set-metrics', metrics: to.metrics });
  }
  if (from.control.group !== to.control.group) {
    changes.push({ kind: 'set-operators', group: to.control.group });
  }
  if (from.control.socket !== to.control.socket) {
    changes.push({ kind: 'restart', key: 'control.socket' });
  }
  if (!isEqual(from.datapath, to.datapath)) {
    changes.push({ kind: 'restart', key: 'datapath.workers' });
  }
  if (from.tracking !== to.tracking) changes.push({ kind: 'restart', key: 'tracking' });
  return changes;
}

function memberships({ groups }: Config): Membership[] {
  return groups.flatMap(({ name, interfaces }) =>
    interfaces.map((ifname) => ({ group: name, ifname })),
  );
}

function memberKey({ group, ifname }: Membership): string {
  return `${group} ${ifname}`;
}

function byName<T extends { readonly name: string }>(list: readonly T[]): ReadonlyMap<string, T> {
  return new Map(list.map((one) => [one.name, one]));
}
