/**
 * The forwarding records, and the port through which the control plane publishes them.
 *
 * The control plane projects its objects onto four flat lists (structure, which changes when an
 * interface joins, an address is added or a neighbour moves) and three kinds of live words (which
 * members are active, which carries broadcast and multicast, where each placement slot lies). The
 * structure is replaced as a whole; a live word changes by one atomic store, so the death of a NIC
 * costs one store per mask and one per slot that it owns, whatever the number of addresses.
 *
 * A port index names a device: NIC ports are the phyint's `nic` number, the device of group `g` is
 * GROUP_PORT_BASE + g.
 */

import { MAX_GROUPS, MAX_NICS } from '../../model/limits.ts';
import type { Spreading } from '../../model/states.ts';
import type { IpAddress, Mac } from '../../wire/addr.ts';

/** Placement slots: group * SLOTS_PER_GROUP + ordinal. */
export const SLOTS_PER_GROUP = 64;
export const MAX_SLOTS = MAX_GROUPS * SLOTS_PER_GROUP;
/** Ports of both kinds. */
export const MAX_PORTS = MAX_NICS + MAX_GROUPS;

/**
 * A NIC that the daemon holds. `group` and `member` (ordinal in the group) are -1 outside groups.
 */
export interface NicRecord {
  nic: number;
  group: number;
  member: number;
  mac: Mac;
  /** Largest IP packet in bytes; 0 if it is not known. */
  mtu: number;
}

/** A group and the MAC of its device. */
export interface GroupRecord {
  group: number;
  mac: Mac;
  spreading: Spreading;
}

/**
 * One of our addresses, of either family: MAX_ADDRESSES holds for both together. A data address
 * names its placement `slot` (`nic` is -1), a test address its `nic` (`slot` is -1; `group` is -1
 * while the NIC is in none).
 */
export interface AddressRecord {
  address: IpAddress;
  group: number;
  kind: 'data' | 'test';
  slot: number;
  nic: number;
}

/**
 * Frames of the host to a neighbour's former MAC go to its new one until the host has learnt it.
 */
export interface RedirectRecord {
  group: number;
  from: Mac;
  to: Mac;
}

/** The whole structure. */
export interface ForwardingTables {
  nics: readonly NicRecord[];
  groups: readonly GroupRecord[];
  addresses: readonly AddressRecord[];
  redirects: readonly RedirectRecord[];
}

/** A subscriber to the control plane's forwarding decisions. */
export interface Publication {
  /**
   * Publishes a new structure. It takes effect between two bursts of each worker; of several calls
   * in quick succession the last one counts. The caller may reuse its arrays afterwards.
   */
  replace(tables: ForwardingTables): void;
  /** Members of `group` that may carry frames: bits 0..31 and 32..63 of their ordinals. */
  setActiveMembers(group: number, low: number, high: number): void;
  /** The NIC for broadcast and multicast of `group`, -1 for none. */
  setCastMember(group: number, nic: number): void;
  /** The NIC to which placement `slot` is bound, -1 for none. */
  setPlacement(slot: number, nic: number): void;
  /**
   * Answers whether a frame for `from`, a redirected MAC of `group`, was seen since the last call.
   * It may be true of an unused one (never the other way), if both share a place in the table.
   */
  takeRedirectUse(group: number, from: Mac): boolean;
  /**
   * Answers a question, to be asked again after a while: have the workers by now written what was
   * injected before this call, and read what lay in the devices then?
   */
  catchUp(): () => boolean;
}
