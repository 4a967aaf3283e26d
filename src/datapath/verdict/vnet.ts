/**
 * The virtio net header before each frame: struct virtio_net_hdr of linux/virtio_net.h, legacy
 * layout, in the byte order of the machine, which is little-endian wherever we run.
 *
 *   0 flags (8)   1 gso_type (8)   2 hdr_len (16)   4 gso_size (16)
 *   6 csum_start (16)   8 csum_offset (16)          offsets count from the Ethernet header
 *
 * It passes from device to device unchanged. It is checked first, as the kernel would check it when
 * it is written (EINVAL), so that a contradiction is counted under its own reason.
 */

import { readU16, writeU16 } from '../../base/bytes.ts';
import type { Family } from '../../wire/addr.ts';
import { checksumAdd, checksumComplement } from '../../wire/checksum.ts';
import { ETHERNET_HEADER_LENGTH } from '../../wire/ethernet.ts';
import { IPV4_PROTOCOL_TCP, IPV4_PROTOCOL_UDP } from '../../wire/ipv4.ts';
import { UDP_HEADER_LENGTH } from '../../wire/udp.ts';
import { VNET_HEADER_LENGTH } from '../port.ts';

// From linux/virtio_net.h.
const NEEDS_CHECKSUM = 1;
const GSO_NONE = 0;
const GSO_TCPV4 = 1;
const GSO_UDP = 3;
const GSO_TCPV6 = 4;
const GSO_UDP_L4 = 5;
const GSO_ECN = 0x80;

const GSO_TYPE = 1;
const HEADER_LENGTH = 2;
const GSO_SIZE = 4;
const CHECKSUM_START = 6;
const CHECKSUM_OFFSET = 8;

/** True if the header at `at` agrees with itself and with a frame of `frameLength` bytes. */
export function vnetIsValid(bytes: Uint8Array, at: number, frameLength: number): boolean {
  const needsChecksum = vnetNeedsChecksum(bytes, at);
  if (needsChecksum) {
    const start = readLittle(bytes, at + CHECKSUM_START);
    const field = start + readLittle(bytes, at + CHECKSUM_OFFSET);
    if (start < ETHERNET_HEADER_LENGTH || field + 2 > frameLength) return false;
  }
  switch (gsoType(bytes, at)) {
    case GSO_NONE:
      return true;
    case GSO_TCPV4:
    case GSO_TCPV6:
    case GSO_UDP:
    case GSO_UDP_L4:
      return (
        needsChecksum &&
        readLittle(bytes, at + GSO_SIZE) > 0 &&
        readLittle(bytes, at + HEADER_LENGTH) <= frameLength
      );
    default:
      return false;
  }
}

/** True if the segmentation that the header asks for exists for `protocol` over `family`. */
export function vnetSuits(
  bytes: Uint8Array,
  at: number,
  family: Family,
  protocol: number,
): boolean {
  switch (gsoType(bytes, at)) {
    case GSO_NONE:
      return true;
    case GSO_TCPV4:
      return family === 4 && protocol === IPV4_PROTOCOL_TCP;
    case GSO_TCPV6:
      return family === 6 && protocol === IPV4_PROTOCOL_TCP;
    default:
      return protocol === IPV4_PROTOCOL_UDP;
  }
}

/** True if the checksum field holds only the sum of the pseudo-header so far. */
export function vnetNeedsChecksum(bytes: Uint8Array, at: number): boolean {
  return (bytes[at]! & NEEDS_CHECKSUM) !== 0;
}

/** True if the frame is a super-frame that a device will cut into segments. */
export function vnetIsSegmented(bytes: Uint8Array, at: number): boolean {
  return gsoType(bytes, at) !== GSO_NONE;
}

/**
 * Bytes of the largest IP packet into which the super-frame will be cut, with its IP header at `ip`
 * and the header of `protocol` at `transport`. The header's own length of headers is a hint only,
 * so they are read.
 *
 * Old UDP fragmentation (UFO) cuts into fragments: of IPv6 each has a fragment header, which is as
 * long as the header of UDP that is counted here; of IPv4 the result is 8 too many.
 */
export function vnetSegmentLength(
  bytes: Uint8Array,
  at: number,
  ip: number,
  transport: number,
  protocol: number,
): number {
  const isTcp = protocol === IPV4_PROTOCOL_TCP;
  const length = isTcp ? tcpHeaderLength(bytes, transport) : UDP_HEADER_LENGTH;
  return transport - ip + length + readLittle(bytes, at + GSO_SIZE);
}

/** The headers of the frame lie `by` bytes further on than the header at `at` describes. */
export function vnetMove(bytes: Uint8Array, at: number, by: number): void {
  if (vnetNeedsChecksum(bytes, at)) moveLittle(bytes, at + CHECKSUM_START, by);
  if (vnetIsSegmented(bytes, at)) moveLittle(bytes, at + HEADER_LENGTH, by);
}

/** Writes an empty header: nothing is left to do for the device. */
export function vnetClear(bytes: Uint8Array, at: number): void {
  for (let i = 0; i < VNET_HEADER_LENGTH; i++) bytes[at + i] = 0;
}

/** Finishes the checksum that the header leaves to the device; the header itself stays. */
export function vnetCompleteChecksum(bytes: Uint8Array, at: number, frameLength: number): void {
  if (!vnetNeedsChecksum(bytes, at)) return;
  const start = readLittle(bytes, at + CHECKSUM_START);
  const field = start + readLittle(bytes, at + CHECKSUM_OFFSET);
  const frame = at + VNET_HEADER_LENGTH;
  const check = checksumComplement(checksumAdd(0, bytes, frame + start, frameLength - start));
  writeU16(bytes, frame + field, check);
}

/** RFC 9293 3.1: the data offset. */
function tcpHeaderLength(bytes: Uint8Array, offset: number): number {
  return (bytes[offset + 12]! >> 4) * 4;
}

function gsoType(bytes: Uint8Array, at: number): number {
  return bytes[at + GSO_TYPE]! & ~GSO_ECN;
}

function moveLittle(bytes: Uint8Array, offset: number, by: number): void {
  const word = Math.max(0, readLittle(bytes, offset) + by);
  bytes[offset] = word & 0xff;
  bytes[offset + 1] = word >>> 8;
}

function readLittle(bytes: Uint8Array, offset: number): number {
  const word = readU16(bytes, offset);
  return ((word & 0xff) << 8) | (word >>> 8);
}
