/**
 * What a Lan asks of its owner and gives to it. The owner is a group (its members share one LAN)
 * or a lone NIC; it implements both interfaces and hands the Lan the frames it receives.
 */

import type { IpifState } from '../model/states.ts';
import type { DropReason } from '../stats/drop-reasons.ts';
import type { IpAddress, Mac } from '../wire/addr.ts';
import type { NceState } from './neighbor/nce.ts';
import type { Ill } from './object/ill.ts';
import type { Ipif } from './object/ipif.ts';

/** The members of the LAN; asked afresh each time, never remembered by the Lan. */
export interface LanMembership {
  /** The member nominated for broadcast and multicast; undefined while none is active. */
  castIll(): Ill | undefined;
  /** All members, active or not; and those that are active, in an order that stays the same. */
  ills(): Iterable<Ill>;
  activeIlls(): readonly Ill[];
  /** True for the address of any of our NICs and of any group, also of other groups. */
  isOwnMac(mac: Mac): boolean;
  /** True for the address of any other device of this host: its kernel answers for us too. */
  isHostMac(mac: Mac): boolean;
  /** Our address `address` (data or test), in whatever state. */
  findIpif(address: IpAddress): Ipif | undefined;
  /** Address of the group's device towards the host; 0 for a lone NIC. */
  groupMac(): Mac;
  /** The group's device is up, so the host takes frames. */
  isHostUp(): boolean;
  /** The host forwards, so neighbours may have it as their router. */
  isRouter(): boolean;
  /** An active member to resolve from when the asking address is bound nowhere. */
  probeIll(): Ill | undefined;
}

/** Why the state of an address changed. */
export type AddressCause =
  | 'probing' /* duplicate address detection began */
  | 'unopposed' /* no station objected */
  | 'unchecked' /* the host wants no detection for it */
  | 'conflict' /* another station uses the address */
  | 'recovered'; /* a duplicate address was found free again */

/** An event for the operator; times are the Lan's. */
export type LanEvent =
  | {
      readonly kind: 'address-state';
      readonly atMs: number;
      readonly ipif: Ipif;
      readonly from: IpifState;
      readonly to: IpifState;
      readonly cause: AddressCause;
      /** The other station, 0 when none objected. */
      readonly mac: Mac;
    }
  | {
      /** An address in use was claimed by another station and defended (rate limited). */
      readonly kind: 'address-defended';
      readonly atMs: number;
      readonly ipif: Ipif;
      readonly mac: Mac;
    }
  | {
      /** A neighbour answers from another MAC than before (rate limited per LAN). */
      readonly kind: 'neighbor-moved';
      readonly atMs: number;
      readonly address: IpAddress;
      readonly from: Mac;
      readonly to: Mac;
    }
  | {
      /**
       * A neighbour was lost or found again (rate limited), or the operator's entry came or went.
       * NONE: it is not known.
       */
      readonly kind: 'neighbor-state';
      readonly atMs: number;
      readonly address: IpAddress;
      readonly from: NceState;
      readonly to: NceState;
      readonly cause: NeighborCause;
    };

/** Why the state of a neighbour is reported by an event. */
export type NeighborCause =
  | 'lost' /* it answered once and no longer does */
  | 'answers' /* it was reported as lost */
  | 'set' /* by the operator */
  | 'removed' /* by the operator */
  | 'replaced'; /* the operator's entry gives way to an address of ours */

/** Where a Lan's decisions go; called synchronously from its `handle…` methods. */
export interface LanOutput {
  /** A frame beginning at the Ethernet header, to leave by `ill` alone. */
  toWire(ill: Ill, frame: Uint8Array): void;
  /** A frame for the host, through the group's device. */
  toHost(frame: Uint8Array): void;
  /** Frames of the host for `from` go to `to` until taken back; adds or replaces. */
  redirect(from: Mac, to: Mac): void;
  unredirect(from: Mac): void;
  /** Answers whether the host has sent to `from`, redirected, since this was asked last. */
  takeRedirectUse(from: Mac): boolean;
  event(event: LanEvent): void;
  /** A frame ended here; exactly one reason per frame that was neither used nor answered. */
  drop(reason: DropReason): void;
}
