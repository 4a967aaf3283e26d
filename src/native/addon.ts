/**
 * The native addon with its types: the one way in which src reaches C. The functions are handed
 * out as they are, so that a hot call costs one crossing and nothing more; what lives on the
 * event loop has a class beside this file.
 */

import addon, {
  type BurstHandle,
  type Native,
  type NativeError,
  type PeerCredentials,
  type WaitingCalls,
} from '#native';
import { assert } from '../base/assert.ts';
import { isErrorCode, OperatorError } from '../base/errors.ts';
import { keysOf } from '../base/keys.ts';
import { assertMayWait } from '../base/serving.ts';

export type { BurstHandle, NativeError, PeerCredentials };

/** The interface version this file was written against (IPMPD_NATIVE_ABI in native.h). */
const NATIVE_ABI = 4;

assert(
  addon.abi === NATIVE_ABI,
  `native addon has interface ${addon.abi}, this program needs ${NATIVE_ABI}: npm run build`,
);

/**
 * Every function and constant of the addon; native/index.d.ts describes them one by one. A call
 * that may wait has the form that is made at once too, for threads that serve nothing.
 */
export const native: Native = { ...addon, ...watchedCalls() };

function watchedCalls(): WaitingCalls {
  const names = keysOf(addon.later);
  const calls = names.map((name) => {
    const call = addon[name] as (...args: unknown[]) => unknown;
    const watched = (...args: unknown[]): unknown => {
      assertMayWait(name);
      return call(...args);
    };
    return [name, watched];
  });
  return Object.fromEntries(calls);
}

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

/** True for what a failed system call of the addon (or of Node) throws. */
export function isNativeError(error: unknown): error is NativeError {
  return error instanceof Error && 'code' in error && 'syscall' in error;
}

/** What the addon or Node throws as a refusal of what was asked of `name`; others unchanged. */
export function operatorErrorOf(error: unknown, name: string): unknown {
  if (!isNativeError(error)) return error;
  const code = isErrorCode(error.code) ? error.code : 'EIO';
  return new OperatorError(code, `${name}: ${error.message}`);
}
