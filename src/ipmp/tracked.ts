/**
 * One interface as the group layer tracks it: the phyint of the IP layer together with its state,
 * the reasons for it, its membership and its serialisation.
 *
 * Ownership: every field is written by the group layer alone, inside `illGlobalLock`; whoever
 * keeps a tracked interface over a wait holds a reference of its phyint.
 */

import type { Deadline } from '../base/deadline.ts';
import { WaitLock } from '../base/lock.ts';
import type { Ill } from '../ip/ill.ts';
import { PHYI_INACTIVE, PHYI_STANDBY, Phyint } from '../ip/phyint.ts';
import type { LinkKstat } from '../stats/collector.ts';
import type { MemberCounters } from '../stats/group-counters.ts';
import type { Cause } from './cause.ts';
import { FlapDamping } from './damping.ts';
import type { IpmpGroup } from './group.ts';
import { INTERFACE_STATES, type InterfaceState, type PhyintState } from './phyint-state.ts';
import type { InterfaceSpec } from './spec.ts';
import type { Candidate } from './standby.ts';

/** What a member is to its group; exists exactly as long as the membership. */
export interface Membership {
  readonly group: IpmpGroup;
  /** Bit in the active mask and place of the slot; lowest free at the join, for life. */
  readonly ordinal: number;
  readonly counters: MemberCounters;
  /** On its way out: carries data only if nobody else can, until it is `gone`. */
  leaving: 'no' | 'soon' | 'gone';
}

/** A NIC and what is known of it. */
export class TrackedPhyint implements Candidate {
  readonly phyint: Phyint;
  readonly spec: InterfaceSpec;
  state: PhyintState = 'absent';
  /** Why it is in this state. */
  cause: Cause = 'device-absent';
  /** Why it does or does not carry data. */
  activeCause: Cause = 'device-absent';
  readonly damping = new FlapDamping();
  /** When a repair that is refused now will be looked at again. */
  dampingDeadline: Deadline<TrackedPhyint> | undefined;
  /** It has been said that it flaps; not said again until it is repaired. */
  isDamped = false;
  /** Carrier changes counted by the device at the last report, -1 unknown. */
  linkChanges = -1;
  membership: Membership | undefined;
  /** A join that has been accepted but not yet done. */
  joining: IpmpGroup | undefined;
  /** Serialises operations on it while it is alone (semantics 1.9). */
  readonly ipsq: WaitLock;
  /** Set once, right after construction and before the interface becomes visible. */
  kstat!: LinkKstat;

  constructor(spec: InterfaceSpec, nic: number) {
    this.spec = spec;
    const flags = spec.standby ? PHYI_STANDBY : 0;
    this.phyint = new Phyint({ name: spec.name, nic, uplink: spec.uplink, flags });
    this.ipsq = new WaitLock('ipsq', `ipsq ${spec.name}`);
  }

  get name(): string {
    return this.phyint.name;
  }

  get nic(): number {
    return this.phyint.nic;
  }

  get ill(): Ill {
    return this.phyint.ill;
  }

  get group(): IpmpGroup | undefined {
    return this.membership?.group;
  }

  /** The lock that makes one a writer on it: the group's from the acceptance of a join on. */
  get writerLock(): WaitLock {
    return (this.membership?.group ?? this.joining)?.ipsq ?? this.ipsq;
  }

  get standby(): boolean {
    return this.phyint.hasFlag(PHYI_STANDBY);
  }

  get functioning(): boolean {
    return this.state === 'running' && !this.isLeaving;
  }

  get isLeaving(): boolean {
    return this.membership !== undefined && this.membership.leaving !== 'no';
  }

  /** On its way out, but it could still carry data. */
  get isLastChoice(): boolean {
    return this.state === 'running' && this.membership?.leaving === 'soon';
  }

  get inactive(): boolean {
    return this.phyint.hasFlag(PHYI_INACTIVE);
  }

  /** May carry data (semantics 3.5, active test). */
  get isUsable(): boolean {
    return this.functioning && !this.inactive;
  }

  get shownState(): InterfaceState {
    return INTERFACE_STATES[this.state];
  }

  /** Sets or clears INACTIVE; inside the region. */
  setInactive(inactive: boolean, cause: Cause): void {
    this.phyint.changeFlags(inactive ? PHYI_INACTIVE : 0, PHYI_INACTIVE);
    this.activeCause = cause;
  }
}
