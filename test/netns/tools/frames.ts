/** Hostile frames: valid ones of every known kind, mutated, truncated, and pure noise. */

import type { Rng } from '../../../src/base/rng.ts';
import { type Family, ipv6Parse, ipv6Write } from '../../../src/wire/addr.ts';

/** The stations that the frames name as source and destination. */
export interface Stations {
  readonly own: readonly string[];
  readonly others: readonly string[];
  /** Of the family of the frames. */
  readonly addresses: readonly string[];
}

const LEAST_FRAME = 14;
const MOST_FRAME = 1514;

function pick<T>(rng: Rng, values: readonly T[]): T {
  const value = values[rng.below(values.length)];
  if (value === undefined) throw new Error('nothing to pick from');
  return value;
}

const macBytes = (mac: string): number[] => mac.split(':').map((part) => Number.parseInt(part, 16));
const ipBytes = (address: string): number[] => address.split('.').map(Number);

function noise(rng: Rng, length: number): number[] {
  return Array.from({ length }, () => rng.below(256));
}

function ethernet(rng: Rng, stations: Stations, type: number): number[] {
  const all = [...stations.own, ...stations.others];
  const macs = [...macBytes(pick(rng, all)), ...macBytes(pick(rng, all))];
  return [...macs, type >> 8, type & 0xff];
}

function arp(rng: Rng, stations: Stations): number[] {
  const mac = (): number[] => macBytes(pick(rng, [...stations.own, ...stations.others]));
  const ip = (): number[] => ipBytes(pick(rng, stations.addresses));
  const head = [0, 1, 8, 0, 6, 4, 0, 1 + rng.below(2)];
  return [...ethernet(rng, stations, 0x0806), ...head, ...mac(), ...ip(), ...mac(), ...ip()];
}

/** RFC 1071 over a header whose checksum field is zero. */
function checksum(bytes: readonly number[]): number {
  let sum = 0;
  for (let at = 0; at < bytes.length; at += 2) {
    sum += ((bytes[at] ?? 0) << 8) | (bytes[at + 1] ?? 0);
  }
  while (sum > 0xffff) sum = (sum & 0xffff) + (sum >> 16);
  return ~sum & 0xffff;
}

function ipv4(rng: Rng, stations: Stations): number[] {
  const payload = transport(rng);
  const total = 20 + payload.length;
  const fragment = rng.below(4) === 0 ? [rng.below(64), rng.below(256)] : [0x40, 0];
  const protocol = pick(rng, [1, 2, 6, 17, 47, rng.below(256)]);
  const header = [0x45, 0, total >> 8, total & 0xff, 0, 1, ...fragment, 64, protocol, 0, 0];
  header.push(...ipBytes(pick(rng, stations.addresses)), ...ipBytes(pick(rng, stations.addresses)));
  const sum = checksum(header);
  header[10] = sum >> 8;
  header[11] = sum & 0xff;
  return [...ethernet(rng, stations, 0x0800), ...header, ...payload];
}

function transport(rng: Rng): number[] {
  const ports = [0, pick(rng, [67, 68, 53, 7000]), 0, pick(rng, [67, 68, 53, 7000])];
  const icmp = [pick(rng, [0, 3, 5, 8, 11]), rng.below(4), 0, 0];
  return [...pick(rng, [ports, icmp]), ...noise(rng, rng.below(60))];
}

function other(rng: Rng, stations: Stations): number[] {
  const type = pick(rng, [0x86dd, 0x8100, 0x88a8, 0x88cc, 0x0026, 0x8864, rng.below(65_536)]);
  return [...ethernet(rng, stations, type), ...noise(rng, rng.below(200))];
}

/** Extension headers by what may stand in them; the first of all is named by the IPv6 header. */
function extension(rng: Rng): { type: number; bytes: number[] } {
  const type = pick(rng, [0, 43, 44, 60, 60, 51, 135, 139]);
  if (type === 44) {
    // An atomic fragment, a first one, or a later one that may overlap it.
    const offset = pick(rng, [0, 1, 8, rng.below(65_536)]);
    return { type, bytes: [0, 0, offset >> 8, offset & 0xff, 0, 0, 0, rng.below(4)] };
  }
  const units = pick(rng, [0, 0, 1, rng.below(256)]);
  const bytes = new Array<number>(8 * (Math.min(units, 3) + 1)).fill(0);
  if (type === 43) bytes[2] = pick(rng, [0, 2, 3, 4]);
  else bytes[2] = pick(rng, [0, 1, 5, 0xc2]);
  bytes[1] = units;
  return { type, bytes };
}

function ipv6Header(rng: Rng, stations: Stations, next: number, length: number): number[] {
  const word = [0x60, rng.below(16), rng.below(256), rng.below(256)];
  const hopLimit = rng.below(8) === 0 ? rng.below(256) : 255;
  const ends = [pick(rng, stations.addresses), pick(rng, stations.addresses)].flatMap(ipv6Bytes);
  return [...word, length >> 8, length & 0xff, next, hopLimit, ...ends];
}

function ipv6Bytes(address: string): number[] {
  const bytes = new Uint8Array(16);
  ipv6Write(bytes, 0, ipv6Parse(address) ?? 0n);
  return [...bytes];
}

/** Most come from a station that is not there, to one of ours or to a group. */
function ethernet6(rng: Rng, stations: Stations): number[] {
  if (rng.below(8) === 0) return ethernet(rng, stations, 0x86dd);
  const to = macBytes(pick(rng, [...stations.own, ...stations.others]));
  return [...to, 0x52, 0x54, 0, 0x66, 0x66, rng.below(8), 0x86, 0xdd];
}

/** A packet behind up to ten extension headers; most have none. */
function packet6(rng: Rng, stations: Stations, protocol: number, payload: number[]): number[] {
  const count = rng.below(4) > 0 ? 0 : pick(rng, [1, 1, 2, rng.below(11)]);
  const chain = Array.from({ length: count }, () => extension(rng));
  const types = [...chain.map(({ type }) => type), protocol];
  const headers = chain.flatMap(({ bytes }, at) => [types[at + 1] ?? 0, ...bytes.slice(1)]);
  const length = headers.length + payload.length;
  const header = ipv6Header(rng, stations, types[0] ?? protocol, length);
  if (protocol === ICMPV6 && rng.below(8) > 0) icmpv6Seal(header, payload);
  return [...ethernet6(rng, stations), ...header, ...headers, ...payload];
}

const ICMPV6 = 58;

/** Writes the checksum of an ICMPv6 message whose addresses are in `header` (RFC 4443 2.3). */
function icmpv6Seal(header: readonly number[], message: number[]): void {
  message[2] = 0;
  message[3] = 0;
  const length = [0, 0, message.length >> 8, message.length & 0xff];
  const sum = checksum([...header.slice(8), ...length, 0, 0, 0, ICMPV6, ...message]);
  message[2] = sum >> 8;
  message[3] = sum & 0xff;
}

function ipv6(rng: Rng, stations: Stations): number[] {
  const protocol = pick(rng, [6, 17, ICMPV6, 59, 47, rng.below(256)]);
  const echo = [pick(rng, [1, 2, 3, 4, 128, 129, 130, 131, 143]), rng.below(3), 0, 0];
  const payload =
    protocol === ICMPV6 ? [...echo, ...noise(rng, 4 + rng.below(60))] : transport(rng);
  return packet6(rng, stations, protocol, payload);
}

/** Neighbour discovery: each of its messages, with options that are right, wrong and endless. */
function discovery(rng: Rng, stations: Stations): number[] {
  const type = 133 + rng.below(5);
  const target = (): number[] => ipv6Bytes(pick(rng, stations.addresses));
  const flags = [pick(rng, [0, 0x20, 0x60, 0xe0, rng.below(256)]), 0, 0, 0];
  const heads: Record<number, number[]> = {
    133: [0, 0, 0, 0],
    134: [64, rng.below(256), 0, pick(rng, [0, 180]), ...noise(rng, 8)],
    137: [0, 0, 0, 0, ...target(), ...target()],
  };
  const head = heads[type] ?? [...flags, ...target()];
  const options = Array.from({ length: pick(rng, [0, 1, 1, 2, rng.below(20)]) }, () => {
    const mac = macBytes(pick(rng, [...stations.own, ...stations.others]));
    return pick(rng, [
      [1, 1, ...mac],
      [2, 1, ...mac],
      [3, 4, 64, 0xc0, 0, 0, 14, 16, 0, 0, 14, 16, 0, 0, 0, 0, ...target()],
      [5, 1, 0, 0, 0, 0, 5, pick(rng, [0, 220])],
      [14, 1, ...noise(rng, 6)],
      [rng.below(256), rng.below(3), ...noise(rng, 6)],
    ]);
  });
  return packet6(rng, stations, ICMPV6, [type, 0, 0, 0, ...head, ...options.flat()]);
}

const MAKERS = {
  4: [arp, ipv4, ipv4, other],
  6: [discovery, discovery, ipv6, ipv6],
} as const;

function mutate(rng: Rng, frame: number[]): number[] {
  for (let count = rng.below(4); count > 0; count -= 1) {
    const at = rng.below(frame.length);
    frame[at] = (frame[at] ?? 0) ^ (1 << rng.below(8));
  }
  if (rng.below(4) === 0) frame.length = LEAST_FRAME + rng.below(frame.length - LEAST_FRAME + 1);
  return frame;
}

/** `count` frames of a family, the same ones for the same seed. Lengths 14 to 1514. */
export function hostileFrames(
  rng: Rng,
  stations: Stations,
  count: number,
  family: Family = 4,
): Uint8Array[] {
  const makers = MAKERS[family];
  return Array.from({ length: count }, () => {
    if (rng.below(8) === 0) {
      return Uint8Array.from(
        noise(rng, LEAST_FRAME + rng.below(rng.below(4) ? 100 : MOST_FRAME - LEAST_FRAME)),
      );
    }
    return Uint8Array.from(mutate(rng, pick(rng, makers)(rng, stations)));
  });
}

/** The frames as a capture file (libpcap 2.4, Ethernet) that tcpreplay can send. */
export function pcapOf(frames: readonly Uint8Array[]): Buffer {
  const head = Buffer.alloc(24);
  head.writeUInt32LE(0xa1b2c3d4, 0);
  head.writeUInt16LE(2, 4);
  head.writeUInt16LE(4, 6);
  head.writeUInt32LE(65_535, 16);
  head.writeUInt32LE(1, 20);
  const parts: Uint8Array[] = [head];
  for (const [index, frame] of frames.entries()) {
    const record = Buffer.alloc(16);
    record.writeUInt32LE(Math.floor(index / 1000), 0);
    record.writeUInt32LE((index % 1000) * 1000, 4);
    record.writeUInt32LE(frame.length, 8);
    record.writeUInt32LE(frame.length, 12);
    parts.push(record, frame);
  }
  return Buffer.concat(parts);
}
