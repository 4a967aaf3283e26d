/**
 * A TAP keeps the flags and the offload mask of its last opener. One that existed before us gets
 * back the flags it had, and no offloads: a program that opens it without a vnet header must not
 * be handed super-frames.
 */

import { OperatorError } from '../../base/errors.ts';
import { failedWith, native } from '../../native/addon.ts';
import { IFF_MULTI_QUEUE, IFF_NO_PI, IFF_TAP, IFF_VNET_HDR, tunFlags } from './tap.ts';

/** What TUNSETIFF takes; the rest of tun_flags tells a state. */
const SETTABLE = IFF_TAP | IFF_NO_PI | IFF_VNET_HDR | IFF_MULTI_QUEUE;

/** IFF_* of a TAP; undefined if the device is none. */
export async function tapFlags(name: string): Promise<number | undefined> {
  try {
    return await tunFlags(name);
  } catch (error) {
    if (error instanceof OperatorError && error.code === 'EINVAL') return undefined;
    throw error;
  }
}

/** Gives a TAP that no process holds the flags it had; EBUSY if one does. */
export async function resetTap(name: string, flags: number): Promise<void> {
  const { later } = native;
  const fd = await later.deviceOpen('/dev/net/tun');
  try {
    await later.tapAttach(fd, name, flags & SETTABLE);
    await later.tapSetOffload(fd, 0);
  } catch (error) {
    if (!failedWith(error, 'EBUSY', 'EINVAL', 'EPERM')) throw error;
    throw new OperatorError('EBUSY', `${name} keeps the settings of a TAP of ours: ${error}`);
  } finally {
    await later.deviceClose(fd);
  }
}
