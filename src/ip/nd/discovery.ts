/**
 * The frames of IPv6 that are neighbour discovery: questions and statements about neighbours go to
 * the rules that both families share, those of routers and redirects to routers.ts. A message
 * behind extension headers or in a first fragment is found too, so that its gate refuses it with a
 * reason of its own (RFC 6980).
 */

import { ETHERNET_HEADER_LENGTH } from '../../wire/ethernet.ts';
import {
  ICMPV6_NEIGHBOR_ADVERTISEMENT,
  ICMPV6_NEIGHBOR_SOLICITATION,
  icmpv6IsNeighborDiscovery,
} from '../../wire/icmpv6.ts';
import { IPV6_PROTOCOL_ICMP, ipv6IsValid, ipv6Walk, ipv6WalkCreate } from '../../wire/ipv6.ts';
import type { FrameEnd } from '../lan-counters.ts';
import type { NeighborHost } from '../neighbor/host.ts';
import type { NeighborSideOptions, NeighborWire } from '../neighbor/wire.ts';
import type { Ill } from '../object/ill.ts';
import type { NdProtocol } from './protocol.ts';
import { Routers } from './routers.ts';

const IP = ETHERNET_HEADER_LENGTH;

export interface DiscoveryOptions extends NeighborSideOptions {
  readonly nd: NdProtocol;
  readonly wire: NeighborWire;
  readonly host: NeighborHost;
}

/** Neighbour discovery of one LAN. */
export class NeighborDiscovery {
  readonly #options: DiscoveryOptions;
  readonly #routers: Routers;
  readonly #walk = ipv6WalkCreate();

  constructor(options: DiscoveryOptions) {
    this.#options = options;
    this.#routers = new Routers(options);
  }

  /** A frame of IPv6 received by `ill`; undefined if it is no neighbour discovery. */
  handleWireFrame(ill: Ill, frame: Uint8Array, nowMs: number): FrameEnd | undefined {
    const type = this.#typeOf(frame);
    if (type === undefined) return undefined;
    const { wire, nd } = this.#options;
    if (isOfNeighbors(type)) return wire.handleFrame(nd, ill, frame, nowMs);
    return this.#routers.handleWireFrame(ill, frame, nowMs);
  }

  /** A frame of IPv6 of the host; undefined if it is no neighbour discovery. */
  handleHostFrame(frame: Uint8Array, nowMs: number): FrameEnd | undefined {
    const type = this.#typeOf(frame);
    if (type === undefined) return undefined;
    const { host, nd } = this.#options;
    if (isOfNeighbors(type)) return host.handleFrame(nd, frame, nowMs);
    return this.#routers.handleHostFrame(frame, nowMs);
  }

  #typeOf(frame: Uint8Array): number | undefined {
    const walk = this.#walk;
    if (!ipv6IsValid(frame, IP, frame.length - IP) || !ipv6Walk(frame, IP, walk)) return undefined;
    const isIcmp = walk.protocol === IPV6_PROTOCOL_ICMP && walk.offset < frame.length;
    if (!isIcmp || walk.isLaterFragment) return undefined;
    const type = frame[walk.offset]!;
    return icmpv6IsNeighborDiscovery(type) ? type : undefined;
  }
}

function isOfNeighbors(type: number): boolean {
  return type === ICMPV6_NEIGHBOR_SOLICITATION || type === ICMPV6_NEIGHBOR_ADVERTISEMENT;
}
