/**
 * The port between a group and its Lan, in both directions: what the Lan reads of the members
 * (LanMembership), and where its decisions go (LanOutput): frames to ports, redirects to the
 * forwarding tables, events.
 */

import type {
  AddressCause,
  LanEvent,
  LanMembership,
  LanOutput,
  NeighborCause,
} from '../../ip/lan-port.ts';
import type { Ill } from '../../ip/object/ill.ts';
import type { Ipif } from '../../ip/object/ipif.ts';
import type { Cause } from '../../model/causes.ts';
import { MAX_REDIRECTS } from '../../model/limits.ts';
import type { DropReason } from '../../stats/drop-reasons.ts';
import { type IpAddress, ipFormat, type Mac, macFormat } from '../../wire/addr.ts';
import { countDrop, type IpmpContext, post, structureChanged } from './context.ts';
import type { IpmpGroup } from './group.ts';

const ADDRESS_CAUSES: Record<AddressCause, Cause> = {
  probing: 'detection-began',
  unopposed: 'unopposed',
  unchecked: 'unchecked',
  conflict: 'address-conflict',
  recovered: 'conflict-over',
};

const NEIGHBOR_CAUSES: Record<NeighborCause, Cause> = {
  lost: 'neighbor-lost',
  answers: 'neighbor-answers',
  set: 'configured',
  removed: 'configured',
  replaced: 'address-added',
};

/** Both sides of the port of one group's Lan. */
export class GroupLanPort implements LanMembership, LanOutput {
  readonly #ctx: IpmpContext;
  readonly #group: IpmpGroup;

  constructor(ctx: IpmpContext, group: IpmpGroup) {
    this.#ctx = ctx;
    this.#group = group;
  }

  // LanMembership

  castIll(): Ill | undefined {
    return this.#group.grp.cast?.ill;
  }

  *ills(): Iterable<Ill> {
    for (const member of this.#group.members) yield member.ill;
  }

  activeIlls(): readonly Ill[] {
    return this.#group.grp.active.map((member) => member.ill);
  }

  isOwnMac(mac: Mac): boolean {
    return this.#ctx.ownMacs.has(mac, this.#ctx.nowMs);
  }

  isHostMac(mac: Mac): boolean {
    return this.#ctx.isHostMac(mac);
  }

  findIpif(address: IpAddress): Ipif | undefined {
    return this.#group.grp.findIpif(address);
  }

  groupMac(): Mac {
    return this.#group.device.mac;
  }

  isHostUp(): boolean {
    return this.#group.device.up;
  }

  isRouter(): boolean {
    return this.#group.settings.forwarding;
  }

  probeIll(): Ill | undefined {
    return this.castIll();
  }

  // LanOutput

  toWire(ill: Ill, frame: Uint8Array): void {
    this.#send(ill.nic, frame);
  }

  toHost(frame: Uint8Array): void {
    this.#send(this.#group.port, frame);
  }

  redirect(from: Mac, to: Mac): void {
    const { redirects } = this.#group;
    if (redirects.get(from) === to) return;
    if (!redirects.has(from) && this.#redirectCount() >= MAX_REDIRECTS) return;
    redirects.set(from, to);
    structureChanged(this.#ctx);
  }

  unredirect(from: Mac): void {
    if (this.#group.redirects.delete(from)) structureChanged(this.#ctx);
  }

  takeRedirectUse(from: Mac): boolean {
    return this.#ctx.words.takeRedirectUse(this.#group.index, from);
  }

  event(event: LanEvent): void {
    const ctx = this.#ctx;
    const group = this.#group.name;
    if (event.kind === 'neighbor-moved') {
      const detail = ipFormat(event.address);
      const [from, to] = [macFormat(event.from), macFormat(event.to)];
      post(ctx, 'neighbor-moved', 'neighbor-moved', { group, from, to, detail });
      return;
    }
    if (event.kind === 'neighbor-state') {
      const detail = ipFormat(event.address);
      const from = event.from === 'NONE' ? undefined : event.from;
      const to = event.to === 'NONE' ? undefined : event.to;
      const cause = NEIGHBOR_CAUSES[event.cause];
      post(ctx, 'neighbor-state', cause, { group, from, to, detail });
      return;
    }
    const address = ipFormat(event.ipif.address);
    const ifname = event.ipif.boundIll?.name;
    if (event.kind === 'address-defended') {
      const what = { group, ifname, to: macFormat(event.mac), detail: address };
      post(ctx, 'address-defended', 'address-conflict', what);
      return;
    }
    const { from, to } = event;
    const detail = event.mac === 0 ? address : `${address} ${macFormat(event.mac)}`;
    const cause = ADDRESS_CAUSES[event.cause];
    post(ctx, 'address-state', cause, { group, ifname, from, to, detail });
  }

  drop(reason: DropReason): void {
    countDrop(this.#ctx, reason);
  }

  #send(port: number, frame: Uint8Array): void {
    this.#ctx.frames.sent++;
    this.#ctx.transmissions.push({ port, frame });
  }

  #redirectCount(): number {
    let count = 0;
    for (const group of this.#ctx.groups.values()) count += group.redirects.size;
    return count;
  }
}
