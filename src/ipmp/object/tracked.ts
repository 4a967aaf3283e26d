/**
 * One interface as the group layer tracks it: the phyint of the IP layer together with its state,
 * the reasons for it, its membership and its serialisation.
 *
 * Ownership: every field is written by the group layer alone, inside `illGlobalLock`. An
 * operation that keeps a tracked interface over a wait holds a reference of its phyint.
 */

import type { Deadline } from '../../base/deadline.ts';
import { WaitLock } from '../../base/lock.ts';
import type { Ill } from '../../ip/object/ill.ts';
import { Phyint } from '../../ip/object/phyint.ts';
import type { Cause } from '../../model/causes.ts';
import type { InterfaceState, InterfaceType } from '../../model/states.ts';
import { LinkKstat } from '../../stats/collector.ts';
import type { MemberCounters } from '../../stats/group-counters.ts';
import { FlapDamping } from '../decide/evidence.ts';
import {
  type PhyintCell,
  type PhyintEvent,
  type PhyintLife,
  type PhyintState,
  phyintFlags,
  phyintIsOffline,
  phyintTransition,
  SHOWN_STATES,
} from '../decide/phyint-state.ts';
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
 * A member that is withdrawn (`leave`: it leaves its group; `offline`: by the operator, it stays a
 * member) hands over to the others. It carries data only if no other can, until it is `gone` or
 * offline.
 */
export type Withdrawal = 'none' | 'leave' | 'offline' | 'gone';

/** A NIC and what is known of it. */
export class TrackedPhyint implements Candidate, PhyintLife {
  readonly phyint: Phyint;
  /** As configured, with what the operator has changed since. */
  spec: InterfaceSpec;
  state: PhyintState = 'absent';
  cause: Cause = 'device-absent';
  notedCause: Cause = 'device-absent';
  activeCause: Cause = 'device-absent';
  /** Healthy, but not used now (an idle standby, or repaired without failback). */
  inactive = false;
  readonly damping = new FlapDamping();
  /** When a repair that is refused now will be looked at again. */
  dampingDeadline: Deadline<TrackedPhyint> | undefined;
  /** There was an event of its flapping; the next one is due after a repair. */
  isDamped = false;
  /** Carrier changes counted by the device at the last report, -1 unknown. */
  linkChanges = -1;
  /** A standby that the operator made active (standby.ts). */
  isActivated = false;
  membership: Membership | undefined;
  /** A join that has been accepted but not yet done. */
  joining: IpmpGroup | undefined;
  /** Serialises operations on it while it is alone. */
  readonly ipsq: WaitLock;
  readonly kstat: LinkKstat;

  constructor(ctx: IpmpContext, spec: InterfaceSpec, nic: number) {
    this.spec = spec;
    const phyint = new Phyint({ name: spec.name, nic, uplink: spec.uplink });
    this.phyint = phyint;
    this.#writeFlags();
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
    return this.spec.standby;
  }

  get type(): InterfaceType {
    return this.standby ? 'standby' : 'normal';
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

  /** May carry data (docs/law.md row 45). */
  get isUsable(): boolean {
    return this.functioning && !this.inactive;
  }

  /** When a repair of it may be believed (evidence.ts). */
  get believedAtMs(): number {
    return this.damping.believedAtMs(this.group?.settings.flapDamping ?? null);
  }

  get shownState(): InterfaceState {
    return SHOWN_STATES[this.state];
  }

  // What changes the flags; all of it inside the region

  /** Moves it through its state table. */
  transition(event: PhyintEvent): PhyintCell {
    const cell = phyintTransition(this, event);
    if (this.state !== 'running') this.inactive = this.isActivated = false;
    this.#writeFlags();
    return cell;
  }

  /** Sets or clears INACTIVE, as decided by rule. */
  setInactive(inactive: boolean, cause: Cause): void {
    this.inactive = inactive;
    this.activeCause = cause;
    this.isActivated = false;
    this.#writeFlags();
  }

  /** Clears INACTIVE of a standby, as the operator decided. */
  activate(): void {
    this.setInactive(false, 'activated');
    this.isActivated = true;
  }

  setStandby(standby: boolean): void {
    this.spec = { ...this.spec, standby };
    this.#writeFlags();
  }

  /** The one place where the flags of a phyint are written. */
  #writeFlags(): void {
    const { phyint, state, standby, inactive } = this;
    const isLive = phyint.present && phyint.isLinkUp;
    phyint.flags = phyintFlags(state, { isLive, standby, inactive });
  }
}
