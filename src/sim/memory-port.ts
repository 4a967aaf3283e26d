/**
 * A device in memory: the twin of a TAP for the simulator, tests and benchmarks. Frames carry no
 * virtio net header outside; one may be given with a frame that is delivered.
 */

import { assert } from '../base/assert.ts';
import { type Burst, type PortIo, VNET_HEADER_LENGTH } from '../datapath/port.ts';

interface Waiting {
  readonly frame: Uint8Array;
  readonly header: Uint8Array | undefined;
}

/** A port over two lists: what waits to be read, and what has been written. */
export class MemoryPort implements PortIo {
  readonly #waiting: Waiting[] = [];
  /** Frames written, oldest first, each a copy with the Ethernet header first. */
  sent: Uint8Array[] = [];
  /** The virtio net headers of `sent`. */
  sentHeaders: Uint8Array[] = [];
  /** Errno with which the next writes fail, 0 for none. */
  transmitError = 0;
  /** Errno with which the next reads fail, 0 for none. */
  receiveError = 0;
  /** Called for each frame written, instead of keeping it in `sent`. */
  onTransmit: ((frame: Uint8Array) => void) | undefined;

  /** Lets `frame` (Ethernet header first) wait to be read; `header` is its virtio net header. */
  deliver(frame: Uint8Array, header?: Uint8Array): void {
    assert(header === undefined || header.length === VNET_HEADER_LENGTH, 'header length');
    this.#waiting.push({ frame, header });
  }

  /** Frames that wait to be read. */
  get waiting(): number {
    return this.#waiting.length;
  }

  receive(burst: Burst, count: number): number {
    if (this.receiveError !== 0) return -this.receiveError;
    let done = 0;
    for (; done < count; done++) {
      const next = this.#waiting.shift();
      if (next === undefined) break;
      const at = burst.slots[done]! * burst.slotLength;
      burst.bytes.fill(0, at, at + VNET_HEADER_LENGTH);
      if (next.header !== undefined) burst.bytes.set(next.header, at);
      const room = burst.slotLength - VNET_HEADER_LENGTH;
      const length = Math.min(next.frame.length, room);
      burst.bytes.set(next.frame.subarray(0, length), at + VNET_HEADER_LENGTH);
      burst.lengths[done] = VNET_HEADER_LENGTH + length;
    }
    if (done < count) burst.status[done] = 0;
    return done;
  }

  transmit(burst: Burst, from: number, count: number): void {
    for (let i = from; i < from + count; i++) {
      burst.status[i] = this.transmitError;
      if (this.transmitError !== 0) continue;
      const at = burst.slots[i]! * burst.slotLength;
      const frame = burst.bytes.slice(at + VNET_HEADER_LENGTH, at + burst.lengths[i]!);
      if (this.onTransmit !== undefined) {
        this.onTransmit(frame);
        continue;
      }
      this.sent.push(frame);
      this.sentHeaders.push(burst.bytes.slice(at, at + VNET_HEADER_LENGTH));
    }
  }
}
