/**
 * Memberships of the NICs in solicited-node groups (RFC 4291 2.7.1), reported by MLD.
 *
 * A neighbour solicitation for an IPv6 address is sent to a multicast group that is made of its
 * last 24 bits. A switch that snoops sends it only where the group was reported. The host's kernel
 * reports the groups of its addresses too, but its reports leave by the nominated NIC alone; the
 * solicitation is answered by the NIC that the address is bound to. So each NIC is a listener of
 * its own here, for the data addresses bound to it, its test addresses and, if it is nominated, the
 * addresses that are answered for in proxy. It follows RFC 3810 or, while the querier that it
 * receives is of version 1, RFC 2710:
 *
 * - A group that a binding adds is reported at once and again within the unsolicited report
 *   interval; one that is lost is left in the same way, unless the link of the NIC is down. Before
 *   detection asks for an address, its group is reported (RFC 4862 5.4.2).
 * - A link that comes up has all its groups reported: the switch has forgotten them.
 * - A general query is answered for all groups, one for a group for that group, after a random part
 *   of the time that it allows. An answer that is under way serves later queries too.
 * - Forged queries are limited: a NIC answers once a second for all groups (ANSWER_GAP_MS), and ten
 *   times a second for single ones, all that are due together (GROUP_GAP_MS).
 *
 * A report of version 2 has as many groups as the smallest MTU of IPv6 takes. What is to be sent
 * waits in one queue of the LAN, at the pace of its announcements. A listener of version 1 would be
 * silent after the report of another one (RFC 2710 4); no report of another is received here.
 */

import type { Rng } from '../../base/rng.ts';
import {
  IPV6_UNSPECIFIED,
  type IpAddress,
  type Ipv6,
  ipIsLinkLocal,
  ipv6SolicitedNode,
} from '../../wire/addr.ts';
import { ICMPV6_MLDV1_DONE, ICMPV6_MLDV1_REPORT } from '../../wire/icmpv6.ts';
import {
  RECORD_IS_EXCLUDE,
  RECORD_TO_EXCLUDE,
  RECORD_TO_INCLUDE,
} from '../../wire/multicast/membership.ts';
import {
  type MldQuery,
  type MldRecord,
  mldGroupFrame,
  mldRecordsMax,
  mldReportFrame,
} from '../../wire/multicast/mld.ts';
import type { Pace } from '../claim/pace.ts';
import { PacedQueue } from '../claim/paced-queue.ts';
import type { LanCounters } from '../lan-counters.ts';
import type { LanMembership, LanOutput } from '../lan-port.ts';
import type { Ill } from '../object/ill.ts';
import type { Ipif } from '../object/ipif.ts';

// RFC 3810 9, RFC 2710 7.

/** How often a change is reported while the querier does not say. */
const ROBUSTNESS_DEFAULT = 2;
/** Between two reports of a change at most, by version (9.11, 7.10). */
const UNSOLICITED_MS: Readonly<Record<Version, number>> = { 1: 10_000, 2: 1000 };
/** A querier of version 1 counts for so long after its last query (9.12). */
export const OLDER_QUERIER_MS = (2 * 125 + 10) * 1000;

/** Bytes of a packet that every link of IPv6 carries (RFC 8200 5). */
const MTU_MIN = 1280;

// Ours
/** Reports that wait: all groups of the largest LAN in version 1. */
const WAITING_MAX = 8192;
/** Between two answers for all groups of a NIC at least: a forged query costs thousands else. */
export const ANSWER_GAP_MS = 1000;
/** The same for single groups: no longer than the shortest interval that queriers are set to. */
export const GROUP_GAP_MS = 100;

const NEVER = Number.POSITIVE_INFINITY;

type Version = 1 | 2;

/** What is sent in one frame. */
interface Report {
  readonly nic: NicListener;
  /** One alone for a querier of version 1. */
  readonly records: readonly MldRecord[];
  readonly version: Version;
}

export interface SolicitedOptions {
  readonly membership: LanMembership;
  readonly output: LanOutput;
  readonly counters: LanCounters;
  readonly rng: Rng;
  readonly pace: Pace;
  /** Addresses of others that the nominated NIC answers for (docs/law.md row 69). */
  readonly proxied: () => Iterable<IpAddress>;
}

/** The listener of one NIC. */
class NicListener {
  readonly ill: Ill;
  /** The groups, and how many addresses are in each. */
  readonly groups = new Map<Ipv6, number>();
  /** Groups that were added or lost, and how often that is still to be reported. */
  readonly changes = new Map<Ipv6, number>();
  changesAtMs = NEVER;
  /** When queries are answered: for all groups, and for one; and the earliest of these. */
  allAtMs = NEVER;
  readonly answers = new Map<Ipv6, number>();
  answersAtMs = NEVER;
  /** When the last answer for all groups was sent, and the last for single ones. */
  answeredMs = Number.NEGATIVE_INFINITY;
  answeredGroupsMs = Number.NEGATIVE_INFINITY;
  olderUntilMs = Number.NEGATIVE_INFINITY;
  robustness = ROBUSTNESS_DEFAULT;

  constructor(ill: Ill) {
    this.ill = ill;
  }

  /** The version in which this NIC reports. */
  version(nowMs: number): Version {
    return nowMs < this.olderUntilMs ? 1 : 2;
  }

  /** The address of a group is new: its membership is reported from now on. */
  add(group: Ipv6, nowMs: number): void {
    const count = this.groups.get(group) ?? 0;
    this.groups.set(group, count + 1);
    if (count === 0) this.noteChange(group, nowMs);
  }

  remove(group: Ipv6, nowMs: number): void {
    const count = this.groups.get(group) ?? 0;
    if (count > 1) {
      this.groups.set(group, count - 1);
      return;
    }
    this.groups.delete(group);
    this.answers.delete(group);
    this.noteChange(group, nowMs);
  }

  noteChange(group: Ipv6, nowMs: number): void {
    this.changes.set(group, this.robustness);
    this.changesAtMs = Math.min(this.changesAtMs, nowMs);
  }

  nextMs(): number {
    return Math.min(this.changesAtMs, this.allAtMs, this.answersAtMs);
  }

  /** The groups for which a query is answered now. */
  takeAnswers(nowMs: number): Ipv6[] {
    if (nowMs >= this.allAtMs) {
      this.allAtMs = NEVER;
      this.answeredMs = nowMs;
      this.answers.clear();
      this.answersAtMs = NEVER;
      return [...this.groups.keys()];
    }
    if (nowMs < this.answersAtMs) return [];
    const due: Ipv6[] = [];
    this.answersAtMs = NEVER;
    this.answeredGroupsMs = nowMs;
    for (const [group, atMs] of this.answers) {
      if (nowMs >= atMs) {
        this.answers.delete(group);
        due.push(group);
      } else this.#answerAt(atMs);
    }
    return due;
  }

  /** A query for `group` is answered at `atMs`, or when its gap is over. */
  noteQuery(group: Ipv6, atMs: number): void {
    this.answers.set(group, Math.min(atMs, this.answers.get(group) ?? NEVER));
    this.#answerAt(atMs);
  }

  #answerAt(atMs: number): void {
    const allowedMs = Math.max(atMs, this.answeredGroupsMs + GROUP_GAP_MS);
    this.answersAtMs = Math.min(this.answersAtMs, allowedMs);
  }

  get isIdle(): boolean {
    return this.groups.size === 0 && this.changes.size === 0;
  }
}

/** The solicited-node groups of one LAN. */
export class SolicitedGroups {
  readonly #options: SolicitedOptions;
  readonly #queue: PacedQueue<Report>;
  readonly #nics = new Map<Ill, NicListener>();
  /** The NIC on which the group of each address is reported. */
  readonly #bound = new Map<Ipif, NicListener>();
  /** The same for the addresses that are answered for in proxy. */
  readonly #proxied = new Map<Ipv6, NicListener>();
  /** The time of the last call that had one. */
  #nowMs = 0;
  /** The sender of all reports of one moment; undefined until the first. */
  #sender: Ipv6 | undefined;

  constructor(options: SolicitedOptions) {
    this.#options = options;
    this.#queue = new PacedQueue(WAITING_MAX, options.pace, (report) => this.#send(report));
  }

  /** `ipif` is served by the NIC in its `boundIll` from now on. */
  handleBound(ipif: Ipif, nowMs: number): void {
    this.#nowMs = nowMs;
    const { address, boundIll } = ipif;
    if (typeof address === 'number') return;
    const before = this.#bound.get(ipif);
    if (before !== undefined && before.ill === boundIll) return;
    this.handleUnbound(ipif);
    if (boundIll === undefined) return;
    const nic = this.#nicOf(boundIll);
    this.#bound.set(ipif, nic);
    nic.add(ipv6SolicitedNode(address), nowMs);
    this.#dropProxied(address);
  }

  /** No NIC serves `ipif` any longer. */
  handleUnbound(ipif: Ipif): void {
    const nic = this.#bound.get(ipif);
    if (nic === undefined || typeof ipif.address === 'number') return;
    this.#bound.delete(ipif);
    nic.remove(ipv6SolicitedNode(ipif.address), this.#nowMs);
  }

  /** Another NIC answers for the proxied addresses, or these have changed. */
  handleProxied(nowMs: number): void {
    this.#nowMs = nowMs;
    const { membership, proxied } = this.#options;
    const ill = membership.castIll();
    const nic = ill === undefined ? undefined : this.#nicOf(ill);
    const wanted = new Set<Ipv6>();
    for (const address of proxied()) if (typeof address === 'bigint') wanted.add(address);
    for (const [address, before] of this.#proxied) {
      if (before !== nic || !wanted.has(address)) this.#dropProxied(address);
    }
    if (nic === undefined) return;
    for (const address of wanted) {
      if (this.#proxied.has(address)) continue;
      this.#proxied.set(address, nic);
      nic.add(ipv6SolicitedNode(address), nowMs);
    }
  }

  /** The link of `ill` came up. */
  handleLinkUp(ill: Ill, nowMs: number): void {
    const nic = this.#nics.get(ill);
    if (nic === undefined) return;
    for (const group of nic.groups.keys()) nic.noteChange(group, nowMs);
  }

  /** `ill` has received a query. */
  handleQuery(ill: Ill, query: MldQuery, nowMs: number): void {
    const nic = this.#nicOf(ill);
    if (query.version === 1) nic.olderUntilMs = nowMs + OLDER_QUERIER_MS;
    else if (query.robustness > 0) nic.robustness = query.robustness;
    const atMs = nowMs + this.#options.rng.uniform(0, query.maxResponseMs);
    if (query.group === undefined) {
      nic.allAtMs = Math.min(nic.allAtMs, Math.max(atMs, nic.answeredMs + ANSWER_GAP_MS));
      return;
    }
    if (nic.allAtMs <= atMs || !nic.groups.has(query.group)) return;
    nic.noteQuery(query.group, atMs);
  }

  handleTime(nowMs: number): void {
    this.#nowMs = nowMs;
    for (const nic of this.#nics.values()) {
      if (nowMs >= nic.nextMs()) this.#step(nic, nowMs);
    }
    this.#sender = undefined;
    this.#queue.handleTime(nowMs);
  }

  pollAt(): number {
    let nextMs = this.#queue.pollAt();
    for (const nic of this.#nics.values()) nextMs = Math.min(nextMs, nic.nextMs());
    return nextMs;
  }

  /** The listener of `ill`; for a new one those of NICs that have left give way. */
  #nicOf(ill: Ill): NicListener {
    const known = this.#nics.get(ill);
    if (known !== undefined) return known;
    const members = new Set(this.#options.membership.ills());
    for (const [other, { isIdle }] of this.#nics) {
      if (isIdle && !members.has(other)) this.#nics.delete(other);
    }
    const nic = new NicListener(ill);
    this.#nics.set(ill, nic);
    return nic;
  }

  /** `address` is answered for in proxy no longer; an address of ours replaces such an entry. */
  #dropProxied(address: Ipv6): void {
    const nic = this.#proxied.get(address);
    if (nic === undefined) return;
    this.#proxied.delete(address);
    nic.remove(ipv6SolicitedNode(address), this.#nowMs);
  }

  /** Queues what is due of one NIC. */
  #step(nic: NicListener, nowMs: number): void {
    if (nowMs >= nic.changesAtMs) this.#reportChanges(nic, nowMs);
    const records = nic.takeAnswers(nowMs).map((group) => recordOf(RECORD_IS_EXCLUDE, group));
    this.#report(nic, records, nowMs);
  }

  #reportChanges(nic: NicListener, nowMs: number): void {
    const records: MldRecord[] = [];
    for (const [group, left] of nic.changes) {
      const isMember = nic.groups.has(group);
      records.push(recordOf(isMember ? RECORD_TO_EXCLUDE : RECORD_TO_INCLUDE, group));
      if (left > 1) nic.changes.set(group, left - 1);
      else nic.changes.delete(group);
    }
    // A NIC that has lost all its addresses may be on its way out: it leaves once.
    if (nic.groups.size === 0) nic.changes.clear();
    const waitMs = this.#options.rng.uniform(0, UNSOLICITED_MS[nic.version(nowMs)]);
    nic.changesAtMs = nic.changes.size === 0 ? NEVER : nowMs + waitMs;
    this.#report(nic, records, nowMs);
  }

  /** Queues the frames of these records. */
  #report(nic: NicListener, records: readonly MldRecord[], nowMs: number): void {
    const version = nic.version(nowMs);
    const most = version === 1 ? 1 : mldRecordsMax(MTU_MIN);
    for (let at = 0; at < records.length; at += most) {
      this.#queue.add({ nic, version, records: records.slice(at, at + most) }, nowMs);
    }
  }

  #send({ nic, version, records }: Report): void {
    const { output, counters } = this.#options;
    const { ill } = nic;
    const [first] = records;
    if (!isInUse(ill) || first === undefined) return;
    counters.listenerReports++;
    this.#sender ??= this.#linkLocal();
    const sender = this.#sender;
    if (version === 2) {
      output.toWire(ill, mldReportFrame(ill.physAddr, sender, records));
      return;
    }
    const type = first.type === RECORD_TO_INCLUDE ? ICMPV6_MLDV1_DONE : ICMPV6_MLDV1_REPORT;
    output.toWire(ill, mldGroupFrame(ill.physAddr, sender, type, first.group));
  }

  /** A link-local address of the group that is in use; none if there is none (RFC 3590). */
  #linkLocal(): Ipv6 {
    for (const ill of this.#options.membership.ills()) {
      for (const { address, state } of ill.boundIpifs[6]) {
        if (typeof address === 'bigint' && state === 'up' && ipIsLinkLocal(address)) return address;
      }
    }
    return IPV6_UNSPECIFIED;
  }
}

/** Of all sources: the only state that these memberships have. */
function recordOf(type: number, group: Ipv6): MldRecord {
  return { type, group, sources: [] };
}

/** Frames that it sends may arrive. */
function isInUse({ physAddr, phyint }: Ill): boolean {
  return physAddr !== 0 && phyint.isLinkUp;
}
