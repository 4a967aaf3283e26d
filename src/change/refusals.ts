/** What a command is refused for before anything is tried, with the errnos of docs/law.md. */

import type { Config, GroupConfig, InterfaceConfig } from '../config/types.ts';
import { checkName } from '../model/names.ts';
import {
  groupExists,
  groupIsNoInterface,
  interfaceExists,
  multicastIsOfGroups,
  noGroup,
  noInterface,
} from '../model/refusals.ts';

/** The group of that name, or whose device has that name; ENOENT. */
export function findGroup({ groups }: Config, name: string): GroupConfig {
  const found =
    groups.find((group) => group.groupName === name) ?? groups.find((group) => group.name === name);
  if (found === undefined) throw noGroup(name);
  return found;
}

/** As `findGroup`, for multicast; EINVAL for an interface (docs/law.md row 63). */
export function findMulticastGroup(config: Config, name: string): GroupConfig {
  const isInterface = config.interfaces.some((nic) => nic.name === name);
  if (isInterface) throw multicastIsOfGroups(name, ownerOf(config, name)?.groupName);
  return findGroup(config, name);
}

/** Whether a group, or its device, has that name. */
export function isCalled(group: GroupConfig, name: string): boolean {
  return group.groupName === name || group.name === name;
}

/** The interface of that name; ENXIO; EINVAL if it is a group. */
export function findInterface({ interfaces, groups }: Config, name: string): InterfaceConfig {
  const found = interfaces.find((nic) => nic.name === name);
  if (found !== undefined) return found;
  const isGroup = groups.some((group) => isCalled(group, name));
  throw isGroup ? groupIsNoInterface(name) : noInterface(name);
}

/** The group that an interface is in. */
export function ownerOf({ groups }: Config, ifname: string): GroupConfig | undefined {
  return groups.find(({ interfaces }) => interfaces.includes(ifname));
}

/** What is on the link of a group or an interface: the interface alone if it is in no group. */
export function linkOf(
  config: Config,
  object: GroupConfig | InterfaceConfig,
): Pick<Config, 'groups' | 'interfaces'> {
  const group = 'groupName' in object ? object : ownerOf(config, object.name);
  const names = group?.interfaces ?? [object.name];
  return {
    groups: group === undefined ? [] : [group],
    interfaces: config.interfaces.filter(({ name }) => names.includes(name)),
  };
}

/** Refuses a new name that is none or is taken: ENAMETOOLONG, EINVAL, EEXIST. */
export function refuseName(config: Config, what: 'group' | 'interface', name: string): void {
  checkName(what, name);
  if (config.interfaces.some((nic) => nic.name === name)) throw interfaceExists(name);
  const group = config.groups.find((one) => isCalled(one, name));
  if (group !== undefined) throw groupExists(name, group.groupName);
}
