/** What the host side keeps of one interface of the configuration (interfaces.ts). */

import type { LinkState } from '../../model/states.ts';
import { type Attachment, type InterfaceSpec, lowerNameOf } from './attach.ts';

import type { LinkTracker } from './link-tracker.ts';

/** One interface, wanted, attached or lost. */
export interface Interface {
  readonly spec: InterfaceSpec;
  attachment: Attachment | undefined;
  isAttaching: boolean;
  isLost: boolean;
  /** On its way out: nothing is suggested any more. */
  isForgotten: boolean;
  /** When `attachable` may be told again although nothing has changed. */
  retryAtMs: number;
  /** What the host looked like at the last refusal. */
  refusedAt: string;
  readonly tracker: LinkTracker;
  /** As told last. */
  mac: number;
  mtu: number;
}

/** An interface that was attached, as the daemon needs it. */
export interface AttachedDevice {
  readonly ifname: string;
  readonly ifindex: number;
  /** One per queue, non-blocking; closed by `releaseInterface` alone. */
  readonly fds: readonly number[];
  readonly mac: number;
  readonly mtu: number;
  readonly link: LinkState;
  readonly changes: number;
  /** False for a TAP alone, whose link the kernel does not report. */
  readonly linkKnown: boolean;
}

/** One that is wanted, and nothing more. */
export function newInterface(spec: InterfaceSpec, tracker: LinkTracker): Interface {
  return {
    spec,
    attachment: undefined,
    isAttaching: false,
    isLost: false,
    isForgotten: false,
    retryAtMs: Number.POSITIVE_INFINITY,
    refusedAt: '',
    tracker,
    mac: 0,
    mtu: 0,
  };
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

/** What the daemon is given of an interface that was attached. */
export function attachedDevice(one: Interface, attachment: Attachment): AttachedDevice {
  return {
    ifname: one.spec.name,
    ifindex: attachment.ifindex,
    fds: attachment.device.fds,
    mac: one.mac,
    mtu: one.mtu,
    link: one.tracker.link,
    changes: one.tracker.changes,
    linkKnown: attachment.wiring !== 'tap',
  };
}
