/**
 * A TAP keeps the flags and the offload mask of its last opener. One that existed before us gets
 * back the flags it had, and no offloads: a program that opens it without a vnet header must not
 * be handed super-frames.
 */

import { readFileSync } from 'node:fs';
import { OperatorError } from '../base/errors.ts';
import { failedWith, native } from '../datapath/native.ts';
import { IFF_MULTI_QUEUE, IFF_NO_PI, IFF_TAP, IFF_VNET_HDR } from '../datapath/tap.ts';

/** What TUNSETIFF takes; the rest of tun_flags tells a state. */
const SETTABLE = IFF_TAP | IFF_NO_PI | IFF_VNET_HDR | IFF_MULTI_QUEUE;

/** IFF_* of a TAP; undefined if the device is none. */
export function tapFlags(name: string): number | undefined {
  try {
    return Number.parseInt(readFileSync(`/sys/class/net/${name}/tun_flags`, 'latin1'), 16);
  } catch (error) {
    if (failedWith(error, 'ENOENT')) return undefined;
    throw error;
  }
}

/** Gives a TAP that nobody holds the flags it had; EBUSY if somebody does. */
export function resetTap(name: string, flags: number): void {
  const fd = native.deviceOpen('/dev/net/tun');
  try {
    native.tapAttach(fd, name, flags & SETTABLE);
    native.tapSetOffload(fd, 0);
  } catch (error) {
    if (!failedWith(error, 'EBUSY', 'EINVAL', 'EPERM')) throw error;
    throw new OperatorError('EBUSY', `${name} keeps the settings of a TAP of ours: ${error}`);
  } finally {
    native.deviceClose(fd);
  }
}
