/**
 * Loss of carrier, reported at once.
 *
 * The kernel reports link changes of ordinary NICs at most once a second for the whole machine.
 * A native thread therefore reads `carrier_changes` of the devices that decide each millisecond
 * (the NIC below a macvtap, the other ports of a bridge), stores the state where the workers
 * see it, and calls back. Here the devices are chosen, and chosen anew as ports come and go.
 */

import { failedWith, isNativeError } from '../native/addon.ts';
import type { CarrierFiles, CarrierWatch } from '../native/carrier-watch.ts';
import type { HostLog } from '../process/log.ts';
import type { LinkRecord } from './kernel/records.ts';

const SYSFS = '/sys/class/net';

/** Words per NIC in the shared array: lost (0/1), changes, two spare. */
const WORDS_PER_NIC = 4;
const WORD_LOST = 0;
const WORD_CHANGES = 1;

/** What is known of a device whose carrier decides. */
export type DecidingDevice = Pick<
  LinkRecord,
  'ifindex' | 'name' | 'up' | 'carrier' | 'carrierChanges'
>;

/** The native thread, or that of a test. */
export type CarrierWatchPort = Pick<CarrierWatch, 'add' | 'remove' | 'refresh' | 'close'>;

/** Starts the thread; `words` is written by it alone, `onChange` is called on this thread. */
export type OpenCarrierWatch = (
  words: Int32Array,
  wakeFds: readonly number[],
  onChange: (nic: number) => void,
) => CarrierWatchPort;

/** Which devices decide about which NIC. */
export class CarrierMonitor {
  readonly #watch: CarrierWatchPort;
  readonly #words: Int32Array;
  readonly #watched = new Map<number, string>();
  readonly #log: HostLog;
  /** NICs that could not be watched, which was logged. */
  readonly #refused = new Set<number>();

  /** A NIC that cannot be watched (no descriptor is left) is logged once. */
  constructor(options: {
    open: OpenCarrierWatch;
    words: Int32Array;
    wakeFds: readonly number[];
    onChange: (nic: number) => void;
    log: HostLog;
  }) {
    this.#words = options.words;
    this.#log = options.log;
    this.#watch = options.open(options.words, options.wakeFds, options.onChange);
  }

  /** Watches exactly these devices for `nic`; none ends the watch. True if that is a change. */
  set(nic: number, devices: readonly DecidingDevice[]): boolean {
    const key = devices.map((device) => `${device.ifindex}:${device.name}`).join(' ');
    if ((this.#watched.get(nic) ?? '') === key) return false;
    if (this.#watched.delete(nic)) this.#watch.remove(nic);
    if (devices.length === 0) return true;
    try {
      this.#watch.add(nic, devices.map(carrierDevice));
    } catch (error) {
      this.#handleRefusal(nic, error);
      return true;
    }
    this.#refused.delete(nic);
    this.#watched.set(nic, key);
    return true;
  }

  /** False for a NIC whose loss of carrier is known from rtnetlink alone. */
  isWatching(nic: number): boolean {
    return this.#watched.has(nic);
  }

  /** rtnetlink has reported a device of `nic`: the workers' words must follow. */
  refresh(nic: number): void {
    if (this.#watched.has(nic)) this.#watch.refresh(nic);
  }

  /** True if the thread watches `nic` and none of its devices has carrier. */
  isLost(nic: number): boolean {
    return this.#watched.has(nic) && this.#word(nic, WORD_LOST) === 1;
  }

  /** Carrier changes that the thread has counted for `nic`. */
  changes(nic: number): number {
    return this.#word(nic, WORD_CHANGES);
  }

  close(): void {
    this.#watch.close();
  }

  /** The mirror reports a device that has just been deleted. */
  #handleRefusal(nic: number, error: unknown): void {
    if (failedWith(error, 'ENOENT', 'ENODEV')) return;
    if (!isNativeError(error)) throw error;
    if (this.#refused.has(nic)) return;
    this.#refused.add(nic);
    const fields = { event: 'carrier-not-watched', nic, code: error.code };
    this.#log.warn(fields, `a loss of carrier may be told late: ${error.message}`);
  }

  #word(nic: number, word: number): number {
    return Atomics.load(this.#words, nic * WORDS_PER_NIC + word);
  }
}

function carrierDevice(device: DecidingDevice): CarrierFiles {
  const folder = `${SYSFS}/${device.name}`;
  return {
    carrierPath: `${folder}/carrier`,
    carrierChangesPath: `${folder}/carrier_changes`,
    hasCarrier: device.up && device.carrier,
    changes: device.carrierChanges,
  };
}
