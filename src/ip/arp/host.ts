/**
 * ARP from the host, through the group's device. The host sees one Ethernet interface; its
 * frames never leave as they are, because they carry the group's MAC.
 *
 * - A question about a neighbour, broadcast or to the MAC in the host's cache (its own probe), is
 *   answered from our cache when that is confirmed, else after the wire was asked (resolver.ts).
 * - A question about a test address is answered with the MAC of its NIC: the truth.
 * - A probe (no sender address) about a foreign address is asked again on the wire, and the
 *   answers from the wire are handed up (host-probes.ts).
 * - Probes and announcements of the host's own addresses are absorbed: detection and announcing are
 *   ours. An announcement makes us repeat ours, at most once a second.
 */

import { MAC_BROADCAST } from '../../wire/addr.ts';
import {
  ARP_REPLY,
  ARP_REQUEST,
  type ArpPacket,
  arpFrame,
  arpIsAnnouncement,
  arpIsProbe,
} from '../../wire/arp.ts';
import { ethernetIsGroup } from '../../wire/ethernet.ts';
import type { Claims } from '../claim/claims.ts';
import type { FrameEnd, LanCounters } from '../lan-counters.ts';
import type { LanMembership, LanOutput } from '../lan-port.ts';
import type { Resolver } from '../neighbor/resolver.ts';
import type { Ipif } from '../object/ipif.ts';
import { arpGate } from './arp.ts';
import type { HostProbes } from './host-probes.ts';
import type { ArpSideOptions } from './wire.ts';

/** The side of the host. */
export class ArpHost {
  readonly #membership: LanMembership;
  readonly #output: LanOutput;
  readonly #counters: LanCounters;
  readonly #resolver: Resolver;
  readonly #claims: Claims;
  readonly #hostProbes: HostProbes;

  constructor(options: ArpSideOptions) {
    this.#membership = options.membership;
    this.#output = options.output;
    this.#counters = options.counters;
    this.#resolver = options.resolver;
    this.#claims = options.claims;
    this.#hostProbes = options.hostProbes;
  }

  /** An ARP frame of the host, carried to its end. */
  handleFrame(frame: Uint8Array, nowMs: number): FrameEnd {
    const packet = arpGate(frame);
    if (typeof packet === 'string') return packet;
    if (arpIsAnnouncement(packet)) {
      const ipif = this.#membership.findIpif(packet.senderAddress);
      if (ipif !== undefined) this.#claims.handleHostAnnounces(ipif, nowMs);
      return 'host_detection';
    }
    if (packet.operation === ARP_REPLY) return 'host_arp_reply';
    const target = this.#membership.findIpif(packet.targetAddress);
    if (target !== undefined) return this.#handleOwnTarget(packet, target);
    const nce = this.#resolver.cache.get(packet.targetAddress);
    if (nce?.isProxy === true) return 'host_own_target';
    if (arpIsProbe(packet)) return this.#probe(packet, nowMs);
    const waiter = { spa: packet.senderAddress, sha: packet.senderMac };
    const isCheck = !ethernetIsGroup(frame, 0);
    return this.#resolver.handleHostQuestion(packet.targetAddress, waiter, isCheck, nowMs);
  }

  /** A question about an address of ours: only a test address is not the host's own. */
  #handleOwnTarget(packet: ArpPacket, target: Ipif): FrameEnd {
    if (target.kind === 'data') {
      return arpIsProbe(packet) ? 'host_detection' : 'host_own_target';
    }
    if (target.state !== 'up') return 'address_tentative';
    const mac = target.boundIll?.physAddr ?? 0;
    if (mac === 0) return 'address_unbound';
    this.#counters.hostAnswers++;
    this.#output.toHost(
      arpFrame(packet.senderMac, mac, {
        operation: ARP_REPLY,
        senderMac: mac,
        senderAddress: Number(target.address),
        targetMac: packet.senderMac,
        targetAddress: packet.senderAddress,
      }),
    );
    return 'answered';
  }

  #probe(packet: ArpPacket, nowMs: number): FrameEnd {
    const ill = this.#membership.probeIll();
    if (ill === undefined || ill.physAddr === 0) return 'no_active_member';
    if (!this.#resolver.questions.takeAskToken(ill, nowMs)) return 'neighbor_rate_limited';
    this.#hostProbes.add(packet.targetAddress, packet.senderMac, nowMs);
    this.#counters.questionsSent++;
    this.#output.toWire(
      ill,
      arpFrame(MAC_BROADCAST, ill.physAddr, {
        operation: ARP_REQUEST,
        senderMac: ill.physAddr,
        senderAddress: 0,
        targetMac: 0,
        targetAddress: packet.targetAddress,
      }),
    );
    return 'consumed';
  }
}
