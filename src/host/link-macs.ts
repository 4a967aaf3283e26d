/** The MACs of all devices of this network namespace, ours or not, as sysfs shows them. */

import { readdirSync, readFileSync } from 'node:fs';
import { type Mac, macParse } from '../wire/addr.ts';

const SYSFS = '/sys/class/net';

/** Every MAC of this host; a device that goes while it is looked at is left out. */
export function linkMacs(): Mac[] {
  return readdirSync(SYSFS).flatMap((name) => {
    try {
      const mac = macParse(readFileSync(`${SYSFS}/${name}/address`, 'utf8').trim());
      return mac === undefined || mac === 0 ? [] : [mac];
    } catch (error) {
      const { code } = error as NodeJS.ErrnoException;
      if (code === 'ENOENT' || code === 'EINVAL' || code === 'ENODEV' || code === 'ENOTDIR')
        return [];
      throw error;
    }
  });
}
