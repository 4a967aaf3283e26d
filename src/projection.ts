/**
 * Control-plane objects -> forwarding tables. A data address names the placement slot of the member
 * it is bound to: slot = group * SLOTS_PER_GROUP + ordinal of the member. A NIC that the operator
 * took offline is shown as one outside groups, without its addresses: what it still receives is
 * not served.
 */

import type {
  AddressRecord,
  ForwardingTables,
  GroupRecord,
  NicRecord,
  RedirectRecord,
} from './datapath/tables/fib.ts';
import type { Ill } from './ip/object/ill.ts';
import type { IpmpContext } from './ipmp/object/context.ts';
import type { IpmpGroup } from './ipmp/object/group.ts';

/** The tables that stand for the objects now. */
export function project(ctx: Pick<IpmpContext, 'interfaces' | 'groups'>): ForwardingTables {
  const nics: NicRecord[] = [];
  const groups: GroupRecord[] = [];
  const addresses: AddressRecord[] = [];
  const redirects: RedirectRecord[] = [];
  for (const tracked of ctx.interfaces.values()) {
    const { phyint, nic, ill } = tracked;
    if (!phyint.present) continue;
    const membership = tracked.isOffline ? undefined : tracked.membership;
    const group = membership?.group.index ?? -1;
    const { physAddr: mac, mtu } = phyint;
    nics.push({ nic, group, member: membership?.ordinal ?? -1, mac, mtu });
    if (tracked.isOffline) continue;
    for (const { address } of ill.testIpifs) {
      addresses.push({ address, group, kind: 'test', slot: -1, nic });
    }
  }
  for (const group of ctx.groups.values()) {
    const { index, settings, device } = group;
    groups.push({ group: index, mac: device.mac, spreading: settings.spreading });
    addDataAddresses(addresses, group);
    for (const [from, to] of group.redirects) redirects.push({ group: index, from, to });
  }
  return { nics, groups, addresses, redirects };
}

function addDataAddresses(addresses: AddressRecord[], group: IpmpGroup): void {
  const slots = new Map<Ill | undefined, number>();
  for (const member of group.members) {
    const ordinal = member.membership?.ordinal ?? -1;
    if (ordinal >= 0) slots.set(member.ill, group.slotOf(ordinal));
  }
  for (const { address, boundIll } of group.grp.ipifs.values()) {
    const slot = slots.get(boundIll) ?? -1;
    addresses.push({ address, group: group.index, kind: 'data', slot, nic: -1 });
  }
}
