/** A TAP or macvtap descriptor as a port: bursts through the native addon, one crossing each. */

import type { BurstHandle } from '#native';
import { assert } from '../base/assert.ts';
import { native } from '../native/addon.ts';
import { type Burst, type PortIo, VNET_HEADER_LENGTH } from './port.ts';
import type { Slab } from './slab.ts';
import { CARRIER_WORDS_PER_NIC } from './tables/layout.ts';

assert(
  native.vnetHeaderLength === VNET_HEADER_LENGTH &&
    native.carrierWordsPerNic === CARRIER_WORDS_PER_NIC,
  'the addon lays out frames and carrier words in another way',
);

// The addon's exports are a dictionary to V8: a call through it looks its name up each time.
const { readBurst, writeBurst } = native;

/** The addon's views of a worker's two bursts. They belong to the thread that made them. */
export interface DeviceBursts {
  readonly receive: BurstHandle;
  readonly transmit: BurstHandle;
}

/** Binds the bursts of `slab` once for all ports of a worker. */
export function deviceBurstsCreate(slab: Slab): DeviceBursts {
  return { receive: burstBind(slab.receive), transmit: burstBind(slab.transmit) };
}

function burstBind({ bytes, slots, lengths, status, slotLength }: Burst): BurstHandle {
  return native.burstCreate(bytes, slots, lengths, status, slotLength);
}

/** One queue of a device. The descriptor is non-blocking and stays its opener's. */
export class DevicePort implements PortIo {
  readonly #bursts: DeviceBursts;
  readonly fd: number;

  constructor(bursts: DeviceBursts, fd: number) {
    this.#bursts = bursts;
    this.fd = fd;
  }

  receive(_burst: Burst, count: number): number {
    return readBurst(this.#bursts.receive, this.fd, 0, count);
  }

  transmit(_burst: Burst, from: number, count: number): void {
    writeBurst(this.#bursts.transmit, this.fd, from, count);
  }
}
