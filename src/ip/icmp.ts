/**
 * ICMP echo for the addresses of the stack itself, the test addresses, of both families (RFC 792,
 * RFC 1122 3.2.2.6; RFC 4443 2.4, 4.1, 4.2).
 *
 * A request from the wire is answered by the NIC that received it, a request of the host up to the
 * host; both to the MAC that asked. Nothing else is ever answered: no broadcast or multicast, no
 * fragment, no other protocol, and no error is sent about any of them (T9, T12), so a
 * forged request is answered with at most its own length. The families differ in their codecs
 * alone (echo.ts).
 */

import { TokenBucket } from '../base/token-bucket.ts';
import type { DropReason } from '../stats/drop-reasons.ts';
import { ipIsUnicast, type Mac, macIsGroup } from '../wire/addr.ts';
import { ethernetDestination, ethernetSource, ethernetType } from '../wire/ethernet.ts';
import { ECHO_CODECS, type EchoCodec } from './echo.ts';
import type { FrameEnd, LanCounters } from './lan-counters.ts';
import type { LanMembership, LanOutput } from './lan-port.ts';
import type { Ill } from './object/ill.ts';

// Ours
/** Echo replies per second and LAN, and at once (T12's rate for ICMP). */
export const ECHO_RATE = 1000;

export interface LocalIcmpOptions {
  readonly membership: Pick<LanMembership, 'findIpif'>;
  readonly output: Pick<LanOutput, 'toWire' | 'toHost'>;
  readonly counters: Pick<LanCounters, 'echoReplies'>;
}

/** Answers for the stack's own addresses on one LAN. */
export class LocalIcmp {
  readonly #membership: LocalIcmpOptions['membership'];
  readonly #output: LocalIcmpOptions['output'];
  readonly #counters: LocalIcmpOptions['counters'];
  readonly #rate = new TokenBucket(ECHO_RATE, ECHO_RATE);

  constructor(options: LocalIcmpOptions) {
    this.#membership = options.membership;
    this.#output = options.output;
    this.#counters = options.counters;
  }

  /** A frame of IPv4 or IPv6 received by `ill`: answered, or dropped. */
  handleWireFrame(ill: Ill, frame: Uint8Array, nowMs: number): FrameEnd {
    const codec = ECHO_CODECS.get(ethernetType(frame, 0));
    if (codec === undefined) return 'unknown_ethertype';
    const refusal = this.#refusal(codec, frame, ill);
    if (refusal !== undefined) return refusal;
    if (this.#membership.findIpif(codec.source(frame)) !== undefined) return 'local_source';
    if (!this.#rate.take(nowMs)) return 'local_rate_limited';
    this.#counters.echoReplies++;
    this.#output.toWire(ill, codec.reply(frame));
    return 'answered';
  }

  /** A frame of the host to a MAC of ours: answered, or dropped. */
  handleHostFrame(frame: Uint8Array, nowMs: number): FrameEnd {
    const codec = ECHO_CODECS.get(ethernetType(frame, 0));
    if (codec === undefined) return 'unknown_ethertype';
    const refusal = this.#refusal(codec, frame, undefined);
    if (refusal !== undefined) return refusal;
    if (!this.#rate.take(nowMs)) return 'local_rate_limited';
    this.#counters.echoReplies++;
    this.#output.toHost(codec.reply(frame));
    return 'answered';
  }

  /** Why the frame is no echo request that we answer; `ill` undefined for one of the host. */
  #refusal(codec: EchoCodec, frame: Uint8Array, ill: Ill | undefined): DropReason | undefined {
    return (
      codec.headerRefusal(frame) ??
      this.#addressRefusal(codec, frame, ill) ??
      codec.requestRefusal(frame)
    );
  }

  #addressRefusal(
    codec: EchoCodec,
    frame: Uint8Array,
    ill: Ill | undefined,
  ): DropReason | undefined {
    const destination = codec.destination(frame);
    const ipif = this.#membership.findIpif(destination);
    const bound = ipif?.kind === 'test' ? ipif.boundIll : undefined;
    if (ipif === undefined || bound === undefined) return 'local_destination';
    if (ill !== undefined && bound !== ill) return 'local_destination';
    if (ethernetDestination(frame, 0) !== bound.physAddr) return 'local_destination';
    if (ipif.state !== 'up') return 'address_tentative';
    const source = codec.source(frame);
    const isSource = source !== destination && ipIsUnicast(source);
    return isSource && isStation(ethernetSource(frame, 0)) ? undefined : 'local_source';
  }
}

/** One station can have it: neither none nor a group. */
function isStation(mac: Mac): boolean {
  return mac !== 0 && !macIsGroup(mac);
}
