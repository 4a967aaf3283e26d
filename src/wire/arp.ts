/**
 * ARP for IPv4 over Ethernet (RFC 826; probes and announcements of RFC 5227).
 *
 *    0        2        4    5    6        8
 *   +--------+--------+----+----+--------+
 *   | htype  | ptype  |hlen|plen|  oper  |
 *   +--------+--------+----+----+--------+----------------+
 *   |  sender MAC (6)      |  sender address (4)          |  8 .. 17
 *   +----------------------+------------------------------+
 *   |  target MAC (6)      |  target address (4)          | 18 .. 27
 *   +----------------------+------------------------------+
 */

import { readI32, readU16, writeU16 } from '../base/bytes.ts';
import {
  IPV4_ADDRESS_LENGTH,
  type Ipv4,
  ipv4Read,
  ipv4Write,
  MAC_LENGTH,
  type Mac,
  macRead,
  macWrite,
} from './addr.ts';
import { ETHERNET_HEADER_LENGTH, ETHERTYPE_ARP, ETHERTYPE_IPV4, ethernetEmit } from './ethernet.ts';

// From RFC 826.

const HARDWARE_TYPE = 0;
const PROTOCOL_TYPE = HARDWARE_TYPE + 2;
const HARDWARE_LENGTH = PROTOCOL_TYPE + 2;
const PROTOCOL_LENGTH = HARDWARE_LENGTH + 1;
const OPERATION = PROTOCOL_LENGTH + 1;
const SENDER_MAC = OPERATION + 2;
const SENDER_ADDRESS = SENDER_MAC + MAC_LENGTH;
const TARGET_MAC = SENDER_ADDRESS + IPV4_ADDRESS_LENGTH;
const TARGET_ADDRESS = TARGET_MAC + MAC_LENGTH;

/** Bytes of a packet. */
export const ARP_LENGTH = TARGET_ADDRESS + IPV4_ADDRESS_LENGTH;

export const ARP_REQUEST = 1;
export const ARP_REPLY = 2;

const HARDWARE_ETHERNET = 1;
/** Stations behind bridges to token rings use it on Ethernet too; hosts (Linux) answer them. */
const HARDWARE_IEEE_802 = 6;

/** A packet in values. */
export interface ArpPacket {
  /** ARP_REQUEST, ARP_REPLY, or a number that is neither. */
  operation: number;
  senderMac: Mac;
  senderAddress: Ipv4;
  targetMac: Mac;
  targetAddress: Ipv4;
}

/** True if `length` bytes from `offset` are a packet of Ethernet and IPv4; padding may follow. */
export function arpIsValid(bytes: Uint8Array, offset: number, length: number): boolean {
  if (length < ARP_LENGTH || offset + length > bytes.length) return false;
  const hardware = readU16(bytes, offset + HARDWARE_TYPE);
  return (
    (hardware === HARDWARE_ETHERNET || hardware === HARDWARE_IEEE_802) &&
    readU16(bytes, offset + PROTOCOL_TYPE) === ETHERTYPE_IPV4 &&
    bytes[offset + HARDWARE_LENGTH] === MAC_LENGTH &&
    bytes[offset + PROTOCOL_LENGTH] === IPV4_ADDRESS_LENGTH
  );
}

export function arpOperation(bytes: Uint8Array, offset: number): number {
  return readU16(bytes, offset + OPERATION);
}

export function arpSenderMac(bytes: Uint8Array, offset: number): Mac {
  return macRead(bytes, offset + SENDER_MAC);
}

export function arpSenderAddress(bytes: Uint8Array, offset: number): Ipv4 {
  return ipv4Read(bytes, offset + SENDER_ADDRESS);
}

export function arpTargetMac(bytes: Uint8Array, offset: number): Mac {
  return macRead(bytes, offset + TARGET_MAC);
}

export function arpTargetAddress(bytes: Uint8Array, offset: number): Ipv4 {
  return ipv4Read(bytes, offset + TARGET_ADDRESS);
}

/** The target address as a signed word, for code that runs per frame (see readI32). */
export function arpTargetAddressWord(bytes: Uint8Array, offset: number): number {
  return readI32(bytes, offset + TARGET_ADDRESS);
}

/** True for the question of RFC 5227 1.1 whether a station has an address: no sender address. */
export function arpIsProbe(packet: ArpPacket): boolean {
  return packet.operation === ARP_REQUEST && packet.senderAddress === 0;
}

/** True if the sender announces its own address, by request or reply (RFC 5227 3). */
export function arpIsAnnouncement(packet: ArpPacket): boolean {
  return packet.senderAddress !== 0 && packet.senderAddress === packet.targetAddress;
}

/** The packet as a record. It must be valid. */
export function arpParse(bytes: Uint8Array, offset: number): ArpPacket {
  return {
    operation: arpOperation(bytes, offset),
    senderMac: arpSenderMac(bytes, offset),
    senderAddress: arpSenderAddress(bytes, offset),
    targetMac: arpTargetMac(bytes, offset),
    targetAddress: arpTargetAddress(bytes, offset),
  };
}

/** Writes the whole packet at `offset`: ARP_LENGTH bytes. */
export function arpEmit(bytes: Uint8Array, offset: number, packet: ArpPacket): void {
  writeU16(bytes, offset + HARDWARE_TYPE, HARDWARE_ETHERNET);
  writeU16(bytes, offset + PROTOCOL_TYPE, ETHERTYPE_IPV4);
  bytes[offset + HARDWARE_LENGTH] = MAC_LENGTH;
  bytes[offset + PROTOCOL_LENGTH] = IPV4_ADDRESS_LENGTH;
  writeU16(bytes, offset + OPERATION, packet.operation);
  macWrite(bytes, offset + SENDER_MAC, packet.senderMac);
  ipv4Write(bytes, offset + SENDER_ADDRESS, packet.senderAddress);
  macWrite(bytes, offset + TARGET_MAC, packet.targetMac);
  ipv4Write(bytes, offset + TARGET_ADDRESS, packet.targetAddress);
}

/** A new frame that carries `packet` from `source` to `destination`; the device pads it. */
export function arpFrame(destination: Mac, source: Mac, packet: ArpPacket): Uint8Array {
  const frame = new Uint8Array(ETHERNET_HEADER_LENGTH + ARP_LENGTH);
  ethernetEmit(frame, 0, { destination, source, type: ETHERTYPE_ARP });
  arpEmit(frame, ETHERNET_HEADER_LENGTH, packet);
  return frame;
}
