/**
 * The way in: a frame from the wire, received by a NIC. What is for the host goes to the group's
 * device with the group's MAC as destination; ARP and what is for a test address go to the control
 * plane; all else is dropped. Whether a datagram that came in is for the host is decided by its
 * kernel, which has addresses and rules that the tables do not have.
 */

import { readI32, readU16, writeU16, writeU32 } from '../../base/bytes.ts';
import { GROUP_PORT_BASE } from '../../model/limits.ts';
import { MAC_LENGTH } from '../../wire/addr.ts';
import { ARP_REQUEST, arpIsValid, arpOperation, arpTargetAddressWord } from '../../wire/arp.ts';
import {
  ETHERNET_HEADER_LENGTH,
  ETHERTYPE_ARP,
  ETHERTYPE_IPV4,
  ethernetIsGroup,
  ethernetType,
} from '../../wire/ethernet.ts';
import { ICMP_REDIRECT, icmpType } from '../../wire/icmp.ts';
import {
  IPV4_PROTOCOL_ICMP,
  ipv4DestinationWord,
  ipv4HeaderLength,
  ipv4IsFragment,
  ipv4IsLaterFragment,
  ipv4Protocol,
  ipv4SourceWord,
  ipv4TotalLength,
} from '../../wire/ipv4.ts';
import { VNET_HEADER_LENGTH } from '../port.ts';
import { PLACEMENT } from '../tables/layout.ts';
import { ADDRESS_NONE, ADDRESS_UNPLACED, addressFind, macFind } from '../tables/lookup.ts';
import { destinationIsMartian, sourceIsMartian } from './martian.ts';
import {
  DROP_FOREIGN_DESTINATION,
  DROP_GROUP_SOURCE,
  DROP_ICMP_REDIRECT,
  DROP_MARTIAN_DESTINATION,
  DROP_MARTIAN_SOURCE,
  DROP_NO_GROUP,
  DROP_NOT_NOMINATED,
  DROP_OWN_SOURCE,
  DROP_OWN_SOURCE_ADDRESS,
  DROP_SAME_ADDRESSES,
  DROP_STACK_FRAGMENT,
  ethertypeDrop,
  frameGate,
  ipv4Gate,
  PASS,
  PUNT,
} from './verdict.ts';
import type { Visit } from './visit.ts';

/**
 * The verdict on the frame in the slot at `at` (`length` bytes, virtio net header included), which
 * `visit.nic` received. A frame that is forwarded is ready to be written.
 */
export function inputVerdict(
  words: Int32Array,
  table: number,
  visit: Visit,
  bytes: Uint8Array,
  at: number,
  length: number,
): number {
  const gate = frameGate(bytes, at, length);
  if (gate !== PASS) return gate;
  const frame = at + VNET_HEADER_LENGTH;
  if (ethernetIsGroup(bytes, frame + MAC_LENGTH)) return DROP_GROUP_SOURCE;
  if (macFind(words, table, bytes, frame + MAC_LENGTH) >= 0) return DROP_OWN_SOURCE;
  if (!visit.isNicPresent) return DROP_NO_GROUP;
  if (!isFor(visit.nicMacHigh, visit.nicMacLow, bytes, frame)) {
    if (!ethernetIsGroup(bytes, frame) && !isForGroup(visit, bytes, frame)) {
      return DROP_FOREIGN_DESTINATION;
    }
    if (visit.castNic >= 0 && visit.castNic !== visit.nic) {
      const isAsked = isAskedHere(words, table, visit, bytes, frame, at + length);
      return isAsked ? PUNT : DROP_NOT_NOMINATED;
    }
  }
  const type = ethernetType(bytes, frame);
  if (type === ETHERTYPE_IPV4) return inputIpv4(words, table, visit, bytes, at, length);
  return type === ETHERTYPE_ARP ? PUNT : ethertypeDrop(type);
}

function inputIpv4(
  words: Int32Array,
  table: number,
  visit: Visit,
  bytes: Uint8Array,
  at: number,
  length: number,
): number {
  const frame = at + VNET_HEADER_LENGTH;
  const ip = frame + ETHERNET_HEADER_LENGTH;
  const gate = ipv4Gate(bytes, at, length, ip);
  if (gate !== PASS) return gate;
  const isGroupFrame = ethernetIsGroup(bytes, frame);
  const source = ipv4SourceWord(bytes, ip);
  const destination = ipv4DestinationWord(bytes, ip);
  if (sourceIsMartian(source, isGroupFrame)) return DROP_MARTIAN_SOURCE;
  if (destinationIsMartian(destination)) return DROP_MARTIAN_DESTINATION;
  if (source === destination) return DROP_SAME_ADDRESSES;
  const group = visit.group;
  if (addressFind(words, table, group, source) !== ADDRESS_NONE) {
    return DROP_OWN_SOURCE_ADDRESS;
  }
  const target = addressFind(words, table, group, destination);
  if (target < 0) return ipv4IsFragment(bytes, ip) ? DROP_STACK_FRAGMENT : PUNT;
  if (group < 0) return DROP_NO_GROUP;
  if (isRedirect(bytes, ip)) return DROP_ICMP_REDIRECT;
  if (!isGroupFrame) {
    writeU16(bytes, frame, visit.groupMacHigh);
    writeU32(bytes, frame + 2, visit.groupMacLow);
  }
  return GROUP_PORT_BASE + group;
}

/** True if a frame is for the station with this MAC. */
function isFor(macHigh: number, macLow: number, bytes: Uint8Array, frame: number): boolean {
  return readU16(bytes, frame) === macHigh && readI32(bytes, frame + 2) === macLow;
}

/**
 * The group's MAC is a source on no wire, so a switch floods what is sent to it, as a broadcast.
 * The sender has it from a payload: a DHCP server sends to `chaddr` (RFC 2131 4.1).
 */
function isForGroup(visit: Visit, bytes: Uint8Array, frame: number): boolean {
  return visit.group >= 0 && isFor(visit.groupMacHigh, visit.groupMacLow, bytes, frame);
}

/**
 * True for a request for an address that this NIC serves: the control plane answers the copy that
 * came to that NIC, whichever is nominated.
 */
function isAskedHere(
  words: Int32Array,
  table: number,
  visit: Visit,
  bytes: Uint8Array,
  frame: number,
  end: number,
): boolean {
  if (ethernetType(bytes, frame) !== ETHERTYPE_ARP) return false;
  const arp = frame + ETHERNET_HEADER_LENGTH;
  if (!arpIsValid(bytes, arp, end - arp) || arpOperation(bytes, arp) !== ARP_REQUEST) return false;
  const target = addressFind(words, table, visit.group, arpTargetAddressWord(bytes, arp));
  if (target < 0) return -1 - target === visit.nic;
  return target < ADDRESS_UNPLACED && Atomics.load(words, PLACEMENT + target) - 1 === visit.nic;
}

function isRedirect(bytes: Uint8Array, ip: number): boolean {
  if (ipv4Protocol(bytes, ip) !== IPV4_PROTOCOL_ICMP) return false;
  // What follows the header of a later fragment is payload, whatever it looks like.
  if (ipv4IsLaterFragment(bytes, ip)) return false;
  const headerLength = ipv4HeaderLength(bytes, ip);
  const hasType = ipv4TotalLength(bytes, ip) > headerLength;
  return hasType && icmpType(bytes, ip + headerLength) === ICMP_REDIRECT;
}
