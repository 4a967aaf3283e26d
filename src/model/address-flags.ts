/**
 * What the kernel notes of an address: the bits of IFA_FLAGS (linux/if_addr.h) that matter here,
 * and their names as `ip addr` shows them.
 */

import type { Family } from '../wire/addr.ts';

/** IPv6: made for privacy, and replaced in time (RFC 8981). IPv4: secondary in its network. */
export const IFA_F_TEMPORARY = 0x01;
/** The administrator wants no duplicate address detection. */
export const IFA_F_NODAD = 0x02;
export const IFA_F_OPTIMISTIC = 0x04;
/** Detection found another station that has it: the kernel does not use it. */
export const IFA_F_DADFAILED = 0x08;
/** Its preferred lifetime is over: new connections do not use it. */
export const IFA_F_DEPRECATED = 0x20;
/** The kernel's own detection is not over. */
export const IFA_F_TENTATIVE = 0x40;
/** Without a lifetime. */
export const IFA_F_PERMANENT = 0x80;

const NAMES: readonly (readonly [number, string])[] = [
  [IFA_F_NODAD, 'nodad'],
  [IFA_F_OPTIMISTIC, 'optimistic'],
  [IFA_F_DADFAILED, 'dadfailed'],
  [IFA_F_DEPRECATED, 'deprecated'],
  [IFA_F_TENTATIVE, 'tentative'],
];

/** The names of the flags that are set; `dynamic` for an address with a lifetime. */
export function addressFlagNames(family: Family, flags: number): string[] {
  const first = family === 6 ? 'temporary' : 'secondary';
  const names = NAMES.flatMap(([flag, name]) => ((flags & flag) !== 0 ? [name] : []));
  return [
    ...((flags & IFA_F_TEMPORARY) !== 0 ? [first] : []),
    ...names,
    ...((flags & IFA_F_PERMANENT) === 0 ? ['dynamic'] : []),
  ];
}
