/**
 * The MACs of all devices of this network namespace, ours or not, as sysfs shows them.
 *
 * The kernel answers on each of its devices for the addresses of all of them: a NIC that we do not
 * have (not taken yet, refused, nobody's) answers for the group's. Whoever hears such an answer
 * asks here whether it was the host itself. That is rare, so nothing is kept up to date for it.
 */

import { readdirSync, readFileSync } from 'node:fs';
import { type Mac, macParse } from '../wire/addr.ts';
import type { Clock } from './clock.ts';

const SYSFS = '/sys/class/net';

/** Ours: a flood of questions may cost a few percent of the time, not all of it. */
const REREAD_MS = 100;

/** See the head of the file. */
export class LinkMacs {
  readonly #clock: Clock;
  #macs: ReadonlySet<Mac> = new Set();
  #readAtMs = Number.NEGATIVE_INFINITY;

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  /** True for the MAC of a device of this host. A device that is new may be missed for 100 ms. */
  has(mac: Mac): boolean {
    const nowMs = this.#clock.nowMs();
    if (nowMs - this.#readAtMs >= REREAD_MS) {
      this.#macs = new Set(readMacs());
      this.#readAtMs = nowMs;
    }
    return this.#macs.has(mac);
  }
}

/** A device that goes while it is looked at is left out. */
function readMacs(): Mac[] {
  return readdirSync(SYSFS).flatMap((name) => {
    try {
      const mac = macParse(readFileSync(`${SYSFS}/${name}/address`, 'utf8').trim());
      return mac === undefined || mac === 0 ? [] : [mac];
    } catch (error) {
      const { code } = error as NodeJS.ErrnoException;
      if (code !== undefined && GONE.includes(code)) return [];
      throw error;
    }
  });
}

/** ENOTDIR: `bonding_masters` and its like are files. */
const GONE: readonly string[] = ['ENOENT', 'EINVAL', 'ENODEV', 'ENOTDIR'];
