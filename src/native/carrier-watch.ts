/** The carrier of NICs, watched by threads of the addon (theory: native/carrier-threads.c). */

import type { CarrierHandle } from '#native';
import { native } from './addon.ts';

/** The two sysfs files by which one kernel device shows its carrier, and what it showed last. */
export interface CarrierFiles {
  readonly carrierChangesPath: string;
  readonly carrierPath: string;
  /** False while it is set down, too. */
  readonly hasCarrier: boolean;
  /** The count of changes at which that was so. */
  readonly changes: number;
}

/**
 * Watches the carrier of NICs once per millisecond, on threads of its own. It alone writes
 * `words`: of NIC n the words from 4 n on are [1 if none of its devices has carrier else 0, count
 * of changes, spare, spare]. On a change the words are stored first, then `wakeFds` (eventfds) are
 * rung, then `onChange(nic)` is called on this thread. The watch does not keep the process alive,
 * and sleeps while it has no NIC.
 */
export class CarrierWatch {
  readonly #handle: CarrierHandle;

  /** `words` must view a SharedArrayBuffer; `wakeFds` are duplicated. */
  constructor(words: Int32Array, wakeFds: readonly number[], onChange: (nic: number) => void) {
    this.#handle = native.carrierCreate(words, Int32Array.from(wakeFds), onChange);
  }

  /**
   * Watches a NIC, which is down while none of `devices` (at least one) has carrier; a device
   * that is set down or deleted has none. The words hold its state when this returns: what was
   * known, and what the counter shows since; it is verified at once. Throws EEXIST if the NIC is
   * watched, ENOENT if no device exists.
   */
  add(nic: number, devices: readonly CarrierFiles[]): void {
    const paths = devices.flatMap((device) => [device.carrierChangesPath, device.carrierPath]);
    const states = devices.flatMap(({ hasCarrier, changes }) => [hasCarrier ? 1 : 0, changes]);
    native.carrierAdd(this.#handle, nic, paths, Int32Array.from(states));
  }

  /** Forgets a NIC and clears its words; false if it was not watched. */
  remove(nic: number): boolean {
    return native.carrierRemove(this.#handle, nic);
  }

  /**
   * Reads the true state at once; false if the NIC is not watched. Call it when netlink reports
   * the device set up or down: its counter does not show that.
   */
  refresh(nic: number): boolean {
    return native.carrierRefresh(this.#handle, nic);
  }

  /** Ends the threads; the words keep their last values. Closing twice changes nothing. */
  close(): void {
    native.carrierClose(this.#handle);
  }

  [Symbol.dispose](): void {
    this.close();
  }
}
