/**
 * Multicast of one LAN, as far as the control plane has a part in it: the host's memberships are
 * reported by the nominated NIC (queries.ts), each NIC is a listener for its own addresses
 * (solicited.ts), and queries of IPv6 reach both. Those of IPv4 are for the host alone, so the
 * datapath passes them to it.
 *
 * A query that a NIC received concerns that NIC's memberships; the copy of the nominated NIC goes
 * to the host as well, unchanged, so the host receives it once.
 */

import { ETHERNET_HEADER_LENGTH } from '../../wire/ethernet.ts';
import { icmpv6IsMld } from '../../wire/icmpv6.ts';
import {
  IPV6_PROTOCOL_ICMP,
  ipv6IsValid,
  ipv6TotalLength,
  ipv6Walk,
  ipv6WalkCreate,
} from '../../wire/ipv6.ts';
import { mldIsValid, mldQueryParse } from '../../wire/multicast/mld.ts';
import type { FrameEnd } from '../lan-counters.ts';
import type { Ill } from '../object/ill.ts';
import type { Ipif } from '../object/ipif.ts';
import { MembershipQueries } from './queries.ts';
import { SolicitedGroups, type SolicitedOptions } from './solicited.ts';

const IP = ETHERNET_HEADER_LENGTH;

/** The multicast of one LAN. */
export class Multicast {
  readonly #options: SolicitedOptions;
  readonly #queries: MembershipQueries;
  readonly #solicited: SolicitedGroups;
  readonly #walk = ipv6WalkCreate();

  constructor(options: SolicitedOptions) {
    this.#options = options;
    this.#queries = new MembershipQueries(options);
    this.#solicited = new SolicitedGroups(options);
  }

  /** The host's reports leave by another NIC than before. */
  handleNominated(nowMs: number): void {
    this.#queries.begin(nowMs);
    this.#solicited.handleProxied(nowMs);
  }

  /** Addresses that are answered for in proxy came or went. */
  handleProxied(nowMs: number): void {
    this.#solicited.handleProxied(nowMs);
  }

  /** `ipif` is served by the NIC in its `boundIll` from now on. */
  handleBound(ipif: Ipif, nowMs: number): void {
    this.#solicited.handleBound(ipif, nowMs);
    if (ipif.family === 6) this.#queries.handleIpv6Bound(nowMs);
  }

  /** No NIC serves `ipif` any longer. */
  handleUnbound(ipif: Ipif): void {
    this.#solicited.handleUnbound(ipif);
  }

  handleLinkUp(ill: Ill, nowMs: number): void {
    this.#solicited.handleLinkUp(ill, nowMs);
  }

  /** A frame of IPv6 received by `ill`; undefined if it has no message of MLD. */
  handleWireFrame(ill: Ill, frame: Uint8Array, nowMs: number): FrameEnd | undefined {
    const { membership, output, counters } = this.#options;
    const walk = this.#walk;
    if (!ipv6IsValid(frame, IP, frame.length - IP) || !ipv6Walk(frame, IP, walk)) return undefined;
    const isIcmp = walk.protocol === IPV6_PROTOCOL_ICMP && walk.offset < frame.length;
    if (!isIcmp || walk.isLaterFragment || !icmpv6IsMld(frame[walk.offset]!)) return undefined;
    if (!mldIsValid(frame, IP, walk)) return 'mld_invalid';
    const length = IP + ipv6TotalLength(frame, IP) - walk.offset;
    const query = mldQueryParse(frame, walk.offset, length);
    if (query === undefined) return 'mld_invalid';
    this.#queries.handleQuery(query);
    this.#solicited.handleQuery(ill, query, nowMs);
    if (membership.castIll() === ill && membership.isHostUp()) {
      counters.handedUp++;
      output.toHost(frame.slice());
    }
    return 'consumed';
  }

  handleTime(nowMs: number): void {
    this.#queries.handleTime(nowMs);
    this.#solicited.handleTime(nowMs);
  }

  pollAt(): number {
    return Math.min(this.#queries.pollAt(), this.#solicited.pollAt());
  }
}
