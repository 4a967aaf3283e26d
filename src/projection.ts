/**
 * Control-plane objects -> forwarding records: the only place where the group layer and the
 * forwarding path meet.
 *
 * Live words pass through at once. The tables are made anew from the objects when something asked
 * for it, once for any number of changes, when the system has finished what it was told
 * (`flush`). A data address names the placement slot of the member it is bound to:
 * slot = group * 64 + ordinal of the member. A NIC that the operator took offline is shown as one
 * outside groups, without its addresses: what it still receives is nobody's.
 */

import type {
  AddressRecord,
  ForwardingTables,
  GroupRecord,
  NicRecord,
  Publication,
  RedirectRecord,
} from './datapath/tables/fib.ts';
import type { Ill } from './ip/object/ill.ts';
import { placementSlot } from './ipmp/act/regroup.ts';
import type { IpmpContext } from './ipmp/object/context.ts';
import type { IpmpGroup } from './ipmp/object/group.ts';
import type { Steering } from './ipmp/object/steering.ts';
import type { Mac } from './wire/addr.ts';

/** The lists of which tables are made. */
export type ProjectionSource = Pick<IpmpContext, 'interfaces' | 'groups'>;

/** Passes decisions on to a publication. */
export class Projection implements Steering {
  readonly #publication: Publication;
  #isChanged = true;

  constructor(publication: Publication) {
    this.#publication = publication;
  }

  setActiveMembers(group: number, low: number, high: number): void {
    this.#publication.setActiveMembers(group, low, high);
  }

  setCastMember(group: number, nic: number): void {
    this.#publication.setCastMember(group, nic);
  }

  setPlacement(slot: number, nic: number): void {
    this.#publication.setPlacement(slot, nic);
  }

  takeRedirectUse(group: number, from: Mac): boolean {
    return this.#publication.takeRedirectUse(group, from);
  }

  structureChanged(): void {
    this.#isChanged = true;
  }

  /** Publishes the tables if anything in them has changed. */
  flush(source: ProjectionSource): void {
    if (!this.#isChanged) return;
    this.#isChanged = false;
    this.#publication.replace(project(source));
  }
}

/** The tables that stand for the objects now. */
export function project(source: ProjectionSource): ForwardingTables {
  const nics: NicRecord[] = [];
  const groups: GroupRecord[] = [];
  const addresses: AddressRecord[] = [];
  const redirects: RedirectRecord[] = [];
  for (const tracked of source.interfaces.values()) {
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
  for (const group of source.groups.values()) {
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
    if (ordinal >= 0) slots.set(member.ill, placementSlot(group.index, ordinal));
  }
  for (const { address, boundIll } of group.grp.ipifs.values()) {
    const slot = slots.get(boundIll) ?? -1;
    addresses.push({ address, group: group.index, kind: 'data', slot, nic: -1 });
  }
}
