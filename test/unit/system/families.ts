/** The two families of addresses as rows for tests that hold for both. */

import type { Family } from '../../../src/wire/addr.ts';

/** One family with addresses of it. */
export interface FamilyRow {
  readonly family: Family;
  /** Host number `n` of the documentation network. */
  readonly at: (n: number) => string;
  /** Number `n` of the multicast addresses of a site. */
  readonly castAt: (n: number) => string;
  /** The length of a prefix that is one host. */
  readonly whole: number;
}

export const FAMILIES: readonly FamilyRow[] = [
  { family: 4, at: (n) => `192.0.2.${n}`, castAt: (n) => `239.0.0.${n}`, whole: 32 },
  {
    family: 6,
    at: (n) => `2001:db8::${n.toString(16)}`,
    castAt: (n) => `ff05::1:${n.toString(16)}`,
    whole: 128,
  },
];
