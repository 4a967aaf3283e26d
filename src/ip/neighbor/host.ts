/**
 * Questions and statements of the host about neighbours, through the group's device; for both
 * families. The host sees one Ethernet interface; its frames never leave as they are, because they
 * carry the group's MAC.
 *
 * - A question about a neighbour, to all or to the MAC in the host's cache (its own probe), is
 *   answered from our cache when that is confirmed, else after the wire was asked (resolver.ts).
 * - A question about a test address is answered with the MAC of its NIC: the truth.
 * - A probe (no sender address) about a foreign address is asked again on the wire, and the
 *   answers from the wire are handed up (host-probes.ts).
 * - Probes and announcements of the host's own addresses are absorbed: detection and announcing are
 *   ours. An announcement makes us repeat ours, at most once a second; a probe of one that
 *   another station has is answered so, where the family has a message for it.
 */

import type { IpAddress } from '../../wire/addr.ts';
import { ethernetIsGroup } from '../../wire/ethernet.ts';
import type { Claims } from '../claim/claims.ts';
import type { FrameEnd, LanCounters } from '../lan-counters.ts';
import type { LanMembership, LanOutput } from '../lan-port.ts';
import type { Ipif } from '../object/ipif.ts';
import { isProbe, type NeighborMessage, type NeighborProtocol } from '../protocol.ts';
import type { HostProbes } from './host-probes.ts';
import type { Resolver } from './resolver.ts';
import type { NeighborSideOptions } from './wire.ts';

/** The side of the host. */
export class NeighborHost {
  readonly #membership: LanMembership;
  readonly #output: LanOutput;
  readonly #counters: LanCounters;
  readonly #resolver: Resolver;
  readonly #claims: Claims;
  readonly #hostProbes: HostProbes;

  constructor(options: NeighborSideOptions) {
    this.#membership = options.membership;
    this.#output = options.output;
    this.#counters = options.counters;
    this.#resolver = options.resolver;
    this.#claims = options.claims;
    this.#hostProbes = options.hostProbes;
  }

  /** A frame of `protocol` from the host, carried to its end. */
  handleFrame(protocol: NeighborProtocol, frame: Uint8Array, nowMs: number): FrameEnd {
    const message = protocol.read(frame);
    if (typeof message === 'string') return message;
    const { sender, target } = message;
    if (message.isAnnouncement) {
      const ipif = sender === undefined ? undefined : this.#membership.findIpif(sender);
      if (ipif !== undefined) this.#claims.handleHostAnnounces(ipif, nowMs);
      return 'host_detection';
    }
    if (!message.isQuestion || target === undefined) return protocol.reasons.hostReply;
    const ipif = this.#membership.findIpif(target);
    if (ipif !== undefined) return this.#handleOwnTarget(protocol, message, ipif);
    if (this.#resolver.cache.get(target)?.isProxy === true) return 'host_own_target';
    if (sender === undefined) return this.#probe(protocol, target, message, nowMs);
    const waiter = { spa: sender, sha: message.mac };
    const isCheck = !ethernetIsGroup(frame, 0);
    return this.#resolver.handleHostQuestion(target, waiter, isCheck, nowMs);
  }

  /** A question about an address of ours: only a test address is not the host's own. */
  #handleOwnTarget(protocol: NeighborProtocol, message: NeighborMessage, ipif: Ipif): FrameEnd {
    if (ipif.kind === 'data') {
      if (!isProbe(message)) return 'host_own_target';
      return this.#claims.refuseHost(ipif) ? 'answered' : 'host_detection';
    }
    if (ipif.state !== 'up') return 'address_tentative';
    const mac = ipif.boundIll?.physAddr ?? 0;
    if (mac === 0) return 'address_unbound';
    this.#counters.hostAnswers++;
    const asker = { spa: message.sender, sha: message.mac };
    this.#output.toHost(protocol.answerHost(asker, { address: ipif.address, mac }));
    return 'answered';
  }

  #probe(
    protocol: NeighborProtocol,
    address: IpAddress,
    { mac, nonce }: NeighborMessage,
    nowMs: number,
  ): FrameEnd {
    const ill = this.#membership.probeIll();
    if (ill === undefined || ill.physAddr === 0) return 'no_active_member';
    if (!this.#resolver.questions.takeAskToken(ill, nowMs)) return 'neighbor_rate_limited';
    this.#hostProbes.add(address, mac, nowMs);
    this.#counters.questionsSent++;
    this.#output.toWire(ill, protocol.probe(ill, address, nonce));
    return 'consumed';
  }
}
