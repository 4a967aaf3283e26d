/** What the host says of a group's device. */

import type { Mac } from '../../wire/addr.ts';
import { type IpmpContext, refreshOwnMacs, structureChanged } from '../object/context.ts';
import type { IpmpGroup } from '../object/group.ts';
import { refreshGroupMtu } from './mtu.ts';

/** What is known of a group's device on the host. */
export interface GroupDeviceInfo {
  readonly present: boolean;
  readonly mac: Mac;
  readonly mtu: number;
  /** The administrator has not set it down. */
  readonly up: boolean;
}

/** It came, went or changed. */
export function handleGroupDevice(ctx: IpmpContext, group: IpmpGroup, info: GroupDeviceInfo): void {
  group.device.present = info.present;
  group.device.mac = info.mac;
  group.device.mtu = info.mtu;
  const isNews = info.up && !group.device.up;
  group.device.up = info.up;
  refreshOwnMacs(ctx);
  refreshGroupMtu(ctx, group);
  structureChanged(ctx);
  if (isNews) group.lan.handleHostUp(ctx.nowMs);
}
