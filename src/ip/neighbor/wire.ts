/**
 * Questions and statements of the wire about neighbours, in the order of docs/law.md rows 55 to 57;
 * for both families, ARP and neighbour discovery:
 *
 * 1. a frame for all on a NIC that is not nominated is a copy of one that is handled elsewhere;
 *    only a question for an address that is bound to this very NIC is answered here, and a probe
 *    for one that this NIC detects is its conflict: behind a switch that snoops no other NIC gets
 *    it. What is sent to the group's own MAC, which switches flood, is such a copy too;
 * 2. the gate of the protocol; and whether the host takes anything at all: what is set down is
 *    neither answered for nor defended, but whether an address is free is found out all the same;
 * 3. a sender with a MAC of ours is our own frame, reflected by a switch or leaked by the kernel
 *    below us: it is ignored, and above all it is no conflict;
 * 4. a sender with an *address* of ours is a conflict (RFC 5227, RFC 4862 5.4), and so is a probe
 *    for an address that we are probing ourselves; a probe is for all, and its sender MAC that of
 *    its frame: switches ask known stations with no sender address too, and need an answer;
 * 5. anything else may teach us about its sender: update, but create only if it asks for us;
 * 6. a question for an address of ours is answered once, by the NIC that the address is bound to
 *    and with its MAC both in the frame and in the message. One for all is answered for the copy
 *    that came to that NIC, so no answer names a NIC that receives nothing, nor does a dead
 *    path of the nominated NIC take along what is bound to others.
 */

import type { IpAddress } from '../../wire/addr.ts';
import { ethernetDestination, ethernetIsGroup, ethernetSource } from '../../wire/ethernet.ts';
import type { Claims } from '../claim/claims.ts';
import type { FrameEnd, LanCounters } from '../lan-counters.ts';
import type { LanMembership, LanOutput } from '../lan-port.ts';
import type { Ill } from '../object/ill.ts';
import type { Ipif } from '../object/ipif.ts';
import { isProbe, type NeighborMessage, type NeighborProtocol } from '../protocol.ts';
import type { HostProbes } from './host-probes.ts';
import type { Resolver } from './resolver.ts';

export interface NeighborSideOptions {
  readonly membership: LanMembership;
  readonly output: LanOutput;
  readonly counters: LanCounters;
  readonly resolver: Resolver;
  readonly claims: Claims;
  readonly hostProbes: HostProbes;
}

/** A message, and how it came. */
interface Arrival {
  readonly protocol: NeighborProtocol;
  readonly frame: Uint8Array;
  readonly message: NeighborMessage;
  readonly ill: Ill;
  /** It went to all stations, so other NICs of ours may have a copy. */
  readonly isForAll: boolean;
  /** It was sent to a MAC of ours. */
  readonly isToUs: boolean;
  readonly nowMs: number;
}

/** The side of the wire. */
export class NeighborWire {
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

  /** A frame of `protocol` that `ill` received, carried to its end. */
  handleFrame(protocol: NeighborProtocol, ill: Ill, frame: Uint8Array, nowMs: number): FrameEnd {
    const isGroup = ethernetIsGroup(frame, 0);
    const destination = ethernetDestination(frame, 0);
    // The group's own MAC is a source on no wire, so a switch floods what is sent to it.
    const isForAll = isGroup || destination === this.#membership.groupMac();
    const cast = this.#membership.castIll();
    const isCopy = isForAll && cast !== undefined && cast !== ill;
    const message = protocol.read(frame);
    if (typeof message === 'string') return isCopy ? 'not_nominated' : message;
    const source = ethernetSource(frame, 0);
    const isOurs = this.#membership.isOwnMac(message.mac) || this.#membership.isOwnMac(source);
    const isHostUp = this.#membership.isHostUp();
    const isToUs = this.#membership.isOwnMac(destination);
    const arrival: Arrival = { protocol, frame, message, ill, isForAll, isToUs, nowMs };
    if (isCopy && isOurs) return 'not_nominated';
    if (isOurs) return protocol.reasons.reflection;
    const isRival = isGroup && isProbe(message) && source === message.mac;
    const contested = isRival ? this.#contested(message) : undefined;
    if (isCopy && usable(contested?.boundIll) !== ill) {
      return isHostUp ? this.#handleCopy(arrival) : 'not_nominated';
    }
    const ipif = contested ?? this.#ownSender(message);
    // Detection goes on meanwhile.
    if (!isHostUp && (ipif === undefined || ipif.state === 'up')) return 'host_down';
    if (ipif !== undefined) return this.#handleConflict(arrival, ipif);
    const isHandedUp = this.#handUp(arrival);
    const end = this.#handleMessage(arrival);
    return isHandedUp && end !== 'answered' ? 'consumed' : end;
  }

  /** Another station uses `ipif`, or wants to. */
  #handleConflict({ protocol, message, nowMs }: Arrival, ipif: Ipif): FrameEnd {
    if (isProbe(message) && this.#claims.isOwnProbe(ipif, message.nonce)) {
      return protocol.reasons.reflection;
    }
    if (this.#membership.isHostMac(message.mac)) return protocol.reasons.reflection;
    const isOfUse = this.#claims.handleConflict(ipif, message.mac, nowMs);
    return isOfUse ? 'consumed' : protocol.reasons.conflict;
  }

  /** The sender is learnt from the copy on the nominated NIC. */
  #handleCopy({ protocol, message, ill }: Arrival): FrameEnd {
    const { isQuestion, sender, target } = message;
    const ipif = target === undefined ? undefined : this.#membership.findIpif(target);
    const isAnswered =
      isQuestion &&
      ipif?.state === 'up' &&
      usable(ipif.boundIll) === ill &&
      (sender === undefined || this.#membership.findIpif(sender) === undefined);
    if (!isAnswered) return 'not_nominated';
    this.#answer(protocol, ill, ipif.address, message);
    return 'answered';
  }

  /** The address of ours that another station uses. */
  #ownSender({ sender }: NeighborMessage): Ipif | undefined {
    return sender === undefined ? undefined : this.#membership.findIpif(sender);
  }

  /** The address that a rival's probe is about, while we detect it ourselves. */
  #contested({ target }: NeighborMessage): Ipif | undefined {
    const ipif = target === undefined ? undefined : this.#membership.findIpif(target);
    return ipif?.state === 'tentative' ? ipif : undefined;
  }

  #handleMessage(arrival: Arrival): FrameEnd {
    const { protocol, message, ill, isForAll } = arrival;
    const { isQuestion, sender, target } = message;
    const ipif = target === undefined ? undefined : this.#membership.findIpif(target);
    const answerIll = isQuestion ? this.#answering(ipif, target) : undefined;
    const end = this.#learn(arrival, answerIll !== undefined);
    if (!isQuestion) return end;
    if (answerIll !== undefined && target !== undefined) {
      if (isForAll && ill !== answerIll) {
        return end === 'consumed' ? end : protocol.reasons.otherInterface;
      }
      this.#answer(protocol, answerIll, target, message);
      return 'answered';
    }
    if (ipif !== undefined) return ipif.state === 'up' ? 'address_unbound' : 'address_tentative';
    const isStranger = end === protocol.reasons.unsolicited && sender !== target;
    return isStranger ? protocol.reasons.otherTarget : end;
  }

  /** What the message means for the neighbour that sent it. */
  #learn({ protocol, message, isToUs, nowMs }: Arrival, mayAdd: boolean): FrameEnd {
    const { sender: address, mac, isMacStated, isOverride, isRouter, target } = message;
    if (address === undefined) return protocol.reasons.otherTarget;
    if (message.isQuestion && !isMacStated) return protocol.reasons.otherTarget;
    const isReply = message.isReply && isToUs;
    const facts = { address, mac, isMacStated, isOverride, isRouter };
    const claim = { ...facts, isReply, targetAddress: target, mayAdd };
    const end = this.#resolver.handleSender(claim, nowMs);
    return end === 'consumed' ? end : protocol.reasons[end];
  }

  /** The NIC that answers for `address`: the bound one, or the nominated one for a proxy entry. */
  #answering(ipif: Ipif | undefined, address: IpAddress | undefined): Ill | undefined {
    if (ipif !== undefined) return ipif.state === 'up' ? usable(ipif.boundIll) : undefined;
    const isProxy = address !== undefined && this.#resolver.cache.get(address)?.isProxy === true;
    return isProxy ? usable(this.#membership.castIll()) : undefined;
  }

  #answer(protocol: NeighborProtocol, ill: Ill, address: IpAddress, to: NeighborMessage): void {
    const isProxy = this.#resolver.cache.get(address)?.isProxy === true;
    const asker = { spa: to.sender, sha: to.mac };
    this.#counters.wireAnswers++;
    this.#output.toWire(ill, protocol.answer(ill, address, asker, isProxy));
  }

  /** Hands messages about its address to a detecting program of the host. */
  #handUp({ protocol, frame, message, nowMs }: Arrival): boolean {
    const address = isProbe(message) ? message.target : message.sender;
    if (address === undefined) return false;
    const asker = this.#hostProbes.askerOf(address, nowMs);
    if (asker === 0) return false;
    this.#counters.handedUp++;
    this.#output.toHost(protocol.handUp(frame, message, asker));
    return true;
  }
}

function usable(ill: Ill | undefined): Ill | undefined {
  return ill !== undefined && ill.physAddr !== 0 ? ill : undefined;
}
