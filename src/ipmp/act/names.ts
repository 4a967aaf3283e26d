/**
 * The names of interfaces and groups. A group has two: that of its device, which is also its
 * kstat's and never changes, and its own, which is the same at first and may be changed (IPMP
 * semantics 2.7). No name is given twice, so a look-up by either finds one thing. What can be seen
 * of a group bears its own name; the host, the forwarding path and the kstat chain know its device.
 */

import { OperatorError } from '../../base/errors.ts';
import { acquire } from '../../base/lock.ts';
import type { Operation } from '../../base/operation.ts';
import { findGroup, type IpmpContext, post, refuseCondemnedGroup } from '../object/context.ts';
import type { IpmpGroup } from '../object/group.ts';
import { checkName } from '../object/spec.ts';

/** EEXIST if an interface has the name, or a group (but `except`) or its device. */
export function checkNameIsFree(ctx: IpmpContext, name: string, except?: IpmpGroup): void {
  if (ctx.interfaces.has(name)) {
    throw new OperatorError('EEXIST', `there is an interface ${name} already`);
  }
  for (const group of ctx.groups.values()) {
    if (group === except || (group.name !== name && group.ifname !== name)) continue;
    throw new OperatorError('EEXIST', takenBy(group, name));
  }
}

/**
 * Renames a group; its device, its port and its kstat keep their name. ENOENT; EINVAL,
 * ENAMETOOLONG for what is no name; EEXIST; its own name: nothing happens.
 */
export function* renameGroup(ctx: IpmpContext, name: string, to: string): Operation<void> {
  const group = findGroup(ctx, name);
  checkName('group', to);
  using _writer = yield* acquire(group.ipsq);
  refuseCondemnedGroup(group);
  checkNameIsFree(ctx, to, group);
  const from = group.name;
  if (to === from) return;
  ctx.illGlobalLock.write(() => {
    group.name = to;
    for (const count of ctx.failovers.values()) {
      if (count.device === group.ifname) count.group = to;
    }
  });
  post(ctx, 'group-renamed', 'configured', { group: to, from, to });
}

function takenBy({ name, ifname, references }: IpmpGroup, taken: string): string {
  if (references.condemned) return `group ${name} is still being deleted`;
  if (name === taken) return `there is a group ${taken} already`;
  return `${ifname} is the device of group ${name}`;
}
