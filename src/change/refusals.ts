/** What a command is refused for before anything is tried, with the errnos of IPMP semantics 2. */

import { OperatorError } from '../base/errors.ts';
import type { Config, GroupConfig, InterfaceConfig } from '../config/types.ts';
import { DEVICE_NAME_LENGTH_MAX } from '../model/limits.ts';
import { addressParse } from '../model/prefix.ts';

/** The group of that name, or whose device has that name; ENOENT. */
export function findGroup({ groups }: Config, name: string): GroupConfig {
  const found =
    groups.find((group) => group.groupName === name) ?? groups.find((group) => group.name === name);
  if (found === undefined) throw new OperatorError('ENOENT', `there is no group ${name}`);
  return found;
}

/** Whether a group, or its device, has that name. */
export function isCalled(group: GroupConfig, name: string): boolean {
  return group.groupName === name || group.name === name;
}

/** The interface of that name; ENXIO. */
export function findInterface({ interfaces }: Config, name: string): InterfaceConfig {
  const found = interfaces.find((nic) => nic.name === name);
  if (found === undefined) throw new OperatorError('ENXIO', `there is no interface ${name}`);
  return found;
}

/** The group that an interface is in. */
export function ownerOf({ groups }: Config, ifname: string): GroupConfig | undefined {
  return groups.find(({ interfaces }) => interfaces.includes(ifname));
}

/** A NIC is in one group at a time: EALREADY. */
export function alreadyMember(ifname: string, { groupName }: GroupConfig): OperatorError {
  return new OperatorError(
    'EALREADY',
    `interface ${ifname} is already in group ${groupName}`,
    `remove it there first: ipmpadm group remove ${groupName} ${ifname}`,
  );
}

/** Refuses a new name that is too long or taken: ENAMETOOLONG, EEXIST. */
export function refuseName(config: Config, what: 'group' | 'interface', name: string): void {
  if (name.length > DEVICE_NAME_LENGTH_MAX) {
    const given = `${what} name ${name.slice(0, 64)} has ${name.length} characters`;
    throw new OperatorError('ENAMETOOLONG', `${given} (at most ${DEVICE_NAME_LENGTH_MAX})`);
  }
  if (config.interfaces.some((nic) => nic.name === name)) {
    throw new OperatorError('EEXIST', `there is an interface ${name} already`);
  }
  const group = config.groups.find((one) => one.name === name || one.groupName === name);
  if (group === undefined) return;
  const isDevice = group.groupName !== name;
  throw new OperatorError(
    'EEXIST',
    isDevice
      ? `${name} is the device of group ${group.groupName}`
      : `there is a group ${name} already`,
  );
}

/** True for an address that is IPv6, not for one that is wrong. */
export function isIpv6(text: string): boolean {
  return addressParse(text)?.family === 6;
}
