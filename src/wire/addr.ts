/**
 * Addresses: Ethernet (48 bits, IEEE 802), IPv4 (RFC 791), IPv6 (RFC 4291, RFC 5952), and prefixes
 * as an operator writes them.
 *
 * An address is a value: it compares with `===` and is a key of a Map. A MAC is an integer below
 * 2^48, of which zero means none. An IPv4 address is an integer below 2^32, an IPv6 address a
 * bigint below 2^128; so the type of the value is its family, and an address of either is an
 * `IpAddress`. None is `undefined` there: 0 and 0n are the unspecified addresses, which packets
 * carry. Bigints are for the control plane; code that runs per frame reads 32-bit words.
 */

import { readU16, readU32, writeU16, writeU32 } from '../base/bytes.ts';

/** An Ethernet address as a 48-bit integer; 0 = none. */
export type Mac = number;

/** An IPv4 address as an unsigned 32-bit integer; 0 = unspecified. */
export type Ipv4 = number;

/** An IPv6 address as an unsigned 128-bit integer; 0n = unspecified. */
export type Ipv6 = bigint;

/** An address of either family. */
export type IpAddress = Ipv4 | Ipv6;

export type Family = 4 | 6;

// From the standards.

/** Bytes of an Ethernet address. */
export const MAC_LENGTH = 6;

/** Bytes of an IPv4 address. */
export const IPV4_ADDRESS_LENGTH = 4;

/** Bytes of an IPv6 address. */
export const IPV6_ADDRESS_LENGTH = 16;

/** Every station of the segment. */
export const MAC_BROADCAST: Mac = 0xffffffffffff;

/** Every host of the link (RFC 919). */
export const IPV4_BROADCAST: Ipv4 = 0xffffffff;

/** `::`: none yet, or none known (RFC 4291 2.5.2). */
export const IPV6_UNSPECIFIED: Ipv6 = 0n;
/** `::1` (RFC 4291 2.5.3). */
const IPV6_LOOPBACK: Ipv6 = 1n;
/** `ff02::1`, `ff02::2` (RFC 4291 2.7.1) and `ff02::16` (RFC 3810 5.2.14). */
export const IPV6_ALL_NODES: Ipv6 = (0xff02n << 112n) | 1n;
export const IPV6_ALL_ROUTERS: Ipv6 = (0xff02n << 112n) | 2n;
export const IPV6_ALL_MLDV2_ROUTERS: Ipv6 = (0xff02n << 112n) | 0x16n;
/** `ff02::1:ff00:0/104` (RFC 4291 2.7.1). */
const SOLICITED_NODE: Ipv6 = (0xff02n << 112n) | 0x1ff000000n;
/** `::ffff:0:0/96` (RFC 4291 2.5.5.2). */
const MAPPED: Ipv6 = 0xffffn;
const IPV6_ALL_ONES: Ipv6 = (1n << 128n) - 1n;

/** Bits of an address, the longest prefix. */
const ADDRESS_BITS: Record<Family, number> = { 4: 32, 6: 128 };

/** First octets of the MAC of a group (RFC 1112 6.4, RFC 2464 7). */
const IPV4_GROUP_MAC: Mac = 0x01005e000000;
const IPV6_GROUP_MAC: Mac = 0x333300000000;

const TWO_TO_32 = 2 ** 32;
const TWO_TO_40 = 2 ** 40;

/** First byte of a MAC: the frame is for a group of stations. */
const GROUP_BIT = 0x01;

/** The MAC at `offset`. */
export function macRead(bytes: Uint8Array, offset: number): Mac {
  return readU16(bytes, offset) * TWO_TO_32 + readU32(bytes, offset + 2);
}

/** Writes the MAC at `offset`: six bytes. */
export function macWrite(bytes: Uint8Array, offset: number, mac: Mac): void {
  writeU16(bytes, offset, Math.floor(mac / TWO_TO_32));
  writeU32(bytes, offset + 2, mac % TWO_TO_32);
}

/** Six pairs of lower-case hexadecimal digits: `02:00:00:00:00:01`. */
export function macFormat(mac: Mac): string {
  return mac
    .toString(16)
    .padStart(12, '0')
    .replace(/..(?!$)/g, '$&:');
}

/** The MAC that `text` shows as six pairs of digits with colons; undefined for anything else. */
export function macParse(text: string): Mac | undefined {
  if (!/^[0-9a-f]{2}(?::[0-9a-f]{2}){5}$/i.test(text)) return undefined;
  return Number.parseInt(text.replaceAll(':', ''), 16);
}

/** True for multicast and broadcast addresses. */
export function macIsGroup(mac: Mac): boolean {
  return (Math.floor(mac / TWO_TO_40) & GROUP_BIT) !== 0;
}

/** The IPv4 address at `offset`. */
export function ipv4Read(bytes: Uint8Array, offset: number): Ipv4 {
  return readU32(bytes, offset);
}

/** Writes the IPv4 address at `offset`: four bytes. */
export function ipv4Write(bytes: Uint8Array, offset: number, address: Ipv4): void {
  writeU32(bytes, offset, address);
}

/** Dotted decimal: `192.0.2.1`. */
export function ipv4Format(address: Ipv4): string {
  const high = `${address >>> 24}.${(address >>> 16) & 0xff}`;
  return `${high}.${(address >>> 8) & 0xff}.${address & 0xff}`;
}

/** The address that `text` shows as four decimal numbers without leading zeros. */
export function ipv4Parse(text: string): Ipv4 | undefined {
  const match = /^(\d{1,3})\.(\d{1,3})\.(\d{1,3})\.(\d{1,3})$/.exec(text);
  if (match === null) return undefined;
  let address = 0;
  for (const part of match.slice(1)) {
    const value = Number(part);
    if (value > 255 || String(value) !== part) return undefined;
    address = address * 256 + value;
  }
  return address;
}

/** The mask of a prefix of 0 to 32 bits. */
export function ipv4Mask(prefixLength: number): Ipv4 {
  return prefixLength === 0 ? 0 : (0xffffffff << (32 - prefixLength)) >>> 0;
}

/** True for 224.0.0.0/4. */
export function ipv4IsMulticast(address: Ipv4): boolean {
  return address >>> 28 === 0xe;
}

/** True for 127.0.0.0/8. */
export function ipv4IsLoopback(address: Ipv4): boolean {
  return address >>> 24 === 127;
}

/**
 * True if one station of a network may have the address (RFC 1122 3.2.1.3); also for one as a
 * signed word. Of 0.0.0.0/8 only 0.0.0.0 itself is none, and 240.0.0.0/4 is unicast but for the
 * limited broadcast: current Linux takes both ranges so.
 */
export function ipv4IsUnicast(address: Ipv4): boolean {
  return (
    address !== 0 &&
    !ipv4IsLoopback(address) &&
    !ipv4IsMulticast(address) &&
    address >>> 0 !== IPV4_BROADCAST
  );
}

/** True if both addresses have the first `prefixLength` bits in common. */
export function ipv4SameSubnet(left: Ipv4, right: Ipv4, prefixLength: number): boolean {
  return ((left ^ right) & ipv4Mask(prefixLength)) === 0;
}

/** The IPv6 address at `offset`. */
export function ipv6Read(bytes: Uint8Array, offset: number): Ipv6 {
  let address = 0n;
  for (let at = offset; at < offset + IPV6_ADDRESS_LENGTH; at += 4) {
    address = (address << 32n) | BigInt(readU32(bytes, at));
  }
  return address;
}

/** Writes the IPv6 address at `offset`: sixteen bytes. */
export function ipv6Write(bytes: Uint8Array, offset: number, address: Ipv6): void {
  for (const [index, word] of ipv6Words(address).entries()) {
    writeU32(bytes, offset + 4 * index, word);
  }
}

/** The four 32-bit words of an address, the first one highest, each from 0 to 2^32 - 1. */
export function ipv6Words(address: Ipv6): [number, number, number, number] {
  const word = (shift: bigint): number => Number((address >> shift) & 0xffffffffn);
  return [word(96n), word(64n), word(32n), word(0n)];
}

/** The IPv6 address in `text` (RFC 4291 2.2, no zone); undefined if it is none. */
export function ipv6Parse(text: string): Ipv6 | undefined {
  const halves = text.split('::');
  if (halves.length > 2) return undefined;
  const head = groupsParse(halves[0]!, halves.length === 1);
  if (head === undefined) return undefined;
  if (halves.length === 1) return head.length === 8 ? groupsJoin(head) : undefined;
  const tail = groupsParse(halves[1]!, true);
  if (tail === undefined || head.length + tail.length > 7) return undefined;
  const zeros = new Array<number>(8 - head.length - tail.length).fill(0);
  return groupsJoin([...head, ...zeros, ...tail]);
}

/** Groups of hexadecimal digits between colons; the last two may be in dotted decimal. */
function groupsParse(text: string, mayEndInIpv4: boolean): number[] | undefined {
  if (text === '') return [];
  const groups: number[] = [];
  const parts = text.split(':');
  for (const [index, part] of parts.entries()) {
    if (mayEndInIpv4 && index === parts.length - 1 && part.includes('.')) {
      const address = ipv4Parse(part);
      if (address === undefined) return undefined;
      groups.push(address >>> 16, address & 0xffff);
    } else {
      if (!/^[0-9a-f]{1,4}$/i.test(part)) return undefined;
      groups.push(Number.parseInt(part, 16));
    }
  }
  return groups;
}

function groupsJoin(groups: readonly number[]): Ipv6 {
  return groups.reduce((address, group) => (address << 16n) | BigInt(group), 0n);
}

/** The canonical text (RFC 5952 4; mapped IPv4 in dotted decimal, 5). */
export function ipv6Format(address: Ipv6): string {
  const words = ipv6Words(address);
  if (ipv6IsMapped(address)) return `::ffff:${ipv4Format(words[3])}`;
  const groups = words.flatMap((word) => [word >>> 16, word & 0xffff]);
  const [start, length] = longestZeroRun(groups);
  const format = (part: number[]): string => part.map((group) => group.toString(16)).join(':');
  if (length < 2) return format(groups);
  return `${format(groups.slice(0, start))}::${format(groups.slice(start + length))}`;
}

/** Start and length of the first longest run of zeros. */
function longestZeroRun(groups: number[]): [number, number] {
  let bestStart = 0;
  let bestLength = 0;
  let start = 0;
  for (let i = 0; i <= groups.length; i++) {
    if (groups[i] === 0) continue;
    if (i - start > bestLength) {
      bestStart = start;
      bestLength = i - start;
    }
    start = i + 1;
  }
  return [bestStart, bestLength];
}

/** True for ff00::/8. */
export function ipv6IsMulticast(address: Ipv6): boolean {
  return address >> 120n === 0xffn;
}

/** True for `::ffff:0:0/96`, an IPv4 address within a program, never in a packet (RFC 4291). */
export function ipv6IsMapped(address: Ipv6): boolean {
  return address >> 32n === MAPPED;
}

/** True if one station of a network may have the address (RFC 4291 2.5). */
export function ipv6IsUnicast(address: Ipv6): boolean {
  return address > IPV6_LOOPBACK && !ipv6IsMulticast(address) && !ipv6IsMapped(address);
}

/** The group in which a station is asked about its address (RFC 4291 2.7.1). */
export function ipv6SolicitedNode(address: Ipv6): Ipv6 {
  return SOLICITED_NODE | (address & 0xffffffn);
}

/** The family of an address. */
export function ipFamily(address: IpAddress): Family {
  return typeof address === 'number' ? 4 : 6;
}

/** The address of either family in `text`, without prefix length; undefined if it is none. */
export function ipParse(text: string): IpAddress | undefined {
  return ipv4Parse(text) ?? ipv6Parse(text);
}

/** The canonical text of an address. */
export function ipFormat(address: IpAddress): string {
  return typeof address === 'number' ? ipv4Format(address) : ipv6Format(address);
}

/** The first address of the network in which `address` is: all bits after the prefix are zero. */
export function ipNetwork(address: IpAddress, prefixLength: number): IpAddress {
  if (typeof address === 'number') return (address & ipv4Mask(prefixLength)) >>> 0;
  const hostBits = BigInt(ADDRESS_BITS[6] - prefixLength);
  return (address >> hostBits) << hostBits;
}

/** The last address of that network: all bits after the prefix are one. */
export function ipLastOf(address: IpAddress, prefixLength: number): IpAddress {
  if (typeof address === 'number') return (address | ~ipv4Mask(prefixLength)) >>> 0;
  return address | (IPV6_ALL_ONES >> BigInt(prefixLength));
}

/** True if both addresses are of one family and have their first `prefixLength` bits in common. */
export function ipSameSubnet(left: IpAddress, right: IpAddress, prefixLength: number): boolean {
  return ipNetwork(left, prefixLength) === ipNetwork(right, prefixLength);
}

/** True for 224.0.0.0/4 and ff00::/8. */
export function ipIsMulticast(address: IpAddress): boolean {
  return typeof address === 'number' ? ipv4IsMulticast(address) : ipv6IsMulticast(address);
}

/** True if one station of a network may have the address. */
export function ipIsUnicast(address: IpAddress): boolean {
  return typeof address === 'number' ? ipv4IsUnicast(address) : ipv6IsUnicast(address);
}

/** True for 169.254.0.0/16 (RFC 3927) and fe80::/10 (RFC 4291 2.5.6). */
export function ipIsLinkLocal(address: IpAddress): boolean {
  return typeof address === 'number' ? address >>> 16 === 0xa9fe : address >> 118n === 0x3fan;
}

/** The MAC to which frames for a multicast address are sent (RFC 1112 6.4, RFC 2464 7). */
export function ipMulticastMac(group: IpAddress): Mac {
  if (typeof group === 'number') return IPV4_GROUP_MAC + (group & 0x7fffff);
  return IPV6_GROUP_MAC + Number(group & 0xffffffffn);
}

/** An address with the length of its prefix. */
export interface Prefix {
  family: Family;
  /** Canonical text of the whole address: host bits are kept. */
  address: string;
  /** 0 to 32 or 0 to 128. */
  prefixLength: number;
}

/** The prefix in `text`, as in `192.0.2.10/24`; the length must be there. */
export function prefixParse(text: string): Prefix | undefined {
  const match = /^([0-9a-f.:]+)\/(0|[1-9]\d{0,2})$/i.exec(text);
  if (match === null) return undefined;
  const prefixLength = Number(match[2]);
  const address = ipParse(match[1]!);
  if (address === undefined) return undefined;
  const family = ipFamily(address);
  if (prefixLength > ADDRESS_BITS[family]) return undefined;
  return { family, address: ipFormat(address), prefixLength };
}
