/** One interface of the configuration on the host's side (interfaces.ts). */

import type { LinkState } from '../../model/states.ts';
import { type Attachment, type InterfaceSpec, lowerNameOf } from './attach.ts';
import { Port } from './life.ts';
import type { LinkTracker } from './link-tracker.ts';

/** See the head of the file. */
export class Interface extends Port<Attachment> {
  readonly spec: InterfaceSpec;
  readonly tracker: LinkTracker;
  /** What the host looked like when an attempt was last suggested or refused. */
  triedIn = '';
  /** As reported last. */
  mac = 0;
  mtu = 0;

  constructor(spec: InterfaceSpec, tracker: LinkTracker) {
    super(spec.name);
    this.spec = spec;
    this.tracker = tracker;
  }
}

/** An interface that was attached, as the daemon needs it. */
export interface AttachedDevice {
  /** One per queue, non-blocking; closed by `releaseInterface` alone. */
  readonly fds: readonly number[];
  readonly mac: number;
  readonly mtu: number;
  readonly link: LinkState;
  readonly changes: number;
}

/** Lists that are watched of the NIC or bridge below an interface. */
export function watchOptions(spec: InterfaceSpec): { addresses: true; ports: boolean } {
  return { addresses: true, ports: spec.bridge !== null };
}

/** Devices that the host could use for itself: the NIC or bridge below, and our own. */
export function devicesOf(spec: InterfaceSpec): string[] {
  const lower = lowerNameOf(spec);
  return lower === null ? [spec.name] : [lower, spec.name];
}
