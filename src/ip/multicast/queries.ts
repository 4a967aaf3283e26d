/**
 * Questions to the host's kernel about its multicast memberships.
 *
 * Memberships belong to the host's kernel, which reports them by the group's device. Its reports
 * leave by the nominated NIC, so a switch that snoops sends the groups to that NIC's port alone.
 * The kernel repeats a report when a querier asks, up to 125 s later (RFC 3376 8.2). So the kernel
 * is asked in the querier's place when another NIC is nominated, when a group has a working NIC
 * again (what was reported meanwhile was dropped), and when the group's device is up again. Its
 * answers, with all sources and filters, leave by the NIC that is nominated then. A kernel without
 * an IPv6 address takes no query of MLD; it is asked when its first address is bound.
 *
 * - The query is always of the newest version, IGMPv3 and MLDv2. Linux answers it in the version
 *   that the LAN's querier chose, and only a query of an older one changes that choice; so the
 *   version need not be known here (measured: Linux 6.18 after a query of IGMPv2 or MLDv1 answers
 *   with reports of that version in 10 ms).
 * - The maximum response time is 0: Linux waits for three ticks instead of a random time.
 * - Robustness and interval of IGMP are 0, which stands for the host's own settings (RFC 3376
 *   4.1.6, 4.1.7). Those of MLD are the ones of the LAN's querier, or the defaults: Linux takes
 *   them as they are, and with 0 it forgets a querier of version 1 at once (measured).
 * - The query is repeated soon, because one frame may be lost, and later, because a switch may give
 *   carrier before it forwards.
 *
 * The old NIC's port is not pruned: a leave for it would end the traffic of other receivers behind
 * that port until they have answered, and the copies that still come there are dropped as
 * `not_nominated`. The querier of the LAN ends them (RFC 3376 8.4, 260 s).
 */

import { TokenBucket } from '../../base/token-bucket.ts';
import type { Ipv6, Mac } from '../../wire/addr.ts';
import { igmpQueryFrame } from '../../wire/multicast/igmp.ts';
import { type MldQuery, mldQueryFrame } from '../../wire/multicast/mld.ts';
import type { LanCounters } from '../lan-counters.ts';
import type { LanMembership, LanOutput } from '../lan-port.ts';

// RFC 3810 9.1, 9.2: defaults.
const ROBUSTNESS = 2;
const INTERVAL_S = 125;

// Ours
/** When the kernel is asked, after the cause; twice before an offline NIC is let go (GRACE_MS). */
export const QUERY_AT_MS: readonly number[] = [0, 30, 1200];
/** Queries a second in the long run, and at once: three failovers. The next one waits. */
export const QUERY_RATE = 1;
export const QUERY_BURST = 3 * QUERY_AT_MS.length;
/** A query that must wait for its rate is tried again after this. */
const RETRY_MS = 1000 / QUERY_RATE;

/** All memberships, at once. */
const GENERAL = { group: undefined, maxResponseMs: 0, isSuppressed: false, sources: [] } as const;

const NEVER = Number.POSITIVE_INFINITY;

export interface MembershipQueriesOptions {
  readonly membership: LanMembership;
  readonly output: LanOutput;
  readonly counters: LanCounters;
}

/** The queries of one LAN. */
export class MembershipQueries {
  readonly #options: MembershipQueriesOptions;
  readonly #rate = new TokenBucket(QUERY_RATE, QUERY_BURST);
  #beganMs = 0;
  /** Next of the series, and when it is sent; NEVER after the last. */
  #number = 0;
  #nextMs = NEVER;
  /** The kernel was not asked by MLD, because it has no address of IPv6. */
  #isMldOwed = false;
  /** What the LAN's querier of MLDv2 says. */
  #querier = { robustness: ROBUSTNESS, intervalS: INTERVAL_S };

  constructor(options: MembershipQueriesOptions) {
    this.#options = options;
  }

  /** Reports of the host leave by another NIC than before: the series begins anew. */
  begin(nowMs: number): void {
    this.#beganMs = nowMs;
    this.#number = 0;
    this.#nextMs = nowMs;
    this.handleTime(nowMs);
  }

  /** An address of IPv6 is bound. */
  handleIpv6Bound(nowMs: number): void {
    if (this.#isMldOwed) this.begin(nowMs);
  }

  /** The querier of the LAN has asked. */
  handleQuery({ version, robustness, intervalS }: MldQuery): void {
    if (version === 1) return;
    this.#querier = {
      robustness: robustness || ROBUSTNESS,
      intervalS: intervalS || INTERVAL_S,
    };
  }

  handleTime(nowMs: number): void {
    if (nowMs < this.#nextMs) return;
    if (!this.#rate.take(nowMs)) {
      this.#nextMs = nowMs + RETRY_MS;
      return;
    }
    this.#query();
    // Those that a late timer missed are left out: one question is as good as two.
    do this.#number++;
    while (this.#dueMs() <= nowMs);
    this.#nextMs = this.#dueMs();
  }

  pollAt(): number {
    return this.#nextMs;
  }

  #dueMs(): number {
    const afterMs = QUERY_AT_MS[this.#number];
    return afterMs === undefined ? NEVER : this.#beganMs + afterMs;
  }

  #query(): void {
    const { membership, output, counters } = this.#options;
    const mac = membership.castIll()?.physAddr ?? 0;
    if (mac === 0 || !membership.isHostUp()) return;
    counters.membershipQueries++;
    const igmp = { ...GENERAL, version: 3, robustness: 0, intervalS: 0 };
    output.toHost(igmpQueryFrame(mac, igmp));
    this.#isMldOwed = !this.#hasIpv6();
    if (this.#isMldOwed) return;
    counters.membershipQueries++;
    const mld = { ...GENERAL, ...this.#querier, version: 2 };
    output.toHost(mldQueryFrame(mac, linkLocalOf(mac), mld));
  }

  /** The host has an IPv6 address on the group's device; else it would not take the query. */
  #hasIpv6(): boolean {
    for (const ill of this.#options.membership.ills()) {
      if (ill.boundIpifs[6].length > 0) return true;
    }
    return false;
  }
}

/**
 * The link-local address that is made of a MAC (RFC 4291 appendix A). A querier must have one, and
 * nothing is ever sent to this one.
 */
function linkLocalOf(mac: Mac): Ipv6 {
  const bits = BigInt(mac) ^ (0x02n << 40n);
  return (0xfe80n << 112n) | ((bits >> 24n) << 40n) | (0xfffen << 24n) | (bits & 0xffffffn);
}
