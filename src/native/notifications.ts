/**
 * Notifications of the kernel over netlink, on the event loop. The addon delivers them in whole
 * messages, and reports those that were lost as a number.
 */

import type { NetlinkHandle } from '#native';
import { assert } from '../base/assert.ts';
import { errnoName, native } from './addon.ts';

const { EMSGSIZE, ENOBUFS } = native.errno;

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
    this.#handle = native.netlinkOpen(
      options.protocol,
      Int32Array.from(options.groups),
      options.receiveBufferBytes,
      () => this.#handleReadable(),
    );
  }

  /** No callback is called any more once this returns. Closing twice changes nothing. */
  close(): void {
    this.#isOpen = false;
    native.netlinkClose(this.#handle);
  }

  [Symbol.dispose](): void {
    this.close();
  }

  #handleReadable(): void {
    for (let reads = 0; reads < NETLINK_READS && this.#isOpen; reads++) {
      const length = native.netlinkReceive(this.#handle, this.#buffer);
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
