/** Where the decisions of a group's Lan go: frames to ports, redirects to the tables, events. */

import type { AddressCause, LanEvent, LanOutput, NeighborCause } from '../../ip/lan-port.ts';
import type { Ill } from '../../ip/object/ill.ts';
import type { Cause } from '../../model/causes.ts';
import { MAX_REDIRECTS } from '../../model/limits.ts';
import type { DropReason } from '../../stats/drop-reasons.ts';
import { ipv4Format, type Mac, macFormat } from '../../wire/addr.ts';
import { type IpmpContext, post } from '../object/context.ts';
import type { IpmpGroup } from '../object/group.ts';

const ADDRESS_CAUSES: Record<AddressCause, Cause> = {
  probing: 'detection-began',
  unopposed: 'unopposed',
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

/** The output side of one group's Lan. */
export class GroupLanOutput implements LanOutput {
  readonly #ctx: IpmpContext;
  readonly #group: IpmpGroup;

  constructor(ctx: IpmpContext, group: IpmpGroup) {
    this.#ctx = ctx;
    this.#group = group;
  }

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
    this.#ctx.steering.structureChanged();
  }

  unredirect(from: Mac): void {
    if (this.#group.redirects.delete(from)) this.#ctx.steering.structureChanged();
  }

  takeRedirectUse(from: Mac): boolean {
    return this.#ctx.steering.takeRedirectUse(this.#group.index, from);
  }

  event(event: LanEvent): void {
    const group = this.#group.name;
    if (event.kind === 'neighbor-moved') {
      post(this.#ctx, 'neighbor-moved', 'neighbor-moved', {
        group,
        from: macFormat(event.from),
        to: macFormat(event.to),
        detail: ipv4Format(event.address),
      });
      return;
    }
    if (event.kind === 'neighbor-state') {
      post(this.#ctx, 'neighbor-state', NEIGHBOR_CAUSES[event.cause], {
        group,
        from: event.from === 'NONE' ? undefined : event.from,
        to: event.to === 'NONE' ? undefined : event.to,
        detail: ipv4Format(event.address),
      });
      return;
    }
    const address = ipv4Format(event.ipif.address);
    const ifname = event.ipif.boundIll?.name;
    if (event.kind === 'address-defended') {
      const to = macFormat(event.mac);
      post(this.#ctx, 'address-defended', 'address-conflict', {
        group,
        ifname,
        to,
        detail: address,
      });
      return;
    }
    const { from, to } = event;
    const detail = event.mac === 0 ? address : `${address} ${macFormat(event.mac)}`;
    const cause = ADDRESS_CAUSES[event.cause];
    post(this.#ctx, 'address-state', cause, { group, ifname, from, to, detail });
  }

  drop(reason: DropReason): void {
    const { drops } = this.#ctx;
    drops.set(reason, (drops.get(reason) ?? 0n) + 1n);
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
