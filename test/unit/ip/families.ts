/**
 * Tests of both address families from one source. The addresses of a test are written as those of
 * IPv4; in IPv6 they are the last 32 bits of one in 2001:db8::/96.
 */

import { test } from 'node:test';
import { ADVERTISE_AT_MS, ANNOUNCE_AT_MS } from '../../../src/ip/claim/dad.ts';
import type { DropReason } from '../../../src/stats/drop-reasons.ts';
import { type Family, type IpAddress, ipv6Parse } from '../../../src/wire/addr.ts';
import { DATA, GATEWAY, ip, TEST, World, type WorldOptions } from './harness.ts';

const PREFIX = ipv6Parse('2001:db8::')!;

type Suffix =
  | 'reflection'
  | 'other_target'
  | 'other_interface'
  | 'unsolicited'
  | 'static_neighbor'
  | 'change_locked'
  | 'conflict';

/** One family, as a test needs it. */
export interface FamilyCase {
  readonly family: Family;
  readonly name: string;
  /** The address that stands for one of IPv4. */
  ip(text: string): IpAddress;
  /** The address `count` after another one. */
  after(address: IpAddress, count: number): IpAddress;
  /** No address. */
  readonly NONE: IpAddress;
  readonly GATEWAY: IpAddress;
  readonly DATA: IpAddress;
  readonly TEST: IpAddress;
  /** Of a /24 of IPv4. */
  readonly prefixLength: number;
  readonly announceAtMs: readonly number[];
  /** The drop reason of the family. */
  reason(suffix: Suffix): DropReason;
  world(options?: Omit<WorldOptions, 'family'>): World;
  /** With DATA on the first NIC. */
  worldWithData(options?: Omit<WorldOptions, 'family'>): World;
}

function familyCase(family: Family): FamilyCase {
  const from = (address: number): IpAddress => (family === 4 ? address : PREFIX + BigInt(address));
  const world: FamilyCase['world'] = (options) => new World({ ...options, family });
  return {
    family,
    name: `IPv${family}`,
    ip: (text) => from(ip(text)),
    after: (address, count) => {
      return typeof address === 'number' ? (address + count) >>> 0 : address + BigInt(count);
    },
    NONE: family === 4 ? 0 : 0n,
    GATEWAY: from(GATEWAY),
    DATA: from(DATA),
    TEST: from(TEST),
    prefixLength: family === 4 ? 24 : 120,
    announceAtMs: family === 4 ? ANNOUNCE_AT_MS : ADVERTISE_AT_MS,
    reason: (suffix) => (family === 4 ? `arp_${suffix}` : `nd_${suffix}`),
    world,
    worldWithData: (options) => {
      const made = world(options);
      made.addData(from(DATA), 0);
      return made;
    },
  };
}

export const FAMILIES: readonly FamilyCase[] = [familyCase(4), familyCase(6)];

/** One test for each family. */
export function testFamilies(title: string, body: (family: FamilyCase) => void): void {
  for (const family of FAMILIES) test(`${title} (${family.name})`, () => body(family));
}
