/**
 * What the host reports of devices and links, and deadlines that expire: evidence comes in, the
 * event that it amounts to (decide/evidence.ts) moves the interface (transit.ts), and its group
 * settles (settle.ts). Every function runs in one turn.
 */

import type { LinkState } from '../../model/states.ts';
import type { Mac } from '../../wire/addr.ts';
import { deviceEvent, hiddenUps, linkEvent } from '../decide/evidence.ts';
import {
  type IpmpContext,
  noteChange,
  postInterface,
  structureChanged,
} from '../object/context.ts';
import type { GroupDevice, IpmpGroup } from '../object/group.ts';
import { refreshOwnMacs } from '../object/own-macs.ts';
import type { TrackedPhyint } from '../object/tracked.ts';
import { handOver, refreshGroupMtu, settle } from './settle.ts';
import { bindTestAddresses } from './test-addresses.ts';
import { hold, transit } from './transit.ts';

/** What is known of a device. `mac`, `mtu` and `link` count only while it is present. */
export interface DeviceInfo {
  readonly present: boolean;
  readonly mac: Mac;
  readonly mtu: number;
  /** Given when it is known at once, so that a dead link is never used even for a moment. */
  readonly link?: LinkState;
}

/** What the device reports of its link. `changes`: its count of carrier changes, -1 unknown. */
export interface LinkInfo {
  readonly link: LinkState;
  readonly changes: number;
}

/** A link went up or down, or was found to have done both unseen. */
export function handleLink(ctx: IpmpContext, tracked: TrackedPhyint, info: LinkInfo): void {
  const { phyint, damping } = tracked;
  if (!phyint.present) return;
  const before = phyint.link;
  const unseen = noteHiddenUps(ctx, tracked, info);
  if (info.link === before) {
    if (unseen > 0 && phyint.isLinkUp) announceLinkUp(ctx, tracked);
    return;
  }
  setLink(ctx, tracked, info.link);
  const event = linkEvent(before, info.link, tracked.believedAtMs <= ctx.nowMs);
  if (before === 'down') damping.note(ctx.nowMs);
  if (event !== undefined) transit(ctx, tracked, event);
  if (before === 'down') announceLinkUp(ctx, tracked);
  settle(ctx, tracked.group);
}

/** Remembers the link-ups that a report hides; answers how many. */
function noteHiddenUps(ctx: IpmpContext, tracked: TrackedPhyint, info: LinkInfo): number {
  const before = tracked.phyint.link;
  const changes = tracked.linkChanges < 0 ? 0 : info.changes - tracked.linkChanges;
  if (info.changes >= 0) tracked.linkChanges = info.changes;
  if (before === 'unknown' || info.link === 'unknown') return 0;
  const unseen = hiddenUps(before, info.link, changes);
  tracked.damping.note(ctx.nowMs, unseen);
  return unseen;
}

function setLink(ctx: IpmpContext, tracked: TrackedPhyint, link: LinkState): void {
  const from = tracked.phyint.link;
  ctx.illGlobalLock.write(() => {
    tracked.phyint.link = link;
  });
  const why = link === 'down' ? 'link-down' : 'link-up';
  postInterface(ctx, 'interface-link', why, tracked, { from, to: link });
}

/** Before the settling, which announces the addresses that the interface gets by it. */
function announceLinkUp(ctx: IpmpContext, tracked: TrackedPhyint): void {
  if (tracked.isOffline) return;
  tracked.group?.lan.handleLinkUp(tracked.ill, ctx.nowMs);
}

/** A device came, went, or changed. */
export function handleDevice(ctx: IpmpContext, tracked: TrackedPhyint, info: DeviceInfo): void {
  if (info.present) handlePresent(ctx, tracked, info);
  else if (tracked.phyint.present) handleVanished(ctx, tracked);
}

function handlePresent(ctx: IpmpContext, tracked: TrackedPhyint, info: DeviceInfo): void {
  const { phyint } = tracked;
  const macChanged = phyint.physAddr !== info.mac;
  const wasPresent = phyint.present;
  if (wasPresent && !macChanged && phyint.mtu === info.mtu) return;
  ctx.illGlobalLock.write(() => {
    phyint.present = true;
    phyint.physAddr = info.mac;
    phyint.mtu = info.mtu;
  });
  refreshOwnMacs(ctx);
  if (!wasPresent) tracked.linkChanges = -1;
  if (!wasPresent && info.link !== undefined && info.link !== phyint.link) {
    setLink(ctx, tracked, info.link);
  }
  const event = deviceEvent(tracked, wasPresent);
  if (event !== undefined) transit(ctx, tracked, event);
  const isNew = tracked.state === 'running' || tracked.state === 'offline';
  if (phyint.link === 'down' && isNew) transit(ctx, tracked, 'link-down');
  structureChanged(ctx);
  settle(ctx, tracked.group);
  if (macChanged || !wasPresent) announceAgain(ctx, tracked, wasPresent);
}

function handleVanished(ctx: IpmpContext, tracked: TrackedPhyint): void {
  const { phyint, group } = tracked;
  ctx.illGlobalLock.write(() => {
    phyint.present = false;
  });
  transit(ctx, tracked, 'device-vanished');
  if (group !== undefined) handOver(ctx, group);
  ctx.illGlobalLock.write(() => {
    phyint.physAddr = 0;
    phyint.mtu = 0;
    phyint.link = 'unknown';
  });
  refreshOwnMacs(ctx);
  tracked.linkChanges = -1;
  structureChanged(ctx);
  settle(ctx, group);
  for (const ipif of tracked.ill.testIpifs) group?.lan.addressUnbound(ipif);
}

/** The NIC has a new MAC, or is there again: what peers reach by it is announced. */
function announceAgain(ctx: IpmpContext, tracked: TrackedPhyint, wasPresent: boolean): void {
  bindTestAddresses(ctx, tracked);
  if (!wasPresent) return;
  if (tracked.group?.grp.cast === tracked) tracked.group.lan.handleNominated(ctx.nowMs);
  const { boundIpifs } = tracked.ill;
  for (const ipif of [...boundIpifs[4], ...boundIpifs[6]]) {
    tracked.group?.lan.addressBound(ipif, 'rebind', ctx.nowMs);
  }
}

/** The device of a group came, went or changed. */
export function handleGroupDevice(
  ctx: IpmpContext,
  group: IpmpGroup,
  info: Readonly<GroupDevice>,
): void {
  const { device } = group;
  const { present, mac, mtu, up } = device;
  const isOther =
    present !== info.present || mac !== info.mac || mtu !== info.mtu || up !== info.up;
  const isNews = info.up && !device.up;
  device.present = info.present;
  device.mac = info.mac;
  device.mtu = info.mtu;
  device.up = info.up;
  if (isOther) noteChange(ctx, group);
  refreshOwnMacs(ctx);
  refreshGroupMtu(ctx, group);
  structureChanged(ctx);
  if (isNews) group.lan.handleHostUp(ctx.nowMs);
}

/** Judges the repairs anew whose damping is over. */
export function handleDampingTime(ctx: IpmpContext): void {
  for (;;) {
    const tracked = ctx.dampingDeadlines.popDue(ctx.nowMs);
    if (tracked === undefined) return;
    tracked.dampingDeadline = undefined;
    judgeAgain(ctx, tracked);
  }
}

/** Judges anew an interface whose repair was refused. */
export function judgeAgain(ctx: IpmpContext, tracked: TrackedPhyint): void {
  const { state, phyint } = tracked;
  if ((state !== 'failed' && state !== 'offline-failed') || !phyint.isLinkUp) return;
  if (tracked.believedAtMs > ctx.nowMs) hold(ctx, tracked);
  else {
    transit(ctx, tracked, 'damping-over');
    settle(ctx, tracked.group);
  }
}
