/**
 * Settings under /proc/sys/net of one device. A device name may contain dots, which is why the
 * path is given in parts; a kernel without IPv6 has no ipv6 folder, and then there is nothing to
 * silence or to set.
 */

import { basename, dirname, join } from 'node:path';
import { isErrorCode, OperatorError } from '../../base/errors.ts';
import { assertNoOpenRegion } from '../../base/lock.ts';
import { failedWith, native } from '../../native/addon.ts';

const ROOT = '/proc/sys/net';

/**
 * The file of a device's setting, as `devicePath('ipv6', 'eth0', 'disable_ipv6')`; `neigh` has
 * those of its neighbour table.
 */
export function devicePath(
  family: 'ipv4' | 'ipv6',
  device: string,
  setting: string,
  tree: 'conf' | 'neigh' = 'conf',
): string {
  return join(ROOT, family, tree, device, setting);
}

/** The value without its newline; undefined if there is no such file. */
export async function sysctlRead(path: string): Promise<string | undefined> {
  try {
    return (await native.later.filesRead(dirname(path), basename(path))).trim();
  } catch (error) {
    if (failedWith(error, 'ENOENT')) return undefined;
    throw sysctlError(path, error);
  }
}

/** Writes a value; false if there is no such file. */
export async function sysctlWrite(path: string, value: string): Promise<boolean> {
  assertNoOpenRegion(`write to ${path}`);
  try {
    await native.later.fileWrite(path, `${value}\n`);
    return true;
  } catch (error) {
    if (failedWith(error, 'ENOENT')) return false;
    throw sysctlError(path, error);
  }
}

/** A refusal of the kernel as an error for operators; a mistake of ours is left as it is. */
function sysctlError(path: string, error: unknown): unknown {
  if (!(error instanceof Error && 'code' in error)) return error;
  const { code } = error;
  const hint =
    code === 'EACCES' || code === 'EROFS' || code === 'EPERM'
      ? 'the daemon needs a writable /proc/sys/net (in a unit: ReadWritePaths=/proc/sys/net)'
      : undefined;
  return new OperatorError(isErrorCode(code) ? code : 'EIO', `${path}: ${String(error)}`, hint);
}
