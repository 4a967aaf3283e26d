/**
 * Addresses: Ethernet (48 bits, IEEE 802), IPv4 (RFC 791), IPv6 as text (RFC 4291, RFC 5952),
 * and prefixes as an operator writes them.
 *
 * A MAC is an integer below 2^48 and an IPv4 address one below 2^32, so that both compare with
 * `===`, live in typed arrays and need no allocation. Zero means none.
 */

import { readU16, readU32, writeU16, writeU32 } from '../base/bytes.ts';

/** An Ethernet address as a 48-bit integer; 0 = none. */
export type Mac = number;

/** An IPv4 address as an unsigned 32-bit integer; 0 = unspecified. */
export type Ipv4 = number;

// From the standards.

/** Bytes of an Ethernet address. */
export const MAC_LENGTH = 6;

/** Bytes of an IPv4 address. */
export const IPV4_ADDRESS_LENGTH = 4;

/** Every station of the segment. */
export const MAC_BROADCAST: Mac = 0xffffffffffff;

/** Every host of the link (RFC 919). */
export const IPV4_BROADCAST: Ipv4 = 0xffffffff;

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

/** The 16 bytes of the IPv6 address in `text` (RFC 4291 2.2, no zone); undefined if it is none. */
export function ipv6Parse(text: string): Uint8Array | undefined {
  const halves = text.split('::');
  if (halves.length > 2) return undefined;
  const head = groupsParse(halves[0]!, halves.length === 1);
  if (head === undefined) return undefined;
  if (halves.length === 1) return head.length === 8 ? groupsToBytes(head) : undefined;
  const tail = groupsParse(halves[1]!, true);
  if (tail === undefined || head.length + tail.length > 7) return undefined;
  const zeros = new Array<number>(8 - head.length - tail.length).fill(0);
  return groupsToBytes([...head, ...zeros, ...tail]);
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

function groupsToBytes(groups: number[]): Uint8Array {
  const bytes = new Uint8Array(16);
  for (const [index, group] of groups.entries()) writeU16(bytes, 2 * index, group);
  return bytes;
}

/** The canonical text of the 16 bytes (RFC 5952 4; mapped IPv4 in dotted decimal, 5). */
export function ipv6Format(bytes: Uint8Array): string {
  const groups: number[] = [];
  for (let i = 0; i < 8; i++) groups.push(readU16(bytes, 2 * i));
  const isMapped = groups.slice(0, 5).every((group) => group === 0) && groups[5] === 0xffff;
  if (isMapped) return `::ffff:${ipv4Format(readU32(bytes, 12))}`;
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

/** An address with the length of its prefix. */
export interface Prefix {
  family: 4 | 6;
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
  const address = ipv4Parse(match[1]!);
  if (address !== undefined) {
    return prefixLength <= 32
      ? { family: 4, address: ipv4Format(address), prefixLength }
      : undefined;
  }
  const bytes = ipv6Parse(match[1]!);
  if (bytes === undefined || prefixLength > 128) return undefined;
  return { family: 6, address: ipv6Format(bytes), prefixLength };
}
