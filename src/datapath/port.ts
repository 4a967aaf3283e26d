/**
 * The device port: what the forwarder asks of a device, and the burst that both fill.
 *
 * A burst is a list of slots of the worker's slab. A frame in a slot begins with its virtio net
 * header (VNET_HEADER_LENGTH bytes), then the Ethernet header. Two implementations exist: a
 * descriptor of a TAP or macvtap (device-port.ts), and memory (memory-port.ts) for the simulator
 * and for tests.
 */

/** Bytes of the virtio net header before each frame; set on the device when it is attached. */
export const VNET_HEADER_LENGTH = 10;

/** A burst: entry `i` is slot `slots[i]`, which begins at `slots[i] * slotLength` of `bytes`. */
export interface Burst {
  readonly bytes: Uint8Array;
  readonly slotLength: number;
  readonly slots: Int32Array;
  /** Bytes of each entry, virtio net header included. */
  readonly lengths: Int32Array;
  /**
   * After a transmission: 0 if the frame was taken, else the errno as a positive number. After a
   * reception that gave fewer frames than asked for, of the entry behind the last one alone: the
   * errno with which a further read failed, 0 if nothing was waiting.
   */
  readonly status: Int32Array;
}

/** A device for the forwarder. Neither call blocks, allocates or throws. */
export interface PortIo {
  /**
   * Reads at most `count` waiting frames into entries 0 .. count - 1 and sets their lengths. A
   * frame as long as its slot was cut off. Returns the number of frames, or a negative errno if the
   * first read failed for another reason than that nothing was waiting.
   */
  receive(burst: Burst, count: number): number;
  /**
   * Writes entries `from` .. `from + count - 1` once each and sets the status of every one of them;
   * a frame that the device refuses does not stop the others.
   */
  transmit(burst: Burst, from: number, count: number): void;
}
