/**
 * The native addon with its types: the one way in which src reaches C. The functions are handed
 * out as they are, so that a hot call costs one crossing and nothing more; what lives on the
 * event loop has a class.
 */

import addon, {
  type BurstHandle,
  type CarrierHandle,
  type Native,
  type NativeError,
  type NetlinkHandle,
  type PeerCredentials,
  type WaitingCalls,
} from '#native';
import { assert } from '../base/assert.ts';
import { assertMayWait } from '../base/serving.ts';

export type { BurstHandle, NativeError, PeerCredentials };

/** The interface version this file was written against (IPMPD_NATIVE_ABI in native.h). */
const NATIVE_ABI = 3;

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
  const names = Object.keys(addon.later) as (keyof WaitingCalls)[];
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

const { ENOBUFS = 0, EMSGSIZE = 0 } = addon.errno;

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

/** Ours: several datagrams of the kernel's largest size (32 KiB) are read at once. */
const NETLINK_BUFFER_BYTES = 262_144;

/** Ours: reads per call of the event loop, so that a flood of messages leaves time for others. */
const NETLINK_READS = 16;

export interface NetlinkOptions {
  /** From linux/netlink.h: 0 is NETLINK_ROUTE. */
  readonly protocol: number;
  /** Multicast groups by number (RTNLGRP_*, not the bits of nl_groups). */
  readonly groups: readonly number[];
  /** Room for messages not yet read; beyond the system's limit where we are privileged. */
  readonly receiveBufferBytes: number;
  /**
   * Whole messages, one after another, each aligned to 4 octets. The memory is reused as soon as
   * the call returns.
   */
  readonly onMessages: (messages: Uint8Array) => void;
  /** The kernel dropped notifications; only a full dump shows what has changed. */
  readonly onOverrun: () => void;
}

/**
 * A netlink socket for notifications of this process's network namespace, on this thread's event
 * loop. Reading what was multicast never waits; requests go through `native.later`.
 */
export class NetlinkSocket {
  readonly #handle: NetlinkHandle;
  readonly #options: NetlinkOptions;
  readonly #buffer = new Uint8Array(NETLINK_BUFFER_BYTES);
  #isOpen = true;

  constructor(options: NetlinkOptions) {
    this.#options = options;
    this.#handle = addon.netlinkOpen(
      options.protocol,
      Int32Array.from(options.groups),
      options.receiveBufferBytes,
      () => this.#handleReadable(),
    );
  }

  /** No callback is called any more once this returns. Closing twice changes nothing. */
  close(): void {
    this.#isOpen = false;
    addon.netlinkClose(this.#handle);
  }

  [Symbol.dispose](): void {
    this.close();
  }

  #handleReadable(): void {
    for (let reads = 0; reads < NETLINK_READS && this.#isOpen; reads++) {
      const length = addon.netlinkReceive(this.#handle, this.#buffer);
      if (length === 0) return;
      if (length > 0) {
        this.#options.onMessages(this.#buffer.subarray(0, length));
      } else {
        const lost = length === -ENOBUFS || length === -EMSGSIZE;
        assert(lost, `netlink socket: ${errnoName(length)} on reading`);
        this.#options.onOverrun();
      }
    }
  }
}

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
 * Watches the carrier of NICs once per millisecond, on threads of its own; see
 * native/carrier-threads.c. It alone writes `words`: of NIC n the words from 4 n on are
 * [1 if none of its devices has carrier else 0, count of changes, spare, spare]. On a change the
 * words are stored first, then `wakeFds` (eventfds) are rung, then `onChange(nic)` is called on
 * this thread. The watch does not keep the process alive, and sleeps while it has no NIC.
 */
export class CarrierWatch {
  readonly #handle: CarrierHandle;

  /** `words` must view a SharedArrayBuffer; `wakeFds` are duplicated. */
  constructor(words: Int32Array, wakeFds: readonly number[], onChange: (nic: number) => void) {
    this.#handle = addon.carrierCreate(words, Int32Array.from(wakeFds), onChange);
  }

  /**
   * Watches a NIC, which is down while none of `devices` (at least one) has carrier; a device
   * that is set down or deleted has none. The words hold its state when this returns: what was
   * known, and what the counter says since; it is verified at once. Throws EEXIST if the NIC is
   * watched, ENOENT if no device exists.
   */
  add(nic: number, devices: readonly CarrierFiles[]): void {
    const paths = devices.flatMap((device) => [device.carrierChangesPath, device.carrierPath]);
    const states = devices.flatMap(({ hasCarrier, changes }) => [hasCarrier ? 1 : 0, changes]);
    addon.carrierAdd(this.#handle, nic, paths, Int32Array.from(states));
  }

  /** Forgets a NIC and clears its words; false if it was not watched. */
  remove(nic: number): boolean {
    return addon.carrierRemove(this.#handle, nic);
  }

  /**
   * Reads the true state at once; false if the NIC is not watched. Call it when netlink reports
   * the device set up or down: its counter does not show that.
   */
  refresh(nic: number): boolean {
    return addon.carrierRefresh(this.#handle, nic);
  }

  /** Ends the threads; the words keep their last values. Closing twice changes nothing. */
  close(): void {
    addon.carrierClose(this.#handle);
  }

  [Symbol.dispose](): void {
    this.close();
  }
}
