/** Hostile frames: valid ones of every known kind, mutated, truncated, and pure noise. */

import type { Rng } from '../../../src/base/rng.ts';

/** The stations that the frames name as source and destination. */
export interface Stations {
  readonly own: readonly string[];
  readonly others: readonly string[];
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

function mutate(rng: Rng, frame: number[]): number[] {
  for (let count = rng.below(4); count > 0; count -= 1) {
    const at = rng.below(frame.length);
    frame[at] = (frame[at] ?? 0) ^ (1 << rng.below(8));
  }
  if (rng.below(4) === 0) frame.length = LEAST_FRAME + rng.below(frame.length - LEAST_FRAME + 1);
  return frame;
}

/** `count` frames, the same ones for the same seed. Lengths 14 to 1514. */
export function hostileFrames(rng: Rng, stations: Stations, count: number): Uint8Array[] {
  const makers = [arp, ipv4, ipv4, other];
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
