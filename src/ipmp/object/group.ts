/**
 * One IPMP group: the meta-interface with its members, its device on the host, its counters and
 * its LAN. Written by the group layer alone, lists and links inside `illGlobalLock`.
 */

import { WaitLock } from '../../base/lock.ts';
import { References } from '../../base/reference.ts';
import { SLOTS_PER_GROUP } from '../../datapath/tables/fib.ts';
import { Lan } from '../../ip/lan.ts';
import { PHYI_FAILED, PHYI_IPMP, PHYI_RUNNING } from '../../ip/object/phyint.ts';
import type { Cause } from '../../model/causes.ts';
import { GROUP_PORT_BASE, MAX_GROUP_MEMBERS } from '../../model/limits.ts';
import type { GroupState } from '../../model/states.ts';
import { GroupKstat, type KstatMember } from '../../stats/collector.ts';
import { GroupCounters } from '../../stats/group-counters.ts';
import type { Family, IpAddress, Mac } from '../../wire/addr.ts';
import type { IpmpContext } from './context.ts';
import { GroupLanPort } from './group-lan.ts';
import { IllGroup } from './illgrp.ts';
import type { GroupSettings, GroupSpec } from './spec.ts';
import type { TrackedPhyint } from './tracked.ts';

/** The group's device on the host. */
export interface GroupDevice {
  present: boolean;
  /** 0 while unknown. */
  mac: Mac;
  mtu: number;
  /** The administrator has not set it down. */
  up: boolean;
}

/** An address on the group's device, as the host reports it. */
export interface HostAddress {
  /** Without prefix length. */
  readonly address: string;
  readonly prefixLength: number;
  readonly family: Family;
  /** IFA_F_* bits; IFA_F_PERMANENT alone if absent. */
  readonly flags?: number;
}

/** An address that is shown but not served: used elsewhere, or a duplicate for the kernel too. */
export interface UnservedAddress extends HostAddress {
  readonly cause: Cause;
  /** The station that has a duplicate; 0 if none is known. */
  readonly holder: Mac;
}

/** What has been written to the live words of the forwarding tables. */
export interface Steered {
  low: number;
  high: number;
  cast: number;
  /** Slot of each ordinal -> NIC, -1 none. */
  readonly slots: Int32Array;
}

/** A group. */
export class IpmpGroup {
  /** The group's own name; may change (docs/law.md row 30). */
  name: string;
  /** Name of its device and of its kstat, for life. */
  readonly ifname: string;
  /** Number of the group: its place in the forwarding tables. */
  readonly index: number;
  settings: GroupSettings;
  readonly grp: IllGroup = new IllGroup();
  /** RUNNING with the first active member, FAILED without. */
  flags = PHYI_IPMP | PHYI_FAILED;
  state: GroupState = 'failed';
  stateCause: Cause = 'created';
  /** Number of the last change of it (context.ts). */
  changedAt = 0;
  readonly device: GroupDevice = { present: false, mac: 0, mtu: 0, up: true };
  /** The MTU last asked of the host, 0 none. */
  requestedMtu = 0;
  /** Why it is that. */
  mtuCause: Cause | undefined = undefined;
  /** The last report of the host. */
  hostAddresses: readonly HostAddress[] = [];
  unserved: readonly UnservedAddress[] = [];
  /** A neighbour's former MAC -> its present one. */
  readonly redirects = new Map<Mac, Mac>();
  /** Memberships that the operator set, in order of joining. */
  readonly multicast = new Set<IpAddress>();
  /** Joins accepted but not done: the group cannot be deleted meanwhile. */
  pendingJoins = 0;
  readonly ipsq: WaitLock;
  readonly references: References;
  readonly counters = new GroupCounters();
  readonly steered: Steered = {
    low: 0,
    high: 0,
    cast: -1,
    slots: new Int32Array(MAX_GROUP_MEMBERS).fill(-1),
  };
  readonly lan: Lan;
  readonly kstat: GroupKstat;

  /** A complete group; nothing finds it before lifecycle.ts makes it visible. */
  constructor(ctx: IpmpContext, spec: GroupSpec, index: number) {
    this.name = spec.groupName ?? spec.name;
    this.ifname = spec.name;
    this.index = index;
    this.settings = spec;
    this.ipsq = new WaitLock('ipsq', `ipsq ${this.ifname}`);
    this.references = new References('group', this.ifname);
    const port = new GroupLanPort(ctx, this);
    this.lan = new Lan({
      membership: port,
      output: port,
      rng: ctx.rng.fork(),
      neighborLimit: spec.neighbors,
    });
    this.kstat = new GroupKstat({
      name: spec.name,
      crtimeMs: ctx.scheduler.nowMs,
      scheduler: ctx.scheduler,
      linkStatistics: ctx.linkStatistics,
      source: {
        region: ctx.illGlobalLock,
        counters: this.counters,
        isRunning: () => this.isRunning,
        holdMembers: () => this.#holdMembers(),
      },
    });
  }

  get members(): readonly TrackedPhyint[] {
    return this.grp.members;
  }

  /** The members without those that are about to leave. */
  get staying(): readonly TrackedPhyint[] {
    return this.members.filter((member) => !member.isLeaving);
  }

  get port(): number {
    return GROUP_PORT_BASE + this.index;
  }

  /** The placement slot of a member's ordinal. */
  slotOf(ordinal: number): number {
    return this.index * SLOTS_PER_GROUP + ordinal;
  }

  get isRunning(): boolean {
    return (this.flags & PHYI_RUNNING) !== 0;
  }

  /** Makes RUNNING and FAILED of the meta-interface follow the active list. */
  refreshFlags(): void {
    const live = this.grp.active.length > 0 ? PHYI_RUNNING : PHYI_FAILED;
    this.flags = (this.flags & ~(PHYI_RUNNING | PHYI_FAILED)) | live;
  }

  /** The state that the members amount to (docs/law.md rows 90 to 96). */
  memberState(): GroupState {
    const working = this.staying.filter((member) => member.functioning).length;
    if (working === 0) return this.grp.active.length === 0 ? 'failed' : 'degraded';
    return working === this.staying.length ? 'ok' : 'degraded';
  }

  #holdMembers(): KstatMember[] {
    return this.members.flatMap(({ nic, name, membership, phyint }) => {
      if (membership === undefined) return [];
      const { counters } = membership;
      return [{ nic, ifname: name, counters, reference: phyint.references.hold('kstat') }];
    });
  }
}
