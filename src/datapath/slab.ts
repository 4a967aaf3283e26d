/**
 * The frame memory of a worker, and the two bursts that lie over it.
 *
 * A worker carries every burst through to its end before it reads the next, so no slot is in use
 * between bursts and there is nothing to free: a burst always takes slots 0, 1, 2 … in order. The
 * slots used most recently are the first to be used again, and a worker at low load touches one.
 *
 * Limits: SLOT_LENGTH is the largest frame (vnet header, Ethernet header, 64 KiB) and one byte
 * more, so that a slot filled to its end shows a frame that was cut off; rounded up to cache lines,
 * which also keeps the headers of neighbouring slots on different sets of a cache. BURST_MAX slots
 * are 4.2 MB, within the 8 MiB that a worker may have. Bursts of 8, 16 and 64 super-frames cost the
 * same processor time per byte (measured), so one size serves all.
 */

import { native } from '../native/addon.ts';
import type { Burst } from './port.ts';

/** Frames of a burst at most: as many as one system call writes. */
export const BURST_MAX = native.burstMax;

/** Bytes of a slot. */
export const SLOT_LENGTH = native.slotLength;

/** Frames received by one visit to a port, and the same slots in the order of their way out. */
export interface Slab {
  readonly receive: Burst;
  readonly transmit: Burst;
}

/** A slab with both bursts; the slots of the receive burst are in place. */
export function slabCreate(): Slab {
  const bytes = new Uint8Array(BURST_MAX * SLOT_LENGTH);
  return {
    receive: burstOver(
      bytes,
      Int32Array.from({ length: BURST_MAX }, (_, i) => i),
    ),
    transmit: burstOver(bytes, new Int32Array(BURST_MAX)),
  };
}

function burstOver(bytes: Uint8Array, slots: Int32Array): Burst {
  return {
    bytes,
    slotLength: SLOT_LENGTH,
    slots,
    lengths: new Int32Array(BURST_MAX),
    status: new Int32Array(BURST_MAX),
  };
}
