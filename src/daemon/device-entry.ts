/** What the daemon keeps of one of its devices (devices.ts). */

import type { OperatorError } from '../base/errors.ts';
import { Life } from '../host/port/life.ts';

/** How the host opens and closes one name; NICs and groups differ only in this. */
export interface Steps {
  readonly name: string;
  readonly port: number;
  open(): Promise<Opened>;
  close(): Promise<void>;
  /** After the last close: the host need not look out for it any more. */
  forget(): Promise<void>;
}

/** What the host has opened. */
export interface Opened {
  readonly fds: readonly number[];
  /** The workers have it: hands it to the system, and does what else an open device needs. */
  ready(): void | Promise<void>;
}

/** A device as the workers and the system have it. */
export class Entry extends Life {
  readonly steps: Steps;
  /** The next step, if one is to be made. */
  next: 'open' | 'close' | undefined;
  /** Resolves when no step is under way any more; undefined if none is. */
  running: Promise<void> | undefined;
  /** When the first of the steps under way began. */
  busySinceMs = 0;
  /** How often it was opened: an error that belongs to an earlier opening is left out. */
  openings = 0;
  /** Why the last attempt to open it failed; undefined once it is open, or was lost. */
  refusal: OperatorError | undefined;
  /** When it was opened anew last because it could not be read. */
  reopenedMs = Number.NEGATIVE_INFINITY;
  /** Until then it is not opened, even if the host suggests it. */
  heldUntilMs = Number.NEGATIVE_INFINITY;
  /** Events that are handled again when the device is open. */
  kept: (() => void)[] = [];

  constructor(steps: Steps) {
    super(steps.name);
    this.steps = steps;
  }
}
