/**
 * Ethernet II frames (IEEE 802.3 clause 3; ethertypes of RFC 894 and RFC 826).
 *
 *    0                   6                  12      14
 *   +-------------------+------------------+-------+--------- ...
 *   |    destination    |      source      | type  | payload
 *   +-------------------+------------------+-------+--------- ...
 *
 * `ethernetIsValid` is the gate: every accessor is safe behind it.
 */

import { readU16, writeU16 } from '../base/bytes.ts';
import { MAC_LENGTH, type Mac, macRead, macWrite } from './addr.ts';

// From the standards.

const DESTINATION = 0;
const SOURCE = DESTINATION + MAC_LENGTH;
const TYPE = SOURCE + MAC_LENGTH;

/** Bytes before the payload. */
export const ETHERNET_HEADER_LENGTH = TYPE + 2;

export const ETHERTYPE_IPV4 = 0x0800;
export const ETHERTYPE_ARP = 0x0806;
export const ETHERTYPE_VLAN = 0x8100;
export const ETHERTYPE_IPV6 = 0x86dd;
export const ETHERTYPE_QINQ = 0x88a8;

/** The header in values. */
export interface EthernetHeader {
  destination: Mac;
  source: Mac;
  type: number;
}

/** True if a whole header lies within `length` bytes from `offset`. */
export function ethernetIsValid(bytes: Uint8Array, offset: number, length: number): boolean {
  return length >= ETHERNET_HEADER_LENGTH && offset + length <= bytes.length;
}

/** The destination MAC of the frame. */
export function ethernetDestination(bytes: Uint8Array, offset: number): Mac {
  return macRead(bytes, offset + DESTINATION);
}

/** The source MAC of the frame. */
export function ethernetSource(bytes: Uint8Array, offset: number): Mac {
  return macRead(bytes, offset + SOURCE);
}

/** The ethertype; below 0x0600 it is a length (802.3). */
export function ethernetType(bytes: Uint8Array, offset: number): number {
  return readU16(bytes, offset + TYPE);
}

/** True if the destination is a group of stations: one look at the first byte. */
export function ethernetIsGroup(bytes: Uint8Array, offset: number): boolean {
  return (bytes[offset]! & 0x01) !== 0;
}

export function ethernetSetDestination(bytes: Uint8Array, offset: number, mac: Mac): void {
  macWrite(bytes, offset + DESTINATION, mac);
}

export function ethernetSetSource(bytes: Uint8Array, offset: number, mac: Mac): void {
  macWrite(bytes, offset + SOURCE, mac);
}

/** The header as a record. The frame must be valid. */
export function ethernetParse(bytes: Uint8Array, offset: number): EthernetHeader {
  return {
    destination: ethernetDestination(bytes, offset),
    source: ethernetSource(bytes, offset),
    type: ethernetType(bytes, offset),
  };
}

/** Writes the whole header at `offset`. */
export function ethernetEmit(bytes: Uint8Array, offset: number, header: EthernetHeader): void {
  ethernetSetDestination(bytes, offset, header.destination);
  ethernetSetSource(bytes, offset, header.source);
  writeU16(bytes, offset + TYPE, header.type);
}
