/** Flat copies of the state for `show` (contract 4): plain values, snake_case, no live objects. */

import type { IpifState } from '../../ip/object/ipif.ts';
import type { LinkState } from '../../ip/object/phyint.ts';
import type { InterfaceState } from '../decide/phyint-state.ts';

/** Group: failed without a usable member, ok when all are usable, else degraded. */
export type GroupState = 'ok' | 'degraded' | 'failed';

export interface GroupRow {
  readonly group: string;
  /** Its device. */
  readonly ifname: string;
  readonly state: GroupState;
  /** Why it is in this state. */
  readonly cause: string;
  readonly fdt_ms: number;
  readonly interfaces: readonly string[];
  readonly active: readonly string[];
  readonly inactive: readonly string[];
  readonly failed: readonly string[];
  readonly offline: readonly string[];
  readonly absent: readonly string[];
  /** Who carries broadcast and multicast. */
  readonly nominated: string | null;
  readonly mtu: number;
  readonly lladdr: string | null;
  readonly spreading: string;
  readonly forwarding: boolean;
  readonly failback: boolean;
}

export interface InterfaceRow {
  readonly ifname: string;
  readonly group: string | null;
  readonly state: InterfaceState;
  readonly active: boolean;
  readonly standby: boolean;
  readonly link: LinkState;
  readonly probe: 'ok' | 'failed' | 'unknown' | 'disabled';
  readonly lladdr: string | null;
  readonly mtu: number;
  readonly uplink: string | null;
  readonly bridge: string | null;
  readonly flags: readonly string[];
  readonly nominated: boolean;
  /** Sentence: why it is in this state. */
  readonly cause: string;
}

export interface AddressRow {
  readonly address: string;
  /** The device that has it: a group's, or an interface. */
  readonly ifname: string;
  readonly group: string | null;
  readonly type: 'data' | 'test';
  readonly state: IpifState;
  readonly inbound: string | null;
  readonly outbound: readonly string[];
  /** Sentence, where there is something to explain. */
  readonly note: string | null;
}

export interface NeighborRow {
  readonly dst: string;
  readonly lladdr: string | null;
  readonly state: string;
  readonly group: string;
  /** We answer for it on the wire. */
  readonly proxy: boolean;
  /** Why it is in this state. */
  readonly cause: string;
}

/** A multicast address that the operator has the host listen to. */
export interface MulticastRow {
  readonly address: string;
  readonly group: string;
  /** The member by which it comes in, or null while nobody works. */
  readonly inbound: string | null;
}

/** `status`: the worst state of any group, and all of them. */
export interface SystemStatus {
  readonly state: GroupState;
  readonly groups: readonly GroupRow[];
  /** Devices of groups that are set down. */
  readonly down: readonly string[];
}

/** How often a member was taken out of use, by cause. */
export interface FailoverRow {
  readonly group: string;
  readonly ifname: string;
  readonly cause: string;
  readonly count: number;
}
