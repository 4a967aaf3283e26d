/**
 * Messages between hosts and routers (RFC 4861 6, 8), which pass through a LAN without ending in
 * it:
 *
 * - An advertisement of the wire is for the host, which gets it once: one for all by the nominated
 *   NIC, one for the host alone by the NIC that received it. The router's MAC stays in it only if
 *   it is confirmed; else the host asks for it, and gets the truth, like that of any neighbour.
 * - A solicitation of the host leaves by the NIC that serves its address, with that NIC's MAC; or,
 *   if no NIC serves it yet, without address and MAC by the nominated one. So routers never learn a
 *   MAC that the address does not have.
 * - Of a host that is a router itself the advertisements leave in the same way, and solicitations
 *   of the wire are for it; any other host ignores them.
 * - Redirects end here. The kernel chooses next hops by its routes, and would not forget a
 *   redirect.
 */

import { TokenBucket } from '../../base/token-bucket.ts';
import { IPV6_UNSPECIFIED, type Ipv6, type Mac } from '../../wire/addr.ts';
import {
  ETHERNET_HEADER_LENGTH,
  ethernetDestination,
  ethernetIsGroup,
  ethernetSource,
} from '../../wire/ethernet.ts';
import { ICMPV6_ROUTER_ADVERTISEMENT, ICMPV6_ROUTER_SOLICITATION } from '../../wire/icmpv6.ts';
import { ipv6Destination, ipv6Source } from '../../wire/ipv6.ts';
import { ND_OPTION_SOURCE_MAC, ndOptionMac, ndType } from '../../wire/nd.ts';
import { ndFrameWithSourceMac, ndRouterSolicitationFrame } from '../../wire/nd-frames.ts';
import type { FrameEnd } from '../lan-counters.ts';
import type { NeighborSideOptions } from '../neighbor/wire.ts';
import type { Ill } from '../object/ill.ts';
import { ndGate } from './protocol.ts';

// Ours
/** Solicitations of the host, per second in the long run and at once; the kernel sends 3 in 8 s. */
export const SOLICITATION_RATE = 1;
export const SOLICITATION_BURST = 10;

const HEADER = ETHERNET_HEADER_LENGTH;

/** The messages of routers in one LAN. */
export class Routers {
  readonly #options: NeighborSideOptions;
  readonly #rate = new TokenBucket(SOLICITATION_RATE, SOLICITATION_BURST);

  constructor(options: NeighborSideOptions) {
    this.#options = options;
  }

  /** Solicitation, advertisement or redirect that `ill` received, carried to its end. */
  handleWireFrame(ill: Ill, frame: Uint8Array, nowMs: number): FrameEnd {
    const { membership } = this.#options;
    const destination = ethernetDestination(frame, 0);
    const isForAll = ethernetIsGroup(frame, 0) || destination === membership.groupMac();
    const cast = membership.castIll();
    if (isForAll && cast !== undefined && cast !== ill) return 'not_nominated';
    const refusal = ndGate(frame);
    if (refusal !== undefined) return refusal;
    const stated = ndOptionMac(frame, HEADER, ND_OPTION_SOURCE_MAC);
    const mac = stated ?? ethernetSource(frame, 0);
    if (membership.isOwnMac(mac) || membership.isOwnMac(ethernetSource(frame, 0))) {
      return 'nd_reflection';
    }
    if (!membership.isHostUp()) return 'host_down';
    const type = ndType(frame, HEADER);
    const isAdvertisement = type === ICMPV6_ROUTER_ADVERTISEMENT;
    if (!isAdvertisement && type !== ICMPV6_ROUTER_SOLICITATION) return 'nd_redirect';
    const address = ipv6Source(frame, HEADER);
    const conflict = this.#conflictEnd(address, mac, nowMs);
    if (conflict !== undefined) return conflict;
    if (stated !== undefined) this.#learn(address, stated, isAdvertisement, nowMs);
    if (!isAdvertisement && !membership.isRouter()) return 'nd_router_solicitation';
    this.#toHost(frame, address, stated);
    return 'consumed';
  }

  /** The same three messages from the host. */
  handleHostFrame(frame: Uint8Array, nowMs: number): FrameEnd {
    const refusal = ndGate(frame);
    if (refusal !== undefined) return refusal;
    const type = ndType(frame, HEADER);
    if (type === ICMPV6_ROUTER_SOLICITATION) return this.#solicit(frame, nowMs);
    if (type !== ICMPV6_ROUTER_ADVERTISEMENT) return 'host_redirect';
    const ill = this.#servingIll(ipv6Source(frame, HEADER));
    if (ill === undefined) return 'address_unbound';
    const ends = { destination: ethernetDestination(frame, 0), source: ill.physAddr };
    this.#send(ill, ndFrameWithSourceMac(frame, ends, ill.physAddr));
    return 'consumed';
  }

  #conflictEnd(address: Ipv6, mac: Mac, nowMs: number): FrameEnd | undefined {
    const { membership, claims } = this.#options;
    const ipif = membership.findIpif(address);
    if (ipif === undefined) return undefined;
    if (membership.isHostMac(mac)) return 'nd_reflection';
    return claims.handleConflict(ipif, mac, nowMs) ? 'consumed' : 'nd_conflict';
  }

  /** The neighbour is known better, but not added: the host asks for it when it needs it. */
  #learn(address: Ipv6, mac: Mac, isRouter: boolean, nowMs: number): void {
    const stated = { address, mac, isMacStated: true, isOverride: true, isRouter };
    const claim = { ...stated, isReply: false, targetAddress: undefined, mayAdd: false };
    if (address !== IPV6_UNSPECIFIED) this.#options.resolver.handleSender(claim, nowMs);
  }

  #toHost(frame: Uint8Array, address: Ipv6, stated: Mac | undefined): void {
    const { membership, output, counters, resolver } = this.#options;
    const nce = resolver.cache.get(address);
    const isConfirmed = nce?.state === 'REACHABLE' || nce?.state === 'PERMANENT';
    const mac = isConfirmed && nce.mac === stated ? stated : undefined;
    const isForAll = ethernetIsGroup(frame, 0);
    const destination = isForAll ? ethernetDestination(frame, 0) : membership.groupMac();
    const ends = { destination, source: ethernetSource(frame, 0) };
    counters.routerMessages++;
    output.toHost(ndFrameWithSourceMac(frame, ends, mac));
  }

  #solicit(frame: Uint8Array, nowMs: number): FrameEnd {
    const source = ipv6Source(frame, HEADER);
    const serving = this.#servingIll(source);
    const ill = serving ?? this.#options.membership.castIll();
    if (ill === undefined || ill.physAddr === 0) return 'no_active_member';
    if (!this.#rate.take(nowMs)) return 'neighbor_rate_limited';
    const isServed = serving !== undefined;
    const message = {
      source: isServed ? source : IPV6_UNSPECIFIED,
      destination: ipv6Destination(frame, HEADER),
      sourceMac: isServed ? ill.physAddr : undefined,
    };
    const destination = ethernetDestination(frame, 0);
    this.#send(ill, ndRouterSolicitationFrame(destination, ill.physAddr, message));
    return 'consumed';
  }

  #send(ill: Ill, frame: Uint8Array): void {
    this.#options.counters.routerMessages++;
    this.#options.output.toWire(ill, frame);
  }

  /** The NIC that has `address` of the host, if it may be used. */
  #servingIll(address: Ipv6): Ill | undefined {
    const ipif = this.#options.membership.findIpif(address);
    const ill = ipif?.kind === 'data' && ipif.state === 'up' ? ipif.boundIll : undefined;
    return ill !== undefined && ill.physAddr !== 0 ? ill : undefined;
  }
}
