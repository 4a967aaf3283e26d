/**
 * The counters that the kernel and a device's driver keep, read from sysfs on a thread of its own.
 *
 * The same figures could be asked for over rtnetlink, but that question waits for the kernel's
 * configuration lock, which others may hold for seconds. These files take no lock; only the driver
 * itself can keep their reader waiting, and then it is the readers of this device that wait.
 */

import { OperatorError } from '../base/errors.ts';
import { failedWith, native } from '../native/addon.ts';
import type { DeviceCounters } from './kernel/records.ts';

/** Of `struct rtnl_link_stats64`, by the names that sysfs gives them. */
const FILES = 'rx_errors tx_errors rx_dropped tx_dropped';

/** Counters that the driver of `name` keeps. ENODEV if the device is gone. */
export async function readCounters(name: string): Promise<DeviceCounters> {
  const [rxErrors, txErrors, rxDropped, txDropped] = await readLines(name);
  if (
    rxErrors === undefined ||
    txErrors === undefined ||
    rxDropped === undefined ||
    txDropped === undefined
  ) {
    throw new OperatorError('EIO', `read the counters of ${name}: some are missing`);
  }
  return { rxErrors, txErrors, rxDropped, txDropped };
}

async function readLines(name: string): Promise<bigint[]> {
  const what = `read the counters of ${name}`;
  try {
    const text = await native.later.filesRead(`/sys/class/net/${name}/statistics`, FILES);
    return text.trim().split('\n').map(BigInt);
  } catch (error) {
    // EINVAL and ENODEV: the kernel's answer while the device is being unregistered.
    if (failedWith(error, 'ENOENT', 'ENODEV', 'EINVAL')) {
      throw new OperatorError('ENODEV', `${what}: it is gone`);
    }
    throw error;
  }
}
