/**
 * ARP from the wire, in the order of docs/law.md rows 55 to 57:
 *
 * 1. a broadcast on a NIC that is not nominated is a copy of one that is handled elsewhere; only a
 *    request for an address that is bound to this very NIC is answered here. So is what is sent to
 *    the group's own MAC, which switches flood;
 * 2. the gate of arp.ts; and whether the host takes anything at all: what is set down is neither
 *    answered for nor defended, but whether an address is free is found out all the same;
 * 3. a sender with a MAC of ours is our own frame, reflected by a switch or leaked by the kernel
 *    below us: it is ignored, and above all it is no conflict;
 * 4. a sender with an *address* of ours is a conflict (RFC 5227), and so is a probe for an address
 *    that we are probing ourselves; a probe is a broadcast, and its sender MAC that of its frame:
 *    switches ask known stations with no sender address too, and need an answer;
 * 5. anything else may teach us about its sender: update, but create only if it asks for us;
 * 6. a request for an address of ours is answered once, by the NIC that the address is bound to and
 *    with its MAC both in the frame and in the packet. A broadcast is answered for the copy that
 *    came to that NIC, so no answer names a NIC that receives nothing, nor does a dead
 *    path of the nominated NIC take along what is bound to others.
 */

import { type Ipv4, MAC_BROADCAST, type Mac } from '../../wire/addr.ts';
import { ARP_REPLY, ARP_REQUEST, type ArpPacket, arpFrame, arpIsProbe } from '../../wire/arp.ts';
import { ethernetDestination, ethernetIsGroup, ethernetSource } from '../../wire/ethernet.ts';
import type { Claims } from '../claim/claims.ts';
import type { FrameEnd, LanCounters } from '../lan-counters.ts';
import type { LanMembership, LanOutput } from '../lan-port.ts';
import type { Resolver } from '../neighbor/resolver.ts';
import type { Ill } from '../object/ill.ts';
import type { Ipif } from '../object/ipif.ts';
import { arpGate } from './arp.ts';
import type { HostProbes } from './host-probes.ts';

export interface ArpSideOptions {
  readonly membership: LanMembership;
  readonly output: LanOutput;
  readonly counters: LanCounters;
  readonly resolver: Resolver;
  readonly claims: Claims;
  readonly hostProbes: HostProbes;
}

/** The side of the wire. */
export class ArpWire {
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

  /** An ARP frame that `ill` received, carried to its end. */
  handleFrame(ill: Ill, frame: Uint8Array, nowMs: number): FrameEnd {
    const isGroup = ethernetIsGroup(frame, 0);
    const destination = ethernetDestination(frame, 0);
    // The group's own MAC is a source on no wire, so a switch floods what is sent to it.
    const isForAll = isGroup || destination === this.#membership.groupMac();
    const cast = this.#membership.castIll();
    const isCopy = isForAll && cast !== undefined && cast !== ill;
    const packet = arpGate(frame);
    if (typeof packet === 'string') return isCopy ? 'not_nominated' : packet;
    const source = ethernetSource(frame, 0);
    const isOurs = this.#membership.isOwnMac(packet.senderMac) || this.#membership.isOwnMac(source);
    const isHostUp = this.#membership.isHostUp();
    if (isCopy) return isOurs || !isHostUp ? 'not_nominated' : this.#handleCopy(ill, packet);
    if (isOurs) return 'arp_reflection';
    const isProbe = isGroup && arpIsProbe(packet) && source === packet.senderMac;
    const ipif = this.#conflicting(packet, isProbe);
    // Detection goes on meanwhile.
    if (!isHostUp && (ipif === undefined || ipif.state === 'up')) return 'host_down';
    if (ipif !== undefined) {
      if (this.#membership.isHostMac(packet.senderMac)) return 'arp_reflection';
      const isOfUse = this.#claims.handleConflict(ipif, packet.senderMac, nowMs);
      return isOfUse ? 'consumed' : 'arp_conflict';
    }
    const isHandedUp = this.#handUp(packet, nowMs);
    const isToUs = this.#membership.isOwnMac(destination);
    const end = this.#handlePacket(packet, isForAll ? ill : undefined, isToUs, nowMs);
    return isHandedUp && end !== 'answered' ? 'consumed' : end;
  }

  /** The sender is learnt from the copy on the nominated NIC. */
  #handleCopy(ill: Ill, packet: ArpPacket): FrameEnd {
    const { operation, senderAddress, targetAddress } = packet;
    const target = this.#membership.findIpif(targetAddress);
    const isAnswered =
      operation === ARP_REQUEST &&
      target?.state === 'up' &&
      usable(target.boundIll) === ill &&
      (senderAddress === 0 || this.#membership.findIpif(senderAddress) === undefined);
    if (!isAnswered) return 'not_nominated';
    this.#answer(ill, packet);
    return 'answered';
  }

  /** The address of ours that another station uses, or probes for at the same time as we. */
  #conflicting(packet: ArpPacket, isProbe: boolean): Ipif | undefined {
    if (packet.senderAddress !== 0) return this.#membership.findIpif(packet.senderAddress);
    if (!isProbe) return undefined;
    const target = this.#membership.findIpif(packet.targetAddress);
    return target?.state === 'tentative' ? target : undefined;
  }

  /** `heardBy` is the NIC that a frame for all came to. */
  #handlePacket(
    packet: ArpPacket,
    heardBy: Ill | undefined,
    isToUs: boolean,
    nowMs: number,
  ): FrameEnd {
    const { operation, senderAddress, senderMac, targetAddress } = packet;
    const target = this.#membership.findIpif(targetAddress);
    const answerIll =
      operation === ARP_REQUEST ? this.#answering(target, targetAddress) : undefined;
    let end: FrameEnd = 'arp_other_target';
    if (senderAddress !== 0) {
      const claim = {
        address: senderAddress,
        mac: senderMac,
        isReply: operation === ARP_REPLY && isToUs,
        targetAddress: targetAddress === 0 ? undefined : targetAddress,
        mayAdd: answerIll !== undefined,
      };
      end = this.#resolver.handleSender(claim, nowMs);
    }
    if (operation === ARP_REPLY) return end;
    if (answerIll !== undefined) {
      if (heardBy !== undefined && heardBy !== answerIll) {
        return end === 'consumed' ? end : 'arp_other_interface';
      }
      this.#answer(answerIll, packet);
      return 'answered';
    }
    if (target !== undefined) {
      return target.state === 'up' ? 'address_unbound' : 'address_tentative';
    }
    const isStranger = end === 'arp_unsolicited' && senderAddress !== targetAddress;
    return isStranger ? 'arp_other_target' : end;
  }

  /** The NIC that answers for `address`: the bound one, or the nominated one for a proxy entry. */
  #answering(target: Ipif | undefined, address: Ipv4): Ill | undefined {
    if (target !== undefined) return target.state === 'up' ? usable(target.boundIll) : undefined;
    const isProxy = this.#resolver.cache.get(address)?.isProxy === true;
    return isProxy ? usable(this.#membership.castIll()) : undefined;
  }

  #answer(ill: Ill, request: ArpPacket): void {
    this.#counters.wireAnswers++;
    this.#output.toWire(
      ill,
      arpFrame(request.senderMac, ill.physAddr, {
        operation: ARP_REPLY,
        senderMac: ill.physAddr,
        senderAddress: request.targetAddress,
        targetMac: request.senderMac,
        targetAddress: request.senderAddress,
      }),
    );
  }

  /** Hands frames about its address to a detecting program of the host. */
  #handUp(packet: ArpPacket, nowMs: number): boolean {
    const isProbe = arpIsProbe(packet);
    const address = isProbe ? packet.targetAddress : packet.senderAddress;
    const asker = this.#hostProbes.askerOf(address, nowMs);
    if (asker === 0) return false;
    this.#counters.handedUp++;
    this.#output.toHost(isProbe ? rivalProbe(packet) : detectionAnswer(packet, asker));
    return true;
  }
}

function usable(ill: Ill | undefined): Ill | undefined {
  return ill !== undefined && ill.physAddr !== 0 ? ill : undefined;
}

/** Another station probes for the same address: its question as it was. */
function rivalProbe(packet: ArpPacket): Uint8Array {
  return arpFrame(MAC_BROADCAST, packet.senderMac, packet);
}

/** A station has the address: an answer to the program's probe, which carried no address. */
function detectionAnswer(packet: ArpPacket, asker: Mac): Uint8Array {
  return arpFrame(asker, packet.senderMac, {
    operation: ARP_REPLY,
    senderMac: packet.senderMac,
    senderAddress: packet.senderAddress,
    targetMac: asker,
    targetAddress: 0,
  });
}
