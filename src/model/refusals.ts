/**
 * Refusals that both the configuration and the living objects answer, each sentence once: a command
 * is refused by the first before anything is tried, and by the second when things have changed.
 */

import { OperatorError } from '../base/errors.ts';

export function noGroup(name: string): OperatorError {
  return new OperatorError('ENOENT', `there is no group ${name}`);
}

export function noInterface(name: string): OperatorError {
  return new OperatorError('ENXIO', `there is no interface ${name}`);
}

/** The flags of a group follow its members: nothing that is done with an interface is for it. */
export function groupIsNoInterface(name: string): OperatorError {
  return new OperatorError('EINVAL', `${name} is a group, no interface`);
}

/** Multicast is joined on a group and never on a member (docs/law.md row 63). */
export function multicastIsOfGroups(ifname: string, group: string | undefined): OperatorError {
  return new OperatorError(
    'EINVAL',
    `${ifname} is an interface, and multicast is joined on a group`,
    group === undefined ? undefined : `it is in group ${group}: give dev ${group}`,
  );
}

export function interfaceExists(name: string): OperatorError {
  return new OperatorError('EEXIST', `there is an interface ${name} already`);
}

/** Of a group's two names (docs/architecture.md, decision 11) the one that is taken. */
export function groupExists(taken: string, group: string): OperatorError {
  const isDevice = taken !== group;
  const message = isDevice
    ? `${taken} is the device of group ${group}`
    : `there is a group ${taken} already`;
  return new OperatorError('EEXIST', message);
}

/** A NIC is in one group at a time. */
export function alreadyMember(ifname: string, group: string): OperatorError {
  return new OperatorError(
    'EALREADY',
    `interface ${ifname} is already in group ${group}`,
    `remove it there first: ipmpadm group remove ${group} ${ifname}`,
  );
}
