/**
 * One interface as the group layer tracks it: the phyint of the IP layer together with its state,
 * the reasons for it, its membership and its serialisation.
 *
 * Ownership: every field is written by the group layer alone, inside `illGlobalLock`; whoever
 * keeps a tracked interface over a wait holds a reference of its phyint.
 */

import type { Deadline } from '../../base/deadline.ts';
import { WaitLock } from '../../base/lock.ts';
import type { Ill } from '../../ip/object/ill.ts';
import { PHYI_INACTIVE, PHYI_STANDBY, Phyint } from '../../ip/object/phyint.ts';
import type { Cause } from '../../model/causes.ts';
import type { InterfaceState } from '../../model/states.ts';
import { LinkKstat } from '../../stats/collector.ts';
import type { MemberCounters } from '../../stats/group-counters.ts';
import { FlapDamping } from '../decide/damping.ts';
import { INTERFACE_STATES, type PhyintState, phyintIsOffline } from '../decide/phyint-state.ts';
import type { Candidate } from '../decide/standby.ts';
import type { IpmpContext } from './context.ts';
import type { IpmpGroup } from './group.ts';
import type { InterfaceSpec } from './spec.ts';

/** What a member is to its group; exists exactly as long as the membership. */
export interface Membership {
  readonly group: IpmpGroup;
  /** Bit in the active mask and place of the slot; lowest free at the join, for life. */
  readonly ordinal: number;
  readonly counters: MemberCounters;
  /** Whether it is being withdrawn from use. */
  withdrawal: Withdrawal;
}

/**
 * Who is being withdrawn (`leave`: to leave its group, `offline`: by the operator, to stay a
 * member) hands over to the others and carries data only if nobody else can, until it is `gone` or
 * offline.
 */
export type Withdrawal = 'none' | 'leave' | 'offline' | 'gone';

/** A NIC and what is known of it. */
export class TrackedPhyint implements Candidate {
  readonly phyint: Phyint;
  /** As configured, with what the operator has changed since. */
  spec: InterfaceSpec;
  state: PhyintState = 'absent';
  /** Why it is in this state. */
  cause: Cause = 'device-absent';
  /** While it is offline: why it would be in the state in which it would be. */
  notedCause: Cause = 'device-absent';
  /** Why it does or does not carry data. */
  activeCause: Cause = 'device-absent';
  readonly damping = new FlapDamping();
  /** When a repair that is refused now will be looked at again. */
  dampingDeadline: Deadline<TrackedPhyint> | undefined;
  /** It has been said that it flaps; not said again until it is repaired. */
  isDamped = false;
  /** Carrier changes counted by the device at the last report, -1 unknown. */
  linkChanges = -1;
  /** A standby that the operator made active (standby.ts). */
  isActivated = false;
  membership: Membership | undefined;
  /** A join that has been accepted but not yet done. */
  joining: IpmpGroup | undefined;
  /** Serialises operations on it while it is alone (semantics 1.9). */
  readonly ipsq: WaitLock;
  readonly kstat: LinkKstat;

  constructor(ctx: IpmpContext, spec: InterfaceSpec, nic: number) {
    this.spec = spec;
    const flags = spec.standby ? PHYI_STANDBY : 0;
    const phyint = new Phyint({ name: spec.name, nic, uplink: spec.uplink, flags });
    this.phyint = phyint;
    this.ipsq = new WaitLock('ipsq', `ipsq ${spec.name}`);
    this.kstat = new LinkKstat({
      name: spec.name,
      crtimeMs: ctx.scheduler.nowMs,
      scheduler: ctx.scheduler,
      linkStatistics: ctx.linkStatistics,
      source: {
        region: ctx.illGlobalLock,
        nic,
        isUp: () => phyint.present && phyint.isLinkUp,
        hold: () => (phyint.references.condemned ? undefined : phyint.references.hold('kstat')),
      },
    });
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
    return this.state === 'running' && !this.isWithdrawing;
  }

  /** No longer counted among the members: it is about to leave its group. */
  get isLeaving(): boolean {
    const withdrawal = this.membership?.withdrawal;
    return withdrawal === 'leave' || withdrawal === 'gone';
  }

  get isWithdrawing(): boolean {
    return this.membership !== undefined && this.membership.withdrawal !== 'none';
  }

  /** On its way out of use, but it could still carry data. */
  get isLastChoice(): boolean {
    const withdrawal = this.membership?.withdrawal;
    return this.state === 'running' && (withdrawal === 'leave' || withdrawal === 'offline');
  }

  /** The operator took it offline: nothing of it is used, nothing that it receives is taken. */
  get isOffline(): boolean {
    return phyintIsOffline(this.state);
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

  /** Sets or clears INACTIVE, as decided by rule; inside the region. */
  setInactive(inactive: boolean, cause: Cause): void {
    this.phyint.changeFlags(inactive ? PHYI_INACTIVE : 0, PHYI_INACTIVE);
    this.activeCause = cause;
    this.isActivated = false;
  }

  /** Clears INACTIVE of a standby, as the operator decided; inside the region. */
  activate(): void {
    this.setInactive(false, 'activated');
    this.isActivated = true;
  }
}
