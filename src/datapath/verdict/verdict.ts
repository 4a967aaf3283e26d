/**
 * Verdicts of the forwarder: one number a frame.
 *
 * 0 or more: leaves by that port. PUNT: goes to the control plane. Less: dropped; the number
 * is that of the one reason. The gate (parse.ts) gives PASS or a drop.
 */

import { DATAPATH_DROP_REASONS, type DatapathDropReason } from '../../stats/drop-reasons.ts';

/** The frame is for the control plane. */
export const PUNT = -1;
/** A gate found nothing wrong. */
export const PASS = 0;

const FIRST_DROP = -2;

export const DROP_RUNT = dropVerdict('runt');
export const DROP_TRUNCATED = dropVerdict('truncated');
export const DROP_BAD_VNET_HEADER = dropVerdict('bad_vnet_header');
export const DROP_RECEIVE_REFUSED = dropVerdict('receive_refused');
export const DROP_GROUP_SOURCE = dropVerdict('group_source');
export const DROP_OWN_SOURCE = dropVerdict('own_source');
export const DROP_OWN_SOURCE_ADDRESS = dropVerdict('own_source_address');
export const DROP_NO_GROUP = dropVerdict('no_group');
export const DROP_FOREIGN_DESTINATION = dropVerdict('foreign_destination');
export const DROP_NOT_NOMINATED = dropVerdict('not_nominated');
export const DROP_MARTIAN_SOURCE = dropVerdict('martian_source');
export const DROP_MARTIAN_DESTINATION = dropVerdict('martian_destination');
export const DROP_SAME_ADDRESSES = dropVerdict('same_addresses');
export const DROP_BAD_IPV4_HEADER = dropVerdict('bad_ipv4_header');
export const DROP_BAD_IPV6_HEADER = dropVerdict('bad_ipv6_header');
export const DROP_JUMBOGRAM = dropVerdict('jumbogram');
export const DROP_SOURCE_ROUTE = dropVerdict('source_route');
export const DROP_ICMP_REDIRECT = dropVerdict('icmp_redirect');
export const DROP_OWN_DESTINATION = dropVerdict('own_destination');
export const DROP_TEST_SOURCE = dropVerdict('test_source');
export const DROP_NO_ACTIVE_MEMBER = dropVerdict('no_active_member');
export const DROP_TOO_BIG = dropVerdict('too_big');
export const DROP_VLAN = dropVerdict('vlan');
export const DROP_UNKNOWN_ETHERTYPE = dropVerdict('unknown_ethertype');
export const DROP_STACK_FRAGMENT = dropVerdict('stack_fragment');
export const DROP_PUNT_REFUSED = dropVerdict('punt_refused');
export const DROP_PUNT_RATE_LIMITED = dropVerdict('punt_rate_limited');
export const DROP_PUNT_FULL = dropVerdict('punt_full');
export const DROP_TRANSMIT_FULL = dropVerdict('transmit_full');
export const DROP_TRANSMIT_DOWN = dropVerdict('transmit_down');
export const DROP_TRANSMIT_REFUSED = dropVerdict('transmit_refused');
export const DROP_TRANSMIT_GONE = dropVerdict('transmit_gone');

/** The verdict that drops for `reason`. */
export function dropVerdict(reason: DatapathDropReason): number {
  return FIRST_DROP - DATAPATH_DROP_REASONS.indexOf(reason);
}

/** Position in DATAPATH_DROP_REASONS of a verdict that drops. */
export function verdictReasonIndex(verdict: number): number {
  return FIRST_DROP - verdict;
}
