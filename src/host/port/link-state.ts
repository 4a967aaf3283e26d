/**
 * What `link` of an interface means (contract 3), as a pure function of what the mirror and the
 * carrier watch know.
 *
 *   macvtap      up while it and the NIC below are up and have carrier. The macvtap's own comes
 *                some tenths of a millisecond after the NIC's, and until then what is sent is lost;
 *                one that is just attached is not waited for: its start would look like a repair
 *   bridged TAP  up while it is up and forwards, and a port of the bridge that is not ours has
 *                carrier and forwards: spanning tree takes up to 30 s to let frames through
 *   TAP alone    unknown (counts as up), down while it is administratively down
 */

import type { LinkState } from '../../model/states.ts';
import type { LinkRecord } from '../kernel/records.ts';

/** How an interface is wired to the devices below. */
export type Wiring = 'macvtap' | 'bridged-tap' | 'tap';

/** What is known when the question is asked. */
export interface LinkEvidence {
  readonly wiring: Wiring;
  /** The interface's own device; undefined if it is absent. */
  readonly device: LinkRecord | undefined;
  /** macvtap: the NIC below. Bridged TAP: the bridge. */
  readonly lower: LinkRecord | undefined;
  /** Bridged TAP: the bridge's ports without those that are TAPs of ours. */
  readonly otherPorts: readonly LinkRecord[];
  /** macvtap: it has had carrier since it was attached. */
  readonly hasCarried: boolean;
  /** By the carrier watch, no device below has carrier. */
  readonly isCarrierLost: boolean;
}

/** See the head of the file. Of two sources that differ, the one that reports a loss is right. */
export function linkStateOf(evidence: LinkEvidence): LinkState {
  const { wiring, device, lower, otherPorts, hasCarried, isCarrierLost } = evidence;
  if (device === undefined || !device.up) return 'down';
  if (wiring === 'tap') return 'unknown';
  if (lower === undefined || !lower.up || isCarrierLost) return 'down';
  if (wiring === 'macvtap') return lower.carrier && (device.carrier || !hasCarried) ? 'up' : 'down';
  if (device.master !== lower.ifindex || !device.forwards) return 'down';
  return otherPorts.some(({ up, carrier, forwards }) => up && carrier && forwards) ? 'up' : 'down';
}

/** The devices whose carrier decides; none for a TAP alone. */
export function carrierDevicesOf(
  wiring: Wiring,
  lower: LinkRecord | undefined,
  otherPorts: readonly LinkRecord[],
): readonly LinkRecord[] {
  if (wiring === 'macvtap') return lower === undefined ? [] : [lower];
  return wiring === 'bridged-tap' ? otherPorts : [];
}
