/**
 * The part of DHCPv4 messages (RFC 2131 2) that a carrier of other hosts' frames must know: a
 * client's request, and its broadcast flag.
 *
 *    0       1       2       3       4
 *   +-------+-------+-------+-------+
 *   |  op   | htype | hlen  | hops  |
 *   +-------+-------+-------+-------+
 *   |             xid               |
 *   +---------------+---------------+
 *   |     secs      |B|    flags    |   B: answer by broadcast
 *   +---------------+---------------+
 *   |            ciaddr             |   12; then yiaddr, siaddr, giaddr
 *   |            chaddr (16)        |   28; then sname (64), file (128)
 *   |            magic cookie       |  236; then options
 */

import { readU16, readU32, writeU16 } from '../base/bytes.ts';
import { type Ipv4, ipv4Read, type Mac, macRead } from './addr.ts';

// From RFC 2131.

const OPERATION = 0;
const HARDWARE_TYPE = 1;
const HARDWARE_LENGTH = 2;
const CLIENT_ADDRESS = 12;
const CLIENT_MAC = 28;
const COOKIE = 236;

/** Place of the 16-bit flags word within the message; it is at an even place. */
export const DHCP_FLAGS_OFFSET = 10;

/** The flag that asks the server to answer by broadcast. */
export const DHCP_FLAG_BROADCAST = 0x8000;

export const DHCP_SERVER_PORT = 67;
export const DHCP_CLIENT_PORT = 68;

/** Bytes up to the first option. */
export const DHCP_LENGTH_MIN = COOKIE + 4;

const OPERATION_REQUEST = 1;
const HARDWARE_ETHERNET = 1;
const HARDWARE_ETHERNET_LENGTH = 6;
const MAGIC_COOKIE = 0x63825363;

/** True if `length` bytes from `offset` begin a client's message over Ethernet. */
export function dhcpIsClientRequest(bytes: Uint8Array, offset: number, length: number): boolean {
  return (
    length >= DHCP_LENGTH_MIN &&
    offset + length <= bytes.length &&
    bytes[offset + OPERATION] === OPERATION_REQUEST &&
    bytes[offset + HARDWARE_TYPE] === HARDWARE_ETHERNET &&
    bytes[offset + HARDWARE_LENGTH] === HARDWARE_ETHERNET_LENGTH &&
    readU32(bytes, offset + COOKIE) === MAGIC_COOKIE
  );
}

/** The flags word. */
export function dhcpFlags(bytes: Uint8Array, offset: number): number {
  return readU16(bytes, offset + DHCP_FLAGS_OFFSET);
}

/** True if the client asks for an answer by broadcast. */
export function dhcpIsBroadcast(bytes: Uint8Array, offset: number): boolean {
  return (dhcpFlags(bytes, offset) & DHCP_FLAG_BROADCAST) !== 0;
}

/** The address that the client already uses; 0 = none. */
export function dhcpClientAddress(bytes: Uint8Array, offset: number): Ipv4 {
  return ipv4Read(bytes, offset + CLIENT_ADDRESS);
}

/** The client's own idea of its MAC. */
export function dhcpClientMac(bytes: Uint8Array, offset: number): Mac {
  return macRead(bytes, offset + CLIENT_MAC);
}

/** Sets the broadcast flag; the caller mends the checksum of UDP. Other flags stay. */
export function dhcpSetBroadcast(bytes: Uint8Array, offset: number): void {
  const flags = dhcpFlags(bytes, offset) | DHCP_FLAG_BROADCAST;
  writeU16(bytes, offset + DHCP_FLAGS_OFFSET, flags);
}
