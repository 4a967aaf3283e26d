/**
 * A NIC of a group: the device that the forwarder reads and writes, at the end of a cable.
 *
 * It takes frames for any address, as a TAP in a bridge or a macvtap in passthru mode does; the
 * forwarder's gates decide. Carrier is that of the cable.
 */

import type { Mac } from '../../wire/addr.ts';
import { MemoryPort } from '../memory-port.ts';
import type { Cable, End, Plug } from './cable.ts';

/** Frames that wait in a device at most: the kernel's txqueuelen. */
const QUEUE_MAX = 1000;

/** A NIC of the host. */
export class SimNic implements Plug {
  readonly name: string;
  readonly mac: Mac;
  readonly device = new MemoryPort();
  /** Carrier changes since the NIC exists, as the kernel counts them. */
  carrierChanges = 0;
  isUp = false;
  /** Frames from the wire that did not fit. */
  overflowed = 0;
  /** Called at every carrier change. */
  onCarrier: ((nic: SimNic) => void) | undefined;
  readonly cable: Cable;
  readonly #end: End;

  constructor(name: string, mac: Mac, cable: Cable, end: End) {
    this.name = name;
    this.mac = mac;
    this.cable = cable;
    this.#end = end;
    this.device.onTransmit = (frame) => cable.transmit(end, frame);
    cable.plug(end, this);
  }

  handleFrame(frame: Uint8Array): void {
    if (this.device.waiting >= QUEUE_MAX) this.overflowed++;
    else this.device.deliver(frame);
  }

  handleCarrier(isUp: boolean): void {
    if (isUp === this.isUp) return;
    this.isUp = isUp;
    this.carrierChanges++;
    this.onCarrier?.(this);
  }

  /** Takes the NIC out of the world: its cable hangs loose. */
  remove(): void {
    this.cable.unplug(this.#end);
  }
}
