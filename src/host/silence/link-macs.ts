/**
 * The MACs of all devices of this network namespace, ours or not, as sysfs shows them.
 *
 * The kernel answers on each of its devices for the addresses of all of them: a NIC that we do not
 * have (not taken yet, refused, another's) answers for the group's. The receiver of such an answer
 * must know at once whether it came from the host itself, so the MACs are kept here. They are read
 * on another thread, when the kernel has notified a change of any device; a storm of changes costs
 * one reading per REREAD_MS. A call of the addon costs the main thread more than the reading of a
 * file costs the other one, so each call reads many.
 */

import { failedWith, native } from '../../native/addon.ts';
import type { Clock } from '../../process/clock.ts';
import { type Mac, macParse } from '../../wire/addr.ts';

const SYSFS = '/sys/class/net';

/** Ours: a storm of changes may cost a few percent of a thread's time, not all of it. */
const REREAD_MS = 50;

/** Ours: files of one call, some milliseconds of its thread. */
const READ_TOGETHER = 256;

/** Ours: a process without descriptors left has some again by then, or other troubles. */
const RETRY_MS = 1000;

/** See the head of the file. */
export class LinkMacs {
  readonly #clock: Clock;
  readonly #folder: string;
  #macs: ReadonlySet<Mac> = new Set();
  #isScheduled = false;
  #isReading = false;
  /** Something has changed since the reading under way began. */
  #isStale = false;

  /** `folder` has a folder for each device, as sysfs has. */
  constructor(clock: Clock, folder = SYSFS) {
    this.#clock = clock;
    this.#folder = folder;
  }

  /** True for the MAC of a device of this host. One that has just changed may be missed. */
  has(mac: Mac): boolean {
    return this.#macs.has(mac);
  }

  /** A device is new, changed or gone. */
  handleChange(): void {
    this.#schedule(REREAD_MS);
  }

  /** Reads all of them, one reading at a time; what changes meanwhile is read afterwards. */
  async read(): Promise<void> {
    if (this.#isReading) {
      this.#isStale = true;
      return;
    }
    this.#isReading = true;
    this.#isStale = false;
    try {
      await this.#readAll();
    } finally {
      this.#isReading = false;
    }
    if (this.#isStale) this.#schedule(REREAD_MS);
  }

  /** What cannot be read now is read again later; the old ones hold. */
  async #readAll(): Promise<void> {
    try {
      const names = (await native.later.folderList(this.#folder)).split('\n').filter(Boolean);
      const texts: string[] = [];
      for (let first = 0; first < names.length; first += READ_TOGETHER) {
        const some = names.slice(first, first + READ_TOGETHER);
        texts.push(await readAddresses(this.#folder, some));
      }
      const macs = texts.flatMap((text) => text.split('\n').map(macParse));
      this.#macs = new Set(macs.flatMap((mac) => (mac === undefined || mac === 0 ? [] : [mac])));
    } catch (error) {
      if (!(error instanceof Error && 'code' in error)) throw error;
      this.#schedule(RETRY_MS);
    }
  }

  #schedule(delayMs: number): void {
    if (this.#isScheduled) return;
    this.#isScheduled = true;
    this.#clock.after(delayMs, () => {
      this.#isScheduled = false;
      void this.read();
    });
  }
}

/** A line for each; a device that goes while it is looked at has none. */
async function readAddresses(folder: string, names: readonly string[]): Promise<string> {
  try {
    return await native.later.filesRead(folder, names.map((name) => `${name}/address`).join(' '));
  } catch (error) {
    if (!failedWith(error, ...GONE)) throw error;
  }
  if (names.length === 1) return '';
  const middle = names.length >> 1;
  const first = await readAddresses(folder, names.slice(0, middle));
  return first + (await readAddresses(folder, names.slice(middle)));
}

/** ENOTDIR: `bonding_masters` and its like are files. */
const GONE: readonly string[] = ['ENOENT', 'EINVAL', 'ENODEV', 'ENOTDIR'];
