/**
 * The native addon with its types: the one way in which src reaches C. The functions are handed
 * out as they are, so that a hot call costs one crossing and nothing more.
 */

import addon, { type BurstHandle, type Native, type NativeError } from '#native';
import { assert } from '../base/assert.ts';

export type { BurstHandle, NativeError };

/** The interface version this file was written against (IPMPD_NATIVE_ABI in native.h). */
const NATIVE_ABI = 1;

assert(
  addon.abi === NATIVE_ABI,
  `native addon has interface ${addon.abi}, this program needs ${NATIVE_ABI}: npm run build`,
);

/** Every function and constant of the addon; native/index.d.ts describes them one by one. */
export const native: Native = addon;

/** The name of an errno, with or without its sign: errnoName(-5) is 'EIO'. */
export function errnoName(error: number): string {
  const number = Math.abs(error);
  for (const [name, value] of Object.entries(addon.errno)) {
    if (value === number) return name;
  }
  return `E${number}`;
}

/** True if a system call of the addon (or of Node) failed with one of these errno names. */
export function failedWith(error: unknown, ...codes: string[]): error is NativeError {
  return error instanceof Error && 'code' in error && codes.includes(String(error.code));
}
