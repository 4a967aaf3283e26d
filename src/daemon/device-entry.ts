/** What the daemon keeps of one of its devices (devices.ts). */

import type { OperatorError } from '../base/errors.ts';
import type { DeviceEvent, LinkEvent } from '../host/host-event.ts';

/** How one name is opened and closed; NICs and groups differ only in this. */
export interface Device {
  readonly name: string;
  readonly port: number;
  open(): Promise<void>;
  close(): Promise<void>;
  /** After the last close: the host need not look out for it any more. */
  forget(): Promise<void>;
}

/** A device, what it should be, and what is being done about it. */
export interface Entry {
  readonly device: Device;
  /** What it should be; a loss makes it false until the host says that it may be tried again. */
  isWanted: boolean;
  isOpen: boolean;
  /** How often it was opened: an error that belongs to an earlier opening is left out. */
  openings: number;
  isBusy: boolean;
  /** When the step under way began. */
  busySinceMs: number;
  /** Why the last attempt to open it failed; undefined once it is open, or was lost. */
  refusal: OperatorError | undefined;
  /** Given back for good: later suggestions of the host are ignored. */
  isForgotten: boolean;
  /** When it was opened anew last because it could not be read. */
  reopenedMs: number;
  /** Until then it is not opened, even if the host suggests it. */
  heldUntilMs: number;
  /** What the host said while the device was being opened; it counts when that is done. */
  missed: (DeviceEvent | LinkEvent)[];
  /** The errno with which a worker could not read it, while it was being opened. */
  missedErrno: number | undefined;
  /** Called when no step is under way any more. */
  idle: (() => void)[];
}

/** One that is to be opened. */
export function newEntry(device: Device): Entry {
  return {
    device,
    isWanted: true,
    isOpen: false,
    openings: 0,
    isBusy: false,
    busySinceMs: 0,
    refusal: undefined,
    isForgotten: false,
    reopenedMs: Number.NEGATIVE_INFINITY,
    heldUntilMs: Number.NEGATIVE_INFINITY,
    missed: [],
    missedErrno: undefined,
    idle: [],
  };
}
