/**
 * Changing the settings of a living group. What the host could refuse is asked of it first,
 * without the ipsq of the group: other operations go on during the wait. Then the group changes, as
 * by its writer. What is refused has changed nothing.
 */

import { acquire } from '../../base/lock.ts';
import type { Operation } from '../../base/operation.ts';
import {
  findGroup,
  type IpmpContext,
  refuseCondemnedGroup,
  structureChanged,
} from '../object/context.ts';
import { checkGroupSettings, type GroupSettings } from '../object/spec.ts';
import { refreshGroupMtu } from './mtu.ts';
import type { Policy } from './policy.ts';

/** Changes what is given and leaves the rest. ENOENT, EINVAL; what the host refuses with. */
export function* setGroup(
  ctx: IpmpContext,
  policy: Policy,
  name: string,
  changes: Partial<GroupSettings>,
): Operation<void> {
  const group = findGroup(ctx, name);
  refuseCondemnedGroup(group);
  const { forwarding = group.settings.forwarding } = changes;
  checkGroupSettings(group.name, { ...group.settings, ...changes });
  if (forwarding !== group.settings.forwarding) {
    yield* ctx.setGroupForwarding(group.ifname, forwarding);
  }
  using _writer = yield* acquire(group.ipsq);
  refuseCondemnedGroup(group);
  const before = group.settings;
  const settings = { ...before, ...changes };
  ctx.illGlobalLock.write(() => {
    group.settings = settings;
  });
  group.lan.setNeighborLimit(settings.neighbors);
  structureChanged(ctx);
  policy.reviewDamping(group);
  if (settings.failback && !before.failback) policy.failbackAllowed(group);
  refreshGroupMtu(ctx, group);
}
