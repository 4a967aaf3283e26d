/**
 * What happens to interfaces: devices that come, go and change, links that go down and up. What
 * the groups make of it is policy.ts; like there, every method runs in one turn.
 */

import type { LinkState } from '../../model/states.ts';
import type { Mac } from '../../wire/addr.ts';
import { hiddenUps } from '../decide/damping.ts';
import {
  type IpmpContext,
  postInterface,
  refreshOwnMacs,
  structureChanged,
} from '../object/context.ts';
import type { TrackedPhyint } from '../object/tracked.ts';
import type { Policy } from './policy.ts';
import { regroup } from './regroup.ts';
import { bindTestAddresses } from './test-addresses.ts';

/** What is known of a device. `mac`, `mtu` and `link` count only while it is present. */
export interface DeviceInfo {
  readonly present: boolean;
  readonly mac: Mac;
  readonly mtu: number;
  /** Always true today: group members must be able to send multicast. */
  readonly multicast?: boolean;
  /** Said when it is known at once, so that a dead link is never used even for a moment. */
  readonly link?: LinkState;
}

/** What the device says about its link. `changes`: its count of carrier changes, -1 unknown. */
export interface LinkInfo {
  readonly link: LinkState;
  readonly changes: number;
}

/** The group layer's reaction to the world. */
export class Ipmp {
  readonly #ctx: IpmpContext;
  readonly #policy: Policy;

  constructor(ctx: IpmpContext, policy: Policy) {
    this.#ctx = ctx;
    this.#policy = policy;
  }

  /** A device came, went, or changed. */
  handleDevice(tracked: TrackedPhyint, info: DeviceInfo): void {
    if (info.present) this.#deviceIs(tracked, info);
    else if (tracked.phyint.present) this.#deviceVanished(tracked);
  }

  /** A link went up or down, or was found to have done both unseen. */
  handleLink(tracked: TrackedPhyint, info: LinkInfo): void {
    const { phyint, damping } = tracked;
    if (!phyint.present) return;
    const before = phyint.link;
    const changes = tracked.linkChanges < 0 ? 0 : info.changes - tracked.linkChanges;
    if (info.changes >= 0) tracked.linkChanges = info.changes;
    let unseen = 0;
    if (before !== 'unknown' && info.link !== 'unknown') {
      unseen = hiddenUps(before, info.link, changes);
      damping.note(this.#ctx.nowMs, unseen);
    }
    if (info.link === before) {
      if (unseen > 0 && phyint.isLinkUp) this.#tellLinkUp(tracked);
      return;
    }
    this.#setLink(tracked, info.link);
    if (info.link === 'down') this.#policy.transit(tracked, 'link-down');
    else if (before === 'down') this.#linkUp(tracked);
    if (before === 'down') this.#tellLinkUp(tracked);
    this.#policy.settle(tracked.group);
  }

  /** Looks again at interfaces whose repair was refused. */
  handleTime(): void {
    const { dampingDeadlines, nowMs } = this.#ctx;
    for (;;) {
      const tracked = dampingDeadlines.popDue(nowMs);
      if (tracked === undefined) return;
      tracked.dampingDeadline = undefined;
      this.#policy.judgeAgain(tracked);
    }
  }

  #deviceIs(tracked: TrackedPhyint, info: DeviceInfo): void {
    const { phyint } = tracked;
    const macChanged = phyint.physAddr !== info.mac;
    const wasPresent = phyint.present;
    if (wasPresent && !macChanged && phyint.mtu === info.mtu) return;
    this.#ctx.illGlobalLock.write(() => {
      phyint.present = true;
      phyint.physAddr = info.mac;
      phyint.mtu = info.mtu;
    });
    refreshOwnMacs(this.#ctx);
    if (!wasPresent) tracked.linkChanges = -1;
    if (!wasPresent && info.link !== undefined && info.link !== phyint.link) {
      this.#setLink(tracked, info.link);
    }
    const isClash = !tracked.isOffline && this.#policy.clashes(tracked);
    if (isClash) this.#policy.transit(tracked, 'mac-clash');
    else if (!wasPresent) this.#policy.transit(tracked, 'device-appeared');
    const isNew = tracked.state === 'running' || tracked.state === 'offline';
    if (phyint.link === 'down' && isNew) this.#policy.transit(tracked, 'link-down');
    structureChanged(this.#ctx);
    this.#policy.settle(tracked.group);
    if (macChanged || !wasPresent) this.#announceAgain(tracked, wasPresent);
  }

  #deviceVanished(tracked: TrackedPhyint): void {
    const { phyint } = tracked;
    this.#ctx.illGlobalLock.write(() => {
      phyint.present = false;
    });
    this.#policy.transit(tracked, 'device-vanished');
    if (tracked.group !== undefined) regroup(this.#ctx, tracked.group);
    this.#ctx.illGlobalLock.write(() => {
      phyint.physAddr = 0;
      phyint.mtu = 0;
      phyint.link = 'unknown';
    });
    refreshOwnMacs(this.#ctx);
    tracked.linkChanges = -1;
    structureChanged(this.#ctx);
    this.#policy.settle(tracked.group);
    if (tracked.group === undefined) return;
    for (const ipif of tracked.ill.testIpifs) tracked.group.lan.addressUnbound(ipif);
  }

  /** The NIC has a new MAC, or is there again: whoever knows its addresses must hear of it. */
  #announceAgain(tracked: TrackedPhyint, wasPresent: boolean): void {
    bindTestAddresses(this.#ctx, tracked);
    const { group } = tracked;
    if (group === undefined || !wasPresent) return;
    for (const ipif of tracked.ill.boundIpifs) {
      group.lan.addressBound(ipif, 'rebind', this.#ctx.nowMs);
    }
  }

  #setLink(tracked: TrackedPhyint, link: LinkState): void {
    const from = tracked.phyint.link;
    this.#ctx.illGlobalLock.write(() => {
      tracked.phyint.link = link;
    });
    const why = link === 'down' ? 'link-down' : 'link-up';
    postInterface(this.#ctx, 'interface-link', why, tracked, { from, to: link });
  }

  /** Before the settling, which announces whatever the interface gets by it. */
  #tellLinkUp(tracked: TrackedPhyint): void {
    if (tracked.isOffline) return;
    tracked.group?.lan.handleLinkUp(tracked.ill, this.#ctx.nowMs);
  }

  #linkUp(tracked: TrackedPhyint): void {
    const { nowMs } = this.#ctx;
    const rule = tracked.group?.settings.flapDamping ?? null;
    const isBelieved = tracked.damping.believedAtMs(rule) <= nowMs;
    tracked.damping.note(nowMs);
    this.#policy.transit(tracked, isBelieved ? 'link-up' : 'link-flaps');
  }
}
