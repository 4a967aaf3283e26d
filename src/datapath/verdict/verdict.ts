/**
 * Verdicts of the forwarder: one number a frame.
 *
 * 0 or more: leaves by that port. PUNT: goes to the control plane. Less: dropped; the number
 * is that of the one reason. The gates of both directions are here too; a gate gives PASS
 * or a drop. Their order is the order in which a frame is read, so a frame with two faults is
 * always counted under the first.
 */

import { DATAPATH_DROP_REASONS, type DatapathDropReason } from '../../stats/drop-reasons.ts';
import {
  ETHERNET_HEADER_LENGTH,
  ETHERTYPE_IPV6,
  ETHERTYPE_QINQ,
  ETHERTYPE_VLAN,
} from '../../wire/ethernet.ts';
import {
  IPV4_HEADER_LENGTH_MIN,
  ipv4HeaderLength,
  ipv4IsValid,
  ipv4Options,
  ipv4Protocol,
} from '../../wire/ipv4.ts';
import { VNET_HEADER_LENGTH } from '../port.ts';
import { SLOT_LENGTH } from '../slab.ts';
import { vnetIsValid, vnetSuitsIpv4 } from './vnet.ts';

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
export const DROP_SOURCE_ROUTE = dropVerdict('source_route');
export const DROP_ICMP_REDIRECT = dropVerdict('icmp_redirect');
export const DROP_OWN_DESTINATION = dropVerdict('own_destination');
export const DROP_TEST_SOURCE = dropVerdict('test_source');
export const DROP_NO_ACTIVE_MEMBER = dropVerdict('no_active_member');
export const DROP_TOO_BIG = dropVerdict('too_big');
export const DROP_IPV6_NOT_SERVED = dropVerdict('ipv6_not_served');
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

/** The first gate: the slot at `at` holds `length` bytes, virtio net header included. */
export function frameGate(bytes: Uint8Array, at: number, length: number): number {
  if (length >= SLOT_LENGTH) return DROP_TRUNCATED;
  if (length < VNET_HEADER_LENGTH + ETHERNET_HEADER_LENGTH) return DROP_RUNT;
  if (!vnetIsValid(bytes, at, length - VNET_HEADER_LENGTH)) return DROP_BAD_VNET_HEADER;
  return PASS;
}

/** The drop of an Ethernet type that is neither IPv4 nor ARP. */
export function ethertypeDrop(type: number): number {
  if (type === ETHERTYPE_IPV6) return DROP_IPV6_NOT_SERVED;
  if (type === ETHERTYPE_VLAN || type === ETHERTYPE_QINQ) return DROP_VLAN;
  return DROP_UNKNOWN_ETHERTYPE;
}

/**
 * The gate of IPv4: the slot at `at` holds the frame, its datagram begins at `ip`. Malformed
 * options pass: the host of the address reports them to the sender (RFC 792, parameter problem).
 */
export function ipv4Gate(bytes: Uint8Array, at: number, length: number, ip: number): number {
  const room = at + length - ip;
  if (room < IPV4_HEADER_LENGTH_MIN) return DROP_RUNT;
  if (!ipv4IsValid(bytes, ip, room)) return DROP_BAD_IPV4_HEADER;
  if (!vnetSuitsIpv4(bytes, at, ipv4Protocol(bytes, ip))) return DROP_BAD_VNET_HEADER;
  const hasOptions = ipv4HeaderLength(bytes, ip) > IPV4_HEADER_LENGTH_MIN;
  if (hasOptions && ipv4Options(bytes, ip) === 'source-route') return DROP_SOURCE_ROUTE;
  return PASS;
}
