/** Events of the host for the daemon, in the order in which they became known. */

import type { OperatorError } from '../base/errors.ts';
import type { LinkState } from '../model/states.ts';
import type { Mac } from '../wire/addr.ts';
import type { HostAddress, HostRoute } from './kernel/records.ts';

/**
 * An interface or group device that is attached: as it is now, or lost. After a loss its
 * descriptors still have to be released (`releaseInterface`, `removeGroupDevice`).
 */
export type DeviceEvent =
  | {
      readonly kind: 'device';
      readonly ifname: string;
      readonly present: true;
      readonly mac: Mac;
      readonly mtu: number;
      /** It runs: the administrator has not set it down. */
      readonly up: boolean;
    }
  | {
      readonly kind: 'device';
      readonly ifname: string;
      readonly present: false;
      /** A sentence: what is gone. */
      readonly cause: string;
    };

/** The link of an attached interface. */
export interface LinkEvent {
  readonly kind: 'link';
  readonly ifname: string;
  readonly link: LinkState;
  /** Changes of carrier so far; it never falls while the interface is attached. */
  readonly changes: number;
}

export type HostEvent =
  | DeviceEvent
  | LinkEvent
  /** An interface or group device that is not attached: trying (again) may succeed now. */
  | { readonly kind: 'attachable'; readonly ifname: string }
  | {
      readonly kind: 'addresses';
      readonly device: string;
      readonly list: readonly HostAddress[];
    }
  | { readonly kind: 'routes'; readonly device: string; readonly list: readonly HostRoute[] }
  /** Another program has put addresses on the NIC or bridge below an attached interface. */
  | { readonly kind: 'uplink-refused'; readonly ifname: string; readonly error: OperatorError };
