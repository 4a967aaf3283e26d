/**
 * Priority tags (IEEE 802.1Q: VLAN 0): a frame that carries a priority and belongs to no VLAN.
 * Linux takes it as one without a tag, and so does a group. The tag is taken out where the frame
 * lies, so later steps see no tag; a second tag within counts as a VLAN's.
 */

import { readU16 } from '../../base/bytes.ts';
import { MAC_LENGTH } from '../../wire/addr.ts';
import { ETHERNET_HEADER_LENGTH, ETHERTYPE_VLAN, ethernetType } from '../../wire/ethernet.ts';
import { VNET_HEADER_LENGTH } from '../port.ts';
import { vnetMove } from './vnet.ts';

const TAG_LENGTH = 4;
const VLAN_ID_MASK = 0x0fff;

/**
 * Takes a priority tag out of the frame in the slot at `at` (`length` bytes, virtio net header
 * included), if it has one; answers its length then.
 */
export function priorityUntag(bytes: Uint8Array, at: number, length: number): number {
  const frame = at + VNET_HEADER_LENGTH;
  if (length < VNET_HEADER_LENGTH + ETHERNET_HEADER_LENGTH + TAG_LENGTH) return length;
  if (ethernetType(bytes, frame) !== ETHERTYPE_VLAN) return length;
  if ((readU16(bytes, frame + ETHERNET_HEADER_LENGTH) & VLAN_ID_MASK) !== 0) return length;
  const tag = frame + 2 * MAC_LENGTH;
  bytes.copyWithin(tag, tag + TAG_LENGTH, at + length);
  vnetMove(bytes, at, -TAG_LENGTH);
  return length - TAG_LENGTH;
}
