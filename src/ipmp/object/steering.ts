/**
 * How the group layer steers frames: the part of the forwarding publication that must change at
 * once, and a bell for the rest. Implemented by the projection.
 */

import type { Mac } from '../../wire/addr.ts';

/** Live words: each call is one store, whatever the number of addresses. */
export interface Steering {
  /** Members of `group` that may carry frames: bits 0..31 and 32..63 of their ordinals. */
  setActiveMembers(group: number, low: number, high: number): void;
  /** The NIC for broadcast and multicast, -1 for none. */
  setCastMember(group: number, nic: number): void;
  /** The NIC to which placement `slot` is bound, -1 for none. */
  setPlacement(slot: number, nic: number): void;
  /** Answers whether frames for `from`, redirected in `group`, came since this was asked last. */
  takeRedirectUse(group: number, from: Mac): boolean;
  /** Interfaces, groups, addresses or redirects changed: publish the tables soon. */
  structureChanged(): void;
}
