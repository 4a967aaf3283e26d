/**
 * One LAN. Theory of operation.
 *
 * Purpose. The host sees one Ethernet interface, the wire sees several NICs. ARP and neighbour
 * discovery therefore end here on both sides: neither side's questions about neighbours are ever
 * passed on. What the host learns of a neighbour is the neighbour's real MAC, once the neighbour
 * itself has confirmed it; what the wire learns of a data address is the MAC of the NIC that the
 * address is bound to.
 *
 *      host ── neighbor/host ──┐                     ┌── neighbor/wire ── wire (several NICs)
 *        ▲        │            ├── resolver ─────────┤        │  ▲
 *        │        └ host-probes    (nce, cache,      │        │  │
 *        │                          redirect)        │     claims (dad)
 *        └── icmp (echo for test addresses) ─────────┴───────────┘
 *
 * Parts: resolver.ts drives the neighbour cache (nce.ts: states, cache.ts: limits,
 * redirect.ts: neighbours that change their MAC, host-answers.ts: the answers to the host);
 * claims.ts drives detection, announcements and defence of our own addresses (dad.ts: states);
 * notices.ts sends neighbours a question from each moved address, nomination.ts announces what a
 * new nominated NIC serves; multicast/ has the host's memberships reported by it, and reports those
 * of each NIC; questions.ts chooses how to ask; arp/ and nd/ read and build the messages of each
 * family, and nd/routers.ts passes those of routers on;
 * icmp.ts answers echo; ire.ts mirrors routes.
 *
 * Sans-IO: `handle…` and `address…` take an input, LanOutput takes outputs at once, and `pollAt`
 * returns the next deadline. LanOutput must not call back into the Lan.
 *
 * Each frame given to it is answered, or consumed (learnt from, heeded, handed up, kept as a
 * question), or dropped for exactly one reason (lan-counters.ts).
 *
 * Invariants
 * 1. Nothing leaves a NIC with a MAC that is not that NIC's.
 * 2. The host never gets a MAC that was not confirmed by its owner within 15 s, or set by the
 *    operator.
 * 3. An unsolicited frame adds no neighbour, unless it asks for an address of ours.
 * 4. All tables are bounded (the limits are in their files).
 */

import { OperatorError } from '../base/errors.ts';
import type { Rng } from '../base/rng.ts';
import {
  type Family,
  type IpAddress,
  ipFamily,
  ipFormat,
  type Mac,
  macFormat,
  macIsGroup,
} from '../wire/addr.ts';
import {
  ETHERTYPE_ARP,
  ETHERTYPE_IPV4,
  ETHERTYPE_IPV6,
  ethernetIsValid,
  ethernetType,
} from '../wire/ethernet.ts';
import { ArpProtocol } from './arp/protocol.ts';
import { Claims } from './claim/claims.ts';
import { Nomination } from './claim/nomination.ts';
import { Pace } from './claim/pace.ts';
import { LocalIcmp } from './icmp.ts';
import { type FrameEnd, LanCounters, type NeighborCounts } from './lan-counters.ts';
import type { LanMembership, LanOutput } from './lan-port.ts';
import { Multicast } from './multicast/multicast.ts';
import { NeighborDiscovery } from './nd/discovery.ts';
import { NdProtocol } from './nd/protocol.ts';
import { NEIGHBOR_LIMIT_DEFAULT } from './neighbor/cache.ts';
import { NeighborHost } from './neighbor/host.ts';
import { HostProbes } from './neighbor/host-probes.ts';
import type { NceState } from './neighbor/nce.ts';
import { Notices } from './neighbor/notices.ts';
import { Resolver } from './neighbor/resolver.ts';
import { NeighborWire } from './neighbor/wire.ts';
import type { Ill } from './object/ill.ts';
import type { Ipif } from './object/ipif.ts';
import { RouteTable } from './object/ire.ts';
import type { ProtocolOf } from './protocol.ts';

export interface LanOptions {
  readonly membership: LanMembership;
  readonly output: LanOutput;
  readonly rng: Rng;
  /** Entries of the neighbour cache, 64 .. 65536; default 1024. */
  readonly neighborLimit?: number;
}

/** One row of `neighbor show`, a flat copy. */
export interface NeighborView {
  readonly address: IpAddress;
  /** 0 while unknown. */
  readonly mac: Mac;
  readonly state: NceState;
  /** Why it is in that state, for people. */
  readonly why: string;
  readonly isProxy: boolean;
}

/** `initial`: detection, then announcements; `rebind`: announcements when already up. */
export type BindHow = 'initial' | 'rebind';

const FAMILIES: readonly Family[] = [4, 6];

/** One LAN. */
export class Lan {
  readonly counters = new LanCounters();
  /** The host's routes through this LAN; replaced by the owner. */
  readonly routes = new RouteTable();
  readonly #membership: LanMembership;
  readonly #output: LanOutput;
  readonly #resolver: Resolver;
  readonly #claims: Claims;
  readonly #notices: Notices;
  readonly #nominations: readonly Nomination[];
  readonly #multicast: Multicast;
  readonly #arp = new ArpProtocol();
  readonly #wire: NeighborWire;
  readonly #host: NeighborHost;
  readonly #discovery: NeighborDiscovery;
  readonly #icmp: LocalIcmp;

  constructor(options: LanOptions) {
    const { membership, output, rng } = options;
    const { counters } = this;
    this.#membership = membership;
    this.#output = output;
    const nd = new NdProtocol(() => membership.isRouter());
    const protocolOf: ProtocolOf = (address) => (ipFamily(address) === 4 ? this.#arp : nd);
    this.#resolver = new Resolver({
      membership,
      output,
      protocolOf,
      rng: rng.fork(),
      counters,
      neighborLimit: options.neighborLimit ?? NEIGHBOR_LIMIT_DEFAULT,
      isGateway: (address) => this.routes.isGateway(address),
    });
    const resolver = this.#resolver;
    this.#notices = new Notices({
      output,
      protocolOf,
      counters,
      cache: resolver.cache,
      isGateway: (address) => this.routes.isGateway(address),
    });
    const pace = new Pace(() => [...membership.ills()].length);
    const { cache } = resolver;
    const shared = { membership, output, protocolOf, counters, cache, pace };
    this.#nominations = FAMILIES.map((family) => new Nomination({ ...shared, family }));
    this.#claims = new Claims({
      membership,
      output,
      protocolOf,
      rng: rng.fork(),
      counters,
      pace,
      notify: (ipif, nowMs) => this.#notices.handleAnnounced(ipif, nowMs),
    });
    const claims = this.#claims;
    const hostProbes = new HostProbes();
    const side = { membership, output, counters, resolver, claims, hostProbes };
    this.#wire = new NeighborWire(side);
    this.#host = new NeighborHost(side);
    this.#discovery = new NeighborDiscovery({ ...side, nd, wire: this.#wire, host: this.#host });
    this.#icmp = new LocalIcmp({ membership, output, counters });
    this.#multicast = new Multicast({
      membership,
      output,
      counters,
      pace,
      rng: rng.fork(),
      proxied: () => this.#proxied(),
    });
  }

  /** Another limit of the neighbour cache, 64 .. 65536. */
  setNeighborLimit(limit: number): void {
    this.#resolver.cache.setLimit(limit);
    this.#resolver.hostAnswers.setLimit(limit);
  }

  /** A frame that `ill` received and the datapath did not forward. */
  handleWireFrame(ill: Ill, frame: Uint8Array, nowMs: number): void {
    this.counters.framesFromWire++;
    this.#finish(this.#wireEnd(ill, frame, nowMs));
  }

  /** ARP or neighbour discovery of the host, or a frame of the host to a MAC of our NICs. */
  handleHostFrame(frame: Uint8Array, nowMs: number): void {
    this.counters.framesFromHost++;
    this.#finish(this.#hostEnd(frame, nowMs));
  }

  /** `ipif` is served by the NIC in its `boundIll` from now on (docs/law.md rows 42, 43). */
  addressBound(ipif: Ipif, how: BindHow, nowMs: number): void {
    const { address } = ipif;
    this.#resolver.delete(address, 'replaced', nowMs); // no neighbour has it
    this.#resolver.hostAnswers.forget(address);
    this.#multicast.handleBound(ipif, nowMs);
    this.#claims.handleBound(ipif, how, nowMs);
  }

  /** No NIC serves `ipif` any longer. */
  addressUnbound(ipif: Ipif): void {
    this.#multicast.handleUnbound(ipif);
    this.#claims.handleUnbound(ipif);
  }

  /** The station that has a duplicate; 0 if `ipif` is none. */
  holderOf(ipif: Ipif): Mac {
    const claim = this.#claims.get(ipif);
    return claim?.state === 'duplicate' ? claim.holder : 0;
  }

  /** `ipif` is gone for good. */
  addressRemoved(ipif: Ipif): void {
    this.#multicast.handleUnbound(ipif);
    this.#claims.handleRemoved(ipif);
  }

  /** When peers will have received every move; -Infinity if they have. */
  movesToldAtMs(): number {
    return this.#claims.movesToldAtMs();
  }

  /** The link of `ill` came up (docs/law.md row 68). */
  handleLinkUp(ill: Ill, nowMs: number): void {
    this.#multicast.handleLinkUp(ill, nowMs);
    this.#claims.handleLinkUp(ill, nowMs);
  }

  /** The group's device was set down, and runs again. */
  handleHostUp(nowMs: number): void {
    this.#claims.handleHostUp(nowMs);
    for (const nomination of this.#nominations) nomination.begin(nowMs);
    this.#multicast.handleNominated(nowMs);
  }

  /** Another member than before is nominated for broadcast and multicast. */
  handleNominated(nowMs: number): void {
    for (const nomination of this.#nominations) nomination.begin(nowMs);
    this.#multicast.handleNominated(nowMs);
  }

  /** A member is gone: confirmed neighbours are verified before the host gets their MAC again. */
  doubtNeighbors(nowMs: number): void {
    this.#resolver.doubt(nowMs);
  }

  /** How full the neighbour cache is. */
  get neighborCounts(): NeighborCounts {
    const { size, incompleteCount, limit } = this.#resolver.cache;
    return { entries: size, incomplete: incompleteCount, limit };
  }

  /** Flat copies of all neighbours, in the order in which they became known. */
  neighbors(): NeighborView[] {
    return Array.from(this.#resolver.cache.entries(), (nce) => ({
      address: nce.address,
      mac: nce.state === 'INCOMPLETE' ? 0 : nce.mac,
      state: nce.state,
      why: nce.why,
      isProxy: nce.isProxy,
    }));
  }

  /**
   * Sets the MAC of a neighbour for good; a proxy entry (also any with a MAC of ours) is one that
   * we answer for on the wire with the nominated NIC's MAC (docs/law.md row 69). Refused with
   * EINVAL for our own addresses (docs/law.md row 70) and for a MAC that no single station has,
   * with ENOBUFS when the table is full.
   */
  addStatic(address: IpAddress, mac: Mac, isProxy: boolean, nowMs: number): void {
    this.#refuseOwn(address);
    if (mac === 0 || macIsGroup(mac)) {
      throw new OperatorError('EINVAL', `${macFormat(mac)} is not the MAC of one station`);
    }
    const isOurs = this.#membership.isOwnMac(mac);
    if (this.#resolver.pin(address, mac, isProxy || isOurs, nowMs)) {
      if (isProxy || isOurs) this.#announceProxy(address, nowMs);
      this.#multicast.handleProxied(nowMs);
      return;
    }
    throw new OperatorError('ENOBUFS', 'the neighbor table is full of neighbors in use');
  }

  /** Removes a neighbour; false if it is not known. Refused with EINVAL for our own addresses. */
  deleteNeighbor(address: IpAddress, nowMs: number): boolean {
    this.#refuseOwn(address);
    const wasKnown = this.#resolver.delete(address, 'removed', nowMs);
    this.#multicast.handleProxied(nowMs);
    return wasKnown;
  }

  /** Does what is due at `nowMs`. */
  handleTime(nowMs: number): void {
    this.#claims.handleTime(nowMs);
    this.#resolver.handleTime(nowMs);
    this.#notices.handleTime(nowMs);
    for (const nomination of this.#nominations) nomination.handleTime(nowMs);
    this.#multicast.handleTime(nowMs);
  }

  /** When `handleTime` has something to do; Infinity for never. */
  pollAt(): number {
    const parts = [this.#claims, this.#resolver, this.#notices, this.#multicast];
    return Math.min(...[...parts, ...this.#nominations].map((part) => part.pollAt()));
  }

  #announceProxy(address: IpAddress, nowMs: number): void {
    for (const nomination of this.#nominations) nomination.handleProxy(address, nowMs);
  }

  /** Addresses that the nominated NIC answers for. */
  *#proxied(): Iterable<IpAddress> {
    for (const nce of this.#resolver.cache.entries()) if (nce.isProxy) yield nce.address;
  }

  #wireEnd(ill: Ill, frame: Uint8Array, nowMs: number): FrameEnd {
    if (!ethernetIsValid(frame, 0, frame.length)) return 'runt';
    const type = ethernetType(frame, 0);
    if (type === ETHERTYPE_ARP) return this.#wire.handleFrame(this.#arp, ill, frame, nowMs);
    if (type === ETHERTYPE_IPV4) return this.#icmp.handleWireFrame(ill, frame, nowMs);
    if (type === ETHERTYPE_IPV6) {
      const end =
        this.#discovery.handleWireFrame(ill, frame, nowMs) ??
        this.#multicast.handleWireFrame(ill, frame, nowMs);
      return end ?? this.#icmp.handleWireFrame(ill, frame, nowMs);
    }
    return 'unknown_ethertype';
  }

  #hostEnd(frame: Uint8Array, nowMs: number): FrameEnd {
    if (!ethernetIsValid(frame, 0, frame.length)) return 'runt';
    const type = ethernetType(frame, 0);
    if (type === ETHERTYPE_ARP) return this.#host.handleFrame(this.#arp, frame, nowMs);
    if (type === ETHERTYPE_IPV4) return this.#icmp.handleHostFrame(frame, nowMs);
    if (type === ETHERTYPE_IPV6) {
      const end = this.#discovery.handleHostFrame(frame, nowMs);
      return end ?? this.#icmp.handleHostFrame(frame, nowMs);
    }
    return 'unknown_ethertype';
  }

  #finish(end: FrameEnd): void {
    if (end === 'answered') this.counters.framesAnswered++;
    else if (end === 'consumed') this.counters.framesConsumed++;
    else this.#output.drop(end);
  }

  #refuseOwn(address: IpAddress): void {
    if (this.#membership.findIpif(address) === undefined) return;
    const text = ipFormat(address);
    throw new OperatorError('EINVAL', `${text} is an address of this host`);
  }
}
